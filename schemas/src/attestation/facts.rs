//! What may be said, by kind: a small closed set of typed members (`attestation.md` section 2).

use super::{AttestationError, Kind, holds};
use crate::hash::Hash;

/// The last day that can be written, 9999-12-31.
pub const DAY_MAX: u64 = 2_932_896;
/// Most events that a buyer confirms at once.
pub const LEAVES_MAX: usize = 64;
/// Longest reference in bytes.
pub const REFERENCE_MAX: usize = 128;

/// Days since 1970-01-01 in the issuer's calendar, at most [`DAY_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u64);

impl Day {
    /// From its number; `None` beyond [`DAY_MAX`].
    #[must_use]
    pub const fn new(days: u64) -> Option<Self> {
        if days <= DAY_MAX {
            Some(Self(days))
        } else {
            None
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Days from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first.
    pub from: Day,
    /// The last, not before the first.
    pub to: Day,
}

/// An amount in hundredths of its currency's unit, so fen for CNY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// How much, at most 2^53 - 1.
    pub amount: u64,
    /// ISO 4217, three capital letters.
    pub currency: [u8; 3],
}

impl Sum {
    /// The currency as text; empty for letters that no checked sum has.
    #[must_use]
    pub fn currency(&self) -> &str {
        std::str::from_utf8(&self.currency).unwrap_or_default()
    }
}

/// Tax credit grade, as the tax offices give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaxGrade {
    /// A.
    A = 0,
    /// B.
    B = 1,
    /// M: new, or without income in the year.
    M = 2,
    /// C.
    C = 3,
    /// D.
    D = 4,
}

impl TaxGrade {
    /// From its number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        let all = [Self::A, Self::B, Self::M, Self::C, Self::D];
        all.into_iter().find(|one| *one as u64 == number)
    }
}

/// Kind 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceFacts {
    /// Invoiced, at least 1.
    pub invoiced: Sum,
    /// When.
    pub period: Period,
    /// How many invoices, at least 1.
    pub count: u64,
    /// Hash of the list.
    pub document: Option<Hash>,
}

/// Kind 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingFacts {
    /// In arrears, 0 for none.
    pub arrears: Sum,
    /// For when.
    pub period: Period,
    /// Credit grade.
    pub grade: TaxGrade,
    /// Hash of the certificate.
    pub document: Option<Hash>,
}

/// Kind 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalFacts {
    /// The approval's number.
    pub reference: String,
    /// For when.
    pub period: Period,
    /// Hash of the approval.
    pub document: Hash,
}

/// Kind 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuyerFacts {
    /// Owed, at least 1.
    pub owed: Sum,
    /// Hash of the invoice or order.
    pub document: Hash,
    /// Number of the order.
    pub reference: Option<String>,
    /// When it is due.
    pub due: Option<Day>,
    /// Events that the buyer confirms, strictly increasing; empty for none.
    pub leaves: Vec<Hash>,
}

/// What an attestation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facts {
    /// Kind 1.
    Invoices(InvoiceFacts),
    /// Kind 2.
    Standing(StandingFacts),
    /// Kind 3.
    Approval(ApprovalFacts),
    /// Kind 4.
    Buyer(BuyerFacts),
}

impl Facts {
    /// Whose facts these are.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Invoices(_) => Kind::TaxInvoices,
            Self::Standing(_) => Kind::TaxStanding,
            Self::Approval(_) => Kind::GovernmentApproval,
            Self::Buyer(_) => Kind::BuyerConfirmation,
        }
    }

    /// What no type says.
    pub(super) fn check(&self) -> Result<(), AttestationError> {
        match self {
            Self::Invoices(facts) => {
                facts.invoiced.check(1)?;
                facts.period.check()?;
                holds(facts.count >= 1, "count: it is at least 1")
            }
            Self::Standing(facts) => {
                facts.arrears.check(0)?;
                facts.period.check()
            }
            Self::Approval(facts) => {
                facts.period.check()?;
                check_reference(&facts.reference)
            }
            Self::Buyer(facts) => {
                facts.owed.check(1)?;
                facts.reference.as_deref().map_or(Ok(()), check_reference)?;
                check_leaves(&facts.leaves)
            }
        }
    }
}

impl Sum {
    fn check(&self, least: u64) -> Result<(), AttestationError> {
        let fits = (least..=crate::cbor::UINT_MAX).contains(&self.amount);
        holds(fits, "amount: it is at least 1, arrears at least 0")?;
        let capital = self.currency.iter().all(u8::is_ascii_uppercase);
        holds(capital, "currency: it is three capital letters")
    }
}

impl Period {
    fn check(&self) -> Result<(), AttestationError> {
        holds(self.from <= self.to, "to: it is not before from")
    }
}

/// A control character could make one reference look like another.
fn check_reference(text: &str) -> Result<(), AttestationError> {
    let fits = (1..=REFERENCE_MAX).contains(&text.len());
    holds(
        fits && !text.chars().any(char::is_control),
        "reference: it is 1 to 128 bytes without control characters",
    )
}

fn check_leaves(leaves: &[Hash]) -> Result<(), AttestationError> {
    holds(
        leaves.len() <= LEAVES_MAX && leaves.windows(2).all(|pair| pair[0] < pair[1]),
        "leaves: at most 64, strictly increasing",
    )
}
