//! What the borrower makes of an offer that the bank has accepted: takes it, declines it, or lets its
//! time run out.
//!
//! ```text
//! Accepted by the bank --the borrower accepts--> a loan (`crate::loan::life`)
//!    +--the borrower declines--> Declined
//!    +--time--> Untaken
//! ```
//!
//! [`Open`] is the only stage that anything can be done with; both ways out consume it. Where a loan was
//! opened there is none. Declining and running out give back the room that the offer reserved, in the
//! transaction that keeps the [`End`]; one row an offer, that of its loan among them, keeps them apart.

use std::time::Duration;

use schemas::ids::Slug;
use schemas::time::Instant;

use super::review::Stage;

/// How an offer ended without a loan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Its borrower did not want it.
    Declined,
    /// Its borrower said nothing while it was valid.
    Untaken,
}

impl How {
    /// Its word in rows.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::Untaken => "untaken",
        }
    }

    /// The end of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Declined, Self::Untaken]
            .into_iter()
            .find(|how| how.word() == word)
    }
}

/// The end of an offer that became no loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The decision that offered.
    pub decision_id: String,
    /// How.
    pub how: How,
    /// When.
    pub at: Instant,
}

/// An offer that the bank has accepted and its borrower has not answered.
#[derive(Clone, Debug)]
pub struct Open {
    decision_id: String,
    borrower: Slug,
    until: Instant,
}

/// Why an offer is not declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDeclined {
    /// It is another borrower's.
    #[error("the offer is another borrower's")]
    Borrower,
    /// It has run out by itself.
    #[error("the offer was valid until {0}")]
    Late(Instant),
}

impl Open {
    /// The offer of a borrower as its stage gives it; none where the bank has not accepted it. `valid`
    /// is how long it waits for the borrower.
    #[must_use]
    pub fn of(stage: &Stage, borrower: &Slug, valid: Duration) -> Option<Self> {
        let last = stage.accepted()?;
        Some(Self {
            decision_id: last.decision_id.clone(),
            borrower: borrower.clone(),
            until: last.at + valid,
        })
    }

    /// The borrower does not want it.
    ///
    /// # Errors
    /// [`NotDeclined`].
    pub fn decline(self, by: &Slug, at: Instant) -> Result<End, NotDeclined> {
        if *by != self.borrower {
            return Err(NotDeclined::Borrower);
        }
        if at >= self.until {
            return Err(NotDeclined::Late(self.until));
        }
        Ok(self.end(How::Declined, at))
    }

    /// Its time is over; itself if it is not.
    ///
    /// # Errors
    /// The offer, while it is valid.
    pub fn run_out(self, at: Instant) -> Result<End, Self> {
        if at < self.until {
            return Err(self);
        }
        Ok(self.end(How::Untaken, at))
    }

    fn end(self, how: How, at: Instant) -> End {
        End {
            decision_id: self.decision_id,
            how,
            at,
        }
    }
}
