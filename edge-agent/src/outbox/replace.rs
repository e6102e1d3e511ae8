//! A damaged database gives way to one that holds what was saved of it.
//!
//! The new one is made beside it, whole and durable, with the new epoch's note; only then are the
//! names changed: the damaged file goes aside, for a person to look at, and the new one takes its
//! place. A power cut or a full disk before that leaves the damaged file, from which the next start
//! saves again; one between the two names is noticed by the next start, which gives the new one its
//! name ([`finish`]).

use std::path::{Path, PathBuf};

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::open::{MaxByPosition, io};
use super::salvage::Salvage;
use super::state::State;
use super::writer::store_chain;
use super::{Opening, OutboxError, database, rotation};
use crate::status::Head;

/// Ends what a power cut has interrupted; what was not whole by then is made again.
pub(super) async fn finish(path: &Path) -> Result<(), OutboxError> {
    let new = new_path(path);
    if !new.exists() {
        return Ok(());
    }
    let aside = database::newest_aside(path).filter(|_| !path.exists());
    match aside {
        Some(aside) if is_whole(&new).await => {
            tracing::warn!("the saved outbox takes the place of the damaged one");
            database::put_logs_aside(path, &aside)
                .and_then(|()| database::put_in_place(&new, path))
                .map_err(|source| io(path, source))
        }
        _ => database::remove(&new).map_err(|source| io(&new, source)),
    }
}

/// Saves what can be read of the database at `path` and puts a new one in its place; `remembered` is
/// the newest statement that is known otherwise.
pub(super) async fn replace(
    opening: &Opening,
    path: &Path,
    remembered: Option<Head>,
) -> Result<(), OutboxError> {
    let mut salvage = Salvage::read(path, opening).await;
    // Without any memory nothing is changed, so that the next start ends here again.
    let last = remembered.max_by_position(salvage.newest());
    let last = last.ok_or(OutboxError::NothingKnown)?;
    tracing::error!(
        epoch = last.epoch + 1,
        "the chain cannot be continued: a new epoch begins; {}",
        salvage.words()
    );
    let new = new_path(path);
    database::remove(&new).map_err(|source| io(&new, source))?;
    let mut db = database::open(&new).await?;
    if let Some(pages) = opening.pages_max {
        database::limit(&mut db, pages).await?;
    }
    take_over(opening, &mut db, &mut salvage, last).await?;
    salvage.close().await;
    database::seal(db, &new).await?;
    let aside = database::put_aside(path).map_err(|source| io(path, source))?;
    tracing::error!(aside = %aside.display(), "the damaged outbox is kept");
    database::put_in_place(&new, path).map_err(|source| io(path, source))
}

/// What was saved and the note of the new epoch, in one commit.
async fn take_over(
    opening: &Opening,
    db: &mut SqliteConnection,
    salvage: &mut Salvage,
    last: Head,
) -> Result<(), OutboxError> {
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    salvage.take_in(&mut transaction).await?;
    let mut state = State::load(&mut transaction).await?;
    state.counts.events_damaged += salvage.lost_events();
    state.counts.alarms += 1;
    state.counts.damages += 1;
    let reason = format!("the outbox was damaged: {}", salvage.words());
    rotation::begin_epoch(opening, &mut transaction, &mut state, last, &reason).await?;
    store_chain(&mut transaction, &mut state).await?;
    transaction.commit().await?;
    Ok(())
}

/// The new epoch's note is in the commit that holds everything else.
async fn is_whole(new: &Path) -> bool {
    let look = async {
        let mut db = database::open(new).await?;
        let state = State::load(&mut db).await?;
        db.close().await?;
        Ok::<_, OutboxError>(state.head.is_some())
    };
    look.await.unwrap_or(false)
}

fn new_path(path: &Path) -> PathBuf {
    path.with_extension("db.new")
}
