//! Whole lines of a growing file or of a pipe, a bounded number of bytes at a time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use schemas::hash::sha256;
use tokio::net::unix::pipe;

use crate::compose::line::LINE_MAX;
use crate::outbox::ScanPosition;
use crate::source::remedy;
use crate::state::Text;

/// Bytes read at once.
const READ_MAX: usize = 256 * 1024;
/// Bytes of a file's beginning by which it is told from another one.
const PREFIX_MAX: u64 = 1024;

/// Why lines cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the rejects file: {0}")]
    Rejects(std::io::Error),
    #[error("{0}")]
    Outbox(String),
}

impl FollowError {
    /// What a person can do about it.
    pub const fn remedy(&self) -> Text {
        match self {
            Self::Io { .. } => remedy::FILE,
            Self::Rejects(_) => remedy::REJECTS,
            Self::Outbox(_) => remedy::OUTBOX,
        }
    }
}

/// Whole lines with their numbers from 1, and where they end.
#[derive(Debug)]
pub(super) struct Chunk {
    pub lines: Vec<(u64, Vec<u8>)>,
    pub to: ScanPosition,
}

/// A file that others append to.
pub(super) struct FileFollower {
    path: PathBuf,
    /// An overlong line that has no end yet: where it begins and how far it was searched.
    searching: Option<(u64, u64)>,
}

impl FileFollower {
    pub const fn new(path: PathBuf) -> Self {
        Self {
            path,
            searching: None,
        }
    }

    /// Whole lines after `from`; `None` when there is none yet. A file that is shorter than `from`
    /// or begins otherwise is another file and read from its start.
    pub fn next(
        &mut self,
        from: &ScanPosition,
        limit: usize,
    ) -> Result<Option<Chunk>, FollowError> {
        let path = self.path.clone();
        self.next_io(from, limit)
            .map_err(|source| FollowError::Io { path, source })
    }

    fn next_io(&mut self, from: &ScanPosition, limit: usize) -> std::io::Result<Option<Chunk>> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let start = self.start(&mut file, from)?;
        let mut buffer = piece(&mut file, start.offset, READ_MAX as u64)?;
        let (mut lines, mut used) = split(&buffer, limit, start.line);
        if lines.is_empty() && buffer.len() > LINE_MAX {
            match self.end_of_overlong(&mut file, start.offset)? {
                Some(length) => {
                    buffer.truncate(LINE_MAX + 1);
                    lines.push((start.line + 1, buffer));
                    used = length;
                }
                None => return Ok(None),
            }
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let line = start.line + lines.len() as u64;
        let to = position(&mut file, start.offset + used, line)?;
        Ok(Some(Chunk { lines, to }))
    }

    fn start(&self, file: &mut File, from: &ScanPosition) -> std::io::Result<ScanPosition> {
        let length = file.metadata()?.len();
        if length >= from.offset && prefix(file, from.prefix)? == from.prefix_hash {
            return Ok(from.clone());
        }
        tracing::warn!(path = %self.path.display(), "another file has this name: read from its start");
        Ok(ScanPosition::default())
    }

    /// Length of the overlong line at `offset` with its line feed, if that has been written.
    fn end_of_overlong(&mut self, file: &mut File, offset: u64) -> std::io::Result<Option<u64>> {
        let mut at = match self.searching {
            Some((begin, searched)) if begin == offset => searched,
            _ => offset,
        };
        file.seek(SeekFrom::Start(at))?;
        let mut block = vec![0; READ_MAX];
        loop {
            let count = file.read(&mut block)?;
            if count == 0 {
                self.searching = Some((offset, at));
                return Ok(None);
            }
            if let Some(end) = block[..count].iter().position(|&byte| byte == b'\n') {
                self.searching = None;
                return Ok(Some(at - offset + end as u64 + 1));
            }
            at += count as u64;
        }
    }
}

fn prefix(file: &mut File, length: u64) -> std::io::Result<schemas::hash::Hash> {
    Ok(sha256(&piece(file, 0, length)?))
}

/// What a file has from a place on, at most `most` bytes; room is made for all of it at once.
fn piece(file: &mut File, at: u64, most: u64) -> std::io::Result<Vec<u8>> {
    let left = file.metadata()?.len().saturating_sub(at).min(most);
    let mut bytes = Vec::with_capacity(usize::try_from(left).unwrap_or(READ_MAX));
    file.seek(SeekFrom::Start(at))?;
    file.by_ref().take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn position(file: &mut File, offset: u64, line: u64) -> std::io::Result<ScanPosition> {
    let length = offset.min(PREFIX_MAX);
    Ok(ScanPosition {
        offset,
        line,
        prefix: length,
        prefix_hash: prefix(file, length)?,
    })
}

/// The position behind the last whole line of a file.
pub(super) fn end(path: &Path) -> std::io::Result<ScanPosition> {
    let mut file = File::open(path)?;
    let (mut at, mut offset, mut line) = (0, 0, 0);
    let mut block = vec![0; READ_MAX];
    loop {
        let count = file.read(&mut block)?;
        if count == 0 {
            return position(&mut file, offset, line);
        }
        for (index, byte) in block[..count].iter().enumerate() {
            if *byte == b'\n' {
                (offset, line) = (at + index as u64 + 1, line + 1);
            }
        }
        at += count as u64;
    }
}

/// Up to `limit` whole lines and the bytes that they take.
fn split(buffer: &[u8], limit: usize, before: u64) -> (Vec<(u64, Vec<u8>)>, u64) {
    let (mut lines, mut used, mut number) = (Vec::new(), 0, before);
    for piece in buffer.split_inclusive(|&byte| byte == b'\n').take(limit) {
        let Some(line) = piece.strip_suffix(b"\n") else {
            break;
        };
        number += 1;
        used += piece.len() as u64;
        lines.push((number, line.strip_suffix(b"\r").unwrap_or(line).to_vec()));
    }
    (lines, used)
}

/// A named pipe. It is opened for writing too, so that a writer that goes leaves no end of file.
pub(super) struct PipeFollower {
    path: PathBuf,
    pipe: pipe::Receiver,
    buffer: Vec<u8>,
    /// In the rest of an overlong line.
    skipping: bool,
}

impl PipeFollower {
    pub fn open(path: &Path) -> Result<Self, FollowError> {
        let pipe = pipe::OpenOptions::new()
            .read_write(true)
            .open_receiver(path)
            .map_err(|source| FollowError::Io {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            path: path.to_owned(),
            pipe,
            buffer: Vec::new(),
            skipping: false,
        })
    }

    /// Whole lines that are in the pipe; `None` when there is none yet.
    pub fn next(
        &mut self,
        from: &ScanPosition,
        limit: usize,
    ) -> Result<Option<Chunk>, FollowError> {
        self.fill().map_err(|source| FollowError::Io {
            path: self.path.clone(),
            source,
        })?;
        self.skip_rest();
        let (mut lines, mut used) = split(&self.buffer, limit, from.line);
        if lines.is_empty() && !self.skipping && self.buffer.len() > LINE_MAX {
            used = self.buffer.len() as u64;
            lines.push((from.line + 1, self.buffer[..=LINE_MAX].to_vec()));
            self.skipping = true;
        }
        if lines.is_empty() {
            return Ok(None);
        }
        self.buffer
            .drain(..usize::try_from(used).unwrap_or(self.buffer.len()));
        let to = ScanPosition {
            offset: from.offset + used,
            line: from.line + lines.len() as u64,
            ..ScanPosition::default()
        };
        Ok(Some(Chunk { lines, to }))
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let mut block = vec![0; READ_MAX / 4];
        while self.buffer.len() < READ_MAX {
            match self.pipe.try_read(&mut block) {
                Ok(0) => break,
                Ok(count) => self.buffer.extend_from_slice(&block[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn skip_rest(&mut self) {
        if !self.skipping {
            return;
        }
        match self.buffer.iter().position(|&byte| byte == b'\n') {
            Some(end) => {
                self.buffer.drain(..=end);
                self.skipping = false;
            }
            None => self.buffer.clear(),
        }
    }
}
