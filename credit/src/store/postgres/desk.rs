//! Rows and files beside decisions.

use std::collections::BTreeMap;

use async_trait::async_trait;
use kit::postgres::{Timestamp, text};
use schemas::hash::Hash;
use schemas::ids::Slug;
use sqlx::{FromRow, PgConnection};

use super::{Postgres, at, json, retried, trail};
use crate::audit::Entry;
use crate::desk::item::Item;
use crate::loan::Decision;
use crate::money::Money;
use crate::store::StoreError;
use crate::store::desk::{DeskStore, TASKS_MAX, body, name, sum, what};

#[async_trait]
impl DeskStore for Postgres {
    async fn add_item(
        &self,
        item: &Item,
        file: Option<&[u8]>,
        entry: &Entry,
    ) -> Result<bool, StoreError> {
        retried(|| async {
            let mut transaction = self.pool.begin().await?;
            if !insert(&mut transaction, item).await? {
                return Ok(false);
            }
            if let (Some(file), Some(sha256)) = (file, item.sha256()) {
                sqlx::query(
                    "INSERT INTO desk_files (decision_id, sha256, content) VALUES ($1, $2, $3)",
                )
                .bind(text(&item.decision_id))
                .bind(sha256.as_bytes().as_slice())
                .bind(file)
                .execute(&mut *transaction)
                .await?;
            }
            trail::append(&mut transaction, entry).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn items(&self, decision_id: &str) -> Result<Vec<Item>, StoreError> {
        let rows: Vec<ItemRow> = sqlx::query_as(
            "SELECT decision_id, key, actor, body, at FROM desk_items
             WHERE decision_id = $1 ORDER BY at, kind, key",
        )
        .bind(text(decision_id))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(ItemRow::item).collect()
    }

    async fn assigned(&self, decision_ids: &[&str]) -> Result<BTreeMap<String, Slug>, StoreError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT i.decision_id, i.person FROM desk_items i
             WHERE i.kind = 'assignment' AND i.person IS NOT NULL AND i.decision_id = ANY($1)
               AND i.key = (SELECT max(n.key) FROM desk_items n
                            WHERE n.decision_id = i.decision_id AND n.kind = 'assignment')",
        )
        .bind(decision_ids)
        .fetch_all(&self.pool)
        .await?;
        let pair = |(id, person): (String, String)| Ok((id, name(&person)?));
        rows.into_iter().map(pair).collect()
    }

    async fn open_tasks(&self, person: &Slug, take: u32) -> Result<Vec<Item>, StoreError> {
        let rows: Vec<ItemRow> = sqlx::query_as(
            "SELECT t.decision_id, t.key, t.actor, t.body, t.at FROM desk_items t
             WHERE t.person = $1 AND t.kind = 'task'
               AND NOT EXISTS (SELECT 1 FROM desk_items d
                               WHERE d.decision_id = t.decision_id AND d.kind = 'done'
                                 AND d.key = t.key)
             ORDER BY t.at, t.decision_id, t.key LIMIT $2",
        )
        .bind(person.as_str())
        .bind(i64::from(take.min(TASKS_MAX)))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(ItemRow::item).collect()
    }

    async fn file(&self, decision_id: &str, sha256: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let row: Option<(Vec<u8>,)> =
            sqlx::query_as("SELECT content FROM desk_files WHERE decision_id = $1 AND sha256 = $2")
                .bind(text(decision_id))
                .bind(sha256.as_bytes().as_slice())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(content,)| content))
    }

    async fn decision_before(&self, decision: &Decision) -> Result<Option<Decision>, StoreError> {
        let row: Option<(Vec<u8>,)> = sqlx::query_as(
            "SELECT decision FROM decisions
             WHERE supplier = $1
               AND (decided_at < $2 OR (decided_at = $2 AND decision_id < $3))
             ORDER BY decided_at DESC, decision_id DESC LIMIT 1",
        )
        .bind(decision.application.supplier.as_str())
        .bind(at(decision.decided_at))
        .bind(&decision.decision_id)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|(row,)| json(&row)).transpose()
    }

    async fn offered_to(&self, supplier: &Slug) -> Result<Vec<Money>, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT r.currency, CAST(sum(r.amount_fen) AS BIGINT) FROM decisions d
             JOIN reservations r ON r.decision_id = d.decision_id
             WHERE d.supplier = $1
               AND NOT EXISTS (SELECT 1 FROM releases x WHERE x.decision_id = d.decision_id)
             GROUP BY r.currency ORDER BY r.currency",
        )
        .bind(supplier.as_str())
        .fetch_all(&self.pool)
        .await?;
        let money = |(currency, fen): (String, i64)| sum(&currency, fen);
        rows.into_iter().map(money).collect()
    }
}

/// False if the key is taken.
async fn insert(connection: &mut PgConnection, item: &Item) -> Result<bool, StoreError> {
    let row: Option<(String,)> = sqlx::query_as(
        "INSERT INTO desk_items (decision_id, kind, key, actor, person, body, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (decision_id, kind, key) DO NOTHING RETURNING key",
    )
    .bind(text(&item.decision_id))
    .bind(item.what.kind())
    .bind(text(&item.key))
    .bind(item.by.as_str())
    .bind(item.what.person().map(Slug::as_str))
    .bind(body(&item.what)?)
    .bind(at(item.at))
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

#[derive(FromRow)]
struct ItemRow {
    decision_id: String,
    key: String,
    actor: String,
    body: Vec<u8>,
    at: Timestamp,
}

impl ItemRow {
    fn item(self) -> Result<Item, StoreError> {
        Ok(Item {
            what: what(&self.body)?,
            by: name(&self.actor)?,
            decision_id: self.decision_id,
            key: self.key,
            at: self.at.0,
        })
    }
}
