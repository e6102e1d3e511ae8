//! `GET /pledges/{id}`: one pledge, its alarms, value, sensors and history, and what may be done.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;

use super::words::{self, AlarmLine, StepLine, StreamLine, WorthView};
use super::{id, problem};
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};
use crate::pledge::stage::{Act, State as Stand, WHY_MAX, Way};
use crate::pledge::step::Chain;

#[derive(Template)]
#[template(path = "pledge.html")]
struct Page {
    shell: Shell,
    id: String,
    what: String,
    borrower: String,
    loan: String,
    tone: &'static str,
    state: String,
    alarms: Vec<AlarmLine>,
    worth: WorthView,
    streams: Vec<StreamLine>,
    history: Vec<StepLine>,
    stand: Stand,
    /// How somebody wants to end it, who, and whether the reader may confirm.
    proposal: Option<(String, String, bool)>,
    /// Whether the reader offered it.
    mine: bool,
    request: String,
    why_max: usize,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Path(pledge): Path<String>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    let shell = Shell::new(&uri, language, &person, "pledges")?;
    let pledge = id(&pledge)?;
    let chain = app
        .office
        .read(&pledge)
        .await
        .map_err(|error| problem(&error))?;
    let streams = app.office.store().followed_of(&pledge).await;
    let streams = streams.map_err(|error| internal(&error))?;
    let life = chain.stage().life();
    let secured = app.office.secured(&life.offer.loan).await;
    let secured = secured.map_err(|error| problem(&error))?;
    let (t, now) = (shell.t, app.office.now());
    let (tone, state) = words::state(chain.stage().state(), t);
    let alarm = |one| words::alarm(one, app.event_page.as_deref(), now, t);
    let page = Page {
        id: pledge.to_string(),
        what: life.offer.what.clone(),
        borrower: life.offer.borrower.to_string(),
        loan: life.offer.loan.to_string(),
        tone,
        state,
        alarms: life.alarms.iter().map(alarm).collect(),
        worth: words::worth(life, secured, app.office.table(), (t, language)),
        streams: streams
            .iter()
            .map(|one| words::stream(one, now, t))
            .collect(),
        history: words::history(&chain, t),
        stand: chain.stage().state(),
        proposal: proposal(&chain, &person),
        mine: life.offered_by == person.name,
        request: request()?,
        why_max: WHY_MAX / 3,
        shell,
    };
    shell::page(&uri, StatusCode::OK, &page)
}

fn proposal(chain: &Chain, person: &Person) -> Option<(String, String, bool)> {
    let (way, by) = chain.stage().life().proposal.as_ref()?;
    let how = Act::Propose(Way::clone(way)).in_words();
    Some((how, by.to_string(), *by != person.name))
}

/// The key of a form that is sent once: the same form sent twice is one request.
pub(super) fn request() -> Result<String, Problem> {
    let bytes = schemas::random::bytes::<16>().map_err(|error| internal(&error))?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("form:{digits}"))
}
