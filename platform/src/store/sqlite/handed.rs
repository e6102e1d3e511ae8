use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::{SqliteStore, instant, unsigned};
use crate::handed;
use crate::store::handed::{HandedDocument, HandedStore};
use crate::store::{StoreError, Stored};

#[async_trait]
impl HandedStore for SqliteStore {
    async fn add_handed(&self, document: &HandedDocument) -> Stored<bool> {
        let added: Option<(Vec<u8>,)> = sqlx::query_as(
            "INSERT INTO handed_documents (hash, kind, reader, received) VALUES ($1, $2, $3, $4)
             ON CONFLICT (hash) DO NOTHING RETURNING hash",
        )
        .bind(document.hash.0.to_vec())
        .bind(document.kind)
        .bind(document.reader.as_str())
        .bind(document.received.to_rfc3339())
        .fetch_optional(&self.writer)
        .await?;
        Ok(added.is_some())
    }

    async fn handed(&self, hash: &Hash) -> Stored<Option<HandedDocument>> {
        let row: Option<(String, String, String)> =
            sqlx::query_as("SELECT kind, reader, received FROM handed_documents WHERE hash = $1")
                .bind(hash.0.to_vec())
                .fetch_optional(&self.reader)
                .await?;
        let kept = |(kind, reader, received): (String, String, String)| {
            Ok(HandedDocument {
                hash: *hash,
                kind: handed::kind(&kind).ok_or(StoreError::Corrupt("kind"))?,
                reader: reader.parse().map_err(|_| StoreError::Corrupt("reader"))?,
                received: instant(&received)?,
            })
        };
        row.map(kept).transpose()
    }

    async fn handed_since(&self, reader: &Slug, behind: Instant) -> Stored<u64> {
        let (count,): (i64,) = sqlx::query_as(
            "SELECT count(*) FROM handed_documents WHERE reader = $1 AND received > $2",
        )
        .bind(reader.as_str())
        .bind(behind.to_rfc3339())
        .fetch_one(&self.reader)
        .await?;
        unsigned(count)
    }
}
