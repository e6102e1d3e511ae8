//! Counters, gauges and times as Prometheus reads them, on a listener of their own.
//!
//! A service lists its series once ([`Series`]); from that list come the help texts, the table in
//! its documentation and the test that nothing else is counted. Without a listener no recorder is
//! installed and counting costs next to nothing.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use crate::serve::{ServeError, Served, serve};

/// Upper bounds of the buckets of every time, in seconds.
pub const BUCKETS: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0];
/// Upper bounds of the buckets of every number of messages.
pub const COUNTS: [f64; 7] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0];
/// How often samples of times are put into their buckets when nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);
/// Media type of the answer (Prometheus text format 0.0.4).
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers over HTTP, of any service.
pub const HTTP: [Series; 3] = [
    Series {
        name: "tracebond_http_answers_total",
        kind: Kind::Counter,
        labels: &["method", "route", "status"],
        help: "Answers over HTTP by route template and status",
    },
    Series {
        name: "tracebond_http_seconds",
        kind: Kind::Histogram,
        labels: &["route"],
        help: "Time from a request to the head of its answer",
    },
    Series {
        name: "tracebond_http_refused_connections_total",
        kind: Kind::Counter,
        labels: &["reason"],
        help: "Connections closed before a request: too many of one `address`, or of all (`full`)",
    },
];

/// What kind of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while the process lives.
    Counter,
    /// As it is now.
    Gauge,
    /// Times in [`BUCKETS`]; numbers of messages, whose names end so, in [`COUNTS`].
    Histogram,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A name that a service counts under.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// Its name; the unit stands last.
    pub name: &'static str,
    /// What kind.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

/// The list as a Markdown table, for a service's documentation.
#[must_use]
pub fn table(series: &[Series]) -> String {
    let mut text = String::from("| name | kind | labels | meaning |\n|---|---|---|---|\n");
    for one in series {
        let labels: Vec<String> = one
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let labels = labels.join(", ");
        let (kind, help) = (one.kind.word(), one.help);
        text.push_str(&format!(
            "| `{}` | {kind} | {labels} | {help} |\n",
            one.name
        ));
    }
    text
}

/// Why nothing can be counted.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The recorder cannot be made, or another one is installed.
    #[error("no recorder of metrics can be installed")]
    Recorder(#[from] BuildError),
    /// The listener.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// The process's recorder: there can be only one, so it is shared by whoever runs in it.
static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// Makes this process count and describes the series.
///
/// # Errors
/// [`MetricsError::Recorder`].
pub fn install(series: &[Series]) -> Result<PrometheusHandle, MetricsError> {
    let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let handle = match &*recorder {
        Some(handle) => handle.clone(),
        None => PrometheusBuilder::new()
            .set_buckets(&BUCKETS)?
            .set_buckets_for_metric(Matcher::Suffix("_messages".to_owned()), &COUNTS)?
            .install_recorder()?,
    };
    *recorder = Some(handle.clone());
    for one in series {
        match one.kind {
            Kind::Counter => metrics::describe_counter!(one.name, one.help),
            Kind::Gauge => metrics::describe_gauge!(one.name, one.help),
            Kind::Histogram => metrics::describe_histogram!(one.name, one.help),
        }
    }
    Ok(handle)
}

/// Counts from now on, and answers `GET /metrics` on `address` until `shutdown`.
///
/// # Errors
/// [`MetricsError`].
pub async fn listen(
    address: SocketAddr,
    series: &[Series],
    shutdown: CancellationToken,
) -> Result<Served, MetricsError> {
    let handle = install(series)?;
    tokio::spawn(keep_up(handle.clone(), shutdown.clone()));
    let router = Router::new()
        .route("/metrics", get(answer))
        .with_state(handle);
    Ok(serve(router, address, None, shutdown).await?)
}

async fn keep_up(handle: PrometheusHandle, shutdown: CancellationToken) {
    while tokio::time::timeout(UPKEEP, shutdown.cancelled())
        .await
        .is_err()
    {
        handle.run_upkeep();
    }
}

async fn answer(State(handle): State<PrometheusHandle>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, TEXT)], handle.render())
}

/// Counts answers by route template, method and status; a layer inside the router, so that the
/// template is known.
pub async fn count(request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("other", MatchedPath::as_str).to_owned();
    let method = method(&request);
    let began = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::histogram!("tracebond_http_seconds", "route" => route.clone())
        .record(began.elapsed().as_secs_f64());
    metrics::counter!(
        "tracebond_http_answers_total",
        "method" => method, "route" => route, "status" => status
    )
    .increment(1);
    response
}

/// A stranger's own method must not make a series of its own.
fn method(request: &Request) -> &'static str {
    match request.method().as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// Names in a crate's sources that look like series: for a test that compares them with its list.
/// Only string literals of the form `"tracebond_..."` count.
#[must_use]
pub fn names_in(source: &str) -> Vec<String> {
    let named = |rest: &str| {
        let end = rest.find('"')?;
        let name = &rest[..end];
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit();
        (name.len() > 10 && name.bytes().all(fits)).then(|| name.to_owned())
    };
    source
        .match_indices("\"tracebond_")
        .filter_map(|(at, _)| named(&source[at + 1..]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_layer_counts_by_template_and_the_listener_tells() {
        let shutdown = CancellationToken::new();
        let address = ([127, 0, 0, 1], 0).into();
        let served = listen(address, &HTTP, shutdown.clone()).await.unwrap();
        let router = Router::new()
            .route("/things/{id}", get(|| async { "a thing" }))
            .layer(axum::middleware::from_fn(count));
        let pages = serve(router, address, None, shutdown.clone())
            .await
            .unwrap();
        for path in ["/things/1", "/things/2", "/nothing"] {
            raw_get(pages.address, path).await;
        }
        let text = raw_get(served.address, "/metrics").await;
        let expected = [
            r#"tracebond_http_answers_total{method="GET",route="/things/{id}",status="200"} 2"#,
            r#"tracebond_http_answers_total{method="GET",route="other",status="404"} 1"#,
            "# TYPE tracebond_http_seconds histogram",
            r#"tracebond_http_seconds_count{route="/things/{id}"} 2"#,
            "# HELP tracebond_http_answers_total Answers over HTTP by route template and status",
        ];
        for line in expected {
            assert!(text.contains(line), "{line}\n{text}");
        }
        shutdown.cancel();
    }

    async fn raw_get(address: SocketAddr, path: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[test]
    fn names_are_found_in_sources() {
        let source = r#"metrics::counter!("tracebond_a_total", "x" => "tracebond_ b"); "tracebond_b_seconds""#;
        assert_eq!(
            names_in(source),
            ["tracebond_a_total", "tracebond_b_seconds"]
        );
    }
}
