//! `edge-agent doctor`: looks at everything that the agent needs, from the clock to the platform's
//! receipts, and says of each thing what it found and what to do. It changes nothing: it may run
//! beside the agent, and then leaves the broker alone, where a second log-in would end the first.
//!
//! Checks that rest on one that failed are skipped and say on which. No secret leaves it: the broker
//! password, the key and a pending claim are cut out of every line, whoever wrote it.

mod broker;
mod clock;
mod folder;
mod machine;
mod network;
mod outbox;
mod platform;
mod sources;

use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use crate::clock::{Floor, Machine};
use crate::config::{BrokerAddress, Config, ConfigError};
use crate::trust::{Enrolment, Trust};

/// What a check comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not looked at, for the reason given.
    Skipped,
    /// It works, or will stop working soon.
    Doubtful,
    /// It does not work.
    Bad,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which, in one or two words.
    pub name: String,
    /// What it comes to.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do; empty where nothing is to be done.
    pub remedy: String,
}

impl Check {
    fn good(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::of(name, Verdict::Good, found, "")
    }

    fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::of(name, Verdict::Skipped, why, "")
    }

    fn doubtful(
        name: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::of(name, Verdict::Doubtful, found, remedy)
    }

    fn bad(name: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::of(name, Verdict::Bad, found, remedy)
    }

    fn of(
        name: impl Into<String>,
        verdict: Verdict,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            verdict,
            found: found.into(),
            remedy: remedy.into(),
        }
    }
}

/// All checks, in the order of what rests on what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Program and version.
    pub agent: String,
    /// The worst verdict: `good`, `doubtful` or `bad`.
    pub verdict: Verdict,
    /// The checks.
    pub checks: Vec<Check>,
}

impl Report {
    fn new(checks: Vec<Check>) -> Self {
        let worst = checks.iter().map(|check| check.verdict).max();
        Self {
            agent: concat!("edge-agent/", env!("CARGO_PKG_VERSION")).to_owned(),
            verdict: worst
                .filter(|worst| *worst > Verdict::Skipped)
                .unwrap_or(Verdict::Good),
            checks,
        }
    }

    /// Of a configuration that cannot be used: nothing else can be looked at.
    #[must_use]
    pub fn unreadable(error: &ConfigError) -> Self {
        let remedy = "mend the line that is named; `edge-agent init` writes an example";
        Self::new(vec![Check::bad("configuration", error.to_string(), remedy)])
    }

    /// The program's exit code: 0 all is well, 1 something is doubtful, 2 something does not work.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self.verdict {
            Verdict::Good | Verdict::Skipped => 0,
            Verdict::Doubtful => 1,
            Verdict::Bad => 2,
        }
    }

    /// One JSON object.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Lines for a person: what is bad needs no search.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for check in &self.checks {
            let mark = match check.verdict {
                Verdict::Good => "ok      ",
                Verdict::Skipped => "skipped ",
                Verdict::Doubtful => "doubtful",
                Verdict::Bad => "BAD     ",
            };
            let _ = writeln!(text, "{mark}  {}: {}", check.name, check.found);
            if !check.remedy.is_empty() {
                let _ = writeln!(text, "          -> {}", check.remedy);
            }
        }
        let count = |verdict| {
            let of = self.checks.iter().filter(|check| check.verdict == verdict);
            of.count()
        };
        let _ = writeln!(
            text,
            "{} checks: {} ok, {} doubtful, {} bad, {} skipped",
            self.checks.len(),
            count(Verdict::Good),
            count(Verdict::Doubtful),
            count(Verdict::Bad),
            count(Verdict::Skipped)
        );
        text
    }

    fn without(mut self, secrets: &[String]) -> Self {
        for check in &mut self.checks {
            for text in [&mut check.name, &mut check.found, &mut check.remedy] {
                for secret in secrets.iter().filter(|secret| secret.len() >= 8) {
                    *text = text.replace(secret.as_str(), "[secret]");
                }
            }
        }
        self
    }
}

/// Who this device is, as far as its files say it.
struct Device {
    enrolment: Enrolment,
    trust: Trust,
}

/// What the checks look at.
struct Patient<'c> {
    config: &'c Config,
    machine: Arc<dyn Machine>,
    /// None if key or enrolment cannot be used; a check of its own says why.
    device: Option<Device>,
    floor: Floor,
    /// True while an agent runs on this state directory.
    is_running: bool,
}

impl Patient<'_> {
    /// The broker's addresses in the order in which they are tried.
    fn brokers(&self) -> Vec<BrokerAddress> {
        let enrolled = self.device.as_ref().map(|device| &device.trust.broker);
        let first = self.config.uplink.broker.as_ref().or(enrolled);
        let further = &self.config.uplink.brokers;
        first.into_iter().chain(further).cloned().collect()
    }
}

/// Looks at everything. Takes seconds, a minute at most where nothing answers.
pub async fn examine(config: &Config, machine: Arc<dyn Machine>) -> Report {
    let mut checks = vec![Check::good("configuration", "read and checked")];
    let (device, secrets) = folder::identity(&config.state, &mut checks);
    let policies = device.as_ref().map(|device| &device.trust.policies);
    let floor = policies.map(Floor::of).unwrap_or_default();
    let patient = Patient {
        config,
        machine,
        device,
        floor,
        is_running: folder::is_locked(&config.state),
    };
    clock::look(&patient, &mut checks).await;
    machine::look(&patient, &mut checks).await;
    folder::look(&patient, &mut checks).await;
    outbox::look(&patient, &mut checks).await;
    sources::look(&patient, &mut checks).await;
    network::look(&patient, &mut checks).await;
    broker::look(&patient, &mut checks).await;
    platform::look(&patient, &mut checks).await;
    Report::new(checks).without(&secrets)
}

/// Every text that must not leave the device, as it stands in `files`: keys, a claim on its way, the
/// password that was made for it.
fn secrets_of(enrolment: Option<&Enrolment>, files: &[String]) -> Vec<String> {
    let password = enrolment.map(|enrolment| enrolment.password.clone());
    let words = files
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()));
    let longest =
        words.filter(|word| word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
    password
        .into_iter()
        .chain(longest.map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests;
