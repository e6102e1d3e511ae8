//! Rows and files beside decisions.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{Sqlite, json, trail};
use crate::audit::Entry;
use crate::desk::item::{Item, What};
use crate::loan::Decision;
use crate::money::Money;
use crate::store::StoreError;
use crate::store::desk::{DeskStore, TASKS_MAX, body, name, sum, what};

#[async_trait]
impl DeskStore for Sqlite {
    async fn add_item(
        &self,
        item: &Item,
        file: Option<&[u8]>,
        entry: &Entry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        if !insert(&mut transaction, item).await? {
            return Ok(false);
        }
        if let (Some(file), Some(sha256)) = (file, item.sha256()) {
            sqlx::query(
                "INSERT INTO desk_files (decision_id, sha256, content) VALUES ($1, $2, $3)",
            )
            .bind(&item.decision_id)
            .bind(sha256.as_bytes().as_slice())
            .bind(file)
            .execute(&mut *transaction)
            .await?;
        }
        trail::append(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn items(&self, decision_id: &str) -> Result<Vec<Item>, StoreError> {
        let rows = sqlx::query(
            "SELECT decision_id, key, actor, body, at FROM desk_items
             WHERE decision_id = $1 ORDER BY at, kind, key",
        )
        .bind(decision_id)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(item_of).collect()
    }

    async fn assigned(&self, decision_ids: &[&str]) -> Result<BTreeMap<String, Slug>, StoreError> {
        let ids = serde_json::to_string(decision_ids);
        let rows = sqlx::query(
            "SELECT i.decision_id, i.person FROM desk_items i
             WHERE i.kind = 'assignment' AND i.person IS NOT NULL
               AND i.decision_id IN (SELECT value FROM json_each($1))
               AND i.key = (SELECT max(n.key) FROM desk_items n
                            WHERE n.decision_id = i.decision_id AND n.kind = 'assignment')",
        )
        .bind(ids.map_err(|_| StoreError::Row { what: "decision" })?)
        .fetch_all(&self.pool)
        .await?;
        let pair = |row: &SqliteRow| {
            let person: String = row.try_get("person")?;
            Ok((row.try_get("decision_id")?, name(&person)?))
        };
        rows.iter().map(pair).collect()
    }

    async fn open_tasks(&self, person: &Slug, take: u32) -> Result<Vec<Item>, StoreError> {
        let rows = sqlx::query(
            "SELECT t.decision_id, t.key, t.actor, t.body, t.at FROM desk_items t
             WHERE t.person = $1 AND t.kind = 'task'
               AND NOT EXISTS (SELECT 1 FROM desk_items d
                               WHERE d.decision_id = t.decision_id AND d.kind = 'done'
                                 AND d.key = t.key)
             ORDER BY t.at, t.decision_id, t.key LIMIT $2",
        )
        .bind(person.as_str())
        .bind(take.min(TASKS_MAX))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(item_of).collect()
    }

    async fn file(&self, decision_id: &str, sha256: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let row =
            sqlx::query("SELECT content FROM desk_files WHERE decision_id = $1 AND sha256 = $2")
                .bind(decision_id)
                .bind(sha256.as_bytes().as_slice())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|row| row.try_get("content")).transpose()?)
    }

    async fn decision_before(&self, decision: &Decision) -> Result<Option<Decision>, StoreError> {
        let row = sqlx::query(
            "SELECT decision FROM decisions
             WHERE supplier = $1
               AND (decided_at < $2 OR (decided_at = $2 AND decision_id < $3))
             ORDER BY decided_at DESC, decision_id DESC LIMIT 1",
        )
        .bind(decision.application.supplier.as_str())
        .bind(decision.decided_at.to_rfc3339())
        .bind(&decision.decision_id)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| json(&row.try_get::<Vec<u8>, _>("decision")?))
            .transpose()
    }

    async fn offered_to(&self, supplier: &Slug) -> Result<Vec<Money>, StoreError> {
        let rows = sqlx::query(
            "SELECT r.currency, sum(r.amount_fen) AS fen FROM decisions d
             JOIN reservations r ON r.decision_id = d.decision_id
             WHERE d.supplier = $1
               AND NOT EXISTS (SELECT 1 FROM releases x WHERE x.decision_id = d.decision_id)
             GROUP BY r.currency ORDER BY r.currency",
        )
        .bind(supplier.as_str())
        .fetch_all(&self.pool)
        .await?;
        let money =
            |row: &SqliteRow| sum(&row.try_get::<String, _>("currency")?, row.try_get("fen")?);
        rows.iter().map(money).collect()
    }
}

/// False if the key is taken.
async fn insert(connection: &mut SqliteConnection, item: &Item) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "INSERT INTO desk_items (decision_id, kind, key, actor, person, body, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (decision_id, kind, key) DO NOTHING RETURNING key",
    )
    .bind(&item.decision_id)
    .bind(item.what.kind())
    .bind(&item.key)
    .bind(item.by.as_str())
    .bind(item.what.person().map(Slug::as_str))
    .bind(body(&item.what)?)
    .bind(item.at.to_rfc3339())
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

fn item_of(row: &SqliteRow) -> Result<Item, StoreError> {
    let at: String = row.try_get("at")?;
    let what: What = what(&row.try_get::<Vec<u8>, _>("body")?)?;
    Ok(Item {
        decision_id: row.try_get("decision_id")?,
        key: row.try_get("key")?,
        what,
        by: name(&row.try_get::<String, _>("actor")?)?,
        at: Instant::parse_rfc3339(&at).ok_or(StoreError::Row { what: "desk item" })?,
    })
}
