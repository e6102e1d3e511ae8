use async_trait::async_trait;
use schemas::ids::Slug;
use sqlx::FromRow;

use super::{SqliteStore, hash, instant, signed, unsigned};
use crate::store::Stored;
use crate::store::consents::{ConsentStore, KeptConsent};

#[derive(FromRow)]
struct Row {
    number: i64,
    hash: Vec<u8>,
    bytes: Vec<u8>,
    received: String,
}

#[async_trait]
impl ConsentStore for SqliteStore {
    async fn add_consent(&self, document: &KeptConsent) -> Stored<bool> {
        let added: Option<(i64,)> = sqlx::query_as(
            "INSERT INTO consents (supplier, bank, number, hash, bytes, received)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (supplier, bank, number) DO NOTHING RETURNING number",
        )
        .bind(document.supplier.as_str())
        .bind(document.bank.as_str())
        .bind(signed(document.number))
        .bind(document.hash.0.to_vec())
        .bind(&document.bytes)
        .bind(document.received.to_rfc3339())
        .fetch_optional(&self.writer)
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
        .fetch_all(&self.reader)
        .await?;
        let kept = |row: Row| {
            Ok(KeptConsent {
                supplier: supplier.clone(),
                bank: bank.clone(),
                number: unsigned(row.number)?,
                hash: hash(&row.hash)?,
                bytes: row.bytes,
                received: instant(&row.received)?,
            })
        };
        rows.into_iter().map(kept).collect()
    }
}
