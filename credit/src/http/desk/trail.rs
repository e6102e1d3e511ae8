//! `GET /audit`: the trail of what people did, newest first.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;
use kit::text::Text;
use serde::Deserialize;

use super::format::{exact, short};
use crate::audit::Row;
use crate::desk::DeskError;
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};

/// Rows of one page.
const SHOWN: u32 = 100;

/// Characters of a decision's id; what is about the trial has its name as subject.
const DECISION_ID: usize = 32;

/// Which part.
#[derive(Deserialize)]
pub(crate) struct Asked {
    before: Option<i64>,
}

/// A row in words.
#[derive(Debug)]
pub(super) struct TrailRow {
    pub(super) seq: i64,
    pub(super) at: String,
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) subject: String,
    /// Where the subject is shown.
    pub(super) href: Option<String>,
    pub(super) detail: String,
    pub(super) hash: String,
    pub(super) hash_full: String,
}

/// A row of the trail in words.
pub(super) fn trail_row(row: &Row, t: Text) -> TrailRow {
    let hash = row.hash();
    let action = format!("action.{}", row.action);
    let on_offer = matches!(
        row.action.as_str(),
        "accept"
            | "endorse"
            | "refuse"
            | "lapse"
            | "same-person"
            | "assign"
            | "add-note"
            | "add-document"
            | "add-task"
            | "finish-task"
            | "decline-offer"
            | "offer-untaken"
    ) && row.subject.len() == DECISION_ID;
    let on_loan = matches!(row.action.as_str(), "loan-act" | "loan-motion");
    let folder = match (on_offer, on_loan) {
        (true, _) => Some("decisions"),
        (_, true) => Some("loans"),
        _ => None,
    };
    TrailRow {
        seq: row.seq,
        at: exact(row.at),
        actor: row.actor.clone(),
        action: t.find(&action).unwrap_or(&row.action).to_owned(),
        href: folder.map(|folder| format!("/{folder}/{}", row.subject)),
        subject: row.subject.clone(),
        detail: row.detail.clone(),
        hash: short(&hash),
        hash_full: hash.to_string(),
    }
}

#[derive(Template)]
#[template(path = "trail.html")]
struct Page {
    shell: Shell,
    rows: Vec<TrailRow>,
    older: Option<i64>,
    exports: bool,
}

/// The trail, for those who read it.
pub(crate) async fn show(
    State(app): State<App>,
    person: Person,
    language: Language,
    uri: Uri,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let shell = Shell::new(&uri, language, &person, "audit")?;
    if !shell.reads_trail() {
        return Err(super::problem(&DeskError::NotAllowed));
    }
    let rows = app
        .desk
        .credit()
        .store()
        .newest(asked.before, None, SHOWN)
        .await;
    let rows = rows.map_err(|error| internal(&error))?;
    let more = rows.len() >= SHOWN as usize;
    let older = rows
        .last()
        .filter(|last| more && last.seq > 1)
        .map(|last| last.seq);
    let rows = rows.iter().map(|row| trail_row(row, shell.t)).collect();
    let page = Page {
        shell,
        rows,
        older,
        exports: app.desk.exports(),
    };
    shell::page(&uri, StatusCode::OK, &page)
}
