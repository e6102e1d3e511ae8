//! Attestations, and what was seen of consents.

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::Sqlite;
use crate::evidence::consent::Remembered;
use crate::store::StoreError;
use crate::store::papers::{
    HELD_MAX, HeldPaper, PaperKept, PaperKind, PaperStore, higher, remembered_of, row_of,
};

const BROKEN: StoreError = StoreError::Row {
    what: "attestation",
};

const READ: &str = "SELECT supplier, hash, kind, id, issuer, bytes, received FROM attestations";

#[async_trait]
impl PaperStore for Sqlite {
    async fn hold(&self, paper: &HeldPaper) -> Result<PaperKept, StoreError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query("SELECT count(*) AS held FROM attestations WHERE supplier = $1")
            .bind(paper.supplier.as_str())
            .fetch_one(&mut *transaction)
            .await?;
        let held: i64 = row.try_get("held")?;
        let added = sqlx::query(
            "INSERT INTO attestations (supplier, hash, kind, id, issuer, bytes, received)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (supplier, hash) DO NOTHING RETURNING hash",
        )
        .bind(paper.supplier.as_str())
        .bind(paper.hash.0.to_vec())
        .bind(paper.kind.word())
        .bind(paper.id.0.to_vec())
        .bind(paper.issuer.as_str())
        .bind(&paper.bytes)
        .bind(paper.received.to_rfc3339())
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

    async fn held(&self, supplier: &Slug) -> Result<Vec<HeldPaper>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{READ} WHERE supplier = $1 ORDER BY hash"
        )))
        .bind(supplier.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(paper_of).collect()
    }

    async fn attestation(&self, id: &Hash) -> Result<Option<HeldPaper>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{READ} WHERE id = $1 AND kind = 'attestation' LIMIT 1"
        )))
        .bind(id.0.to_vec())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(paper_of).transpose()
    }

    async fn remembered(&self, supplier: &Slug, bank: &Slug) -> Result<Remembered, StoreError> {
        let mut connection = self.pool.acquire().await?;
        read_mark(&mut connection, supplier, bank).await
    }

    async fn remember(
        &self,
        supplier: &Slug,
        bank: &Slug,
        seen: &Remembered,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let kept = read_mark(&mut transaction, supplier, bank).await?;
        let Some((number, id, at)) = row_of(&higher(kept, *seen)) else {
            return Ok(());
        };
        sqlx::query(
            "INSERT INTO consent_marks (supplier, bank, number, id, seen)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (supplier, bank) DO UPDATE SET number = $3, id = $4, seen = $5",
        )
        .bind(supplier.as_str())
        .bind(bank.as_str())
        .bind(number)
        .bind(id.0.to_vec())
        .bind(at.to_rfc3339())
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }
}

async fn read_mark(
    connection: &mut SqliteConnection,
    supplier: &Slug,
    bank: &Slug,
) -> Result<Remembered, StoreError> {
    let row =
        sqlx::query("SELECT number, id, seen FROM consent_marks WHERE supplier = $1 AND bank = $2")
            .bind(supplier.as_str())
            .bind(bank.as_str())
            .fetch_optional(connection)
            .await?;
    let Some(row) = row else {
        return Ok(Remembered::default());
    };
    let (id, seen): (Vec<u8>, String) = (row.try_get("id")?, row.try_get("seen")?);
    let seen = Instant::parse_rfc3339(&seen).ok_or(BROKEN)?;
    remembered_of(row.try_get("number")?, &id, seen)
}

fn hash_of(row: &SqliteRow, column: &str) -> Result<Hash, StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    Ok(Hash(bytes.try_into().map_err(|_| BROKEN)?))
}

fn slug_of(row: &SqliteRow, column: &str) -> Result<Slug, StoreError> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| BROKEN)
}

fn paper_of(row: &SqliteRow) -> Result<HeldPaper, StoreError> {
    let (kind, received): (String, String) = (row.try_get("kind")?, row.try_get("received")?);
    Ok(HeldPaper {
        supplier: slug_of(row, "supplier")?,
        hash: hash_of(row, "hash")?,
        kind: PaperKind::of(&kind)?,
        id: hash_of(row, "id")?,
        issuer: slug_of(row, "issuer")?,
        bytes: row.try_get("bytes")?,
        received: Instant::parse_rfc3339(&received).ok_or(BROKEN)?,
    })
}
