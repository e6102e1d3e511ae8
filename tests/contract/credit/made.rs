//! Decisions and steps of which only what is stored matters.

use credit::audit::{Action, Entry};
use credit::loan::application::ApplicationId;
use credit::loan::review::Act;
use credit::loan::{Decision, Outcome, Record, Review};
use credit::money::{Currency, Money};
use credit::sandbox::Limits;
use credit::store::Refusal;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde_json::json;

pub use crate::contract::made::{at, hash};

/// The trial.
pub fn trial() -> Slug {
    "trial-1".parse().unwrap()
}

/// Yuan.
pub fn cny(text: &str) -> Money {
    Money::parse(text, Currency::CNY).unwrap()
}

/// Limits of the trial.
pub fn limits(version: u32, per_loan: &str, outstanding: &str) -> Limits {
    Limits {
        id: trial(),
        version,
        per_loan: cny(per_loan),
        outstanding: cny(outstanding),
    }
}

/// An offer of an amount under a version of the limits, or a decline.
pub fn record(id: &str, amount: Option<Money>, version: u32, second: i64) -> Record {
    let application: ApplicationId = id.parse().unwrap();
    let decision: Decision = serde_json::from_value(json!({
        "decision_id": credit::loan::decision::decision_id(&application),
        "application": {
            "application_id": id,
            "supplier": "qinghe",
            "product": "receivable",
            "requested": cny("700.00"),
        },
        "decided_at": at(second).to_rfc3339(),
        "replay": false,
        "outcome": {"result": "decline"},
        "reasons": [],
        "rules": [],
        "score": {
            "total": 600, "best": 800, "grade": "B", "offerable": true, "points": [],
            "knock_outs": [], "reasons": []
        },
        "limit": null,
        "model": {"name": "scorecard", "version": "1", "hash": Hash::ZERO},
        "policy": Hash::ZERO,
        "log_size": 7,
        "root": Hash::ZERO,
        "sandbox_version": version,
        "inputs": hash(id),
    }))
    .unwrap();
    let outcome = amount.map_or(Outcome::Decline, |amount| Outcome::Offer { amount });
    Record {
        decision: Decision {
            outcome,
            ..decision
        },
        inputs: format!("inputs of {id}").into_bytes(),
        facts: format!("facts of {id}").into_bytes(),
        beside: credit::loan::Beside::default(),
    }
}

/// An offer.
pub fn offer(id: &str, amount: &str, second: i64) -> Record {
    record(id, Some(cny(amount)), 1, second)
}

/// A person's step on an offer.
pub fn step(record: &Record, step: u32, person: &str, act: Act, settles: bool) -> Review {
    let reason = (act == Act::Refuse).then(|| "price".parse().unwrap());
    Review {
        decision_id: record.decision.decision_id.clone(),
        step,
        act,
        person: Some(person.parse().unwrap()),
        reason,
        note: format!("{person} has looked at it"),
        version: hash("stage"),
        inputs: record.decision.inputs,
        model: record.decision.model.hash,
        settles,
        at: at(i64::from(step)),
    }
}

/// A row for the trail.
pub fn entry(actor: &str, action: Action, subject: &str, at: Instant) -> Entry {
    Entry {
        at,
        actor: actor.into(),
        action,
        subject: subject.into(),
        detail: String::new(),
    }
}

/// A refusal of evidence.
pub fn refusal(id: &str, second: i64) -> Refusal {
    Refusal {
        application_id: id.parse().unwrap(),
        supplier: "qinghe".parse().unwrap(),
        refused_at: at(second),
        class: "batch-path".into(),
        detail: "the path does not lead to the root".into(),
    }
}
