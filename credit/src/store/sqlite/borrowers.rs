//! Borrowers' accounts and what their suppliers were decided on.

use async_trait::async_trait;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::Row as _;

use super::{Sqlite, json};
use crate::loan::Decision;
use crate::store::StoreError;
use crate::store::borrowers::{Borrowers, OF_SUPPLIER_MAX, supplier as kept};

#[async_trait]
impl Borrowers for Sqlite {
    async fn bind_borrower(
        &self,
        organisation: &Slug,
        name: &Slug,
        supplier: &Slug,
        at: Instant,
    ) -> Result<Slug, StoreError> {
        sqlx::query(
            "INSERT INTO borrower_accounts (organisation, name, supplier, bound_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT (organisation, name) DO NOTHING",
        )
        .bind(organisation.as_str())
        .bind(name.as_str())
        .bind(supplier.as_str())
        .bind(at.to_rfc3339())
        .execute(&self.pool)
        .await?;
        let bound = self.supplier_of(organisation, name).await?;
        bound.ok_or(StoreError::Row {
            what: "borrower's account",
        })
    }

    async fn supplier_of(
        &self,
        organisation: &Slug,
        name: &Slug,
    ) -> Result<Option<Slug>, StoreError> {
        let row: Option<(String,)> = sqlx::query_as(
            "SELECT supplier FROM borrower_accounts WHERE organisation = $1 AND name = $2",
        )
        .bind(organisation.as_str())
        .bind(name.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|(supplier,)| kept(&supplier)).transpose()
    }

    async fn decisions_of(&self, supplier: &Slug, take: u32) -> Result<Vec<Decision>, StoreError> {
        let rows = sqlx::query(
            "SELECT decision FROM decisions WHERE supplier = $1
             ORDER BY decided_at DESC, decision_id DESC LIMIT $2",
        )
        .bind(supplier.as_str())
        .bind(take.min(OF_SUPPLIER_MAX))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| json(&row.try_get::<Vec<u8>, _>("decision")?))
            .collect()
    }
}
