//! `GET /live`: server-sent events that tell an open page that something has happened. The page
//! fetches itself again; the event carries no content, so that nobody learns here what their page
//! would not show them. Without it, or without scripts, pages are as they were loaded.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::{Stream, stream};
use kit::people::Person;
use kit::problem::Problem;
use schemas::hash::Hash;
use serde::Deserialize;

use crate::desk::pulse::Watch;
use crate::http::{App, internal};

/// How often a silent line says that it is alive: less than the server's patience of a minute.
const ALIVE: Duration = Duration::from_secs(20);

/// How long a browser waits before it asks again after the line broke, in milliseconds.
const AGAIN: Duration = Duration::from_secs(3);

/// Browsers pass on no event without data (WHATWG HTML, 9.2.6).
const NEWS: &str = "now";

/// What the page has shown.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    head: String,
}

/// Tells of changes behind the head that the page has shown, or that the browser saw last.
pub(crate) async fn watch(
    State(app): State<App>,
    _: Person,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    if !wants_events(&headers) {
        let head = app.desk.head().await.map_err(|error| internal(&error))?;
        return Ok(head.to_string().into_response());
    }
    let last = headers.get("last-event-id");
    let last = last.and_then(|value| value.to_str().ok()?.parse().ok());
    let shown = || -> Option<Hash> { asked.ok()?.head.parse().ok() };
    let watch = app.desk.watch(last.or_else(shown));
    let watch = watch.ok_or_else(|| {
        Problem::unavailable("Too many pages are kept up to date; this one works without.")
    })?;
    let alive = KeepAlive::new().interval(ALIVE);
    Ok(Sse::new(events(watch)).keep_alive(alive).into_response())
}

/// A browser's `EventSource` says so; whoever does not is told the present head at once.
fn wants_events(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    accept
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"))
}

fn events(watch: Watch) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        match watch.next().await {
            Ok(Some(head)) => {
                let event = Event::default().event("changed").id(head.to_string());
                let event = event.retry(AGAIN).data(NEWS);
                Some((Ok(event), Some(watch)))
            }
            // The page shows that it is no longer kept up to date.
            Ok(None) => Some((Ok(Event::default().event("end").data(NEWS)), None)),
            Err(error) => {
                internal(&error);
                None
            }
        }
    })
}
