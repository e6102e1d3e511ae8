//! What is kept with a decision, in its transaction: what the case used, what was said about its
//! parties, and the passage of an offer that went straight through.
//!
//! Each use of an invoice or a device has a **place** in the order of its name's uses, from 1. Whoever
//! decides reads the uses so far and takes the next place; the database gives each place once. Whoever
//! was overtaken reads again and decides again. So of two applications with one invoice at once, one is
//! first and the other sees it, from however many processes.

use schemas::hash::{Hash, sha256_parts};
use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

use super::review::Passage;
use super::warning::{DeviceUse, Identifier, Invoice, Link};
use crate::audit::Entry;

/// What was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "used", rename_all = "snake_case")]
pub enum Used {
    /// An invoice was handed in.
    Invoice(Invoice),
    /// A device signed for a supplier.
    Device(DeviceUse),
}

impl Used {
    /// Its word in rows.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Invoice(_) => "invoice",
            Self::Device(_) => "device",
        }
    }

    /// The names that it has: an invoice one by its fingerprint and one by seller and number.
    #[must_use]
    pub fn names(&self) -> Vec<Hash> {
        match self {
            Self::Invoice(invoice) => {
                let fingerprint = invoice.fingerprint.as_bytes().as_slice();
                let seller = invoice.seller.as_str().as_bytes();
                let number = invoice.number.trim().as_bytes();
                vec![
                    sha256_parts(&[b"credit invoice\n", fingerprint]),
                    sha256_parts(&[b"credit invoice number\n", seller, b"\n", number]),
                ]
            }
            Self::Device(device) => {
                vec![sha256_parts(&[
                    b"credit device\n",
                    device.device.as_bytes(),
                ])]
            }
        }
    }
}

/// A use that takes a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// One of the names of what is used.
    pub name: Hash,
    /// From 1.
    pub place: i64,
    /// What.
    pub used: Used,
}

/// Everything that is kept with a decision. Nothing for one that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Uses, by name and place: the order in which they are taken.
    pub uses: Vec<Use>,
    /// Identifiers that the applicant declares.
    pub identifiers: Vec<Identifier>,
    /// Links that it declares.
    pub links: Vec<Link>,
    /// The passage of an offer that goes straight through, with its row in the trail.
    pub passed: Option<(Passage, Entry)>,
}

/// A use that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptUse {
    /// By which name.
    pub name: Hash,
    /// From 1.
    pub place: i64,
    /// Whose application.
    pub supplier: Slug,
    /// Its decision.
    pub decision_id: String,
    /// What.
    pub used: Used,
    /// True if nothing comes of that application any more: it was declined, or its offer was refused
    /// or ran out.
    pub is_over: bool,
}
