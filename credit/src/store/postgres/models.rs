//! Scorecards, their steps, tables in use, and what was said beside decisions.

use async_trait::async_trait;
use kit::postgres::{Timestamp, text};
use schemas::hash::Hash;
use sqlx::{FromRow, PgConnection};

use super::{Postgres, at, retried, trail};
use crate::audit::Entry;
use crate::logged::Place;
use crate::models::life::{Act, ModelStep};
use crate::scorecard::card::LOG_KIND;
use crate::store::StoreError;
use crate::store::models::{
    CardToLog, KeptCard, KeptModel, KeptText, MODELS_MAX, ModelHead, ModelKept, ModelStore, Origin,
    SHADOWS_MAX, ShadowRow, TableUse, with_steps,
};
use crate::store::sandbox::LogEntry;

const BROKEN: StoreError = StoreError::Row { what: "scorecard" };

const STEPS: &str = "SELECT artefact, step, act, person, words, at FROM model_steps";
const SHADOWS: &str = "SELECT decision_id, artefact, decided_at, body FROM model_shadows";
const USES: &str =
    "SELECT points_table, since, origin, artefact, name, version, text FROM model_uses";

fn hash(bytes: &[u8]) -> Result<Hash, StoreError> {
    Hash::from_slice(bytes).ok_or(BROKEN)
}

#[derive(FromRow)]
struct StepRow {
    artefact: Vec<u8>,
    step: i64,
    act: String,
    person: String,
    words: String,
    at: Timestamp,
}

impl StepRow {
    fn step(self) -> Result<ModelStep, StoreError> {
        Ok(ModelStep {
            artefact: hash(&self.artefact)?,
            number: u32::try_from(self.step).map_err(|_| BROKEN)?,
            act: Act::of_word(&self.act).ok_or(BROKEN)?,
            person: self.person.parse().map_err(|_| BROKEN)?,
            words: self.words,
            at: self.at.0,
        })
    }
}

#[derive(FromRow)]
struct HeadRow {
    artefact: Vec<u8>,
    name: String,
    version: String,
    made_at: Timestamp,
}

#[derive(FromRow)]
struct ModelRow {
    artefact: Vec<u8>,
    name: String,
    version: String,
    bytes: Vec<u8>,
    settings: String,
    rows_sha256: Vec<u8>,
    table_sha256: Option<Vec<u8>>,
    table_text: Option<String>,
    made_at: Timestamp,
}

impl ModelRow {
    fn model(self) -> Result<KeptModel, StoreError> {
        let table = match (self.table_sha256, self.table_text) {
            (Some(sha256), Some(text)) => Some(KeptText {
                sha256: hash(&sha256)?,
                text,
            }),
            _ => None,
        };
        Ok(KeptModel {
            artefact: hash(&self.artefact)?,
            name: self.name,
            version: self.version,
            bytes: self.bytes,
            settings: self.settings,
            rows_sha256: hash(&self.rows_sha256)?,
            table,
            made_at: self.made_at.0,
        })
    }
}

#[derive(FromRow)]
struct UseRow {
    points_table: Vec<u8>,
    since: Timestamp,
    origin: String,
    artefact: Option<Vec<u8>>,
    name: String,
    version: String,
    text: String,
}

impl UseRow {
    fn taken(self) -> Result<TableUse, StoreError> {
        Ok(TableUse {
            table: KeptText {
                sha256: hash(&self.points_table)?,
                text: self.text,
            },
            since: self.since.0,
            origin: Origin::of(&self.origin)?,
            artefact: self.artefact.as_deref().map(hash).transpose()?,
            name: self.name,
            version: self.version,
        })
    }
}

#[derive(FromRow)]
struct ShadowRowRow {
    decision_id: String,
    artefact: Vec<u8>,
    decided_at: Timestamp,
    body: Vec<u8>,
}

impl ShadowRowRow {
    fn row(self) -> Result<ShadowRow, StoreError> {
        Ok(ShadowRow {
            decision_id: self.decision_id,
            artefact: hash(&self.artefact)?,
            decided_at: self.decided_at.0,
            body: serde_json::from_slice(&self.body).map_err(|_| BROKEN)?,
        })
    }
}

#[derive(FromRow)]
struct LogRow {
    artefact: Vec<u8>,
    card: Vec<u8>,
    at: Timestamp,
    log_index: Option<i64>,
    anchored: Option<Timestamp>,
}

impl LogRow {
    fn card(self) -> Result<CardToLog, StoreError> {
        let place = match (self.log_index, self.anchored) {
            (Some(index), Some(anchored)) => Some(Place {
                index: u64::try_from(index).map_err(|_| BROKEN)?,
                anchored: anchored.0,
            }),
            _ => None,
        };
        Ok(CardToLog {
            artefact: hash(&self.artefact)?,
            entry: LogEntry {
                kind: LOG_KIND.to_owned(),
                hash: hash(&self.card)?,
                time: self.at.0,
            },
            place,
        })
    }
}

#[async_trait]
impl ModelStore for Postgres {
    async fn add_model(
        &self,
        model: &KeptModel,
        card: &KeptCard,
        step: &ModelStep,
        entry: &Entry,
    ) -> Result<ModelKept, StoreError> {
        retried(|| async {
            let mut transaction = self.pool.begin().await?;
            if !insert_model(&mut transaction, model).await? {
                return Ok(ModelKept::Taken);
            }
            insert_card(&mut transaction, card).await?;
            insert_step(&mut transaction, step).await?;
            trail::append(&mut transaction, entry).await?;
            if is_over(&mut transaction).await? {
                return Ok(ModelKept::Full);
            }
            transaction.commit().await?;
            Ok(ModelKept::New)
        })
        .await
    }

    async fn step_model(
        &self,
        step: &ModelStep,
        card: Option<&KeptCard>,
        entry: &Entry,
    ) -> Result<ModelKept, StoreError> {
        let kept = retried(|| async {
            let mut transaction = self.pool.begin().await?;
            insert_step(&mut transaction, step).await?;
            if let Some(card) = card {
                insert_card(&mut transaction, card).await?;
            }
            trail::append(&mut transaction, entry).await?;
            Ok(transaction.commit().await?)
        });
        match kept.await {
            Ok(()) => Ok(ModelKept::New),
            Err(StoreError::Database(error)) if is_taken(&error) => self.why_taken(step).await,
            Err(error) => Err(error),
        }
    }

    async fn models(&self) -> Result<Vec<ModelHead>, StoreError> {
        let rows: Vec<HeadRow> = sqlx::query_as(
            "SELECT artefact, name, version, made_at FROM model_artefacts
             ORDER BY made_at DESC, artefact LIMIT $1",
        )
        .bind(i64::from(MODELS_MAX))
        .fetch_all(&self.pool)
        .await?;
        let head = |row: HeadRow| {
            Ok(ModelHead {
                artefact: hash(&row.artefact)?,
                name: row.name,
                version: row.version,
                made_at: row.made_at.0,
                steps: Vec::new(),
            })
        };
        let heads: Result<_, StoreError> = rows.into_iter().map(head).collect();
        Ok(with_steps(heads?, self.model_steps(None).await?))
    }

    async fn model_steps(&self, artefact: Option<&Hash>) -> Result<Vec<ModelStep>, StoreError> {
        let query = match artefact {
            None => format!("{STEPS} ORDER BY artefact, step"),
            Some(_) => format!("{STEPS} WHERE artefact = $1 ORDER BY step"),
        };
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(query));
        if let Some(artefact) = artefact {
            query = query.bind(&artefact.0[..]);
        }
        let rows: Vec<StepRow> = query.fetch_all(&self.pool).await?;
        rows.into_iter().map(StepRow::step).collect()
    }

    async fn model(&self, artefact: &Hash) -> Result<Option<KeptModel>, StoreError> {
        let row: Option<ModelRow> = sqlx::query_as(
            "SELECT artefact, name, version, bytes, settings, rows_sha256, table_sha256, table_text,
             made_at FROM model_artefacts WHERE artefact = $1",
        )
        .bind(&artefact.0[..])
        .fetch_optional(&self.pool)
        .await?;
        row.map(ModelRow::model).transpose()
    }

    async fn model_cards(&self, artefact: &Hash) -> Result<Vec<KeptCard>, StoreError> {
        let rows: Vec<(String, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT stage, card, bytes FROM model_cards WHERE artefact = $1 ORDER BY stage",
        )
        .bind(&artefact.0[..])
        .fetch_all(&self.pool)
        .await?;
        let card = |(stage, card, bytes): (String, Vec<u8>, Vec<u8>)| {
            Ok(KeptCard {
                artefact: *artefact,
                reviewed: stage == "reviewed",
                sha256: hash(&card)?,
                bytes,
            })
        };
        rows.into_iter().map(card).collect()
    }

    async fn table_uses(&self, points_table: Option<&Hash>) -> Result<Vec<TableUse>, StoreError> {
        let query = match points_table {
            None => format!("{USES} ORDER BY since DESC, points_table LIMIT $1"),
            Some(_) => {
                format!("{USES} WHERE points_table = $2 ORDER BY since DESC, points_table LIMIT $1")
            }
        };
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(i64::from(MODELS_MAX));
        if let Some(points_table) = points_table {
            query = query.bind(&points_table.0[..]);
        }
        let rows: Vec<UseRow> = query.fetch_all(&self.pool).await?;
        rows.into_iter().map(UseRow::taken).collect()
    }

    async fn use_table(&self, taken: &TableUse, entry: &Entry) -> Result<(), StoreError> {
        retried(|| async {
            let mut transaction = self.pool.begin().await?;
            let added: Option<(String,)> = sqlx::query_as(
                "INSERT INTO model_uses (points_table, since, origin, artefact, name, version, text)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (points_table, since) DO NOTHING RETURNING origin",
            )
            .bind(&taken.table.sha256.0[..])
            .bind(at(taken.since))
            .bind(taken.origin.word())
            .bind(taken.artefact.as_ref().map(|artefact| &artefact.0[..]))
            .bind(text(&taken.name))
            .bind(text(&taken.version))
            .bind(&taken.table.text)
            .fetch_optional(&mut *transaction)
            .await?;
            if added.is_some() {
                trail::append(&mut transaction, entry).await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn keep_shadow(&self, row: &ShadowRow) -> Result<(), StoreError> {
        let body = serde_json::to_vec(&row.body).map_err(|_| BROKEN)?;
        sqlx::query(
            "INSERT INTO model_shadows (decision_id, artefact, decided_at, body)
             VALUES ($1, $2, $3, $4) ON CONFLICT (decision_id, artefact) DO NOTHING",
        )
        .bind(&row.decision_id)
        .bind(&row.artefact.0[..])
        .bind(at(row.decided_at))
        .bind(body)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn shadows_beside(&self, decision_id: &str) -> Result<Vec<ShadowRow>, StoreError> {
        let query = format!("{SHADOWS} WHERE decision_id = $1 ORDER BY artefact");
        let rows: Vec<ShadowRowRow> = sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(text(decision_id))
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(ShadowRowRow::row).collect()
    }

    async fn shadows_of(&self, artefact: &Hash, take: u32) -> Result<Vec<ShadowRow>, StoreError> {
        let query =
            format!("{SHADOWS} WHERE artefact = $1 ORDER BY decided_at DESC, decision_id LIMIT $2");
        let rows: Vec<ShadowRowRow> = sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(&artefact.0[..])
            .bind(i64::from(take.min(SHADOWS_MAX)))
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(ShadowRowRow::row).collect()
    }

    async fn cards_to_log(&self) -> Result<Vec<CardToLog>, StoreError> {
        let rows: Vec<LogRow> = sqlx::query_as(
            "SELECT s.artefact, c.card, s.at, p.log_index, p.anchored FROM model_steps s
             JOIN model_cards c ON c.artefact = s.artefact AND c.stage = 'reviewed'
             LEFT JOIN model_places p ON p.artefact = s.artefact AND p.card = c.card
             WHERE s.act = 'promoted' ORDER BY s.at, s.artefact",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(LogRow::card).collect()
    }

    async fn keep_place(
        &self,
        artefact: &Hash,
        card: &Hash,
        place: &Place,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO model_places (artefact, card, log_index, anchored)
             VALUES ($1, $2, $3, $4) ON CONFLICT (artefact) DO NOTHING",
        )
        .bind(&artefact.0[..])
        .bind(&card.0[..])
        .bind(i64::try_from(place.index).map_err(|_| BROKEN)?)
        .bind(at(place.anchored))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

impl Postgres {
    /// Why a step was not kept.
    async fn why_taken(&self, step: &ModelStep) -> Result<ModelKept, StoreError> {
        let row: Option<(i64,)> = sqlx::query_as(
            "SELECT step FROM model_steps WHERE artefact = $1 AND person = $2
             AND act IN ('made', 'reviewed', 'promoted')",
        )
        .bind(&step.artefact.0[..])
        .bind(step.person.as_str())
        .fetch_optional(&self.pool)
        .await?;
        let acts = [Act::Reviewed, Act::Promoted].contains(&step.act);
        Ok(match row {
            // The very step again is no second act of the person.
            Some((number,)) if acts && number != i64::from(step.number) => ModelKept::SamePerson,
            _ => ModelKept::Taken,
        })
    }
}

/// True if a key was taken: the step, the act, or the person's place.
fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// True if there are more than may be kept. Asked behind the row of the trail, for which writers wait
/// for each other.
async fn is_over(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let (kept,): (i64,) = sqlx::query_as("SELECT count(*) FROM model_artefacts")
        .fetch_one(&mut *connection)
        .await?;
    Ok(kept > i64::from(MODELS_MAX))
}

/// False if it is there.
async fn insert_model(
    connection: &mut PgConnection,
    model: &KeptModel,
) -> Result<bool, StoreError> {
    let added: Option<(String,)> = sqlx::query_as(
        "INSERT INTO model_artefacts (artefact, name, version, bytes, settings, rows_sha256,
         table_sha256, table_text, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (artefact) DO NOTHING RETURNING name",
    )
    .bind(&model.artefact.0[..])
    .bind(text(&model.name))
    .bind(text(&model.version))
    .bind(&model.bytes)
    .bind(&model.settings)
    .bind(&model.rows_sha256.0[..])
    .bind(model.table.as_ref().map(|table| &table.sha256.0[..]))
    .bind(model.table.as_ref().map(|table| table.text.as_str()))
    .bind(at(model.made_at))
    .fetch_optional(connection)
    .await?;
    Ok(added.is_some())
}

async fn insert_card(connection: &mut PgConnection, card: &KeptCard) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO model_cards (artefact, stage, card, bytes) VALUES ($1, $2, $3, $4)")
        .bind(&card.artefact.0[..])
        .bind(card.stage())
        .bind(&card.sha256.0[..])
        .bind(&card.bytes)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_step(connection: &mut PgConnection, step: &ModelStep) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO model_steps (artefact, step, act, person, words, at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&step.artefact.0[..])
    .bind(i64::from(step.number))
    .bind(step.act.word())
    .bind(step.person.as_str())
    .bind(text(&step.words))
    .bind(at(step.at))
    .execute(connection)
    .await?;
    Ok(())
}
