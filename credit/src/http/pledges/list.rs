//! `GET /pledges`: frozen ones first, each with what happened.

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;

use super::problem;
use super::words::{self, AlarmLine};
use crate::http::desk::format::{exact, money};
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};
use crate::pledge::PledgeId;
use crate::pledge::stage::State as Stand;
use crate::pledge::step::Chain;
use crate::store::pledge::{Refusal, Which};

/// In which order they stand.
pub(super) const ORDER: [Stand; 7] = [
    Stand::Frozen,
    Stand::Called,
    Stand::Offered,
    Stand::Pledged,
    Stand::Released,
    Stand::Realised,
    Stand::Withdrawn,
];

/// Most pledges of a state that the page shows.
const SHOWN: u32 = 100;

/// Refusals that the page shows.
const REFUSED: u32 = 20;

struct Row {
    id: String,
    what: String,
    borrower: String,
    loan: String,
    tone: &'static str,
    state: String,
    lending: String,
    drawn: String,
    alarms: Vec<AlarmLine>,
}

struct Refused {
    at: String,
    who: String,
    class: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "pledges.html")]
struct Page {
    shell: Shell,
    frozen: Vec<Row>,
    rows: Vec<Row>,
    refused: Vec<Refused>,
    read: String,
}

/// The list; it is read anew every few seconds.
pub(super) async fn show(
    State(app): State<App>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    let shell = Shell::new(&uri, language, &person, "pledges")?;
    let (mut frozen, mut rows) = (Vec::new(), Vec::new());
    for state in ORDER {
        let lines = app.office.store().pledges(&Which::In(state), SHOWN).await;
        for line in lines.map_err(|error| internal(&error))? {
            let chain = app.office.read(&line.pledge).await;
            let chain = chain.map_err(|error| problem(&error))?;
            let row = row(&app, &line.pledge, &chain, &shell);
            match chain.stage().state() {
                Stand::Frozen => frozen.push(row),
                _ => rows.push(row),
            }
        }
    }
    let refused = app.office.store().pledge_refusals(None, REFUSED).await;
    let refused = refused.map_err(|error| internal(&error))?;
    let page = Page {
        read: exact(app.office.now()),
        refused: refused.iter().map(|one| refusal(one, &shell)).collect(),
        shell,
        frozen,
        rows,
    };
    shell::page(&uri, StatusCode::OK, &page)
}

fn row(app: &App, id: &PledgeId, chain: &Chain, shell: &Shell) -> Row {
    let (t, language) = (shell.t, shell.t.language);
    let life = chain.stage().life();
    let (tone, state) = words::state(chain.stage().state(), t);
    let now = app.office.now();
    let alarm = |one| words::alarm(one, app.event_page.as_deref(), now, t);
    Row {
        id: id.to_string(),
        what: life.offer.what.clone(),
        borrower: life.offer.borrower.to_string(),
        loan: life.offer.loan.to_string(),
        tone,
        state,
        lending: money(life.offer.lending_value, language),
        drawn: money(life.drawn, language),
        alarms: life.alarms.iter().map(alarm).collect(),
    }
}

fn refusal(one: &Refusal, shell: &Shell) -> Refused {
    let key = format!("problem.pledge-{}.title", one.class);
    Refused {
        at: exact(one.at),
        who: one.person.clone(),
        class: shell.t.find(&key).unwrap_or(&one.class).to_owned(),
        detail: one.detail.clone(),
    }
}
