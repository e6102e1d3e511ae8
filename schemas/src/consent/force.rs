//! Whether a chain is in force for what a bank needs (`consent.md` section 4).

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::chain::Taken;
use super::{Consents, Grant, Mark, Purpose};
use crate::attestation::Kind as AttestationKind;
use crate::hash::Hash;
use crate::ids::Slug;
use crate::registry::{Record, State};
use crate::time::Instant;

/// The instant that a question is answered for: never before what the reader has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Moment {
    /// The reader's clock.
    pub clock: Instant,
    /// What counts: the clock, or the newest time seen if that is later.
    pub counted: Instant,
}

impl Moment {
    /// `seen` is the latest of every witnessed time that the reader has seen and every instant at
    /// which it has evaluated a consent of the supplier.
    #[must_use]
    pub fn new(clock: Instant, seen: Option<Instant>) -> Self {
        let counted = seen.map_or(clock, |seen| seen.max(clock));
        Self { clock, counted }
    }

    /// By how much the clock is behind what was seen; `None` if it is not.
    #[must_use]
    pub fn behind(&self) -> Option<Duration> {
        (self.counted > self.clock).then(|| self.counted.since(self.clock))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.counted)?;
        match self.behind() {
            Some(behind) => write!(
                f,
                " (the clock says {} and is {} s behind what was seen)",
                self.clock,
                behind.as_secs()
            ),
            None => Ok(()),
        }
    }
}

/// How many of something are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach<T> {
    /// All, those to come too.
    All,
    /// These.
    Only(BTreeSet<T>),
}

impl<T: Ord> Reach<T> {
    /// The first that a list lacks, an empty list being all; `Err` if all are needed and it is not.
    fn lacks<'n>(&'n self, granted: &[T]) -> Result<Option<&'n T>, ()> {
        match self {
            _ if granted.is_empty() => Ok(None),
            Self::All => Err(()),
            Self::Only(needed) => Ok(needed
                .iter()
                .find(|one| granted.binary_search(one).is_err())),
        }
    }
}

/// What a bank needs to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// For what.
    pub purpose: Purpose,
    /// Of which devices.
    pub devices: Reach<Slug>,
    /// Of which business steps, by their bare names.
    pub steps: Reach<String>,
    /// Members that must be open.
    pub members: BTreeSet<String>,
    /// Kinds of attestations.
    pub attestations: BTreeSet<AttestationKind>,
}

impl Need {
    /// Everything of all devices, for a purpose: what complete chains need.
    #[must_use]
    pub fn whole(purpose: Purpose) -> Self {
        Self {
            purpose,
            devices: Reach::All,
            steps: Reach::All,
            members: BTreeSet::new(),
            attestations: BTreeSet::new(),
        }
    }
}

/// What a grant is too narrow for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// Another purpose.
    #[error("purposes: not for `{}`", .0.word())]
    Purpose(Purpose),
    /// Not all devices.
    #[error("devices: not all devices")]
    Devices,
    /// Not this device.
    #[error("devices: not `{0}`")]
    Device(Slug),
    /// Not all steps.
    #[error("steps: not all steps")]
    Steps,
    /// Not this step.
    #[error("steps: not `{0}`")]
    Step(String),
    /// A member that must be open may be withheld.
    #[error("withheld: `{0}` may be withheld")]
    Member(String),
    /// Not this kind of attestation.
    #[error("attestations: not `{}`", .0.word())]
    Attestation(AttestationKind),
}

/// Why no consent is in force; the first that applies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotInForce {
    /// There is no document.
    #[error("there is no consent")]
    None,
    /// An older state is shown than one that was seen before.
    #[error("the newest consent shown has number {shown}, but number {} was seen before ({})", known.number, known.id)]
    RolledBack {
        /// Number of the newest document shown, 0 for none.
        shown: u64,
        /// What was seen.
        known: Mark,
    },
    /// Two documents have one number.
    #[error("two different consents have the number {0}")]
    Forked(u64),
    /// The signer's record does not count (any more).
    #[error("the record of the key {kid} that signed is {state}")]
    Signer {
        /// Which key.
        kid: Hash,
        /// `suspended`, `revoked`, `retired` (and the document is new to the reader) or `not shown`.
        state: &'static str,
    },
    /// It was withdrawn.
    #[error("the consent was withdrawn at {0}")]
    Withdrawn(Instant),
    /// Nobody has shown that the log holds it.
    #[error("the log entry of consent number {0} is not proven")]
    NotLogged(u64),
    /// It begins later.
    #[error("the consent begins at {0}")]
    NotYet(Instant),
    /// It has ended.
    #[error("the consent ended at {0}")]
    Expired(Instant),
    /// It grants less than is needed.
    #[error("the consent is too narrow: {0}")]
    Scope(Lack),
}

impl NotInForce {
    /// Its code, as `consent.md` section 4 has it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::RolledBack { .. } => "rolled-back",
            Self::Forked(_) => "forked",
            Self::Signer { .. } => "signer",
            Self::Withdrawn(_) => "withdrawn",
            Self::NotLogged(_) => "not-logged",
            Self::NotYet(_) => "not-yet",
            Self::Expired(_) => "expired",
            Self::Scope(_) => "scope",
        }
    }
}

/// No consent of this supplier to this bank, with the instant that it was looked at for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{supplier}` to `{bank}` at {moment}: {reason}")]
pub struct Refused {
    /// Whose evidence.
    pub supplier: Slug,
    /// Who would read.
    pub bank: Slug,
    /// At which instant.
    pub moment: Moment,
    /// Why.
    pub reason: NotInForce,
}

/// A consent in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Its id: kept with everything that rests on it.
    pub id: Hash,
    /// Its number.
    pub number: u64,
    /// At which instant it was looked at.
    pub moment: Moment,
    /// What it grants.
    pub grant: Grant,
}

impl Consents {
    /// The consent in force for a need at a moment. `record` gives the newest proven record of a
    /// key.
    ///
    /// # Errors
    /// [`Refused`] with the first reason of `consent.md` section 4.
    pub fn in_force<'r>(
        &self,
        need: &Need,
        moment: Moment,
        record: impl Fn(&Hash) -> Option<&'r Record>,
    ) -> Result<Granted, Refused> {
        self.find(need, moment, record).map_err(|reason| Refused {
            supplier: self.supplier.clone(),
            bank: self.bank.clone(),
            moment,
            reason,
        })
    }

    fn find<'r>(
        &self,
        need: &Need,
        moment: Moment,
        record: impl Fn(&Hash) -> Option<&'r Record>,
    ) -> Result<Granted, NotInForce> {
        self.reaches_known()?;
        let newest = self.newest().ok_or(NotInForce::None)?;
        if let Some(number) = self.forked {
            return Err(NotInForce::Forked(number));
        }
        let consent = &newest.signed.consent;
        let grant = consent.grant();
        let grant = grant.ok_or(NotInForce::Withdrawn(consent.made))?;
        self.check_signer(newest, record(&newest.signed.signer))?;
        if !newest.logged {
            return Err(NotInForce::NotLogged(consent.number));
        }
        grant.check_time(moment.counted)?;
        grant.check_scope(need).map_err(NotInForce::Scope)?;
        Ok(Granted {
            id: newest.signed.id(),
            number: consent.number,
            moment,
            grant: grant.clone(),
        })
    }

    fn reaches_known(&self) -> Result<(), NotInForce> {
        let Some(known) = self.known else {
            return Ok(());
        };
        let shown = self.newest().map_or(0, |one| one.signed.consent.number);
        let is_there = self.documents().any(|one| one.id() == known.id);
        if is_there {
            Ok(())
        } else {
            Err(NotInForce::RolledBack { shown, known })
        }
    }

    /// A retired key counts for a document that the reader had kept before.
    fn check_signer(&self, newest: &Taken, record: Option<&Record>) -> Result<(), NotInForce> {
        let (kid, number) = (newest.signed.signer, newest.signed.consent.number);
        let is_known = self.known.is_some_and(|known| known.number >= number);
        let of_signer = record.filter(|record| newest.signed.is_signer(record));
        let state = match of_signer.map(|record| &record.state) {
            Some(State::Active) => return Ok(()),
            Some(State::Retired { .. }) if is_known => return Ok(()),
            Some(state) => state.word(),
            None => "not shown",
        };
        Err(NotInForce::Signer { kid, state })
    }

    /// The grant with this id that something else rests on, if no withdrawal stands after it.
    #[must_use]
    pub fn standing(&self, id: &Hash) -> Option<&Grant> {
        let after = self.taken.iter().skip_while(|one| one.signed.id() != *id);
        let mut after = after.map(|one| one.signed.consent.grant());
        let named = after.next()??;
        after.all(|later| later.is_some()).then_some(named)
    }
}

impl Grant {
    fn check_time(&self, at: Instant) -> Result<(), NotInForce> {
        if at < self.from {
            return Err(NotInForce::NotYet(self.from));
        }
        if at >= self.until {
            return Err(NotInForce::Expired(self.until));
        }
        Ok(())
    }

    fn check_scope(&self, need: &Need) -> Result<(), Lack> {
        if !self.purposes.contains(&need.purpose) {
            return Err(Lack::Purpose(need.purpose));
        }
        let device = need.devices.lacks(&self.devices);
        if let Some(device) = device.map_err(|()| Lack::Devices)? {
            return Err(Lack::Device(device.clone()));
        }
        let step = need.steps.lacks(&self.steps);
        if let Some(step) = step.map_err(|()| Lack::Steps)? {
            return Err(Lack::Step(step.clone()));
        }
        if let Some(name) = need.members.iter().find(|name| self.may_withhold(name)) {
            return Err(Lack::Member(name.clone()));
        }
        let mut kinds = need.attestations.iter();
        match kinds.find(|kind| !self.attestations.contains(kind)) {
            Some(kind) => Err(Lack::Attestation(*kind)),
            None => Ok(()),
        }
    }

    /// True for a member that the supplier may withhold from the bank.
    #[must_use]
    pub fn may_withhold(&self, member: &str) -> bool {
        self.withheld.iter().any(|name| name == member)
    }

    /// True if an event of this device and business step (bare name, if it has one) is granted.
    #[must_use]
    pub fn covers(&self, device: &Slug, step: Option<&str>) -> bool {
        let named = |step: &str| self.steps.iter().any(|one| one == step);
        (self.devices.is_empty() || self.devices.contains(device))
            && (self.steps.is_empty() || step.is_some_and(named))
    }
}
