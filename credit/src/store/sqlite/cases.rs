//! Uses, identifiers, links and passages.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};

use super::{Sqlite, trail};
use crate::loan::beside::{KeptUse, Use};
use crate::loan::review::{Passage, Review};
use crate::loan::warning::{Identifier, Link};
use crate::loan::{Decision, Record};
use crate::store::StoreError;
use crate::store::cases::{
    CASE_ROWS_MAX, CaseStore, PassageRow, body, both_ends, broken, identifier, kind_word, used,
};

/// Most rows, as SQLite counts.
const MOST: i64 = CASE_ROWS_MAX as i64;

#[async_trait]
impl CaseStore for Sqlite {
    async fn last_places(&self, names: &[Hash]) -> Result<BTreeMap<Hash, i64>, StoreError> {
        let rows = sqlx::query(
            "SELECT name, max(place) AS place FROM case_uses
             WHERE name IN (SELECT unhex(value) FROM json_each($1)) GROUP BY name",
        )
        .bind(hex_list(names)?)
        .fetch_all(&self.pool)
        .await?;
        let pair = |row: &SqliteRow| Ok((hash(row, "name")?, row.try_get("place")?));
        rows.iter().map(pair).collect()
    }

    async fn uses(&self, names: &[Hash]) -> Result<Vec<KeptUse>, StoreError> {
        let rows = sqlx::query(
            "SELECT u.name, u.place, u.supplier, u.decision_id, u.body,
               NOT EXISTS (SELECT 1 FROM reservations r WHERE r.decision_id = u.decision_id)
               OR EXISTS (SELECT 1 FROM releases x WHERE x.decision_id = u.decision_id) AS is_over
             FROM case_uses u WHERE u.name IN (SELECT unhex(value) FROM json_each($1))
             ORDER BY u.place DESC, u.name LIMIT $2",
        )
        .bind(hex_list(names)?)
        .bind(MOST)
        .fetch_all(&self.pool)
        .await?;
        let kept: Result<Vec<KeptUse>, StoreError> = rows.iter().map(use_of).collect();
        let mut kept = kept?;
        kept.sort_by_key(|one| (one.name, one.place));
        Ok(kept)
    }

    async fn identifiers(
        &self,
        parties: &[Slug],
        by: &Slug,
    ) -> Result<Vec<Identifier>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT party, kind, value FROM case_identifiers
             WHERE party IN (SELECT value FROM json_each($1)) AND (said_by = $2 OR said_by = party)
             ORDER BY party, kind, value LIMIT $3",
        )
        .bind(list(parties)?)
        .bind(by.as_str())
        .bind(MOST)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &SqliteRow| {
            let (party, kind): (String, String) = (row.try_get("party")?, row.try_get("kind")?);
            let value: Vec<u8> = row.try_get("value")?;
            identifier(&party, &kind, &value)
        };
        rows.iter().map(read).collect()
    }

    async fn links(&self, party: &Slug, said_by: &[Slug]) -> Result<Vec<Link>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT other, kind FROM case_links
             WHERE party = $1 AND said_by IN (SELECT value FROM json_each($2))
             ORDER BY other, kind LIMIT $3",
        )
        .bind(party.as_str())
        .bind(list(said_by)?)
        .bind(MOST)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &SqliteRow| {
            let other: String = row.try_get("other")?;
            Ok(Link {
                one: party.clone(),
                other: other.parse().map_err(|_| broken())?,
                kind: row.try_get("kind")?,
            })
        };
        rows.iter().map(read).collect()
    }
}

/// Keeps what stands beside a decision; false if a place is taken, and then nothing may be kept.
pub(super) async fn keep_beside(
    connection: &mut SqliteConnection,
    record: &Record,
) -> Result<bool, StoreError> {
    let (beside, decision) = (&record.beside, &record.decision);
    for one in &beside.uses {
        if !insert_use(connection, one, decision).await? {
            return Ok(false);
        }
    }
    let by = &decision.application.supplier;
    for one in &beside.identifiers {
        sqlx::query(
            "INSERT INTO case_identifiers (party, said_by, kind, value, decision_id)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (party, said_by, kind, value) DO NOTHING",
        )
        .bind(one.party.as_str())
        .bind(by.as_str())
        .bind(kind_word(one.kind))
        .bind(one.value.as_bytes().as_slice())
        .bind(&decision.decision_id)
        .execute(&mut *connection)
        .await?;
    }
    for (party, other, kind) in both_ends(&beside.links) {
        sqlx::query(
            "INSERT INTO case_links (party, said_by, other, kind, decision_id)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (party, said_by, other, kind) DO NOTHING",
        )
        .bind(party.as_str())
        .bind(by.as_str())
        .bind(other.as_str())
        .bind(kind)
        .bind(&decision.decision_id)
        .execute(&mut *connection)
        .await?;
    }
    if let Some((passage, entry)) = &beside.passed {
        insert_passage(connection, passage).await?;
        trail::append(connection, entry).await?;
    }
    Ok(true)
}

async fn insert_use(
    connection: &mut SqliteConnection,
    one: &Use,
    decision: &Decision,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "INSERT INTO case_uses (name, place, kind, supplier, decision_id, body)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name, place) DO NOTHING RETURNING place",
    )
    .bind(one.name.as_bytes().as_slice())
    .bind(one.place)
    .bind(one.used.kind())
    .bind(decision.application.supplier.as_str())
    .bind(&decision.decision_id)
    .bind(body(&one.used)?)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

async fn insert_passage(
    connection: &mut SqliteConnection,
    passage: &Passage,
) -> Result<(), StoreError> {
    let review = &passage.review;
    sqlx::query(
        "INSERT INTO passages (decision_id, passed_by, currency, asked_fen, up_to_fen, version,
         inputs_sha256, model_sha256, passed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&review.decision_id)
    .bind(review.reason.as_ref().map(Slug::as_str))
    .bind(passage.asked.currency().as_str())
    .bind(passage.asked.fen())
    .bind(passage.up_to.fen())
    .bind(review.version.as_bytes().as_slice())
    .bind(review.inputs.as_bytes().as_slice())
    .bind(review.model.as_bytes().as_slice())
    .bind(review.at.to_rfc3339())
    .execute(connection)
    .await?;
    Ok(())
}

/// The passage of an offer, if it went straight through.
pub(super) async fn passage(pool: &SqlitePool, id: &str) -> Result<Option<Review>, StoreError> {
    let row = sqlx::query(
        "SELECT decision_id, passed_by, version, inputs_sha256, model_sha256, passed_at
         FROM passages WHERE decision_id = $1",
    )
    .bind(id)
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let at: String = row.try_get("passed_at")?;
    let read = PassageRow {
        decision_id: row.try_get("decision_id")?,
        rule: row.try_get("passed_by")?,
        version: row.try_get("version")?,
        inputs: row.try_get("inputs_sha256")?,
        model: row.try_get("model_sha256")?,
        at: Instant::parse_rfc3339(&at).ok_or_else(broken)?,
    };
    read.review().map(Some)
}

fn use_of(row: &SqliteRow) -> Result<KeptUse, StoreError> {
    let supplier: String = row.try_get("supplier")?;
    Ok(KeptUse {
        name: hash(row, "name")?,
        place: row.try_get("place")?,
        supplier: supplier.parse().map_err(|_| broken())?,
        decision_id: row.try_get("decision_id")?,
        used: used(&row.try_get::<Vec<u8>, _>("body")?)?,
        is_over: row.try_get("is_over")?,
    })
}

fn hash(row: &SqliteRow, column: &str) -> Result<Hash, StoreError> {
    Hash::from_slice(&row.try_get::<Vec<u8>, _>(column)?).ok_or_else(broken)
}

fn hex_list(names: &[Hash]) -> Result<String, StoreError> {
    serde_json::to_string(names).map_err(|_| broken())
}

fn list(names: &[Slug]) -> Result<String, StoreError> {
    serde_json::to_string(names).map_err(|_| broken())
}
