//! `edge-agent audit`: everything that the outbox holds, verified again without a network.

use std::path::Path;

use schemas::hash::Hash;
use schemas::merkle;
use schemas::statement::Statement;
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::events::{events_of, whole_event};
use super::mirror::Mirror;
use super::state::{hash_column, number_column};
use super::{DATABASE_FILE, OutboxError, database};
use crate::status::Head;
use crate::trust::Trust;

/// What an audit saw.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Audit {
    /// Statements with events.
    pub statements: u64,
    /// Notes.
    pub notes: u64,
    /// Events whose leaves were recomputed.
    pub events: u64,
    /// Events that no statement holds yet.
    pub unsigned: u64,
    /// Receipts that verified.
    pub receipts: u64,
    /// End of the chain by the database.
    pub head: Option<Head>,
    /// What is wrong, in words; empty is well.
    pub problems: Vec<String>,
}

/// Verifies chain, signatures, roots, receipts and the newest checkpoint.
///
/// # Errors
/// [`OutboxError`] if the database cannot be read at all.
pub async fn audit(state: &Path, trust: &Trust) -> Result<Audit, OutboxError> {
    let path = state.join(DATABASE_FILE);
    let metadata = std::fs::metadata(&path);
    metadata.map_err(|source| OutboxError::Io {
        path: path.clone(),
        source,
    })?;
    let pool = database::readers(&path);
    let mut audit = Audit::default();
    check_statements(&pool, trust, &mut audit).await?;
    check_unsigned(&pool, &mut audit).await?;
    check_receipts(&pool, trust, &mut audit).await?;
    check_checkpoint(&pool, trust, &mut audit).await?;
    check_head_file(state, &mut audit);
    pool.close().await;
    Ok(audit)
}

async fn check_statements(
    pool: &SqlitePool,
    trust: &Trust,
    audit: &mut Audit,
) -> Result<(), OutboxError> {
    let rows = sqlx::query(
        "SELECT position, epoch, seq, id, bytes, receipt IS NULL, first, last FROM statements
         ORDER BY epoch, seq",
    )
    .fetch_all(pool)
    .await?;
    let mut before: Option<Head> = None;
    for row in &rows {
        let head = Head {
            epoch: number_column(row, 1)?,
            seq: number_column(row, 2)?,
            id: hash_column(row, 3)?,
        };
        if let Err(problem) = check_statement(pool, trust, row, &head, before, audit).await? {
            audit
                .problems
                .push(format!("statement {}/{}: {problem}", head.epoch, head.seq));
        }
        before = Some(head);
    }
    let row = sqlx::query("SELECT epoch, seq, id FROM chain WHERE epoch IS NOT NULL")
        .fetch_optional(pool)
        .await?;
    if let Some(row) = row {
        let (epoch, seq) = (number_column(&row, 0)?, number_column(&row, 1)?);
        audit.head = Some(Head {
            epoch,
            seq,
            id: hash_column(&row, 2)?,
        });
    }
    let ends = before.is_none_or(|newest| {
        audit
            .head
            .is_some_and(|head| head == newest || head.position() > newest.position())
    });
    if !ends {
        audit
            .problems
            .push("the head is not the newest statement".to_owned());
    }
    Ok(())
}

async fn check_statement(
    pool: &SqlitePool,
    trust: &Trust,
    row: &SqliteRow,
    head: &Head,
    before: Option<Head>,
    audit: &mut Audit,
) -> Result<Result<(), String>, OutboxError> {
    let statement = match Statement::parse(row.try_get(4)?) {
        Ok(statement) => statement,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let payload = &statement.payload;
    let follows = before
        .filter(|before| before.epoch == head.epoch && before.seq + 1 == head.seq)
        .is_none_or(|before| before.id == payload.prev);
    let checks = [
        (
            statement.id() == head.id,
            "its bytes are not what its id says",
        ),
        (
            trust
                .own_key(&statement.kid)
                .is_some_and(|key| statement.verify(key).is_ok()),
            "its signature is not of a key that this device has or had",
        ),
        (
            payload.position == head.position(),
            "it is in another place of the chain",
        ),
        (
            payload.log == trust.log && payload.device == trust.device,
            "it is of another chain",
        ),
        (follows, "its prev is not the statement before"),
    ];
    if let Some((_, problem)) = checks.into_iter().find(|(holds, _)| !holds) {
        return Ok(Err(problem.to_owned()));
    }
    if payload.note.is_some() {
        audit.notes += 1;
        return Ok(Ok(()));
    }
    audit.statements += 1;
    let waits: bool = row.try_get(5)?;
    if !waits {
        return Ok(Ok(()));
    }
    check_bodies(pool, row, payload.count, payload.root, audit).await
}

/// Bodies are there until the receipt, and lead to the signed root.
async fn check_bodies(
    pool: &SqlitePool,
    row: &SqliteRow,
    count: u64,
    root: Hash,
    audit: &mut Audit,
) -> Result<Result<(), String>, OutboxError> {
    let mut db = pool.acquire().await?;
    let events = events_of(&mut db, row.try_get(6)?, row.try_get(7)?).await?;
    let mut leaves = Vec::with_capacity(events.len());
    for (source, salt, bytes) in events {
        match schemas::event::Event::parse(bytes) {
            Ok(event) => leaves.push(event.leaf(source, &salt)),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    if leaves.len() as u64 != count || merkle::root(&leaves) != Some(root) {
        return Ok(Err("its events do not lead to its root".to_owned()));
    }
    audit.events += count;
    Ok(Ok(()))
}

/// Events that wait to be signed are what their marks say.
async fn check_unsigned(pool: &SqlitePool, audit: &mut Audit) -> Result<(), OutboxError> {
    let rows = sqlx::query(
        "SELECT source, salt, bytes, mark, number FROM events
         WHERE number > (SELECT signed FROM chain) ORDER BY number",
    )
    .fetch_all(pool)
    .await?;
    for row in &rows {
        audit.unsigned += 1;
        if whole_event(row, row.try_get(3)?).is_none() {
            let number = number_column(row, 4)?;
            let problem = format!("unsigned event {number}: it was damaged on disk");
            audit.problems.push(problem);
        }
    }
    Ok(())
}

async fn check_receipts(
    pool: &SqlitePool,
    trust: &Trust,
    audit: &mut Audit,
) -> Result<(), OutboxError> {
    let rows = sqlx::query("SELECT number, bytes FROM receipts")
        .fetch_all(pool)
        .await?;
    for row in &rows {
        let bytes: Vec<u8> = row.try_get(1)?;
        match trust.kept_receipt(&bytes) {
            Ok(_) => audit.receipts += 1,
            Err(error) => {
                audit
                    .problems
                    .push(format!("receipt {}: {error}", number_column(row, 0)?));
            }
        }
    }
    Ok(())
}

async fn check_checkpoint(
    pool: &SqlitePool,
    trust: &Trust,
    audit: &mut Audit,
) -> Result<(), OutboxError> {
    let row = sqlx::query("SELECT size, root, note FROM checkpoint")
        .fetch_optional(pool)
        .await?;
    let Some(row) = row else { return Ok(()) };
    let (size, root) = (number_column(&row, 0)?, hash_column(&row, 1)?);
    let note: Vec<u8> = row.try_get(2)?;
    match trust.policies.check_note(&note) {
        Ok(seen) if seen.size == size && seen.root == root => {}
        Ok(_) => audit
            .problems
            .push("the checkpoint is another one than its note".to_owned()),
        Err(error) => audit.problems.push(format!("checkpoint: {error}")),
    }
    Ok(())
}

fn check_head_file(state: &Path, audit: &mut Audit) {
    let file = Mirror::new(state).read();
    let ahead = match (file, audit.head) {
        (Some(file), Some(head)) => file.position() > head.position(),
        (Some(_), None) => true,
        (None, _) => false,
    };
    if ahead {
        audit
            .problems
            .push("the head file knows more than the outbox: it is an older copy".to_owned());
    }
}
