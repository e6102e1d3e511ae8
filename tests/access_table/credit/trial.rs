//! The trial with a report and motions that wait, and what is asked of it.

use credit::desk::{Actor, Role};
use credit::sandbox::stop_loss::Rule;
use credit::store::sandbox::{Motion, RuleProposal};
use serde_json::{Map, Value};

use super::{Bank, slug};
use crate::access_table::asks::{Asks, Body};
use crate::trials::rule;

/// What there is of the trial.
pub struct Made {
    /// A month with a report.
    month: String,
    /// Two motions of a supervisor who is not asked.
    motions: [String; 2],
}

/// Keeps the report and proposes.
pub async fn made(bank: &Bank) -> Made {
    let office = bank.handle.credit.office().unwrap();
    // The service's own look may have made it.
    office.keep_due().await.unwrap();
    let month = office.months().await.unwrap()[0].to_string();
    let mut motions = Vec::new();
    for complaints in [51, 52] {
        let wanted = Motion::Rule(RuleProposal {
            version: 2,
            rule: Rule {
                complaints_max: complaints,
                ..rule()
            },
            proposer: slug("wu-lan"),
            reason: "walked".to_owned(),
        });
        let supervisor = Actor {
            name: slug("wu-lan"),
            role: Role::Supervisor,
        };
        let hash = office.propose(&supervisor, wanted).await.unwrap();
        motions.push(hash.to_string());
    }
    Made {
        month,
        motions: motions.try_into().unwrap(),
    }
}

/// Fields of each form, as text.
fn forms() -> [(&'static str, Vec<(&'static str, String)>); 5] {
    let text = |fields: &[(&'static str, &str)]| {
        let own = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
        fields.iter().map(own).collect::<Vec<_>>()
    };
    [
        (
            "limits",
            text(&[
                ("users", "20"),
                ("regions", "310000"),
                ("groups", "micro"),
                ("per_loan", "50000.00"),
                ("per_borrower", "90000.00"),
                ("per_day", "90000.00"),
                ("outstanding", "90000.00"),
                ("concentration_bp", "10000"),
                ("tenor_days", "180"),
                ("valid_from", "2035-01-01"),
                ("reason", "walked"),
            ]),
        ),
        (
            "rule",
            text(&[
                ("overdue_bp_max", "500"),
                ("loss_max", "1000.00"),
                ("complaints_max", "53"),
                ("privacy_incidents_max", "0"),
                ("compensation_min", "500000.00"),
                ("reason", "walked"),
            ]),
        ),
        // Nothing is tripped: what comes is no refusal of the person.
        ("lift", text(&[("reason", "walked")])),
        // A stop needs its reason.
        (
            "steps",
            text(&[("act", "stop"), ("capacity", "project"), ("reason", "")]),
        ),
        ("notes", text(&[("kind", "problem"), ("words", "Walked.")])),
    ]
}

fn json(fields: &[(&'static str, String)]) -> Value {
    let fields = fields.iter();
    let fields = fields.map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// What is asked of the trial.
pub fn requests(asks: &mut Asks, made: &Made) {
    asks.plain(&["/trial", "/regulator", "/v1/trial", "/v1/trial/log"]);
    let Made { month, motions } = made;
    for rest in ["", "/report.json", "/sheet.xlsx"] {
        let route = format!("GET /trial/reports/{{month}}{rest}");
        asks.get_at(&route, &format!("/trial/reports/{month}{rest}"));
    }
    let figure = format!("/trial/reports/{month}/loans");
    asks.get_at("GET /trial/reports/{month}/{figure}", &figure);
    let report = format!("/v1/trial/reports/{month}");
    asks.get_at("GET /v1/trial/reports/{month}", &report);
    for (name, fields) in forms() {
        let path = format!("/trial/{name}");
        asks.add(&format!("POST {path}"), &path, Body::Form(fields.clone()));
        let path = format!("/v1{path}");
        asks.add(&format!("POST {path}"), &path, Body::Signed(json(&fields)));
    }
    let [page, signed] = motions;
    let route = "/trial/motions/{hash}/approve";
    let path = format!("/trial/motions/{page}/approve");
    asks.add(&format!("POST {route}"), &path, Body::Form(Vec::new()));
    let path = format!("/v1/trial/motions/{signed}/approve");
    let body = Body::Signed(Value::Object(Map::new()));
    asks.add(&format!("POST /v1{route}"), &path, body);
}
