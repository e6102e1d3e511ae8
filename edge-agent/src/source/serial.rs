//! Serial lines: termios without `unsafe`, as a stream that tokio waits on.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::termios::{self, ControlModes, OptionalActions, QueueSelector};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe;

use crate::config::{Parity, SerialLine};

/// An open serial line, ours alone while it is open.
///
/// tokio waits on any file as it does on a pipe; a terminal that is not blocking is one to it.
#[derive(Debug)]
pub struct Port {
    reader: pipe::Receiver,
    writer: pipe::Sender,
}

impl Port {
    /// Opens and sets a line; what was waiting in it is thrown away.
    ///
    /// # Errors
    /// No such port, no right to it, no terminal, a speed that it does not have, or somebody else
    /// has taken it.
    pub fn open(path: &Path, line: &SerialLine) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let port = rustix::fs::open(path, flags, Mode::empty())?;
        let mut settings = termios::tcgetattr(&port)?;
        // Two programs that read one port each get half of it. The lock keeps our own kind away also
        // where the user is root, the terminal's exclusive mode everybody else.
        rustix::fs::flock(&port, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| io::Error::other("another program has taken it"))?;
        settings.make_raw();
        let modes = &mut settings.control_modes;
        modes.remove(ControlModes::PARENB | ControlModes::PARODD | ControlModes::CSTOPB);
        modes.remove(ControlModes::CRTSCTS);
        // The modem lines of a two-wire cable are not connected.
        modes.insert(ControlModes::CLOCAL | ControlModes::CREAD);
        match line.parity {
            Parity::None => {}
            Parity::Even => modes.insert(ControlModes::PARENB),
            Parity::Odd => modes.insert(ControlModes::PARENB | ControlModes::PARODD),
        }
        if line.stop_bits == 2 {
            modes.insert(ControlModes::CSTOPB);
        }
        settings.set_speed(line.baud)?;
        termios::tcsetattr(&port, OptionalActions::Now, &settings)?;
        termios::ioctl_tiocexcl(&port)?;
        termios::tcflush(&port, QueueSelector::IOFlush)?;
        let copy = File::from(port.try_clone()?);
        Ok(Self {
            reader: readable(port)?,
            writer: pipe::Sender::from_file_unchecked(copy)?,
        })
    }

    /// Bytes that are there, 1 at least: waits for them. Loses nothing when it is dropped.
    ///
    /// # Errors
    /// The line has gone.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read(&mut self.reader, buffer).await
    }
}

/// Something to wait on; it must not block.
pub(super) fn readable(file: OwnedFd) -> io::Result<pipe::Receiver> {
    pipe::Receiver::from_file_unchecked(File::from(file))
}

/// Waits for bytes; an end is an error.
pub(super) async fn read(file: &mut pipe::Receiver, buffer: &mut [u8]) -> io::Result<usize> {
    match file.read(buffer).await {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        other => other,
    }
}

impl AsyncRead for Port {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}

impl AsyncWrite for Port {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(context)
    }
}
