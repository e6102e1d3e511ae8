use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use kit::postgres::Timestamp;
use schemas::hash::Hash;
use schemas::ids::Slug;
use sqlx::FromRow;

use super::ingest::Writing;
use super::{PostgresStore, at, column, hash, retried, signed, texts, unsigned};
use crate::store::convert::slug;
use crate::store::erasure::{
    ArchivedEvent, ErasedEvent, ErasureStore, KeptDisclosure, LoggedList, TOMBSTONES, Unlogged,
};
use crate::store::{Append, NewStatement, StoreError, Stored};

/// Leaves or places of one statement: 32 bytes each.
const MANY: usize = 16_384;

#[derive(FromRow)]
struct ErasedRow {
    statement: Vec<u8>,
    position: i64,
    leaf: Vec<u8>,
    reason: String,
    made: Timestamp,
}

impl ErasedRow {
    fn erased(self) -> Stored<ErasedEvent> {
        Ok(ErasedEvent {
            statement: hash(&self.statement)?,
            position: unsigned(self.position)?,
            leaf: hash(&self.leaf)?,
            reason: self.reason,
            made: self.made.0,
        })
    }
}

#[derive(FromRow)]
struct DisclosureRow {
    organisation: String,
    version: i64,
    hash: Vec<u8>,
    bytes: Vec<u8>,
    received: Timestamp,
}

impl DisclosureRow {
    fn kept(self) -> Stored<KeptDisclosure> {
        Ok(KeptDisclosure {
            organisation: slug(&self.organisation)?,
            version: unsigned(self.version)?,
            hash: hash(&self.hash)?,
            bytes: self.bytes,
            received: self.received.0,
        })
    }
}

#[async_trait]
impl ErasureStore for PostgresStore {
    async fn unlogged(&self) -> Stored<Vec<Unlogged>> {
        let lists: Vec<(Vec<u8>, i64)> = sqlx::query_as(
            "SELECT t.hash, t.count FROM tombstone_lists t
             WHERE NOT EXISTS (SELECT 1 FROM logged_documents l
                               WHERE l.kind = 'tombstones' AND l.hash = t.hash)
             ORDER BY t.made, t.hash",
        )
        .fetch_all(&self.pool)
        .await?;
        let documents: Vec<(Vec<u8>, i64)> = sqlx::query_as(
            "SELECT d.hash, 1::bigint FROM disclosures d
             WHERE NOT EXISTS (SELECT 1 FROM logged_documents l
                               WHERE l.kind = 'disclosure' AND l.hash = d.hash)
             ORDER BY d.received, d.organisation, d.version",
        )
        .fetch_all(&self.pool)
        .await?;
        let consents: Vec<(Vec<u8>, i64)> = sqlx::query_as(
            "SELECT c.hash, 1::bigint FROM consents c
             WHERE NOT EXISTS (SELECT 1 FROM logged_documents l
                               WHERE l.kind = 'consent' AND l.hash = c.hash)
             ORDER BY c.received, c.supplier, c.bank, c.number",
        )
        .fetch_all(&self.pool)
        .await?;
        let handed: Vec<(Vec<u8>, String)> = sqlx::query_as(
            "SELECT h.hash, h.kind FROM handed_documents h
             WHERE NOT EXISTS (SELECT 1 FROM logged_documents l
                               WHERE l.kind = h.kind AND l.hash = h.hash)
             ORDER BY h.received, h.hash",
        )
        .fetch_all(&self.pool)
        .await?;
        let archives: Vec<(Vec<u8>, i64)> = sqlx::query_as(
            "SELECT a.hash, 1::bigint FROM archives a
             WHERE NOT EXISTS (SELECT 1 FROM logged_documents l
                               WHERE l.kind = 'archive' AND l.hash = a.hash)
             ORDER BY a.made, a.hash",
        )
        .fetch_all(&self.pool)
        .await?;
        let of = |kind| {
            move |(bytes, count): (Vec<u8>, i64)| {
                let (hash, count) = (hash(&bytes)?, unsigned(count)?);
                Ok(Unlogged { kind, hash, count })
            }
        };
        let lists = lists.into_iter().map(of(TOMBSTONES));
        let documents = documents.into_iter().map(of(schemas::disclosure::KIND));
        let consents = consents.into_iter().map(of(schemas::consent::KIND));
        let archives = archives.into_iter().map(of(crate::archive::KIND));
        let handed = handed.into_iter().map(|(bytes, kind)| {
            let (hash, kind) = (hash(&bytes)?, crate::handed::kind(&kind));
            let kind = kind.ok_or(StoreError::Corrupt("kind"))?;
            Ok(Unlogged {
                kind,
                hash,
                count: 1,
            })
        });
        let signed = documents.chain(consents).chain(handed);
        lists.chain(signed).chain(archives).collect()
    }

    async fn tombstone_list(&self, hash: &Hash) -> Stored<Option<Vec<u8>>> {
        let row: Option<(Vec<u8>,)> =
            sqlx::query_as("SELECT bytes FROM tombstone_lists WHERE hash = $1")
                .bind(&hash.0[..])
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(bytes,)| bytes))
    }

    async fn tombstone_lists(&self) -> Stored<Vec<LoggedList>> {
        let rows: Vec<(Vec<u8>, i64, i64)> = sqlx::query_as(
            "SELECT t.hash, t.count, l.log_index
             FROM tombstone_lists t JOIN logged_documents l ON l.hash = t.hash
             WHERE l.kind = 'tombstones' ORDER BY l.log_index",
        )
        .fetch_all(&self.pool)
        .await?;
        let list = |(bytes, count, index): (Vec<u8>, i64, i64)| {
            Ok(LoggedList {
                hash: hash(&bytes)?,
                count: unsigned(count)?,
                log_index: unsigned(index)?,
            })
        };
        rows.into_iter().map(list).collect()
    }

    async fn tombstone_entries(&self) -> Stored<Vec<(u64, Vec<u8>)>> {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT position, bytes FROM log_entries
             WHERE substring(bytes from 1 for 1) = '\\x04'::bytea ORDER BY position",
        )
        .fetch_all(&self.pool)
        .await?;
        let entry = |(position, bytes)| Ok((unsigned(position)?, bytes));
        rows.into_iter().map(entry).collect()
    }

    async fn returned(&self) -> Stored<u64> {
        let places: Vec<(Vec<u8>, i64)> =
            sqlx::query_as("SELECT DISTINCT statement, position FROM tombstones")
                .fetch_all(&self.pool)
                .await?;
        let mut rows = 0;
        for part in places.chunks(MANY) {
            rows += self.content_at(part).await?;
        }
        Ok(rows)
    }

    async fn erased_of_items(&self, items: &[String], limit: u32) -> Stored<Vec<ErasedEvent>> {
        let rows: Vec<ErasedRow> = sqlx::query_as(
            "SELECT statement, position, leaf, reason, made FROM erased_items
             WHERE item = ANY($1) ORDER BY item, statement, position LIMIT $2",
        )
        .bind(texts(items))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(ErasedRow::erased).collect()
    }

    async fn archived_of_items(&self, items: &[String], limit: u32) -> Stored<Vec<ArchivedEvent>> {
        let rows: Vec<(Vec<u8>, i64, Vec<u8>, String)> = sqlx::query_as(
            "SELECT statement, position, leaf, month FROM archived_items
             WHERE item = ANY($1) ORDER BY item, statement, position LIMIT $2",
        )
        .bind(texts(items))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let event = |(statement, position, leaf, month): (Vec<u8>, i64, Vec<u8>, String)| {
            Ok(ArchivedEvent {
                statement: hash(&statement)?,
                position: unsigned(position)?,
                leaf: hash(&leaf)?,
                month,
            })
        };
        rows.into_iter().map(event).collect()
    }

    async fn add_disclosure(&self, document: &KeptDisclosure) -> Stored<bool> {
        let added: Option<(i64,)> = retried(|| async {
            Ok(sqlx::query_as(
                "INSERT INTO disclosures (organisation, version, hash, bytes, received)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (organisation, version) DO NOTHING RETURNING version",
            )
            .bind(document.organisation.as_str())
            .bind(signed(document.version))
            .bind(&document.hash.0[..])
            .bind(&document.bytes)
            .bind(at(document.received))
            .fetch_optional(&self.pool)
            .await?)
        })
        .await?;
        Ok(added.is_some())
    }

    async fn disclosure(
        &self,
        organisation: &Slug,
        version: Option<u64>,
    ) -> Stored<Option<KeptDisclosure>> {
        let row: Option<DisclosureRow> = sqlx::query_as(
            "SELECT organisation, version, hash, bytes, received FROM disclosures
             WHERE organisation = $1 AND ($2::bigint IS NULL OR version = $2)
             ORDER BY version DESC LIMIT 1",
        )
        .bind(organisation.as_str())
        .bind(version.map(signed))
        .fetch_optional(&self.pool)
        .await?;
        row.map(DisclosureRow::kept).transpose()
    }

    async fn newest_disclosures(&self) -> Stored<Vec<KeptDisclosure>> {
        let rows: Vec<DisclosureRow> = sqlx::query_as(
            "SELECT organisation, version, hash, bytes, received FROM disclosures d
             WHERE version = (SELECT max(version) FROM disclosures n
                              WHERE n.organisation = d.organisation)
             ORDER BY organisation",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(DisclosureRow::kept).collect()
    }

    async fn declarers(&self, statements: &[Hash]) -> Stored<BTreeMap<Hash, Slug>> {
        let rows: Vec<(Vec<u8>, String)> = sqlx::query_as(
            "SELECT statement, organisation FROM capture_statements WHERE statement = ANY($1)",
        )
        .bind(column(statements, |id| &id.0[..]))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|(id, organisation)| Ok((hash(id)?, slug(organisation)?)))
            .collect()
    }
}

impl PostgresStore {
    /// Rows of content at these places. What names things is not spread by statement and is walked
    /// whole.
    async fn content_at(&self, places: &[(Vec<u8>, i64)]) -> Stored<u64> {
        let statements = column(places, |(id, _)| &id[..]);
        let positions = column(places, |(_, position)| *position);
        let mut rows = 0;
        for sql in [
            "SELECT count(*) FROM unnest($1::bytea[], $2::bigint[]) AS n (statement, position)
             JOIN event_contents c ON c.statement = n.statement AND c.position = n.position",
            "SELECT count(*) FROM unnest($1::bytea[], $2::bigint[]) AS n (statement, position)
             JOIN event_items i ON i.statement = n.statement AND i.position = n.position",
            "SELECT count(*) FROM unnest($1::bytea[], $2::bigint[]) AS n (statement, position)
             JOIN archived_items a ON a.statement = n.statement AND a.position = n.position",
            "SELECT count(*) FROM unnest($1::bytea[], $2::bigint[]) AS n (statement, position)
             JOIN capture_events e ON e.statement = n.statement AND e.position = n.position",
        ] {
            let (count,): (i64,) = sqlx::query_as(sql)
                .bind(&statements)
                .bind(&positions)
                .fetch_one(&self.pool)
                .await?;
            rows += unsigned(count)?;
        }
        Ok(rows)
    }
}

/// Leaves of the statements that were erased. Asked after the content was inserted, in the same
/// transaction: an eraser that commits its tombstones later waits for this transaction before it
/// removes content, and one that did so before is seen here (`crate::erase`).
pub(super) async fn erased_among(
    transaction: &mut Writing<'_>,
    statements: &[NewStatement],
) -> Stored<BTreeSet<Hash>> {
    let any: Option<(i64,)> = sqlx::query_as("SELECT 1::bigint FROM tombstones LIMIT 1")
        .fetch_optional(&mut **transaction)
        .await?;
    let mut erased = BTreeSet::new();
    if any.is_none() {
        return Ok(erased);
    }
    let events = statements.iter().flat_map(|statement| &statement.events);
    let leaves: Vec<&[u8]> = events.map(|event| &event.leaf.0[..]).collect();
    for part in leaves.chunks(MANY) {
        let found: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT DISTINCT leaf FROM tombstones WHERE leaf = ANY($1)")
                .bind(part)
                .fetch_all(&mut **transaction)
                .await?;
        for (leaf,) in found {
            erased.insert(hash(&leaf)?);
        }
    }
    Ok(erased)
}

/// That the log has lists and documents, in the transaction that appends their entries.
pub(super) async fn insert_logged(transaction: &mut Writing<'_>, append: &Append) -> Stored<()> {
    for logged in &append.logged {
        sqlx::query("INSERT INTO logged_documents (kind, hash, log_index) VALUES ($1, $2, $3)")
            .bind(logged.kind)
            .bind(&logged.hash.0[..])
            .bind(signed(logged.log_index))
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
