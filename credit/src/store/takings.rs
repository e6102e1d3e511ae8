//! What becomes of offers that the bank has accepted, as a trait beside [`Store`](super::Store).
//!
//! One row an offer, never changed: that it became a loan, or how it ended without one. The row of a loan
//! is written by [`Loans::write_loans`](super::Loans::write_loans) with its first act.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::time::Instant;

use super::StoreError;
use crate::audit::Entry;
use crate::loan::taking::{End, How};

/// What became of an offer that the bank accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It became a loan.
    Loan,
    /// It ended without one.
    Ended(How),
}

/// Most offers that one read hands out.
pub const UNTAKEN_MAX: u32 = 500;

/// Ends of offers.
#[async_trait]
pub trait Takings: Send + Sync {
    /// Keeps an end with its row in the trail, and gives back the room that the offer reserved: all of
    /// it or nothing. False, and nothing changed, if the offer became a loan or ended before.
    async fn end_offer(&self, end: &End, note: &Entry) -> Result<bool, StoreError>;

    /// How an offer ended; none while it has not, and where it became a loan.
    async fn offer_end(&self, decision_id: &str) -> Result<Option<End>, StoreError>;

    /// What became of these decisions' offers; of those that wait or were never accepted, nothing.
    async fn fates(&self, decision_ids: &[&str]) -> Result<BTreeMap<String, Fate>, StoreError>;

    /// Decisions whose offers the bank accepted at `until` or before, by that instant, and that neither
    /// became a loan nor ended; at most `take` (at most [`UNTAKEN_MAX`]).
    async fn untaken(&self, until: Instant, take: u32) -> Result<Vec<String>, StoreError>;
}

/// A kept end; none for the row of a loan.
pub(super) fn end(decision_id: &str, how: &str, at: Instant) -> Result<Option<End>, StoreError> {
    if how == LOAN {
        return Ok(None);
    }
    let how = How::of_word(how).ok_or(StoreError::Row { what: "offer" })?;
    Ok(Some(End {
        decision_id: decision_id.to_owned(),
        how,
        at,
    }))
}

/// The kept word of what became of an offer.
pub(super) fn fate(how: &str) -> Result<Fate, StoreError> {
    match how {
        LOAN => Ok(Fate::Loan),
        how => How::of_word(how)
            .map(Fate::Ended)
            .ok_or(StoreError::Row { what: "offer" }),
    }
}

/// The word of an offer that became a loan.
pub(super) const LOAN: &str = "loan";

/// Offers that the bank accepted by an instant, and of which nothing came. `$1` is the instant, `$2` how
/// many.
pub(super) const UNTAKEN: &str = "SELECT decision_id FROM (
      SELECT v.decision_id, v.reviewed_at AS taken_from FROM reviews v
       WHERE v.act = 'accept' AND v.settles AND v.reviewed_at <= $1
         AND NOT EXISTS (SELECT 1 FROM offer_ends e WHERE e.decision_id = v.decision_id)
         AND NOT EXISTS (SELECT 1 FROM loan_heads h WHERE h.loan = v.decision_id)
      UNION ALL
      SELECT p.decision_id, p.passed_at AS taken_from FROM passages p
       WHERE p.passed_at <= $1
         AND NOT EXISTS (SELECT 1 FROM offer_ends e WHERE e.decision_id = p.decision_id)
         AND NOT EXISTS (SELECT 1 FROM loan_heads h WHERE h.loan = p.decision_id)) open_offers
    ORDER BY taken_from, decision_id LIMIT $2";
