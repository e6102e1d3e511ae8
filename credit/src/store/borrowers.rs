//! What the store keeps of borrowers' accounts, and what one supplier was decided on, as a trait.
//!
//! No method updates or deletes a row: an account is of one supplier for ever.

use async_trait::async_trait;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::StoreError;
use crate::loan::Decision;

/// Most decisions of a supplier that one read hands out.
pub const OF_SUPPLIER_MAX: u32 = 200;

/// Suppliers of accounts.
#[async_trait]
pub trait Borrowers: Send + Sync {
    /// Binds an account to a supplier, unless it is bound; gives the supplier that it is of.
    async fn bind_borrower(
        &self,
        organisation: &Slug,
        name: &Slug,
        supplier: &Slug,
        at: Instant,
    ) -> Result<Slug, StoreError>;

    /// The supplier that an account is of; none for the bank's people.
    async fn supplier_of(
        &self,
        organisation: &Slug,
        name: &Slug,
    ) -> Result<Option<Slug>, StoreError>;

    /// Decisions on a supplier's applications, newest first, at most `take` (at most
    /// [`OF_SUPPLIER_MAX`]).
    async fn decisions_of(&self, supplier: &Slug, take: u32) -> Result<Vec<Decision>, StoreError>;
}

/// A kept supplier.
pub(super) fn supplier(text: &str) -> Result<Slug, StoreError> {
    let what = "borrower's account";
    text.parse().map_err(|_| StoreError::Row { what })
}
