//! The network between two programs: a TCP proxy on loopback that forwards bytes and can be cut,
//! left half-open, slow or long, lose one direction or publications only, and be restored.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Bytes that one direction of one connection holds at most.
const BUFFER_BYTES: usize = 16 * 1024;

/// A slow line carries so many bytes, then pauses: about 10 kB/s.
const SLOW_BYTES: usize = 512;
const SLOW_PAUSE: Duration = Duration::from_millis(50);

/// How long bytes take over a long line, each way.
const FAR: Duration = Duration::from_secs(1);
/// One of so many pieces is lost on it.
const LOST_OF: u64 = 50;
/// After which TCP has sent it again; all behind it waits.
const SENT_AGAIN: Duration = Duration::from_secs(1);
/// Pieces on their way in one direction.
const TRAVELLING: usize = 256;

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
    /// The same in one direction: what the target is sent is lost, what it sends arrives.
    DeafTarget,
    /// The same in the other direction.
    MuteTarget,
    /// Bytes flow, a few at a time.
    Slow,
    /// Two seconds there and back, and 2 % of loss.
    Far,
    /// Of what the target is sent every MQTT packet arrives but publications.
    Unpublished,
}

impl Line {
    /// Connections under it are of no more use when it is up again.
    const fn loses(self) -> bool {
        matches!(
            self,
            Self::HalfOpen | Self::DeafTarget | Self::MuteTarget | Self::Unpublished
        )
    }
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToTarget,
    FromTarget,
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
        _ = pump(Way::ToTarget, &mut near_read, &mut far_write, line.clone()) => {}
        _ = pump(Way::FromTarget, &mut far_read, &mut near_write, line.clone()) => {}
        () = down(line) => {}
    }
}

/// A piece of a stream on its way.
struct Piece {
    arrives: Instant,
    slow: bool,
    bytes: Vec<u8>,
}

/// Forwards one direction, and loses what enters while the line loses it.
async fn pump<R, W>(
    way: Way,
    from: &mut R,
    to: &mut W,
    line: watch::Receiver<Line>,
) -> io::Result<()>
where
    R: AsyncReadExt + Unpin,
    W: AsyncWriteExt + Unpin,
{
    let (enter, leave) = mpsc::channel(TRAVELLING);
    tokio::try_join!(enters(way, from, line, enter), leaves(to, leave))?;
    Ok(())
}

async fn enters<R: AsyncReadExt + Unpin>(
    way: Way,
    from: &mut R,
    line: watch::Receiver<Line>,
    enter: mpsc::Sender<Piece>,
) -> io::Result<()> {
    let (mut buffer, mut packets) = (vec![0; BUFFER_BYTES], Packets::default());
    let mut sent = 0_u64;
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let now = *line.borrow();
        let drops_publications = now == Line::Unpublished && way == Way::ToTarget;
        let kept = packets.pass(&buffer[..count], drops_publications);
        let is_lost = match now {
            Line::HalfOpen | Line::Cut => true,
            Line::DeafTarget => way == Way::ToTarget,
            Line::MuteTarget => way == Way::FromTarget,
            Line::Up | Line::Slow | Line::Far | Line::Unpublished => false,
        };
        if is_lost || kept.is_empty() {
            continue;
        }
        sent += 1;
        let takes = match now {
            Line::Far if sent.is_multiple_of(LOST_OF) => FAR + SENT_AGAIN,
            Line::Far => FAR,
            _ => Duration::ZERO,
        };
        let piece = Piece {
            arrives: Instant::now() + takes,
            slow: now == Line::Slow,
            bytes: kept,
        };
        if enter.send(piece).await.is_err() {
            return Ok(());
        }
    }
}

async fn leaves<W: AsyncWriteExt + Unpin>(
    to: &mut W,
    mut leave: mpsc::Receiver<Piece>,
) -> io::Result<()> {
    while let Some(piece) = leave.recv().await {
        tokio::time::sleep_until(piece.arrives).await;
        let few = if piece.slow {
            SLOW_BYTES
        } else {
            piece.bytes.len()
        };
        for bytes in piece.bytes.chunks(few) {
            to.write_all(bytes).await?;
            if piece.slow {
                tokio::time::sleep(SLOW_PAUSE).await;
            }
        }
    }
    Ok(())
}

/// Where one MQTT packet ends and the next begins (MQTT 5.0 section 2.1).
#[derive(Debug, Default)]
struct Packets {
    /// Type, flags and length of the packet, as far as they have come.
    header: Vec<u8>,
    /// Bytes of the header that have been let pass already: such a packet is not dropped any more.
    passed: usize,
    /// Bytes of it that are still to come.
    left: usize,
    drop: bool,
}

impl Packets {
    /// What is left of these bytes: all, at once, since they may be TLS or anything else that
    /// is no MQTT; or all but publications that begin in them, whose headers wait to be whole.
    fn pass(&mut self, bytes: &[u8], drops_publications: bool) -> Vec<u8> {
        let mut kept = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.left > 0 {
                let (now, later) = rest.split_at(self.left.min(rest.len()));
                self.left -= now.len();
                if !self.drop {
                    kept.extend_from_slice(now);
                }
                rest = later;
                continue;
            }
            let (byte, later) = (rest[0], &rest[1..]);
            rest = later;
            self.header.push(byte);
            if !drops_publications {
                let waited = &self.header[self.passed..];
                kept.extend_from_slice(waited);
                self.passed = self.header.len();
            }
            let is_whole = self.header.len() > 1 && byte & 0x80 == 0 || self.header.len() == 5;
            if is_whole {
                let header = std::mem::take(&mut self.header);
                let digits = header[1..].iter().rev();
                self.left = digits.fold(0, |sum, digit| (sum << 7) | usize::from(digit & 0x7f));
                let passed = std::mem::take(&mut self.passed);
                self.drop = drops_publications && passed == 0 && header[0] >> 4 == PUBLISH;
                if !self.drop {
                    kept.extend_from_slice(&header[passed..]);
                }
            }
        }
        kept
    }
}

/// Type of a publication.
const PUBLISH: u8 = 3;

/// Returns when a connection must be closed: the line is cut, or up again after half-open.
async fn down(mut line: watch::Receiver<Line>) {
    let mut was = *line.borrow_and_update();
    loop {
        if was == Line::Cut || line.changed().await.is_err() {
            return;
        }
        let is = *line.borrow_and_update();
        if is == Line::Cut || (was.loses() && !is.loses()) {
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

    #[tokio::test]
    async fn a_long_line_takes_two_seconds_there_and_back_in_order() {
        let link = Link::start(echo().await).await.unwrap();
        link.set(Line::Far);
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        let began = Instant::now();
        assert!(echoes(&mut stream, b"milk").await);
        let took = began.elapsed();
        assert!((2 * FAR..3 * FAR).contains(&took), "{took:?}");
    }

    #[test]
    fn publications_are_told_from_other_packets_wherever_they_are_cut() {
        let (puback, publish) = (
            vec![0x40, 2, 0, 7],
            [vec![0x32, 0xc8, 1], vec![9; 200]].concat(),
        );
        let stream = [&puback[..], &publish, &puback].concat();
        for size in 1..stream.len() {
            let mut packets = Packets::default();
            let pieces = stream.chunks(size).map(|piece| packets.pass(piece, true));
            let kept: Vec<u8> = pieces.flatten().collect();
            assert_eq!(kept, [&puback[..], &puback].concat(), "pieces of {size}");
        }
    }

    #[test]
    fn where_nothing_is_dropped_no_byte_waits_for_another() {
        let bytes: Vec<u8> = (0..=255).rev().collect();
        for size in 1..bytes.len() {
            let mut packets = Packets::default();
            for piece in bytes.chunks(size) {
                assert_eq!(packets.pass(piece, false), piece, "pieces of {size}");
            }
        }
    }

    #[test]
    fn a_publication_whose_header_has_begun_to_pass_passes() {
        let publish = [vec![0x32, 0xc8, 1], vec![9; 200]].concat();
        let mut packets = Packets::default();
        let mut kept = packets.pass(&publish[..1], false);
        kept.extend(packets.pass(&publish[1..], true));
        assert_eq!(kept, publish);
        assert_eq!(packets.pass(&publish, true), [0_u8; 0]);
        // One that waits when the line is well again goes on whole.
        assert_eq!(packets.pass(&publish[..2], true), [0_u8; 0]);
        assert_eq!(packets.pass(&publish[2..], false), publish);
    }
}
