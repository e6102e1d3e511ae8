//! TLS in front of the plain listener: handshake, a limit on connections, and a limit on the time
//! until the broker has answered, since rmqtt waits for ever for a first byte.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

/// From the end of the handshake to the broker's CONNACK.
const FIRST_ANSWER: Duration = Duration::from_secs(20);
/// Pause after an accept that failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes passed on at once before the broker has answered.
const FIRST_BYTES: usize = 4096;

/// Listens on `address` and passes what is inside TLS on to `plain`, on the current runtime until
/// that ends. Returns the real address.
pub(super) async fn run(
    address: SocketAddr,
    config: Arc<ServerConfig>,
    plain: SocketAddr,
    connections: usize,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(config));
    tokio::spawn(accept(
        listener,
        acceptor,
        plain,
        Arc::new(Semaphore::new(connections)),
    ));
    Ok(bound)
}

async fn accept(
    listener: TcpListener,
    acceptor: RustlsAcceptor,
    plain: SocketAddr,
    places: Arc<Semaphore>,
) {
    // Nobody closes the semaphore, so this ends with the runtime.
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, acceptor.clone(), plain, place));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: RustlsAcceptor,
    plain: SocketAddr,
    _place: OwnedSemaphorePermit,
) {
    let ended: io::Result<()> = async {
        stream.set_nodelay(true)?;
        // The acceptor limits the handshake to 10 s.
        let (mut outside, ()) = acceptor.accept(stream, ()).await?;
        let mut inside = TcpStream::connect(plain).await?;
        inside.set_nodelay(true)?;
        timeout(FIRST_ANSWER, until_answered(&mut outside, &mut inside)).await??;
        copy_bidirectional(&mut outside, &mut inside).await?;
        Ok(())
    }
    .await;
    if let Err(error) = ended {
        tracing::debug!(%error, "a TLS connection ended");
    }
}

/// Passes bytes both ways until the broker has said something.
async fn until_answered<S>(outside: &mut S, inside: &mut TcpStream) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut asked, mut answered) = ([0; FIRST_BYTES], [0; FIRST_BYTES]);
    loop {
        tokio::select! {
            count = outside.read(&mut asked) => {
                let bytes = some(&asked, count?)?;
                inside.write_all(bytes).await?;
            }
            count = inside.read(&mut answered) => {
                let bytes = some(&answered, count?)?;
                outside.write_all(bytes).await?;
                return outside.flush().await;
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
