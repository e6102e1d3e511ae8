//! What people and the watch do with pledges, over a store.
//!
//! Everything is asked for under a request key: the same request again answers what was done, another
//! one under its key is refused. Somebody else's step in between is looked at and judged anew.

use std::sync::atomic::{AtomicUsize, Ordering};

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::fingerprint::Fingerprint;
use super::ids::{Key, PledgeId};
use super::stage::{Act, Denied, Offer, Said, Stage, State, Way};
use super::step::{Chain, Next, Step};
use super::watch::{Alarm, Limits, NotAStream, Reading, Watch};
use crate::store::StoreError;
use crate::store::pledge::{Pledges, Stepped, Taken};

/// How often a step is tried when others come in between.
const ATTEMPTS: u32 = 64;

/// Why something was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PledgeError {
    /// The store failed, or its rows do not hold.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It does not follow from where the pledge stands.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// There is no such pledge.
    #[error("there is no such pledge")]
    Unknown,
    /// The request key was used for something else.
    #[error("request `{0}` said something else before")]
    OtherRequest(Key),
    /// Another pledge has the thing, or something in it, or what it is in.
    #[error("this is pledged already: {0}")]
    Held(Fingerprint),
    /// What evidence shows of the lot does not suffice.
    #[error("evidence does not show enough of the lot beside what is pledged of it: {0}")]
    NotShown(Fingerprint),
    /// Others were quicker too often.
    #[error("the pledge is in great demand; try again")]
    Busy,
    /// A stream's name.
    #[error(transparent)]
    Stream(#[from] NotAStream),
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The pledge.
    pub pledge: PledgeId,
    /// Where it stood behind the step.
    pub state: State,
    /// True if the same request was kept before.
    pub before: bool,
}

/// People's and the watch's way to pledges.
#[derive(Clone, Copy)]
pub struct Pledging<'a> {
    store: &'a dyn Pledges,
}

impl<'a> Pledging<'a> {
    /// Over a store.
    #[must_use]
    pub fn new(store: &'a dyn Pledges) -> Self {
        Self { store }
    }

    /// Offers goods: takes all that they claim, or nothing.
    ///
    /// # Errors
    /// [`PledgeError::Held`] and [`PledgeError::NotShown`] name what is not to be had.
    pub async fn offer(
        &self,
        request: Key,
        person: Slug,
        offer: Offer,
        at: Instant,
    ) -> Result<Done, PledgeError> {
        let said = Said {
            request,
            person: Some(person),
            act: Act::Offer(Box::new(offer)),
        };
        let next = Chain::begin(said, at)?;
        match self.store.offer_pledge(&next).await? {
            Taken::Kept => Ok(done(&next.step, false)),
            Taken::Held(name) => Err(PledgeError::Held(name)),
            Taken::NotShown(name) => Err(PledgeError::NotShown(name)),
            Taken::Before => {
                let chain = self.read(&next.step.pledge).await?;
                let first = chain.steps().first().ok_or(PledgeError::Unknown)?;
                answered(first, &next.step.said)
            }
        }
    }

    /// A pledge as it stands.
    ///
    /// # Errors
    /// [`PledgeError::Unknown`]; [`PledgeError::Store`] if its rows do not hold.
    pub async fn read(&self, pledge: &PledgeId) -> Result<Chain, PledgeError> {
        let chain = self.store.pledge(pledge).await?;
        chain.ok_or(PledgeError::Unknown)
    }

    /// A person's act on a pledge. Substitution has a way of its own.
    ///
    /// # Errors
    /// [`PledgeError`].
    pub async fn act(
        &self,
        pledge: &PledgeId,
        request: Key,
        person: Slug,
        act: Act,
        at: Instant,
    ) -> Result<Done, PledgeError> {
        if matches!(
            act,
            Act::Confirm(Way::Substituted { .. }) | Act::Cover { .. }
        ) {
            return Err(Denied::NotProposed.into());
        }
        let said = Said {
            request,
            person: Some(person),
            act,
        };
        self.say(pledge, said, at).await
    }

    async fn say(&self, pledge: &PledgeId, said: Said, at: Instant) -> Result<Done, PledgeError> {
        for _ in 0..ATTEMPTS {
            let chain = self.read(pledge).await?;
            if let Some(step) = kept(&chain, &said.request) {
                return answered(step, &said);
            }
            let next = chain.next(said.clone(), at)?;
            if self.store.step_pledge(&next).await? == Stepped::Kept {
                return Ok(done(&next.step, false));
            }
        }
        Err(PledgeError::Busy)
    }

    /// Confirms that `by` stands in for `pledge`, as another person has proposed: `by` takes over what
    /// was drawn, and `pledge` is released, at once. `by` is in force, not frozen, of the same loan.
    ///
    /// # Errors
    /// [`PledgeError::Denied`] says what is missing.
    pub async fn substitute(
        &self,
        pledge: &PledgeId,
        by: &PledgeId,
        request: Key,
        person: Slug,
        at: Instant,
    ) -> Result<Done, PledgeError> {
        if pledge == by {
            return Err(Denied::OtherLoan.into());
        }
        let way = Way::Substituted { by: *by };
        let said = |act| Said {
            request: request.clone(),
            person: Some(person.clone()),
            act,
        };
        let release = said(Act::Confirm(way));
        for _ in 0..ATTEMPTS {
            let (old, new) = (self.read(pledge).await?, self.read(by).await?);
            if let Some(step) = kept(&old, &request) {
                return answered(step, &release);
            }
            let Stage::Pledged(cover) = new.stage() else {
                return Err(Denied::Stage(new.stage().state()).into());
            };
            let drawn = cover.covers(old.stage().life())?;
            let instead_of = *pledge;
            let cover = new.next(said(Act::Cover { instead_of, drawn }), at)?;
            let release = old.next(release.clone(), at)?;
            let stepped = self.store.substitute_pledge(&cover, &release).await?;
            if stepped == Stepped::Kept {
                return Ok(done(&release.step, false));
            }
        }
        Err(PledgeError::Busy)
    }

    /// Begins to watch a sensor of goods whose pledge is in force. One that is watched already goes on as it is.
    ///
    /// # Errors
    /// [`PledgeError::Unknown`], [`PledgeError::Denied`], [`PledgeError::Stream`], [`PledgeError::Store`].
    pub async fn watch(
        &self,
        pledge: &PledgeId,
        stream: &str,
        limits: Limits,
        at: Instant,
    ) -> Result<(), PledgeError> {
        let chain = self.read(pledge).await?;
        if !chain.stage().is_in_force() {
            return Err(Denied::Stage(chain.stage().state()).into());
        }
        let watch = Watch::begin(stream, limits, at)?;
        self.store.keep_watch(pledge, 0, &watch, None).await?;
        Ok(())
    }

    /// A reading of a watched sensor came at `now`: the alarm that it raised, with draws frozen by then.
    ///
    /// # Errors
    /// [`PledgeError::Unknown`] for a stream that is not watched.
    pub async fn reading(
        &self,
        pledge: &PledgeId,
        stream: &str,
        (reading, leaf): (Reading, Option<Hash>),
        now: Instant,
    ) -> Result<Option<Alarm>, PledgeError> {
        let take = |watch: &mut Watch| watch.take(reading, leaf, now);
        self.watched(pledge, stream, take, now).await
    }

    /// Readings of a watched sensor that came at `now`, in the order of their times: how many were
    /// taken, and the alarm that the last of these raised, with draws frozen by then. What comes behind
    /// an alarm is not taken yet: ask again with the rest.
    ///
    /// # Errors
    /// [`PledgeError::Unknown`] for a stream that is not watched.
    pub async fn readings(
        &self,
        pledge: &PledgeId,
        stream: &str,
        readings: &[(Reading, Option<Hash>)],
        now: Instant,
    ) -> Result<(usize, Option<Alarm>), PledgeError> {
        let taken = AtomicUsize::new(0);
        let take = |watch: &mut Watch| {
            let mut alarms = readings
                .iter()
                .map(|(reading, leaf)| watch.take(*reading, *leaf, now));
            let found = alarms
                .by_ref()
                .enumerate()
                .find_map(|(place, alarm)| Some((place, alarm?)));
            let count = found
                .as_ref()
                .map_or(readings.len(), |(place, _)| place + 1);
            taken.store(count, Ordering::Relaxed);
            found.map(|(_, alarm)| alarm)
        };
        let alarm = self.watched(pledge, stream, take, now).await?;
        Ok((taken.into_inner(), alarm))
    }

    /// Looks for silence of a watched sensor: the alarm that it raised, with draws frozen by then.
    ///
    /// # Errors
    /// [`PledgeError::Unknown`] for a stream that is not watched.
    pub async fn look(
        &self,
        pledge: &PledgeId,
        stream: &str,
        now: Instant,
    ) -> Result<Option<Alarm>, PledgeError> {
        self.watched(pledge, stream, |watch| watch.look(now), now)
            .await
    }

    async fn watched(
        &self,
        pledge: &PledgeId,
        stream: &str,
        notice: impl Fn(&mut Watch) -> Option<Alarm>,
        now: Instant,
    ) -> Result<Option<Alarm>, PledgeError> {
        for _ in 0..ATTEMPTS {
            let found = self.store.watching(pledge, stream).await?;
            let found = found.ok_or(PledgeError::Unknown)?;
            let mut watch = found.watch.clone();
            let alarm = notice(&mut watch);
            if watch == found.watch {
                return Ok(None);
            }
            let step = match &alarm {
                Some(alarm) => self.frozen(pledge, alarm, now).await?,
                None => None,
            };
            let (store, version) = (self.store, found.version);
            let kept = store.keep_watch(pledge, version, &watch, step.as_ref());
            if kept.await? == Stepped::Kept {
                return Ok(alarm);
            }
        }
        Err(PledgeError::Busy)
    }

    /// The step of an alarm; `None` if the pledge has it, or is not in force.
    async fn frozen(
        &self,
        pledge: &PledgeId,
        alarm: &Alarm,
        now: Instant,
    ) -> Result<Option<Next>, PledgeError> {
        let chain = self.read(pledge).await?;
        let request = alarm.request(pledge).map_err(|_| PledgeError::Unknown)?;
        if kept(&chain, &request).is_some() {
            return Ok(None);
        }
        let said = Said {
            request,
            person: None,
            act: Act::Alarm(alarm.clone()),
        };
        match chain.next(said, now) {
            Ok(next) => Ok(Some(next)),
            Err(Denied::Stage(_)) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }
}

/// The step that was kept under a request.
fn kept<'a>(chain: &'a Chain, request: &Key) -> Option<&'a Step> {
    let mut steps = chain.steps().iter();
    steps.find(|step| step.said.request == *request)
}

fn done(step: &Step, before: bool) -> Done {
    Done {
        pledge: step.pledge,
        state: step.state,
        before,
    }
}

/// What a request that was kept before is answered.
fn answered(step: &Step, said: &Said) -> Result<Done, PledgeError> {
    if !step.says(said) {
        return Err(PledgeError::OtherRequest(said.request.clone()));
    }
    Ok(done(step, true))
}
