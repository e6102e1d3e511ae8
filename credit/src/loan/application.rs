//! What a supplier asks for, and what the bank has to offer at all.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

use super::declared::{BadField, Declared};
use crate::money::{Money, MoneyError};

/// Longest application id in characters.
pub const APPLICATION_ID_MAX: usize = 64;

/// An application that cannot be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplicationError {
    /// Not 1 to 64 of `A-Z a-z 0-9 - _ .`.
    #[error("an application id has 1 to 64 of A-Z a-z 0-9 - _ .")]
    Id,
    /// No such product.
    #[error("there is no product `{0}`")]
    Product(Slug),
    /// The amount cannot be read or is in another currency than the product.
    #[error("the requested amount is refused")]
    Amount(#[from] MoneyError),
    /// Less than the product's minimum.
    #[error("the product begins at {0}")]
    BelowMinimum(Money),
    /// Something that it declares.
    #[error(transparent)]
    Field(#[from] BadField),
}

/// The bank's client's name for an application: the same one is the same application.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApplicationId(String);

impl ApplicationId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ApplicationId {
    type Err = ApplicationError;
    fn from_str(text: &str) -> Result<Self, ApplicationError> {
        let right = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fits = (1..=APPLICATION_ID_MAX).contains(&text.len()) && text.bytes().all(right);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(ApplicationError::Id)
        }
    }
}

impl TryFrom<String> for ApplicationId {
    type Error = ApplicationError;
    fn try_from(text: String) -> Result<Self, ApplicationError> {
        text.parse()
    }
}

impl From<ApplicationId> for String {
    fn from(id: ApplicationId) -> Self {
        id.0
    }
}

impl fmt::Display for ApplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An application for a loan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its id, chosen by whoever sends it.
    pub application_id: ApplicationId,
    /// Who wants to borrow.
    pub supplier: Slug,
    /// What kind of loan.
    pub product: Slug,
    /// How much.
    pub requested: Money,
    /// What else it says. In JSON its members stand beside these.
    #[serde(flatten)]
    pub declared: Declared,
}

/// A kind of loan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its name.
    pub id: Slug,
    /// The least that is lent.
    pub minimum: Money,
    /// The most that is lent; same currency.
    pub cap: Money,
    /// How much of the verified confirmed turnover is lent, such as `0.3`.
    pub turnover_multiple: Decimal,
    /// The most that is asked for without a person of the bank looking at it, where no rule has
    /// anything to say; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub straight_up_to: Option<Money>,
}

impl Application {
    /// Holds the application against its product, and what it declares against its limits.
    ///
    /// # Errors
    /// [`ApplicationError::Amount`] for another currency, [`ApplicationError::BelowMinimum`],
    /// [`ApplicationError::Field`].
    pub fn fits(&self, product: &Product) -> Result<(), ApplicationError> {
        self.requested.common(product.cap)?;
        let too_little = self.requested.fen() < product.minimum.fen() || self.requested.fen() == 0;
        if too_little {
            return Err(ApplicationError::BelowMinimum(product.minimum));
        }
        Ok(self.declared.check(&self.supplier, self.requested)?)
    }
}
