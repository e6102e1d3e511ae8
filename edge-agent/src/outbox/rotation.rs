//! The device's key changes and its chain goes on (`DESIGN.md` section 3: epoch, seq and `prev`
//! belong to the device, not to the key).
//!
//! The old key's record will name the last statement that counts under it. So that there is one,
//! the old key says a **last word**, a heartbeat note whose remark names the next key, and from
//! that commit on nothing is signed: events are taken and wait. When the next key's record is in
//! force they are signed with it, behind the last word; if it never comes into force, with the old
//! one, whose last word was a heartbeat like any other.
//!
//! Where the chain breaks in between, the last word is no longer the last: it is said again at the
//! end of the new epoch ([`begin_epoch`]).

use schemas::hash::Hash;
use schemas::statement::Note;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::chain::{self, signed};
use super::state::{LastWord, State, hash_column, number_column};
use super::{Opening, Outbox, OutboxError};
use crate::status::Head;

pub(super) async fn say_last(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    next: Hash,
) -> Result<(), OutboxError> {
    match state.last_word {
        Some(said) if said.next == next && state.head == Some(said.at) => return Ok(()),
        // Something was said behind it.
        Some(said) if said.next == next => unsay(db, state).await?,
        // Another rotation was begun and never ended.
        Some(_) => go_on(opening, db, state).await?,
        None => {}
    }
    state.deferred = false;
    while state.unsigned() > 0 {
        let before = state.unsigned();
        chain::close(opening, db, state).await?;
        // What cannot be signed was damaged, and is gone.
        if state.unsigned() == before {
            break;
        }
    }
    chain::sign_note(opening, db, state, Note::last_word(&next)).await?;
    let Some(at) = state.head else { return Ok(()) };
    sqlx::query("INSERT INTO rotation (one, next, epoch, seq, id) VALUES (1, $1, $2, $3, $4)")
        .bind(&next.0[..])
        .bind(signed(at.epoch))
        .bind(signed(at.seq))
        .bind(&at.id.0[..])
        .execute(db)
        .await?;
    state.last_word = Some(LastWord { next, at });
    tracing::info!(%next, epoch = at.epoch, seq = at.seq, "the present key has said its last word");
    Ok(())
}

/// Signs again, with whichever key the writer has.
pub(super) async fn go_on(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<(), OutboxError> {
    if state.last_word.is_none() {
        return Ok(());
    }
    unsay(db, state).await?;
    chain::say_held(opening, db, state).await?;
    chain::close(opening, db, state).await
}

/// The last word is not the last any more.
async fn unsay(db: &mut SqliteConnection, state: &mut State) -> Result<(), OutboxError> {
    state.last_word = None;
    sqlx::query("DELETE FROM rotation").execute(db).await?;
    Ok(())
}

/// Begins a new epoch behind `last`. While the present key has said its last word, that is said
/// again behind the epoch's note, since the platform ends a key at its newest statement and nowhere
/// else; a next key that is in force already says nothing of the kind.
pub(super) async fn begin_epoch(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    last: Head,
    text: &str,
) -> Result<(), OutboxError> {
    let kid = opening.key.kid();
    let again = state.last_word.filter(|said| said.next != kid);
    if again.is_some() {
        unsay(db, state).await?;
    }
    chain::begin_epoch(opening, db, state, last, text).await?;
    match again {
        Some(said) => say_last(opening, db, state, said.next).await,
        None => Ok(()),
    }
}

/// The same with the next key: whoever has a copy of the old one has nothing any more.
pub(super) async fn go_on_with_next(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<(), OutboxError> {
    state.counts.strangers_settled = state.counts.strangers;
    state.changed = true;
    go_on(opening, db, state).await
}

impl Outbox {
    /// The last word of the present key, if it has said one for the key of this kid, and whether
    /// the platform has it: its receipt is here, or was and its inclusion has come since. A
    /// statement that is gone was included only while the chain still ends at it: what is taken
    /// back has a new epoch behind it.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn last_word(&self, next: &Hash) -> Result<Option<(Head, bool)>, OutboxError> {
        let row = sqlx::query(
            "SELECT r.epoch, r.seq, r.id,
                    coalesce((SELECT s.receipt IS NOT NULL FROM statements s WHERE s.id = r.id),
                             r.id = c.id)
             FROM rotation r, chain c WHERE r.next = $1",
        )
        .bind(&next.0[..])
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let head = Head {
            epoch: number_column(&row, 0)?,
            seq: number_column(&row, 1)?,
            id: hash_column(&row, 2)?,
        };
        Ok(Some((head, row.try_get(3)?)))
    }
}
