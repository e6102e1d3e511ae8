//! What credit keeps of pledges, as a trait beside [`Store`](super::Store).
//!
//! No method updates or deletes a step. A step, the claims that it takes or gives back and the
//! pledge's new head are one transaction, with its row in the trail. That no thing is taken twice and no lot beyond what is shown
//! is the database's: a unique key and one guarded statement a claim, in the order of fingerprints.

use async_trait::async_trait;

use schemas::time::Instant;

use super::StoreError;
use crate::pledge::fingerprint::Fingerprint;
use crate::pledge::ids::{Key, PledgeId};
use crate::pledge::quantity::Quantity;
use crate::pledge::stage::State;
use crate::pledge::step::{Chain, Next};
use crate::pledge::stream::{Progress, Stream};
use crate::pledge::watch::Watch;

/// Most pledges that one list hands out.
pub const PLEDGES_MAX: u32 = 500;

/// Most streams that are followed: each costs a request and a look a second.
pub const STREAMS_MAX: u32 = 2_000;

/// What became of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is kept, and everything that it claims is its own.
    Kept,
    /// The request has a pledge already: look whether it says the same. Nothing was changed.
    Before,
    /// Another pledge has this. Nothing was changed.
    Held(Fingerprint),
    /// What is shown of this lot does not suffice beside what is pledged of it, or it is measured in
    /// another way, or newer evidence was used before. Nothing was changed.
    NotShown(Fingerprint),
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// It is kept.
    Kept,
    /// Something else was said meanwhile: read the pledge again. Nothing was changed.
    Overtaken,
}

/// A lot as far as it is pledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LotUse {
    /// How much evidence shows.
    pub shown: Quantity,
    /// How many smallest units of it are pledged.
    pub pledged: i64,
    /// Size of the log of that evidence.
    pub log_size: u64,
}

/// Which pledges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// In this state, that which changed first in front.
    In(State),
    /// Of this loan, by id.
    OfLoan(Key),
}

/// A pledge's line in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which.
    pub pledge: PledgeId,
    /// Where it stands.
    pub state: State,
}

/// The watch of one stream as it was kept, with its version.
#[derive(Clone, Debug)]
pub struct Watching {
    /// From 1; the next one must follow on this.
    pub version: i64,
    /// What it knows.
    pub watch: Watch,
}

/// A watched stream of a pledge in force, and how far its device's chain was proven.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Whose goods it watches.
    pub pledge: PledgeId,
    /// Which sensor.
    pub stream: Stream,
    /// From 1; the next one must follow on this.
    pub version: i64,
    /// How far.
    pub progress: Progress,
}

/// Something that was asked for and not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The pledge that it is about, or that the request would have made.
    pub pledge: PledgeId,
    /// When.
    pub at: Instant,
    /// By which request.
    pub request: Key,
    /// By whom.
    pub person: String,
    /// What was asked for: a word of the audit trail.
    pub act: String,
    /// Kind of refusal, such as `held`.
    pub class: String,
    /// In words.
    pub detail: String,
}

/// Pledges, their claims and their watches.
#[async_trait]
pub trait Pledges: Send + Sync {
    /// Keeps a pledge's first step and takes all that it claims, or changes nothing.
    async fn offer_pledge(&self, next: &Next) -> Result<Taken, StoreError>;

    /// Keeps a further step and gives back what it frees, if the step before is still the last.
    async fn step_pledge(&self, next: &Next) -> Result<Stepped, StoreError>;

    /// Keeps a step of each of two pledges, both or neither: `cover` of the one that covers from now
    /// on, `release` of the one that it stands in for.
    async fn substitute_pledge(&self, cover: &Next, release: &Next) -> Result<Stepped, StoreError>;

    /// A pledge with everything that happened to it.
    ///
    /// # Errors
    /// [`StoreError::Row`] if the rows do not follow from each other, or not up to the head.
    async fn pledge(&self, id: &PledgeId) -> Result<Option<Chain>, StoreError>;

    /// The first pledges of a list, at most `take` (at most [`PLEDGES_MAX`]).
    async fn pledges(&self, which: &Which, take: u32) -> Result<Vec<Line>, StoreError>;

    /// Who has a thing as a whole.
    async fn pledge_holder(&self, name: &Fingerprint) -> Result<Option<PledgeId>, StoreError>;

    /// How much of a lot is pledged; `None` if none ever was.
    async fn pledged_lot(&self, name: &Fingerprint) -> Result<Option<LotUse>, StoreError>;

    /// The watch of a pledge's stream.
    async fn watching(&self, id: &PledgeId, stream: &str) -> Result<Option<Watching>, StoreError>;

    /// Every stream of a pledge that is watched, by name.
    async fn watched_streams(&self, id: &PledgeId) -> Result<Vec<String>, StoreError>;

    /// Keeps a watch as it is after `before` (0 for a new one), and the alarm that it raised with the
    /// step that freezes the pledge: all of it or nothing.
    async fn keep_watch(
        &self,
        id: &PledgeId,
        before: i64,
        watch: &Watch,
        alarm: Option<&Next>,
    ) -> Result<Stepped, StoreError>;

    /// Streams of pledges in force, by pledge and name, at most `take` (at most [`STREAMS_MAX`]).
    async fn followed(&self, take: u32) -> Result<Vec<Followed>, StoreError>;

    /// Streams of one pledge, whatever its state, by name.
    async fn followed_of(&self, id: &PledgeId) -> Result<Vec<Followed>, StoreError>;

    /// Keeps how far a stream was read after `before` (0 for a new one).
    async fn keep_progress(
        &self,
        id: &PledgeId,
        before: i64,
        stream: &Stream,
        progress: &Progress,
    ) -> Result<Stepped, StoreError>;

    /// Keeps a refusal; the same one again changes nothing.
    async fn refuse_pledge(&self, refusal: &Refusal) -> Result<(), StoreError>;

    /// Refusals around a pledge, or of all if none is named, newest first, at most `take` (at most
    /// [`PLEDGES_MAX`]).
    async fn pledge_refusals(
        &self,
        pledge: Option<&PledgeId>,
        take: u32,
    ) -> Result<Vec<Refusal>, StoreError>;
}
