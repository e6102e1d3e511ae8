//! Trials: what is decided about them, and room under their limits.

mod books;
mod lending;
mod model;
mod offers;
mod office;
mod reports;

pub use books::*;
pub use lending::*;
pub use model::*;
pub use offers::*;
pub use office::*;
pub use reports::*;

use std::sync::Arc;

use credit::sandbox::limits::Limits;
use credit::store::sandbox::Trials;
use schemas::ids::Slug;

use super::Bank;
use crate::limits_race::trial;

/// A trial that lends.
async fn lending_trial(bank: &Bank, limits: Limits) -> (Trials, Slug) {
    trial::lending(bank.store.clone(), "trial-1", limits).await
}

/// The same trials as another process has them.
async fn second(bank: &Bank) -> Trials {
    let store = bank.second().await;
    Trials::new(Arc::clone(&store) as _)
}
