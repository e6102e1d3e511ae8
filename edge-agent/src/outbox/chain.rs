//! The end of the chain: closing statements, signing notes, adding events to the next statement.

use schemas::event::{Salt, Source};
use schemas::hash::Hash;
use schemas::merkle;
use schemas::statement::{CLOSE_BYTES, CLOSE_EVENTS, Note, Payload, Position, Statement};
use schemas::time::Instant;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::events::EventRow;
use super::state::{OpenEvent, State};
use super::{Opening, OutboxError};
use crate::compose::{Made, Weight};
use crate::status::Head;

/// Program and version, part of every statement.
pub(super) const AGENT: &str = concat!("edge-agent/", env!("CARGO_PKG_VERSION"));
/// Longest text of a note in bytes (`statement.md` section 3.1).
const NOTE_TEXT_MAX: usize = 256;
/// Longest sensor name in a note.
const SENSOR_MAX: usize = 64;
/// Most statements that one transaction closes, when much was held back.
const CLOSE_MAX: usize = 64;

/// Adds an event to the next statement, closing it before and after as the limits ask; while
/// nothing is signed, the event waits for that.
pub(super) async fn add_event(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    source: Source,
    made: &Made,
) -> Result<(), OutboxError> {
    let Made { event, weight } = made;
    let size = event.bytes().len();
    if !fits(state, size) {
        close_one(opening, db, state).await?;
    }
    let salt = Salt::random()?;
    state.newest_event += 1;
    let number = state.newest_event;
    let row = EventRow {
        source,
        salt: &salt,
        life_cycle: *weight == Weight::LifeCycle,
        bytes: event.bytes(),
    };
    state.unstored.push(row.numbered(number));
    if state.beyond == 0 && fits(state, size) {
        state.open.push(OpenEvent {
            number,
            leaf: event.leaf(source, &salt),
            size,
        });
    } else {
        state.beyond += 1;
    }
    state.counts.events_made += 1;
    state.queues.bodies += 1;
    state.changed = true;
    if state.open.len() >= CLOSE_EVENTS || state.open_bytes() >= CLOSE_BYTES {
        close_one(opening, db, state).await?;
    }
    Ok(())
}

fn fits(state: &State, size: usize) -> bool {
    state.open.is_empty()
        || (state.open.len() < CLOSE_EVENTS && state.open_bytes() + size <= CLOSE_BYTES)
}

/// Signs every unsigned event, at most [`CLOSE_MAX`] statements of them at once; nothing while
/// nothing is signed.
pub(super) async fn close(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<(), OutboxError> {
    for _ in 0..CLOSE_MAX {
        state.refill(db).await?;
        if state.open.is_empty() || !state.held().is_empty() {
            break;
        }
        close_one(opening, db, state).await?;
    }
    Ok(())
}

/// Signs the next statement, if there is one and statements are signed.
async fn close_one(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<(), OutboxError> {
    let leaves: Vec<Hash> = state.open.iter().map(|event| event.leaf).collect();
    let Some(root) = merkle::root(&leaves).filter(|_| state.held().is_empty()) else {
        return Ok(());
    };
    let number = |event: Option<&OpenEvent>| event.map_or(0, |event| event.number);
    let range = (number(state.open.first()), number(state.open.last()));
    let payload = payload(opening, state, leaves.len() as u64, root, None);
    append(opening, db, state, payload, range).await?;
    state.signed = range.1;
    state.open.clear();
    state.counts.statements_made += 1;
    state.refill(db).await
}

/// Closes the open statement and signs a note after it. While events are held back the note goes
/// before them; while the key is being changed it waits.
pub(super) async fn say(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    note: Note,
) -> Result<(), OutboxError> {
    if state.last_word.is_some() {
        return hold_note(db, &note).await;
    }
    close(opening, db, state).await?;
    sign_note(opening, db, state, note).await
}

/// Signs a note at the end of the chain as it is.
pub(super) async fn sign_note(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    note: Note,
) -> Result<(), OutboxError> {
    let payload = payload(opening, state, 0, Hash::ZERO, Some(note));
    append(opening, db, state, payload, (1, 0)).await?;
    state.counts.notes_made += 1;
    Ok(())
}

/// Keeps a note until notes are signed again. Beginnings of epochs are never held, and what a
/// heartbeat would say is over by then.
pub(super) async fn hold_note(db: &mut SqliteConnection, note: &Note) -> Result<(), OutboxError> {
    let (sensor, range, dropped) = match note {
        Note::SensorFault { sensor, range, .. } => (Some(sensor), *range, None),
        Note::Thinned { range, dropped, .. } => (None, Some(*range), Some(signed(*dropped))),
        Note::EpochStart { .. } | Note::Heartbeat { .. } => return Ok(()),
    };
    sqlx::query(
        "INSERT INTO held_notes (text, sensor, from_time, until_time, dropped)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(note.text())
    .bind(sensor)
    .bind(range.map(|(from, _)| from.as_micros()))
    .bind(range.map(|(_, until)| until.as_micros()))
    .bind(dropped)
    .execute(db)
    .await?;
    Ok(())
}

/// Signs notes that have waited, in their order.
pub(super) async fn say_held(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<(), OutboxError> {
    let rows = sqlx::query(
        "SELECT text, sensor, from_time, until_time, dropped FROM held_notes ORDER BY number",
    )
    .fetch_all(&mut *db)
    .await?;
    for row in &rows {
        let (text, sensor): (String, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
        let times: (Option<i64>, Option<i64>) = (row.try_get(2)?, row.try_get(3)?);
        let dropped: Option<i64> = row.try_get(4)?;
        let range = match times {
            (Some(from), Some(until)) => {
                Some((Instant::from_micros(from), Instant::from_micros(until)))
            }
            _ => None,
        };
        let note = match (sensor, range, dropped) {
            (Some(sensor), range, _) => Note::SensorFault {
                text,
                sensor,
                range,
            },
            (None, Some(range), Some(dropped)) => Note::Thinned {
                text,
                range,
                dropped: dropped.unsigned_abs(),
            },
            _ => continue,
        };
        sign_note(opening, db, state, note).await?;
    }
    if !rows.is_empty() {
        sqlx::query("DELETE FROM held_notes").execute(db).await?;
    }
    Ok(())
}

/// Begins a new epoch behind everything that is known; its note names `last` and the reason.
pub(super) async fn begin_epoch(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    last: Head,
    text: &str,
) -> Result<(), OutboxError> {
    let note = Note::EpochStart {
        text: clip(text, NOTE_TEXT_MAX),
        last: last.position(),
        id: last.id,
    };
    let known = state.head.map_or(0, |head| head.epoch).max(last.epoch);
    let mut payload = payload(opening, state, 0, Hash::ZERO, Some(note));
    payload.position = Position {
        epoch: known + 1,
        seq: 0,
    };
    payload.prev = last.id;
    append(opening, db, state, payload, (1, 0)).await?;
    state.counts.notes_made += 1;
    Ok(())
}

/// The note of a sensor's fault.
pub(super) fn fault_note(sensor: &str, text: &str, range: Option<(Instant, Instant)>) -> Note {
    Note::SensorFault {
        text: clip(text, NOTE_TEXT_MAX),
        sensor: clip(sensor, SENSOR_MAX),
        range: range.map(|(from, until)| (from, until.max(from))),
    }
}

fn payload(
    opening: &Opening,
    state: &State,
    count: u64,
    root: Hash,
    note: Option<Note>,
) -> Payload {
    let (position, prev) = match &state.head {
        Some(head) => (
            Position {
                epoch: head.epoch,
                seq: head.seq + 1,
            },
            head.id,
        ),
        None => (Position { epoch: 0, seq: 0 }, Hash::ZERO),
    };
    Payload {
        log: opening.trust.log,
        device: opening.trust.device.clone(),
        position,
        prev,
        made: opening.clock.now(),
        clock: opening.clock_state.borrow().state,
        seen: state.seen,
        agent: AGENT.to_owned(),
        count,
        root,
        note,
    }
}

/// Signs, stores and moves the head.
async fn append(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    payload: Payload,
    (first, last): (i64, i64),
) -> Result<(), OutboxError> {
    let (made, events) = (payload.made, payload.count);
    let Position { epoch, seq } = payload.position;
    let statement = Statement::sign_by(&*opening.key, payload)?;
    let id = statement.id();
    state.newest += 1;
    sqlx::query(
        "INSERT INTO statements (position, epoch, seq, id, bytes, first, last, events)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(state.newest)
    .bind(signed(epoch))
    .bind(signed(seq))
    .bind(&id.0[..])
    .bind(statement.bytes())
    .bind(first)
    .bind(last)
    .bind(signed(events))
    .execute(&mut *db)
    .await?;
    state.head = Some(Head { epoch, seq, id });
    state.last_said = made;
    state.queues.receipts += 1;
    state.queues.inclusions += 1;
    state.changed = true;
    Ok(())
}

/// As SQLite keeps it; every number of the formats is below 2^53.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Cut to `max` bytes at a character's end.
fn clip(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
