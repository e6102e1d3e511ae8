//! Pages for people, and the bundle behind a product page.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, Query, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use kit::problem::Problem;
use schemas::causes::causes;
use schemas::disclosure::Audience;
use schemas::hash::{Hash, sha256};
use schemas::proof::{self, Report};
use serde::Deserialize;

use super::{Shared, problem, scan, search};
use crate::bundle::BundleError;
use crate::config::WitnessSection;
use crate::disclosure::Rules;
use crate::store::erasure::{ArchivedEvent, ErasedEvent};
use crate::store::{ScanCount, StoreError, StoredEvent};
use crate::trace::event::View;
use crate::trace::verdict::Witness;
use crate::trace::{Item, Journey, Proof, Standing, gap, journey_of};
use crate::web::{
    self, ErrorKind, ErrorView, Example, HomeView, Lang, Links, ProductView, RenderError, Scans,
    UnknownView, Verifier,
};

/// Products on the start page.
const EXAMPLES: u32 = 12;
/// Erased events of a product that its page and its bundle name.
const ERASED_MAX: u32 = 1_024;
/// Events of a product that are looked through for its name.
const NAMING_EVENTS: u32 = 8;

#[derive(Deserialize)]
pub(super) struct CodeQuery {
    code: Option<String>,
}

/// `GET /`: what this is, a field for a code, recent products.
pub(super) async fn home(
    State(app): State<Shared>,
    Query(query): Query<CodeQuery>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let lang = Lang::of(&uri, &headers);
    let is_replay = app.policy.origin.is_replay();
    let entered = query.code.filter(|code| !code.trim().is_empty());
    if let Some(item) = entered.as_deref().and_then(Item::parse) {
        return Redirect::to(item.path()).into_response();
    }
    let examples = match examples(&app).await {
        Ok(examples) => examples,
        Err(error) => return failed_page(&Failed(causes(&error)), lang),
    };
    let status = if entered.is_some() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let view = HomeView {
        examples,
        bad_code: entered,
        is_replay,
    };
    html(status, web::render_home(&view, lang), &uri, lang)
}

async fn examples(app: &Shared) -> Result<Vec<Example>, StoreError> {
    let rules = Rules::load(&*app.store, Audience::Consumer).await?;
    let mut examples = Vec::new();
    for key in app.store.products(EXAMPLES).await? {
        if let Some(item) = Item::parse(&key) {
            // The first events of a lot hold its commissioning, which names the product.
            let events = app.store.events_of_items(&[key], NAMING_EVENTS).await?;
            let names = events
                .iter()
                .find_map(|event| name_in(event, &rules))
                .unwrap_or_default();
            examples.push(Example { item, names });
        }
    }
    Ok(examples)
}

fn name_in(event: &StoredEvent, rules: &Rules) -> Option<web::ByLanguage> {
    let view = View::read(&event.bytes, event.leaf)?;
    let hidden = rules.hide(event.organisation(), view.step.as_deref(), "ilmd");
    (!hidden && !view.names.is_empty()).then_some(view.names)
}

/// Why a page could not be made; logged under a reference, never shown.
pub(super) struct Failed(pub(super) String);

pub(super) fn failed_page(failed: &Failed, lang: Lang) -> Response {
    let reference = schemas::random::bytes::<6>()
        .map(hex::encode)
        .unwrap_or_default();
    tracing::error!(reference, error = failed.0, "a page could not be made");
    error_page(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Internal,
        reference,
        lang,
    )
}

pub(super) fn error_page(
    status: StatusCode,
    kind: ErrorKind,
    reference: String,
    lang: Lang,
) -> Response {
    match web::render_error(&ErrorView { kind, reference }, lang) {
        Ok(page) => (status, Html(page)).into_response(),
        Err(_) => Problem::internal().into_response(),
    }
}

/// A page, with the language remembered where it was asked for.
pub(super) fn html(
    status: StatusCode,
    page: Result<String, RenderError>,
    uri: &Uri,
    lang: Lang,
) -> Response {
    let page = match page {
        Ok(page) => page,
        Err(error) => return failed_page(&Failed(error.to_string()), lang),
    };
    let mut response = (status, Html(page)).into_response();
    if let Some(cookie) =
        Lang::asked(uri).and_then(|asked| HeaderValue::from_str(&asked.cookie()).ok())
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    let headers = [(header::CACHE_CONTROL, "no-cache"), (header::VARY, VARY)];
    for (name, value) in headers {
        let value = HeaderValue::from_static(value);
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// What a page depends on beside its address.
const VARY: &str = "accept-language, cookie";

/// `GET /01/{gtin}/10/{lot}`, `/01/{gtin}/21/{serial}`: the product page.
pub(super) async fn page(
    State(app): State<Shared>,
    Path(rest): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let lang = Lang::of(&uri, &headers);
    let unknown = UnknownView {
        code: format!("/01/{rest}"),
        is_replay: app.policy.origin.is_replay(),
        ..UnknownView::default()
    };
    let Some(item) = Item::parse(uri.path()) else {
        let page = web::render_unknown(&unknown, lang);
        return html(StatusCode::NOT_FOUND, page, &uri, lang);
    };
    let counts = scan::counts(&method, &headers);
    let made = match view(&app, &item, counts).await {
        Ok(Some(view)) => Ok((StatusCode::OK, web::render_product(&view, lang))),
        Ok(None) => unknown_page(&app, &item, counts, unknown, lang).await,
        Err(failed) => Err(failed),
    };
    match made {
        Ok((status, page)) => {
            let mut response = html(status, page, &uri, lang);
            if let Ok(policy) = HeaderValue::from_str(&web::assets::POLICY) {
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_SECURITY_POLICY, policy);
            }
            if counts {
                remember(&mut response, &app, &uri);
            }
            response
        }
        Err(failed) => failed_page(&failed, lang),
    }
}

/// Says to the browser that it has been counted. The page holds its figures, so it is asked for
/// again each time.
fn remember(response: &mut Response, app: &Shared, uri: &Uri) {
    let is_secure = app.public_url.starts_with("https://");
    if let Some(cookie) = scan::cookie(uri.path(), is_secure) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Most codes that nobody has made whose look-ups are counted: anybody can invent codes.
const UNKNOWN_CODES_MAX: u64 = 10_000;

async fn unknown_page(
    app: &Shared,
    item: &Item,
    counts: bool,
    mut view: UnknownView,
    lang: Lang,
) -> Result<(StatusCode, Result<String, RenderError>), Failed> {
    let (store, key, now) = (&app.store, item.key(), app.clock.now());
    let scans = match counts {
        true => store.count_unknown_scan(key, now, UNKNOWN_CODES_MAX).await,
        false => store.unknown_scans_of(key).await,
    };
    let scans = scans.map_err(|error| Failed(causes(&error)))?;
    view.scans = scans.map(|count| shown(count, counts));
    let archived = store.archived_of_items(&[key.to_owned()], ERASED_MAX).await;
    let archived = archived.map_err(|error| Failed(causes(&error)))?;
    view.archived = web::Archived::of(&archived);
    view.report = Some(web::report_href(item));
    // A code whose records are all in archives is known.
    let status = match view.archived {
        Some(_) => StatusCode::OK,
        None => StatusCode::NOT_FOUND,
    };
    Ok((status, web::render_unknown(&view, lang)))
}

fn shown(count: ScanCount, counted: bool) -> Scans {
    Scans {
        total: count.total,
        first: count.first,
        is_first: counted && count.total == 1,
    }
}

async fn view(app: &Shared, item: &Item, counts: bool) -> Result<Option<ProductView>, Failed> {
    let failed = |error: &dyn std::error::Error| Failed(causes(error));
    let rules = Rules::load(&*app.store, Audience::Consumer).await;
    let rules = rules.map_err(|error| failed(&error))?;
    let journey = journey_of(&*app.store, item, &rules).await;
    let journey = journey.map_err(|error| failed(&error))?;
    let Some(journey) = journey else {
        return Ok(None);
    };
    let named = [item.key().to_owned()];
    let erased = app.store.erased_of_items(&named, ERASED_MAX);
    let erased = erased.await.map_err(|error| failed(&error))?;
    let archived = app.store.archived_of_items(&named, ERASED_MAX);
    let archived = archived.await.map_err(|error| failed(&error))?;
    let proof = check(app, &journey, &places(&journey, &erased, &archived)).await?;
    let gaps = gap::read(&*app.store, &journey)
        .await
        .map_err(|error| failed(&error))?;
    let scans = match counts {
        true => app
            .store
            .count_scan(item.key(), app.clock.now())
            .await
            .map(Some),
        false => app.store.scans_of(item.key()).await,
    };
    let scans = scans.map_err(|error| failed(&error))?;
    let mut links = Links::of(item, "/log/checkpoint");
    if !app.public_url.is_empty() {
        links.page = format!("{}{}", app.public_url, item.path());
    }
    let mut view = ProductView::new(journey, links);
    view.proof = Some(proof);
    view.policy = Some(sha256(&app.policy_entry()));
    view.verifiers = app.witnesses.iter().map(verifier_at).collect();
    view.gaps = gaps;
    view.erased = erased;
    view.archived = archived;
    view.names = app.names.clone();
    view.scans = scans.map(|count| shown(count, counts));
    Ok(Some(view))
}

/// Statements and places.
type Places = BTreeMap<Hash, BTreeSet<u64>>;

/// Where a journey's events stand, and those that were erased or archived.
fn places(journey: &Journey, erased: &[ErasedEvent], archived: &[ArchivedEvent]) -> Places {
    let mut places = Places::new();
    for entry in journey.entries() {
        places
            .entry(entry.statement)
            .or_default()
            .insert(u64::from(entry.index));
    }
    for event in erased {
        let of_statement = places.entry(event.statement).or_default();
        of_statement.insert(event.position);
    }
    for event in archived {
        let of_statement = places.entry(event.statement).or_default();
        of_statement.insert(event.position);
    }
    places
}

/// The platform's own check: the very bundle that it hands out, through the same verifier.
async fn check(app: &Shared, journey: &Journey, places: &Places) -> Result<Proof, Failed> {
    let mut proof = Proof {
        origin: app.policy.origin.to_string(),
        checkpoint_size: 0,
        witnesses: Vec::new(),
        quorum: u32::try_from(app.policies().newest().policy.quorum).unwrap_or(u32::MAX),
        standings: journey
            .entries()
            .map(|entry| (entry.leaf, Standing::NotAnchored))
            .collect(),
        checked_at: app.clock.now(),
    };
    let made = match app.bundler.public(places).await {
        Ok(made) => made,
        Err(BundleError::NotWitnessed) => return Ok(proof),
        Err(error) => return Err(Failed(causes(&error))),
    };
    match proof::verify(&made.bytes, Some(&app.policy_entry())) {
        Ok(report) => fill(&mut proof, &report, &app.witnesses),
        Err(refusal) => {
            tracing::error!(%refusal, "a bundle of our own is refused");
            for standing in proof.standings.values_mut() {
                *standing = Standing::Refused(refusal.class.to_string());
            }
        }
    }
    Ok(proof)
}

fn fill(proof: &mut Proof, report: &Report, known: &[WitnessSection]) {
    for event in &report.events {
        let standing = if event.complete {
            Standing::Verified
        } else {
            Standing::Incomplete
        };
        proof.standings.insert(event.leaf, standing);
    }
    if let Some(head) = report.head() {
        proof.checkpoint_size = head.checkpoint.size;
        proof.witnesses = head
            .witnesses
            .iter()
            .map(|(name, _)| witness(name, known))
            .collect();
    }
}

fn verifier_at(section: &WitnessSection) -> Verifier {
    Verifier {
        witness: witness(&section.name, std::slice::from_ref(section)),
        href: format!("{}{}", section.url, kit::verifier::PAGE),
    }
}

fn witness(name: &str, known: &[WitnessSection]) -> Witness {
    let section = known.iter().find(|section| section.name == name);
    Witness {
        name: name.to_owned(),
        owner: section.and_then(|section| section.owner.clone()),
        is_operators_own: section.is_some_and(|section| section.own),
    }
}

#[derive(Deserialize)]
pub(super) struct KeyQuery {
    key: String,
}

/// `GET /v1/bundles/item?key=...`: the proof bundle behind a product page.
pub(super) async fn bundle(
    State(app): State<Shared>,
    Query(query): Query<KeyQuery>,
) -> Result<Response, Problem> {
    let item = Item::parse(&query.key).ok_or_else(|| {
        Problem::bad_request("`key` is no lot or serial of a GTIN, or its check digit is wrong")
    })?;
    let rules = Rules::load(&*app.store, Audience::Consumer).await;
    let rules = rules.map_err(problem::store)?;
    let journey = journey_of(&*app.store, &item, &rules).await;
    let journey = journey.map_err(|error| {
        tracing::error!(error = causes(&error), "a journey could not be read");
        Problem::internal()
    })?;
    let journey = journey.ok_or_else(|| Problem::not_found("no event names this product"))?;
    let named = [item.key().to_owned()];
    let erased = app.store.erased_of_items(&named, ERASED_MAX);
    let erased = erased.await.map_err(problem::store)?;
    let archived = app.store.archived_of_items(&named, ERASED_MAX);
    let archived = archived.await.map_err(problem::store)?;
    let made = app
        .bundler
        .public(&places(&journey, &erased, &archived))
        .await
        .map_err(problem::bundle)?;
    Ok(search::bundle(made))
}

/// `GET /assets/...`.
pub(super) async fn asset(
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(asset) = web::asset(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let cache = match asset.is_named(query.as_deref()) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let common = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, cache),
        (header::VARY, "accept-encoding"),
    ];
    if takes_gzip(&headers) && !asset.gzip.is_empty() {
        let encoded = [(header::CONTENT_ENCODING, "gzip")];
        return (common, encoded, asset.gzip.as_slice()).into_response();
    }
    (common, asset.plain).into_response()
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let accepted = accepted
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut codings = accepted.split(',').map(str::trim);
    codings.any(|coding| coding.split(';').next() == Some("gzip") && !coding.ends_with("q=0"))
}

/// Everything else.
pub(super) async fn nothing(uri: Uri, headers: HeaderMap) -> Response {
    let lang = Lang::of(&uri, &headers);
    error_page(
        StatusCode::NOT_FOUND,
        ErrorKind::NotFound,
        String::new(),
        lang,
    )
}
