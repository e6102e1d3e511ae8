//! What leaves next on one connection: statements without a receipt, as the window allows; those
//! whose receipt is overdue again. No socket and no clock of its own: the uplink runs it over MQTT,
//! simulations over a network of theirs.
//!
//! After a long time without a connection two queues leave side by side (decision record
//! `platform/docs/decisions/0016`): the **backlog**, everything up to the position that was the
//! newest when the connection was lost or begun, and what is **live**, everything behind it. Each is
//! sent oldest first. Live statements have three of four places, the backlog has at least one: so
//! an alarm does not wait behind a day of telemetry, and a day of telemetry does not wait for ever.
//! What is sent again leaves with the backlog, before the rest of it: receipts that do not come are
//! no reason to keep an alarm waiting either.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::window::Window;
use crate::outbox::{Outbox, OutboxError, Waiting};

/// Statements read from the outbox at once.
const READ_MAX: usize = 32;
/// Of so many places one is the backlog's while there is one.
const TURNS: u32 = 4;

/// One connection's sending, from its first packet to its end.
#[derive(Debug)]
pub struct Sending {
    window: Window,
    /// Newest statement of the backlog handed to this connection.
    cursor: i64,
    /// Newest position of the backlog.
    horizon: i64,
    /// Newest live statement handed to this connection.
    live: i64,
    /// Live statements handed out since one of the backlog was.
    turn: u32,
    /// When statements without a receipt were sent.
    sent_at: BTreeMap<i64, Instant>,
    /// Statements to be sent again, each once.
    again: BTreeSet<i64>,
}

impl Sending {
    /// Nothing has left yet; at most `in_flight` messages without an acknowledgement. All is sent
    /// in its order.
    #[must_use]
    pub fn new(in_flight: usize) -> Self {
        Self::behind(in_flight, 0)
    }

    /// The same, with everything up to the position `horizon` as backlog.
    #[must_use]
    pub fn behind(in_flight: usize, horizon: i64) -> Self {
        Self {
            window: Window::new(in_flight),
            cursor: 0,
            horizon,
            live: horizon,
            turn: 0,
            sent_at: BTreeMap::new(),
            again: BTreeSet::new(),
        }
    }

    /// True while statements of the backlog have not been handed to this connection.
    #[must_use]
    pub const fn is_catching_up(&self) -> bool {
        self.cursor < self.horizon
    }

    /// The broker takes fewer.
    pub fn narrow(&mut self, limit: usize) {
        self.window.narrow(limit);
    }

    /// The oldest message that was handed out has left under this packet id.
    pub fn left(&mut self, packet: u16) {
        self.window.left(packet);
    }

    /// The newest message that was handed out will not leave: its place is free.
    pub fn withdrawn(&mut self) {
        self.window.withdrawn();
    }

    /// The broker has the packet.
    pub fn acknowledged(&mut self, packet: u16) {
        self.window.acknowledged(packet);
    }

    /// What may be sent now, in this order; all of it counts as handed to the connection.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: the connection must end, since what it was handed is not known.
    pub async fn next(
        &mut self,
        outbox: &Outbox,
        now: Instant,
    ) -> Result<Vec<Waiting>, OutboxError> {
        let mut due = Vec::new();
        loop {
            let before = (due.len(), self.again.len(), self.cursor);
            self.take_live(outbox, now, &mut due).await?;
            self.take_backlog(outbox, now, &mut due).await?;
            if (due.len(), self.again.len(), self.cursor) == before {
                return Ok(due);
            }
        }
    }

    /// True while anything waits that leaves by the backlog's turns.
    fn has_backlog(&self) -> bool {
        self.is_catching_up() || !self.again.is_empty()
    }

    /// Places that live statements may take now.
    fn room_for_live(&self) -> usize {
        let room = self.window.room().min(READ_MAX);
        if self.has_backlog() {
            room.min((TURNS - 1).saturating_sub(self.turn) as usize)
        } else {
            room
        }
    }

    async fn take_live(
        &mut self,
        outbox: &Outbox,
        now: Instant,
        due: &mut Vec<Waiting>,
    ) -> Result<(), OutboxError> {
        let room = self.room_for_live();
        // Asked at every packet that comes or goes: mostly there is nothing.
        if room == 0 || outbox.newest_position() <= self.live {
            return Ok(());
        }
        let limit = u32::try_from(room).unwrap_or(1);
        for statement in outbox.waiting(self.live, limit).await? {
            self.hand_out(statement.position, now);
            self.live = statement.position;
            self.turn = self.turn.saturating_add(1);
            due.push(statement);
        }
        Ok(())
    }

    async fn take_backlog(
        &mut self,
        outbox: &Outbox,
        now: Instant,
        due: &mut Vec<Waiting>,
    ) -> Result<(), OutboxError> {
        if !self.has_backlog() {
            return Ok(());
        }
        // Live ones that wait have their turn again after one of these; where none wait, all room.
        let room = self.window.room().min(READ_MAX);
        let room = if self.turn >= TURNS - 1 {
            room.min(1)
        } else {
            room
        };
        if room == 0 {
            return Ok(());
        }
        self.turn = 0;
        let before = due.len();
        self.take_again(outbox, now, room, due).await?;
        let room = room - (due.len() - before);
        if room == 0 || !self.is_catching_up() {
            return Ok(());
        }
        let limit = u32::try_from(room).unwrap_or(1);
        let mut waiting = outbox.waiting(self.cursor, limit).await?;
        // Fewer than asked for is no end: what was damaged on disk is left out.
        let newest = waiting.last().map(|statement| statement.position);
        if newest.is_none_or(|newest| newest > self.horizon) {
            self.cursor = self.horizon;
        }
        waiting.retain(|statement| statement.position <= self.horizon);
        for statement in waiting {
            self.hand_out(statement.position, now);
            self.cursor = self.cursor.max(statement.position);
            due.push(statement);
        }
        Ok(())
    }

    /// Statements that are sent again, the oldest first, at most `room`; what has its receipt by now
    /// is passed over.
    async fn take_again(
        &mut self,
        outbox: &Outbox,
        now: Instant,
        room: usize,
        due: &mut Vec<Waiting>,
    ) -> Result<(), OutboxError> {
        let full = due.len() + room;
        while due.len() < full
            && let Some(position) = self.again.pop_first()
        {
            let waiting = outbox.waiting(position - 1, 1).await?;
            let same = waiting.into_iter().filter(|one| one.position == position);
            due.extend(same.inspect(|one| self.hand_out(one.position, now)));
        }
        Ok(())
    }

    fn hand_out(&mut self, position: i64, now: Instant) {
        self.window.queued();
        self.sent_at.insert(position, now);
    }

    /// Statements that were sent `timeout` ago and still have no receipt are sent again.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn find_overdue(
        &mut self,
        outbox: &Outbox,
        timeout: Duration,
        now: Instant,
    ) -> Result<(), OutboxError> {
        let Some(((&first, _), (&last, _))) = self
            .sent_at
            .first_key_value()
            .zip(self.sent_at.last_key_value())
        else {
            return Ok(());
        };
        let waiting = outbox.waiting_positions(first, last).await?;
        self.sent_at
            .retain(|position, _| waiting.contains(position));
        self.again.retain(|position| waiting.contains(position));
        for (position, at) in &mut self.sent_at {
            if now.duration_since(*at) >= timeout {
                *at = now;
                self.again.insert(*position);
            }
        }
        Ok(())
    }
}
