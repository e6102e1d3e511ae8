//! What goes wrong, as a page: whoever asked with a browser gets the same problem in words, under
//! the same status.

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use kit::negotiate::Language;
use kit::problem::{MEDIA_TYPE, TYPE_PREFIX};
use serde::Deserialize;

use super::shell::{self, Shell};

/// Longest problem document that is read again: they are ours, and short.
const PROBLEM_MAX: usize = 64 * 1024;

/// A refusal, or our failure: two looks.
#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    shell: Shell,
    /// `refused` or `error`.
    look: &'static str,
    title: String,
    words: String,
    detail: Option<String>,
    reference: Option<String>,
    /// The field that is refused, in words.
    field: Option<String>,
    /// Where to go, and the key of its words.
    back: (String, &'static str),
}

/// What is read of a problem document.
#[derive(Deserialize)]
struct Read {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    detail: Option<String>,
    reference: Option<String>,
    field: Option<String>,
    rule: Option<String>,
}

/// A layer: problem documents become pages for browsers.
pub(super) async fn for_people(request: Request, next: Next) -> Response {
    let accept = request.headers().get(header::ACCEPT);
    let accept = accept
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !accept.contains("text/html") {
        return next.run(request).await;
    }
    let language = Language::of(request.uri(), request.headers());
    let uri = request.uri().clone();
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != MEDIA_TYPE) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, PROBLEM_MAX).await.unwrap_or_default();
    let read = serde_json::from_slice::<Read>(&bytes).ok();
    let page = read.and_then(|read| {
        let page = page_of(Shell::plain(&uri, language), parts.status, uri.path(), read);
        shell::page(&uri, parts.status, &page).ok()
    });
    page.unwrap_or_else(|| Response::from_parts(parts, Body::from(bytes)))
}

fn page_of(shell: Shell, status: StatusCode, path: &str, read: Read) -> ProblemPage {
    let slug = read.kind.strip_prefix(TYPE_PREFIX).unwrap_or_default();
    let look = if status.is_server_error() {
        "error"
    } else {
        "refused"
    };
    let t = shell.t;
    let known = |what: &str| t.find(&format!("problem.{slug}.{what}")).map(str::to_owned);
    // A rule has words of its own, which say more than those of the kind of problem.
    let rule = read.rule.as_deref();
    let rule = rule.and_then(|rule| t.find(&format!("denied.{rule}")));
    let field = read.field.map(|field| {
        let words = t.find(&format!("field.{field}"));
        words.map_or(field, str::to_owned)
    });
    let words = rule.map(str::to_owned).or_else(|| known("words"));
    ProblemPage {
        look,
        title: known("title").unwrap_or(read.title),
        words: words.unwrap_or_else(|| t.get("problem.words").to_owned()),
        detail: read
            .detail
            .filter(|_| known("title").is_none() || field.is_some()),
        reference: read.reference,
        field,
        back: back(path, status),
        shell,
    }
}

/// Where somebody goes on: to what the request was about, or to the first page.
fn back(path: &str, status: StatusCode) -> (String, &'static str) {
    let of = |folder: &str, key| {
        let id = path.strip_prefix(folder)?.split('/').next()?;
        Some((format!("{folder}{id}"), key)).filter(|_| status != StatusCode::NOT_FOUND)
    };
    let first = if path == "/my" || path.starts_with("/my/") {
        ("/my".to_owned(), "problem.my")
    } else {
        ("/".to_owned(), "problem.queue")
    };
    of("/decisions/", "problem.offer")
        .or_else(|| of("/pledges/", "problem.pledge"))
        .or_else(|| of("/loans/", "problem.loan"))
        .or_else(|| of("/my/loans/", "problem.loan"))
        .or_else(|| of("/models/", "problem.model"))
        .unwrap_or(first)
}
