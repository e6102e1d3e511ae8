//! Routes: parse, call, map the error. No SQL and no rule lives here.

mod asker;
mod capture;
mod consents;
mod device;
mod documents;
mod enrol;
mod epcis;
mod erasure;
mod evidence;
mod health;
mod log;
mod mqtt;
mod organisation;
mod problem;
mod product;
mod registry;
mod report;
mod scan;
mod search;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use kit::people::client::recognise;
use kit::people::{Clients, People};
use kit::routes::{Routes, get, post, put};
use schemas::log::Policy;
use schemas::statement::MESSAGE_MAX;
use schemas::time::Clock;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

pub use self::documents::Documents;
use crate::anchor::tiles::Tiles;
use crate::anchor::{Cosigner, Recorded, Registrar};
use crate::broker::Bridge;
use crate::bundle::Bundler;
use crate::capture::Captures;
use crate::config::{ReaderSection, WitnessSection};
use crate::ingest::Ingest;
use crate::operator::Operator;
use crate::policies::Policies;
use crate::registry::Gate;
use crate::standing::Standing;
use crate::store::Store;
use crate::web::Names;

/// What the routes work with.
pub struct App {
    /// Store.
    pub store: Arc<dyn Store>,
    /// Registry in force.
    pub gate: Arc<Gate>,
    /// Admits records.
    pub registrar: Registrar,
    /// Write path.
    pub ingest: Arc<Ingest>,
    /// Who reads an organisation's page.
    pub people: People,
    /// Machines that fetch their own tokens.
    pub clients: Clients,
    /// Declared input.
    pub captures: Captures,
    /// Makes bundles.
    pub bundler: Bundler,
    /// Policy of the configuration; [`App::policies`] know the one in force.
    pub policy: Policy,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// The served log.
    pub tiles: Tiles,
    /// What is known of witnesses.
    pub cosigner: Arc<Cosigner>,
    /// CA certificate, empty without TLS.
    pub ca_pem: String,
    /// Where gateways find the broker.
    pub broker: String,
    /// Witnesses as the configuration names them.
    pub witnesses: Vec<WitnessSection>,
    /// Names on pages.
    pub names: Names,
    /// Who may read evidence.
    pub readers: Vec<ReaderSection>,
    /// Where the hash of the verifier's script stands in the log.
    pub verifier: Recorded,
    /// Whether this process leads.
    pub standing: Standing,
    /// Which hashes of documents the log holds.
    pub documents: Documents,
    /// The operator's own keys and records.
    pub operator: Operator,
    /// Public address, without slash at the end.
    pub public_url: String,
    /// Whether the ingest is connected to the broker.
    pub link: tokio::sync::watch::Receiver<bool>,
    /// MQTT over WebSocket, where the broker is the embedded one.
    pub bridge: Option<Bridge>,
    /// Ends when the platform does.
    pub shutdown: CancellationToken,
}

impl App {
    /// The policies of the log.
    #[must_use]
    pub const fn policies(&self) -> &Policies {
        &self.bundler.policies
    }

    /// Log entry of the policy in force.
    #[must_use]
    pub fn policy_entry(&self) -> Vec<u8> {
        self.policies().newest().entry
    }
}

type Shared = Arc<App>;

/// Answers below this many bytes fit into one packet as they are.
const COMPRESSED_FROM: u16 = 1_200;

/// All routes, with their list.
pub fn routes(app: Shared) -> Routes<()> {
    let small = DefaultBodyLimit::max(64 * 1024);
    let message = DefaultBodyLimit::max(MESSAGE_MAX);
    let document = DefaultBodyLimit::max(schemas::disclosure::DISCLOSURE_MAX);
    let consent = DefaultBodyLimit::max(schemas::consent::CONSENT_MAX);
    let machines = Routes::new()
        .merge(for_clients(&app))
        .route("/v1/statements", post(capture::statement).layer(message))
        .route("/v1/inclusions/{id}", get(capture::inclusion))
        .route("/v1/receipts/{id}", get(device::receipt))
        .route("/v1/head/{organisation}/{device}", get(device::head))
        .route("/v1/enrol", post(enrol::request))
        .route("/v1/enrol/{claim}", get(enrol::state))
        .route("/v1/enrol/{claim}/draft", put(enrol::draft))
        .route("/v1/enrol/{claim}/consent", put(enrol::consent))
        .route("/v1/registry", get(registry::head))
        .route("/v1/registry/records", post(registry::admit))
        .route("/v1/registry/list/{version}", get(registry::list))
        .route("/v1/registry/organisations", get(registry::organisations))
        .route("/v1/mqtt", get(mqtt::connect))
        .route("/v1/ca", get(enrol::authority))
        .route("/v1/policy", get(log::policy))
        .route("/v1/policies", get(log::policies))
        .route("/v1/policy.txt", get(log::tlog_policy))
        .route("/v1/verifier", get(log::verifier))
        .route("/v1/documents/{hash}", get(documents::proof))
        .route("/v1/consents", post(consents::take).layer(consent))
        .route("/v1/tombstones", get(erasure::tombstones))
        .route("/v1/tombstones/{hash}", get(erasure::tombstone_list))
        .route("/v1/disclosure", post(erasure::disclose).layer(document))
        .route(
            "/v1/disclosure/{organisation}",
            get(erasure::newest_disclosure),
        )
        .route(
            "/v1/disclosure/{organisation}/{version}",
            get(erasure::disclosure),
        )
        .route("/v1/totals", get(health::totals))
        .route("/v1/chains", get(health::chains))
        .route("/v1/consistency/{from}/{to}", get(log::consistency))
        .route("/log/checkpoint", get(log::checkpoint))
        .route("/log/tile/{*name}", get(log::tile))
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::health))
        .layer(from_fn(kit::etag::of_content))
        .layer(small);
    // What is compressed holds no secret: the length of an answer would tell of it.
    let open = Routes::new()
        .route("/", get(product::home))
        .route("/01/{*rest}", get(product::page))
        .route("/v1/bundles/item", get(product::bundle))
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESSED_FROM)));
    let pages = Routes::new()
        .merge(open)
        .route("/report", get(report::form).post(report::send))
        .route("/report/{number}", get(report::page))
        .route("/report/{number}/forget", post(report::forget))
        .route("/assets/{*name}", get(product::asset))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .fallback(product::nothing)
        .layer(map_response(kit::page::secure));
    machines
        .merge(pages)
        .merge(kit::verifier::routes())
        .with_state(Arc::clone(&app))
        .merge(organisation(app))
        .layer(from_fn(kit::metrics::count))
}

/// What programs reach by a token: a fixed one, or one that a client has fetched.
fn for_clients(app: &Shared) -> Routes<Shared> {
    let reach = Arc::new(crate::people::reach());
    let known = from_fn_with_state((app.clients.clone(), reach), recognise);
    Routes::new()
        .route("/capture", post(epcis::capture).options(epcis::options))
        .route("/capture/{id}", get(epcis::job))
        .route("/capture/{id}/document", get(epcis::document))
        .route("/capture/{id}/events", get(epcis::events))
        .route(
            "/v1/evidence/{organisation}",
            get(evidence::of_organisation),
        )
        .route(
            "/v1/registry/records/{organisation}",
            get(registry::records),
        )
        .route("/v1/consents/{supplier}/{bank}", get(consents::chain))
        .route("/v1/documents/{hash}", put(documents::hand))
        .route("/v1/events", get(search::events))
        .route(
            "/v1/bundles/event/{statement}/{place}",
            get(search::event_bundle),
        )
        .route(
            "/v1/bundles/device/{organisation}/{device}",
            get(search::device_bundle),
        )
        .layer(known)
        .merge(app.clients.routes())
}

/// What needs log-in: small forms only.
fn organisation(app: Shared) -> Routes<()> {
    organisation::routes(&app.people.clone(), app)
        .layer(DefaultBodyLimit::max(16 * 1024))
        .layer(map_response(kit::page::secure))
}
