//! The organisation's own key tool (`tracebond-org`): its key, its devices' records.
//!
//! The key answers for every device of the organisation, so it must never meet the operator: this
//! is a program of its own that runs on the organisation's machine, keeps the key in a file for its
//! owner only, and speaks to a platform over its public HTTP interface alone. What comes back is
//! checked: who asks with a claim must know its secret, a head must be that of the served list
//! (`DESIGN.md` section 3, `platform/docs/decisions/0014`).
//!
//! - `admission`: how an organisation comes into the registry
//! - `folder`: what is kept on the organisation's disk
//! - `platform`: the HTTP interface
//! - `office`: what a person does with both
//! - `consent`: what the organisation lets a bank read

mod admission;
mod consent;
mod folder;
mod office;
mod platform;

pub use admission::{admit, application, settings};
pub use consent::Wanted;
pub use folder::{Folder, FolderError, Issued, Settings, Wish};
pub use office::{Change, Office, Waiting, qr};
pub use platform::{Platform, PlatformError};

use schemas::enrol::EnrolError;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::random::NoRandomness;
use schemas::registry::RecordError;

/// Something that was not done; nothing was signed or sent after it.
#[derive(Debug, thiserror::Error)]
pub enum KeytoolError {
    /// The organisation's folder.
    #[error("the organisation's folder")]
    Folder(#[from] FolderError),
    /// The platform.
    #[error("the platform")]
    Platform(#[from] PlatformError),
    /// A record that does not read.
    #[error("the record is refused")]
    Record(#[from] RecordError),
    /// A consent that nobody would take.
    #[error("the consent is refused")]
    Consent(#[from] schemas::consent::ConsentError),
    /// Nothing of this bank's is kept here that could be withdrawn.
    #[error(
        "no consent to `{0}` is kept in this folder; with `--token` the platform's chain is read"
    )]
    NoConsent(Slug),
    /// A claim, or a request with it.
    #[error("the enrolment request does not count")]
    Enrol(#[from] EnrolError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The policy file is none, or not the log's first.
    #[error("the policy file: {0}")]
    Policy(&'static str),
    /// Nothing of this name was issued or signed here.
    #[error("`{0}` is not known here: no claim was issued for it, and no record of it is kept")]
    Unknown(String),
    /// The device asked for something else than the claim is for.
    #[error("the claim is for {wanted}, the device asks for {asked}")]
    Asked {
        /// By the claim.
        wanted: Slug,
        /// By its request.
        asked: Slug,
    },
    /// The person compared another kid.
    #[error("the key that asks is {found}: it does not begin with what you have compared")]
    Kid {
        /// The key that asks.
        found: Hash,
    },
    /// The device has not asked, or not consented.
    #[error("{device} has not sent its {what} yet")]
    Waiting {
        /// Which device.
        device: Slug,
        /// `request` or `consent`.
        what: &'static str,
    },
    /// A device that is not active has no key to act on.
    #[error("the newest record of {0} says that its key is not in use")]
    NotInUse(Slug),
    /// What the platform shows does not hold together.
    #[error("the platform shows what does not hold: {0}")]
    Shown(String),
}
