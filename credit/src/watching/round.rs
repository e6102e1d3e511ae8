//! One question to each device, and one look at each stream.

use std::collections::BTreeMap;

use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::time::Instant;

use super::Watcher;
use super::chain::{Proven, Temperature};
use crate::evidence::EvidenceError;
use crate::evidence::verify::Refused;
use crate::pledge::Pledging;
use crate::pledge::desk::PledgeError;
use crate::pledge::stream::{Heard, Progress};
use crate::pledge::watch::{Alarm, Limits, Noticed, Reading};
use crate::store::StoreError;
use crate::store::pledge::{Followed, STREAMS_MAX, Stepped};

/// A device and the size of the log from which its chain is asked for.
pub(super) type Question = (DeviceAddress, u64);

/// Streams of one device that were proven to the same size: one question serves them.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    question: Question,
    streams: Vec<Followed>,
}

impl Chain {
    /// What is asked.
    pub(super) fn question(&self) -> &Question {
        &self.question
    }
}

/// Streams by the question that serves them.
pub(super) fn chains(followed: &[Followed]) -> Vec<Chain> {
    let mut chains: BTreeMap<Question, Vec<Followed>> = BTreeMap::new();
    for one in followed {
        let question = (one.stream.device().clone(), one.progress.from_size);
        chains.entry(question).or_default().push(one.clone());
    }
    let chain = |(question, streams)| Chain { question, streams };
    chains.into_iter().map(chain).collect()
}

/// What an answer was.
enum Answer {
    Proven(Box<Proven>),
    Nothing,
    Refused(Refused),
    Unreachable(EvidenceError),
}

impl Answer {
    const fn word(&self) -> &'static str {
        match self {
            Self::Proven(_) => "verified",
            Self::Nothing => "nothing",
            Self::Refused(_) => "refused",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

/// An alarm of one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heeded {
    /// Whose goods.
    pub pledge: crate::pledge::PledgeId,
    /// What was noticed; draws were frozen by then.
    pub alarm: Alarm,
}

/// What one round did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Streams that were looked at.
    pub streams: usize,
    /// Alarms that it raised.
    pub alarms: Vec<Heeded>,
}

impl Watcher {
    /// Asks every device, waits for all answers, and looks at every stream: what the running watch does
    /// in a second, for whoever wants to do it step by step.
    ///
    /// # Errors
    /// [`StoreError`] if the streams cannot be read.
    pub async fn round(&self) -> Result<Round, StoreError> {
        let mut alarms = Vec::new();
        for chain in chains(&self.followed().await?) {
            alarms.extend(self.hear(&chain).await);
        }
        let followed = self.followed().await?;
        alarms.extend(self.look_at(&followed).await);
        Ok(Round {
            streams: followed.len(),
            alarms,
        })
    }

    /// Every stream of a pledge in force.
    pub(super) async fn followed(&self) -> Result<Vec<Followed>, StoreError> {
        let followed = self.store.followed(STREAMS_MAX).await?;
        #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
        metrics::gauge!("tracebond_watched_streams").set(followed.len() as f64);
        Ok(followed)
    }

    /// Asks for what is new in a chain and hands it to its streams.
    pub(super) async fn hear(&self, chain: &Chain) -> Vec<Heeded> {
        let answer = self.ask(chain).await;
        metrics::counter!("tracebond_watch_answers_total", "outcome" => answer.word()).increment(1);
        let mut alarms = Vec::new();
        for stream in &chain.streams {
            let raised = self.tell(stream, &answer).await;
            alarms.extend(said(stream, raised));
        }
        alarms
    }

    async fn ask(&self, chain: &Chain) -> Answer {
        let Ok(_room) = self.room.acquire().await else {
            return Answer::Nothing;
        };
        let (device, from_size) = &chain.question;
        let pack = self.evidence.chain(device, *from_size).await;
        let bundle = match pack {
            Ok(Some(pack)) => pack.bundle,
            Ok(None) => return Answer::Nothing,
            Err(error) => return Answer::Unreachable(error),
        };
        let (policy, whose, late_after) = (self.policy.clone(), device.clone(), self.late_after);
        let read = move || Proven::read(&bundle, &policy, &whose, late_after);
        let work = tokio::task::spawn_blocking(read);
        match work.await {
            Ok(Ok(proven)) => Answer::Proven(Box::new(proven)),
            Ok(Err(refused)) => {
                tracing::warn!(%device, %refused, "a watched chain does not verify");
                Answer::Refused(refused)
            }
            Err(_) => Answer::Nothing,
        }
    }

    async fn tell(&self, of: &Followed, answer: &Answer) -> Result<Vec<Alarm>, PledgeError> {
        let now = self.clock.now();
        let mut progress = of.progress.clone();
        let mut alarms = Vec::new();
        match answer {
            Answer::Proven(proven) => alarms = self.take(of, &mut progress, proven, now).await?,
            // Nothing new is as good as proven, unless what is missing still is.
            Answer::Nothing if progress.heard == Heard::Hole => {}
            Answer::Nothing => progress.note(Heard::Proven, now),
            Answer::Refused(refused) => {
                let class = refused.class.clone();
                progress.note(Heard::Refused { class }, now);
            }
            Answer::Unreachable(error) => {
                let why = error.to_string();
                progress.note(Heard::Unreachable { why }, now);
            }
        }
        self.keep(of, &progress).await?;
        Ok(alarms)
    }

    /// Hands the readings of a stream to its watch and follows its chain.
    async fn take(
        &self,
        of: &Followed,
        progress: &mut Progress,
        proven: &Proven,
        now: Instant,
    ) -> Result<Vec<Alarm>, PledgeError> {
        let step = progress.follow(&proven.links);
        let Some(watching) = self.store.watching(&of.pledge, &of.stream.name()).await? else {
            return Ok(Vec::new());
        };
        let limits = watching.watch.limits();
        let own = proven.temperatures.iter();
        let own = own.filter(|one| one.sensor == of.stream.sensor());
        let judged: Vec<_> = own
            .filter_map(|one| judged(one, limits, step.whole.contains(&one.statement)))
            .collect();
        let alarms = self.read(of, &judged, now).await?;
        match step.behind {
            None => {
                progress.note(Heard::Proven, now);
                progress.from_size = progress.from_size.max(proven.log_size);
                progress.end = step.end;
            }
            // The hole was given up for lost with an alarm: what is behind it goes on.
            Some((first, last)) if watching.watch.is_silent() => {
                tracing::warn!(stream = %of.stream, ?first, "a statement is missing for good");
                progress.missing = progress.missing.saturating_add(1);
                progress.end = Some(last);
                progress.note(Heard::Hole, now);
            }
            Some(_) => progress.note(Heard::Hole, now),
        }
        Ok(alarms)
    }

    async fn read(
        &self,
        of: &Followed,
        mut readings: &[(Reading, Option<Hash>)],
        now: Instant,
    ) -> Result<Vec<Alarm>, PledgeError> {
        let (pledging, name) = (Pledging::new(&*self.store), of.stream.name());
        let mut alarms = Vec::new();
        metrics::counter!("tracebond_watch_readings_total").increment(readings.len() as u64);
        while !readings.is_empty() {
            let (taken, alarm) = pledging.readings(&of.pledge, &name, readings, now).await?;
            readings = readings.get(taken.max(1)..).unwrap_or_default();
            if let Some(alarm) = alarm {
                self.measure(&alarm);
                alarms.push(alarm);
            }
        }
        Ok(alarms)
    }

    /// From a reading's time until draws were frozen.
    fn measure(&self, alarm: &Alarm) {
        let took = self.clock.now().since(alarm.since);
        metrics::histogram!("tracebond_freeze_seconds").record(took.as_secs_f64());
    }

    async fn keep(&self, of: &Followed, progress: &Progress) -> Result<(), StoreError> {
        if *progress == of.progress {
            return Ok(());
        }
        let (store, version) = (&self.store, of.version);
        let kept = store.keep_progress(&of.pledge, version, &of.stream, progress);
        if kept.await? == Stepped::Overtaken {
            // Another process watches, too: it has read at least as much.
            tracing::debug!(stream = %of.stream, "somebody else was quicker");
        }
        Ok(())
    }

    /// Looks at the clock for every stream.
    pub(super) async fn look_at(&self, followed: &[Followed]) -> Vec<Heeded> {
        let pledging = Pledging::new(&*self.store);
        let mut alarms = Vec::new();
        for one in followed {
            let name = one.stream.name();
            let looked = pledging.look(&one.pledge, &name, self.clock.now());
            let raised = looked.await.map(|alarm| alarm.into_iter().collect());
            alarms.extend(said(one, raised));
        }
        alarms
    }
}

/// A reading as the watch takes it, if it counts: what is outside always, what is inside if a sensor
/// measured it and nothing before it is missing.
fn judged(one: &Temperature, limits: &Limits, whole: bool) -> Option<(Reading, Option<Hash>)> {
    let outside = one.low < limits.low() || one.high > limits.high();
    let value = if one.low < limits.low() {
        one.low
    } else {
        one.high
    };
    let counts = outside || (whole && one.measured);
    let reading = Reading::new(one.at, value).ok().filter(|_| counts)?;
    Some((reading, Some(one.leaf)))
}

/// Says what was raised, once, and counts it.
fn said(of: &Followed, raised: Result<Vec<Alarm>, PledgeError>) -> Vec<Heeded> {
    let alarms = match raised {
        Ok(alarms) => alarms,
        // A stream whose watch is being begun.
        Err(PledgeError::Unknown) => Vec::new(),
        Err(error) => {
            let error = schemas::causes::causes(&error);
            tracing::error!(error, stream = %of.stream, "a watched stream could not be kept");
            Vec::new()
        }
    };
    let pledge = of.pledge;
    let heed = |alarm: Alarm| {
        let kind = match alarm.noticed {
            Noticed::Breach { .. } => "breach",
            Noticed::Silence => "silence",
        };
        metrics::counter!("tracebond_pledge_alarms_total", "kind" => kind).increment(1);
        tracing::warn!(%pledge, stream = %of.stream, kind, "an alarm froze a pledge");
        Heeded { pledge, alarm }
    };
    alarms.into_iter().map(heed).collect()
}
