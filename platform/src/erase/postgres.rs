//! The eraser on PostgreSQL: a role of its own, two transactions.
//!
//! The first commits the tombstones. The second waits for every write of content that is under way
//! (a lock on the table of contents that only writers meet) and removes what there is: whoever
//! wrote before its tombstone was visible has ended by then, and whoever writes afterwards sees the
//! tombstone (`erased_among` in the store).

mod copies;

use std::collections::BTreeSet;

use async_trait::async_trait;
use kit::postgres::{DatabaseUrl, Timestamp, text};
use schemas::event::Salt;
use schemas::hash::Hash;
use schemas::tombstone::TombstoneList;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres, Transaction};

use super::{Eraser, NewList, Place, Removed, What};
use crate::archive::{NewArchive, Part, Tombstones, postgres as archives};
use crate::store::convert::{hash, unsigned};
use crate::store::{Month, StoreError, Stored};
use copies::{remove_documents, remove_messages};

/// What the eraser's role may do: read what leads to an event, remove content, add tombstones.
pub const GRANTS: [(&str, &[&str]); 18] = [
    ("statements", &["SELECT"]),
    ("event_leaves", &["SELECT"]),
    ("event_contents", &["SELECT", "DELETE"]),
    ("event_items", &["SELECT", "DELETE"]),
    ("capture_documents", &["SELECT", "DELETE"]),
    ("captures", &["SELECT", "DELETE"]),
    ("capture_events", &["SELECT", "DELETE"]),
    ("quarantine", &["SELECT", "DELETE"]),
    ("scans", &["SELECT", "DELETE"]),
    ("unknown_scans", &["SELECT", "DELETE"]),
    ("erased_items", &["SELECT", "INSERT", "DELETE"]),
    ("erased_messages", &["SELECT", "INSERT"]),
    ("tombstones", &["SELECT", "INSERT"]),
    ("tombstone_lists", &["SELECT", "INSERT"]),
    ("logged_documents", &["SELECT", "INSERT"]),
    ("log_entries", &["SELECT"]),
    ("archives", &["SELECT", "INSERT"]),
    ("archived_items", &["SELECT", "DELETE"]),
];

/// What the owner of the tables writes anew afterwards (`VACUUM (FULL)`), so that no page of before
/// is left in their files.
const CLEANED: [&str; 10] = [
    "event_contents",
    "event_items",
    "capture_documents",
    "captures",
    "capture_events",
    "quarantine",
    "scans",
    "unknown_scans",
    "erased_items",
    "archived_items",
];

/// An eraser in a PostgreSQL database.
pub struct PostgresEraser {
    connection: PgConnection,
    owner: Option<DatabaseUrl>,
    name: String,
}

impl PostgresEraser {
    /// Enters the database as the eraser's role. With the owner's address the tables are written
    /// anew after each erasure.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be entered.
    pub async fn open(url: &DatabaseUrl, owner: Option<&DatabaseUrl>) -> Stored<Self> {
        Ok(Self {
            connection: kit::postgres::connect_once(url).await?,
            owner: owner.cloned(),
            name: url.user().to_owned(),
        })
    }
}

type Writing<'t> = Transaction<'t, Postgres>;

/// Leaf, statement and place of an event.
type Row = (Vec<u8>, Vec<u8>, i64);

fn place((leaf, statement, position): Row) -> Stored<Place> {
    Ok(Place {
        leaf: hash(&leaf)?,
        statement: hash(&statement)?,
        position: unsigned(position)?,
    })
}

fn bytes<'h>(hashes: impl IntoIterator<Item = &'h Hash>) -> Vec<&'h [u8]> {
    hashes.into_iter().map(|hash| &hash.0[..]).collect()
}

#[async_trait]
impl Eraser for PostgresEraser {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&mut self, what: &What) -> Stored<Vec<Place>> {
        let rows: Vec<Row> = match what {
            What::Leaves(leaves) => {
                sqlx::query_as(
                    "SELECT leaf, statement, position FROM event_leaves WHERE leaf = ANY($1)",
                )
                .bind(bytes(leaves))
                .fetch_all(&mut self.connection)
                .await?
            }
            What::Item(item) => find_item(&mut self.connection, item.as_str()).await?,
            What::Device { device, from, to } => {
                sqlx::query_as(
                    "SELECT l.leaf, l.statement, l.position FROM statements s
                     JOIN event_leaves l ON l.statement = s.id
                     JOIN event_contents c
                       ON c.statement = l.statement AND c.position = l.position
                     WHERE s.device = $1
                       AND coalesce(c.event_time, s.received) BETWEEN $2 AND $3",
                )
                .bind(device.to_string())
                .bind(Timestamp(*from))
                .bind(Timestamp(*to))
                .fetch_all(&mut self.connection)
                .await?
            }
        };
        rows.into_iter().map(place).collect()
    }

    async fn erased(&mut self, leaves: &BTreeSet<Hash>) -> Stored<BTreeSet<Hash>> {
        let found: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT DISTINCT leaf FROM tombstones WHERE leaf = ANY($1)")
                .bind(bytes(leaves))
                .fetch_all(&mut self.connection)
                .await?;
        found.iter().map(|(leaf,)| hash(leaf)).collect()
    }

    async fn apply(&mut self, list: &NewList, spellings: &[String]) -> Stored<Removed> {
        let mut first = self.connection.begin().await?;
        keep_list(&mut first, list).await?;
        Gone::find(&mut first, list).await?;
        first.commit().await?;

        let mut second = self.connection.begin().await?;
        sqlx::query("LOCK TABLE event_contents IN SHARE ROW EXCLUSIVE MODE")
            .execute(&mut *second)
            .await?;
        let gone = Gone::find(&mut second, list).await?;
        let removed = Removed {
            messages: remove_messages(&mut second, &gone, spellings).await?,
            documents: remove_documents(&mut second, &gone, spellings).await?,
            items: remove_items(&mut second, &gone, &list.list).await?,
            events: gone.delete(&mut second, CONTENTS).await?,
        };
        second.commit().await?;
        Ok(removed)
    }

    async fn tombstones(&mut self) -> Stored<Tombstones> {
        archives::tombstones(&mut self.connection).await
    }

    async fn archives(&mut self) -> Stored<BTreeSet<Part>> {
        archives::archives(&mut self.connection).await
    }

    async fn add_archive(&mut self, archive: &NewArchive) -> Stored<()> {
        archives::add(&mut self.connection, archive).await
    }

    async fn months(&mut self, statements: &BTreeSet<Hash>) -> Stored<BTreeSet<Month>> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT DISTINCT to_char(coalesce(made, received), 'YYYY-MM') FROM statements
             WHERE id = ANY($1)",
        )
        .bind(bytes(statements))
        .fetch_all(&mut self.connection)
        .await?;
        let month = |(text,): &(String,)| text.parse().map_err(|_| StoreError::Corrupt("month"));
        rows.iter().map(month).collect()
    }

    async fn clean(&mut self) -> Stored<String> {
        let left = "The server's write-ahead log, its archive, standbys and backups hold what they \
                    held: CHECKPOINT, let archived segments and base backups of before expire, and \
                    restore them only under this platform, which erases again at its start";
        let Some(owner) = &self.owner else {
            return Ok(format!(
                "rows are removed; until the owner of the tables has run `VACUUM (FULL) {}` their \
                 bytes may stay in the tables' files (set DATABASE_OWNER_URL and this program does \
                 it). {left}",
                CLEANED.join(", ")
            ));
        };
        let mut connection = kit::postgres::connect_once(owner).await?;
        for table in CLEANED {
            sqlx::raw_sql(AssertSqlSafe(format!("VACUUM (FULL) {table}")))
                .execute(&mut connection)
                .await?;
        }
        connection.close().await?;
        Ok(format!("the tables were written anew. {left}"))
    }
}

/// Accepted events by the items that they name, refused ones by their bytes.
async fn find_item(connection: &mut PgConnection, item: &str) -> Stored<Vec<Row>> {
    let named: Vec<(Vec<u8>, i64)> =
        sqlx::query_as("SELECT DISTINCT statement, position FROM event_items WHERE item = $1")
            .bind(text(item))
            .fetch_all(&mut *connection)
            .await?;
    let (statements, positions): (Vec<Vec<u8>>, Vec<i64>) = named.into_iter().unzip();
    let mut rows: Vec<Row> = sqlx::query_as(
        "SELECT l.leaf, l.statement, l.position
         FROM unnest($1::bytea[], $2::bigint[]) AS n (statement, position)
         JOIN event_leaves l ON l.statement = n.statement AND l.position = n.position",
    )
    .bind(statements)
    .bind(positions)
    .fetch_all(&mut *connection)
    .await?;
    let refused: Vec<Row> = sqlx::query_as(
        "SELECT l.leaf, l.statement, l.position FROM event_leaves l
         JOIN event_contents c ON c.statement = l.statement AND c.position = l.position
         WHERE l.refused IS NOT NULL AND position($1::bytea IN c.bytes) > 0",
    )
    .bind(item.as_bytes())
    .fetch_all(connection)
    .await?;
    rows.extend(refused);
    Ok(rows)
}

async fn keep_list(transaction: &mut Writing<'_>, list: &NewList) -> Stored<()> {
    let count = i64::try_from(list.list.leaves.len()).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO tombstone_lists (hash, bytes, count, made) VALUES ($1, $2, $3, $4)
         ON CONFLICT (hash) DO NOTHING",
    )
    .bind(&list.hash.0[..])
    .bind(&list.bytes)
    .bind(count)
    .bind(Timestamp(list.list.made))
    .execute(&mut **transaction)
    .await?;
    if let Some(index) = list.log_index {
        sqlx::query(
            "INSERT INTO logged_documents (kind, hash, log_index) VALUES ('tombstones', $1, $2)
             ON CONFLICT (kind, hash) DO NOTHING",
        )
        .bind(&list.hash.0[..])
        .bind(i64::try_from(index).unwrap_or(i64::MAX))
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// Where the events stand that are to go.
struct Gone {
    leaves: Vec<Vec<u8>>,
    statements: Vec<Vec<u8>>,
    positions: Vec<i64>,
}

const CONTENTS: &str = "DELETE FROM event_contents c
     USING unnest($1::bytea[], $2::bigint[]) AS n (statement, position)
     WHERE c.statement = n.statement AND c.position = n.position";
const ITEMS: &str = "DELETE FROM event_items i
     USING unnest($1::bytea[], $2::bigint[]) AS n (statement, position)
     WHERE i.statement = n.statement AND i.position = n.position";
const ARCHIVED_ITEMS: &str = "DELETE FROM archived_items a
     USING unnest($1::bytea[], $2::bigint[]) AS n (statement, position)
     WHERE a.statement = n.statement AND a.position = n.position";
const CAPTURED: &str = "DELETE FROM capture_events e
     USING unnest($1::bytea[], $2::bigint[]) AS n (statement, position)
     WHERE e.statement = n.statement AND e.position = n.position";

impl Gone {
    /// Finds them and keeps a tombstone for each.
    async fn find(transaction: &mut Writing<'_>, list: &NewList) -> Stored<Self> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT leaf, statement, position FROM event_leaves WHERE leaf = ANY($1)",
        )
        .bind(bytes(&list.list.leaves))
        .fetch_all(&mut **transaction)
        .await?;
        let mut gone = Self {
            leaves: Vec::new(),
            statements: Vec::new(),
            positions: Vec::new(),
        };
        for (leaf, statement, position) in rows {
            gone.leaves.push(leaf);
            gone.statements.push(statement);
            gone.positions.push(position);
        }
        sqlx::query(
            "INSERT INTO tombstones (leaf, statement, position, list)
             SELECT n.leaf, n.statement, n.position, $4
             FROM unnest($1::bytea[], $2::bytea[], $3::bigint[]) AS n (leaf, statement, position)
             ON CONFLICT (leaf, statement, position) DO NOTHING",
        )
        .bind(&gone.leaves)
        .bind(&gone.statements)
        .bind(&gone.positions)
        .bind(&list.hash.0[..])
        .execute(&mut **transaction)
        .await?;
        Ok(gone)
    }

    async fn delete(&self, transaction: &mut Writing<'_>, sql: &'static str) -> Stored<u64> {
        let done = sqlx::query(sql)
            .bind(&self.statements)
            .bind(&self.positions)
            .execute(&mut **transaction)
            .await?;
        Ok(done.rows_affected())
    }

    async fn salts(&self, transaction: &mut Writing<'_>) -> Stored<BTreeSet<[u8; 16]>> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT c.salt FROM unnest($1::bytea[], $2::bigint[]) AS n (statement, position)
             JOIN event_contents c ON c.statement = n.statement AND c.position = n.position",
        )
        .bind(&self.statements)
        .bind(&self.positions)
        .fetch_all(&mut **transaction)
        .await?;
        let salts = rows.iter().filter_map(|(salt,)| Salt::from_slice(salt));
        Ok(salts.map(|salt| salt.0).collect())
    }
}

/// Items that still have events say that one was erased; of the others nothing is left.
async fn remove_items(
    transaction: &mut Writing<'_>,
    gone: &Gone,
    list: &TombstoneList,
) -> Stored<u64> {
    let named: Vec<(String, Vec<u8>, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT DISTINCT i.item, i.statement, i.position, n.leaf
         FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) AS n (statement, position, leaf)
         JOIN event_items i ON i.statement = n.statement AND i.position = n.position
         UNION
         SELECT a.item, a.statement, a.position, n.leaf
         FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) AS n (statement, position, leaf)
         JOIN archived_items a ON a.statement = n.statement AND a.position = n.position",
    )
    .bind(&gone.statements)
    .bind(&gone.positions)
    .bind(&gone.leaves)
    .fetch_all(&mut **transaction)
    .await?;
    let removed = gone.delete(transaction, ITEMS).await?;
    gone.delete(transaction, ARCHIVED_ITEMS).await?;
    let items: BTreeSet<&str> = named.iter().map(|(item, ..)| item.as_str()).collect();
    let items: Vec<&str> = items.into_iter().collect();
    let kept: Vec<(String,)> = sqlx::query_as(
        "SELECT item FROM event_items WHERE item = ANY($1)
             UNION SELECT item FROM archived_items WHERE item = ANY($1)",
    )
    .bind(&items)
    .fetch_all(&mut **transaction)
    .await?;
    let kept: BTreeSet<&str> = kept.iter().map(|(item,)| item.as_str()).collect();
    let ended: Vec<&str> = items
        .iter()
        .copied()
        .filter(|item| !kept.contains(item))
        .collect();
    for sql in [
        "DELETE FROM scans WHERE item = ANY($1)",
        "DELETE FROM unknown_scans WHERE item = ANY($1)",
        "DELETE FROM erased_items WHERE item = ANY($1)",
    ] {
        sqlx::query(sql)
            .bind(&ended)
            .execute(&mut **transaction)
            .await?;
    }
    let marked = named
        .iter()
        .filter(|(item, ..)| kept.contains(item.as_str()));
    for (item, statement, position, leaf) in marked {
        sqlx::query(
            "INSERT INTO erased_items (item, statement, position, leaf, reason, made)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (item, statement, position) DO NOTHING",
        )
        .bind(item)
        .bind(statement)
        .bind(position)
        .bind(leaf)
        .bind(&list.reason)
        .bind(Timestamp(list.made))
        .execute(&mut **transaction)
        .await?;
    }
    Ok(removed)
}
