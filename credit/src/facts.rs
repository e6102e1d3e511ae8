//! What verified evidence shows about a supplier as of an instant.
//!
//! Facts are read from events anchored by that instant and from nothing else; each names the leaves
//! of the events that it came from. The same evidence and the same instant give the same bytes
//! ([`Facts::to_bytes`]): integers and decimals only, every order fixed.
//!
//! Time: the **anchored time** of the checkpoint that an event is shown at bounds it from above and
//! is witnessed; the event's own time is its signer's claim. An event anchored later than
//! [`Rules::late_after`] after its own time weighs as declared, whatever its source, and so does one
//! that was anchored when its key was compromised. A bundle that shows everything at one late
//! checkpoint therefore weighs less, never more.

pub mod cold_chain;
pub mod delivery;
pub mod event;
pub mod goods;
pub mod sources;
pub mod trade;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rust_decimal::{Decimal, RoundingStrategy};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use crate::evidence::{Gap, VerifiedEvidence, chain};
use crate::lateness::{self, Artefact, ArtefactError, Promises};
use crate::money::{Currency, MoneyError};
use cold_chain::{ColdChain, Episode};
use event::Observation;
use goods::Goods;
use sources::{Attested, Sources, WeightFacts};
use trade::Trade;

/// Decimal places of a share; further ones are cut off (rounded towards zero).
pub const SHARE_PLACES: u32 = 4;

/// Why there are no facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// Confirmed amounts of one currency do not fit together.
    #[error("the confirmed amounts cannot be added")]
    Money(#[from] MoneyError),
    /// The model of late delivery cannot be used.
    #[error("the model of late delivery is refused")]
    Model(#[from] ArtefactError),
    /// Packing so deep or so wide that no real one is like it.
    #[error("the packing of the goods is too large to be looked through")]
    TooMuch,
}

/// How facts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// An event anchored later than this after its own time weighs as declared.
    pub late_after: Duration,
    /// Added to a device's heartbeat before its silence is a gap.
    pub silence_grace: Duration,
    /// Steps that looking into containers may take; see [`goods::WORK_MAX`].
    pub work_max: u64,
}

impl Default for Rules {
    /// 48 hours; 15 minutes.
    fn default() -> Self {
        Self {
            late_after: Duration::from_secs(48 * 3600),
            silence_grace: Duration::from_secs(15 * 60),
            work_max: goods::WORK_MAX,
        }
    }
}

/// How many of how many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// How many.
    pub part: u64,
    /// Of how many.
    pub whole: u64,
    /// `part / whole`, cut to [`SHARE_PLACES`]; absent if there are none.
    pub share: Option<Decimal>,
    /// Events that this came from.
    pub leaves: BTreeSet<Hash>,
}

impl Share {
    fn of(part: u64, whole: u64, leaves: BTreeSet<Hash>) -> Self {
        let share = Decimal::from(part)
            .checked_div(Decimal::from(whole))
            .map(|exact| {
                exact
                    .round_dp_with_strategy(SHARE_PLACES, RoundingStrategy::ToZero)
                    .normalize()
            });
        Self {
            part,
            whole,
            share,
            leaves,
        }
    }
}

/// Readings against declared limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excursions {
    /// Readings that were judged.
    pub readings: u64,
    /// Readings that the driver marked as suspect: not judged.
    pub suspect: u64,
    /// Readings in an unknown unit: not judged.
    pub unreadable: u64,
    /// Runs outside the limits.
    pub episodes: Vec<Episode>,
    /// Sum of the episodes' minutes.
    pub minutes: u64,
    /// The longest episode's minutes.
    pub longest_minutes: u64,
    /// Events that this came from.
    pub leaves: BTreeSet<Hash>,
}

/// What others received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Confirmed deliveries.
    pub deliveries: u64,
    /// Pieces received by others.
    pub units: Decimal,
    /// Quantities received by others, by unit of measure (UN/ECE recommendation 20).
    pub measured: BTreeMap<String, Decimal>,
    /// Invoiced amounts of wholly confirmed shipments: fen by currency.
    pub turnover_fen: BTreeMap<Currency, i64>,
    /// Events that this came from.
    pub leaves: BTreeSet<Hash>,
}

/// Everything that is known of a supplier as of an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Version of this layout: `facts/v3`; `v2` of facts that were read without [`Trade`], `v1` of those
    /// without [`Sources`] either.
    pub format: String,
    /// Whose facts.
    pub supplier: Slug,
    /// As of when.
    #[serde(with = "crate::rfc3339")]
    pub as_of: Instant,
    /// Origin of the log; one that ends in `/replay` is a historical replay.
    pub origin: String,
    /// Size of the log that the evidence was proven against.
    pub log_size: u64,
    /// Root of the log at that size.
    pub root: Hash,
    /// When the checkpoint was witnessed.
    #[serde(with = "crate::rfc3339")]
    pub anchored: Instant,
    /// The supplier's own events.
    pub events: u64,
    /// The supplier's own events by source, each with its share of `events`.
    pub sources: BTreeMap<String, Share>,
    /// The supplier's own events that were measured or scanned.
    pub measured: Share,
    /// The supplier's own events that were anchored late.
    pub late_records: Share,
    /// Promised deliveries that were due, and kept.
    pub on_time: Share,
    /// Inspections with a result, and passed.
    pub inspection: Share,
    /// Temperatures.
    pub excursions: Excursions,
    /// Confirmed volume.
    pub volume: Volume,
    /// What is missing in the supplier's chains.
    pub gaps: Vec<Gap>,
    /// Promised orders and the probability of late delivery; absent if the supplier promised none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promises: Option<Promises>,
    /// What the supplier's own events weigh; absent in `facts/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightFacts>,
    /// What issuers attest; absent in `facts/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested: Option<Vec<Attested>>,
    /// Sales, devices and receipts; absent before `facts/v3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trade: Option<Trade>,
}

/// What facts are read with beside evidence and rules; with none of it they are `facts/v1`.
#[derive(Clone, Copy, Debug, Default)]
pub struct With<'a> {
    /// What sources weigh, and what is attested.
    pub sources: Option<Sources<'a>>,
    /// Whether the trade is read.
    pub trade: bool,
}

impl Facts {
    /// Reads all facts as of an instant, but for what sources weigh and what is attested.
    ///
    /// # Errors
    /// [`FactsError`]; there are no facts then, not fewer.
    pub fn read(
        evidence: &VerifiedEvidence,
        supplier: &Slug,
        as_of: Instant,
        rules: Rules,
    ) -> Result<Self, FactsError> {
        Self::read_all(evidence, supplier, as_of, rules, With::default())
    }

    /// The same with these.
    ///
    /// # Errors
    /// [`FactsError`]; there are no facts then, not fewer.
    pub fn read_with(
        evidence: &VerifiedEvidence,
        supplier: &Slug,
        as_of: Instant,
        rules: Rules,
        sources: Sources<'_>,
    ) -> Result<Self, FactsError> {
        let with = With {
            sources: Some(sources),
            trade: false,
        };
        Self::read_all(evidence, supplier, as_of, rules, with)
    }

    /// The same with as much as is asked for.
    ///
    /// # Errors
    /// [`FactsError`]; there are no facts then, not fewer.
    pub fn read_all(
        evidence: &VerifiedEvidence,
        supplier: &Slug,
        as_of: Instant,
        rules: Rules,
        with: With<'_>,
    ) -> Result<Self, FactsError> {
        let sources = with.sources;
        let observations = event::observe(evidence, as_of, rules.late_after);
        let own: Vec<_> = observations
            .iter()
            .filter(|seen| seen.is_of(supplier))
            .collect();
        let goods = Goods::read(&observations, supplier, rules.work_max);
        let deliveries = delivery::deliveries(&observations, supplier);
        let punctuality = delivery::punctuality(&deliveries, as_of);
        let cold = cold_chain::cold_chain(&observations, supplier, &goods, &deliveries);
        let inspection = inspection(&observations, supplier, &goods);
        let volume = delivery::volume(&deliveries, &goods)?;
        let orders = lateness::orders(&observations, supplier);
        let promises = Promises::read(&orders, &Artefact::built_in()?, as_of)?;
        let trade = with
            .trade
            .then(|| Trade::read(evidence, &observations, supplier, &goods, &deliveries));
        if goods.is_too_much() {
            return Err(FactsError::TooMuch);
        }
        let version = match (with.trade, sources.is_some()) {
            (true, _) => 3,
            (false, true) => 2,
            (false, false) => 1,
        };
        Ok(Self {
            format: format!("facts/v{version}"),
            supplier: supplier.clone(),
            as_of,
            origin: evidence.origin.clone(),
            log_size: evidence.log_size,
            root: evidence.root,
            anchored: evidence.anchored,
            events: own.len() as u64,
            sources: by_source(&own),
            measured: portion(&own, |seen| {
                use schemas::event::Source::{Scan, Sensor};
                matches!(seen.source, Scan | Sensor)
            }),
            late_records: portion(&own, |seen| seen.late),
            on_time: Share::of(punctuality.kept, punctuality.due, punctuality.leaves),
            inspection,
            excursions: excursions(cold),
            volume: volume_of(volume),
            gaps: chain::gaps(evidence, supplier, as_of, rules.silence_grace),
            promises,
            weights: sources.map(|with| sources::weigh(&own, &deliveries, evidence, with)),
            attested: sources.map(sources::attested),
            trade,
        })
    }

    /// What others confirmed, in fen of a currency: invoiced shipments and promised orders; `None`
    /// if nothing was.
    #[must_use]
    pub fn confirmed_fen(&self, currency: Currency) -> Option<i64> {
        let shipped = self.volume.turnover_fen.get(&currency).copied();
        let ordered = self.promises.as_ref();
        let ordered = ordered.and_then(|one| one.confirmed_fen.get(&currency).copied());
        match (shipped, ordered) {
            (Some(shipped), Some(ordered)) => Some(shipped.saturating_add(ordered)),
            (shipped, ordered) => shipped.or(ordered),
        }
    }

    /// The canonical bytes: JSON without white space, members in the order of the type, maps and
    /// sets by key, decimals as text.
    ///
    /// # Errors
    /// None that is known: every member has a JSON form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

fn by_source(own: &[&Observation]) -> BTreeMap<String, Share> {
    use schemas::event::Source;
    let all = [Source::Declared, Source::File, Source::Scan, Source::Sensor];
    let of = |source: Source| portion(own, |seen| seen.source == source);
    all.into_iter()
        .map(|source| (source.word().to_owned(), of(source)))
        .collect()
}

fn portion(own: &[&Observation], which: impl Fn(&Observation) -> bool) -> Share {
    let leaves: BTreeSet<Hash> = own
        .iter()
        .filter(|seen| which(seen))
        .map(|seen| seen.leaf)
        .collect();
    Share::of(leaves.len() as u64, own.len() as u64, leaves)
}

/// Inspections of the supplier's goods, whoever made them. A failed one that was declared an error
/// afterwards still counts; a passed one does not.
fn inspection(observations: &[Observation], supplier: &Slug, goods: &Goods) -> Share {
    let (mut passed, mut leaves) = (0, BTreeSet::new());
    for seen in observations.iter().filter(|seen| seen.step == "inspecting") {
        let pass = match seen.disposition.as_str() {
            "conformant" if !seen.withdrawn => 1,
            "non_conformant" => 0,
            _ => continue,
        };
        if seen.is_of(supplier) || goods.includes(seen.named(), seen.time) {
            passed += pass;
            leaves.insert(seen.leaf);
        }
    }
    Share::of(passed, leaves.len() as u64, leaves)
}

fn excursions(cold: ColdChain) -> Excursions {
    Excursions {
        readings: cold.readings,
        suspect: cold.suspect,
        unreadable: cold.unreadable,
        minutes: cold.episodes.iter().map(|episode| episode.minutes).sum(),
        longest_minutes: cold
            .episodes
            .iter()
            .map(|episode| episode.minutes)
            .max()
            .unwrap_or(0),
        episodes: cold.episodes,
        leaves: cold.leaves,
    }
}

fn volume_of(found: delivery::Volume) -> Volume {
    let fen = |(currency, amount): (Currency, crate::money::Money)| (currency, amount.fen());
    let plain = |(unit, quantity): (String, Decimal)| (unit, quantity.normalize());
    Volume {
        deliveries: found.deliveries,
        units: found.units.normalize(),
        measured: found.measured.into_iter().map(plain).collect(),
        turnover_fen: found.turnover.into_iter().map(fen).collect(),
        leaves: found.leaves,
    }
}

#[cfg(test)]
mod tests;
