//! A trial that lends, and requests to it.

use std::sync::Arc;

use chrono::NaiveDate;
use credit::money::{Currency, Money};
use credit::sandbox::limits::{Limits, Proposal, Request};
use credit::sandbox::stage::{Act, Capacity, Ready, Step};
use credit::sandbox::stop_loss::Rule;
use credit::store::sandbox::{Motion, RuleProposal, TrialStore, Trials};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

/// The declaration that everything here begins with.
const DECLARATION: &str = include_str!("../../credit/fixtures/declaration.toml");
/// Its name there.
const PROJECT: &str = "trace-finance-1";

/// A name.
pub fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

/// Fen of the renminbi.
pub fn cny(fen: i64) -> Money {
    Money::from_fen(fen, Currency::CNY).unwrap()
}

/// Noon in China.
pub fn noon(day: &str) -> Instant {
    Instant::parse_rfc3339(&format!("{day}T12:00:00+08:00")).unwrap()
}

/// When loans are asked for.
pub fn now() -> Instant {
    noon("2026-12-01")
}

/// A day of December 2026.
pub fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 12, number).unwrap()
}

/// Limits that stop nothing here.
pub fn wide() -> Limits {
    Limits {
        users: 1_000_000,
        regions: ["310000", "330100"].map(|one| one.parse().unwrap()).into(),
        groups: [slug("micro")].into(),
        per_loan: cny(1_000_000_000),
        per_borrower: cny(1_000_000_000),
        per_day: cny(1_000_000_000),
        outstanding: cny(1_000_000_000),
        concentration_bp: 10_000,
        tenor_days: 180,
    }
}

/// A request for an amount in fen.
pub fn request(id: &str, borrower: &str, buyer: &str, fen: i64, on: u32) -> Request {
    Request {
        id: slug(id),
        borrower: slug(borrower),
        buyer: slug(buyer),
        region: "310115".parse().unwrap(),
        group: slug("micro"),
        amount: cny(fen),
        tenor_days: 90,
        day: day(on),
    }
}

/// The file of the first declaration of a trial.
pub fn declaration(trial: &str) -> String {
    DECLARATION.replace(PROJECT, trial)
}

/// A rule that nothing here trips by itself.
pub fn rule() -> Rule {
    Rule {
        overdue_bp_max: 1_000,
        loss_max: cny(100_000),
        complaints_max: 10,
        privacy_incidents_max: 0,
        compensation_min: cny(0),
    }
}

/// A step by whoever may take it.
pub fn step(act: Act, day: &str) -> Step {
    Step {
        by: slug("li"),
        capacity: act.may()[0],
        second: act.needs_two().then(|| slug("wang")),
        at: noon(day),
        act,
    }
}

/// Limits that `li` wants from an instant on.
pub fn wants(version: u32, limits: Limits, valid_from: Instant) -> Motion {
    Motion::Limits(Proposal {
        version,
        limits,
        valid_from,
        proposer: slug("li"),
        reason: "the trial begins".to_owned(),
    })
}

/// A trial that is declared, with limits and a rule, and has not begun.
pub async fn declared(store: Arc<dyn TrialStore>, name: &str, limits: Limits) -> (Trials, Slug) {
    let (trials, trial) = (Trials::new(store), slug(name));
    let (li, wang) = (slug("li"), slug("wang"));
    let text = declaration(name);
    let (first, second) = (noon("2026-10-01"), noon("2026-10-02"));
    trials.declare("d.toml", &text, &li, first).await.unwrap();
    let motion = wants(1, limits, second);
    let motion = trials.propose(&trial, &motion, first).await.unwrap();
    trials
        .approve_limits(&trial, motion, &wang, second)
        .await
        .unwrap();
    let motion = Motion::Rule(RuleProposal {
        version: 1,
        rule: rule(),
        proposer: li,
        reason: "as declared".to_owned(),
    });
    let motion = trials.propose(&trial, &motion, first).await.unwrap();
    trials
        .approve_rule(&trial, motion, &wang, second)
        .await
        .unwrap();
    (trials, trial)
}

/// The steps to the first loan.
pub async fn first_steps(trials: &Trials, trial: &Slug) -> [Step; 3] {
    let footing = trials.footing(trial).await.unwrap().unwrap();
    let publish = Act::Publish {
        declaration: footing.trial.declaration(),
        comments_until: "2026-11-10".parse().unwrap(),
    };
    let register = Act::Register {
        number: "2026-7".to_owned(),
        document: Some(Hash([2; 32])),
        comments_open: 0,
    };
    let ready = Ready {
        limits: Some(footing.limits.last().unwrap().hash().unwrap()),
        stop_loss: Some(rule().hash().unwrap()),
        monitoring: true,
        complaints: true,
        compensation: true,
    };
    let steps = [
        step(publish, "2026-11-01"),
        step(register, "2026-11-11"),
        step(Act::Begin(ready), "2026-12-01"),
    ];
    assert_eq!(steps[1].capacity, Capacity::Authority);
    steps
}

/// A trial that lends.
pub async fn lending(store: Arc<dyn TrialStore>, name: &str, limits: Limits) -> (Trials, Slug) {
    let (trials, trial) = declared(store, name, limits).await;
    for step in first_steps(&trials, &trial).await {
        trials.take_step(&trial, &step).await.unwrap();
    }
    (trials, trial)
}
