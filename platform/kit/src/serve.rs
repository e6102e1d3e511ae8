//! A router on an address: port 0 allowed, limits on everything that a stranger can send, TLS when
//! a configuration is given, and an end that lets running requests finish.
//!
//! HTTP/1.1 only: our pages are small, and one protocol is one set of limits.

mod patience;

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use patience::PatientAcceptor;

/// Limits of one listening address.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request body that an extractor reads before it answers 413. A route that needs
    /// more adds its own `DefaultBodyLimit`.
    pub body_bytes: usize,
    /// Bytes of request line and headers before the connection is refused (at least 8,192).
    pub header_bytes: usize,
    /// Connections at once; as many again wait 5 s for a place, further ones are closed.
    pub connections: usize,
    /// Connections at once of one address (of one /64 network in IPv6); further ones are closed.
    /// Behind a proxy, all are of one.
    pub connections_per_address: usize,
    /// From a request's first byte to the first byte of its answer; and between two bytes of an
    /// answer; and between two requests. A connection that takes longer is closed.
    pub patience: Duration,
    /// How long running requests may take to finish after shutdown began.
    pub drain: Duration,
}

impl Default for Limits {
    /// 1 MiB bodies (four of the largest messages), 16 KiB headers, 1,024 connections, 512
    /// of one address, 60 s of patience, 5 s to drain.
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            header_bytes: 16 * 1024,
            connections: 1024,
            connections_per_address: 512,
            patience: Duration::from_secs(60),
            drain: Duration::from_secs(5),
        }
    }
}

/// Whose an address is: whoever has one IPv6 address has all of its /64 network.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// Why serving could not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct ServeError {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// What the operating system says.
    #[source]
    pub source: io::Error,
}

/// A running server.
#[derive(Debug)]
pub struct Served {
    /// The address that it listens on, with the real port.
    pub address: SocketAddr,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Ends once everything is drained after shutdown.
    pub task: JoinHandle<io::Result<()>>,
}

impl Served {
    /// The root address, such as `http://127.0.0.1:8080` (no slash at the end).
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }
}

/// Serves `router` with the default [`Limits`]. See [`serve_with`].
///
/// # Errors
/// [`ServeError`] when the address cannot be bound.
pub async fn serve(
    router: Router,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    shutdown: CancellationToken,
) -> Result<Served, ServeError> {
    serve_with(router, address, tls, Limits::default(), shutdown).await
}

/// Serves `router` on `address` until `shutdown` is cancelled; it listens when this returns.
/// Handlers may extract `ConnectInfo<SocketAddr>`. With `tls`, the configuration should offer the
/// ALPN protocol `http/1.1` only.
///
/// # Errors
/// [`ServeError`] when the address cannot be bound.
pub async fn serve_with(
    router: Router,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
    shutdown: CancellationToken,
) -> Result<Served, ServeError> {
    serve_on(bind(address)?, router, tls, limits, shutdown)
}

/// As [`serve_with`] on a listener of [`bind`], for those who must know the port before they can
/// make the router. Must be called within a tokio runtime.
///
/// # Errors
/// [`ServeError`] when the listener cannot be used.
pub fn serve_on(
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
    shutdown: CancellationToken,
) -> Result<Served, ServeError> {
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    let address = listener.local_addr();
    let failed = |address| move |source| ServeError { address, source };
    let address = address.map_err(failed(unknown))?;
    let server = axum_server::from_tcp(listener).map_err(failed(address))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let task = start(server, router, tls, limits, shutdown);
    Ok(Served {
        address,
        scheme,
        task,
    })
}

/// Binds an address: port 0 for any. Connections wait until [`serve_on`].
///
/// # Errors
/// [`ServeError`] when the address cannot be bound.
pub fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|source| ServeError { address, source })
}

fn start(
    server: Server<SocketAddr>,
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
    shutdown: CancellationToken,
) -> JoinHandle<io::Result<()>> {
    let handle = Handle::new();
    drain_on(shutdown, handle.clone(), limits.drain);
    let router = router.layer(DefaultBodyLimit::max(limits.body_bytes));
    let patient = PatientAcceptor::new(&limits);
    let mut server = server.handle(handle).http1_only().acceptor(patient);
    server
        .http_builder()
        .http1()
        .max_buf_size(limits.header_bytes.max(MIN_HEADER_BYTES));
    match tls.map(RustlsConfig::from_config) {
        None => tokio::spawn(run(server, router)),
        Some(config) => {
            let secured = |inner| RustlsAcceptor::new(config).acceptor(inner);
            tokio::spawn(run(server.map(secured), router))
        }
    }
}

/// hyper refuses to work with less.
const MIN_HEADER_BYTES: usize = 8192;

async fn run<A>(server: Server<SocketAddr, A>, router: Router) -> io::Result<()>
where
    A: Accept<TcpStream, Service, Service = Service> + Clone + Send + Sync + 'static,
    A::Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
    A::Future: Send,
{
    server
        .serve(router.into_make_service_with_connect_info::<SocketAddr>())
        .await
}

/// What axum makes for one connection: the router, which then knows the caller's address.
type Service = axum::middleware::AddExtension<Router, axum::extract::ConnectInfo<SocketAddr>>;

fn drain_on(shutdown: CancellationToken, handle: Handle<SocketAddr>, drain: Duration) {
    tokio::spawn(async move {
        shutdown.cancelled().await;
        handle.graceful_shutdown(Some(drain));
    });
}

#[cfg(test)]
mod tests;
