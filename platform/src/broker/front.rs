//! TLS in front of the plain listener: places for connections, and a limit on the time until the
//! broker has answered, since rmqtt waits for ever for a first byte.
//!
//! Whoever finds no place is closed at once, before any handshake: a device comes again by itself,
//! and nobody can fill the operating system's queue with connections that we must look at.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::places::{Place, Places};
use super::{Limits, refused};

/// Pause after an accept that failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes passed on at once before the broker has answered.
const FIRST_BYTES: usize = 4096;
/// Bytes that a stranger may say before the broker has answered; more is not read until then.
const FIRST_BYTES_MAX: usize = 16 * 1024;
/// Bytes passed on at once to a client.
const BUFFER: usize = 8 * 1024;
/// First nibble of a CONNACK.
const CONNACK: u8 = 0x20;

/// Listens on `address` and passes what is inside TLS on to `plain`, on the current runtime until
/// that ends. Returns the real address.
pub(super) async fn run(
    address: SocketAddr,
    config: Arc<ServerConfig>,
    plain: SocketAddr,
    limits: &Limits,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(config));
    let inside = Inside::new(plain, limits);
    let front = Front { acceptor, inside };
    tokio::spawn(accept(listener, front, Places::new(limits)));
    Ok(bound)
}

/// A client's stream, inside TLS.
type Outside = <RustlsAcceptor as Accept<TcpStream, ()>>::Stream;

#[derive(Clone)]
struct Front {
    acceptor: RustlsAcceptor,
    inside: Inside,
}

/// The way from any door to the plain listener.
#[derive(Clone)]
pub(super) struct Inside {
    plain: SocketAddr,
    pub(super) greeting: Duration,
    stall: Duration,
}

/// Ends with the runtime.
async fn accept(listener: TcpListener, front: Front, places: Places) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => match places.take(from.ip()) {
                Ok(place) => drop(tokio::spawn(front.clone().serve(stream, place))),
                Err(full) => refused(full.word()),
            },
            Err(error) => {
                tracing::warn!(%error, "the broker cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Front {
    async fn serve(self, stream: TcpStream, mut place: Place) {
        let greeted = timeout(self.inside.greeting, self.greet(stream)).await;
        let ended = match greeted {
            Ok(Ok((outside, inside))) => {
                place.settled();
                self.inside.pass_on(outside, inside).await
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                refused("silent");
                Err(io::ErrorKind::TimedOut.into())
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a TLS connection ended");
        }
    }

    /// Handshake and log-in.
    async fn greet(&self, stream: TcpStream) -> io::Result<(Outside, TcpStream)> {
        stream.set_nodelay(true)?;
        let accepted = self.acceptor.accept(stream, ()).await;
        let (mut outside, ()) = accepted.inspect_err(|_| refused("handshake"))?;
        let inside = self.inside.enter(&mut outside).await?;
        Ok((outside, inside))
    }
}

impl Inside {
    pub(super) fn new(plain: SocketAddr, limits: &Limits) -> Self {
        Self {
            plain,
            greeting: limits.greeting,
            stall: limits.stall,
        }
    }

    /// A connection to the broker, once it has welcomed the client.
    pub(super) async fn enter<S>(&self, outside: &mut S) -> io::Result<TcpStream>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut inside = TcpStream::connect(self.plain).await?;
        inside.set_nodelay(true)?;
        until_answered(outside, &mut inside).await?;
        Ok(inside)
    }

    /// Passes bytes both ways until the broker has closed: a client that does not read, or that
    /// never closes its own half, must not keep what the broker has given up.
    pub(super) async fn pass_on<S>(&self, outside: S, inside: TcpStream) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut said, mut told) = split(outside);
        let (mut answers, mut asked) = inside.into_split();
        let to_broker = async {
            copy(&mut said, &mut asked).await?;
            asked.shutdown().await?;
            // The broker closes in its turn.
            sleep(self.stall).await;
            Ok::<(), io::Error>(())
        };
        tokio::select! {
            ended = to_broker => ended,
            ended = self.tell(&mut answers, &mut told) => ended,
        }
    }

    /// From the broker to a client that reads.
    async fn tell<R, W>(&self, from: &mut R, to: &mut W) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = from.read(&mut buffer).await?;
            let bytes = buffer.get(..count).unwrap_or_default();
            let told = async {
                if bytes.is_empty() {
                    return to.shutdown().await;
                }
                to.write_all(bytes).await?;
                to.flush().await
            };
            match timeout(self.stall, told).await {
                Ok(done) => done?,
                Err(_) => {
                    refused("slow-reader");
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            if count == 0 {
                return Ok(());
            }
        }
    }
}

/// Passes bytes both ways until the broker has welcomed the client. Whoever is not welcome is
/// closed by the broker, within the same time.
async fn until_answered<S>(outside: &mut S, inside: &mut TcpStream) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut asked, mut answered) = ([0; FIRST_BYTES], [0; FIRST_BYTES]);
    let mut said = 0;
    loop {
        tokio::select! {
            count = outside.read(&mut asked), if said < FIRST_BYTES_MAX => {
                let bytes = some(&asked, count?)?;
                said += bytes.len();
                inside.write_all(bytes).await?;
            }
            count = inside.read(&mut answered) => {
                let bytes = some(&answered, count?)?;
                outside.write_all(bytes).await?;
                outside.flush().await?;
                if bytes.first().is_some_and(|first| first & 0xF0 == CONNACK) {
                    return Ok(());
                }
            }
        }
    }
}

/// The bytes read, or an error at the end of the stream.
fn some(buffer: &[u8], count: usize) -> io::Result<&[u8]> {
    buffer
        .get(..count)
        .filter(|bytes| !bytes.is_empty())
        .ok_or(io::ErrorKind::UnexpectedEof.into())
}
