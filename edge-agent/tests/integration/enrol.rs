//! Enrolment against a small platform over HTTP and over TLS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use edge_agent::enrol::{EnrolError, enrol};
use edge_agent::identity;
use edge_agent::trust::Enrolment;
use schemas::b64;
use schemas::enrol::{Claim, Request};
use schemas::hash::{Hash, sha256};
use schemas::key::SecretKey;
use schemas::registry::{Record, Role, SignedRecord};
use serde_json::{Value, json};

use crate::world::{World, slug};

/// A state directory that is not there yet.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    fn state(&self) -> std::path::PathBuf {
        self.0.path().join("state")
    }
}

/// What the organisation and the platform do wrong.
#[derive(Default, Clone, Copy, PartialEq)]
enum Wrong {
    #[default]
    Nothing,
    DraftMac,
    DraftKey,
    RecordAfterConsent,
    Registrar,
    Refusal,
    OtherKey,
}

struct Office {
    world: World,
    claim: Claim,
    wrong: Wrong,
    ca: String,
    request: Option<Request>,
    record: Option<Record>,
    admitted: bool,
}

type Shared = Arc<Mutex<Office>>;

pub fn claim(world: &World, address: &str, ca: &str) -> Claim {
    Claim {
        tracebond: "claim/v1".to_owned(),
        address: address.to_owned(),
        ca: ca.to_owned(),
        log: world.log(),
        log_key: Hash(world.log_key.public_bytes()),
        origin: world.origin.clone(),
        organisation: slug("qinghe"),
        claim: "0102030405060708".to_owned(),
        secret: "0f".repeat(16),
    }
}

fn router(office: Shared) -> Router {
    Router::new()
        .route(
            "/v1/ca",
            get(async |State(office): State<Shared>| office.lock().expect("lock").ca.clone()),
        )
        .route("/v1/enrol", post(take_request))
        .route("/v1/enrol/{claim}", get(progress))
        .route("/v1/enrol/{claim}/consent", put(take_consent))
        .with_state(office)
}

async fn take_request(State(office): State<Shared>, body: Bytes) -> StatusCode {
    let mut office = office.lock().expect("lock");
    let request = Request::parse(&body).expect("request");
    request.check(&office.claim).expect("the claim's secret");
    office.request = Some(request);
    StatusCode::ACCEPTED
}

async fn progress(State(office): State<Shared>, Path(_): Path<String>) -> Json<Value> {
    let mut office = office.lock().expect("lock");
    if office.wrong == Wrong::Refusal {
        return Json(json!({ "state": "refused", "reason": "nobody knows this gateway" }));
    }
    if office.wrong == Wrong::OtherKey {
        // Somebody else has used the claim first: the platform keeps their request.
        let other = schemas::key::SecretKey::from_seed(&[77; 32]);
        let request = Request::sign(&office.claim, &other, &slug("line-1"), &[5; 32]);
        let request = b64::encode(&request.expect("request"));
        return Json(json!({ "state": "waiting", "request": request }));
    }
    if office.admitted {
        return Json(json!({ "state": "admitted", "answer": answer(&office) }));
    }
    let record = office.record.clone().unwrap_or_else(|| draft(&office));
    office.record = Some(record.clone());
    let mut mac = office.claim.draft_mac(&record.draft()).expect("mac");
    mac.0[0] ^= u8::from(office.wrong == Wrong::DraftMac);
    Json(json!({ "state": "drafted", "draft": b64::encode(&record.draft()), "hmac": mac }))
}

fn draft(office: &Office) -> Record {
    let request = office.request.as_ref().expect("request");
    let mut record = office.world.record(
        "qinghe",
        Some("line-1"),
        &office.world.operator,
        Role::Capture,
    );
    if office.wrong != Wrong::DraftKey {
        record.key = request.key.clone();
    }
    record
}

async fn take_consent(
    State(office): State<Shared>,
    Path(_): Path<String>,
    Json(body): Json<Value>,
) -> StatusCode {
    let mut office = office.lock().expect("lock");
    let consent = b64::decode(body["consent"].as_str().expect("text")).expect("base64");
    let mut record = office.record.clone().expect("record");
    record.consent = Some(consent.try_into().expect("64 bytes"));
    office.record = Some(record);
    office.admitted = true;
    StatusCode::NO_CONTENT
}

fn answer(office: &Office) -> Value {
    let world = &office.world;
    let mut record = office.record.clone().expect("record");
    let signed = if office.wrong == Wrong::RecordAfterConsent {
        // Another record than the one consented to, consistently signed for another key.
        record.consent = None;
        record.key = world.operator.public();
        world.signed(record, &world.operator, &world.organisation)
    } else {
        SignedRecord::sign(&world.organisation, record)
            .bytes()
            .to_vec()
    };
    let (receipt, receipt_organisation) = world.receipt_records();
    let mut organisation = world.organisation_record();
    if office.wrong == Wrong::Registrar {
        let record = world.record("qinghe", None, &world.organisation, Role::Organisation);
        organisation = world.signed(record, &world.organisation, &world.operator);
    }
    let policy = schemas::log::Entry::Policy(world.policy.clone()).encode();
    json!({
        "record": b64::encode(&signed),
        "organisation_record": b64::encode(&organisation),
        "receipt_record": b64::encode(&receipt),
        "receipt_organisation_record": b64::encode(&receipt_organisation),
        "policy": b64::encode(&policy),
        "broker": "mqtt://127.0.0.1:1883",
        "ca": office.ca,
        "username": "qinghe/line-1",
    })
}

async fn office(wrong: Wrong) -> (Shared, Claim) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bind");
    let world = World::new();
    let claim = claim(
        &world,
        &format!("http://{}", listener.local_addr().expect("address")),
        "",
    );
    let office = new_office(world, &claim, wrong, String::new());
    let router = router(office.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (office, claim)
}

fn new_office(world: World, claim: &Claim, wrong: Wrong, ca: String) -> Shared {
    let (request, record, claim) = (None, None, claim.clone());
    Arc::new(Mutex::new(Office {
        world,
        claim,
        wrong,
        ca,
        request,
        record,
        admitted: false,
    }))
}

async fn try_enrol(wrong: Wrong) -> Result<Enrolment, EnrolError> {
    let (_office, claim) = office(wrong).await;
    let folder = Folder::new();
    let outcome = enrol(&folder.state(), &slug("line-1"), &claim, |_| {}).await;
    let stored = Enrolment::load(&folder.state()).expect("readable");
    assert_eq!(
        stored.is_some(),
        outcome.is_ok(),
        "nothing is stored before every check"
    );
    outcome
}

#[tokio::test]
async fn a_claim_becomes_an_enrolment_that_holds_together() {
    let (office, claim) = office(Wrong::Nothing).await;
    let folder = Folder::new();
    let mut stages = Vec::new();
    let enrolment = enrol(&folder.state(), &slug("line-1"), &claim, |stage| {
        stages.push(stage.to_owned())
    })
    .await
    .expect("enrolled");
    let key = identity::load(&folder.state())
        .expect("readable")
        .expect("key");
    assert_eq!(stages[0], format!("key {}", key.kid()));
    let trust = enrolment.trust(&key.public()).expect("trust");
    assert_eq!(trust.device.to_string(), "qinghe/line-1");
    // The platform knows the hash of the password's bytes and nothing more.
    let password: Hash = enrolment.password.parse().expect("64 hex digits");
    let request = office
        .lock()
        .expect("lock")
        .request
        .clone()
        .expect("request");
    assert_eq!(request.password_hash, sha256(&password.0));
    let again = enrol(&folder.state(), &slug("line-1"), &claim, |_| {}).await;
    assert!(matches!(again, Err(EnrolError::Already(_))));
}

#[tokio::test]
async fn drafts_and_answers_that_do_not_fit_the_claim_are_refused() {
    assert!(matches!(
        try_enrol(Wrong::DraftMac).await,
        Err(EnrolError::Claim(_))
    ));
    assert!(matches!(
        try_enrol(Wrong::DraftKey).await,
        Err(EnrolError::Draft(_))
    ));
    assert!(matches!(
        try_enrol(Wrong::RecordAfterConsent).await,
        Err(EnrolError::Draft(_))
    ));
    assert!(matches!(
        try_enrol(Wrong::Registrar).await,
        Err(EnrolError::Trust(_))
    ));
    assert!(matches!(
        try_enrol(Wrong::Refusal).await,
        Err(EnrolError::Refused(_))
    ));
    assert!(matches!(
        try_enrol(Wrong::OtherKey).await,
        Err(EnrolError::Used(_))
    ));
}

/// A CA, a server certificate under it, and the office behind TLS.
async fn tls_office() -> (Claim, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().expect("key");
    let ca = parameters.self_signed(&ca_key).expect("CA");
    let issuer = rcgen::Issuer::new(parameters, ca_key);
    let key = rcgen::KeyPair::generate().expect("key");
    let server = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .expect("parameters")
        .signed_by(&key, &issuer)
        .expect("certificate");
    let config = axum_server::tls_rustls::RustlsConfig::from_pem(
        server.pem().into_bytes(),
        key.serialize_pem().into_bytes(),
    )
    .await
    .expect("TLS");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    listener.set_nonblocking(true).expect("nonblocking");
    let address: SocketAddr = listener.local_addr().expect("address");
    let world = World::new();
    let claim = claim(
        &world,
        &format!("https://{address}"),
        &sha256(ca.der()).to_string(),
    );
    let office = new_office(world, &claim, Wrong::Nothing, ca.pem());
    let service = router(office).into_make_service();
    let serving = axum_server::from_tcp_rustls(listener, config)
        .expect("server")
        .serve(service);
    tokio::spawn(serving);
    (claim, ca.pem())
}

#[tokio::test]
async fn over_tls_only_the_ca_of_the_claim_is_believed() {
    let (claim, ca) = tls_office().await;
    let folder = Folder::new();
    let other = Claim {
        ca: sha256(b"another CA").to_string(),
        ..claim.clone()
    };
    let refused = enrol(&folder.state(), &slug("line-1"), &other, |_| {}).await;
    assert!(matches!(refused, Err(EnrolError::Ca { .. })), "{refused:?}");
    let enrolment = enrol(&folder.state(), &slug("line-1"), &claim, |_| {})
        .await
        .expect("enrolled");
    assert_eq!(enrolment.ca, ca);
}

/// A claim comes as a file, as the text of its QR code, or on standard input; what is none is
/// refused with what is wrong, and nothing is made.
#[tokio::test]
async fn a_claim_comes_as_file_text_or_standard_input() {
    use edge_agent::enrol::read_claim;
    use tokio::io::AsyncWriteExt;
    let world = World::new();
    let claim = claim(&world, "http://127.0.0.1:1", "");
    let text = serde_json::to_string(&claim).expect("json");
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("claim.json");
    std::fs::write(&file, format!("\u{feff}{text}\r\n")).expect("written");
    assert_eq!(read_claim(&text).expect("text"), claim);
    assert_eq!(
        read_claim(file.to_str().expect("path")).expect("file"),
        claim
    );

    let state = folder.path().join("state");
    let config = folder.path().join("edge-agent.toml");
    std::fs::write(
        &config,
        format!("state = {state:?}\n[device]\nname = \"line-1\"\n"),
    )
    .expect("written");
    let enrol = async |input: &str| {
        let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_edge-agent"))
            .args(["enrol", "-", "--config"])
            .arg(&config)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("started");
        let mut stdin = child.stdin.take().expect("stdin");
        stdin.write_all(input.as_bytes()).await.expect("written");
        drop(stdin);
        let output = child.wait_with_output().await.expect("ended");
        assert!(!output.status.success());
        String::from_utf8(output.stderr).expect("text")
    };
    let other_log = text.replace(&claim.log.to_string(), &"00".repeat(32));
    for (input, word) in [
        ("", "form"),
        (&other_log, "log id"),
        (&"x".repeat(9_000), "length"),
    ] {
        let said = enrol(input).await;
        assert!(said.contains("claim's") && said.contains(word), "{said}");
    }
    assert!(!state.exists(), "nothing is made for a claim that is none");
    // A good one gets as far as the platform, which is not there.
    let said = enrol(&text).await;
    assert!(said.contains("cannot be asked"), "{said}");
}

/// A configuration or a state directory that came from another device.
#[tokio::test]
async fn a_configuration_of_another_device_is_refused_and_changes_nothing() {
    let folder = Folder::new();
    let world = World::new();
    world.enrol(&folder.state(), "mqtt://127.0.0.1:1");
    let config = |name: &str| {
        let text = format!(
            "state = {:?}\n[device]\nname = \"{name}\"\n",
            folder.state()
        );
        edge_agent::Config::parse("config", &text).expect("config")
    };
    let clock = std::sync::Arc::new(edge_agent::SystemClock);
    let shutdown = tokio_util::sync::CancellationToken::new();
    let other = edge_agent::run(config("line-2"), clock.clone(), shutdown.clone()).await;
    let error = other.err().expect("refused");
    assert!(
        matches!(error, edge_agent::RunError::OtherDevice { .. }),
        "{error}"
    );
    let own = edge_agent::run(config("line-1"), clock, shutdown.clone()).await;
    shutdown.cancel();
    own.expect("started").join().await.expect("ended");
}

#[test]
fn an_enrolment_remembers_the_keys_of_those_before_it() {
    let device = SecretKey::from_seed(&[77; 32]);
    let enrolment = |receipt: u8| {
        let mut world = World::new();
        world.receipt = SecretKey::from_seed(&[receipt; 32]);
        world.enrolment(&device, "mqtt://127.0.0.1:1")
    };
    let mut newest = enrolment(1);
    for receipt in [1, 2, 2, 3] {
        let before = std::mem::replace(&mut newest, enrolment(receipt));
        newest.succeed(&before);
    }
    let trust = newest.trust(&device.public()).expect("trust");
    let key = |seed: u8| SecretKey::from_seed(&[seed; 32]).public();
    assert_eq!(trust.receipt_key, key(3));
    assert_eq!(trust.former_receipt_keys, [key(1), key(2)]);
    assert_eq!(trust.former.len(), 4);
    newest.former_receipts = vec![newest.record.clone()];
    let refused = newest.trust(&device.public()).expect_err("no receipt key");
    assert!(refused.to_string().contains("former_receipts"), "{refused}");
}
