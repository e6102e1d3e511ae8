//! A bundle of one device's chain, verified: its links and the temperatures in it.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use schemas::event::Source;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::time::Instant;

use crate::evidence::verify::{Refused, TrustedPolicy, verify};
use crate::evidence::{VerifiedEvidence, VerifiedStatement};
use crate::facts::cold_chain::raw_readings;
use crate::facts::event::{Observation, observe};
use crate::pledge::stream::{End, Link};

/// A temperature with what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Temperature {
    /// The sensor as the reading names it.
    pub sensor: String,
    /// When it was measured, by the device's clock.
    pub at: Instant,
    /// Lowest value in degrees Celsius.
    pub low: Decimal,
    /// Highest value in degrees Celsius.
    pub high: Decimal,
    /// Whether a sensor measured it, in time, under a key that was its device's alone.
    pub measured: bool,
    /// The event.
    pub leaf: Hash,
    /// Its statement.
    pub statement: Hash,
}

/// What a bundle proves of one device.
#[derive(Clone, Debug)]
pub struct Proven {
    /// Size of the log at its newest checkpoint.
    pub log_size: u64,
    /// The device's statements and notes, in the bundle's order.
    pub links: Vec<Link>,
    /// Readings that can be judged, by time.
    pub temperatures: Vec<Temperature>,
    /// Readings in an unknown unit, and those that the driver itself doubts.
    pub left_out: u64,
}

impl Proven {
    /// Verifies a bundle and reads what it shows of a device.
    ///
    /// # Errors
    /// [`Refused`]: nothing is read then.
    pub fn read(
        bundle: &[u8],
        policy: &TrustedPolicy,
        device: &DeviceAddress,
        late_after: Duration,
    ) -> Result<Self, Refused> {
        let evidence = verify(bundle, policy)?;
        Ok(Self::of(&evidence, device, late_after))
    }

    /// What verified evidence shows of a device.
    #[must_use]
    pub fn of(evidence: &VerifiedEvidence, device: &DeviceAddress, late_after: Duration) -> Self {
        let own = evidence
            .statements
            .iter()
            .filter(|one| one.device == *device);
        let mut found = Self {
            log_size: evidence.log_size,
            links: own.map(link).collect(),
            temperatures: Vec::new(),
            left_out: 0,
        };
        let statements = statements(evidence);
        let seen = observe(evidence, evidence.anchored, late_after);
        for seen in seen.iter().filter(|seen| seen.device == *device) {
            if let Some(statement) = statements.get(&seen.leaf) {
                found.take(seen, *statement);
            }
        }
        let order = |one: &Temperature| (one.at, one.leaf);
        found.temperatures.sort_by_key(order);
        found
    }

    fn take(&mut self, seen: &Observation, statement: Hash) {
        for raw in raw_readings(seen) {
            let Some((low, high)) = raw.range.filter(|_| !raw.suspect) else {
                self.left_out = self.left_out.saturating_add(1);
                continue;
            };
            self.temperatures.push(Temperature {
                sensor: raw.sensor,
                at: raw.at,
                low,
                high,
                measured: seen.source == Source::Sensor && !seen.withdrawn,
                leaf: seen.leaf,
                statement,
            });
        }
    }
}

fn link(statement: &VerifiedStatement) -> Link {
    Link {
        end: End {
            epoch: statement.epoch,
            seq: statement.seq,
            id: statement.id,
        },
        prev: statement.prev,
    }
}

/// The statement of each event.
fn statements(evidence: &VerifiedEvidence) -> BTreeMap<Hash, Hash> {
    let pairs = evidence.events.iter().filter_map(|event| {
        let statement = evidence.statement_of(event)?;
        Some((event.leaf, statement.id))
    });
    pairs.collect()
}
