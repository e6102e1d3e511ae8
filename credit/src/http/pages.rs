//! The two pages for people, rendered on the server, without scripts.

pub mod view;
pub mod words;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use kit::negotiate::Language;
use kit::problem::Problem;

use super::{Desk, decisions, internal};
use crate::facts::Facts;
use view::{DecisionView, Gauge, Row};
use words::Words;

/// Decisions on the list page.
const LISTED: u32 = 100;

/// The list of decisions.
#[derive(Template)]
#[template(path = "list.html")]
struct ListPage {
    language: Language,
    words: &'static Words,
    gauges: Vec<Gauge>,
    rows: Vec<Row>,
}

/// One decision.
#[derive(Template)]
#[template(path = "decision.html")]
struct DecisionPage {
    language: Language,
    words: &'static Words,
    view: DecisionView,
}

/// No such page.
#[derive(Template)]
#[template(path = "missing.html")]
struct MissingPage {
    language: Language,
    words: &'static Words,
}

/// `GET /`.
pub(crate) async fn list(
    State(desk): State<Desk>,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    let words = words::of(language);
    let store = desk.credit.store();
    let decisions = store
        .list(0, LISTED)
        .await
        .map_err(|error| internal(&error))?;
    let sandbox = desk
        .credit
        .sandbox()
        .await
        .map_err(|error| internal(&error))?;
    let rows = decisions
        .iter()
        .map(|decision| Row::of(decision, words))
        .collect();
    let gauges = view::sandbox_gauges(&sandbox, words);
    let page = ListPage {
        language,
        words,
        gauges,
        rows,
    };
    Ok(html(
        &uri,
        StatusCode::OK,
        page.render().map_err(|error| internal(&error))?,
    ))
}

/// `GET /decisions/{id}`.
pub(crate) async fn decision(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    language: Language,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let words = words::of(language);
    let record = match decisions::find(&desk, &id).await {
        Ok(record) => record,
        Err(problem) if problem.status() == StatusCode::NOT_FOUND && wants_html(&headers) => {
            let page = MissingPage { language, words }.render();
            return Ok(html(
                &uri,
                StatusCode::NOT_FOUND,
                page.map_err(|error| internal(&error))?,
            ));
        }
        Err(problem) => return Err(problem),
    };
    let facts: Facts = serde_json::from_slice(&record.facts).map_err(|error| internal(&error))?;
    let view = view::decision(&record.decision, &facts, words, desk.event_page.as_deref());
    let page = DecisionPage {
        language,
        words,
        view,
    }
    .render();
    Ok(html(
        &uri,
        StatusCode::OK,
        page.map_err(|error| internal(&error))?,
    ))
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_none_or(|accept| accept.contains("html") || accept.contains("*/*"))
}

/// A page; a language that was chosen in the address is kept in a cookie.
fn html(uri: &Uri, status: StatusCode, body: String) -> Response {
    let mut response = (status, Html(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::VARY,
        HeaderValue::from_static("accept-language, cookie"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let chosen = Language::asked(uri).and_then(|language| language.cookie().parse().ok());
    if let Some(cookie) = chosen {
        headers.insert(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
pub(crate) mod samples {
    //! Renders any view in any language, for the test that looks at all of them.
    use super::*;

    pub(crate) fn render(language: Language, view: DecisionView) -> String {
        DecisionPage {
            language,
            words: words::of(language),
            view,
        }
        .render()
        .unwrap()
    }
}
