//! Connections are few and may not dawdle: a semaphore counts them, one caller's are fewer, and one
//! deadline a connection covers slow headers, slow bodies, slow handlers, slow readers and idle
//! keep-alive alike. Where all are taken, some wait for a moment; the rest is closed at once, so
//! that a flood holds neither memory nor file descriptors.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::{Limits, network};

/// How long a connection waits for a place.
const WAIT: Duration = Duration::from_secs(5);

/// Gives every accepted connection a permit and a deadline.
#[derive(Debug, Clone)]
pub(super) struct PatientAcceptor {
    permits: Arc<Semaphore>,
    /// Places in the queue for a permit.
    queue: Arc<Semaphore>,
    callers: Callers,
    patience: Duration,
}

impl PatientAcceptor {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(limits.connections)),
            queue: Arc::new(Semaphore::new(limits.connections)),
            callers: Callers {
                most: limits.connections_per_address,
                open: Arc::default(),
            },
            patience: limits.patience,
        }
    }

    async fn place(&self, stream: &TcpStream) -> io::Result<Place> {
        let caller = self.callers.enter(network(stream.peer_addr()?.ip()));
        let caller = caller.ok_or_else(|| refused("address"))?;
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait().await.ok_or_else(|| refused("full"))?,
        };
        Ok(Place {
            _permit: permit,
            _caller: caller,
        })
    }

    async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        let _queued = self.queue.try_acquire().ok()?;
        let permit = Arc::clone(&self.permits).acquire_owned();
        timeout(WAIT, permit).await.ok()?.ok()
    }
}

fn refused(reason: &'static str) -> io::Error {
    metrics::counter!("tracebond_http_refused_connections_total", "reason" => reason).increment(1);
    io::ErrorKind::ConnectionRefused.into()
}

/// A connection's place among all and among its caller's.
struct Place {
    _permit: OwnedSemaphorePermit,
    _caller: Caller,
}

/// Open connections by caller, those that have any. Cheap to clone.
#[derive(Debug, Clone)]
struct Callers {
    most: usize,
    open: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

/// One connection of a caller's.
struct Caller {
    address: IpAddr,
    callers: Callers,
}

impl Callers {
    fn enter(&self, address: IpAddr) -> Option<Caller> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = open.get(&address).copied().unwrap_or_default();
        if theirs >= self.most {
            return None;
        }
        open.insert(address, theirs + 1);
        drop(open);
        Some(Caller {
            address,
            callers: self.clone(),
        })
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let open = &self.callers.open;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.address) {
            Some(theirs) if *theirs > 1 => *theirs -= 1,
            _ => drop(open.remove(&self.address)),
        }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for PatientAcceptor {
    type Stream = PatientStream;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(PatientStream, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let place = this.place(&stream).await?;
            stream.set_nodelay(true)?;
            Ok((PatientStream::new(stream, this.patience, place), service))
        })
    }
}

/// Who moved last on a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Caller,
    Server,
}

/// A TCP stream that fails with `TimedOut` when the deadline has passed. The deadline moves when
/// the server writes and when the caller begins a new request, but not with each of a request's
/// bytes, so that dripping bytes buys no time.
pub(super) struct PatientStream {
    inner: TcpStream,
    patience: Duration,
    deadline: Pin<Box<Sleep>>,
    last: Turn,
    _place: Place,
}

impl PatientStream {
    fn new(inner: TcpStream, patience: Duration, place: Place) -> Self {
        let deadline = Box::pin(sleep(patience));
        Self {
            inner,
            patience,
            deadline,
            last: Turn::Server,
            _place: place,
        }
    }

    fn moved(&mut self, by: Turn) {
        if by == Turn::Server || self.last == Turn::Server {
            self.deadline.as_mut().reset(Instant::now() + self.patience);
        }
        self.last = by;
    }

    /// Ready with an error once the deadline has passed, else pending and woken by it.
    fn overdue<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        done: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match done {
            Poll::Pending => self.overdue(cx),
            Poll::Ready(result) => {
                self.moved(Turn::Server);
                Poll::Ready(result)
            }
        }
    }
}

impl AsyncRead for PatientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.inner).poll_read(cx, buffer) {
            Poll::Pending => self.overdue(cx),
            Poll::Ready(result) => {
                if buffer.filled().len() > before {
                    self.moved(Turn::Caller);
                }
                Poll::Ready(result)
            }
        }
    }
}

impl AsyncWrite for PatientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.wrote(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.wrote(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
