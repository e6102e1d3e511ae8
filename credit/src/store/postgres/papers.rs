//! Attestations, and what was seen of consents.

use async_trait::async_trait;
use kit::postgres::Timestamp;
use schemas::hash::Hash;
use schemas::ids::Slug;
use sqlx::FromRow;

use super::{Postgres, at, retried};
use crate::evidence::consent::Remembered;
use crate::store::StoreError;
use crate::store::papers::{
    HELD_MAX, HeldPaper, PaperKept, PaperKind, PaperStore, remembered_of, row_of,
};

const BROKEN: StoreError = StoreError::Row {
    what: "attestation",
};

const READ: &str = "SELECT supplier, hash, kind, id, issuer, bytes, received FROM attestations";

#[derive(FromRow)]
struct Row {
    supplier: String,
    hash: Vec<u8>,
    kind: String,
    id: Vec<u8>,
    issuer: String,
    bytes: Vec<u8>,
    received: Timestamp,
}

impl Row {
    fn paper(self) -> Result<HeldPaper, StoreError> {
        let hash =
            |bytes: Vec<u8>| Ok::<_, StoreError>(Hash(bytes.try_into().map_err(|_| BROKEN)?));
        Ok(HeldPaper {
            supplier: self.supplier.parse().map_err(|_| BROKEN)?,
            hash: hash(self.hash)?,
            kind: PaperKind::of(&self.kind)?,
            id: hash(self.id)?,
            issuer: self.issuer.parse().map_err(|_| BROKEN)?,
            bytes: self.bytes,
            received: self.received.0,
        })
    }
}

#[async_trait]
impl PaperStore for Postgres {
    async fn hold(&self, paper: &HeldPaper) -> Result<PaperKept, StoreError> {
        retried(|| self.hold_once(paper)).await
    }

    async fn held(&self, supplier: &Slug) -> Result<Vec<HeldPaper>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{READ} WHERE supplier = $1 ORDER BY hash"
        )))
        .bind(supplier.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Row::paper).collect()
    }

    async fn attestation(&self, id: &Hash) -> Result<Option<HeldPaper>, StoreError> {
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{READ} WHERE id = $1 AND kind = 'attestation' LIMIT 1"
        )))
        .bind(&id.0[..])
        .fetch_optional(&self.pool)
        .await?;
        row.map(Row::paper).transpose()
    }

    async fn remembered(&self, supplier: &Slug, bank: &Slug) -> Result<Remembered, StoreError> {
        let row: Option<(i64, Vec<u8>, Timestamp)> = sqlx::query_as(
            "SELECT number, id, seen FROM consent_marks WHERE supplier = $1 AND bank = $2",
        )
        .bind(supplier.as_str())
        .bind(bank.as_str())
        .fetch_optional(&self.pool)
        .await?;
        match row {
            Some((number, id, seen)) => remembered_of(number, &id, seen.0),
            None => Ok(Remembered::default()),
        }
    }

    async fn remember(
        &self,
        supplier: &Slug,
        bank: &Slug,
        seen: &Remembered,
    ) -> Result<(), StoreError> {
        let Some((number, id, seen)) = row_of(seen) else {
            return Ok(());
        };
        retried(|| async {
            sqlx::query(
                "INSERT INTO consent_marks AS kept (supplier, bank, number, id, seen)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (supplier, bank) DO UPDATE SET
                   number = greatest(kept.number, excluded.number),
                   id = CASE WHEN excluded.number > kept.number THEN excluded.id ELSE kept.id END,
                   seen = greatest(kept.seen, excluded.seen)",
            )
            .bind(supplier.as_str())
            .bind(bank.as_str())
            .bind(number)
            .bind(&id.0[..])
            .bind(at(seen))
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }
}

impl Postgres {
    async fn hold_once(&self, paper: &HeldPaper) -> Result<PaperKept, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let (held,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM attestations WHERE supplier = $1")
                .bind(paper.supplier.as_str())
                .fetch_one(&mut *transaction)
                .await?;
        let added: Option<(Vec<u8>,)> = sqlx::query_as(
            "INSERT INTO attestations (supplier, hash, kind, id, issuer, bytes, received)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (supplier, hash) DO NOTHING RETURNING hash",
        )
        .bind(paper.supplier.as_str())
        .bind(&paper.hash.0[..])
        .bind(paper.kind.word())
        .bind(&paper.id.0[..])
        .bind(paper.issuer.as_str())
        .bind(&paper.bytes)
        .bind(at(paper.received))
        .fetch_optional(&mut *transaction)
        .await?;
        if added.is_none() {
            return Ok(PaperKept::Before);
        }
        if held >= i64::from(HELD_MAX) {
            return Ok(PaperKept::Full);
        }
        transaction.commit().await?;
        Ok(PaperKept::New)
    }
}
