//! The page of an organisation's own people, behind log-in. A person's role is the organisation
//! whose page they may read: nobody reads another's, or answers another's readers, whatever they
//! ask for.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use kit::people::{Checked, Form, Framed, LogInPage, LogInView, People, Person};
use kit::problem::Problem;
use kit::routes::{Routes, get, post};
use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::registry::State as KeyState;
use serde::Deserialize;

use super::product::{Failed, error_page, failed_page, html};
use super::{Shared, problem};
use crate::registry::Entry;
use crate::report::{KeptReport, Number, State as Progress, Step};
use crate::store::StoreError;
use crate::web::organisation::{
    DeviceView, OrganisationView, REPORTS_MAX, ROWS_MAX, ReportedView, render_framed,
    render_log_in, render_organisation,
};
use crate::web::{ErrorKind, Lang};

/// Routes behind log-in.
pub(super) fn routes(people: &People, app: Shared) -> Routes<()> {
    let inside = Routes::new()
        .route("/organisation", get(page))
        .route("/organisation/quarantine/{id}", get(message))
        .route("/organisation/report", post(advance))
        .with_state(app);
    people.protect(inside, Arc::new(Door))
}

struct Door;

impl LogInPage for Door {
    fn render(&self, view: &LogInView) -> Response {
        let uri = Uri::from_static("/login");
        html(StatusCode::OK, render_log_in(view), &uri, view.language)
    }

    fn framed(&self, framed: &Framed) -> Response {
        let uri = Uri::from_static("/login");
        html(framed.status, render_framed(framed), &uri, framed.language)
    }
}

/// `GET /organisation`: devices, chains, quarantine of the person's organisation.
async fn page(State(app): State<Shared>, person: Person, uri: Uri, headers: HeaderMap) -> Response {
    let lang = Lang::of(&uri, &headers);
    match view(&app, &person).await {
        Ok(view) => {
            let mut answer = html(StatusCode::OK, render_organisation(&view, lang), &uri, lang);
            let private = header::HeaderValue::from_static("no-store");
            answer.headers_mut().insert(header::CACHE_CONTROL, private);
            answer
        }
        // Never an empty page: what cannot be read is said to be so.
        Err(error) => failed_page(&Failed(causes(&error)), lang),
    }
}

async fn view(app: &Shared, person: &Person) -> Result<OrganisationView, StoreError> {
    let organisation = &person.role;
    let mut devices = Vec::new();
    let snapshot = app.gate.snapshot();
    let records = snapshot.of_organisation(organisation);
    for record in records
        .filter_map(Entry::signed)
        .map(|signed| &signed.record)
    {
        let Some(address) = record.address() else {
            continue;
        };
        devices.push(DeviceView {
            state: word(&record.state),
            heard: app.store.last_heard(&address).await?,
            address: address.to_string(),
        });
    }
    devices.sort_by(|a, b| (&a.address, a.state).cmp(&(&b.address, b.state)));
    let mut chains = app.store.chain_events(None).await?;
    chains.retain(|event| event.device.organisation == *organisation);
    chains.reverse();
    let most = u32::try_from(ROWS_MAX).unwrap_or(u32::MAX);
    Ok(OrganisationView {
        organisation: organisation.clone(),
        person: person.name.to_string(),
        csrf: person.csrf.to_string(),
        reports: reports(app, organisation).await?,
        devices,
        chains,
        quarantine: app.store.quarantine_of(organisation, most).await?,
        names: app.names.clone(),
        is_replay: app.policy.origin.is_replay(),
    })
}

async fn reports(app: &Shared, organisation: &Slug) -> Result<Vec<ReportedView>, StoreError> {
    let mut views = Vec::new();
    for report in app
        .store
        .reports_of(Some(organisation), REPORTS_MAX)
        .await?
    {
        let contact = if report.has_contact {
            app.store.contact_of(&report.number).await?
        } else {
            None
        };
        views.push(ReportedView { report, contact });
    }
    Ok(views)
}

/// A step that somebody wants to take on a report.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    csrf: String,
    number: String,
    steps: usize,
    state: String,
}

impl Form for Advance {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// `POST /organisation/report`: the next state of a report. Where somebody else was faster, that is
/// said (412), and nothing is added.
async fn advance(
    State(app): State<Shared>,
    person: Person,
    uri: Uri,
    headers: HeaderMap,
    Checked(form): Checked<Advance>,
) -> Result<Response, Problem> {
    let refused = || Problem::bad_request("`number` or `state` is none of this page's");
    let number: Number = form.number.parse().map_err(|_| refused())?;
    let state = Progress::parse(&form.state).ok_or_else(refused)?;
    let report = app.store.report(&number).await.map_err(problem::store)?;
    let own = report.filter(|report| report.organisation.as_ref() == Some(&person.role));
    let own = own.ok_or_else(refused)?;
    let changed = || {
        let lang = Lang::of(&uri, &headers);
        let (status, kind) = (StatusCode::PRECONDITION_FAILED, ErrorKind::Changed);
        Ok(error_page(status, kind, String::new(), lang))
    };
    let done = || Redirect::to(&format!("/organisation#r{}", number.as_str())).into_response();
    if is_again(&own, &form, state, &person) {
        return Ok(done());
    }
    if form.steps != own.steps.len() {
        return changed();
    }
    if !follows(&own, state) {
        return Err(refused());
    }
    let step = Step {
        state,
        person: person.name.clone(),
        at: app.clock.now(),
    };
    let added = app.store.add_report_step(&number, form.steps, &step).await;
    if !added.map_err(problem::store)? {
        return changed();
    }
    Ok(done())
}

/// True for a form that was sent twice: its step is the last one, and this person's.
fn is_again(own: &KeptReport, form: &Advance, state: Progress, person: &Person) -> bool {
    let last = own.steps.last();
    form.steps + 1 == own.steps.len()
        && last.is_some_and(|step| step.state == state && step.person == person.name)
}

/// Any state but the first and the one that it has.
fn follows(report: &KeptReport, state: Progress) -> bool {
    state != Progress::Received && state != report.state()
}

const fn word(state: &KeyState) -> &'static str {
    match state {
        KeyState::Active => "active",
        KeyState::Suspended => "suspended",
        KeyState::Retired { .. } => "retired",
        KeyState::Revoked { .. } => "revoked",
    }
}

/// `GET /organisation/quarantine/{id}`: the bytes as they came; another's is as unknown as none.
async fn message(
    State(app): State<Shared>,
    person: Person,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let lang = Lang::of(&uri, &headers);
    let unknown = || {
        let status = StatusCode::NOT_FOUND;
        error_page(status, ErrorKind::NotFound, String::new(), lang)
    };
    let Ok(id) = id.parse::<Hash>() else {
        return unknown();
    };
    match app.store.quarantined_bytes(&person.role, &id).await {
        Ok(None) => unknown(),
        Ok(Some(bytes)) => bytes_of(&id, bytes),
        Err(error) => {
            tracing::error!(error = causes(&error), "the store failed a request");
            Problem::internal().into_response()
        }
    }
}

fn bytes_of(id: &Hash, bytes: Vec<u8>) -> Response {
    let name = format!("attachment; filename=\"{id}.bin\"");
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, bytes).into_response()
}
