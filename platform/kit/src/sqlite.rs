//! What a pool of SQLite connections needs beside what sqlx does.
//!
//! Where SQLite cannot write (a full disk, an error of the disk) it rolls a transaction back by
//! itself. sqlx's own rollback then fails, and it takes the connection for being in a transaction
//! for ever after: every later `BEGIN IMMEDIATE` is refused, long after there is room again.

use sqlx::Connection as _;
use sqlx::sqlite::SqlitePoolOptions;

/// A pool that closes a connection whose transaction did not end, and opens another one.
#[must_use]
pub fn recovering(options: SqlitePoolOptions) -> SqlitePoolOptions {
    options.after_release(|connection, _| {
        Box::pin(async move {
            // Behind the rollback of a transaction that was dropped.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_sqlite_has_ended_by_itself_is_not_the_last_one() {
        let folder = tempfile::tempdir().unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(folder.path().join("one.db"))
            .create_if_missing(true);
        let pool = recovering(SqlitePoolOptions::new()).max_connections(1);
        let pool = pool.connect_with(options).await.unwrap();
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        // As it does where it cannot write.
        sqlx::raw_sql("ROLLBACK")
            .execute(&mut *transaction)
            .await
            .unwrap();
        drop(transaction);
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::raw_sql("CREATE TABLE kept (n INTEGER)")
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }
}
