//! Declared events over the EPCIS capture interface: the whole way of the published examples, what
//! happens when something is sent twice or by several at once, and what is refused.

mod checked;
mod keytool;
pub mod people;
mod refused;
mod rotation;
mod story;
mod together;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kit::people::LogInSection;
use platform::config::{
    AnchorSection, BrokerSection, CapturerSection, Config, PartySection, ReaderSection,
};
use platform::service::{self, Handle};
use reqwest::{Client, RequestBuilder, Response};
use schemas::hash::{Hash, sha256};
use schemas::ids::Origin;
use schemas::registry::SignedRecord;
use schemas::time::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::world::clock::HandClock;
use crate::world::people::{key_of, party};
use crate::world::witnesses::Witnesses;

/// Long enough for everything here on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
/// Token of the capturer `qinghe-erp`.
pub const TOKEN: &str = "token of qinghe";
/// Token of the capturer `other-erp`.
pub const OTHER: &str = "token of another organisation";
/// A place that `qinghe-erp` may declare.
pub const PLACE: &str = "https://id.gs1.org/414/9521001000017";

/// A whole platform with two capturers.
pub struct Stack {
    folder: TempDir,
    /// Moved by the test, and by whatever sleeps.
    pub clock: Arc<HandClock>,
    witnesses: Witnesses,
    handle: Option<Handle>,
    http: Client,
    /// What goes beyond passwords.
    log_in: Option<LogInSection>,
    readers: Vec<ReaderSection>,
    allowed: (Vec<String>, Vec<String>),
    running: Option<DropGuard>,
}

impl Stack {
    /// Starts it and has the operator admitted; `qinghe-erp` may declare these places and steps.
    async fn start(places: Vec<String>, steps: Vec<String>) -> Self {
        platform::tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(HandClock::morning());
        let keys = platform::keys::Keys::load_or_make(&folder.path().join("data/keys")).unwrap();
        let witnesses = Witnesses::start(folder.path(), &origin(), &keys.log, &clock).await;
        let mut stack = Self {
            folder,
            clock,
            witnesses,
            handle: None,
            http: Client::new(),
            log_in: None,
            readers: vec![reader("bank", Some(TOKEN), "qinghe")],
            allowed: (places, steps),
            running: None,
        };
        stack.run().await;
        let record = stack.handle().operator.own_record();
        let signed = SignedRecord::sign(&key_of("association"), record);
        let url = format!("{}/v1/registry/records", stack.handle().url);
        let answer = stack.http.post(url).body(signed.bytes().to_vec()).send();
        assert_eq!(answer.await.unwrap().status(), 201);
        stack
    }

    /// Its people log in, and its readers are, as this says from now on.
    pub async fn with(mut self, log_in: LogInSection, readers: Vec<ReaderSection>) -> Self {
        self.log_in = Some(log_in);
        self.readers = readers;
        self.restart().await;
        self
    }

    /// The small world of most tests.
    pub async fn small() -> Self {
        let steps = ["shipping", "receiving"].map(str::to_owned);
        Self::start(vec![PLACE.into()], steps.into()).await
    }

    /// What runs.
    pub fn handle(&self) -> &Handle {
        self.handle.as_ref().unwrap()
    }

    async fn run(&mut self) {
        let shutdown = CancellationToken::new();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let handle = service::run(self.config(), clock, shutdown.clone()).await;
        self.handle = Some(handle.unwrap());
        self.running = Some(shutdown.drop_guard());
    }

    /// Ends it in order and starts it again, with other permissions if the test has changed them.
    async fn restart(&mut self) {
        drop(self.running.take());
        self.handle.take().unwrap().join().await;
        self.run().await;
    }

    /// What it runs with.
    pub fn config(&self) -> Config {
        let capturer = |name: &str, organisation: &str, token: &str| CapturerSection {
            name: name.parse().unwrap(),
            organisation: organisation.parse().unwrap(),
            token_sha256: Some(sha256(token.as_bytes())),
            places: self.allowed.0.clone(),
            steps: self.allowed.1.clone(),
        };
        Config {
            retention: Default::default(),
            origin: origin(),
            data: self.folder.path().join("data"),
            database: None,
            eraser: None,
            owner: None,
            organisation: "operator".parse().unwrap(),
            public_url: None,
            metrics: Some(([127, 0, 0, 1], 0).into()),
            logs: Default::default(),
            listen: ([127, 0, 0, 1], 0).into(),
            tls: false,
            names: vec!["127.0.0.1".into()],
            broker: BrokerSection::default(),
            ingest: Default::default(),
            anchor: AnchorSection {
                batch_ms: 50,
                ..AnchorSection::default()
            },
            witness_policy: None,
            quorum: 3,
            log_key: "log".into(),
            witnesses: self.witnesses.sections(),
            registrars: vec![PartySection {
                name: "association".into(),
                key: Hash(party("association").key.ed25519_bytes().unwrap()),
            }],
            readers: self.readers.clone(),
            capturers: vec![
                capturer("qinghe-erp", "qinghe", TOKEN),
                capturer("other-erp", "other", OTHER),
            ],
            log_in: self.log_in.clone(),
            names_on_pages: Vec::new(),
        }
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.handle().url)
    }

    /// A document as `application/ld+json` with this token.
    fn post(&self, token: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let request = self.http.post(self.url("/capture")).bearer_auth(token);
        let request = request.header("content-type", "application/ld+json");
        request.body(body)
    }

    /// Posts a document that is taken; the job's path.
    pub async fn capture(&self, body: impl Into<reqwest::Body>) -> String {
        let answer = self.post(TOKEN, body).send().await.unwrap();
        location(answer).await
    }

    async fn get(&self, token: &str, path: &str) -> Response {
        let request = self.http.get(self.url(path)).bearer_auth(token);
        request.send().await.unwrap()
    }

    pub async fn job(&self, path: &str) -> Value {
        let answer = self.get(TOKEN, path).await;
        assert_eq!(answer.status(), 200, "{path}");
        json_of(answer).await
    }

    /// Events of a job, as signed with their record time.
    async fn events(&self, path: &str) -> Vec<Value> {
        let answer = self.get(TOKEN, &format!("{path}/events")).await;
        let document = json_of(answer).await;
        let list = &document["epcisBody"]["queryResults"]["resultsBody"]["eventList"];
        list.as_array().unwrap().clone()
    }

    /// Waits until this many accepted events are in batches.
    pub async fn anchored(&self, events: u64) {
        let until = Instant::now() + DEADLINE;
        loop {
            let totals = self.handle().store.totals().await.unwrap();
            if totals.anchored == events && self.newest_size().await == totals.log_size {
                return;
            }
            assert!(Instant::now() < until, "{totals:?}");
            tokio::task::yield_now().await;
        }
    }

    async fn newest_size(&self) -> u64 {
        let newest = self.handle().store.newest_checkpoint().await.unwrap();
        newest.map_or(0, |newest| newest.size)
    }
}

/// A reader to whom an organisation has opened its evidence; without a token, a client.
pub fn reader(name: &str, token: Option<&str>, organisation: &str) -> ReaderSection {
    ReaderSection {
        name: name.into(),
        token_sha256: token.map(|token| sha256(token.as_bytes())),
        organisations: vec![organisation.parse().unwrap()],
        unsigned_consent: true,
        audience: schemas::disclosure::Audience::Bank,
        documents: organisation == "qinghe",
    }
}

fn origin() -> Origin {
    "log.example.org/captures".parse().unwrap()
}

async fn location(answer: Response) -> String {
    let (status, headers) = (answer.status(), answer.headers().clone());
    assert_eq!(status, 202, "{}", answer.text().await.unwrap());
    headers["location"].to_str().unwrap().to_owned()
}

async fn json_of(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// A document of these events.
pub fn document(events: &[Value]) -> Value {
    json!({
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-07-11T05:00:00Z",
        "epcisBody": {"eventList": events},
    })
}

/// A shipping of one serial number.
pub fn shipping(serial: u64) -> Value {
    json!({
        "type": "ObjectEvent",
        "eventTime": "2026-07-11T05:30:00+08:00",
        "eventTimeZoneOffset": "+08:00",
        "action": "OBSERVE",
        "bizStep": "shipping",
        "epcList": [format!("https://id.gs1.org/01/09521001000017/21/{serial}")],
        "readPoint": {"id": PLACE},
    })
}

/// A folder of the fixtures; where they are missing that is said, and in CI it fails.
fn fixtures(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TRACEBOND_FIXTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let missing = folder.display();
    assert!(std::env::var_os("CI").is_none(), "no fixtures at {missing}");
    println!("SKIPPED: no fixtures at {missing}");
    None
}
