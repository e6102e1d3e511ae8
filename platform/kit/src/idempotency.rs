//! A write that is sent twice is done once: the `Idempotency-Key` header
//! (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! [`once`] is a layer in front of handlers that write, behind log-in, so that it knows who asks:
//!
//! ```text
//! gate (people, machines) --> once --> handlers
//! ```
//!
//! | a key | what comes |
//! |---|---|
//! | is new | the handler runs, its answer is kept |
//! | was answered, the request is the same | the kept answer, with `Idempotent-Replayed: true` |
//! | is running | 409, with `Retry-After` |
//! | came with another request | 422 |
//! | is missing where machines must send one | 400 |
//! | is none (not a quoted string of 1 to 128 printable characters) | 400 |
//!
//! What holds:
//! - keys belong to who sends them: nobody can ask for another's answer, or disturb it;
//! - "the same request" is the SHA-256 over method, address with query, media type and body;
//! - an answer that depends on the moment and not on the request (5xx, 401, 403, 408, 412, 425, 429,
//!   503) is not kept: the key is free again;
//! - a first request whose process died stays "running" for [`RUNNING_LONGEST`]; then the next takes
//!   it over. What it had done by then is done: use cases keep their own keys (every insert that
//!   comes from outside is idempotent), this layer spares them, it does not replace them;
//! - requests, answers and time are bounded: [`BODY_MAX`], [`ANSWER_MAX`], [`KEPT_FOR`].
//!
//! Only headers in [`KEPT_HEADERS`] are kept: never a cookie.
//!
//! Rejected: keys of strangers (an answer could be asked for by whoever guesses its key), keeping
//! answers in memory (a retry often meets another process).

mod layer;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use schemas::hash::{Hash, sha256};
use schemas::time::{Clock, Instant};

use crate::people::StoreFailed;
pub use layer::once;

/// Name of the header.
pub const HEADER: &str = "idempotency-key";
/// Name of the header of an answer that was given before.
pub const REPLAYED: &str = "idempotent-replayed";
/// Most characters of a key.
pub const KEY_MAX: usize = 128;
/// Bytes of a request under a key.
pub const BODY_MAX: usize = 256 * 1024;
/// Bytes of an answer that is kept; a longer one is given and the key is free again.
pub const ANSWER_MAX: usize = 256 * 1024;
/// How long answers are kept.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// How often old answers are removed at most.
pub const CLEAN_EVERY: Duration = Duration::from_secs(3600);
/// After this time a request that has not ended counts as lost: longer than any that is served.
pub const RUNNING_LONGEST: Duration = Duration::from_secs(5 * 60);
/// Headers of an answer that are kept with it.
pub const KEPT_HEADERS: [&str; 5] = [
    "content-type",
    "content-location",
    "etag",
    "last-modified",
    "location",
];

/// A key as somebody has sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Of the header: a string in double quotes (RFC 8941 section 3.3.3) of 1 to [`KEY_MAX`]
    /// printable characters without quotes and backslashes. Without quotes it is taken too: that is
    /// what many clients send.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let inner = match text.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"')?,
            None => text,
        };
        let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
        let fits = (1..=KEY_MAX).contains(&inner.len()) && inner.bytes().all(plain);
        fits.then(|| Self(inner.to_owned()))
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(self.0.as_bytes())
    }
}

/// An answer as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, those of [`KEPT_HEADERS`] that it has.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// SHA-256 of the request.
    pub request: Hash,
    /// When it began.
    pub began: Instant,
    /// Its answer, once it has one.
    pub answer: Option<Answer>,
}

/// What somebody has sent under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Who: `person/li-wei`, `machine/portal`.
    pub actor: String,
    /// SHA-256 of the key.
    pub key: Hash,
}

/// Kept answers in a service's database.
#[async_trait]
pub trait AnswerStore: Send + Sync + 'static {
    /// Takes a free place for a request; otherwise what stands there.
    async fn begin(
        &self,
        place: &Place,
        request: &Hash,
        now: Instant,
    ) -> Result<Option<Kept>, StoreFailed>;

    /// Takes over a place whose request began at `began` and was lost; false if somebody else was
    /// faster, or it has ended meanwhile.
    async fn take_over(
        &self,
        place: &Place,
        began: Instant,
        now: Instant,
    ) -> Result<bool, StoreFailed>;

    /// Keeps the answer of the request that began at `began`.
    async fn finish(
        &self,
        place: &Place,
        began: Instant,
        answer: &Answer,
    ) -> Result<(), StoreFailed>;

    /// Frees the place of the request that began at `began`.
    async fn free(&self, place: &Place, began: Instant) -> Result<(), StoreFailed>;

    /// Removes what began before `before`.
    async fn end_answers(&self, before: Instant) -> Result<(), StoreFailed>;
}

/// What [`once`] works with. Cheap to clone.
#[derive(Clone)]
pub struct Answers {
    /// Where answers are kept.
    pub store: Arc<dyn AnswerStore>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Whether machines must send a key with every write. People's forms never must: they carry a
    /// token of their own and no header.
    pub machines_must: bool,
    /// When old answers were last removed, in microseconds.
    cleaned: Arc<AtomicI64>,
}

impl Answers {
    /// Answers over a service's store and clock.
    #[must_use]
    pub fn new(store: Arc<dyn AnswerStore>, clock: Arc<dyn Clock>, machines_must: bool) -> Self {
        Self {
            store,
            clock,
            machines_must,
            cleaned: Arc::new(AtomicI64::new(i64::MIN)),
        }
    }

    /// Removes what was kept for [`KEPT_FOR`], if nobody of this process has within
    /// [`CLEAN_EVERY`]. Whatever adds an answer calls it, so that the table cannot grow without it.
    ///
    /// # Errors
    /// [`StoreFailed`].
    pub async fn clean(&self) -> Result<(), StoreFailed> {
        let now = self.clock.now();
        let before = self.cleaned.load(Ordering::Relaxed);
        let is_due = before == i64::MIN || now.since(Instant::from_micros(before)) >= CLEAN_EVERY;
        let (order, now_micros) = (Ordering::Relaxed, now.as_micros());
        let is_ours = || {
            let won = (self.cleaned).compare_exchange(before, now_micros, order, order);
            won.is_ok()
        };
        if is_due && is_ours() {
            self.store.end_answers(now - KEPT_FOR).await?;
        }
        Ok(())
    }
}
