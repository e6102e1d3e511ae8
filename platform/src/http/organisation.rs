//! The page of an organisation's own people, behind log-in. A person's role is the organisation
//! whose page they may read: nobody reads another's, whatever they ask for.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kit::people::{LogInPage, LogInView, People, Person};
use kit::problem::Problem;
use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::registry::{Role, State as KeyState};

use super::Shared;
use super::product::{Failed, error_page, failed_page, html};
use crate::store::StoreError;
use crate::web::organisation::{
    DeviceView, OrganisationView, ROWS_MAX, render_log_in, render_organisation,
};
use crate::web::{ErrorKind, Lang};

/// Routes behind log-in.
pub(super) fn routes(people: &People, app: Shared) -> Router {
    let inside = Router::new()
        .route("/organisation", get(page))
        .route("/organisation/quarantine/{id}", get(message))
        .with_state(app);
    people.protect(inside, Arc::new(Door))
}

struct Door;

impl LogInPage for Door {
    fn render(&self, view: &LogInView) -> Response {
        let uri = Uri::from_static("/login");
        html(StatusCode::OK, render_log_in(view), &uri, view.language)
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
    for signed in app.gate.snapshot().await.records() {
        let record = &signed.record;
        if record.role != Role::Capture || record.organisation != *organisation {
            continue;
        }
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
        devices,
        chains,
        quarantine: app.store.quarantine_of(organisation, most).await?,
        names: app.names.clone(),
        is_replay: app.policy.origin.is_replay(),
    })
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
