//! A loan from its application to its last payment, over a real core system of a bank that loses
//! answers, with the service stopped between the steps.

mod stopped;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use credit::desk::{Actor, Role, Wish};
use credit::evidence::{EvidenceError, EvidencePack, InProcess};
use credit::ledger::LoanId;
use credit::lending::{DailyError, Day, Lending};
use credit::loan::review::Choice;
use credit::loan::{Application, Outcome};
use credit::money::Money;
use credit::store::Checked;
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::log::PolicyFile;
use schemas::time::{Clock, Instant, Sleep};
use serde_json::{Value, json};
use simulators::bank::{BankCore, Loss};
use simulators::processes::process::Process;
use tokio_util::sync::CancellationToken;

use crate::browser::desk::supplier;
use crate::world::World;

/// The bearer token of the bank's other machines.
const TOKEN: &str = "a token of the portal";

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(10);

/// The account that money goes to.
const ACCOUNT: &str = "6222 0000 1111";

/// A clock that the test moves; whoever sleeps by it waits for the test's end.
struct Hand(AtomicI64);

impl Hand {
    fn days(&self, days: i64) {
        self.0.fetch_add(days * 86_400_000_000, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.fetch_add(1, Ordering::SeqCst))
    }

    fn sleep_until(&self, _: Instant) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }
}

fn configuration(bank: &str) -> String {
    let products = concat!(env!("CARGO_MANIFEST_DIR"), "/../credit/products");
    let token = sha256(TOKEN.as_bytes());
    format!(
        r#"
listen = "127.0.0.1:0"
database = "credit.sqlite"
policy = "policy.json"

[consent]
waived = "a test without signed consents"

[sandbox]
id = "trial-1"
version = 1
currency = "CNY"
per_loan = "50000.00"
outstanding = "90000.00"

[desk]
second_officer_above = {{ amount = "1500.00", currency = "CNY" }}

[[machines]]
name = "portal"
token_sha256 = "{token}"

[[products]]
id = "receivable-confirming"
currency = "CNY"
minimum = "1000.00"
cap = "100000.00"
turnover_multiple = "2"

[lending]
products = ["{products}/receivable-confirming.toml"]
calendars = ["{products}/calendars/cn.toml"]

[lending.bank]
base = "{bank}"
timeout_s = 30
"#
    )
}

/// A service of the bank that is stopped and started again over the same folder.
struct Service {
    handle: credit::Handle,
    shutdown: CancellationToken,
}

impl Service {
    async fn start(folder: &Path, bundle: &[u8], clock: &Arc<Hand>) -> Self {
        let bundle = bundle.to_vec();
        let evidence = InProcess::new(move |organisation: Slug| {
            let bundle = bundle.clone();
            Box::pin(async move {
                match organisation.as_str() {
                    "qinghe" => Ok(EvidencePack { bundle }),
                    _ => Err(EvidenceError::Unknown(organisation)),
                }
            })
        });
        let config = credit::Config::load(&folder.join("credit.toml")).unwrap();
        let shutdown = CancellationToken::new();
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        let handle = credit::run(config, Arc::new(evidence), clock, shutdown.clone()).await;
        Self {
            handle: handle.unwrap(),
            shutdown,
        }
    }

    fn lending(&self) -> &Arc<Lending> {
        self.handle.lending.as_ref().unwrap()
    }

    /// Runs the day; the service's own task may be at it.
    async fn run_day(&self) -> Day {
        let stop = CancellationToken::new();
        let run = async {
            loop {
                match self.lending().run_day(None, "test", &stop).await {
                    Err(DailyError::Held) => tokio::time::sleep(LOOK).await,
                    done => return done.unwrap(),
                }
            }
        };
        tokio::time::timeout(DEADLINE, run).await.unwrap()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.handle.join.await.unwrap();
    }

    async fn send(&self, path: &str, key: Option<&str>, body: Value) -> (u16, Value) {
        post(self.handle.address, path, key, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("http://{}{path}", self.handle.address);
        let client = reqwest::Client::new();
        let response = client.get(url).bearer_auth(TOKEN).send().await.unwrap();
        assert!(
            response.status().is_success(),
            "{path}: {}",
            response.status()
        );
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }
}

async fn post(address: SocketAddr, path: &str, key: Option<&str>, body: Value) -> (u16, Value) {
    let client = reqwest::Client::new();
    let mut request = client
        .post(format!("http://{address}{path}"))
        .bearer_auth(TOKEN);
    if let Some(key) = key {
        request = request.header("idempotency-key", format!("\"{key}\""));
    }
    let response = request
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

async fn bundle_of(world: &World) -> Vec<u8> {
    let qinghe = "qinghe".parse().unwrap();
    world.bundler().evidence(&qinghe).await.unwrap().bytes
}

/// Two officers accept an offer.
async fn accepted_by_officers(service: &Service, decision_id: &str) {
    let desk = &service.handle.desk;
    for name in ["li-wei", "wang-fang"] {
        let record = desk.record(decision_id).await.unwrap();
        let wish = Wish {
            decision_id: decision_id.to_owned(),
            version: desk.stage(&record.decision).await.unwrap().version(),
            choice: Choice::Accept,
            note: String::new(),
        };
        let officer = Actor {
            name: name.parse().unwrap(),
            role: Role::Officer,
        };
        desk.review(&officer, wish).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loan_lives_from_application_to_its_last_payment() {
    let world = supplier().await;
    let bundle = bundle_of(&world).await;
    let clock = Arc::new(Hand(AtomicI64::new(world.clock.now().as_micros())));
    let core = BankCore::start(Arc::clone(&clock) as Arc<dyn Clock>)
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let policy = serde_json::to_vec(&PolicyFile::new(world.policy_entry())).unwrap();
    std::fs::write(folder.path().join("policy.json"), policy).unwrap();
    std::fs::write(
        folder.path().join("credit.toml"),
        configuration(&core.url()),
    )
    .unwrap();
    let start = || Service::start(folder.path(), &bundle, &clock);

    // An application, an offer, two officers, the borrower's word.
    let service = start().await;
    let application = Application {
        application_id: "a-1".parse().unwrap(),
        supplier: "qinghe".parse().unwrap(),
        product: "receivable-confirming".parse().unwrap(),
        requested: Money::parse("6000.00", "CNY".parse().unwrap()).unwrap(),
        declared: credit::loan::Declared::default(),
    };
    let decision = service
        .handle
        .credit
        .apply(application)
        .await
        .unwrap()
        .decision;
    let Outcome::Offer { amount } = decision.outcome else {
        panic!("{:?}", decision.rules);
    };
    let amount = amount.amount();
    let id = decision.decision_id.clone();
    let accept = json!({ "decision_id": id, "supplier": "qinghe" });
    let (status, refused) = service
        .send("/v1/loans", Some("accept-1"), accept.clone())
        .await;
    assert_eq!((status, &refused["rule"]), (422, &json!("offer-open")));
    accepted_by_officers(&service, &id).await;
    let (status, _) = service
        .send("/v1/loans", Some("accept-2"), accept.clone())
        .await;
    assert_eq!(status, 201);
    assert_eq!(
        service.send("/v1/loans", Some("accept-3"), accept).await.0,
        200
    );
    service.stop().await;

    // A token, whose secret only the borrower has.
    let service = start().await;
    let at = |path: &str| format!("/v1/loans/{id}{path}");
    let secret = Hash([7; 32]);
    let token = json!({
        "token_sha256": sha256(secret.as_bytes()),
        "account": ACCOUNT,
        "amount": amount,
        "currency": "CNY",
    });
    let (status, said) = service.send(&at("/tokens"), Some("token-1"), token).await;
    assert_eq!(status, 201, "{said}");
    service.stop().await;

    // It is used while the bank's answers get lost, and the service stops not knowing.
    let service = start().await;
    core.lose([Loss::Answer, Loss::Answer]);
    let draw = json!({
        "supplier": "qinghe",
        "secret": secret,
        "account": ACCOUNT,
        "amount": amount,
        "currency": "CNY",
    });
    let (status, said) = service
        .send(&at("/tokens/use"), Some("use-1"), draw.clone())
        .await;
    assert_eq!(status, 202, "{said}");
    assert_eq!(core.paid().len(), 1);
    service.stop().await;

    // Whoever starts next looks the key up, and pays nothing again.
    let service = start().await;
    service.lending().resume_all().await.unwrap();
    assert_eq!(service.lending().resume_all().await.unwrap(), 0);
    let (status, said) = service.send(&at("/tokens/use"), Some("use-2"), draw).await;
    assert_eq!(status, 200, "{said}");
    let paid = core.paid();
    assert_eq!(paid.len(), 1, "paid once although answers were lost");
    assert_eq!(paid[0].account, ACCOUNT);
    let shown = service.get(&at("")).await;
    assert_eq!(shown["tokens"][0]["state"], "used");
    let due = shown["schedule"].as_array().unwrap().len();
    assert!(due > 0);
    service.stop().await;

    // Days pass, some of them with no service.
    let service = start().await;
    for _ in 0..3 {
        clock.days(1);
        service.run_day().await;
    }
    service.stop().await;
    clock.days(20);
    let service = start().await;
    service.run_day().await;
    let again = service.run_day().await;
    assert_eq!(again.loans, 0, "a day that was run is not run again");

    // All of it comes back, told twice by the bank's core.
    let loan: LoanId = id.parse().unwrap();
    let payoff = service.lending().payoff(&loan).await.unwrap().unwrap();
    let payment = json!({
        "kind": "repaid_early",
        "amount": payoff.total.amount(),
        "currency": "CNY",
    });
    let payments = at("/payments");
    let (status, said) = service.send(&payments, None, payment.clone()).await;
    assert_eq!(status, 400, "{said}");
    for _ in 0..2 {
        let (status, said) = service
            .send(&payments, Some("core-77"), payment.clone())
            .await;
        assert_eq!((status, &said["state"]), (200, &json!("settled")), "{said}");
    }
    let acts = service.get(&at("/acts?take=1000")).await;
    let repaid = acts.as_array().unwrap().iter();
    let repaid = repaid.filter(|act| act["act"]["deed"]["deed"] == "repaid_early");
    assert_eq!(repaid.count(), 1);
    assert!(
        !service
            .get(&at("/entries"))
            .await
            .as_array()
            .unwrap()
            .is_empty()
    );
    let denials = service.get(&at("/denials")).await;
    assert_eq!(denials[0]["rule"], "offer-open", "what was refused is kept");

    // The books hold, by the store and by the program that an administrator types.
    let book = "trial-1".parse().unwrap();
    match service.lending().store().check_ledger(&book).await.unwrap() {
        Checked::Whole(whole) => assert_eq!(whole.trial_balance.check(), Ok(())),
        Checked::Broken(broken) => panic!("{broken}"),
    }
    service.stop().await;
    let config = folder.path().join("credit.toml");
    let arguments = [
        "ledger".into(),
        "check".into(),
        "--config".into(),
        config.into_os_string(),
    ];
    let checked = Process::run(folder.path(), "check", "credit", &arguments)
        .await
        .unwrap();
    assert!(checked.success, "{}{}", checked.out, checked.err);
}
