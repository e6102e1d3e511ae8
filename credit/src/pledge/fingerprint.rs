//! The hash that names a thing (`docs/pledge.md`, "Fingerprint").

use std::fmt;

use schemas::gs1::{Identifier, Key};
use schemas::hash::{Hash, NotAHash, sha256_parts};
use serde::{Deserialize, Serialize};

use super::written::{CreditCode, ReceiptNumber, Refused};

/// What a fingerprint names. Two kinds never meet in one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An invoice with code and number.
    Fapiao,
    /// A fully digital invoice.
    EFapiao,
    /// One thing.
    Serial,
    /// A logistic unit.
    Unit,
    /// A lot, whatever the quantity.
    Lot,
    /// A warehouse receipt.
    Receipt,
    /// Everything that an invoice says beside its number; never a claim.
    InvoiceDetails,
}

impl Kind {
    /// Its word in the hash.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fapiao => "fapiao",
            Self::EFapiao => "e-fapiao",
            Self::Serial => "serial",
            Self::Unit => "unit",
            Self::Lot => "lot",
            Self::Receipt => "receipt",
            Self::InvoiceDetails => "invoice-details",
        }
    }
}

/// Names one thing, 32 bytes, 64 hex digits as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(Hash);

impl Fingerprint {
    /// Hashes normalised fields. Callers give fields of at most 65,535 bytes; what is longer is cut in
    /// its length only, so that it can meet nothing that was given whole.
    pub(super) fn of(kind: Kind, fields: &[&str]) -> Self {
        let mut bytes = format!("tracebond/pledge/v1\n{}\n", kind.word()).into_bytes();
        for field in fields {
            let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(field.as_bytes());
        }
        Self(sha256_parts(&[&bytes]))
    }

    /// Of one thing or logistic unit, read from any GS1 syntax.
    ///
    /// # Errors
    /// [`Refused`] for a class of things: a GTIN or a lot is no single thing.
    pub fn of_thing(thing: &Identifier) -> Result<Self, Refused> {
        if thing.is_class_level() {
            return Err(Refused::new("serial", "it names a class, not one thing"));
        }
        let kind = match thing.key() {
            Key::Sscc => Kind::Unit,
            Key::Gln | Key::Party | Key::PayTo => {
                return Err(Refused::new("serial", "a place or a party is no thing"));
            }
            _ => Kind::Serial,
        };
        Ok(Self::of(kind, &[&thing.canonical()]))
    }

    /// Of a lot.
    ///
    /// # Errors
    /// [`Refused`] for anything but a GTIN with a lot and without a serial.
    pub fn of_lot(lot: &Identifier) -> Result<Self, Refused> {
        if lot.gtin().is_none() || lot.lot().is_none() || lot.serial().is_some() {
            return Err(Refused::new("lot", "a GTIN with its lot was expected"));
        }
        Ok(Self::of(Kind::Lot, &[&lot.canonical()]))
    }

    /// Of a warehouse receipt.
    #[must_use]
    pub fn of_receipt(warehouse: &CreditCode, number: &ReceiptNumber) -> Self {
        Self::of(Kind::Receipt, &[warehouse.as_str(), number.as_str()])
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// From a row.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Hash::from_slice(bytes).map(Self)
    }
}

impl std::str::FromStr for Fingerprint {
    type Err = NotAHash;
    fn from_str(text: &str) -> Result<Self, NotAHash> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
