//! Connections are few and may not dawdle: a semaphore counts them, and one deadline a connection
//! covers slow headers, slow bodies, slow handlers, slow readers and idle keep-alive alike.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Gives every accepted connection a permit and a deadline.
#[derive(Debug, Clone)]
pub(super) struct PatientAcceptor {
    permits: Arc<Semaphore>,
    patience: Duration,
}

impl PatientAcceptor {
    pub(super) fn new(connections: usize, patience: Duration) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(connections)),
            patience,
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
            let permit = this
                .permits
                .acquire_owned()
                .await
                .map_err(io::Error::other)?;
            stream.set_nodelay(true)?;
            Ok((PatientStream::new(stream, this.patience, permit), service))
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
    _permit: OwnedSemaphorePermit,
}

impl PatientStream {
    fn new(inner: TcpStream, patience: Duration, permit: OwnedSemaphorePermit) -> Self {
        let deadline = Box::pin(sleep(patience));
        Self {
            inner,
            patience,
            deadline,
            last: Turn::Server,
            _permit: permit,
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
