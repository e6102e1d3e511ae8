use std::sync::Arc;
use std::time::Duration;

use kit::negotiate::Language;
use schemas::event::Source;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::pages::{samples, view, words};
use crate::config::Config;
use crate::evidence::{EvidencePack, InProcess};
use crate::facts::Facts;
use crate::loan::{Inputs, Record, decide};
use crate::sandbox::Sandbox;
use crate::score::Model;
use crate::testing::*;

/// A bank with a supplier's evidence, and a client of it.
struct Bank {
    base: String,
    client: reqwest::Client,
    shutdown: CancellationToken,
    join: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Bank {
    async fn open(mut world: World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.json"), world.policy_file()).unwrap();
        let file = folder.path().join("credit.toml");
        std::fs::write(&file, CONFIG).unwrap();
        let config = Config::load(&file).unwrap();
        let bundle = world.pack(at(23, 0));
        let evidence = InProcess::new(move |_| {
            let bundle = bundle.clone();
            Box::pin(async move { Ok(EvidencePack { bundle }) })
        });
        let shutdown = CancellationToken::new();
        let clock = Arc::new(StoppedClock(at(24, 0)));
        let handle = crate::run(config, Arc::new(evidence), clock, shutdown.clone())
            .await
            .unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::new();
        let base = format!("http://{}", handle.address);
        Self {
            base,
            client,
            shutdown,
            join: handle.join,
            _folder: folder,
        }
    }

    async fn post(&self, body: &Value) -> (u16, Value) {
        let url = format!("{}/v1/applications", self.base);
        let answer = self.client.post(url).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let request = self.client.get(format!("{}{path}", self.base));
        let answer = request
            .header("accept", "text/html,application/json")
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await.1).unwrap()
    }

    async fn close(self) {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.join)
            .await
            .unwrap()
            .unwrap();
    }
}

const CONFIG: &str = r#"
listen = "127.0.0.1:0"
database = "credit.sqlite"
policy = "policy.json"
event_page = "https://trace.example/events/{leaf}"

[sandbox]
id = "trial-1"
version = 1
currency = "CNY"
per_loan = "5000.00"
outstanding = "9000.00"

[[products]]
id = "receivable-90"
currency = "CNY"
minimum = "100.00"
cap = "300000.00"
turnover_multiple = "0.6"
"#;

fn body(id: &str, amount: &str) -> Value {
    json!({
        "application_id": id, "supplier": "qinghe", "product": "receivable-90",
        "amount": amount, "currency": "CNY",
    })
}

#[tokio::test]
async fn an_application_becomes_an_offer_that_everybody_can_look_up() {
    let bank = Bank::open(journey(&COLD)).await;
    let (status, decision) = bank.post(&body("A-1", "4000.00")).await;
    assert_eq!(
        (status, &decision["outcome"]["result"]),
        (201, &json!("offer"))
    );
    assert_eq!(
        decision["outcome"]["amount"],
        json!({"amount": "4000.00", "currency": "CNY"})
    );
    let (again, same) = bank.post(&body("A-1", "4000.00")).await;
    assert_eq!((again, &same), (200, &decision));
    let id = decision["decision_id"].as_str().unwrap();
    let whole = bank.json(&format!("/v1/decisions/{id}")).await;
    assert_eq!(whole["decision"], decision);
    assert_eq!(whole["facts"]["volume"]["turnover_fen"]["CNY"], 1_200_000);
    assert_eq!(whole["inputs"]["sandbox"]["limits"]["version"], 1);
    follows(&whole);
    assert_eq!(bank.json("/v1/decisions").await, json!([decision]));
    let sandbox = bank.json("/v1/sandbox").await;
    assert_eq!(sandbox["used"]["amount"], "4000.00");
    assert_eq!(sandbox["free"]["amount"], "5000.00");
    bank.close().await;
}

/// What is answered is enough to decide again.
fn follows(kept: &Value) {
    let inputs: Inputs = serde_json::from_value(kept["inputs"].clone()).unwrap();
    let facts: Facts = serde_json::from_value(kept["facts"].clone()).unwrap();
    let record = Record {
        decision: serde_json::from_value(kept["decision"].clone()).unwrap(),
        inputs: serde_json::to_vec(&inputs).unwrap(),
        facts: facts.to_bytes().unwrap(),
    };
    record.explain(&Model::built_in().unwrap()).unwrap();
}

#[tokio::test]
async fn bad_applications_are_problems_that_say_what_is_wrong() {
    let bank = Bank::open(journey(&COLD)).await;
    let ends = |answer: &(u16, Value)| {
        let kind = answer.1["type"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned();
        (answer.0, kind)
    };
    let refused = |status: u16, kind: &str| (status, kind.to_owned());
    for amount in ["-1.00", "99999999999999.00", "12", "1e9"] {
        let answer = bank.post(&body("A-1", amount)).await;
        assert_eq!(ends(&answer), refused(422, "amount-refused"), "{amount}");
    }
    let mut euro = body("A-1", "4000.00");
    euro["currency"] = json!("EUR");
    assert_eq!(
        ends(&bank.post(&euro).await),
        refused(422, "amount-refused")
    );
    let mut unknown = body("A-1", "4000.00");
    unknown["product"] = json!("overdraft");
    assert_eq!(
        ends(&bank.post(&unknown).await),
        refused(422, "unknown-product")
    );
    assert_eq!(
        ends(&bank.post(&body("a b", "1.00")).await),
        refused(400, "bad-request")
    );
    let mut extra = body("A-1", "4000.00");
    extra["rate"] = json!(1);
    assert_eq!(ends(&bank.post(&extra).await), refused(400, "bad-request"));
    let large = json!({ "application_id": "x".repeat(20_000) });
    assert_eq!(ends(&bank.post(&large).await), refused(413, "too-large"));
    bank.post(&body("A-1", "4000.00")).await;
    assert_eq!(
        ends(&bank.post(&body("A-1", "4100.00")).await),
        refused(409, "application-conflict")
    );
    let (status, _) = bank.get("/v1/decisions/nothing").await;
    assert_eq!(status, 404);
    bank.close().await;
}

#[tokio::test]
async fn the_pages_speak_both_languages_and_link_to_the_evidence() {
    let bank = Bank::open(journey(&WARM)).await;
    assert!(
        bank.get("/?lang=en")
            .await
            .1
            .contains("No application has been decided yet")
    );
    let (_, decision) = bank.post(&body("A-1", "4000.00")).await;
    let id = decision["decision_id"].as_str().unwrap();
    let (status, page) = bank.get(&format!("/decisions/{id}?lang=en")).await;
    assert_eq!(status, 200);
    for text in [
        "Declined",
        "outside their temperature limits",
        "COLD_CHAIN_EXCURSION",
        "at the farthest 9.4 °C",
        "30 minutes",
        "What this does not prove",
        "https://trace.example/events/",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let (_, page) = bank.get(&format!("/decisions/{id}?lang=zh-CN")).await;
    assert!(page.contains("不予授信") && page.contains("lang=\"zh-CN\""));
    assert!(!page.contains("style="));
    assert!(bank.get("/?lang=zh-CN").await.1.contains("qinghe"));
    assert_eq!(bank.get("/decisions/nothing").await.0, 404);
    assert!(bank.get("/assets/credit.css").await.1.contains("--info"));
    bank.close().await;
}

/// Every kind of decision in every language.
#[test]
fn every_sample_renders_in_every_language() {
    let mut gaps = journey(&COLD);
    gaps.swallow("qinghe/line-1");
    gaps.say(
        "qinghe/line-1",
        at(13, 0),
        &[(Source::Scan, commissioning(at(13, 0), LOT))],
    );
    let mut bare = World::new(&DEVICES);
    bare.say(
        "market/dock-1",
        at(1, 0),
        &[(Source::Scan, receiving(at(1, 0), PALLET))],
    );
    let mut replay = World::with_origin("log.test/replay", &DEVICES);
    tell_journey(&mut replay, &COLD);
    let model = Model::built_in().unwrap();
    let used = crate::money::Money::zero(crate::money::Currency::CNY);
    for mut world in [journey(&COLD), journey(&WARM), gaps, bare, replay] {
        let facts = facts_of(&mut world);
        let sandbox = Sandbox {
            limits: limits(1, "5000.00", "9000.00"),
            used,
        };
        let policy = world.trusted().hash();
        let record = decide(
            &application("A-1", "9000.00"),
            &facts,
            policy,
            &model,
            &product(),
            &sandbox,
            at(24, 0),
        );
        let decision = record.unwrap().decision;
        for language in Language::ALL {
            let view = view::decision(&decision, &facts, words::of(language), None);
            let page = samples::render(language, view);
            assert!(page.contains(words::of(language).not_proven));
            assert_eq!(page.contains(words::of(language).replay), decision.replay);
        }
    }
}
