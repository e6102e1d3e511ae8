//! A world's platform behind its real routes, on loopback.

use std::collections::BTreeMap;
use std::sync::Arc;

use kit::people::{People, Settings};
use platform::anchor::tiles::Tiles;
use platform::anchor::{self, Cosigner, Recorded};
use platform::capture::Captures;
use platform::config::ReaderSection;
use platform::http::{self, App};
use platform::keys::Keys;
use platform::operator::Operator;
use platform::store::Store;
use platform::web::Names;
use schemas::disclosure::Audience;
use schemas::hash::sha256;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::World;
use super::events::{PACKHOUSE, TRUCK};

/// Token of the reader to whom `qinghe` has opened its evidence.
pub const READER_TOKEN: &str = "token of qinghe's reader";

/// Token of the reader `first-bank`.
pub const BANK_TOKEN: &str = "token of the first bank";
/// Token of the reader `other-bank`.
pub const OTHER_BANK_TOKEN: &str = "token of the other bank";
/// Token of an organisation `cooperative` itself.
pub const COOPERATIVE_TOKEN: &str = "token of the cooperative";

/// A server that ends with it.
pub struct Served {
    /// Its address, without slash at the end.
    pub url: String,
    _running: DropGuard,
}

fn named(en: &str, zh: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("en".to_owned(), en.to_owned()),
        ("zh-CN".to_owned(), zh.to_owned()),
    ])
}

fn names() -> Names {
    Names {
        organisations: BTreeMap::from([
            ("qinghe".parse().unwrap(), named("Qinghe Fresh", "青禾果蔬")),
            (
                "northroad".parse().unwrap(),
                named("Northroad Carriers", "北路运输"),
            ),
        ]),
        places: BTreeMap::from([
            (
                PACKHOUSE.to_owned(),
                named("Qinghe packhouse", "青禾包装厂"),
            ),
            (TRUCK.to_owned(), named("Truck 7", "7 号冷藏车")),
        ]),
    }
}

/// `own` reads on the operator's word, the others what was signed for them.
fn readers() -> Vec<ReaderSection> {
    let reader = |name: &str, token: &str| ReaderSection {
        name: name.to_owned(),
        token_sha256: Some(sha256(token.as_bytes())),
        organisations: Vec::new(),
        unsigned_consent: false,
        audience: Audience::Bank,
        documents: name == "first-bank",
    };
    let own = ReaderSection {
        organisations: vec!["qinghe".parse().unwrap()],
        unsigned_consent: true,
        ..reader("own", READER_TOKEN)
    };
    let others = [
        ("first-bank", BANK_TOKEN),
        ("other-bank", OTHER_BANK_TOKEN),
        ("cooperative", COOPERATIVE_TOKEN),
    ];
    let others = others.map(|(name, token)| reader(name, token));
    [own].into_iter().chain(others).collect()
}

fn people(world: &World) -> People {
    let settings = Settings {
        organisation: "operator".parse().unwrap(),
        origin: None,
        cookie: "tracebond-platform",
    };
    People::new(
        settings,
        Arc::clone(&world.store) as _,
        Arc::clone(&world.clock) as _,
    )
    .unwrap()
}

impl World {
    /// Serves pages and machines as the platform does. Records are not admitted through it: the
    /// world's own notary does that.
    pub async fn serve(&self) -> Served {
        let shutdown = CancellationToken::new();
        let (kind, hash) = (kit::verifier::KIND, *kit::verifier::SCRIPT_HASH);
        self.notary.record_document(kind, hash).await.unwrap();
        let verifier = Recorded::new(kind, hash);
        let documents = std::slice::from_ref(&verifier);
        self.notary.find_all(documents).await.unwrap();
        let app = self.app(verifier, &shutdown);
        let (router, _) = http::routes(Arc::new(app)).into_parts();
        let listen = ([127, 0, 0, 1], 0).into();
        let served = kit::serve::serve(router, listen, None, shutdown.clone()).await;
        Served {
            url: served.unwrap().url(),
            _running: shutdown.drop_guard(),
        }
    }

    fn app(&self, verifier: Recorded, shutdown: &CancellationToken) -> App {
        let keys = Keys::load_or_make(&self.folder().join("keys")).unwrap();
        App {
            bridge: None,
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            gate: Arc::clone(&self.gate),
            registrar: anchor::admissions().0,
            ingest: Arc::new(super::ingest_of(
                &self.store,
                &self.gate,
                &self.policy,
                &self.clock,
                &self.notary.standing,
            )),
            people: people(self),
            clients: kit::people::Clients::new(
                "operator".parse().unwrap(),
                "http://127.0.0.1",
                Arc::clone(&self.store) as _,
                Arc::clone(&self.clock) as _,
            ),
            captures: Captures {
                store: Arc::clone(&self.store) as Arc<dyn Store>,
                gate: Arc::clone(&self.gate),
                log: self.policy.log,
                clock: Arc::clone(&self.clock) as Arc<dyn schemas::time::Clock>,
                wake: Arc::default(),
                standing: self.notary.standing.clone(),
                shard: 0,
                callers: Vec::new(),
            },
            bundler: self.bundler(),
            policy: self.policy.clone(),
            clock: Arc::clone(&self.clock) as Arc<dyn schemas::time::Clock>,
            tiles: Tiles::new(self.folder().join("log")),
            cosigner: Arc::new(Cosigner::new(self.witnesses.sections()).unwrap()),
            ca_pem: String::new(),
            broker: String::new(),
            witnesses: self.witnesses.sections(),
            names: names(),
            readers: readers(),
            verifier,
            standing: self.notary.standing.clone(),
            documents: http::Documents::default(),
            operator: Operator {
                log: self.policy.log,
                slug: "operator".parse().unwrap(),
                keys,
                capture_devices: Vec::new(),
            },
            public_url: String::new(),
            link: tokio::sync::watch::channel(true).1,
            shutdown: shutdown.clone(),
        }
    }
}
