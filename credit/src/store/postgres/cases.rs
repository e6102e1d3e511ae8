//! Uses, identifiers, links and passages.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use kit::postgres::{Timestamp, text};
use schemas::hash::Hash;
use schemas::ids::Slug;
use sqlx::{FromRow, PgConnection, PgPool};

use super::{Postgres, at, trail};
use crate::loan::beside::{KeptUse, Use};
use crate::loan::review::{Passage, Review};
use crate::loan::warning::{Identifier, Link};
use crate::loan::{Decision, Record};
use crate::store::StoreError;
use crate::store::cases::{
    CASE_ROWS_MAX, CaseStore, PassageRow, body, both_ends, broken, identifier, kind_word, used,
};

/// Most rows, as PostgreSQL counts.
const MOST: i64 = CASE_ROWS_MAX as i64;

#[async_trait]
impl CaseStore for Postgres {
    async fn last_places(&self, names: &[Hash]) -> Result<BTreeMap<Hash, i64>, StoreError> {
        let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(
            "SELECT name, max(place) FROM case_uses WHERE name = ANY($1) GROUP BY name",
        )
        .bind(bytes(names))
        .fetch_all(&self.pool)
        .await?;
        let pair = |(name, place): (Vec<u8>, i64)| {
            Ok((Hash::from_slice(&name).ok_or_else(broken)?, place))
        };
        rows.into_iter().map(pair).collect()
    }

    async fn uses(&self, names: &[Hash]) -> Result<Vec<KeptUse>, StoreError> {
        let rows: Vec<UseRow> = sqlx::query_as(
            "SELECT name, place, supplier, decision_id, body FROM case_uses
             WHERE name = ANY($1) ORDER BY place DESC, name LIMIT $2",
        )
        .bind(bytes(names))
        .bind(MOST)
        .fetch_all(&self.pool)
        .await?;
        // Uses and decisions are spread by different columns: the ones, then what became of the others.
        let ids: BTreeSet<&str> = rows.iter().map(|row| &*row.decision_id).collect();
        let over = self.over(&ids.into_iter().collect::<Vec<_>>()).await?;
        let kept: Result<Vec<KeptUse>, StoreError> =
            rows.into_iter().map(|row| row.kept(&over)).collect();
        let mut kept = kept?;
        kept.sort_by_key(|one| (one.name, one.place));
        Ok(kept)
    }

    async fn identifiers(
        &self,
        parties: &[Slug],
        by: &Slug,
    ) -> Result<Vec<Identifier>, StoreError> {
        let rows: Vec<(String, String, Vec<u8>)> = sqlx::query_as(
            "SELECT DISTINCT party, kind, value FROM case_identifiers
             WHERE party = ANY($1) AND (said_by = $2 OR said_by = party)
             ORDER BY party, kind, value LIMIT $3",
        )
        .bind(words(parties))
        .bind(by.as_str())
        .bind(MOST)
        .fetch_all(&self.pool)
        .await?;
        let read =
            |(party, kind, value): &(String, String, Vec<u8>)| identifier(party, kind, value);
        rows.iter().map(read).collect()
    }

    async fn links(&self, party: &Slug, said_by: &[Slug]) -> Result<Vec<Link>, StoreError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT DISTINCT other, kind FROM case_links
             WHERE party = $1 AND said_by = ANY($2) ORDER BY other, kind LIMIT $3",
        )
        .bind(party.as_str())
        .bind(words(said_by))
        .bind(MOST)
        .fetch_all(&self.pool)
        .await?;
        let read = |(other, kind): (String, String)| {
            Ok(Link {
                one: party.clone(),
                other: other.parse().map_err(|_| broken())?,
                kind,
            })
        };
        rows.into_iter().map(read).collect()
    }
}

impl Postgres {
    /// Which of these decisions reserve nothing (any more).
    async fn over(&self, ids: &[&str]) -> Result<BTreeSet<String>, StoreError> {
        let open: Vec<(String,)> = sqlx::query_as(
            "SELECT r.decision_id FROM reservations r WHERE r.decision_id = ANY($1)
               AND NOT EXISTS (SELECT 1 FROM releases x WHERE x.decision_id = r.decision_id)",
        )
        .bind(ids)
        .fetch_all(&self.pool)
        .await?;
        let open: BTreeSet<String> = open.into_iter().map(|(id,)| id).collect();
        let over = ids.iter().filter(|id| !open.contains(**id));
        Ok(over.map(|id| (*id).to_owned()).collect())
    }

    /// Passages of these decisions.
    pub(super) async fn passages(&self, ids: &[&str]) -> Result<Vec<Review>, StoreError> {
        let rows: Vec<KeptPassage> = sqlx::query_as(
            "SELECT decision_id, passed_by, version, inputs_sha256, model_sha256, passed_at
             FROM passages WHERE decision_id = ANY($1)",
        )
        .bind(ids)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(KeptPassage::review).collect()
    }
}

/// Whether an offer went straight through. Its passage is written with its decision: who knows the
/// decision sees it.
pub(super) async fn is_passed(pool: &PgPool, id: &str) -> Result<bool, StoreError> {
    let row: Option<(String,)> =
        sqlx::query_as("SELECT decision_id FROM passages WHERE decision_id = $1")
            .bind(text(id))
            .fetch_optional(pool)
            .await?;
    Ok(row.is_some())
}

/// Keeps what stands beside a decision; false if a place is taken, and then nothing may be kept. Rows
/// are written in their order, so that two who write the same ones wait and never block each other.
pub(super) async fn keep_beside(
    connection: &mut PgConnection,
    record: &Record,
) -> Result<bool, StoreError> {
    let (beside, decision) = (&record.beside, &record.decision);
    for one in &beside.uses {
        if !insert_use(&mut *connection, one, decision).await? {
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
        .bind(text(kind))
        .bind(&decision.decision_id)
        .execute(&mut *connection)
        .await?;
    }
    if let Some((passage, entry)) = &beside.passed {
        insert_passage(&mut *connection, passage).await?;
        trail::append(connection, entry).await?;
    }
    Ok(true)
}

async fn insert_use(
    connection: &mut PgConnection,
    one: &Use,
    decision: &Decision,
) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = sqlx::query_as(
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
    connection: &mut PgConnection,
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
    .bind(at(review.at))
    .execute(connection)
    .await?;
    Ok(())
}

fn bytes(names: &[Hash]) -> Vec<&[u8]> {
    names
        .iter()
        .map(|name| name.as_bytes().as_slice())
        .collect()
}

fn words(names: &[Slug]) -> Vec<&str> {
    names.iter().map(Slug::as_str).collect()
}

#[derive(FromRow)]
struct UseRow {
    name: Vec<u8>,
    place: i64,
    supplier: String,
    decision_id: String,
    body: Vec<u8>,
}

impl UseRow {
    fn kept(self, over: &BTreeSet<String>) -> Result<KeptUse, StoreError> {
        Ok(KeptUse {
            name: Hash::from_slice(&self.name).ok_or_else(broken)?,
            place: self.place,
            supplier: self.supplier.parse().map_err(|_| broken())?,
            is_over: over.contains(&self.decision_id),
            decision_id: self.decision_id,
            used: used(&self.body)?,
        })
    }
}

#[derive(FromRow)]
struct KeptPassage {
    decision_id: String,
    passed_by: String,
    version: Vec<u8>,
    inputs_sha256: Vec<u8>,
    model_sha256: Vec<u8>,
    passed_at: Timestamp,
}

impl KeptPassage {
    fn review(self) -> Result<Review, StoreError> {
        let row = PassageRow {
            decision_id: self.decision_id,
            rule: self.passed_by,
            version: self.version,
            inputs: self.inputs_sha256,
            model: self.model_sha256,
            at: self.passed_at.0,
        };
        row.review()
    }
}
