//! What a supplier's own events weigh by their sources and confirmations, and what issuers attest.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::{Decimal, RoundingStrategy};
use schemas::attestation::{self, Kind, Period, Sum};
use schemas::event::Source;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::SHARE_PLACES;
use super::delivery::Delivery;
use super::event::Observation;
use crate::evidence::VerifiedEvidence;
use crate::evidence::attestation::Counted;
use crate::evidence::weight::{Confirmation, WHOLE, Weighed, Weights};
use crate::money::Currency;

/// What facts are read with beside the evidence.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// What sources weigh by.
    pub weights: &'a Weights,
    /// Attestations that count.
    pub attested: &'a [Counted],
}

/// What the supplier's own events weigh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightFacts {
    /// Version of the table.
    pub version: u32,
    /// SHA-256 of the table.
    pub hash: Hash,
    /// Own events that were weighed.
    pub events: u64,
    /// Sum of their weights in thousandths.
    pub thousandths: u64,
    /// Mean weight, 0 to 1, cut to [`SHARE_PLACES`]; absent without events.
    pub mean: Option<Decimal>,
    /// How often each step from an event to its weight was taken.
    pub reasons: BTreeMap<String, u64>,
    /// Events that somebody else confirms.
    pub confirmed: BTreeSet<Hash>,
}

/// What an issuer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attested {
    /// Id of the attestation.
    pub id: Hash,
    /// Who says it.
    pub issuer: Slug,
    /// What kind.
    pub kind: Kind,
    /// When.
    #[serde(with = "crate::rfc3339")]
    pub issued: Instant,
    /// Up to and without this instant.
    #[serde(with = "crate::rfc3339")]
    pub expires: Instant,
    /// The grant that it rests on.
    pub consent: Hash,
    /// Invoiced, in arrears or owed, in hundredths of the currency's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hundredths: Option<u64>,
    /// Its currency, ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// First day, since 1970-01-01.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_day: Option<u64>,
    /// Last day, since 1970-01-01.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_day: Option<u64>,
    /// Tax credit grade: 0 A, 1 B, 2 M, 3 C, 4 D.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<u8>,
    /// Own events that the issuer confirms.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub leaves: BTreeSet<Hash>,
}

impl Attested {
    fn of(counted: &Counted) -> Self {
        let mut said = Self {
            id: counted.id,
            issuer: counted.issuer.clone(),
            kind: counted.facts.kind(),
            issued: counted.issued,
            expires: counted.expires,
            consent: counted.consent,
            hundredths: None,
            currency: None,
            from_day: None,
            to_day: None,
            grade: None,
            leaves: BTreeSet::new(),
        };
        match &counted.facts {
            attestation::Facts::Invoices(facts) => said.sum(facts.invoiced).over(facts.period),
            attestation::Facts::Standing(facts) => {
                said.grade = Some(facts.grade as u8);
                said.sum(facts.arrears).over(facts.period)
            }
            attestation::Facts::Approval(facts) => said.over(facts.period),
            attestation::Facts::Buyer(facts) => {
                said.leaves = facts.leaves.iter().copied().collect();
                said.sum(facts.owed)
            }
        }
    }

    fn sum(mut self, sum: Sum) -> Self {
        self.hundredths = Some(sum.amount);
        self.currency = Some(sum.currency().to_owned());
        self
    }

    fn over(mut self, period: Period) -> Self {
        self.from_day = Some(period.from.number());
        self.to_day = Some(period.to.number());
        self
    }
}

/// What was attested, in the order in which it is held.
#[must_use]
pub fn attested(sources: Sources<'_>) -> Vec<Attested> {
    sources.attested.iter().map(Attested::of).collect()
}

/// The largest amount of a kind in a currency, in its units. Periods may overlap, so amounts are not
/// added up.
#[must_use]
pub fn largest(attested: &[Attested], kind: Kind, currency: Currency) -> Option<Decimal> {
    let of_kind = attested.iter().filter(|one| one.kind == kind);
    let in_currency = of_kind.filter(|one| one.currency.as_deref() == Some(currency.as_str()));
    let largest = in_currency.filter_map(|one| one.hundredths).max()?;
    Some(Decimal::new(i64::try_from(largest).ok()?, 2))
}

/// Weighs the supplier's own events.
#[must_use]
pub fn weigh(
    own: &[&Observation],
    deliveries: &[Delivery<'_>],
    evidence: &VerifiedEvidence,
    sources: Sources<'_>,
) -> WeightFacts {
    let weights = sources.weights;
    let confirmations = confirmations(deliveries, sources);
    let compromised = evidence.events.iter().filter(|event| event.compromised);
    let compromised: BTreeSet<Hash> = compromised.map(|event| event.leaf).collect();
    let mut facts = WeightFacts {
        version: weights.version,
        hash: weights.hash,
        events: own.len() as u64,
        thousandths: 0,
        mean: None,
        reasons: BTreeMap::new(),
        confirmed: BTreeSet::new(),
    };
    for seen in own {
        let confirmation = confirmations.get(&seen.leaf).copied();
        let weight = weights.weigh(&Weighed {
            organisation: &seen.device.organisation,
            source: seen.source,
            late: seen.late,
            compromised: compromised.contains(&seen.leaf),
            confirmation,
        });
        facts.thousandths += u64::from(weight.thousandths);
        for reason in weight.reasons {
            *facts.reasons.entry(reason.word().to_owned()).or_insert(0) += 1;
        }
        if confirmation.is_some_and(|one| one.by != &seen.device.organisation) {
            facts.confirmed.insert(seen.leaf);
        }
    }
    facts.mean = mean(facts.thousandths, facts.events);
    facts
}

/// The strongest confirmation of each event: that of its receipt, or an attestation's, which is
/// declared.
fn confirmations<'a>(
    deliveries: &'a [Delivery<'_>],
    sources: Sources<'a>,
) -> BTreeMap<Hash, Confirmation<'a>> {
    let arrived = deliveries.iter().filter_map(|delivery| {
        let (receipt, _) = delivery.arrival?;
        let (by, source) = (&receipt.device.organisation, receipt.source);
        Some((delivery.shipment.leaf, Confirmation { by, source }))
    });
    let attested = sources.attested.iter().flat_map(|counted| {
        let leaves: &[Hash] = match &counted.facts {
            attestation::Facts::Buyer(facts) => &facts.leaves,
            _ => &[],
        };
        let (by, source) = (&counted.issuer, Source::Declared);
        leaves
            .iter()
            .map(move |leaf| (*leaf, Confirmation { by, source }))
    });
    let weights = sources.weights;
    let mut strongest: BTreeMap<Hash, Confirmation<'a>> = BTreeMap::new();
    for (leaf, one) in arrived.chain(attested) {
        let known = strongest.entry(leaf).or_insert(one);
        if weights.of(one.source) > weights.of(known.source) {
            *known = one;
        }
    }
    strongest
}

fn mean(thousandths: u64, events: u64) -> Option<Decimal> {
    let whole = Decimal::from(events).checked_mul(Decimal::from(WHOLE))?;
    let exact = Decimal::from(thousandths).checked_div(whole)?;
    let cut = exact.round_dp_with_strategy(SHARE_PLACES, RoundingStrategy::ToZero);
    Some(cut.normalize())
}
