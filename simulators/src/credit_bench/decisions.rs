//! The story, played to its end; then what its bank does with the evidence, again and again.

use anyhow::{Context, Result, ensure};
use credit::evidence::verify::{TrustedPolicy, verify};
use credit::facts::{Facts, Rules};
use credit::loan::Application;
use credit::money::{Currency, Money};
use credit::score::{Model, measures, score};
use schemas::ids::Slug;
use schemas::time::Instant;

use super::{milliseconds, quantile};
use crate::progress::Progress;
use crate::script::Script;
use crate::stack::bank::RECEIVABLES;
use crate::stack::door::Door;
use crate::stack::engines::Engines;
use crate::tour::Tour;

/// The story's seed.
const SEED: u64 = 1;
/// Events that the scored bundle has at least.
const EVENTS: usize = 1_000;
/// How often facts are scored.
const SCORES: usize = 10_000;
/// How often a bundle is verified and scored.
const PROOFS: usize = 31;
/// How many applications are decided; they fit under the trial's limit.
const APPLICATIONS: usize = 40;

/// Figures in milliseconds.
pub struct Decided {
    /// From facts to a score.
    pub score_p95_ms: f64,
    /// From the bundle to a score.
    pub with_proofs_ms: f64,
    /// Events of that bundle.
    pub events: usize,
    /// What the platform takes to make the bundle.
    pub bundle_ms: f64,
    /// From an application to a decision.
    pub offer_p95_ms: f64,
}

/// Plays the story and measures its bank.
pub async fn measure(progress: &mut Progress) -> Result<Decided> {
    let script = Script::story(SEED);
    let mut tour = Tour::start(&script, Door::any(), &Engines::default(), progress).await?;
    let decided = async {
        tour.play_until(script.end(), progress).await?;
        tour.stack.consents(&script).await?;
        progress.done("the story is played; deciding");
        of_story(&tour, &script).await
    };
    let decided = decided.await;
    tour.stop().await?;
    decided
}

async fn of_story(tour: &Tour<'_>, script: &Script) -> Result<Decided> {
    let operator = &tour.stack.operator;
    let policy = TrustedPolicy::parse(&operator.policy_file()?)?;
    let mut largest: Option<(usize, Slug, Vec<u8>)> = None;
    for (supplier, _) in script.applicants() {
        let bundle = operator.evidence(&supplier.slug).await?;
        let events = verify(&bundle, &policy)?.events.len();
        if largest.as_ref().is_none_or(|(most, ..)| *most < events) {
            largest = Some((events, supplier.slug.clone(), bundle));
        }
    }
    let (events, supplier, bundle) = largest.context("nobody applies")?;
    ensure!(events >= EVENTS, "{events} events are too few");
    let scoring = Scoring {
        policy,
        supplier: supplier.clone(),
        as_of: script.end(),
        model: Model::built_in()?,
        currency: RECEIVABLES.currency.parse()?,
    };
    Ok(Decided {
        score_p95_ms: scoring.over_facts(&bundle)?,
        with_proofs_ms: scoring.over_bundle(&bundle)?,
        events,
        bundle_ms: bundles(tour, &supplier).await?,
        offer_p95_ms: applications(tour, &supplier).await?,
    })
}

struct Scoring {
    policy: TrustedPolicy,
    supplier: Slug,
    as_of: Instant,
    model: Model,
    currency: Currency,
}

impl Scoring {
    fn facts(&self, bundle: &[u8]) -> Result<Facts> {
        let evidence = verify(bundle, &self.policy)?;
        Ok(Facts::read(
            &evidence,
            &self.supplier,
            self.as_of,
            Rules::default(),
        )?)
    }

    fn total(&self, facts: &Facts) -> i32 {
        score(&self.model, &measures(facts, self.currency)).total
    }

    fn over_facts(&self, bundle: &[u8]) -> Result<f64> {
        let facts = self.facts(bundle)?;
        let turn = |_| milliseconds(|| std::hint::black_box(self.total(&facts))).1;
        Ok(quantile((0..SCORES).map(turn).collect(), 0.95))
    }

    fn over_bundle(&self, bundle: &[u8]) -> Result<f64> {
        let mut times = Vec::with_capacity(PROOFS);
        for _ in 0..PROOFS {
            let (facts, took) = milliseconds(|| {
                let facts = self.facts(bundle)?;
                anyhow::Ok(std::hint::black_box(self.total(&facts)))
            });
            facts?;
            times.push(took);
        }
        Ok(quantile(times, 0.5))
    }
}

async fn bundles(tour: &Tour<'_>, supplier: &Slug) -> Result<f64> {
    let mut times = Vec::with_capacity(PROOFS);
    for _ in 0..PROOFS {
        let began = std::time::Instant::now();
        std::hint::black_box(tour.stack.operator.evidence(supplier).await?);
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(quantile(times, 0.5))
}

/// Each is decided once: another id is another application.
async fn applications(tour: &Tour<'_>, supplier: &Slug) -> Result<f64> {
    let currency: Currency = RECEIVABLES.currency.parse()?;
    let mut times = Vec::with_capacity(APPLICATIONS);
    for number in 0..APPLICATIONS {
        let application = Application {
            application_id: format!("bench-{number}").parse()?,
            supplier: supplier.clone(),
            product: RECEIVABLES.product.parse()?,
            requested: Money::parse(RECEIVABLES.minimum, currency)?,
            declared: credit::loan::Declared::default(),
        };
        let began = std::time::Instant::now();
        let record = tour.stack.bank().decide(application).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(!record.facts.is_empty(), "a decision without facts");
    }
    Ok(quantile(times, 0.95))
}
