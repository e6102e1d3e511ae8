use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::statement::Position;
use sqlx::{FromRow, Sqlite, Transaction};

use super::ingest::insert_statement;
use super::log::check_pass;
use super::{BEGIN, SqliteStore, hash, instant, signed, unsigned};
use crate::store::captures::{CaptureStore, CapturedEvent, ChainMove, KeptCapture, NewCapture};
use crate::store::{StoreError, Stored};

#[derive(FromRow)]
struct CaptureRow {
    capturer: String,
    id: String,
    organisation: String,
    document: Vec<u8>,
    attempt: i64,
    media_type: String,
    behaviour: String,
    registry_version: i64,
    received: String,
    events: i64,
    captured: i64,
    errors: String,
    warnings: String,
}

impl CaptureRow {
    fn kept(self) -> Stored<KeptCapture> {
        let slug = |text: String| text.parse().map_err(|_| StoreError::Corrupt("slug"));
        Ok(KeptCapture {
            id: self.id,
            capturer: slug(self.capturer)?,
            organisation: slug(self.organisation)?,
            document: hash(&self.document)?,
            attempt: unsigned(self.attempt)?,
            media_type: self.media_type,
            behaviour: self.behaviour,
            registry_version: unsigned(self.registry_version)?,
            received: instant(&self.received)?,
            events: unsigned(self.events)?,
            captured: unsigned(self.captured)?,
            errors: self.errors,
            warnings: self.warnings,
        })
    }
}

#[async_trait]
impl CaptureStore for SqliteStore {
    async fn add_capture(&self, capture: &NewCapture) -> Stored<bool> {
        let mut transaction = self.writer.begin_with(BEGIN).await?;
        if let Some(pass) = &capture.pass {
            check_pass(&mut transaction, pass).await?;
        }
        let shard = capture.pass.map_or(0, |pass| pass.shard);
        if !insert_job(&mut transaction, capture).await? {
            return Ok(false);
        }
        if let Some(chain) = &capture.chain
            && !move_chain(&mut transaction, chain).await?
        {
            return Ok(false);
        }
        insert_document(&mut transaction, capture).await?;
        for statement in &capture.statements {
            insert_statement(&mut transaction, statement, shard).await?;
            sqlx::query(
                "INSERT INTO capture_statements (statement, capturer, organisation)
                 VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            )
            .bind(statement.id.0.to_vec())
            .bind(capture.kept.capturer.as_str())
            .bind(capture.kept.organisation.as_str())
            .execute(&mut *transaction)
            .await?;
        }
        insert_places(&mut transaction, capture).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn capture_chain(&self, device: &DeviceAddress) -> Stored<Option<(Position, Hash)>> {
        let row: Option<(i64, i64, Vec<u8>)> =
            sqlx::query_as("SELECT epoch, seq, id FROM capture_chains WHERE device = $1")
                .bind(device.to_string())
                .fetch_optional(&self.reader)
                .await?;
        let Some((epoch, seq, id)) = row else {
            return Ok(None);
        };
        let (epoch, seq) = (unsigned(epoch)?, unsigned(seq)?);
        Ok(Some((Position { epoch, seq }, hash(&id)?)))
    }

    async fn newest_capture(
        &self,
        capturer: &Slug,
        document: &Hash,
    ) -> Stored<Option<KeptCapture>> {
        let row: Option<CaptureRow> = sqlx::query_as(
            "SELECT capturer, id, organisation, document, attempt, media_type, behaviour,
                    registry_version, received, events, captured, errors, warnings
             FROM captures WHERE capturer = $1 AND document = $2
             ORDER BY attempt DESC LIMIT 1",
        )
        .bind(capturer.as_str())
        .bind(document.0.to_vec())
        .fetch_optional(&self.reader)
        .await?;
        row.map(CaptureRow::kept).transpose()
    }

    async fn capture(&self, capturer: &Slug, id: &str) -> Stored<Option<KeptCapture>> {
        let row: Option<CaptureRow> = sqlx::query_as(
            "SELECT capturer, id, organisation, document, attempt, media_type, behaviour,
                    registry_version, received, events, captured, errors, warnings
             FROM captures WHERE capturer = $1 AND id = $2",
        )
        .bind(capturer.as_str())
        .bind(id)
        .fetch_optional(&self.reader)
        .await?;
        row.map(CaptureRow::kept).transpose()
    }

    async fn capture_document(&self, capturer: &Slug, document: &Hash) -> Stored<Option<Vec<u8>>> {
        let row: Option<(Vec<u8>,)> =
            sqlx::query_as("SELECT bytes FROM capture_documents WHERE capturer = $1 AND hash = $2")
                .bind(capturer.as_str())
                .bind(document.0.to_vec())
                .fetch_optional(&self.reader)
                .await?;
        Ok(row.map(|(bytes,)| bytes))
    }

    async fn capture_events(&self, capturer: &Slug, id: &str) -> Stored<Vec<CapturedEvent>> {
        let rows: Vec<(i64, Vec<u8>, i64)> = sqlx::query_as(
            "SELECT place, statement, position FROM capture_events
             WHERE capturer = $1 AND capture = $2 ORDER BY place",
        )
        .bind(capturer.as_str())
        .bind(id)
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter()
            .map(|(place, statement, position)| {
                Ok(CapturedEvent {
                    place: unsigned(place)?,
                    statement: hash(&statement)?,
                    position: unsigned(position)?,
                })
            })
            .collect()
    }
}

async fn insert_job(
    transaction: &mut Transaction<'_, Sqlite>,
    capture: &NewCapture,
) -> Stored<bool> {
    let kept = &capture.kept;
    let new: Option<(String,)> = sqlx::query_as(
        "INSERT INTO captures (capturer, id, organisation, document, attempt, media_type,
                               behaviour, registry_version, received, events, captured, errors,
                               warnings)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (capturer, id) DO NOTHING RETURNING id",
    )
    .bind(kept.capturer.as_str())
    .bind(&kept.id)
    .bind(kept.organisation.as_str())
    .bind(kept.document.0.to_vec())
    .bind(signed(kept.attempt))
    .bind(&kept.media_type)
    .bind(&kept.behaviour)
    .bind(signed(kept.registry_version))
    .bind(kept.received.to_rfc3339())
    .bind(signed(kept.events))
    .bind(signed(kept.captured))
    .bind(&kept.errors)
    .bind(&kept.warnings)
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(new.is_some())
}

/// Compare and set; false if the chain stands elsewhere.
async fn move_chain(transaction: &mut Transaction<'_, Sqlite>, chain: &ChainMove) -> Stored<bool> {
    let sql = match chain.before {
        None => {
            "INSERT INTO capture_chains (device, epoch, seq, id) VALUES ($1, $2, $3, $4)
             ON CONFLICT (device) DO NOTHING RETURNING seq"
        }
        Some(_) => {
            "UPDATE capture_chains SET epoch = $2, seq = $3, id = $4
             WHERE device = $1 AND id = $5 RETURNING seq"
        }
    };
    let mut query = sqlx::query_as(sql)
        .bind(chain.device.to_string())
        .bind(signed(chain.position.epoch))
        .bind(signed(chain.position.seq))
        .bind(chain.id.0.to_vec());
    if let Some(before) = chain.before {
        query = query.bind(before.0.to_vec());
    }
    let moved: Option<(i64,)> = query.fetch_optional(&mut **transaction).await?;
    Ok(moved.is_some())
}

async fn insert_document(
    transaction: &mut Transaction<'_, Sqlite>,
    capture: &NewCapture,
) -> Stored<()> {
    sqlx::query(
        "INSERT INTO capture_documents (capturer, hash, bytes) VALUES ($1, $2, $3)
         ON CONFLICT (capturer, hash) DO NOTHING",
    )
    .bind(capture.kept.capturer.as_str())
    .bind(capture.kept.document.0.to_vec())
    .bind(&capture.document)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn insert_places(
    transaction: &mut Transaction<'_, Sqlite>,
    capture: &NewCapture,
) -> Stored<()> {
    for place in &capture.places {
        sqlx::query(
            "INSERT INTO capture_events (capturer, capture, place, statement, position)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(capture.kept.capturer.as_str())
        .bind(&capture.kept.id)
        .bind(signed(place.place))
        .bind(place.statement.0.to_vec())
        .bind(signed(place.position))
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}
