mod case;
mod desk;
mod desk_work;
mod loans;
mod models;
mod my;
mod pledges;
mod samples;
mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemas::hash::sha256;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::desk::Role;
use crate::evidence::{EvidenceError, EvidencePack, InProcess};
use crate::facts::Facts;
use crate::loan::{Inputs, Record};
use crate::score::Model;
use crate::testing::*;

/// Everybody's password.
const PASSWORD: &str = "a long pass phrase";
/// The portal's token.
const TOKEN: &str = "the portal's own";

/// A bank with a supplier's evidence, its people, and a client of it.
struct Bank {
    base: String,
    client: reqwest::Client,
    handle: crate::Handle,
    clock: Arc<MovedClock>,
    shutdown: CancellationToken,
    folder: tempfile::TempDir,
}

impl Bank {
    async fn open(world: World) -> Self {
        Self::open_as(world, CONFIG, async |_: &Config| ()).await
    }

    /// With another configuration, and what was decided before it opened.
    async fn open_as(mut world: World, text: &str, prepare: impl AsyncFnOnce(&Config)) -> Self {
        let bundle = world.pack(at(23, 0));
        let evidence = InProcess::new(move |organisation| {
            let bundle = bundle.clone();
            Box::pin(async move {
                match organisation.as_str() {
                    "qinghe" => Ok(EvidencePack { bundle }),
                    "broken" => Ok(EvidencePack {
                        bundle: b"{}".to_vec(),
                    }),
                    "away" => Err(EvidenceError::Unreachable("no route".to_owned())),
                    _ => Err(EvidenceError::Unknown(organisation)),
                }
            })
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.json"), world.policy_file()).unwrap();
        crate::desk::sealed::load_or_make_key(&folder.path().join("export.key")).unwrap();
        let file = folder.path().join("credit.toml");
        let token = sha256(TOKEN.as_bytes());
        std::fs::write(
            &file,
            format!("{text}\n[[machines]]\nname = \"portal\"\ntoken_sha256 = \"{token}\"\n"),
        )
        .unwrap();
        std::fs::write(folder.path().join("declaration.toml"), trial::DECLARATION).unwrap();
        let config = Config::load(&file).unwrap();
        prepare(&config).await;
        let shutdown = CancellationToken::new();
        let clock = Arc::new(MovedClock(std::sync::Mutex::new(at(24, 0))));
        let handle = crate::run(config, Arc::new(evidence), clock.clone(), shutdown.clone())
            .await
            .unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let bank = Self {
            base: format!("http://{}", handle.address),
            client: client.build().unwrap(),
            handle,
            clock,
            shutdown,
            folder,
        };
        for (name, role) in [
            ("li-wei", Role::Officer),
            ("wang-fang", Role::Officer),
            ("zhao-min", Role::Supervisor),
            ("sun-li", Role::Auditor),
            ("chen-jie", Role::Supervisor),
            ("jin-guan", Role::Regulator),
        ] {
            bank.handle
                .accounts
                .add("test", &slug(name), role, PASSWORD)
                .await
                .unwrap();
        }
        bank
    }

    async fn post(&self, body: &Value) -> (u16, Value) {
        let url = format!("{}/v1/applications", self.base);
        // A key of its own for every request: what is asked here is the use case's own answer.
        let key = schemas::random::bytes::<16>().map(u128::from_be_bytes);
        let request = self.client.post(url).bearer_auth(TOKEN).json(body);
        let request = request.header("idempotency-key", format!("\"{:x}\"", key.unwrap()));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// An application that becomes an offer; the id of its decision.
    async fn offer(&self, id: &str, amount: &str) -> String {
        let (status, decision) = self.post(&body(id, amount)).await;
        assert_eq!(
            (status, &decision["outcome"]["result"]),
            (201, &json!("offer")),
            "{decision}"
        );
        decision["decision_id"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let request = self
            .client
            .get(format!("{}{path}", self.base))
            .bearer_auth(TOKEN);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await.1).unwrap()
    }

    async fn used(&self) -> String {
        self.json("/v1/sandbox").await["used"]["amount"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Somebody's browser, logged in.
    async fn person(&self, name: &str) -> Person<'_> {
        let mut person = Person {
            bank: self,
            cookies: BTreeMap::new(),
        };
        let page = person.get("/login?lang=en").await;
        let form = [
            ("csrf", page.field("csrf")),
            ("next", "/".into()),
            ("name", name.into()),
            ("password", PASSWORD.into()),
        ];
        let answer = person.post("/login", &form).await;
        assert_eq!(
            (answer.status, answer.location.as_deref()),
            (303, Some("/")),
            "{}",
            answer.text
        );
        person
    }

    async fn close(self) {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.handle.join)
            .await
            .unwrap()
            .unwrap();
    }
}

/// What a browser was answered.
#[derive(Clone)]
struct Page {
    status: u16,
    location: Option<String>,
    headers: reqwest::header::HeaderMap,
    bytes: Vec<u8>,
    text: String,
}

impl Page {
    /// The value of the first hidden field of this name.
    fn field(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let (_, rest) = self
            .text
            .split_once(&mark)
            .unwrap_or_else(|| panic!("no {name} in {}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }

    fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }
}

/// A browser with its cookies.
struct Person<'b> {
    bank: &'b Bank,
    cookies: BTreeMap<String, String>,
}

impl Person<'_> {
    async fn ask(&mut self, request: reqwest::RequestBuilder) -> Page {
        self.ask_for("text/html", request).await
    }

    /// Sends JSON as a program in this browser would.
    async fn json(&mut self, path: &str, body: &Value) -> Page {
        let request = self.bank.client.post(format!("{}{path}", self.bank.base));
        self.ask_for("application/json", request.json(body)).await
    }

    async fn ask_for(&mut self, accept: &str, request: reqwest::RequestBuilder) -> Page {
        let pairs = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let request = request
            .header("cookie", pairs.collect::<Vec<_>>().join("; "))
            .header("accept", accept)
            .header("origin", &self.bank.base);
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies
                .insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
        }
        let location = answer
            .headers()
            .get("location")
            .map(|value| value.to_str().unwrap().to_owned());
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.unwrap().to_vec();
        Page {
            status,
            location,
            headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
        }
    }

    async fn get(&mut self, path: &str) -> Page {
        let request = self.bank.client.get(format!("{}{path}", self.bank.base));
        self.ask(request).await
    }

    async fn post(&mut self, path: &str, form: &[(&str, String)]) -> Page {
        let pairs = form
            .iter()
            .map(|(name, value)| format!("{name}={}", kit::page::query_value(value)));
        let request = self.bank.client.post(format!("{}{path}", self.bank.base));
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(pairs.collect::<Vec<_>>().join("&"));
        self.ask(request).await
    }

    /// Sends a form beside an offer, with the token of its page and, where one is needed, a key.
    async fn beside(&mut self, id: &str, form: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.get(&format!("/decisions/{id}")).await;
        let mut all = vec![("csrf", page.field("csrf"))];
        let fields = fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        all.extend(fields);
        self.post(&format!("/decisions/{id}/{form}"), &all).await
    }

    /// Uploads a file as a browser does.
    async fn upload(&mut self, id: &str, csrf: &str, name: &str, content: &[u8]) -> Page {
        let mut body = format!(
            "--XyZ\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n--XyZ\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n--XyZ--\r\n");
        let url = format!("{}/decisions/{id}/documents", self.bank.base);
        let request = self.bank.client.post(url).body(body);
        self.ask(request.header("content-type", "multipart/form-data; boundary=XyZ"))
            .await
    }

    /// Presses a button of an offer's page as it is now.
    async fn decide(&mut self, id: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.get(&format!("/decisions/{id}")).await;
        let form = [
            ("csrf", page.field("csrf")),
            ("version", page.field("version")),
        ];
        self.send(id, &form, fields).await
    }

    async fn send(&mut self, id: &str, form: &[(&str, String)], fields: &[(&str, &str)]) -> Page {
        let fields = fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let form: Vec<_> = form.iter().cloned().chain(fields).collect();
        self.post(&format!("/decisions/{id}/review"), &form).await
    }
}

const CONFIG: &str = r#"
listen = "127.0.0.1:0"
database = "credit.sqlite"
policy = "policy.json"
event_page = "https://trace.example/events/{leaf}"

[consent]
waived = "a test without signed consents"

[sandbox]
id = "trial-1"
version = 1
currency = "CNY"
per_loan = "5000.00"
outstanding = "9000.00"

[desk]
second_officer_above = { amount = "4500.00", currency = "CNY" }
offer_valid_h = 24
second_officer_within_h = 2
export_key = "export.key"

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
async fn an_application_becomes_an_offer_that_a_machine_can_look_up() {
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
    assert_eq!(whole["inputs"]["format"], "decision-inputs/v4");
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
        beside: crate::loan::Beside::default(),
    };
    record.explain(&Model::built_in().unwrap()).unwrap();
}

#[tokio::test]
async fn bad_applications_are_problems_that_say_what_is_wrong() {
    let bank = Bank::open(journey(&COLD)).await;
    let ends = |answer: &(u16, Value)| {
        let kind = answer.1["type"].as_str().unwrap();
        (answer.0, kind.rsplit('/').next().unwrap().to_owned())
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
    let large = json!({ "application_id": "x".repeat(200_000) });
    assert_eq!(ends(&bank.post(&large).await), refused(413, "too-large"));
    bank.post(&body("A-1", "4000.00")).await;
    assert_eq!(
        ends(&bank.post(&body("A-1", "4100.00")).await),
        refused(409, "application-conflict")
    );
    assert_eq!(bank.get("/v1/decisions/nothing").await.0, 404);
    bank.close().await;
}

#[tokio::test]
async fn the_model_of_late_delivery_is_shown_inside_only() {
    let bank = Bank::open(journey(&COLD)).await;
    let mut li = bank.person("li-wei").await;
    let before = li.get("/models/late-delivery").await;
    assert!(before.status == 200 && before.has("was not evaluated"));
    assert_eq!(bank.get("/v1/models/late-delivery").await.0, 404);
    let suppliers = [slug("qinghe")];
    let found = bank
        .handle
        .credit
        .evaluate_late_deliveries(&suppliers)
        .await;
    assert_eq!(found.unwrap().evaluation.suppliers[0].at_end.known, 0);
    let shown = bank.json("/v1/models/late-delivery").await;
    assert_eq!(shown["suppliers"][0]["supplier"], "qinghe");
    let after = li.get("/models/late-delivery").await;
    assert!(after.has("qinghe") && after.has("Insufficient evidence"));
    let stranger = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let url = format!("{}/models/late-delivery", bank.base);
    let answer = stranger.get(url).send().await.unwrap();
    assert!(!answer.status().is_success());
    bank.close().await;
}
