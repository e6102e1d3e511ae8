//! HTTP: JSON below `/v1`, pages for the bank's people.
//!
//! | address | who | what |
//! |---|---|---|
//! | `POST /v1/applications` | machines | an application; 201 with the decision, 200 if it was made before |
//! | `POST /v1/attestations` | everybody | a signed attestation or revocation; the issuer's signature decides |
//! | `GET /v1/decisions?skip=&take=` | both | decisions, newest first |
//! | `GET /v1/decisions/{id}` | both | decision, inputs and facts |
//! | `GET /v1/sandbox` | both | limits, used, free |
//! | `/v1/loans...` | both | loans; writes are for machines, see `loans` |
//! | `GET /` | people | the queue |
//! | `GET /decisions/{id}` | people | an offer beside its evidence; `.../bundle` all of its proofs; `POST .../review` decides |
//! | `POST /decisions/{id}/assignment`, `.../notes`, `.../tasks`, `.../tasks/{key}/done`, `.../documents` | people | work beside a decision |
//! | `GET /decisions/{id}/documents/{sha256}` | people | a document, to be saved |
//! | `POST /export/{what}` | people | `queue`, `decisions` or `trail` as a signed archive |
//! | `GET /live` | people | server-sent events: something has happened |
//! | `GET /decisions/{id}/events/{leaf}` | people | an event; `.../bundle` its proof |
//! | `GET /reasons`, `GET /audit` | people | refusal reasons, the trail |
//! | `GET /models`, `GET /models/{hash}`, `.../card.json`, `POST /models/{hash}/act` | people; supervisors act | scorecards and points tables, see `http/models.rs` |
//! | `GET /models/late-delivery` | people | the model of late delivery, its figures and how good they were; `GET /v1/models/late-delivery` for both |
//! | `GET /pledges`, `GET /pledges/{id}`, `GET /pledges/new` | people | pledges, frozen ones first; one with its alarms, value and history; the form of a new one |
//! | `POST /pledges`, `POST /pledges/{id}/{deed}` | officers | offers a pledge; accepts, thaws, calls, ends it, watches a sensor |
//! | `POST /v1/pledges`, `GET /v1/pledges?state=`, `GET /v1/pledges/{id}` | machines; both | offers a pledge, which a person has to accept; reads them |
//! | `GET /loans`, `GET /loans/{id}` and below | people | loans; officers propose, agree, issue tokens, see `http/loan_desk.rs` |
//! | `GET /login` and below it | everybody | log-in, second factor, provider |
//! | `POST /oauth2/token` | clients | a short-lived token ([`kit::people::client`]) |
//! | `GET /my`, `GET /my/loans/{id}` and below | borrowers | their own applications, offers, loans and tokens, see `http/my.rs` |
//! | `GET /trial`, `/regulator` and below | people | the trial of the sandbox, see `http/trials.rs` |
//! | `GET /health/live`, `GET /health/ready` | everybody | whether it lives, whether its store answers |
//!
//! People log in ([`kit::people`]); a machine shows its bearer token. What people may do is decided
//! in [`crate::desk`]. A machine's write carries an `Idempotency-Key` ([`kit::idempotency`]), what
//! is read an `ETag` ([`kit::etag`]); what goes wrong is a problem document for machines and a page for people.

mod applications;
mod attestations;
mod decisions;
mod desk;
mod export;
mod fields;
mod health;
mod late_delivery;
mod loan_desk;
mod loans;
mod models;
mod my;
pub mod pages;
mod pledges;
mod problem_page;
mod regulator;
mod sandbox;
pub mod shell;
mod trials;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::IntoResponse;
use kit::idempotency::once;
use kit::people::client::{self, Reach};
use kit::people::machine;
use kit::problem::Problem;
use kit::routes::{Routes, get, post};

use crate::accounts::Accounts;
use crate::config::Config;
use crate::desk::Desk;
use crate::lending::Lending;
use crate::pledge::office::Office;

/// Largest request in bytes: a form has a few short fields. What may be more says so itself.
const REQUEST_MAX: usize = 16 * 1024;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App {
    desk: Arc<Desk>,
    office: Arc<Office>,
    accounts: Accounts,
    event_page: Option<Arc<str>>,
    lending: Option<Arc<Lending>>,
}

/// Scope of clients that apply for loans.
pub const APPLY: &str = "apply";
/// Scope of clients that read decisions, limits and models.
pub const READ: &str = "read";

/// Scope of clients that act for borrowers: acceptances, tokens, draws.
pub const BORROW: &str = "borrow";
/// Scope of the bank's core system, which tells of payments.
pub const PAY: &str = "pay";

/// Every scope of clients.
pub const SCOPES: [&str; 4] = [APPLY, READ, BORROW, PAY];

/// What clients reach, with the scope that each route needs.
const OPEN: [(Method, &str, &str); 22] = [
    (Method::POST, "/v1/applications", APPLY),
    (Method::GET, "/v1/decisions", READ),
    (Method::GET, "/v1/decisions/{id}", READ),
    (Method::GET, "/v1/sandbox", READ),
    (Method::POST, "/v1/pledges", APPLY),
    (Method::GET, "/v1/pledges", READ),
    (Method::GET, "/v1/pledges/{id}", READ),
    (Method::GET, "/v1/models/late-delivery", READ),
    (Method::GET, "/v1/trial", READ),
    (Method::GET, "/v1/trial/log", READ),
    (Method::GET, "/v1/trial/reports/{month}", READ),
    (Method::GET, "/v1/loans", READ),
    (Method::GET, "/v1/loans/{id}", READ),
    (Method::GET, "/v1/loans/{id}/acts", READ),
    (Method::GET, "/v1/loans/{id}/entries", READ),
    (Method::GET, "/v1/loans/{id}/denials", READ),
    (Method::POST, "/v1/loans", BORROW),
    (Method::POST, "/v1/loans/{id}/tokens", BORROW),
    (Method::POST, "/v1/loans/{id}/tokens/limit", BORROW),
    (Method::POST, "/v1/loans/{id}/tokens/revoke", BORROW),
    (Method::POST, "/v1/loans/{id}/tokens/use", BORROW),
    (Method::POST, "/v1/loans/{id}/payments", PAY),
];

fn reach() -> Reach {
    let open = |reach: Reach, (method, route, scope)| reach.open(method, route, scope);
    OPEN.into_iter().fold(Reach::default(), open)
}

/// The service's routes, with their list.
pub fn routes(
    accounts: &Accounts,
    desk: &Arc<Desk>,
    office: &Arc<Office>,
    lending: Option<&Arc<Lending>>,
    config: &Config,
) -> Routes<()> {
    let app = App {
        desk: Arc::clone(desk),
        office: Arc::clone(office),
        accounts: accounts.clone(),
        event_page: config.event_page.clone().map(Arc::from),
        lending: lending.cloned(),
    };
    let tokens: machine::Tokens = desk.machines().into();
    let clients = (accounts.clients().clone(), Arc::new(reach()));
    let inside = match lending {
        Some(_) => inside().merge(loans::routes()),
        None => inside(),
    };
    let inside = match &config.trial {
        Some(_) => inside.merge(trials::routes()),
        // A bank without a trial has no pages of one.
        None => inside,
    };
    let inside = inside
        .route_layer(from_fn(kit::etag::of_content))
        .route_layer(from_fn_with_state(accounts.answers(), once))
        // An answer without an end has no tag.
        .route("/live", get(desk::live::watch))
        .route_layer(from_fn(regulator::only))
        .route_layer(from_fn(my::only))
        .fallback(missing)
        .with_state(app);
    let people = accounts.people();
    people
        .protect(inside, Arc::new(desk::LogIn))
        .layer(from_fn_with_state(tokens, machine::recognise))
        .layer(from_fn_with_state(clients, client::recognise))
        .merge(accounts.clients().routes())
        .merge(kit::verifier::routes())
        .merge(health::routes(Arc::clone(desk)))
        .merge(attestations::routes(Arc::clone(desk)))
        .route("/assets/credit.css", get(stylesheet))
        .route("/assets/desk.js", get(script))
        .route("/assets/keys.js", get(keys))
        .route("/assets/live.js", get(live))
        .layer(from_fn(problem_page::for_people))
        .layer(DefaultBodyLimit::max(REQUEST_MAX))
        .layer(map_response(kit::page::secure))
        .layer(from_fn(kit::metrics::count))
}

/// What needs a person or a machine.
fn inside() -> Routes<App> {
    Routes::new()
        .route("/", get(desk::queue::show))
        .route("/decisions/{id}", get(desk::offer::show))
        .route("/export/{what}", post(export::take))
        .route("/decisions/{id}/assignment", post(desk::work::assign))
        .route(
            "/decisions/{id}/notes",
            post(desk::work::note).layer(DefaultBodyLimit::max(desk::work::NOTE_FORM_MAX)),
        )
        .route("/decisions/{id}/tasks", post(desk::work::task))
        .route("/decisions/{id}/tasks/{key}/done", post(desk::work::done))
        .route(
            "/decisions/{id}/documents",
            post(desk::work::upload).layer(DefaultBodyLimit::max(desk::work::DOCUMENT_FORM_MAX)),
        )
        .route(
            "/decisions/{id}/documents/{sha256}",
            get(desk::work::document),
        )
        .route("/decisions/{id}/bundle", get(desk::event::whole))
        .route("/decisions/{id}/review", post(desk::review::review))
        .route("/decisions/{id}/events/{leaf}", get(desk::event::show))
        .route(
            "/decisions/{id}/events/{leaf}/bundle",
            get(desk::event::bundle),
        )
        .route(
            "/reasons",
            get(desk::reasons::show).post(desk::reasons::add),
        )
        .route("/reasons/{code}/retire", post(desk::reasons::retire))
        .route("/audit", get(desk::trail::show))
        .route(
            "/v1/applications",
            post(applications::apply).layer(DefaultBodyLimit::max(applications::APPLICATION_MAX)),
        )
        .route("/v1/decisions", get(decisions::list))
        .route("/v1/decisions/{id}", get(decisions::lookup))
        .route("/v1/sandbox", get(sandbox::show))
        .merge(pledges::routes())
        .merge(my::routes())
        .merge(loan_desk::routes())
        .merge(models::routes())
        .route("/models/late-delivery", get(late_delivery::page))
        .route("/v1/models/late-delivery", get(late_delivery::json))
}

async fn missing() -> Problem {
    Problem::not_found("No page of this service has this address.")
}

async fn stylesheet() -> impl IntoResponse {
    asset(
        "text/css; charset=utf-8",
        include_str!("../web/assets/credit.css"),
    )
}

async fn script() -> impl IntoResponse {
    asset(
        "text/javascript; charset=utf-8",
        include_str!("../web/assets/desk.js"),
    )
}

async fn keys() -> impl IntoResponse {
    asset(
        "text/javascript; charset=utf-8",
        include_str!("../web/assets/keys.js"),
    )
}

async fn live() -> impl IntoResponse {
    asset(
        "text/javascript; charset=utf-8",
        include_str!("../web/assets/live.js"),
    )
}

fn asset(kind: &'static str, content: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, content)
}

/// Our fault: logged here under a reference, and the client learns nothing but that.
fn internal(error: &dyn std::error::Error) -> Problem {
    let reference = schemas::random::bytes::<4>().map_or_else(
        |_| "none".to_owned(),
        |bytes| format!("{:08x}", u32::from_be_bytes(bytes)),
    );
    tracing::error!(
        error = schemas::causes::causes(error),
        reference,
        "a request failed"
    );
    Problem::internal().with("reference", reference)
}

fn refused(status: StatusCode, slug: &str, title: &str, detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    tracing::warn!(slug, detail, "a request was refused");
    Problem::new(status, slug, title).detail(detail)
}

#[cfg(test)]
mod tests;
