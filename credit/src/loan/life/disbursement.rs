//! How money goes out: by a token that is used once, and an instruction that is never sent twice.
//!
//! A [`Token`] is bound to a payee, an amount and an instant. The borrower sees it, may lower its
//! amount and revoke it; spending consumes it. Only the SHA-256 of its secret is kept. What spending
//! gives is an [`Instruction`], whose key follows from loan and token: there is no second key under
//! which the same money could be sent. [`bank`] sends it.

pub mod bank;

use std::fmt;

use schemas::hash::{Hash, sha256, sha256_parts};
use schemas::time::Instant;

use crate::ledger::LoanId;
use crate::money::{Money, MoneyError};

pub use bank::{Answer, BankPort, Outcome, Payout, Receipt, Step, drive};

/// Why a token does not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// More than what was approved, or than the token has.
    #[error("{asked} is more than {most}")]
    TooMuch {
        /// Asked for.
        asked: Money,
        /// The most.
        most: Money,
    },
    /// Less than the product lends.
    #[error("{asked} is less than the product lends, {least}: revoke the token instead")]
    TooLittle {
        /// Asked for.
        asked: Money,
        /// The least.
        least: Money,
    },
    /// A token does not outlive its offer, nor begin expired.
    #[error("a token expires after now ({now}) and not after its offer ({offer})")]
    Expiry {
        /// Now.
        now: Instant,
        /// End of the offer.
        offer: Instant,
    },
    /// Too late.
    #[error("the token expired at {0}")]
    Expired(Instant),
    /// The token may still be used: it is revoked before another one is issued.
    #[error("another token may be used until {0}")]
    Open(Instant),
    /// It is another token's secret.
    #[error("the secret is not the token's")]
    Secret,
    /// It is for another payee.
    #[error("the token is for another payee")]
    Payee,
    /// Another currency.
    #[error("the amounts are refused: {0}")]
    Money(#[from] MoneyError),
}

/// The secret of a token: 32 random bytes that the borrower alone has. It is never shown and never
/// stored.
#[derive(Clone, Copy)]
pub struct Secret([u8; 32]);

impl Secret {
    /// From random bytes of the operating system.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What stands for a payee's account in acts of a loan. Account numbers can be guessed, so it hides
/// nothing from somebody who tries them all: it is what a payout is held against.
#[must_use]
pub fn payee(loan: &LoanId, account: &str) -> Hash {
    sha256_parts(&[
        b"payee\n",
        loan.as_str().as_bytes(),
        b"\n",
        account.as_bytes(),
    ])
}

/// A token that may be used. Limiting, revoking and spending consume it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    secret: Hash,
    payee: Hash,
    amount: Money,
    expires: Instant,
}

/// What a token may be at most.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// The least that the product lends.
    pub least: Money,
    /// The most that was approved.
    pub most: Money,
    /// When the offer ends.
    pub until: Instant,
}

impl Room {
    fn holds(&self, asked: Money, most: Money) -> Result<(), TokenError> {
        asked.common(most)?;
        asked.common(self.least)?;
        if asked.fen() > most.fen() {
            return Err(TokenError::TooMuch { asked, most });
        }
        if asked.fen() < self.least.fen() {
            let least = self.least;
            return Err(TokenError::TooLittle { asked, least });
        }
        Ok(())
    }
}

impl Token {
    /// A new token.
    ///
    /// # Errors
    /// [`TokenError`] for an amount that was not approved and an expiry out of order.
    pub fn issue(
        secret: Hash,
        payee: Hash,
        amount: Money,
        expires: Instant,
        room: &Room,
        now: Instant,
    ) -> Result<Self, TokenError> {
        room.holds(amount, room.most)?;
        if expires <= now || expires > room.until {
            let offer = room.until;
            return Err(TokenError::Expiry { now, offer });
        }
        Ok(Self {
            secret,
            payee,
            amount,
            expires,
        })
    }

    /// SHA-256 of its secret, its name.
    #[must_use]
    pub const fn secret(&self) -> Hash {
        self.secret
    }

    /// Whom it pays.
    #[must_use]
    pub const fn payee(&self) -> Hash {
        self.payee
    }

    /// The most that it pays.
    #[must_use]
    pub const fn amount(&self) -> Money {
        self.amount
    }

    /// When it ends.
    #[must_use]
    pub const fn expires(&self) -> Instant {
        self.expires
    }

    /// The same token for less.
    ///
    /// # Errors
    /// [`TokenError::TooMuch`], [`TokenError::TooLittle`].
    pub fn limit(self, amount: Money, room: &Room) -> Result<Self, TokenError> {
        room.holds(amount, self.amount)?;
        Ok(Self { amount, ..self })
    }

    /// Uses it up.
    ///
    /// # Errors
    /// [`TokenError`] for another secret or payee, too much or too little, and too late.
    pub fn spend(
        self,
        loan: &LoanId,
        spent: &Spent,
        room: &Room,
        now: Instant,
    ) -> Result<Instruction, TokenError> {
        if spent.token != self.secret {
            return Err(TokenError::Secret);
        }
        if now >= self.expires {
            return Err(TokenError::Expired(self.expires));
        }
        if spent.payee != self.payee {
            return Err(TokenError::Payee);
        }
        room.holds(spent.amount, self.amount)?;
        Ok(Instruction {
            key: instruction_key(loan, &self.secret),
            payee: self.payee,
            amount: spent.amount,
        })
    }
}

/// How a token is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// SHA-256 of the secret that was shown.
    pub token: Hash,
    /// Whom to pay.
    pub payee: Hash,
    /// How much.
    pub amount: Money,
}

/// What the bank is told to pay, under a key of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    key: Hash,
    payee: Hash,
    amount: Money,
}

impl Instruction {
    /// Its key: the same loan and token, the same key.
    #[must_use]
    pub const fn key(&self) -> Hash {
        self.key
    }

    /// Whom to pay, see [`payee`].
    #[must_use]
    pub const fn payee(&self) -> Hash {
        self.payee
    }

    /// How much.
    #[must_use]
    pub const fn amount(&self) -> Money {
        self.amount
    }
}

fn instruction_key(loan: &LoanId, token: &Hash) -> Hash {
    let name = loan.as_str().as_bytes();
    sha256_parts(&[b"disbursement\n", name, b"\n", token.as_bytes()])
}
