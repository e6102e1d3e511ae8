//! The lines of an archive file, version 1 (`docs/archive.md`): written and read one by one, so that
//! a month of any size needs the memory of one line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use schemas::hash::{Hash, sha256};
use serde::{Deserialize, Serialize};

use super::ArchiveError;

/// Version of the format.
pub const VERSION: u64 = 1;
/// Longest line in bytes: what a chunk of [`CHUNK`] statements of the largest size needs.
pub const LINE_MAX: u64 = 64 * 1024 * 1024;
/// Statements of a chunk.
pub const CHUNK: usize = 64;

/// First line: what the file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`VERSION`].
    #[serde(rename = "tracebond-archive")]
    pub version: u64,
    /// Log id.
    pub log: Hash,
    /// Month under which its statements are filed, `YYYY-MM` in UTC.
    pub month: String,
    /// Number among the files of this month, from 1.
    pub part: u64,
    /// When it was written, RFC 3339.
    pub made: String,
}

/// A line between first and last: statements with the proof of all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// A proof bundle (`proof-bundle-v2.md`) of exactly these statements, without any event.
    pub proof: String,
    /// By id.
    pub statements: Vec<Said>,
}

/// A statement and what its events said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Statement id.
    pub id: Hash,
    /// All events of the statement in order.
    pub events: Vec<Kept>,
}

/// An event: its leaf, and what is under it unless it was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Its identity, leaf of the statement's root.
    pub leaf: Hash,
    /// Content; none of an erased event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// What the leaf was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Number of its source.
    pub source: u64,
    /// 16 bytes in hexadecimal digits.
    pub salt: String,
    /// The event as signed, byte for byte.
    pub event: String,
}

/// Last line: what must be there before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Last {
    /// The manifest.
    pub manifest: Manifest,
}

/// Hashes of the lines, and totals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// SHA-256 of each line before, without its line feed.
    pub lines: Vec<Hash>,
    /// Statements.
    pub statements: u64,
    /// Events with content.
    pub events: u64,
    /// Leaves of events that were erased from this file, each with the SHA-256 of the tombstone list
    /// that names it.
    pub erased: BTreeMap<String, Hash>,
}

/// A file that is being written.
pub struct Writer {
    path: PathBuf,
    out: GzEncoder<BufWriter<File>>,
    manifest: Manifest,
}

impl Writer {
    /// Makes the file anew, with its first line.
    ///
    /// # Errors
    /// [`ArchiveError::File`].
    pub fn begin(path: PathBuf, head: &Head) -> Result<Self, ArchiveError> {
        let file = File::create(&path).map_err(|error| ArchiveError::file(&path, error))?;
        let mut writer = Self {
            out: GzEncoder::new(BufWriter::new(file), Compression::default()),
            manifest: Manifest::default(),
            path,
        };
        writer.line(head)?;
        Ok(writer)
    }

    /// Adds statements with their proof.
    ///
    /// # Errors
    /// [`ArchiveError::File`].
    pub fn chunk(&mut self, chunk: &Chunk) -> Result<(), ArchiveError> {
        let events = chunk.statements.iter().flat_map(|one| &one.events);
        self.manifest.statements += chunk.statements.len() as u64;
        self.manifest.events += events.filter(|event| event.content.is_some()).count() as u64;
        self.line(chunk)
    }

    /// True if there is a statement in it.
    #[must_use]
    pub const fn has_statements(&self) -> bool {
        self.manifest.statements > 0
    }

    /// Ends it with its manifest, which names these events as erased; durable when this returns.
    ///
    /// # Errors
    /// [`ArchiveError::File`].
    pub fn end(mut self, erased: BTreeMap<String, Hash>) -> Result<(), ArchiveError> {
        let manifest = Manifest {
            erased,
            ..std::mem::take(&mut self.manifest)
        };
        self.line(&Last { manifest })?;
        let path = self.path;
        let end = move || {
            let file = self.out.finish()?.into_inner()?;
            file.sync_all()
        };
        end().map_err(|error: io::Error| ArchiveError::file(&path, error))
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), ArchiveError> {
        let mut written = || -> io::Result<Hash> {
            let mut bytes = serde_json::to_vec(line)?;
            let hash = sha256(&bytes);
            bytes.push(b'\n');
            self.out.write_all(&bytes)?;
            Ok(hash)
        };
        let hash = written().map_err(|error| ArchiveError::file(&self.path, error))?;
        self.manifest.lines.push(hash);
        Ok(())
    }
}

/// A line of a file behind its first one.
#[derive(Debug)]
pub enum Line {
    /// Statements.
    Chunk(Box<Chunk>),
    /// The last one, which fits to all before it.
    Last {
        /// What it says.
        manifest: Manifest,
        /// SHA-256 of the line: the hash of the file's manifest.
        hash: Hash,
    },
}

/// A file that is being read; what it gives has the form of the format and the hashes of its
/// manifest, but proves nothing yet.
pub struct Reader {
    path: PathBuf,
    lines: BufReader<GzDecoder<BufReader<File>>>,
    /// First line.
    pub head: Head,
    seen: Manifest,
}

impl Reader {
    /// Opens a file and reads its first line.
    ///
    /// # Errors
    /// [`ArchiveError::File`], [`ArchiveError::Form`].
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(|error| ArchiveError::file(path, error))?;
        let mut lines = BufReader::new(GzDecoder::new(BufReader::new(file)));
        let bytes = line(&mut lines, path)?;
        let head: Head = parse(&bytes, path, "first line")?;
        if head.version != VERSION {
            let what = format!("version {}, this program reads {VERSION}", head.version);
            return Err(ArchiveError::form(path, what));
        }
        Ok(Self {
            path: path.to_owned(),
            lines,
            head,
            seen: Manifest {
                lines: vec![sha256(&bytes)],
                ..Manifest::default()
            },
        })
    }

    /// The next line. Behind the last one there is nothing, which is checked.
    ///
    /// # Errors
    /// [`ArchiveError::File`], [`ArchiveError::Form`].
    pub fn next_line(&mut self) -> Result<Line, ArchiveError> {
        let bytes = line(&mut self.lines, &self.path)?;
        if bytes.starts_with(b"{\"manifest\"") {
            return self.last(&bytes);
        }
        let chunk: Chunk = parse(&bytes, &self.path, "line")?;
        let events = chunk.statements.iter().flat_map(|one| &one.events);
        self.seen.statements += chunk.statements.len() as u64;
        self.seen.events += events.filter(|event| event.content.is_some()).count() as u64;
        self.seen.lines.push(sha256(&bytes));
        Ok(Line::Chunk(Box::new(chunk)))
    }

    fn last(&mut self, bytes: &[u8]) -> Result<Line, ArchiveError> {
        let Last { manifest } = parse(bytes, &self.path, "manifest")?;
        let fits = manifest.lines == self.seen.lines
            && manifest.statements == self.seen.statements
            && manifest.events == self.seen.events;
        if !fits {
            let what = "the manifest does not fit to the lines before it";
            return Err(ArchiveError::form(&self.path, what));
        }
        let mut behind = [0];
        let inside = self.lines.read(&mut behind);
        let inside = inside.map_err(|error| ArchiveError::file(&self.path, error))?;
        let outside = self.lines.get_mut().get_mut().read(&mut behind);
        let outside = outside.map_err(|error| ArchiveError::file(&self.path, error))?;
        if inside + outside > 0 {
            let what = "there is something behind the manifest";
            return Err(ArchiveError::form(&self.path, what));
        }
        let hash = sha256(bytes);
        Ok(Line::Last { manifest, hash })
    }
}

/// The next line without its line feed.
fn line(lines: &mut impl BufRead, path: &Path) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    let read = lines.take(LINE_MAX + 1).read_until(b'\n', &mut bytes);
    read.map_err(|error| ArchiveError::file(path, error))?;
    if bytes.pop() != Some(b'\n') {
        let what = match bytes.len() as u64 {
            LINE_MAX.. => "a line is too long",
            _ => "the file ends before its manifest",
        };
        return Err(ArchiveError::form(path, what));
    }
    Ok(bytes)
}

fn parse<'b, T: Deserialize<'b>>(
    bytes: &'b [u8],
    path: &Path,
    what: &str,
) -> Result<T, ArchiveError> {
    let problem = |error| ArchiveError::form(path, format!("{what}: {error}"));
    serde_json::from_slice(bytes).map_err(problem)
}
