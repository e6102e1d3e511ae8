//! Pages as people have them: Debian's chromium, its driver, and what it shows.
//!
//! Each test starts a browser of its own with [`Browser::start`] (`let Some(browser) = ... else
//! { return }` where none is installed), opens pages of a [`World`](crate::world::World) that is
//! served, and looks. `TRACEBOND_SHOTS=folder` keeps pictures.

mod altered;
mod axe;
pub mod desk;
mod driver;
mod figures;
mod liar;
mod measure;
pub mod pages;
mod phone;
mod script;
mod verifier_page;

pub use driver::{Browser, DESK, PHONE, TABLET};
