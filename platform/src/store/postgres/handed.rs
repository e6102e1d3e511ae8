use async_trait::async_trait;
use kit::postgres::Timestamp;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::{PostgresStore, at, retried, unsigned};
use crate::handed;
use crate::store::handed::{HandedDocument, HandedStore};
use crate::store::{StoreError, Stored};

#[async_trait]
impl HandedStore for PostgresStore {
    async fn add_handed(&self, document: &HandedDocument) -> Stored<bool> {
        let added: Option<(Vec<u8>,)> = retried(|| async {
            Ok(sqlx::query_as(
                "INSERT INTO handed_documents (hash, kind, reader, received)
                 VALUES ($1, $2, $3, $4) ON CONFLICT (hash) DO NOTHING RETURNING hash",
            )
            .bind(&document.hash.0[..])
            .bind(document.kind)
            .bind(document.reader.as_str())
            .bind(at(document.received))
            .fetch_optional(&self.pool)
            .await?)
        })
        .await?;
        Ok(added.is_some())
    }

    async fn handed(&self, hash: &Hash) -> Stored<Option<HandedDocument>> {
        let row: Option<(String, String, Timestamp)> =
            sqlx::query_as("SELECT kind, reader, received FROM handed_documents WHERE hash = $1")
                .bind(&hash.0[..])
                .fetch_optional(&self.pool)
                .await?;
        let kept = |(kind, reader, received): (String, String, Timestamp)| {
            Ok(HandedDocument {
                hash: *hash,
                kind: handed::kind(&kind).ok_or(StoreError::Corrupt("kind"))?,
                reader: reader.parse().map_err(|_| StoreError::Corrupt("reader"))?,
                received: received.0,
            })
        };
        row.map(kept).transpose()
    }

    async fn handed_since(&self, reader: &Slug, behind: Instant) -> Stored<u64> {
        let (count,): (i64,) = sqlx::query_as(
            "SELECT count(*) FROM handed_documents WHERE reader = $1 AND received > $2",
        )
        .bind(reader.as_str())
        .bind(at(behind))
        .fetch_one(&self.pool)
        .await?;
        unsigned(count)
    }
}
