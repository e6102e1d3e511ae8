//! An event of the evidence and its proof: what the bank's server has checked, and a bundle of this
//! one event that the officer's own browser checks.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;
use kit::text::Text;
use schemas::event::Source;
use schemas::hash::Hash;
use schemas::proof::SelectError;
use serde_json::Value;

use super::format::{exact, short};
use crate::desk::DeskError;
use crate::evidence::kept::{OpenError, Opened};
use crate::evidence::{VerifiedEvent, VerifiedStatement};
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};
use crate::loan::Record;

/// Longest value that is shown of a member, in characters; the bundle has all of it.
const VALUE_SHOWN: usize = 2_000;

/// An event in a list.
#[derive(Debug)]
pub(super) struct EventLine {
    pub(super) leaf: String,
    pub(super) short: String,
    pub(super) step: String,
    pub(super) time: String,
    pub(super) source: &'static str,
    pub(super) source_words: String,
    pub(super) organisation: String,
    pub(super) device: String,
    pub(super) statement: String,
    pub(super) anchored: String,
}

/// Lines of these leaves, by time.
pub(super) fn lines<'l>(
    opened: &Opened,
    leaves: impl Iterator<Item = &'l Hash>,
    t: Text,
) -> Vec<EventLine> {
    let mut lines: Vec<EventLine> = leaves
        .filter_map(|leaf| opened.event(leaf))
        .map(|(event, statement)| line(event, statement, t))
        .collect();
    lines.sort_by(|a, b| (&a.time, &a.leaf).cmp(&(&b.time, &b.leaf)));
    lines
}

fn line(event: &VerifiedEvent, statement: &VerifiedStatement, t: Text) -> EventLine {
    let (source, words) = source(event.source, t);
    EventLine {
        leaf: event.leaf.to_string(),
        short: short(&event.leaf),
        step: (kit::text::steps(t.language))
            .get(&bare(&text_of(event, "bizStep")))
            .to_owned(),
        time: text_of(event, "eventTime"),
        source,
        source_words: words.to_owned(),
        organisation: statement.device.organisation.to_string(),
        device: statement.device.device.to_string(),
        statement: format!("{}.{}", statement.epoch, statement.seq),
        anchored: exact(statement.anchored),
    }
}

/// A source's badge and words; a wholly withheld event has none.
fn source(source: Option<Source>, t: Text) -> (&'static str, &'static str) {
    let key = match source {
        Some(Source::Declared) => "source.declared",
        Some(Source::File) => "source.file",
        Some(Source::Scan) => "source.scan",
        Some(Source::Sensor) => "source.sensor",
        None => "source.withheld",
    };
    (
        key.strip_prefix("source.").unwrap_or(key),
        t.find(key).unwrap_or(key),
    )
}

fn text_of(event: &VerifiedEvent, name: &str) -> String {
    let value = event.members.get(name).and_then(Option::as_deref);
    let value = value.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    value
        .as_ref()
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// A CBV word without its address.
fn bare(step: &str) -> String {
    let word = step.rsplit(['/', ':']).next().unwrap_or(step);
    word.strip_prefix("BizStep-").unwrap_or(word).to_owned()
}

/// Words of evidence that cannot be shown.
pub(super) fn refusal_key(error: &OpenError) -> &'static str {
    match error {
        OpenError::Unnamed => "evidence.unnamed",
        OpenError::Missing(_) => "evidence.missing",
        OpenError::Altered(_) => "evidence.altered",
        OpenError::Refused(_) => "evidence.refused",
    }
}

/// A member, shown or withheld.
#[derive(Debug)]
struct Member {
    name: String,
    value: Option<String>,
}

#[derive(Template)]
#[template(path = "event.html")]
struct Page {
    shell: Shell,
    decision: String,
    application: String,
    line: EventLine,
    members: Vec<Member>,
    /// What the reader's own check looks for: the statement's id and the event's place in it.
    place: String,
    statement_id: String,
    checked: String,
    policy: String,
    platform: Option<String>,
    script: &'static str,
    words: &'static str,
}

/// A decision, and the evidence that was kept of it, verified again.
async fn opened(app: &App, id: &str) -> Result<(Record, Arc<Opened>), Problem> {
    let told = |error| super::problem(&error);
    let record = app.desk.record(id).await.map_err(told)?;
    let opened = app.desk.evidence(&record).await.map_err(told)?;
    Ok((record, opened))
}

/// An event with its proof.
pub(crate) async fn show(
    State(app): State<App>,
    Path((id, leaf)): Path<(String, String)>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    let shell = Shell::new(&uri, language, &person, "offer")?;
    let leaf = parse(&leaf)?;
    let (record, opened) = opened(&app, &id).await?;
    let (event, statement) = opened.event(&leaf).ok_or_else(unknown)?;
    let statement_id = statement.id.to_string();
    let page = Page {
        line: line(event, statement, shell.t),
        members: event.members.iter().map(member).collect(),
        place: format!(
            "{}:{}",
            statement_id.get(..12).unwrap_or_default(),
            event.index
        ),
        statement_id,
        checked: exact(opened.checked_at),
        policy: opened.evidence.policy.to_string(),
        platform: app
            .event_page
            .as_deref()
            .map(|page| page.replace(crate::config::LEAF, &leaf.to_string())),
        script: kit::verifier::SCRIPT_HREF.as_str(),
        words: kit::verifier::PAGE_HREF.as_str(),
        decision: id,
        application: record.decision.application.application_id.to_string(),
        shell,
    };
    shell::page(&uri, StatusCode::OK, &page)
}

fn member((name, value): (&String, &Option<Vec<u8>>)) -> Member {
    let shown = |bytes: &Vec<u8>| {
        let text = String::from_utf8_lossy(bytes);
        let mut cut: String = text.chars().take(VALUE_SHOWN).collect();
        if cut.len() < text.len() {
            cut.push('…');
        }
        cut
    };
    Member {
        name: name.clone(),
        value: value.as_ref().map(shown),
    }
}

/// The bundle of a score: all the evidence that it was made from, for a verifier of anybody's.
pub(crate) async fn whole(
    State(app): State<App>,
    Path(id): Path<String>,
    _: Person,
) -> Result<Response, Problem> {
    let (_, opened) = opened(&app, &id).await?;
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind)], opened.bundle().to_vec()).into_response())
}

/// The bundle of one event: everything that a browser needs to check it alone.
pub(crate) async fn bundle(
    State(app): State<App>,
    Path((id, leaf)): Path<(String, String)>,
    _: Person,
) -> Result<Response, Problem> {
    let leaf = parse(&leaf)?;
    let (_, opened) = opened(&app, &id).await?;
    let work = tokio::task::spawn_blocking(move || opened.bundle_of(leaf));
    let selected = work
        .await
        .map_err(|_| super::problem(&DeskError::Stopping))?;
    let bytes = selected.map_err(|error| match error {
        SelectError::Unknown(_) => unknown(),
        error => internal(&error),
    })?;
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response())
}

fn parse(leaf: &str) -> Result<Hash, Problem> {
    leaf.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::not_found("The evidence of this decision holds no such event.")
}
