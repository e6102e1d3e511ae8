use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use sqlx::{FromRow, Sqlite, Transaction};

use super::{SqliteStore, hash, instant, json_list, signed, unsigned};
use crate::store::convert::slug;
use crate::store::erasure::{
    ArchivedEvent, ErasedEvent, ErasureStore, KeptDisclosure, LoggedList, TOMBSTONES, Unlogged,
};
use crate::store::{Append, StoreError, Stored};

#[derive(FromRow)]
struct ErasedRow {
    statement: Vec<u8>,
    position: i64,
    leaf: Vec<u8>,
    reason: String,
    made: String,
}

impl ErasedRow {
    fn erased(self) -> Stored<ErasedEvent> {
        Ok(ErasedEvent {
            statement: hash(&self.statement)?,
            position: unsigned(self.position)?,
            leaf: hash(&self.leaf)?,
            made: instant(&self.made)?,
            reason: self.reason,
        })
    }
}

#[derive(FromRow)]
struct DisclosureRow {
    organisation: String,
    version: i64,
    hash: Vec<u8>,
    bytes: Vec<u8>,
    received: String,
}

impl DisclosureRow {
    fn kept(self) -> Stored<KeptDisclosure> {
        Ok(KeptDisclosure {
            organisation: slug(&self.organisation)?,
            version: unsigned(self.version)?,
            hash: hash(&self.hash)?,
            bytes: self.bytes,
            received: instant(&self.received)?,
        })
    }
}

#[async_trait]
impl ErasureStore for SqliteStore {
    async fn unlogged(&self) -> Stored<Vec<Unlogged>> {
        let lists: Vec<(Vec<u8>, i64)> = sqlx::query_as(
            "SELECT t.hash, t.count FROM tombstone_lists t
             WHERE NOT EXISTS (SELECT 1 FROM logged_documents l
                               WHERE l.kind = 'tombstones' AND l.hash = t.hash)
             ORDER BY t.made, t.hash",
        )
        .fetch_all(&self.reader)
        .await?;
        let documents: Vec<(Vec<u8>, i64)> = sqlx::query_as(
            "SELECT d.hash, 1 FROM disclosures d
             WHERE NOT EXISTS (SELECT 1 FROM logged_documents l
                               WHERE l.kind = 'disclosure' AND l.hash = d.hash)
             ORDER BY d.received, d.organisation, d.version",
        )
        .fetch_all(&self.reader)
        .await?;
        let consents: Vec<(Vec<u8>, i64)> = sqlx::query_as(
            "SELECT c.hash, 1 FROM consents c
             WHERE NOT EXISTS (SELECT 1 FROM logged_documents l
                               WHERE l.kind = 'consent' AND l.hash = c.hash)
             ORDER BY c.received, c.supplier, c.bank, c.number",
        )
        .fetch_all(&self.reader)
        .await?;
        let handed: Vec<(Vec<u8>, String)> = sqlx::query_as(
            "SELECT h.hash, h.kind FROM handed_documents h
             WHERE NOT EXISTS (SELECT 1 FROM logged_documents l
                               WHERE l.kind = h.kind AND l.hash = h.hash)
             ORDER BY h.received, h.hash",
        )
        .fetch_all(&self.reader)
        .await?;
        let archives: Vec<(Vec<u8>, i64)> = sqlx::query_as(
            "SELECT a.hash, 1 FROM archives a
             WHERE NOT EXISTS (SELECT 1 FROM logged_documents l
                               WHERE l.kind = 'archive' AND l.hash = a.hash)
             ORDER BY a.made, a.hash",
        )
        .fetch_all(&self.reader)
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
                .bind(hash.0.to_vec())
                .fetch_optional(&self.reader)
                .await?;
        Ok(row.map(|(bytes,)| bytes))
    }

    async fn tombstone_lists(&self) -> Stored<Vec<LoggedList>> {
        let rows: Vec<(Vec<u8>, i64, i64)> = sqlx::query_as(
            "SELECT t.hash, t.count, l.log_index
             FROM tombstone_lists t JOIN logged_documents l ON l.hash = t.hash
             WHERE l.kind = 'tombstones' ORDER BY l.log_index",
        )
        .fetch_all(&self.reader)
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
             WHERE substr(bytes, 1, 1) = x'04' ORDER BY position",
        )
        .fetch_all(&self.reader)
        .await?;
        let entry = |(position, bytes)| Ok((unsigned(position)?, bytes));
        rows.into_iter().map(entry).collect()
    }

    async fn returned(&self) -> Stored<u64> {
        // Each content table is walked along its tombstones or, without an index by place, whole;
        // without any tombstone nothing is.
        let (count,): (i64,) = sqlx::query_as(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM tombstones) THEN
               (SELECT count(*) FROM tombstones t JOIN event_contents c
                  ON c.statement = t.statement AND c.position = t.position)
               + (SELECT count(*) FROM event_items i JOIN tombstones t
                  ON t.statement = i.statement AND t.position = i.position)
               + (SELECT count(*) FROM archived_items a JOIN tombstones t
                  ON t.statement = a.statement AND t.position = a.position)
               + (SELECT count(*) FROM capture_events e JOIN tombstones t
                  ON t.statement = e.statement AND t.position = e.position)
             ELSE 0 END",
        )
        .fetch_one(&self.reader)
        .await?;
        unsigned(count)
    }

    async fn erased_of_items(&self, items: &[String], limit: u32) -> Stored<Vec<ErasedEvent>> {
        let rows: Vec<ErasedRow> = sqlx::query_as(
            "SELECT statement, position, leaf, reason, made FROM erased_items
             WHERE item IN (SELECT value FROM json_each($1))
             ORDER BY item, statement, position LIMIT $2",
        )
        .bind(json_list(items))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(ErasedRow::erased).collect()
    }

    async fn archived_of_items(&self, items: &[String], limit: u32) -> Stored<Vec<ArchivedEvent>> {
        let rows: Vec<(Vec<u8>, i64, Vec<u8>, String)> = sqlx::query_as(
            "SELECT statement, position, leaf, month FROM archived_items
             WHERE item IN (SELECT value FROM json_each($1))
             ORDER BY item, statement, position LIMIT $2",
        )
        .bind(json_list(items))
        .bind(limit)
        .fetch_all(&self.reader)
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
        let added: Option<(i64,)> = sqlx::query_as(
            "INSERT INTO disclosures (organisation, version, hash, bytes, received)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (organisation, version) DO NOTHING RETURNING version",
        )
        .bind(document.organisation.as_str())
        .bind(signed(document.version))
        .bind(document.hash.0.to_vec())
        .bind(&document.bytes)
        .bind(document.received.to_rfc3339())
        .fetch_optional(&self.writer)
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
             WHERE organisation = $1 AND ($2 IS NULL OR version = $2)
             ORDER BY version DESC LIMIT 1",
        )
        .bind(organisation.as_str())
        .bind(version.map(signed))
        .fetch_optional(&self.reader)
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
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(DisclosureRow::kept).collect()
    }

    async fn declarers(&self, statements: &[Hash]) -> Stored<BTreeMap<Hash, Slug>> {
        let mut found = BTreeMap::new();
        for id in statements {
            let row: Option<(String,)> =
                sqlx::query_as("SELECT organisation FROM capture_statements WHERE statement = $1")
                    .bind(id.0.to_vec())
                    .fetch_optional(&self.reader)
                    .await?;
            if let Some((organisation,)) = row {
                found.insert(*id, slug(&organisation)?);
            }
        }
        Ok(found)
    }
}

/// That the log has lists and documents, in the transaction that appends their entries.
pub(super) async fn insert_logged(
    transaction: &mut Transaction<'_, Sqlite>,
    append: &Append,
) -> Stored<()> {
    for logged in &append.logged {
        sqlx::query("INSERT INTO logged_documents (kind, hash, log_index) VALUES ($1, $2, $3)")
            .bind(logged.kind)
            .bind(logged.hash.0.to_vec())
            .bind(signed(logged.log_index))
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
