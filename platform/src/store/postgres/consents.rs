use async_trait::async_trait;
use kit::postgres::Timestamp;
use schemas::ids::Slug;
use sqlx::FromRow;

use super::{PostgresStore, at, hash, retried, signed, unsigned};
use crate::store::Stored;
use crate::store::consents::{ConsentStore, KeptConsent};

#[derive(FromRow)]
struct Row {
    number: i64,
    hash: Vec<u8>,
    bytes: Vec<u8>,
    received: Timestamp,
}

#[async_trait]
impl ConsentStore for PostgresStore {
    async fn add_consent(&self, document: &KeptConsent) -> Stored<bool> {
        let added: Option<(i64,)> = retried(|| async {
            Ok(sqlx::query_as(
                "INSERT INTO consents (supplier, bank, number, hash, bytes, received)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (supplier, bank, number) DO NOTHING RETURNING number",
            )
            .bind(document.supplier.as_str())
            .bind(document.bank.as_str())
            .bind(signed(document.number))
            .bind(&document.hash.0[..])
            .bind(&document.bytes)
            .bind(at(document.received))
            .fetch_optional(&self.pool)
            .await?)
        })
        .await?;
        Ok(added.is_some())
    }

    async fn consents(&self, supplier: &Slug, bank: &Slug) -> Stored<Vec<KeptConsent>> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT number, hash, bytes, received FROM consents
             WHERE supplier = $1 AND bank = $2 ORDER BY number",
        )
        .bind(supplier.as_str())
        .bind(bank.as_str())
        .fetch_all(&self.pool)
        .await?;
        let kept = |row: Row| {
            Ok(KeptConsent {
                supplier: supplier.clone(),
                bank: bank.clone(),
                number: unsigned(row.number)?,
                hash: hash(&row.hash)?,
                bytes: row.bytes,
                received: row.received.0,
            })
        };
        rows.into_iter().map(kept).collect()
    }
}
