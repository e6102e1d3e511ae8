//! CPU time and stages of a run, for each event.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use schemas::epcis::{self, EventFacts};
use schemas::key::PublicKey;
use schemas::statement::Message;
use serde::Serialize;
use serde_json::Value;

use crate::fleet::Device;
use crate::fleet::chain::Signed;
use crate::site::Spent;
use crate::site::usage::Usage;

/// Histograms of the platform that are not stages of its write path.
const OTHERS: [&str; 2] = ["tracebond_http_seconds", "tracebond_event_age_seconds"];

/// CPU microseconds an event by process.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cpu {
    /// The platform.
    pub platform: f64,
    /// PostgreSQL with all of its processes.
    pub postgres: f64,
    /// Mosquitto.
    pub broker: f64,
    /// Four witnesses.
    pub witnesses: f64,
    /// The devices: sending, and checking receipts.
    pub publisher: f64,
}

impl Cpu {
    /// What was spent between two looks, for each of so many events.
    #[must_use]
    pub fn between(before: &Spent, after: &Spent, events: u64) -> Cpu {
        let each = |of: fn(&Spent) -> crate::site::usage::Usage| {
            (of(after) - of(before)).cpu_us as f64 / events.max(1) as f64
        };
        Cpu {
            platform: each(|spent| spent.platform),
            postgres: each(|spent| spent.postgres),
            broker: each(|spent| spent.broker),
            witnesses: each(|spent| spent.witnesses),
            publisher: each(|spent| spent.publisher),
        }
    }

    /// Everything but the devices, which are elsewhere in life.
    #[must_use]
    pub fn operator(&self) -> f64 {
        self.platform + self.postgres + self.broker + self.witnesses
    }
}

/// Sums of every time that the platform measures, in seconds, by name and labels.
#[must_use]
pub fn sums(prometheus: &str) -> BTreeMap<String, f64> {
    let lines = prometheus.lines().filter(|line| !line.starts_with('#'));
    let sum = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let name = name.strip_suffix("_sum")?;
        let known = name.ends_with("_seconds") && !OTHERS.contains(&name);
        let label = labels.trim_end_matches('}');
        let key = format!("{name} {label}").trim().replace('"', "");
        known.then_some((key, value.parse().ok()?))
    };
    lines.filter_map(sum).collect()
}

/// Microseconds of wall time an event by stage, as the platform measures them. Stages run beside
/// each other: they do not add up to anything.
#[must_use]
pub fn stages(
    before: &BTreeMap<String, f64>,
    after: &BTreeMap<String, f64>,
    events: u64,
) -> BTreeMap<String, f64> {
    let each = |(name, sum): (&String, &f64)| {
        let spent = sum - before.get(name).copied().unwrap_or(0.0);
        (name.clone(), spent * 1e6 / events.max(1) as f64)
    };
    after.iter().map(each).collect()
}

/// CPU microseconds an event of the checks alone, one after the other on one thread: what an ingest
/// cannot do without.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Checks {
    /// Form of message, statement and events.
    pub form: f64,
    /// Signature.
    pub signature: f64,
    /// Commitments, leaves, root.
    pub root: f64,
    /// JSON.
    pub json: f64,
    /// What columns are derived from.
    pub facts: f64,
    /// EPCIS's rules.
    pub rules: f64,
}

impl Checks {
    /// All of them.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.form + self.signature + self.root + self.json + self.facts + self.rules
    }

    /// Measures them over statements of devices.
    ///
    /// # Errors
    /// When a message does not count.
    pub fn measure(statements: &[Signed], devices: &[Device]) -> Result<Checks> {
        let before = Usage::of(std::process::id())?;
        let (mut parts, mut events) = ([Duration::ZERO; 6], 0_u64);
        for signed in statements {
            let device = devices.get(signed.device).context("no device")?;
            events += check(&signed.bytes, &device.key.public(), &mut parts)?;
        }
        let spent = Usage::of(std::process::id())? - before;
        // The machine may be busy: shares by the clock, the whole by CPU time.
        let all: f64 = parts.iter().map(Duration::as_secs_f64).sum();
        let each = spent.cpu_us as f64 / events.max(1) as f64 / all.max(f64::MIN_POSITIVE);
        let [form, signature, root, json, facts, rules] =
            parts.map(|part| part.as_secs_f64() * each);
        Ok(Checks {
            form,
            signature,
            root,
            json,
            facts,
            rules,
        })
    }
}

/// Checks a message and adds the times; its events.
fn check(bytes: &[u8], key: &PublicKey, parts: &mut [Duration; 6]) -> Result<u64> {
    let mut last = Instant::now();
    let mut took = |part: &mut Duration| {
        let now = Instant::now();
        *part += now - last;
        last = now;
    };
    let [form, signature, root, json, facts, rules] = parts;
    let message = Message::decode(bytes)?;
    took(form);
    message.statement.verify(key)?;
    took(signature);
    message.check_root()?;
    took(root);
    for one in &message.events {
        let value: Value = serde_json::from_slice(one.event.bytes())?;
        took(json);
        ensure!(EventFacts::read(&value).is_ok(), "an event without facts");
        took(facts);
        let broken = epcis::first_violation(&value);
        ensure!(broken.is_none(), "an event is refused: {broken:?}");
        took(rules);
    }
    Ok(message.events.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_times_are_found_and_told_by_their_labels() {
        let text = "# TYPE tracebond_database_seconds histogram\n\
            tracebond_database_seconds_bucket{call=\"commit\",le=\"0.1\"} 3\n\
            tracebond_database_seconds_sum{call=\"commit\"} 1.5\n\
            tracebond_stage_seconds_sum 0.25\n\
            tracebond_http_seconds_sum{route=\"/\"} 9\n\
            tracebond_events_total 3\n";
        let sums = sums(text);
        let names: Vec<&str> = sums.keys().map(String::as_str).collect();
        let commit = "tracebond_database_seconds call=commit";
        assert_eq!(names, [commit, "tracebond_stage_seconds"]);
        let before = BTreeMap::from([(commit.to_owned(), 0.5)]);
        let each = stages(&before, &sums, 1_000_000);
        assert_eq!((each[commit], each["tracebond_stage_seconds"]), (1.0, 0.25));
    }
}
