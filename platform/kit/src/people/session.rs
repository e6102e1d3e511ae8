//! Sessions of the library over a service's own table: only hashes of tokens, and our clock.
//!
//! The library's own expiry is by the wall clock and is not used: a session's row says when it
//! began and when it was last used, and [`Sessions`] decides by the injected clock.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::hash::{Hash, sha256};
use schemas::time::{Clock, Instant};
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result, SessionStore};

use super::{KeptSession, PeopleStore, SESSION_IDLE, SESSION_LONGEST, StoreFailed};

/// A session that is used is written at most this often.
const TOUCH_AFTER: Duration = Duration::from_secs(60);

/// Our rows as the library's store.
#[derive(Clone)]
pub struct Sessions {
    store: Arc<dyn PeopleStore>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl Sessions {
    pub(super) fn new(store: Arc<dyn PeopleStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// A session that still counts.
    async fn living(&self, token: &Hash) -> Result<Option<KeptSession>> {
        let Some(kept) = self.store.session(token).await.map_err(failed)? else {
            return Ok(None);
        };
        let now = self.clock.now();
        if has_ended(&kept, now) {
            self.store.end_session(token).await.map_err(failed)?;
            return Ok(None);
        }
        if now.since(kept.seen) >= TOUCH_AFTER {
            self.store.touch_session(token, now).await.map_err(failed)?;
        }
        Ok(Some(kept))
    }
}

/// By age, by idleness, or because it would begin in the future: a clock that was set back must not
/// make sessions live longer.
fn has_ended(kept: &KeptSession, now: Instant) -> bool {
    let old = now.since(kept.created) >= SESSION_LONGEST;
    let idle = now.since(kept.seen) >= SESSION_IDLE;
    let ahead = kept.created.since(now) >= SESSION_IDLE;
    old || idle || ahead
}

#[async_trait]
impl SessionStore for Sessions {
    /// Also ends what has run out, so that the table does not grow.
    async fn create(&self, record: &mut Record) -> Result<()> {
        let now = self.clock.now();
        let (created, seen) = (now - SESSION_LONGEST, now - SESSION_IDLE);
        self.store
            .end_sessions(created, seen)
            .await
            .map_err(failed)?;
        let session = KeptSession {
            token: token(&record.id),
            data: text(record)?,
            created: now,
            seen: now,
        };
        self.store.add_session(&session).await.map_err(failed)
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (token, text) = (token(&record.id), text(record)?);
        let changed = self.store.change_session(&token, &text);
        changed.await.map_err(failed)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(kept) = self.living(&token(id)).await? else {
            return Ok(None);
        };
        let data = serde_json::from_str(&kept.data);
        let data = data.map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record {
            id: *id,
            data,
            expiry_date: expiry(kept.created + SESSION_LONGEST),
        }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.store.end_session(&token(id)).await.map_err(failed)
    }
}

/// SHA-256 of a session's 16 random bytes.
fn token(id: &Id) -> Hash {
    sha256(&id.0.to_le_bytes())
}

fn text(record: &Record) -> Result<String> {
    serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))
}

/// The library wants a date; it never looks at it.
fn expiry(at: Instant) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(at.as_seconds())
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

fn failed(error: StoreFailed) -> Error {
    Error::Backend(schemas::causes::causes(&error))
}
