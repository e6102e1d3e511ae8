//! Why the office did not do what it was asked for.

use crate::money::MoneyError;
use crate::pledge::Fingerprint;
use crate::pledge::desk::PledgeError;
use crate::pledge::ids::{Key, PledgeId};
use crate::pledge::stage::Denied;
use crate::pledge::value::ValueError;
use crate::pledge::watch::FitError;
use crate::pledge::written::Refused;
use crate::service::ApplyError;
use crate::store::StoreError;

/// Why something was not done. Nothing but the refusal was kept.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// It does not follow from where the pledge stands, or somebody else has the goods.
    #[error(transparent)]
    Pledge(#[from] PledgeError),
    /// The invoice is pledged already, and the two were written down differently.
    #[error(
        "this is pledged already: {name}; the same invoice was written down with other details (pledge {by})"
    )]
    OtherDetails {
        /// The invoice.
        name: Fingerprint,
        /// The pledge that has it.
        by: PledgeId,
    },
    /// A field cannot be read, or evidence does not show what it names.
    #[error(transparent)]
    Written(#[from] Refused),
    /// Goods have no price of their own.
    #[error("price: goods need one")]
    NoPrice,
    /// The table lends nothing on it.
    #[error("the table of haircuts lends nothing on goods of this category and age")]
    Worthless,
    /// It cannot be valued.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// There is no verified evidence.
    #[error("no evidence can be used")]
    Evidence(#[from] ApplyError),
    /// The sensor has never spoken.
    #[error("evidence shows no measured temperature of `{0}`")]
    NeverHeard(String),
    /// No limits can be made.
    #[error(transparent)]
    Limits(#[from] FitError),
    /// The book does not say that nothing is owed.
    #[error("the book does not say that loan `{0}` is settled")]
    NotSettled(Key),
    /// Amounts do not fit together.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl OfficeError {
    /// Kind of refusal in rows and answers; `None` where the fault is the service's own, which is no
    /// refusal.
    #[must_use]
    pub const fn class(&self) -> Option<&'static str> {
        Some(match self {
            Self::Pledge(error) => return of_pledge(error),
            Self::OtherDetails { .. } => "held-with-other-details",
            Self::Written(_) => "field",
            Self::NoPrice | Self::Worthless | Self::Value(_) | Self::Money(_) => "value",
            Self::Evidence(ApplyError::Store(_)) | Self::Store(_) => return None,
            Self::Evidence(_) => "evidence",
            Self::NeverHeard(_) => "never-heard",
            Self::Limits(_) => "limits",
            Self::NotSettled(_) => "not-settled",
        })
    }
}

const fn of_pledge(error: &PledgeError) -> Option<&'static str> {
    Some(match error {
        PledgeError::Store(_) => return None,
        PledgeError::Denied(Denied::SamePerson) => "same-person",
        PledgeError::Denied(Denied::Text) => "field",
        PledgeError::Denied(_) => "not-possible",
        PledgeError::Unknown => "unknown",
        PledgeError::OtherRequest(_) => "other-request",
        PledgeError::Held(_) => "held",
        PledgeError::NotShown(_) => "not-shown",
        PledgeError::Busy => "busy",
        PledgeError::Stream(_) => "stream",
    })
}
