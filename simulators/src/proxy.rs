//! The network between two programs: a TCP proxy on loopback that forwards bytes and can be cut,
//! left half-open, and restored.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Bytes that one direction of one connection holds at most.
const BUFFER_BYTES: usize = 16 * 1024;

/// How long the link waits after it could not accept a connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(20);

/// State of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Bytes flow.
    Up,
    /// Connections are closed and new ones are closed at once.
    Cut,
    /// Connections stay open, and bytes that enter are lost, as behind a router that has
    /// forgotten them. They are closed when the line is up again.
    HalfOpen,
}

/// A proxied link. Dropping it closes its socket and every connection.
pub struct Link {
    address: SocketAddr,
    line: watch::Sender<Line>,
    _stop: DropGuard,
}

impl Link {
    /// Starts a link to `target` on a free port of the loopback interface.
    ///
    /// # Errors
    /// When no socket can be bound.
    pub async fn start(target: SocketAddr) -> io::Result<Link> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (line, seen) = watch::channel(Line::Up);
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(
            listener,
            target,
            seen,
            stop.clone(),
        )));
        Ok(Link {
            address,
            line,
            _stop: stop.drop_guard(),
        })
    }

    /// Where to connect to instead of the target.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the state of the network; returns at once.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// The state that was set last.
    pub fn line(&self) -> Line {
        *self.line.borrow()
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    line: watch::Receiver<Line>,
    stop: CancellationToken,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: give others time to close theirs.
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        if *line.borrow() == Line::Cut {
            continue;
        }
        let connection = carry(stream, target, line.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(connection));
    }
}

/// Carries one connection until an end closes it or the line fails.
async fn carry(near: TcpStream, target: SocketAddr, line: watch::Receiver<Line>) {
    let born_dead = *line.borrow() == Line::HalfOpen;
    let far = if born_dead {
        None
    } else {
        TcpStream::connect(target).await.ok()
    };
    let (Some(mut far), mut near) = (far, near) else {
        if born_dead {
            down(line).await;
        }
        return;
    };
    // Small messages must not wait for each other; a socket without the option still works.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (mut near_read, mut near_write) = near.split();
    let (mut far_read, mut far_write) = far.split();
    tokio::select! {
        _ = pump(&mut near_read, &mut far_write, line.clone()) => {}
        _ = pump(&mut far_read, &mut near_write, line.clone()) => {}
        () = down(line) => {}
    }
}

/// Forwards one direction, and loses what enters while the line is half-open.
async fn pump<R, W>(from: &mut R, to: &mut W, line: watch::Receiver<Line>) -> io::Result<()>
where
    R: AsyncReadExt + Unpin,
    W: AsyncWriteExt + Unpin,
{
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let up = *line.borrow() == Line::Up;
        if up {
            to.write_all(&buffer[..count]).await?;
        }
    }
}

/// Returns when a connection must be closed: the line is cut, or up again after half-open.
async fn down(mut line: watch::Receiver<Line>) {
    let mut was = *line.borrow_and_update();
    loop {
        if was == Line::Cut || line.changed().await.is_err() {
            return;
        }
        let is = *line.borrow_and_update();
        if is == Line::Cut || (was == Line::HalfOpen && is == Line::Up) {
            return;
        }
        was = is;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A server that sends every byte back.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    async fn echoes(stream: &mut TcpStream, text: &[u8]) -> bool {
        let mut answer = vec![0; text.len()];
        let talk = async {
            stream.write_all(text).await?;
            stream.read_exact(&mut answer).await
        };
        let done = tokio::time::timeout(PATIENCE, talk)
            .await
            .expect("an answer or a close");
        done.is_ok() && answer == text
    }

    #[tokio::test]
    async fn bytes_pass_and_a_cut_closes() {
        let link = Link::start(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        assert!(echoes(&mut stream, b"milk").await);
        link.set(Line::Cut);
        assert!(!echoes(&mut stream, b"lost").await);
        let mut refused = TcpStream::connect(link.address()).await.unwrap();
        assert!(!echoes(&mut refused, b"lost").await);
        link.set(Line::Up);
        assert_eq!(link.line(), Line::Up);
        let mut again = TcpStream::connect(link.address()).await.unwrap();
        assert!(echoes(&mut again, b"back").await);
    }

    #[tokio::test]
    async fn half_open_swallows_bytes_and_closes_when_it_is_up_again() {
        let link = Link::start(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        assert!(echoes(&mut stream, b"milk").await);
        link.set(Line::HalfOpen);
        stream.write_all(b"into the void").await.unwrap();
        let mut byte = [0];
        let silent = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut byte)).await;
        assert!(silent.is_err(), "the connection must stay open and silent");
        link.set(Line::Up);
        let end = tokio::time::timeout(PATIENCE, stream.read(&mut byte))
            .await
            .expect("a close");
        assert!(matches!(end, Ok(0) | Err(_)));
        let mut again = TcpStream::connect(link.address()).await.unwrap();
        assert!(echoes(&mut again, b"back").await);
    }
}
