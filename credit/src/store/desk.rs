//! What the store keeps of people's work beside decisions, as a trait.
//!
//! No method updates or deletes a row; each addition is one transaction with its row in the trail.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;

use super::StoreError;
use crate::audit::Entry;
use crate::desk::item::{Item, What};
use crate::loan::Decision;
use crate::money::{Currency, Money};

/// Most open tasks of a person that one read hands out.
pub const TASKS_MAX: u32 = 200;

/// Rows and files beside decisions, and what is compared with a decision.
#[async_trait]
pub trait DeskStore: Send + Sync {
    /// Adds a row, and its file if it is a document; false, and nothing changed, if its key is taken.
    async fn add_item(
        &self,
        item: &Item,
        file: Option<&[u8]>,
        entry: &Entry,
    ) -> Result<bool, StoreError>;

    /// Every row of a decision in the order in which they were added.
    async fn items(&self, decision_id: &str) -> Result<Vec<Item>, StoreError>;

    /// Who looks after each of these decisions; those without anybody are left out.
    async fn assigned(&self, decision_ids: &[&str]) -> Result<BTreeMap<String, Slug>, StoreError>;

    /// Open tasks of a person, oldest first, at most `take` (at most [`TASKS_MAX`]).
    async fn open_tasks(&self, person: &Slug, take: u32) -> Result<Vec<Item>, StoreError>;

    /// A document's content.
    async fn file(&self, decision_id: &str, sha256: &Hash) -> Result<Option<Vec<u8>>, StoreError>;

    /// The supplier's newest decision that is older than this one.
    async fn decision_before(&self, decision: &Decision) -> Result<Option<Decision>, StoreError>;

    /// What a supplier was offered and has not given back, by currency.
    async fn offered_to(&self, supplier: &Slug) -> Result<Vec<Money>, StoreError>;
}

/// The JSON that a row keeps.
pub(super) fn body(what: &What) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(what).map_err(|_| StoreError::Row { what: "desk item" })
}

/// What a kept JSON says.
pub(super) fn what(body: &[u8]) -> Result<What, StoreError> {
    serde_json::from_slice(body).map_err(|_| StoreError::Row { what: "desk item" })
}

/// A kept name.
pub(super) fn name(text: &str) -> Result<Slug, StoreError> {
    text.parse()
        .map_err(|_| StoreError::Row { what: "desk item" })
}

/// A kept sum.
pub(super) fn sum(currency: &str, fen: i64) -> Result<Money, StoreError> {
    let wrong = || StoreError::Row {
        what: "reservation",
    };
    let currency: Currency = currency.parse().map_err(|_| wrong())?;
    Money::from_fen(fen, currency).map_err(|_| wrong())
}
