//! The trial over HTTP: an offer within its limits, two people by page and by JSON, the regulator.

use chrono::NaiveDate;

use super::*;
use crate::law::acceptance::china_day;
use crate::sandbox::limits::{Limits, Proposal};
use crate::sandbox::stage::{Act, Ready, Step};
use crate::sandbox::stop_loss::Rule;
use crate::store::sandbox::{Motion, RuleProposal, Trials};
use crate::store::{Database, Sqlite};

pub(super) const DECLARATION: &str = include_str!("../../../fixtures/declaration.toml");

const IN_TRIAL: &str = r#"
listen = "127.0.0.1:0"
database = "credit.sqlite"
policy = "policy.json"

[consent]
waived = "a test without signed consents"

[sandbox]
id = "trace-finance-1"
currency = "CNY"

[trial]
declaration = "declaration.toml"
region = "310115"
group = "micro"
tenor_days = 90

[[products]]
id = "receivable-90"
currency = "CNY"
minimum = "100.00"
cap = "300000.00"
turnover_multiple = "0.6"
"#;

fn day(at: schemas::time::Instant) -> NaiveDate {
    china_day(at)
}

fn limits() -> Limits {
    Limits {
        users: 10,
        regions: ["310000".parse().unwrap()].into(),
        groups: [slug("micro")].into(),
        per_loan: cny("5000.00"),
        per_borrower: cny("6000.00"),
        per_day: cny("9000.00"),
        outstanding: cny("9000.00"),
        concentration_bp: 10_000,
        tenor_days: 180,
    }
}

fn cny(text: &str) -> crate::money::Money {
    crate::money::Money::parse(text, crate::money::Currency::CNY).unwrap()
}

/// Everything up to the first loan, a month before the tests' day.
async fn begun(config: &Config) {
    let Database::File(file) = &config.database else {
        panic!("a file");
    };
    let store = Arc::new(Sqlite::open(file).await.unwrap());
    let trials = Trials::new(store.clone());
    let trial = slug("trace-finance-1");
    let (one, other) = (slug("zhao-min"), slug("chen-jie"));
    let now = at(24, 0);
    let before = |days: u32| now - Duration::from_secs(24 * 3600) * days;
    // The fixture's trial begins later than the tests' day: this one begins before it.
    let start = format!("start = \"{}\"", day(before(10)));
    let text = DECLARATION.replace("start = \"2026-12-01\"", &start);
    std::fs::write(&config.trial.as_ref().unwrap().declaration, &text).unwrap();
    let entry = trials
        .declare("declaration.toml", &text, &one, before(40))
        .await
        .unwrap();
    let wanted = Motion::Limits(Proposal {
        version: 1,
        limits: limits(),
        valid_from: before(39),
        proposer: one.clone(),
        reason: "as declared".to_owned(),
    });
    let motion = trials.propose(&trial, &wanted, before(39)).await.unwrap();
    let kept = trials
        .approve_limits(&trial, motion, &other, before(39))
        .await
        .unwrap();
    let wanted = Motion::Rule(RuleProposal {
        version: 1,
        rule: Rule {
            overdue_bp_max: 500,
            loss_max: cny("1000.00"),
            complaints_max: 5,
            privacy_incidents_max: 0,
            compensation_min: cny("500000.00"),
        },
        proposer: one.clone(),
        reason: "as declared".to_owned(),
    });
    let motion = trials.propose(&trial, &wanted, before(39)).await.unwrap();
    let rule = trials
        .approve_rule(&trial, motion, &other, before(39))
        .await
        .unwrap();
    let acts = [
        Act::Publish {
            declaration: entry.hash,
            comments_until: day(before(30)),
        },
        Act::Register {
            number: "2026-7".to_owned(),
            document: Some(sha256(b"document")),
            comments_open: 0,
        },
        Act::Begin(Ready {
            limits: Some(kept.hash().unwrap()),
            stop_loss: Some(rule.rule().hash().unwrap()),
            monitoring: true,
            complaints: true,
            compensation: true,
        }),
    ];
    for (act, days) in acts.into_iter().zip([38, 20, 10]) {
        let step = Step {
            capacity: act.may()[0],
            second: act.needs_two().then(|| other.clone()),
            by: one.clone(),
            at: before(days),
            act,
        };
        trials.take_step(&trial, &step).await.unwrap();
    }
    use crate::store::Store as _;
    store.close().await;
}

async fn in_trial() -> Bank {
    Bank::open_as(journey(&COLD), IN_TRIAL, async |config: &Config| {
        begun(config).await;
    })
    .await
}

#[tokio::test]
async fn offers_are_made_within_the_limits_of_the_trial() {
    let bank = in_trial().await;
    let id = bank.offer("A-1", "4000.00").await;
    let whole = bank.json(&format!("/v1/decisions/{id}")).await;
    let room = &whole["inputs"]["sandbox"]["room"];
    assert_eq!(room["borrower"]["amount"], "6000.00");
    follows(&whole);
    assert_eq!(bank.used().await, "4000.00");
    // What is left for the borrower bounds the next offer.
    let (status, cut) = bank.post(&body("A-2", "4000.00")).await;
    assert_eq!(
        (status, &cut["outcome"]["amount"]["amount"]),
        (201, &json!("2000.00"))
    );
    let (_, none) = bank.post(&body("A-3", "4000.00")).await;
    assert_eq!(none["outcome"]["result"], "decline");
    assert_eq!(none["reasons"][0]["code"], "SANDBOX_LIMIT");
    // A refusal by an officer gives the room back.
    let mut li = bank.person("li-wei").await;
    li.decide(&id, &[("act", "refuse"), ("reason", "purpose-unclear")])
        .await;
    assert_eq!(bank.used().await, "2000.00");
    bank.close().await;
}

/// Fields of the form of limits.
fn wished(per_loan: &str) -> Vec<(&'static str, String)> {
    [
        ("users", "20"),
        ("regions", "310000"),
        ("groups", "micro"),
        ("per_loan", per_loan),
        ("per_borrower", "6000.00"),
        ("per_day", "9000.00"),
        ("outstanding", "9000.00"),
        ("concentration_bp", "10000"),
        ("tenor_days", "180"),
        ("valid_from", "2030-01-01"),
        ("reason", "more room"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

#[tokio::test]
async fn limits_are_changed_by_two_people_by_page_and_by_json() {
    let bank = in_trial().await;
    let mut zhao = bank.person("zhao-min").await;
    let page = zhao.get("/trial?lang=en").await;
    assert!(
        page.has("Running") && page.has("¥9,000.00"),
        "{}",
        page.text
    );
    let csrf = page.field("csrf");
    // As people write it.
    let mut form = wished("￥5,500");
    form.push(("csrf", csrf.clone()));
    assert_eq!(zhao.post("/trial/limits", &form).await.status, 303);
    let state = zhao.get("/v1/trial").await;
    let state: Value = serde_json::from_str(&state.text).unwrap();
    let hash = state["waiting"][0]["hash"].as_str().unwrap().to_owned();
    // The same person is refused by the form and by JSON, and nothing changes.
    let approve = format!("/trial/motions/{hash}/approve");
    let own = zhao.post(&approve, &[("csrf", csrf.clone())]).await;
    assert_eq!(own.status, 403);
    let sent = zhao
        .json(&format!("/v1{approve}"), &json!({"csrf": csrf}))
        .await;
    assert!(
        sent.status == 403 && sent.has("same-person"),
        "{}",
        sent.text
    );
    let forged = zhao
        .json(&format!("/v1{approve}"), &json!({"csrf": "0"}))
        .await;
    assert!(forged.status == 403 && forged.has("form-refused"));
    let mut wang = bank.person("wang-fang").await;
    let token = wang.get("/trial").await.field("csrf");
    let officer = wang.post(&approve, &[("csrf", token)]).await;
    assert_eq!(officer.status, 403, "an officer keeps no limits");
    let mut chen = bank.person("chen-jie").await;
    let token = chen.get("/trial").await.field("csrf");
    let agreed = chen
        .json(&format!("/v1{approve}"), &json!({"csrf": token}))
        .await;
    assert!(agreed.status == 200, "{}", agreed.text);
    let again = zhao.get("/v1/trial").await;
    let again: Value = serde_json::from_str(&again.text).unwrap();
    assert_eq!(again["waiting"], json!([]));
    let trail = zhao.get("/audit?lang=en").await;
    assert!(trail.has("tried to decide twice") && trail.has("acted on the trial"));
    let mut bad = wished("x");
    bad.push(("csrf", csrf));
    let refused = zhao.post("/trial/limits", &bad).await;
    assert!(
        refused.status == 422 && refused.has("per_loan"),
        "{}",
        refused.text
    );
    bank.close().await;
}

#[tokio::test]
async fn the_regulator_reads_the_trial_and_may_stop_it_and_nothing_else() {
    let bank = in_trial().await;
    let id = bank.offer("A-1", "4000.00").await;
    let mut jin = bank.person("jin-guan").await;
    let page = jin.get("/regulator?lang=en").await;
    assert!(
        page.status == 200 && page.has("Stop the trial"),
        "{}",
        page.text
    );
    let offer = format!("/decisions/{id}");
    for path in [
        "/reasons",
        "/audit",
        offer.as_str(),
        "/v1/decisions",
        "/v1/sandbox",
    ] {
        assert_eq!(jin.get(path).await.status, 403, "{path}");
    }
    assert_eq!(jin.get("/").await.location.as_deref(), Some("/regulator"));
    let csrf = page.field("csrf");
    let step = |act: &str, reason: &str| {
        [("act", act), ("reason", reason), ("csrf", csrf.as_str())]
            .map(|(name, value)| (name, value.to_owned()))
    };
    let suspended = jin.post("/trial/steps", &step("suspend", "why")).await;
    assert_eq!(suspended.status, 403, "the regulator stops, nothing else");
    let mut form = wished("1.00");
    form.push(("csrf", csrf.clone()));
    assert_eq!(jin.post("/trial/limits", &form).await.status, 403);
    let silent = jin.post("/trial/steps", &step("stop", " ")).await;
    assert_eq!(silent.status, 409, "a stop needs its reason");
    let stopped = jin
        .post("/trial/steps", &step("stop", "loss of users"))
        .await;
    assert_eq!(stopped.status, 303, "{}", stopped.text);
    let page = jin.get("/regulator?lang=en").await;
    assert!(page.has("Stopped") && page.has("loss of users"));
    // Nothing is lent any more, and why is said with the refusal.
    let (status, refused) = bank.post(&body("A-2", "1000.00")).await;
    assert_eq!(
        (status, &refused["limit"]),
        (409, &json!("stage")),
        "{refused}"
    );
    bank.close().await;
}
