//! Pages of the platform: pure functions from what was read to HTML.
//!
//! No page needs a script, and none carries an inline script or style, so that the content security
//! policy of `kit::page` holds; but the product page carries the whole style sheet, named by its hash
//! ([`assets::POLICY`]), since one round trip is what its reader would wait for. Texts are in `web/i18n`, templates in `web/templates`, looks in
//! `web/assets/tracebond.css`. Callers are the HTTP routes; everything that a page says comes in
//! through its view, the time included.
//!
//! Invariants: whatever a stranger wrote is escaped (askama escapes, [`chart`] and [`qr_svg`] write
//! only numbers and escaped text); a page never says verified or failed of what was not checked;
//! colour never stands alone.

pub mod assets;
pub mod chart;
pub mod format;
pub mod organisation;
pub mod pages;
pub mod product;
pub mod qr;
pub mod report;
pub mod text;
pub mod view;
pub mod witness;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use assets::{asset, css};
pub use kit::negotiate::Language as Lang;
pub use pages::{
    ErrorKind, ErrorView, Example, HomeView, UnknownView, render_error, render_home, render_unknown,
};
pub use product::render_product;
pub use qr::qr_svg;
pub use report::{
    FormView, LookUpView, ReportView, Trouble, render_form, render_look_up, render_report,
};
pub use view::{Archived, ByLanguage, Links, Names, ProductView, Scans, Verifier, report_href};

/// Why a page could not be written; the caller answers 500.
#[derive(Debug, thiserror::Error)]
#[error("the page could not be written")]
pub struct RenderError(#[from] askama::Error);
