//! Monthly reports: the page, the canonical bytes, the workbook, and the rows of a figure.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;
use schemas::hash::sha256;

use super::problem::{of, office};
use super::words;
use crate::http::desk::format::exact;
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};
use crate::sandbox::indicators::{FigureId, Group, Month};
use crate::sandbox::report::Report;
use crate::trials::sheet;

struct FigureLine {
    word: String,
    name: &'static str,
    value: String,
    rows: usize,
}

struct GroupView {
    title: String,
    figures: Vec<FigureLine>,
}

struct ProblemLine {
    id: String,
    at: String,
    by: String,
    words: String,
    treatments: Vec<(String, String, String)>,
    closed: Option<String>,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    shell: Shell,
    month: String,
    hash: String,
    declaration: String,
    limits: String,
    previous: String,
    groups: Vec<GroupView>,
    problems: Vec<ProblemLine>,
    untreated: usize,
}

struct RowLine {
    id: String,
    at: String,
    kind: String,
    detail: String,
    href: Option<String>,
}

#[derive(Template)]
#[template(path = "figure.html")]
struct FigurePage {
    shell: Shell,
    month: String,
    name: &'static str,
    value: String,
    rows: Vec<RowLine>,
}

async fn kept(app: &App, month: &str) -> Result<(Month, Report, Vec<u8>), Problem> {
    let month: Month = month
        .parse()
        .map_err(|error| Problem::bad_request(format!("month: {error}")))?;
    let report = office(app)?.report(month).await;
    let (report, bytes) = report.map_err(|error| of(&error))?;
    Ok((month, report, bytes))
}

/// A report.
pub(super) async fn page(
    State(app): State<App>,
    Path(month): Path<String>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    let (month, report, bytes) = kept(&app, &month).await?;
    let shell = Shell::new(&uri, language, &person, "trial")?;
    let named = |hash: Option<schemas::hash::Hash>| {
        let none = || shell.t.get("report.none").to_owned();
        hash.map_or_else(none, |hash| hash.to_string())
    };
    let (declaration, limits, previous) = report.names();
    let page = Page {
        month: month.to_string(),
        hash: sha256(&bytes).to_string(),
        declaration: declaration.to_string(),
        limits: named(limits),
        previous: named(previous),
        groups: groups(&report, &shell, language),
        problems: problems(&report),
        untreated: report.untreated().len(),
        shell,
    };
    shell::page(&uri, StatusCode::OK, &page)
}

fn groups(report: &Report, shell: &Shell, language: Language) -> Vec<GroupView> {
    let all = [
        (Group::Privacy, "group.privacy"),
        (Group::Risk, "group.risk"),
        (Group::Ease, "group.ease"),
        (Group::Service, "group.service"),
    ];
    let view = |(group, key): (Group, &str)| {
        let figures = report.figures().iter().filter(|one| one.group == group);
        let figures = figures.map(|one| FigureLine {
            word: one.id.word(),
            name: sheet::name(one.id, language),
            value: words::value(one.value, shell.t, language),
            rows: one.rows.len(),
        });
        GroupView {
            title: shell.t.get(key).to_owned(),
            figures: figures.collect(),
        }
    };
    all.into_iter().map(view).collect()
}

fn problems(report: &Report) -> Vec<ProblemLine> {
    let problems = report.problems().iter().map(|one| ProblemLine {
        id: one.id.to_string(),
        at: exact(one.found_at),
        by: one.found_by.to_string(),
        words: one.words.clone(),
        treatments: one
            .treatments
            .iter()
            .map(|done| (exact(done.at), done.by.to_string(), done.words.clone()))
            .collect(),
        closed: one.closed_at.map(exact),
    });
    problems.collect()
}

/// The canonical bytes, whose SHA-256 the log holds.
pub(super) async fn bytes(
    State(app): State<App>,
    Path(month): Path<String>,
) -> Result<Response, Problem> {
    let (_, _, bytes) = kept(&app, &month).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// The same beside the page, for people.
pub(super) async fn file(
    app: State<App>,
    month: Path<String>,
    _: Person,
) -> Result<Response, Problem> {
    bytes(app, month).await
}

/// The workbook, made from the kept report.
pub(super) async fn workbook(
    State(app): State<App>,
    Path(month): Path<String>,
    _: Person,
    language: Language,
) -> Result<Response, Problem> {
    let (month, report, bytes) = kept(&app, &month).await?;
    let made = sheet::sheet(&report, sha256(&bytes), language);
    let made = made.map_err(|error| internal(&error))?;
    let name = format!("attachment; filename=\"sandbox-{month}.xlsx\"");
    let headers = [
        (header::CONTENT_TYPE, kit::xlsx::MEDIA_TYPE.to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, made).into_response())
}

/// The rows that a figure was counted from.
pub(super) async fn figure(
    State(app): State<App>,
    Path((month, figure)): Path<(String, String)>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("The report has no figure of this name.");
    let figure = FigureId::of_word(&figure).ok_or_else(unknown)?;
    let (month, report, _) = kept(&app, &month).await?;
    let figure = report.figure(figure).ok_or_else(unknown)?;
    let all = office(&app)?.rows().await.map_err(|error| of(&error))?;
    let shell = Shell::new(&uri, language, &person, "trial")?;
    let desk = shell::actor(&person)?.role.reads_desk();
    let rows = all.all().iter().filter(|row| figure.rows.contains(&row.id));
    let rows = rows.map(|row| {
        let (kind, detail, href) = words::fact(row, shell.t, language);
        RowLine {
            id: row.id.to_string(),
            at: exact(row.at),
            kind,
            detail,
            href: href.filter(|_| desk),
        }
    });
    let page = FigurePage {
        month: month.to_string(),
        name: sheet::name(figure.id, language),
        value: words::value(figure.value, shell.t, language),
        rows: rows.collect(),
        shell,
    };
    shell::page(&uri, StatusCode::OK, &page)
}
