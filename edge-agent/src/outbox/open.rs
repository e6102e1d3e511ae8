//! Opening the outbox: is what it says of the chain's end believable, or does a new epoch begin?

use std::path::Path;
use std::sync::{Arc, RwLock};

use schemas::hash::Hash;
use schemas::statement::statement_id;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant as RealInstant;

use super::mirror::Mirror;
use super::pace::Pace;
use super::state::{State, hash_column, number_column};
use super::thin::Fill;
use super::writer::{Writer, store_chain};
use super::{DATABASE_FILE, Opening, Outbox, OutboxError, QUEUE_MAX, database, replace, rotation};
use crate::status::Head;

/// Held while an agent runs.
pub(crate) const LOCK_FILE: &str = "lock";

/// Opens the outbox of a state directory and starts its writer, which ends when every handle has
/// been dropped.
///
/// # Errors
/// [`OutboxError`]; the agent must not start.
pub async fn open(opening: Opening) -> Result<(Outbox, JoinHandle<()>), OutboxError> {
    let lock = lock(&opening.state)?;
    let mirror = Mirror::new(&opening.state);
    let path = opening.state.join(DATABASE_FILE);
    let (mut db, mut state, broken) = load(&opening, &path, &mirror).await?;
    if let Some(pages) = opening.pages_max {
        database::limit(&mut db, pages).await?;
    }
    if let Some(broken) = broken {
        begin_anew(&opening, &mut db, &mut state, &broken).await?;
    }
    end_rotation(&opening, &mut db, &mut state).await?;
    if let Some(head) = &state.head {
        mirror
            .write(head)
            .map_err(|source| io(&opening.state, source))?;
    }
    let fill = Fill {
        used: database::used(&mut db).await?,
        max: opening.bytes_max,
    };
    let (jobs, receiver) = mpsc::channel(QUEUE_MAX);
    let (newest, newest_seen) = watch::channel(state.newest);
    let (positions, positions_seen) = watch::channel(state.scans.clone());
    let (status, status_seen) = watch::channel(state.status("", fill));
    let outbox = Outbox {
        jobs,
        readers: database::readers(&path),
        trust: Arc::new(RwLock::new(opening.trust.clone())),
        newest: newest_seen,
        positions: positions_seen,
        status: status_seen,
    };
    let mirrored = state.head;
    let writer = Writer {
        opening,
        db,
        state,
        mirror,
        jobs: receiver,
        newest,
        positions,
        status,
        lock,
        opened: None,
        mirrored,
        synced: (None, RealInstant::now()),
        stale: false,
        folded: RealInstant::now(),
        released: true,
        pace: Pace::new(RealInstant::now()),
        fill,
    };
    Ok((outbox, tokio::spawn(writer.run())))
}

/// The chain cannot go on where it was: a new epoch's note says why.
async fn begin_anew(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    broken: &Broken,
) -> Result<(), OutboxError> {
    tracing::error!(
        reason = broken.reason,
        epoch = broken.last.epoch + 1,
        "the chain cannot be continued: a new epoch begins"
    );
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    let (last, reason) = (broken.last, broken.reason);
    rotation::begin_epoch(opening, &mut transaction, state, last, reason).await?;
    store_chain(&mut transaction, state).await?;
    transaction.commit().await?;
    Ok(())
}

/// A power cut may have come between the new enrolment and the first word of the new key.
async fn end_rotation(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<(), OutboxError> {
    let kid = opening.key.kid();
    if state.last_word.is_none_or(|said| said.next != kid) {
        return Ok(());
    }
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    rotation::go_on_with_next(opening, &mut transaction, state).await?;
    store_chain(&mut transaction, state).await?;
    transaction.commit().await?;
    Ok(())
}

pub(super) fn io(path: &Path, source: std::io::Error) -> OutboxError {
    OutboxError::Io {
        path: path.to_owned(),
        source,
    }
}

fn lock(state: &Path) -> Result<std::fs::File, OutboxError> {
    let path = state.join(LOCK_FILE);
    let file = std::fs::File::create(&path).map_err(|source| io(&path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OutboxError::Locked(path)),
        Err(std::fs::TryLockError::Error(source)) => Err(io(&path, source)),
    }
}

/// Why the chain cannot be continued although the database is sound, and the last statement that is known.
#[derive(Debug, PartialEq)]
struct Broken {
    reason: &'static str,
    last: Head,
}

type Loaded = (SqliteConnection, State, Option<Broken>);

async fn load(opening: &Opening, path: &Path, mirror: &Mirror) -> Result<Loaded, OutboxError> {
    replace::finish(path).await?;
    // Three may know where the chain ended: the file beside, the platform, the database.
    let remembered = mirror.read().max_by_position(opening.known);
    if !path.exists() {
        let broken = match remembered {
            Some(last) => Some(Broken {
                reason: "the outbox was missing",
                last,
            }),
            None if mirror.exists() => return Err(OutboxError::NothingKnown),
            None => None,
        };
        return fresh(path, broken).await;
    }
    match load_existing(path, remembered).await {
        Err(OutboxError::Damaged(problem)) => {
            tracing::error!(problem, "the outbox is damaged");
            replace::replace(opening, path, remembered).await?;
            load_existing(path, remembered).await
        }
        other => other,
    }
}

/// The later of two ends of a chain.
pub(super) trait MaxByPosition {
    fn max_by_position(self, other: Self) -> Self;
}

impl MaxByPosition for Option<Head> {
    fn max_by_position(self, other: Self) -> Self {
        self.into_iter().chain(other).max_by_key(Head::position)
    }
}

async fn fresh(path: &Path, broken: Option<Broken>) -> Result<Loaded, OutboxError> {
    let mut db = database::open(path).await?;
    let state = State::load(&mut db).await?;
    Ok((db, state, broken))
}

async fn load_existing(path: &Path, remembered: Option<Head>) -> Result<Loaded, OutboxError> {
    let mut db = database::open(path).await?;
    check_rows(&mut db).await?;
    let state = State::load(&mut db).await?;
    let newest = newest_statement(&mut db).await?;
    let broken = judge(state.head, newest, remembered);
    Ok((db, state, broken))
}

/// What the rows say of each other: a flipped bit in a number is no damage to SQLite, and would
/// make events unreachable without a word.
async fn check_rows(db: &mut SqliteConnection) -> Result<(), OutboxError> {
    const RULES: [(&str, &str); 4] = [
        (
            "SELECT NOT EXISTS (SELECT 1 FROM statements s WHERE receipt IS NULL AND events !=
                 (SELECT count(*) FROM events e WHERE e.number BETWEEN s.first AND s.last))",
            "a statement without a receipt has not the events that it says",
        ),
        (
            "SELECT (SELECT count(*) FROM events WHERE number <= (SELECT signed FROM chain)) =
                 (SELECT coalesce(sum(events), 0) FROM statements WHERE receipt IS NULL)",
            "there are signed events of no statement",
        ),
        (
            "SELECT NOT EXISTS (SELECT 1 FROM statements WHERE receipt IS NOT NULL
                 AND receipt NOT IN (SELECT number FROM receipts))",
            "a statement names a receipt that is not there",
        ),
        (
            "SELECT coalesce((SELECT max(position) FROM statements), 0) <=
                 (SELECT position FROM chain)",
            "the newest statement is beyond the chain's end",
        ),
    ];
    for (rule, broken) in RULES {
        let holds: Option<bool> = sqlx::query_scalar(rule).fetch_one(&mut *db).await?;
        if holds != Some(true) {
            return Err(OutboxError::Damaged(broken.to_owned()));
        }
    }
    Ok(())
}

/// The newest statement that is kept, its id recomputed from its bytes.
async fn newest_statement(db: &mut SqliteConnection) -> Result<Option<Head>, OutboxError> {
    let row = sqlx::query(
        "SELECT epoch, seq, id, bytes FROM statements ORDER BY epoch DESC, seq DESC LIMIT 1",
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let bytes: Vec<u8> = row.try_get(3)?;
    let id: Hash = hash_column(&row, 2)?;
    if statement_id(&bytes) != id {
        return Err(OutboxError::Damaged(
            "the newest statement is not what its id says".to_owned(),
        ));
    }
    Ok(Some(Head {
        epoch: number_column(&row, 0)?,
        seq: number_column(&row, 1)?,
        id,
    }))
}

/// Compares the three memories of the chain's end: head row, newest statement, head file.
fn judge(head: Option<Head>, newest: Option<Head>, remembered: Option<Head>) -> Option<Broken> {
    let known = [head, newest, remembered].into_iter().flatten();
    let last = known.max_by_key(Head::position)?;
    let broken = |reason| Some(Broken { reason, last });
    let Some(head) = head else {
        return broken("the outbox had lost its head");
    };
    // A statement is deleted after its inclusion, so the newest one kept may lie before the head.
    if newest.is_some_and(|newest| differs(&newest, &head) || newest.position() > head.position()) {
        return broken("the outbox contradicted itself about its head");
    }
    if remembered.is_some_and(|file| differs(&file, &head) || file.position() > head.position()) {
        return broken("the outbox was older than its head file");
    }
    None
}

/// True for another statement in the same place.
fn differs(one: &Head, other: &Head) -> bool {
    one.position() == other.position() && one.id != other.id
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::hash::sha256;

    fn head(seq: u64, id: &[u8]) -> Option<Head> {
        Some(Head {
            epoch: 0,
            seq,
            id: sha256(id),
        })
    }

    #[test]
    fn a_lagging_head_file_is_no_break() {
        assert_eq!(judge(None, None, None), None);
        assert_eq!(judge(head(4, b"4"), None, head(3, b"3")), None);
        assert_eq!(judge(head(4, b"4"), head(2, b"2"), None), None);
    }

    #[test]
    fn an_older_or_contradicting_outbox_begins_an_epoch_after_the_last_known() {
        let last = |broken: Option<Broken>| broken.map(|broken| broken.last);
        assert_eq!(
            last(judge(head(4, b"4"), None, head(6, b"6"))),
            head(6, b"6")
        );
        assert_eq!(last(judge(None, head(5, b"5"), None)), head(5, b"5"));
        assert_eq!(
            last(judge(head(4, b"4"), head(5, b"5"), None)),
            head(5, b"5")
        );
        assert!(judge(head(4, b"4"), None, head(4, b"x")).is_some());
    }
}
