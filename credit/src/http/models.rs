//! Pages of scorecards: the list, one with its card, what supervisors do with it.
//!
//! | address | who | what |
//! |---|---|---|
//! | `GET /models` | whoever reads the desk | the table in use, every scorecard and where it stands |
//! | `GET /models/{hash}` | whoever reads the desk | a scorecard, or a table that scored |
//! | `GET /models/{hash}/card.json` | whoever reads the desk | the newest card, to the byte that is logged |
//! | `POST /models/{hash}/act` | supervisors | reviews, promotes, tries, retires |

mod beside;
mod show;
mod view;

pub(super) use beside::{ShadowLine, shadow_line};

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use kit::negotiate::Language;
use kit::people::{Checked, Form, Person};
use kit::problem::Problem;
use kit::routes::{Routes, get, post};
use schemas::hash::Hash;
use serde::Deserialize;

use super::desk::format::{exact, short};
use super::shell::{self, Shell};
use super::{App, internal, refused};
use crate::models::life::{Act, is_shadowing, state_word};
use crate::models::office::{OfficeError, Wish};
use crate::store::models::{ModelHead, Origin, TableUse};

/// Routes of scorecards.
pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/models", get(list))
        .route("/models/{hash}", get(show::show))
        .route("/models/{hash}/card.json", get(show::card))
        .route("/models/{hash}/act", post(act))
}

/// A line of the list.
#[derive(Debug)]
struct Line {
    href: String,
    hash: String,
    name: String,
    tone: &'static str,
    state: String,
    more: String,
    by: String,
    at: String,
}

#[derive(Template)]
#[template(path = "models.html")]
struct Page {
    shell: Shell,
    table: Option<Line>,
    earlier: Vec<Line>,
    models: Vec<Line>,
}

async fn list(
    State(app): State<App>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    let shell = Shell::new(&uri, language, &person, "models")?;
    let credit = app.desk.credit();
    let store = credit.store();
    let uses = store.table_uses(None).await;
    let uses = uses.map_err(|error| internal(&error))?;
    let models = store.models().await.map_err(|error| internal(&error))?;
    let (now, earlier): (Vec<&TableUse>, Vec<&TableUse>) = uses
        .iter()
        .partition(|one| one.table.sha256 == credit.table());
    let (t, in_use) = (shell.t, credit.models().in_use());
    let page = Page {
        table: now
            .first()
            .map(|one| used(one, &shell, "models.in-use", chosen(one.origin))),
        earlier: earlier
            .into_iter()
            .map(|one| used(one, &shell, "models.was-in-use", "none"))
            .collect(),
        models: models.iter().map(|one| line(one, in_use, t)).collect(),
        shell,
    };
    shell::page(&uri, StatusCode::OK, &page)
}

fn used(one: &TableUse, shell: &Shell, state: &str, tone: &'static str) -> Line {
    Line {
        href: format!("/models/{}", one.table.sha256),
        hash: short(&one.table.sha256),
        name: format!("{} {}", one.name, one.version),
        tone,
        state: shell.t.get(state).to_owned(),
        more: origin(one.origin, shell).to_owned(),
        by: String::new(),
        at: exact(one.since),
    }
}

/// How a table in use looks: only a promoted one was looked at by people here.
const fn chosen(origin: Origin) -> &'static str {
    match origin {
        Origin::Promoted => "ok",
        Origin::BuiltIn | Origin::File => "info",
    }
}

/// Where a table came from, in words.
fn origin(origin: Origin, shell: &Shell) -> &'static str {
    match origin {
        Origin::BuiltIn => shell.t.get("models.built-in"),
        Origin::File => shell.t.get("models.file"),
        Origin::Promoted => shell.t.get("models.from-scorecard"),
    }
}

/// How the states look.
fn tone(state: &str) -> &'static str {
    match state {
        "promoted" => "ok",
        "reviewed" => "info",
        "draft" => "warn",
        _ => "none",
    }
}

fn line(head: &ModelHead, in_use: Option<Hash>, t: kit::text::Text) -> Line {
    let state = state_word(&head.steps);
    let mut more = Vec::new();
    if is_shadowing(&head.steps) {
        more.push(t.get("models.shadowing"));
    }
    if in_use == Some(head.artefact) {
        more.push(t.get("models.in-use"));
    }
    let made = head.steps.iter().find(|step| step.act == Act::Made);
    Line {
        href: format!("/models/{}", head.artefact),
        hash: short(&head.artefact),
        name: format!("{} {}", head.name, head.version),
        tone: tone(state),
        state: t
            .find(&format!("models.{state}"))
            .unwrap_or(state)
            .to_owned(),
        more: more.join(" · "),
        by: made.map_or_else(String::new, |step| step.person.to_string()),
        at: exact(head.made_at),
    }
}

/// The form of a step.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    act: String,
    steps: u32,
    #[serde(default)]
    words: String,
}

impl Form for Fields {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

fn hash(text: &str) -> Result<Hash, Problem> {
    text.parse()
        .map_err(|_| Problem::not_found("There is no model with this hash."))
}

async fn act(
    State(app): State<App>,
    Path(model): Path<String>,
    person: Person,
    Checked(fields): Checked<Fields>,
) -> Result<Response, Problem> {
    let actor = shell::actor(&person)?;
    if !actor.role.keeps_models() {
        return Err(problem(&OfficeError::NotAllowed));
    }
    let wanted = Act::of_word(&fields.act).filter(|act| *act != Act::Made);
    let wanted = wanted.ok_or_else(|| Problem::bad_request("act: it is not one of the buttons"))?;
    let wish = Wish {
        artefact: hash(&model)?,
        act: wanted,
        steps: fields.steps,
        words: fields.words,
    };
    let done = app.desk.credit().models().act(&actor, wish).await;
    done.map_err(|error| problem(&error))?;
    Ok(Redirect::to(&format!("/models/{model}")).into_response())
}

/// What the office refuses, as a problem.
fn problem(error: &OfficeError) -> Problem {
    let says = |status, slug: &str, title: &str| {
        refused(status, slug, title, schemas::causes::causes(error))
    };
    match error {
        error if error.is_same_person() => says(
            StatusCode::FORBIDDEN,
            "model-same-person",
            "You have acted on this model before; another person has to do this",
        ),
        OfficeError::NotAllowed => says(
            StatusCode::FORBIDDEN,
            "not-allowed",
            "Your role may not do this",
        ),
        OfficeError::Unknown => Problem::not_found("There is no model with this hash."),
        OfficeError::Stale => says(
            StatusCode::PRECONDITION_FAILED,
            "model-changed",
            "The model has changed since you opened it; nothing was stored",
        ),
        OfficeError::InUse | OfficeError::Life(_) | OfficeError::Shadow(_) => says(
            StatusCode::CONFLICT,
            "model-refused",
            "The model does not take this; nothing was stored",
        ),
        _ => internal(error),
    }
}
