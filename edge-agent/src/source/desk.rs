//! A desk whose waiting codes are kept in the outbox: what scan files and scanners with rules share.
//!
//! The codes that no event holds yet are stored in the transaction that stores the events and the
//! source's position. So a restart, or a failure between taking codes and storing them, puts just
//! those on the desk again ([`KeptDesk::restore`]), and none is lost or counted twice.

use schemas::time::Instant;

use super::rejects::Reject;
use super::{Batch, SourceContext};
use crate::compose::desk::{Desk, Kept, Refused, Taken};
use crate::compose::line::Composed;
use crate::outbox::{OutboxError, ScanPosition};

/// What came of some lines or codes.
#[derive(Default)]
pub(super) struct Composing {
    /// To be signed, in this order.
    pub events: Vec<Composed>,
    /// For the rejects file.
    pub bad: Vec<Reject>,
    /// The newest of those that were taken, to be shown.
    pub newest: Option<String>,
}

impl Composing {
    pub fn bad(line: u64, reason: String, bytes: &[u8]) -> Self {
        Self {
            bad: vec![Reject::new(line, reason, bytes)],
            ..Self::default()
        }
    }

    /// Shows `newest`, unless it was refused.
    pub fn shown_as(self, newest: impl FnOnce() -> String) -> Self {
        let newest = self.bad.is_empty().then(newest);
        Self { newest, ..self }
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.bad.is_empty()
    }

    pub fn and(&mut self, more: Self) {
        self.events.extend(more.events);
        self.bad.extend(more.bad);
        self.newest = more.newest.or(self.newest.take());
    }
}

impl From<Taken> for Composing {
    fn from(taken: Taken) -> Self {
        let reject =
            |refused: Refused| Reject::new(refused.line, refused.reason, refused.text.as_bytes());
        Self {
            events: taken.events,
            bad: taken.refused.into_iter().map(reject).collect(),
            newest: None,
        }
    }
}

impl From<Composed> for Composing {
    fn from(composed: Composed) -> Self {
        Self {
            events: vec![composed],
            ..Self::default()
        }
    }
}

/// The desk of one source, and what the outbox has of it.
pub(super) struct KeptDesk {
    /// The source, as the outbox names its position and its codes.
    name: String,
    desk: Desk,
    /// The codes that the outbox keeps.
    stored: Vec<Kept>,
    /// Where the outbox stood when it and the desk had the same codes; none where the desk has taken
    /// something since.
    same_at: Option<ScanPosition>,
}

impl KeptDesk {
    pub const fn new(name: String, desk: Desk) -> Self {
        Self {
            name,
            desk,
            stored: Vec::new(),
            same_at: None,
        }
    }

    /// True if a line is for the desk: a code, not a line of JSON, and there is a rule.
    pub fn takes(&self, line: &[u8]) -> bool {
        self.desk.takes(line)
    }

    /// Puts the codes that the outbox has kept on the desk again, where it does not hold just them.
    /// Something comes of it only where the rules have changed since; the caller hands it over.
    pub async fn restore(
        &mut self,
        context: &SourceContext,
        from: &ScanPosition,
    ) -> Result<Composing, OutboxError> {
        if self.same_at.as_ref() == Some(from) {
            return Ok(Composing::default());
        }
        self.stored = context.outbox.kept_codes(&self.name).await?;
        let composing = Composing::from(self.desk.restore(self.stored.clone()));
        self.same_at = composing.is_empty().then(|| from.clone());
        self.show(context);
        Ok(composing)
    }

    /// Takes one code; `line` is its line, or its count where there are no lines.
    pub fn take(&mut self, line: u64, bytes: &[u8], now: Instant) -> Composing {
        self.same_at = None;
        match std::str::from_utf8(bytes) {
            Ok(code) => self.desk.take(line, code, now).into(),
            Err(_) => Composing::bad(line, "not UTF-8".to_owned(), bytes),
        }
    }

    /// When the open packing or recipe times out.
    pub fn due(&self) -> Option<Instant> {
        self.desk.due()
    }

    /// Ends what has timed out.
    pub fn expire(&mut self, now: Instant) -> Composing {
        let composing = Composing::from(self.desk.expire(now));
        if !composing.is_empty() {
            self.same_at = None;
        }
        composing
    }

    /// Into the outbox, with the codes that wait from now on; false if the agent stops before.
    pub async fn hand_over(&mut self, context: &SourceContext, batch: Batch<'_>) -> bool {
        let kept = self.desk.changes(&self.stored);
        let batch = Batch { kept, ..batch };
        let stored = batch.hand_over(context).await;
        if stored {
            self.stored = self.desk.kept();
            self.same_at = Some(batch.to.clone());
            self.show(context);
        }
        stored
    }

    fn show(&self, context: &SourceContext) {
        context.board.open_codes(self.desk.open_codes() as u64);
    }
}
