//! What becomes of telemetry when the outbox runs full.
//!
//! While more waits for the platform than half of the quota, events are taken and not signed yet:
//! a signed statement cannot lose an event. When the quota is nearly reached, every second of the
//! oldest unsigned readings of each sensor goes, and a signed note says how many and from when
//! until when, in the same commit. What an event is worth was decided where it was composed
//! ([`crate::compose::Weight`]): what is of the goods' life, or beyond a limit, is never thinned.
//! Nor is what is doubted.

use std::collections::BTreeMap;

use schemas::statement::Note;
use schemas::time::Instant;
use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::chain;
use super::state::State;
use super::{Opening, OutboxError};

/// Events looked at in one commit.
const LOOK_MAX: i64 = 2_048;

/// Signed events that may wait however full the outbox is: enough for the uplink to be busy.
const SIGNED_MIN: u64 = 512;

/// How full the outbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fill {
    /// Bytes of pages in use.
    pub used: u64,
    /// The quota in bytes.
    pub max: Option<u64>,
}

impl Fill {
    fn beyond(&self, eighths: u64) -> bool {
        self.max.is_some_and(|max| self.used > max / 8 * eighths)
    }

    /// Events wait unsigned from here on, until there is room again or nearly everything that was
    /// signed has been taken over: `signed` events still wait.
    pub fn defers(&self, deferred: bool, signed: u64) -> bool {
        signed > SIGNED_MIN && self.beyond(if deferred { 3 } else { 4 })
    }

    /// Old telemetry is thinned from here on.
    pub fn thins(&self) -> bool {
        self.beyond(7)
    }

    /// Sources have to wait.
    pub fn is_full(&self) -> bool {
        self.beyond(8)
    }
}

/// Drops every second of the oldest unsigned plain readings; how many.
pub(super) async fn thin(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<u64, OutboxError> {
    // The next statement's events are in memory already; the note must be signed at once.
    let after = state.open.last().map_or(state.signed, |event| event.number);
    if state.last_word.is_some() {
        return Ok(0);
    }
    let rows = sqlx::query(
        "SELECT number, bytes FROM events
         WHERE number > max($1, $2) AND life_cycle = 0 ORDER BY number LIMIT $3",
    )
    .bind(after)
    .bind(state.thinned)
    .bind(LOOK_MAX)
    .fetch_all(&mut *db)
    .await?;
    let mut kept: BTreeMap<String, bool> = BTreeMap::new();
    let mut range: Option<(Instant, Instant)> = None;
    let mut dropped = 0;
    for row in &rows {
        let (number, bytes): (i64, &[u8]) = (row.try_get(0)?, row.try_get(1)?);
        state.thinned = number;
        let Some((series, time)) = plain_reading(bytes) else {
            continue;
        };
        let keep = kept.entry(series).or_default();
        *keep = !*keep;
        if *keep {
            continue;
        }
        sqlx::query("DELETE FROM events WHERE number = $1")
            .bind(number)
            .execute(&mut *db)
            .await?;
        let (from, until) = range.unwrap_or((time, time));
        range = Some((from.min(time), until.max(time)));
        dropped += 1;
    }
    if (rows.len() as i64) < LOOK_MAX {
        // From the oldest again: what is left of it is thinned once more.
        state.thinned = 0;
    }
    let Some(range) = range else { return Ok(0) };
    state.beyond = state.beyond.saturating_sub(dropped);
    state.queues.bodies = state.queues.bodies.saturating_sub(dropped);
    state.counts.events_thinned += dropped;
    tracing::warn!(
        dropped,
        "the outbox is nearly full: old readings are thinned"
    );
    let note = Note::Thinned {
        text: "the outbox was nearly full".to_owned(),
        range,
        dropped,
    };
    chain::sign_note(opening, db, state, note).await?;
    Ok(dropped)
}

/// Sensor and time of an event that only tells what a sensor read, within its limits and without
/// doubt.
fn plain_reading(bytes: &[u8]) -> Option<(String, Instant)> {
    let event: Value = serde_json::from_slice(bytes).ok()?;
    let is = |name: &str, word: &str| event.get(name).and_then(Value::as_str) == Some(word);
    if !is("type", "ObjectEvent") || !is("action", "OBSERVE") {
        return None;
    }
    let elements = event.get("sensorElementList")?.as_array()?;
    let reports = elements
        .iter()
        .filter_map(|element| element.get("sensorReport")?.as_array())
        .flatten();
    let mut series = String::new();
    for report in reports {
        if report.get("exception").is_some() || report.get("tb:quality").is_some() {
            return None;
        }
        let name = |name| report.get(name).and_then(Value::as_str).unwrap_or_default();
        series = format!("{} {}", name("deviceID"), name("type"));
    }
    let device = elements
        .first()
        .and_then(|element| element.pointer("/sensorMetadata/deviceID")?.as_str());
    let time = Instant::parse_rfc3339(event.get("eventTime")?.as_str()?)?;
    Some((format!("{} {series}", device.unwrap_or_default()), time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(members: &str, report: &str) -> String {
        format!(
            r#"{{"type":"ObjectEvent","eventTime":"2026-11-22T08:00:00+08:00","action":"OBSERVE",{members}"sensorElementList":[{{"sensorMetadata":{{"deviceID":"p"}},"sensorReport":[{{"type":"Temperature","value":4{report}}}]}}]}}"#
        )
    }

    #[test]
    fn only_readings_within_their_limits_and_without_doubt_are_plain() {
        assert!(plain_reading(reading("", "").as_bytes()).is_some());
        // Where goods are, every reading names them.
        let goods = reading(r#""epcList":["https://id.gs1.org/00/1"],"#, "");
        assert!(plain_reading(goods.as_bytes()).is_some());
        let alarm = reading("", r#","exception":"ALARM_CONDITION""#);
        let doubtful = reading("", r#","tb:quality":"suspect""#);
        let added = reading("", "").replace("OBSERVE", "ADD");
        for life in [alarm, doubtful, added, "{}".to_owned()] {
            assert!(plain_reading(life.as_bytes()).is_none(), "{life}");
        }
    }

    #[test]
    fn the_quota_has_three_steps() {
        let at = |used| Fill {
            used,
            max: Some(800),
        };
        let many = SIGNED_MIN + 1;
        assert!(!at(400).defers(false, many) && at(401).defers(false, many));
        assert!(at(301).defers(true, many) && !at(300).defers(true, many));
        assert!(!at(800).defers(true, SIGNED_MIN));
        assert!(!at(700).thins() && at(701).thins());
        assert!(!at(800).is_full() && at(801).is_full());
        let none = Fill {
            used: u64::MAX,
            max: None,
        };
        assert!(!none.defers(true, many) && !none.thins() && !none.is_full());
    }
}
