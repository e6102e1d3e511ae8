//! The platform: two organisations with people, devices, declared events, readers and clients.

mod requests;

use std::path::PathBuf;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::routing::get;
use kit::people::factor::KeptFactor;
use kit::people::{LogInSection, ProviderSection};
use kit::routes::Routes;
use platform::command::user;
use platform::config::ReaderSection;
use schemas::disclosure::{Audience, Disclosure, Rule, SignedDisclosure};
use schemas::enrol::{Claim, Request};
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::registry::SignedRecord;
use schemas::time::Clock as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::asks;
use super::caller::{self, Caller, Callers, Shows};
use super::{Ground, none, papers, table, walk};
use crate::captures::people::{PASSWORD, account, quarantined, reported};
use crate::captures::{OTHER, Stack, TOKEN, document, reader, shipping};
use crate::world::events::inspected;
use crate::world::people::{Device, device_record, key_of, organisation_record};
use requests::{Things, requests};

/// Token of a reader to whom `qinghe` has opened its evidence.
const READER: &str = "token of a reader";
/// Token of a reader to whom `other` has.
const OTHER_READER: &str = "token of another reader";

fn readers() -> Vec<ReaderSection> {
    vec![
        reader("bank", Some(READER), "qinghe"),
        reader("other-bank", Some(OTHER_READER), "other"),
        reader("qinghe-erp", None, "qinghe"),
        reader("other-erp", None, "other"),
    ]
}

/// Routes of the verifier, which are the same in every service.
pub fn verifier() -> Vec<String> {
    let routes: Routes<()> = kit::verifier::routes();
    routes
        .list()
        .iter()
        .map(|entry| entry.path.clone())
        .collect()
}

/// A provider's description and keys: as much as a log-in asks for before it leads there.
pub async fn provider() -> String {
    let listener = kit::serve::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let description = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
    });
    let describe = move || async move { Json(description) };
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(describe))
        .route("/keys", get(|| async { Json(json!({"keys": []})) }));
    let limits = kit::serve::Limits::default();
    // It ends with the test's runtime.
    kit::serve::serve_on(listener, router, None, limits, CancellationToken::new()).unwrap();
    issuer
}

/// What a configuration says of it.
pub fn section(issuer: String) -> ProviderSection {
    ProviderSection {
        issuer,
        client_id: "tracebond".to_owned(),
        client_secret_file: None,
    }
}

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

/// Admits an organisation and a device of it, and has the device speak once; the device's login.
async fn settle(stack: &Stack, name: &str) -> Shows {
    let log = stack.handle().policy.log;
    let organisation = organisation_record(log, name, &key_of(name));
    let organisation = SignedRecord::sign(&key_of("association"), organisation);
    admit(stack, &organisation).await;
    let address = format!("{name}/line-1");
    let key = key_of(&address);
    let record = device_record(log, &address, &key, |_| ());
    let record = SignedRecord::sign(&key_of(name), record);
    admit(stack, &record).await;
    let mut device = Device::new(key, record);
    let message = device.say(&[inspected(500)]).encode();
    let sent = send(stack, "/v1/statements", message).await;
    assert!(sent < 300, "{sent}");
    let password = sha256(address.as_bytes());
    let hash = sha256(&password.0);
    let store = &stack.handle().store;
    let kept = store.put_credential(&address, &hash, None);
    kept.await.unwrap();
    Shows::Basic(address, password.to_string())
}

async fn admit(stack: &Stack, record: &SignedRecord) {
    let sent = send(stack, "/v1/registry/records", record.bytes().to_vec()).await;
    assert_eq!(sent, 201);
}

async fn send(stack: &Stack, path: &str, body: Vec<u8>) -> u16 {
    let sent = reqwest::Client::new().post(stack.url(path)).body(body);
    sent.send().await.unwrap().status().as_u16()
}

async fn things(stack: &Stack) -> Things {
    let job = stack.capture(document(&[shipping(1)]).to_string()).await;
    let statement = &stack.job(&job).await["events"][0]["statement"];
    let statement = statement.as_str().unwrap().to_owned();
    let disclosure = Disclosure {
        log: stack.handle().policy.log,
        organisation: slug("qinghe"),
        version: 1,
        prev: Hash::ZERO,
        made: stack.clock.now(),
        rules: Audience::ALL.map(hides_nothing).into(),
    };
    let signed = SignedDisclosure::sign(&key_of("qinghe"), &disclosure).unwrap();
    let taken = send(stack, "/v1/disclosure", signed.bytes().to_vec()).await;
    assert_eq!(taken, 200);
    Things {
        job,
        statement,
        quarantine: quarantined(stack, "qinghe/line-1", b"a message of qinghe").await,
        report: reported(stack, "qinghe", 1).await.to_string(),
        claim: enrolment(stack).await,
        document: *kit::verifier::SCRIPT_HASH,
    }
}

const fn hides_nothing(audience: Audience) -> Rule {
    Rule {
        audience,
        step: String::new(),
        withheld: Vec::new(),
    }
}

/// A device that has asked; the id of its claim.
async fn enrolment(stack: &Stack) -> String {
    let policy = &stack.handle().policy;
    let claim = Claim {
        tracebond: "claim/v1".to_owned(),
        address: stack.url(""),
        ca: String::new(),
        log: policy.log,
        log_key: Hash(policy.log_key.ed25519_bytes().unwrap()),
        origin: policy.origin.clone(),
        organisation: slug("qinghe"),
        claim: "0102030405060708".to_owned(),
        secret: "07".repeat(16),
    };
    let request = Request::sign(&claim, &key_of("qinghe/new"), &slug("new"), &[7; 32]);
    let sent = send(stack, "/v1/enrol", request.unwrap()).await;
    assert_eq!(sent, 202);
    claim.claim.clone()
}

async fn session(stack: &Stack, name: &str) -> Shows {
    caller::log_in(&stack.url(""), name, PASSWORD, "/organisation").await
}

async fn client(stack: &Stack, name: &str, scopes: &[&str]) -> Shows {
    let scopes = scopes.iter().map(|scope| slug(scope)).collect();
    let secret = stack
        .handle()
        .clients
        .add(&slug(name), scopes)
        .await
        .unwrap();
    caller::fetched(&stack.url(""), name, &secret).await
}

async fn close(stack: &Stack, name: &str) {
    let act = user::Act::Close {
        name: slug(name),
        closed: true,
    };
    user::run(&stack.config(), act).await.unwrap();
}

/// Whoever must come out as a stranger.
async fn strangers(stack: &Stack, live: &Shows) -> Vec<(&'static str, Shows)> {
    let url = stack.url("");
    let ended = session(stack, "li-wei").await;
    caller::log_out(&url, &ended).await;
    for (name, organisation) in [
        ("chen-jie", "qinghe"),
        ("he-yu", "qinghe"),
        ("ma-lin", "strict"),
    ] {
        account(stack, name, organisation).await;
    }
    let closed = session(stack, "chen-jie").await;
    close(stack, "chen-jie").await;
    let factor = KeptFactor {
        secret: vec![0],
        enrolled: stack.clock.now(),
        last_step: 0,
        wrong: 0,
    };
    let store = &stack.handle().store;
    let (organisation, name) = (slug("operator"), slug("he-yu"));
    let kept = store.add_factor(&organisation, &name, &factor, &[]);
    assert!(kept.await.unwrap());
    let Shows::Session { cookies, csrf } = live.clone() else {
        unreachable!("people have sessions");
    };
    let other = cookies.replace("tracebond-platform", "tracebond-credit");
    let shut = client(stack, "shut", &["capture", "evidence"]).await;
    let (clients, name) = (&stack.handle().clients, slug("shut"));
    clients.set_disabled(&name, true).await.unwrap();
    let revoked = client(stack, "revoked", &["capture", "evidence"]).await;
    vec![
        ("a session that has ended", ended),
        (
            "a session of the other service",
            Shows::Session {
                cookies: other,
                csrf,
            },
        ),
        ("half a session", session(stack, "he-yu").await),
        (
            "half a session, without a factor",
            session(stack, "ma-lin").await,
        ),
        ("a closed account", closed),
        (
            "a token with one letter changed",
            Shows::Bearer(TOKEN.replace('q', "p")),
        ),
        (
            "a token that was revoked",
            caller::revoked(&url, &revoked).await,
        ),
        ("a closed client", bearer(&shut)),
    ]
}

fn bearer(shows: &Shows) -> Shows {
    match shows {
        Shows::Client { token, .. } => Shows::Bearer(token.clone()),
        other => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_table_of_platform() {
    let log_in = LogInSection {
        second_factor: [slug("strict")].into(),
        seal_file: PathBuf::from("log-in.key"),
        provider: Some(section(provider().await)),
        ..LogInSection::default()
    };
    let stack = Stack::small().await.with(log_in, readers()).await;
    let device = settle(&stack, "qinghe").await;
    let foreign_device = settle(&stack, "other").await;
    let things = things(&stack).await;
    stack.anchored(3).await;
    account(&stack, "li-wei", "qinghe").await;
    account(&stack, "zhang-min", "other").await;
    let person = session(&stack, "li-wei").await;
    let late = client(&stack, "late", &["capture", "evidence"]).await;
    stack.clock.advance(Duration::from_secs(11 * 60));
    let mut strangers = strangers(&stack, &person).await;
    strangers.push(("a token that has run out", bearer(&late)));
    let all = ["capture", "evidence", "documents"];
    let bearer = |token: &str| Caller::new(Shows::Bearer(token.to_owned()));
    let callers = Callers::from([
        ("stranger", Caller::new(Shows::Nothing)),
        ("person", Caller::new(person)),
        (
            "foreign person",
            Caller::new(session(&stack, "zhang-min").await),
        ),
        ("reader", bearer(READER)),
        ("foreign reader", bearer(OTHER_READER)),
        ("capturer", bearer(TOKEN)),
        ("foreign capturer", bearer(OTHER)),
        ("device", Caller::new(device)),
        ("foreign device", Caller::new(foreign_device)),
        (
            "client",
            Caller::new(client(&stack, "qinghe-erp", &all).await),
        ),
        (
            "foreign client",
            Caller::new(client(&stack, "other-erp", &all).await),
        ),
        (
            "client without scope",
            Caller::new(client(&stack, "lame", &["nothing"]).await),
        ),
    ]);
    let mut asks = requests(&things);
    let size = stack.handle().store.totals().await.unwrap().log_size;
    let tile = format!("/log/tile/0/000.p/{size}");
    asks.get_at("GET /log/tile/{*name}", &tile);
    asks::of_kit(&mut asks, &verifier());
    let ground = Ground {
        url: stack.url(""),
        callers,
        strangers,
        asks,
    };
    let document = include_str!("../../platform/docs/openapi.json");
    let mut wrong = papers::differences("platform", document, &stack.handle().routes);
    wrong.extend(walk(&ground, &table("platform")).await);
    none(&wrong);
}
