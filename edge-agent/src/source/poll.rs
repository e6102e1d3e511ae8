//! Devices that are asked at an interval, and what is done with their answers.

use std::time::Duration;

use async_trait::async_trait;
use schemas::time::Instant;

use super::judge::{Doubt, Judge, Limits, Sample, Verdict};
use super::{Faults, Last, Quality, Source, SourceContext, Trouble, until_stored};
use crate::clock::set_back;
use crate::compose::sensor::Reading;
use crate::config::{Sampling, SensorRule};

/// Something that answers when it is asked.
#[async_trait]
pub trait Device: Send {
    /// One sample for each rule of the source, in their order.
    ///
    /// # Errors
    /// [`Trouble`]: there is no reading. The next call tries again from the start.
    async fn read(&mut self, now: Instant) -> Result<Vec<Sample>, Trouble>;
}

/// A device with the rules that its samples are for.
pub struct Polled<D> {
    device: D,
    rules: Vec<SensorRule>,
    interval: Duration,
    judges: Vec<Judge>,
    faults: Faults,
}

impl<D: Device> Polled<D> {
    /// A source that is first read when it is due. `rules` are as many as `device` gives samples.
    #[must_use]
    pub fn new(device: D, rules: Vec<SensorRule>, sampling: Sampling) -> Self {
        let name = rules
            .first()
            .map_or_else(String::new, |rule| rule.sensor.clone());
        Self {
            device,
            judges: judges(&rules, sampling.limits),
            rules,
            interval: sampling.interval,
            faults: Faults::new(name),
        }
    }

    /// What was read, or a trouble, into the outbox.
    async fn take(&mut self, context: &SourceContext) {
        let now = context.clock.now();
        let samples = match self.device.read(now).await {
            Ok(samples) => samples,
            Err(trouble) => return self.faults.begins(context, now, &trouble).await,
        };
        let mut doubt = None;
        let parts = self.rules.iter().zip(&mut self.judges).zip(&samples);
        let mut readings = Vec::new();
        for (index, ((rule, judge), sample)) in parts.enumerate() {
            let verdict = judge.judge(now, sample);
            context
                .board
                .reading(index, last(now, rule, sample, &verdict));
            readings.extend(reading(now, sample, &verdict).map(|one| (rule.series(), one)));
            doubt = doubt.or(match verdict {
                Verdict::Good => None,
                Verdict::Suspect(doubt) | Verdict::Refused(doubt) => Some(doubt),
            });
        }
        match doubt {
            Some(doubt) => {
                let trouble = trouble(&doubt);
                self.faults.begins(context, now, &trouble).await;
            }
            None => self.faults.over(context, now).await,
        }
        for (series, reading) in readings {
            until_stored(&context.shutdown, || {
                context.outbox.reading(&series, reading.clone())
            })
            .await;
        }
    }
}

#[async_trait]
impl<D: Device> Source for Polled<D> {
    async fn run(mut self: Box<Self>, mut context: SourceContext) {
        let interval = self.interval;
        let mut next = aligned(context.started, interval);
        loop {
            tokio::select! {
                biased;
                () = context.shutdown.cancelled() => return,
                () = context.clock.sleep_until(next) => {
                    self.take(&context).await;
                    let after = Instant::from_micros(context.clock.now().max(next).as_micros() + 1);
                    next = aligned(after, interval);
                }
                // By more than the little by which a time service moves it.
                () = set_back(&*context.clock, next.minus(2 * interval)) => {
                    next = aligned(context.clock.now(), interval);
                }
                Some(done) = context.catch_up.recv() => drop(done.send(())),
            }
        }
    }
}

/// One judge for each rule.
pub(super) fn judges(rules: &[SensorRule], limits: Limits) -> Vec<Judge> {
    rules.iter().map(|_| Judge::new(limits)).collect()
}

fn trouble(doubt: &Doubt) -> Trouble {
    Trouble::new(doubt.to_string(), doubt.remedy())
}

/// The reading to be taken; none where it is refused.
fn reading(now: Instant, sample: &Sample, verdict: &Verdict) -> Option<Reading> {
    let suspect = match verdict {
        Verdict::Good => false,
        Verdict::Suspect(_) => true,
        Verdict::Refused(_) => return None,
    };
    Some(Reading {
        time: sample.time.unwrap_or(now),
        value: sample.value.filter(|value| value.is_finite()),
        suspect,
    })
}

/// The reading as a state shows it.
pub(super) fn last(now: Instant, rule: &SensorRule, sample: &Sample, verdict: &Verdict) -> Last {
    Last {
        time: sample.time.unwrap_or(now),
        value: sample.value.filter(|value| value.is_finite()),
        uom: rule.uom.clone(),
        what: rule.what(),
        quality: match verdict {
            Verdict::Good => Quality::Good,
            Verdict::Suspect(doubt) => Quality::Suspect(doubt.to_string()),
            Verdict::Refused(doubt) => Quality::Refused(doubt.to_string()),
        },
    }
}

/// The first whole multiple of the interval since 1970 that is not before `now`. Restarts keep to
/// the same instants; instants that have passed unread are not made up.
fn aligned(now: Instant, interval: Duration) -> Instant {
    let step = i64::try_from(interval.as_micros())
        .unwrap_or(i64::MAX)
        .max(1);
    let (micros, rest) = (now.as_micros(), now.as_micros().rem_euclid(step));
    Instant::from_micros(if rest == 0 {
        micros
    } else {
        micros.saturating_add(step - rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_multiples_of_the_interval() {
        let minute = Duration::from_secs(60);
        assert_eq!(
            aligned(Instant::from_seconds(120), minute),
            Instant::from_seconds(120)
        );
        assert_eq!(
            aligned(Instant::from_seconds(121), minute),
            Instant::from_seconds(180)
        );
        assert_eq!(
            aligned(Instant::from_seconds(-1), minute),
            Instant::from_seconds(0)
        );
    }
}
