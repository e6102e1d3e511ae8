//! A look at an outbox from outside, without its writer: for `doctor`.

use std::path::Path;

use schemas::time::Instant;
use sqlx::Row;

use super::send::waiting_in;
use super::state::{Counts, number_column};
use super::{DATABASE_FILE, OutboxError, Waiting, database};

/// What waits, and since when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Glance {
    /// Statements and notes without a receipt.
    pub receipts_waiting: u64,
    /// Of them: past the anchor deadline that a receipt named.
    pub late: u64,
    /// Time of the newest receipt, by the platform's clock.
    pub last_receipt: Option<Instant>,
    /// The oldest statement without a receipt: sending it again harms nothing.
    pub oldest: Option<Waiting>,
    /// Bytes of the file that hold something: what the quota counts.
    pub used: u64,
}

/// Looks once. The database is read as it is; nothing is repaired or made.
///
/// # Errors
/// [`OutboxError`] if it cannot be read.
pub async fn glance(state: &Path) -> Result<Glance, OutboxError> {
    let pool = database::readers(&state.join(DATABASE_FILE));
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM statements WHERE receipt IS NULL),
                (SELECT coalesce(sum(waiting), 0) FROM receipts WHERE late = 1),
                (SELECT counts FROM chain)",
    )
    .fetch_one(&pool)
    .await?;
    let counts: &str = row.try_get(2)?;
    let counts: Counts =
        serde_json::from_str(counts).map_err(|error| OutboxError::Damaged(error.to_string()))?;
    let (waiting, _) = waiting_in(&pool, 0, 1).await?;
    let glance = Glance {
        receipts_waiting: number_column(&row, 0)?,
        late: number_column(&row, 1)?,
        last_receipt: counts.last_receipt,
        oldest: waiting.into_iter().next(),
        used: database::used(&mut *pool.acquire().await?).await?,
    };
    pool.close().await;
    Ok(glance)
}
