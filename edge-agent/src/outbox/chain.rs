//! The end of the chain: closing statements, signing notes, adding events to the open statement.

use schemas::event::{Event, Salt, Source};
use schemas::hash::Hash;
use schemas::merkle;
use schemas::statement::{CLOSE_BYTES, CLOSE_EVENTS, Note, Payload, Position, Statement};
use schemas::time::Instant;
use sqlx::sqlite::SqliteConnection;

use super::state::{OpenEvent, State};
use super::{Opening, OutboxError};
use crate::status::Head;

/// Program and version, part of every statement.
pub(super) const AGENT: &str = concat!("edge-agent/", env!("CARGO_PKG_VERSION"));
/// Longest text of a note in bytes (`statement.md` section 3.1).
const NOTE_TEXT_MAX: usize = 256;
/// Longest sensor name in a note.
const SENSOR_MAX: usize = 64;

/// Adds an event to the open statement, closing it before and after as the limits ask.
pub(super) async fn add_event(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    source: Source,
    event: &Event,
) -> Result<(), OutboxError> {
    let size = event.bytes().len();
    if !state.open.is_empty() && state.open_bytes() + size > CLOSE_BYTES {
        close(opening, db, state).await?;
    }
    let salt = Salt::random()?;
    let number = sqlx::query_scalar(
        "INSERT INTO events (source, salt, bytes) VALUES ($1, $2, $3) RETURNING number",
    )
    .bind(i64::from(source.number()))
    .bind(&salt.0[..])
    .bind(event.bytes())
    .fetch_one(&mut *db)
    .await?;
    state.open.push(OpenEvent {
        number,
        leaf: event.leaf(source, &salt),
        size,
    });
    state.counts.events_made += 1;
    state.queues.bodies += 1;
    if state.open.len() >= CLOSE_EVENTS || state.open_bytes() >= CLOSE_BYTES {
        close(opening, db, state).await?;
    }
    Ok(())
}

/// Signs the open statement, if there is one.
pub(super) async fn close(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<(), OutboxError> {
    let leaves: Vec<Hash> = state.open.iter().map(|event| event.leaf).collect();
    let Some(root) = merkle::root(&leaves) else {
        return Ok(());
    };
    let payload = payload(opening, state, leaves.len() as u64, root, None);
    let position = append(opening, db, state, payload).await?;
    let first = state.open.first().map_or(0, |event| event.number);
    sqlx::query("UPDATE events SET statement = $1 WHERE statement IS NULL AND number >= $2")
        .bind(position)
        .bind(first)
        .execute(&mut *db)
        .await?;
    state.open.clear();
    state.counts.statements_made += 1;
    Ok(())
}

/// Closes the open statement and signs a note after it.
pub(super) async fn say(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    note: Note,
) -> Result<(), OutboxError> {
    close(opening, db, state).await?;
    let payload = payload(opening, state, 0, Hash::ZERO, Some(note));
    append(opening, db, state, payload).await?;
    state.counts.notes_made += 1;
    Ok(())
}

/// Begins a new epoch after `last`.
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
    let mut payload = payload(opening, state, 0, Hash::ZERO, Some(note));
    payload.position = Position {
        epoch: last.epoch + 1,
        seq: 0,
    };
    payload.prev = last.id;
    append(opening, db, state, payload).await?;
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
        clock: opening.clock_state,
        seen: state.seen,
        agent: AGENT.to_owned(),
        count,
        root,
        note,
    }
}

/// Signs, stores and moves the head; the statement's place in the outbox.
async fn append(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    payload: Payload,
) -> Result<i64, OutboxError> {
    let made = payload.made;
    let Position { epoch, seq } = payload.position;
    let statement = Statement::sign(&opening.key, payload);
    let id = statement.id();
    let position = sqlx::query_scalar(
        "INSERT INTO statements (epoch, seq, id, bytes) VALUES ($1, $2, $3, $4) RETURNING position",
    )
    .bind(signed(epoch))
    .bind(signed(seq))
    .bind(&id.0[..])
    .bind(statement.bytes())
    .fetch_one(&mut *db)
    .await?;
    sqlx::query(
        "INSERT INTO head (one, epoch, seq, id, made) VALUES (1, $1, $2, $3, $4)
         ON CONFLICT (one) DO UPDATE SET epoch = $1, seq = $2, id = $3, made = $4",
    )
    .bind(signed(epoch))
    .bind(signed(seq))
    .bind(&id.0[..])
    .bind(made.as_micros())
    .execute(&mut *db)
    .await?;
    state.head = Some(Head { epoch, seq, id });
    state.last_said = made;
    state.newest = position;
    state.queues.receipts += 1;
    state.queues.inclusions += 1;
    Ok(position)
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
