//! Hashes of documents in the log (`log.md` section 2, type 3).

use std::sync::{Arc, OnceLock};

use schemas::hash::Hash;
use schemas::log::Entry;
use schemas::tlog::LogTree;

use super::{Notary, NotaryError, PAGE};
use crate::store::erasure::TOMBSTONES;
use crate::store::{Append, NewLogged};

/// A document whose hash the log must hold, and where it stands once it does.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Kind of the entry.
    pub kind: &'static str,
    /// Hash of the document.
    pub hash: Hash,
    index: Arc<OnceLock<u64>>,
}

impl Recorded {
    /// Not looked for yet.
    #[must_use]
    pub fn new(kind: &'static str, hash: Hash) -> Self {
        let index = Arc::default();
        Self { kind, hash, index }
    }

    /// Its log index; `None` while this process has not led and not found it.
    #[must_use]
    pub fn index(&self) -> Option<u64> {
        self.index.get().copied()
    }
}

impl Notary {
    /// Appends what the log does not hold yet.
    pub(super) async fn record_documents(&self) -> Result<(), NotaryError> {
        for document in &self.documents {
            let index = self.record_document(document.kind, document.hash).await?;
            let _ = document.index.set(index);
        }
        Ok(())
    }

    /// Looks for them; appends nothing.
    ///
    /// # Errors
    /// [`NotaryError`].
    pub async fn find_documents(&self) -> Result<(), NotaryError> {
        self.find_all(&self.documents).await
    }

    /// Looks for some; appends nothing.
    ///
    /// # Errors
    /// [`NotaryError`].
    pub async fn find_all(&self, documents: &[Recorded]) -> Result<(), NotaryError> {
        for document in documents {
            if let Some((index, hash)) = self.newest_document(document.kind).await?
                && hash == document.hash
            {
                let _ = document.index.set(index);
            }
        }
        Ok(())
    }

    /// The log index of a document's hash: that of the newest entry of this kind where it is this
    /// hash already, else of an entry that is appended now. A later checkpoint covers it. Reads the
    /// log backwards until it finds an entry of the kind.
    ///
    /// # Errors
    /// [`NotaryError`]; nothing is appended.
    pub async fn record_document(&self, kind: &str, hash: Hash) -> Result<u64, NotaryError> {
        if let Some((index, known)) = self.newest_document(kind).await?
            && known == hash
        {
            return Ok(index);
        }
        let index = self.tree.read(LogTree::size);
        let entry = Entry::Document {
            kind: kind.to_owned(),
            hash,
            time: self.clock.now(),
        };
        self.append(Append {
            entries: vec![entry.encode()],
            ..Append::default()
        })
        .await?;
        Ok(index)
    }

    /// Puts the hashes of tombstone lists and disclosure documents that wait into the log; each
    /// list is a file beside the log before its entry is there.
    pub(super) async fn log_waiting(&self) -> Result<(), NotaryError> {
        for waiting in self.store.unlogged().await? {
            let (hash, time) = (waiting.hash, self.clock.now());
            let entry = if waiting.kind == TOMBSTONES {
                let list = self.store.tombstone_list(&hash).await?;
                let list = list.ok_or(NotaryError::Broken("a tombstone list is missing"))?;
                self.tiles.publish_tombstones(&hash, &list)?;
                let count = waiting.count;
                Entry::Tombstones { hash, count, time }
            } else {
                let kind = waiting.kind.to_owned();
                Entry::Document { kind, hash, time }
            };
            let logged = NewLogged {
                kind: waiting.kind,
                hash,
                log_index: self.tree.read(LogTree::size),
            };
            self.append(Append {
                entries: vec![entry.encode()],
                logged: vec![logged],
                ..Append::default()
            })
            .await?;
        }
        Ok(())
    }

    async fn newest_document(&self, kind: &str) -> Result<Option<(u64, Hash)>, NotaryError> {
        let mut end = self.tree.read(LogTree::size);
        while end > 0 {
            let begin = end.saturating_sub(u64::from(PAGE));
            let entries = self.store.entries(begin, PAGE).await?;
            let here = (begin..end).zip(&entries);
            let found = here.filter_map(|(index, entry)| Some((index, document(entry, kind)?)));
            if let Some(newest) = found.last() {
                return Ok(Some(newest));
            }
            end = begin;
        }
        Ok(None)
    }
}

/// The hash of an entry of type 3 and this kind.
fn document(entry: &[u8], wanted: &str) -> Option<Hash> {
    match (entry.first() == Some(&3)).then(|| Entry::parse(entry))? {
        Ok(Entry::Document { kind, hash, .. }) if kind == wanted => Some(hash),
        _ => None,
    }
}
