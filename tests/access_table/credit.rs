//! The bank: an offer that became a loan, a trial with a report, its people, machines and clients, and
//! a second bank in the same tables.

mod asked;
mod loans;
mod trial;

use std::sync::Arc;
use std::time::Duration;

use credit::Handle;
use credit::desk::Role;
use credit::evidence::{EvidenceError, EvidencePack, InProcess};
use credit::loan::Application;
use credit::money::Money;
use credit::pledge::invoice::Typed;
use credit::pledge::office::{Asked, Collateral};
use credit::pledge::value::PriceSource;
use kit::people::factor::KeptFactor;
use schemas::hash::sha256;
use schemas::ids::Slug;
use schemas::log::PolicyFile;
use schemas::time::Clock;
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::asked::{of_borrowers, of_models, of_pledges};
use super::asks::{self, Asks, Body};
use super::caller::{self, Caller, Callers, Shows};
use super::clock::RunningClock;
use super::{Ground, none, papers, table, walk};
use crate::browser::desk::supplier;
use crate::world::{World, scorecards};

/// Everybody's password.
pub const PASSWORD: &str = "a long pass phrase";
const TOKEN: &str = "the portal's own";
/// A document beside the offer.
const DOCUMENT: &[u8] = b"walked\n";

const CONFIG: &str = r#"
listen = "127.0.0.1:0"
database = "credit.sqlite"
policy = "policy.json"

[consent]
waived = "a test without signed consents"

[[products]]
id = "receivable-confirming"
currency = "CNY"
minimum = "1000.00"
cap = "300000.00"
turnover_multiple = "2"
"#;

/// By what is lent. No core of a bank is named: nothing is ever paid here.
fn lending() -> String {
    let products = concat!(env!("CARGO_MANIFEST_DIR"), "/../credit/products");
    format!(
        "[lending]\nproducts = [\"{products}/receivable-confirming.toml\"]\n\
         calendars = [\"{products}/calendars/cn.toml\"]\n"
    )
}

/// A running bank.
pub struct Bank {
    /// What runs.
    pub handle: Handle,
    /// Runs, and is moved by the test.
    pub clock: Arc<RunningClock>,
    _running: DropGuard,
}

impl Bank {
    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.handle.address)
    }

    /// The bank of this name over the database in the folder.
    pub async fn open(world: &World, folder: &std::path::Path, name: &str, more: &str) -> Self {
        let bundle = world
            .bundler()
            .evidence(&slug("qinghe"))
            .await
            .unwrap()
            .bytes;
        let evidence = InProcess::new(move |organisation: Slug| {
            let bundle = bundle.clone();
            Box::pin(async move {
                match organisation.as_str() {
                    "qinghe" => Ok(EvidencePack { bundle }),
                    _ => Err(EvidenceError::Unknown(organisation)),
                }
            })
        });
        let file = folder.join(format!("{name}.toml"));
        let (trial, lending) = (crate::trials::SECTIONS, lending());
        let text =
            format!("{CONFIG}\n{trial}\n{lending}\n[desk]\norganisation = \"{name}\"\n{more}");
        std::fs::write(&file, text).unwrap();
        let config = credit::Config::load(&file).unwrap();
        let shutdown = CancellationToken::new();
        let clock = Arc::new(RunningClock::from(world.clock.now()));
        let own = Arc::clone(&clock) as Arc<dyn Clock>;
        let handle = credit::run(config, Arc::new(evidence), own, shutdown.clone());
        Self {
            handle: handle.await.unwrap(),
            clock,
            _running: shutdown.drop_guard(),
        }
    }

    /// Makes an account.
    pub async fn hire(&self, name: &str, role: Role) {
        let (accounts, name) = (&self.handle.accounts, slug(name));
        accounts.add("test", &name, role, PASSWORD).await.unwrap();
    }

    async fn session(&self, name: &str) -> Shows {
        caller::log_in(&self.url(), name, PASSWORD, "/").await
    }

    /// The regulator's first page is their own.
    async fn regulator(&self, name: &str) -> Shows {
        caller::log_in(&self.url(), name, PASSWORD, "/regulator").await
    }

    /// Makes an account of a supplier's person, and logs in.
    async fn borrower(&self, name: &str, supplier: &str) -> Shows {
        let (who, supplier) = (slug(name), slug(supplier));
        let accounts = &self.handle.accounts;
        let made = accounts.add_borrower("test", &who, &supplier, PASSWORD);
        made.await.unwrap();
        caller::log_in(&self.url(), name, PASSWORD, "/my").await
    }

    async fn client(&self, name: &str, scopes: &[&str]) -> Shows {
        let scopes = scopes.iter().map(|scope| slug(scope)).collect();
        let (accounts, slug) = (&self.handle.accounts, slug(name));
        let made = accounts.add_client("test", &slug, scopes, None).await;
        caller::fetched(&self.url(), name, &made.unwrap().unwrap()).await
    }
}

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

/// The id of an offer.
async fn offer(bank: &Bank) -> String {
    let application = Application {
        application_id: "A-1".parse().unwrap(),
        supplier: slug("qinghe"),
        product: slug("receivable-confirming"),
        requested: Money::parse("20000.00", "CNY".parse().unwrap()).unwrap(),
        declared: credit::loan::Declared::default(),
    };
    let record = bank.handle.credit.apply(application).await.unwrap();
    record.decision.decision_id
}

/// An event that the offer's page links to.
async fn leaf_of(bank: &Bank, offer: &str, officer: &Shows) -> String {
    let path = format!("/decisions/{offer}");
    let mut asks = Asks::default();
    let ask = asks.get_at("GET /", &path);
    let page = Caller::new(officer.clone())
        .ask(&bank.url(), ask, &path)
        .await;
    let (_, rest) = page.text.split_once("/events/").expect("no event");
    rest.chars().take_while(char::is_ascii_hexdigit).collect()
}

/// A pledge that waits for a person, offered by a machine.
async fn pledge(bank: &Bank) -> String {
    let office = &bank.handle.office;
    let now = office.now().to_rfc3339();
    let asked = Asked {
        request: "walked".parse().unwrap(),
        borrower: slug("qinghe"),
        loan: "loan-1".parse().unwrap(),
        what: "an invoice".to_owned(),
        collateral: Collateral::Invoice(Typed {
            seller: "9144030071526726XG".to_owned(),
            buyer: "914403001922038216".to_owned(),
            digital: format!("{}442000000000000001", &now[2..4]),
            date: now[..10].to_owned(),
            total: "10000.00".to_owned(),
            ..Typed::default()
        }),
        category: slug("receivable"),
        price: None,
        per: None,
        price_source: PriceSource::Declared,
    };
    let offered = office.offer(&slug("portal"), asked).await.unwrap();
    offered.pledge.to_string()
}

fn requests(offer: &str, leaf: &str) -> Asks {
    let mut asks = Asks::default();
    of_borrowers(&mut asks, offer);
    let word = |text: &str| text.to_owned();
    asks.plain(&["/", "/reasons", "/audit", "/models/late-delivery"]);
    asks.plain(&["/v1/decisions", "/v1/sandbox", "/v1/models/late-delivery"]);
    asks.plain(&[
        "/health/live",
        "/health/ready",
        "/assets/credit.css",
        "/assets/desk.js",
        "/assets/keys.js",
        "/assets/live.js",
        "/live",
    ]);
    for (route, path) in [
        ("GET /decisions/{id}", word("")),
        ("GET /decisions/{id}/bundle", word("/bundle")),
        (
            "GET /decisions/{id}/events/{leaf}",
            format!("/events/{leaf}"),
        ),
        (
            "GET /decisions/{id}/events/{leaf}/bundle",
            format!("/events/{leaf}/bundle"),
        ),
        (
            "GET /decisions/{id}/documents/{sha256}",
            format!("/documents/{}", sha256(DOCUMENT)),
        ),
    ] {
        asks.get_at(route, &format!("/decisions/{offer}{path}"));
    }
    asks.get_at("GET /v1/decisions/{id}", &format!("/v1/decisions/{offer}"));
    beside(&mut asks, offer);
    // A version that is not the present one: what comes is no refusal of the person.
    let review = vec![("version", "0".repeat(64)), ("act", word("accept"))];
    let path = format!("/decisions/{offer}/review");
    asks.add("POST /decisions/{id}/review", &path, Body::Form(review));
    let reason = vec![
        ("code", word("walked")),
        ("en", word("Walked")),
        ("zh", word("走过")),
    ];
    asks.add("POST /reasons", "/reasons", Body::Form(reason));
    let path = "/reasons/concentration/retire";
    asks.add("POST /reasons/{code}/retire", path, Body::Form(Vec::new()));
    let application = json!({
        "application_id": "A-2", "supplier": "qinghe", "product": "none",
        "amount": "100.00", "currency": "CNY",
    });
    let junk = Body::Bytes("application/octet-stream", b"junk".to_vec());
    asks.add("POST /v1/attestations", "/v1/attestations", junk);
    let path = "/v1/applications";
    asks.add("POST /v1/applications", path, Body::Json(application))
        .keyed();
    asks
}

/// What is written beside a decision, and what leaves the desk.
fn beside(asks: &mut Asks, offer: &str) {
    let word = |text: &str| text.to_owned();
    let key = || "0".repeat(32);
    let note = vec![("key", key()), ("text", word("Walked."))];
    let task = vec![
        ("key", key()),
        ("what", word("Walk")),
        ("who", word("li-wei")),
        ("until", word("2026-12-31")),
    ];
    for (form, fields) in [
        ("assignment", vec![("known", word("0"))]),
        ("notes", note),
        ("tasks", task),
        // Nothing was chosen: what comes is no refusal of the person.
        ("documents", Vec::new()),
    ] {
        let path = format!("/decisions/{offer}/{form}");
        let route = format!("POST /decisions/{{id}}/{form}");
        asks.add(&route, &path, Body::Form(fields));
    }
    let path = format!("/decisions/{offer}/tasks/{}/done", key());
    let route = "POST /decisions/{id}/tasks/{key}/done";
    asks.add(route, &path, Body::Form(Vec::new()));
    let (route, path) = ("POST /export/{what}", "/export/queue");
    asks.add(route, path, Body::Form(Vec::new()));
}

/// Whoever must come out as a stranger.
async fn strangers(bank: &Bank, live: &Shows) -> Vec<(&'static str, Shows)> {
    let (url, store) = (bank.url(), bank.handle.credit.store());
    let ended = bank.session("li-wei").await;
    caller::log_out(&url, &ended).await;
    bank.hire("chen-jie", Role::Officer).await;
    let closed = bank.session("chen-jie").await;
    let accounts = &bank.handle.accounts;
    accounts
        .set_closed("test", &slug("chen-jie"), true)
        .await
        .unwrap();
    bank.hire("he-yu", Role::Officer).await;
    let factor = KeptFactor {
        secret: vec![0],
        enrolled: bank.clock.now(),
        last_step: 0,
        wrong: 0,
    };
    let (organisation, name) = (slug("bank"), slug("he-yu"));
    let kept = store.add_factor(&organisation, &name, &factor, &[]);
    assert!(kept.await.unwrap());
    let half = bank.session("he-yu").await;
    let Shows::Session { cookies, csrf } = live.clone() else {
        unreachable!("people have sessions");
    };
    let other = cookies.replace("tracebond-credit", "tracebond-platform");
    let revoked = bank.client("revoked", &["read", "apply"]).await;
    let revoked = caller::revoked(&url, &revoked).await;
    let shut = bank.client("shut", &["read", "apply"]).await;
    let name = slug("shut");
    accounts
        .set_client_closed("test", &name, true)
        .await
        .unwrap();
    vec![
        ("a session that has ended", ended),
        (
            "a session of the other service",
            Shows::Session {
                cookies: other,
                csrf,
            },
        ),
        ("half a session", half),
        ("a closed account", closed),
        (
            "a token with one letter changed",
            Shows::Bearer(TOKEN.replace('p', "b")),
        ),
        ("a token that was revoked", revoked),
        ("a closed client", bearer(&shut)),
    ]
}

fn bearer(shows: &Shows) -> Shows {
    match shows {
        Shows::Client { token, .. } => Shows::Bearer(token.clone()),
        other => other.clone(),
    }
}

/// A folder with the policy that a bank trusts, and a trial that has begun.
pub async fn folder(world: &World) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let policy = PolicyFile::new(world.policy_entry());
    let policy = serde_json::to_vec(&policy).unwrap();
    std::fs::write(folder.path().join("policy.json"), policy).unwrap();
    crate::trials::begun(folder.path(), "credit.sqlite", world.clock.now()).await;
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn access_table_of_credit() {
    let world = supplier().await;
    let folder = folder(&world).await;
    let provider = super::platform::provider().await;
    let log_in = format!(
        "[log_in]\n[log_in.provider]\nissuer = \"{provider}\"\nclient_id = \"desk\"\n\
         [[machines]]\nname = \"portal\"\ntoken_sha256 = \"{}\"\n",
        sha256(TOKEN.as_bytes())
    );
    let bank = Bank::open(&world, folder.path(), "bank", &log_in).await;
    let other = Bank::open(&world, folder.path(), "other", "").await;
    for (name, role) in [
        ("li-wei", Role::Officer),
        ("zhao-min", Role::Supervisor),
        ("sun-li", Role::Auditor),
        ("jin-guan", Role::Regulator),
    ] {
        bank.hire(name, role).await;
        other.hire(name, role).await;
    }
    let offer = offer(&bank).await;
    let officer = credit::desk::Actor {
        name: slug("li-wei"),
        role: Role::Officer,
    };
    let desk = &bank.handle.desk;
    let document = desk.add_document(&officer, &offer, "a.txt", DOCUMENT);
    document.await.unwrap();
    loans::opened(&bank, &offer).await;
    let trial = trial::made(&bank).await;
    let suppliers = [slug("qinghe")];
    let evaluated = bank.handle.credit.evaluate_late_deliveries(&suppliers);
    evaluated.await.unwrap();

    let officer = bank.session("li-wei").await;
    let leaf = leaf_of(&bank, &offer, &officer).await;
    let (late, clock) = (bank.client("late", &["read", "apply"]).await, &bank.clock);
    clock.advance(Duration::from_secs(11 * 60));
    let mut strangers = strangers(&bank, &officer).await;
    strangers.push(("a token that has run out", bearer(&late)));
    let callers = Callers::from([
        ("stranger", Caller::new(Shows::Nothing)),
        ("officer", Caller::new(officer)),
        ("supervisor", Caller::new(bank.session("zhao-min").await)),
        ("auditor", Caller::new(bank.session("sun-li").await)),
        ("regulator", Caller::new(bank.regulator("jin-guan").await)),
        ("foreign", Caller::new(other.session("li-wei").await)),
        (
            "borrower",
            Caller::new(bank.borrower("chen-hua", "qinghe").await),
        ),
        (
            "foreign borrower",
            Caller::new(bank.borrower("liu-yang", "market").await),
        ),
        ("machine", Caller::new(Shows::Bearer(TOKEN.to_owned()))),
        (
            "client",
            Caller::new(
                bank.client("shop", &["read", "apply", "borrow", "pay"])
                    .await,
            ),
        ),
        (
            "client without scope",
            Caller::new(bank.client("lame", &["nothing"]).await),
        ),
    ]);
    let scorecard = scorecards::draft(&bank.handle.credit, &*bank.clock).await;
    let mut asks = requests(&offer, &leaf);
    of_models(&mut asks, &scorecard);
    of_pledges(&mut asks, &pledge(&bank).await);
    loans::requests(&mut asks, &offer);
    trial::requests(&mut asks, &trial);
    asks::of_kit(&mut asks, &super::platform::verifier());
    let ground = Ground {
        url: bank.url(),
        callers,
        strangers,
        asks,
    };
    let document = include_str!("../../credit/docs/openapi.json");
    let mut wrong = papers::differences("credit", document, &bank.handle.routes);
    wrong.extend(walk(&ground, &table("credit")).await);
    none(&wrong);
}
