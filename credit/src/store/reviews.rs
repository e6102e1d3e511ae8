//! What credit keeps of people's work, as a trait beside [`Store`].
//!
//! No method updates or deletes a review, a release, an audit row or a kept bundle.

use async_trait::async_trait;
use kit::people::AccessStore;
use schemas::hash::Hash;
use schemas::ids::Slug;

use super::cases::CaseStore;
use super::desk::DeskStore;
use super::ledger::Ledger;
use super::lending::{Loans, Told};
use super::models::ModelStore;
use super::papers::PaperStore;
use super::pledge::Pledges;
use super::sandbox::TrialStore;
use super::{Refusal, Store, StoreError};
use crate::audit::{Entry, Row};
use crate::loan::{Decision, RefusalReason, Review};

/// Most offers that one shelf hands out.
pub const SHELF_MAX: u32 = 500;

/// Most rows of the trail that one read hands out.
pub const TRAIL_MAX: u32 = 500;

/// Which decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// Offers that nobody has settled, oldest first.
    Open,
    /// Offers that were settled, newest step first.
    Settled,
    /// Applications that were declined, newest first.
    Declined,
}

/// A decision and what people have made of it.
#[derive(Clone, Debug)]
pub struct Reviewed {
    /// The decision.
    pub decision: Decision,
    /// The steps, in their order.
    pub history: Vec<Review>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is kept, with its release and its row in the trail.
    Kept,
    /// Somebody else was quicker. Nothing was changed.
    Taken,
    /// This person has a step on this offer already. Nothing was changed.
    SamePerson,
}

/// Reviews, reasons, kept evidence and the trail.
#[async_trait]
pub trait Reviews: Send + Sync {
    /// Keeps a bundle by its hash; the same bundle again changes nothing.
    async fn keep_evidence(&self, hash: &Hash, bundle: &[u8]) -> Result<(), StoreError>;

    /// A kept bundle.
    async fn evidence(&self, hash: &Hash) -> Result<Option<Vec<u8>>, StoreError>;

    /// Decisions of a shelf, at most `take` (at most [`SHELF_MAX`]).
    async fn shelf(&self, shelf: Shelf, take: u32) -> Result<Vec<Reviewed>, StoreError>;

    /// The steps of an offer, in their order.
    async fn history(&self, decision_id: &str) -> Result<Vec<Review>, StoreError>;

    /// Keeps a step, its row in the trail, and for a refused or lapsed offer the release of its
    /// room: all of it or nothing.
    async fn review(&self, review: &Review, entry: &Entry) -> Result<Step, StoreError>;

    /// Refusals of evidence of applications that have no decision, newest first, one an
    /// application.
    async fn undecided(&self, take: u32) -> Result<Vec<Refusal>, StoreError>;

    /// Every refusal reason, by code.
    async fn reasons(&self) -> Result<Vec<RefusalReason>, StoreError>;

    /// Keeps new reasons without a row in the trail; those that are there stay as they are.
    async fn seed_reasons(&self, reasons: &[RefusalReason]) -> Result<(), StoreError>;

    /// Keeps a new reason and its row in the trail; false, and nothing changed, if the code is
    /// taken.
    async fn add_reason(&self, reason: &RefusalReason, entry: &Entry) -> Result<bool, StoreError>;

    /// Retires a reason and keeps that in the trail; false, and nothing changed, if no active one
    /// has this code.
    async fn retire_reason(&self, code: &Slug, entry: &Entry) -> Result<bool, StoreError>;

    /// Adds to the trail.
    async fn note(&self, entry: &Entry) -> Result<(), StoreError>;

    /// The trail behind row `after`, in order, at most `take` (at most [`TRAIL_MAX`]).
    async fn trail(&self, after: i64, take: u32) -> Result<Vec<Row>, StoreError>;

    /// The newest rows of the trail before row `before` (or of all), newest first, at most `take`
    /// (at most [`TRAIL_MAX`]); of one subject if one is given.
    async fn newest(
        &self,
        before: Option<i64>,
        subject: Option<&str>,
        take: u32,
    ) -> Result<Vec<Row>, StoreError>;
}

/// Everything that credit keeps: what one database offers.
pub trait Tables:
    Store
    + Reviews
    + AccessStore
    + Ledger
    + TrialStore
    + Pledges
    + DeskStore
    + PaperStore
    + Loans
    + Told
    + super::Borrowers
    + super::Takings
    + CaseStore
    + ModelStore
{
}

impl<T> Tables for T where
    T: Store
        + Reviews
        + AccessStore
        + Ledger
        + TrialStore
        + Pledges
        + DeskStore
        + PaperStore
        + Loans
        + Told
        + super::Borrowers
        + super::Takings
        + CaseStore
        + ModelStore
{
}

/// True if keeping this step gives room back.
#[must_use]
pub fn releases(review: &Review) -> bool {
    use crate::loan::review::Act;
    review.settles && matches!(review.act, Act::Refuse | Act::Lapse)
}
