//! What an archive file proves, checked from the file alone: every event in it is the one that the
//! witnessed log holds (`docs/archive.md`, "How a stranger checks it").

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemas::event::{Event, Salt, Source};
use schemas::hash::Hash;
use schemas::merkle;
use schemas::proof::{self, Report, VerifiedStatement};

use super::format::{Chunk, Content, Head, Kept, Line, Manifest, Reader, Said};
use super::{ArchiveError, Trust};

/// A file that holds.
#[derive(Clone, Debug)]
pub struct Checked {
    /// First line.
    pub head: Head,
    /// Last line.
    pub manifest: Manifest,
    /// SHA-256 of the last line: what the log holds of the file.
    pub hash: Hash,
    /// Its statements.
    pub statements: BTreeSet<Hash>,
}

/// Checks a file, all of it.
///
/// # Errors
/// [`ArchiveError`]: it is no whole archive, or something in it is not what the log holds.
pub fn check(path: &Path, trust: Trust<'_>) -> Result<Checked, ArchiveError> {
    walk(path, trust, |_, _| Ok(()))
}

/// The same; `look` is handed each chunk after it was checked, with what its proof says.
///
/// # Errors
/// [`ArchiveError`], also of `look`.
pub fn walk(
    path: &Path,
    trust: Trust<'_>,
    mut look: impl FnMut(Chunk, &Report) -> Result<(), ArchiveError>,
) -> Result<Checked, ArchiveError> {
    let mut reader = Reader::open(path)?;
    let (mut statements, mut empty) = (BTreeSet::new(), BTreeSet::new());
    loop {
        match reader.next_line()? {
            Line::Chunk(chunk) => {
                let report = check_chunk(path, &reader.head, &chunk, trust)?;
                for said in &chunk.statements {
                    if !statements.insert(said.id) {
                        return Err(ArchiveError::form(
                            path,
                            format!("{} stands twice", said.id),
                        ));
                    }
                    let without = said.events.iter().filter(|kept| kept.content.is_none());
                    empty.extend(without.map(|kept| kept.leaf.to_string()));
                }
                look(*chunk, &report)?;
            }
            Line::Last { manifest, hash } => {
                let mut named = manifest.erased.keys();
                if let Some(leaf) = named.find(|leaf| !empty.contains(*leaf)) {
                    let what = format!("{leaf} is named as erased and is not empty");
                    return Err(ArchiveError::form(path, what));
                }
                return Ok(Checked {
                    head: reader.head,
                    manifest,
                    hash,
                    statements,
                });
            }
        }
    }
}

fn check_chunk(
    path: &Path,
    head: &Head,
    chunk: &Chunk,
    trust: Trust<'_>,
) -> Result<Report, ArchiveError> {
    let report = proof::verify(chunk.proof.as_bytes(), trust).map_err(|source| {
        let path = path.to_owned();
        ArchiveError::Proof { path, source }
    })?;
    let wrong = |what: String| ArchiveError::form(path, what);
    if report.policy.log != head.log {
        return Err(wrong(format!(
            "a proof of another log, {}",
            report.policy.log
        )));
    }
    let proven: BTreeMap<Hash, &VerifiedStatement> =
        report.statements.iter().map(|one| (one.id, one)).collect();
    if proven.len() != chunk.statements.len() {
        return Err(wrong("a proof of other statements".to_owned()));
    }
    for said in &chunk.statements {
        let Some(statement) = proven.get(&said.id) else {
            return Err(wrong(format!("no proof of statement {}", said.id)));
        };
        check_said(said, statement).map_err(|what| wrong(format!("{}: {what}", said.id)))?;
    }
    Ok(report)
}

/// The leaves lead to what the device signed, and each content to its leaf.
fn check_said(said: &Said, statement: &VerifiedStatement) -> Result<(), String> {
    let payload = &statement.statement.payload;
    let leaves: Vec<Hash> = said.events.iter().map(|event| event.leaf).collect();
    let root = merkle::root(&leaves).unwrap_or(Hash::ZERO);
    if leaves.len() as u64 != payload.count || root != payload.root {
        return Err("its leaves are not those that were signed".to_owned());
    }
    for (position, kept) in said.events.iter().enumerate() {
        let Some(content) = &kept.content else {
            continue;
        };
        let (event, source, salt) = open(content).ok_or_else(|| format!("event {position}"))?;
        if event.leaf(source, &salt) != kept.leaf {
            return Err(format!("event {position} is not the one that was signed"));
        }
    }
    Ok(())
}

/// Event, source and salt of a content; `None` where it is none.
#[must_use]
pub fn open(content: &Content) -> Option<(Event, Source, Salt)> {
    let event = Event::parse(content.event.clone().into_bytes()).ok()?;
    let source = Source::from_number(content.source)?;
    let salt = Salt::from_slice(&hex::decode(&content.salt).ok()?)?;
    Some((event, source, salt))
}

impl Kept {
    /// An event as it is kept.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn of(event: &crate::store::KeptEvent) -> Result<Self, &'static str> {
        let content = match &event.content {
            None => None,
            Some((bytes, salt)) => Some(Content {
                source: u64::from(event.source.number()),
                salt: hex::encode(salt.0),
                event: String::from_utf8(bytes.clone()).map_err(|_| "an event is no text")?,
            }),
        };
        Ok(Self {
            leaf: event.leaf,
            content,
        })
    }
}
