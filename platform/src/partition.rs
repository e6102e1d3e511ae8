//! Monthly partitions of content on PostgreSQL, made by the owner of the tables (decision 0015).
//!
//! Called by `platform migrate`, by `platform archive`, and by a service whose own role owns the
//! tables. Rows whose month has no partition stand in the default one, so nothing is lost where this
//! is not called for a while; it moves them when it makes their partition.

use kit::postgres::DatabaseUrl;
use schemas::time::Instant;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::store::{Month, StoreError, Stored};

/// Tables that are partitioned by month.
pub const TABLES: [&str; 2] = ["event_contents", "event_items"];
/// Months that have a partition before they begin.
pub const AHEAD: u32 = 3;

/// Name of the partition of a table that takes what has none.
#[must_use]
pub fn default_of(table: &str) -> String {
    format!("{table}_default")
}

/// Name of the partition of a table for a month: `event_contents_2026_11`.
#[must_use]
pub fn name_of(table: &str, month: Month) -> String {
    format!("{table}_{}", month.to_string().replace('-', "_"))
}

/// Makes the partitions of this month, of the [`AHEAD`] next ones and of every month that has rows
/// in a default partition, where they are missing; how many were made. Rows are moved in the
/// transaction that makes their partition, and writers wait meanwhile.
///
/// # Errors
/// [`StoreError`]: the role does not own the tables, or somebody uses them for too long. What was
/// made stays, and a repetition goes on.
pub async fn make(owner: &DatabaseUrl, now: Instant) -> Stored<u64> {
    let mut connection = kit::postgres::connect_once(owner).await?;
    let made = make_in(&mut connection, now).await;
    connection.close().await?;
    made
}

/// The same where the role of the service owns the tables; else nothing.
///
/// # Errors
/// [`StoreError`].
pub async fn make_if_owner(service: &DatabaseUrl, now: Instant) -> Stored<u64> {
    let mut connection = kit::postgres::connect_once(service).await?;
    let owns = kit::postgres::is_owner(&mut connection).await;
    let made = match owns.map_err(StoreError::Schema)? {
        true => make_in(&mut connection, now).await,
        false => Ok(0),
    };
    connection.close().await?;
    made
}

async fn make_in(connection: &mut PgConnection, now: Instant) -> Stored<u64> {
    let mut made = 0;
    for table in TABLES {
        let mut wanted = waiting(connection, table).await?;
        let mut month = Month::of(now);
        for _ in 0..=AHEAD {
            wanted.extend(month);
            month = month.map(Month::next);
        }
        wanted.sort_unstable();
        wanted.dedup();
        for month in wanted {
            made += u64::from(make_one(connection, table, month).await?);
        }
    }
    Ok(made)
}

/// Months that have rows in the default partition.
async fn waiting(connection: &mut PgConnection, table: &str) -> Stored<Vec<Month>> {
    let default = default_of(table);
    let rows: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT DISTINCT to_char(made, 'YYYY-MM') FROM {default}"
    )))
    .fetch_all(connection)
    .await?;
    let month = |(text,): &(String,)| text.parse().map_err(|_| StoreError::Corrupt("month"));
    rows.iter().map(month).collect()
}

/// True if the relation is there.
///
/// # Errors
/// The database's.
pub(crate) async fn exists(connection: &mut PgConnection, relation: &str) -> Stored<bool> {
    let (exists,): (bool,) = sqlx::query_as("SELECT to_regclass($1) IS NOT NULL")
        .bind(relation)
        .fetch_one(connection)
        .await?;
    Ok(exists)
}

/// False where it was there.
async fn make_one(connection: &mut PgConnection, table: &str, month: Month) -> Stored<bool> {
    let name = name_of(table, month);
    if exists(connection, &name).await? {
        return Ok(false);
    }
    let mut transaction = connection.begin().await?;
    run(
        &mut transaction,
        format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
    )
    .await?;
    // Somebody else may have made it while this waited.
    if exists(&mut transaction, &name).await? {
        return Ok(false);
    }
    let default = default_of(table);
    let (from, to) = (
        month.first().to_rfc3339(),
        month.next().first().to_rfc3339(),
    );
    let within = format!("made >= '{from}' AND made < '{to}'");
    let (any,): (bool,) = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT EXISTS (SELECT 1 FROM {default} WHERE {within})"
    )))
    .fetch_one(&mut *transaction)
    .await?;
    let range = format!("FOR VALUES FROM ('{from}') TO ('{to}')");
    if any {
        for sql in [
            format!("CREATE TABLE {name} (LIKE {table} INCLUDING CONSTRAINTS)"),
            format!(
                "WITH moved AS (DELETE FROM {default} WHERE {within} RETURNING *)
                 INSERT INTO {name} SELECT * FROM moved"
            ),
            format!("ALTER TABLE {table} ATTACH PARTITION {name} {range}"),
        ] {
            run(&mut transaction, sql).await?;
        }
    } else {
        let sql = format!("CREATE TABLE {name} PARTITION OF {table} {range}");
        run(&mut transaction, sql).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

async fn run(connection: &mut PgConnection, sql: String) -> Stored<()> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await?;
    Ok(())
}
