//! The gateway's own page, on loopback: what is going on in words, what waits, what each source does,
//! and the same as figures for a collector (`GET /metrics`). For the person who stands before the
//! device, over `ssh -L 9465:127.0.0.1:9465` for one who does not.
//!
//! It needs no script, takes no commands, and shows no secret. A request that names another host than
//! this machine is refused, so that no page on the web can read it through somebody's browser.

mod html;
pub mod metrics;
mod sources;
mod words;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use schemas::ids::DeviceAddress;
use schemas::time::{Clock, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::serve::{self, Answer, Answers, Request};
use crate::source;
use crate::state::Language;
use crate::status::Status;

/// What the page is made of.
pub struct Page {
    /// Who this is.
    pub device: DeviceAddress,
    /// The agent's picture of itself.
    pub status: watch::Receiver<Status>,
    /// How each source is.
    pub sources: Vec<watch::Receiver<source::State>>,
    /// The clock that the agent runs on.
    pub clock: Arc<dyn Clock>,
}

/// One look at the agent.
struct Look<'a> {
    device: &'a DeviceAddress,
    status: &'a Status,
    sources: Vec<source::State>,
    now: Instant,
}

impl Page {
    /// Binds the address.
    ///
    /// # Errors
    /// Of the operating system.
    pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
        TcpListener::bind(address).await
    }

    /// Answers until `shutdown`.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) {
        serve::run(listener, Arc::new(self), shutdown).await;
    }
}

#[async_trait]
impl Answers for Page {
    async fn answer(&self, request: &Request) -> Answer {
        if !is_this_machine(&request.host) {
            let words = "this page is for the machine that it runs on\n";
            return Answer::text("421 Misdirected Request", words);
        }
        let status = self.status.borrow().clone();
        let look = Look {
            device: &self.device,
            status: &status,
            sources: self
                .sources
                .iter()
                .map(|one| one.borrow().clone())
                .collect(),
            now: self.clock.now(),
        };
        match &*request.path {
            "/" => Answer {
                status: "200 OK",
                kind: "text/html; charset=utf-8",
                body: html::page(&look, language(request)).into_bytes(),
            },
            "/metrics" => Answer {
                status: "200 OK",
                kind: "text/plain; version=0.0.4; charset=utf-8",
                body: metrics::text(&status).into_bytes(),
            },
            _ => Answer::text("404 Not Found", "only / and /metrics\n"),
        }
    }
}

/// A loopback address or `localhost`, with or without port; a request without a host is from a
/// program, not from a browser.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let loops = name
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    host.is_empty() || name == "localhost" || loops
}

/// `?lang=zh` or `?lang=en`, else what the browser asks for first, else Chinese as on all pages.
fn language(request: &Request) -> Language {
    let asked = request
        .query
        .split('&')
        .find_map(|pair| pair.strip_prefix("lang="));
    let wanted = asked.into_iter().chain(request.languages.split(','));
    let known = wanted.filter_map(|tag| match tag.trim().get(..2) {
        Some("zh") => Some(Language::Chinese),
        Some("en") => Some(Language::English),
        _ => None,
    });
    known.into_iter().next().unwrap_or(Language::Chinese)
}

#[cfg(test)]
mod tests;
