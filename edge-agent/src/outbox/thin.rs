//! What becomes of telemetry when the outbox runs full.
//!
//! While more waits for the platform than half of the quota, events are taken and not signed yet:
//! a signed statement cannot lose an event. When the quota is nearly reached, every second instant of
//! the oldest unsigned readings goes, and a signed note says how many and from when until when, in
//! the same commit. What several sensors read at one instant goes or stays together, so that what is
//! left can still be compared. What an event is worth was decided where it was composed
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
use super::{Opening, OutboxError, body, events};

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

/// A plain reading that may go.
#[derive(Clone, Debug)]
struct Plain {
    /// Of its event.
    number: i64,
    series: String,
    time: Instant,
}

/// Drops the plain readings of every second instant, beginning with the oldest that is unsigned; how
/// many readings.
pub(super) async fn thin(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<u64, OutboxError> {
    if state.last_word.is_some() {
        return Ok(0);
    }
    let found = look(db, state).await?;
    let going = going(&found);
    let times = going.iter().map(|plain| plain.time);
    let Some(range) = times.clone().min().zip(times.max()) else {
        return Ok(0);
    };
    for plain in &going {
        sqlx::query("DELETE FROM events WHERE number = $1")
            .bind(plain.number)
            .execute(&mut *db)
            .await?;
    }
    let dropped = going.len() as u64;
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

/// The next plain readings, at most those of [`LOOK_MAX`] events, in the order of their events; moves
/// the place from which the next look goes on.
async fn look(db: &mut SqliteConnection, state: &mut State) -> Result<Vec<Plain>, OutboxError> {
    events::store_new(db, state).await?;
    // The next statement's events are in memory already; the note must be signed at once.
    let after = state.open.last().map_or(state.signed, |event| event.number);
    let rows = sqlx::query(
        "SELECT number, bytes FROM events
         WHERE number > max($1, $2) AND life_cycle = 0 ORDER BY number LIMIT $3",
    )
    .bind(after)
    .bind(state.thinned)
    .bind(LOOK_MAX)
    .fetch_all(db)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let number: i64 = row.try_get(0)?;
        state.thinned = number;
        // What was damaged says nothing, and is found when it is signed.
        let bytes = body::unpack(row.try_get(1)?).unwrap_or_default();
        let plain = plain_reading(&bytes);
        found.extend(plain.map(|(series, time)| Plain {
            number,
            series,
            time,
        }));
    }
    let is_end = (rows.len() as i64) < LOOK_MAX;
    let cut = whole_instants(&found);
    if let Some(first) = found.get(cut).filter(|_| cut > 0) {
        state.thinned = first.number - 1;
        found.truncate(cut);
    }
    if is_end {
        // From the oldest again: what is left of it is thinned once more.
        state.thinned = 0;
    }
    Ok(found)
}

/// How many of the readings come before those of the last instant, of which others may follow behind
/// the end of the look.
fn whole_instants(found: &[Plain]) -> usize {
    let last = found.last().map(|plain| plain.time);
    let before = found.iter().rposition(|plain| Some(plain.time) != last);
    before.map_or(0, |place| place + 1)
}

/// Which readings go: all or none of one instant, and never two in a row of one sensor, so that no
/// sensor is silenced because another one always reads first.
fn going(found: &[Plain]) -> Vec<&Plain> {
    let mut instants: BTreeMap<Instant, Vec<&Plain>> = BTreeMap::new();
    for plain in found {
        instants.entry(plain.time).or_default().push(plain);
    }
    let mut has_stayed: BTreeMap<&str, bool> = BTreeMap::new();
    let mut going = Vec::new();
    for readings in instants.into_values() {
        // The first one of a sensor stays.
        let goes = readings
            .iter()
            .all(|plain| has_stayed.get(&*plain.series) == Some(&true));
        for plain in &readings {
            has_stayed.insert(&plain.series, !goes);
        }
        if goes {
            going.extend(readings);
        }
    }
    going
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

    /// Readings of sensors at seconds, in this order.
    fn plains(readings: &[(&str, i64)]) -> Vec<Plain> {
        let plain = |(number, (series, second)): (i64, &(&str, i64))| Plain {
            number,
            series: (*series).to_owned(),
            time: Instant::from_seconds(*second),
        };
        (1..).zip(readings).map(plain).collect()
    }

    fn left(readings: &[(&'static str, i64)]) -> Vec<(&'static str, i64)> {
        let plains = plains(readings);
        let gone: Vec<i64> = going(&plains).iter().map(|plain| plain.number).collect();
        let stays = |(number, _): &(i64, _)| !gone.contains(number);
        (1..)
            .zip(readings.iter().copied())
            .filter(stays)
            .map(|(_, reading)| reading)
            .collect()
    }

    #[test]
    fn readings_of_one_instant_go_or_stay_together() {
        // The second sensor is read less often, and joined late.
        let every = [
            ("a", 0),
            ("a", 10),
            ("a", 20),
            ("b", 20),
            ("a", 30),
            ("a", 40),
            ("b", 40),
            ("a", 50),
            ("a", 60),
            ("b", 60),
        ];
        let left = left(&every);
        let of = |sensor| -> Vec<i64> {
            let own = left.iter().filter(|(name, _)| *name == sensor);
            own.map(|(_, second)| *second).collect()
        };
        assert_eq!(of("a"), [0, 20, 40, 60]);
        assert_eq!(of("b"), [20, 40, 60], "what a told at these instants stays");
        // Latitude and longitude are of one sensor and one kind.
        let fixes = [
            ("gps", 0),
            ("gps", 0),
            ("gps", 10),
            ("gps", 10),
            ("gps", 20),
        ];
        assert_eq!(self::left(&fixes), [("gps", 0), ("gps", 0), ("gps", 20)]);
    }

    #[test]
    fn no_sensor_is_silenced_by_another_that_always_reads_before_it() {
        let turns: Vec<(&str, i64)> = (0..40)
            .map(|turn| (if turn % 2 == 0 { "a" } else { "b" }, turn * 30))
            .collect();
        let left = left(&turns);
        for sensor in ["a", "b"] {
            let count = left.iter().filter(|(name, _)| *name == sensor).count();
            assert_eq!(count, 10, "{sensor}");
        }
    }

    #[test]
    fn an_instant_is_not_cut_apart_by_the_end_of_a_look() {
        let found = plains(&[("a", 0), ("b", 0), ("a", 10), ("b", 10), ("a", 20)]);
        assert_eq!(whole_instants(&found), 4);
        assert_eq!(
            whole_instants(&found[..2]),
            0,
            "one instant is all there is"
        );
        assert_eq!(whole_instants(&[]), 0);
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
