//! Opening the outbox: is what it says of the chain's end believable, or does a new epoch begin?

use std::path::Path;

use schemas::hash::Hash;
use schemas::statement::statement_id;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant as RealInstant;

use super::mirror::Mirror;
use super::state::{State, hash_column, number_column};
use super::writer::Writer;
use super::{DATABASE_FILE, Opening, Outbox, OutboxError, QUEUE_MAX, chain, database};
use crate::status::Head;

/// Held while an agent runs.
const LOCK_FILE: &str = "lock";

/// Opens the outbox of a state directory and starts its writer, which ends when every handle has
/// been dropped.
///
/// # Errors
/// [`OutboxError`]; the agent must not start.
pub async fn open(opening: Opening) -> Result<(Outbox, JoinHandle<()>), OutboxError> {
    let lock = lock(&opening.state)?;
    let mirror = Mirror::new(&opening.state);
    let path = opening.state.join(DATABASE_FILE);
    let (mut db, mut state, broken) = load(&path, &mirror).await?;
    if let Some(broken) = broken {
        tracing::error!(
            reason = broken.reason,
            epoch = broken.last.epoch + 1,
            "the chain cannot be continued: a new epoch begins"
        );
        let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
        chain::begin_epoch(
            &opening,
            &mut transaction,
            &mut state,
            broken.last,
            broken.reason,
        )
        .await?;
        transaction.commit().await?;
    }
    let (jobs, receiver) = mpsc::channel(QUEUE_MAX);
    let (newest, newest_seen) = watch::channel(state.newest);
    let (status, status_seen) = watch::channel(state.status(""));
    let outbox = Outbox {
        jobs,
        readers: database::readers(&path),
        trust: std::sync::Arc::new(opening.trust.clone()),
        newest: newest_seen,
        status: status_seen,
    };
    if let Some(head) = &state.head {
        mirror
            .write(head)
            .map_err(|source| io(&opening.state, source))?;
    }
    let mirrored = state.head;
    let writer = Writer {
        opening,
        db,
        state,
        mirror,
        jobs: receiver,
        newest,
        status,
        lock,
        opened: None,
        mirrored,
        stale: false,
        folded: RealInstant::now(),
        released: true,
    };
    Ok((outbox, tokio::spawn(writer.run())))
}

fn io(path: &Path, source: std::io::Error) -> OutboxError {
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

/// Why the chain cannot be continued, and the last statement that is known.
#[derive(Debug, PartialEq, Eq)]
struct Broken {
    reason: &'static str,
    last: Head,
}

type Loaded = (SqliteConnection, State, Option<Broken>);

async fn load(path: &Path, mirror: &Mirror) -> Result<Loaded, OutboxError> {
    let remembered = mirror.read();
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
            // Without the head file nothing is moved, so that the next start ends here again.
            let last = remembered.ok_or(OutboxError::NothingKnown)?;
            let aside = database::put_aside(path).map_err(|source| io(path, source))?;
            tracing::error!(problem, aside = %aside.display(), "the outbox is damaged");
            fresh(
                path,
                Some(Broken {
                    reason: "the outbox was damaged",
                    last,
                }),
            )
            .await
        }
        other => other,
    }
}

async fn fresh(path: &Path, broken: Option<Broken>) -> Result<Loaded, OutboxError> {
    let mut db = database::open(path).await?;
    let state = State::load(&mut db).await?;
    Ok((db, state, broken))
}

async fn load_existing(path: &Path, remembered: Option<Head>) -> Result<Loaded, OutboxError> {
    let mut db = database::open(path).await?;
    let state = State::load(&mut db).await?;
    let newest = newest_statement(&mut db).await?;
    let broken = judge(state.head, newest, remembered);
    Ok((db, state, broken))
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
