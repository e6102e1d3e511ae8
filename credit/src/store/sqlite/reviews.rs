//! Reviews, releases, reasons, kept bundles.

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{Sqlite, cases, json, sandbox, trail};
use crate::audit::{Entry, Row};
use crate::loan::review::Act;
use crate::loan::{Decision, RefusalReason, Review};
use crate::store::reviews::{Reviewed, Reviews, SHELF_MAX, Shelf, Step, releases};
use crate::store::sandbox::Repayment;
use crate::store::{PAGE_MAX, Refusal, StoreError};

#[async_trait]
impl Reviews for Sqlite {
    async fn keep_evidence(&self, hash: &Hash, bundle: &[u8]) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO evidence (sha256, bundle) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING",
        )
        .bind(hash.as_bytes().as_slice())
        .bind(bundle)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn evidence(&self, hash: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT bundle FROM evidence WHERE sha256 = $1")
            .bind(hash.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get("bundle")).transpose()?)
    }

    async fn shelf(&self, shelf: Shelf, take: u32) -> Result<Vec<Reviewed>, StoreError> {
        let rows = sqlx::query(shelf_query(shelf))
            .bind(take.min(SHELF_MAX))
            .fetch_all(&self.pool)
            .await?;
        let mut reviewed = Vec::with_capacity(rows.len());
        for row in rows {
            let decision: Decision = json(&row.try_get::<Vec<u8>, _>("decision")?)?;
            // A declined application has no steps: nothing is asked for it.
            let history = match shelf {
                Shelf::Declined => Vec::new(),
                Shelf::Open | Shelf::Settled => self.history(&decision.decision_id).await?,
            };
            reviewed.push(Reviewed { decision, history });
        }
        Ok(reviewed)
    }

    async fn history(&self, decision_id: &str) -> Result<Vec<Review>, StoreError> {
        let rows = sqlx::query(
            "SELECT decision_id, step, act, person, reason, note, version, inputs_sha256,
             model_sha256, settles, reviewed_at
             FROM reviews WHERE decision_id = $1 ORDER BY step",
        )
        .bind(decision_id)
        .fetch_all(&self.pool)
        .await?;
        let mut history: Vec<Review> = rows.iter().map(review_of).collect::<Result<_, _>>()?;
        history.extend(cases::passage(&self.pool, decision_id).await?);
        Ok(history)
    }

    async fn review(&self, review: &Review, entry: &Entry) -> Result<Step, StoreError> {
        // A passage is written with its decision: who knows the offer sees it.
        if cases::passage(&self.pool, &review.decision_id)
            .await?
            .is_some()
        {
            return Ok(Step::Taken);
        }
        let mut transaction = self.begin().await?;
        if !insert_review(&mut transaction, review).await? {
            let again = has_step(&mut transaction, review).await?;
            return Ok(if again { Step::SamePerson } else { Step::Taken });
        }
        if releases(review) {
            release(&mut transaction, &review.decision_id, review.at).await?;
        }
        trail::append(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(Step::Kept)
    }

    async fn undecided(&self, take: u32) -> Result<Vec<Refusal>, StoreError> {
        let rows = sqlx::query(
            "SELECT r.application_id, r.refused_at, r.supplier, r.class, r.detail FROM refusals r
             WHERE NOT EXISTS (SELECT 1 FROM decisions d WHERE d.application_id = r.application_id)
               AND r.refused_at = (SELECT max(n.refused_at) FROM refusals n
                                   WHERE n.application_id = r.application_id)
             ORDER BY r.refused_at DESC, r.application_id LIMIT $1",
        )
        .bind(take.min(PAGE_MAX))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(undecided_of).collect()
    }

    async fn reasons(&self) -> Result<Vec<RefusalReason>, StoreError> {
        let rows = sqlx::query("SELECT code, en, zh, active FROM refusal_reasons ORDER BY code")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(reason_of).collect()
    }

    async fn seed_reasons(&self, reasons: &[RefusalReason]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for reason in reasons {
            insert_reason(&mut transaction, reason).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn add_reason(&self, reason: &RefusalReason, entry: &Entry) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        if !insert_reason(&mut transaction, reason).await? {
            return Ok(false);
        }
        trail::append(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn retire_reason(&self, code: &Slug, entry: &Entry) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query(
            "UPDATE refusal_reasons SET active = 0 WHERE code = $1 AND active = 1 RETURNING code",
        )
        .bind(code.as_str())
        .fetch_optional(&mut *transaction)
        .await?;
        if row.is_none() {
            return Ok(false);
        }
        trail::append(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn note(&self, entry: &Entry) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        trail::append(&mut transaction, entry).await?;
        Ok(transaction.commit().await?)
    }

    async fn trail(&self, after: i64, take: u32) -> Result<Vec<Row>, StoreError> {
        trail::behind(&self.pool, after, take).await
    }

    async fn newest(
        &self,
        before: Option<i64>,
        subject: Option<&str>,
        take: u32,
    ) -> Result<Vec<Row>, StoreError> {
        trail::newest(&self.pool, before, subject, take).await
    }
}

/// An offer is a decision that reserved room.
fn shelf_query(shelf: Shelf) -> &'static str {
    match shelf {
        Shelf::Open => {
            "SELECT d.decision FROM decisions d
             JOIN reservations r ON r.decision_id = d.decision_id
             WHERE NOT EXISTS (SELECT 1 FROM reviews v
                               WHERE v.decision_id = d.decision_id AND v.settles = 1)
               AND NOT EXISTS (SELECT 1 FROM passages p WHERE p.decision_id = d.decision_id)
             ORDER BY d.decided_at, d.decision_id LIMIT $1"
        }
        Shelf::Settled => {
            "SELECT decision FROM (
               SELECT * FROM (
                 SELECT d.decision, v.reviewed_at AS settled_at, d.decision_id FROM decisions d
                 JOIN reviews v ON v.decision_id = d.decision_id AND v.settles = 1
                 ORDER BY v.reviewed_at DESC, d.decision_id LIMIT $1)
               UNION ALL
               SELECT * FROM (
                 SELECT d.decision, p.passed_at AS settled_at, d.decision_id FROM decisions d
                 JOIN passages p ON p.decision_id = d.decision_id
                 ORDER BY p.passed_at DESC, d.decision_id LIMIT $1))
             ORDER BY settled_at DESC, decision_id LIMIT $1"
        }
        Shelf::Declined => {
            "SELECT d.decision FROM decisions d
             WHERE NOT EXISTS (SELECT 1 FROM reservations r WHERE r.decision_id = d.decision_id)
             ORDER BY d.decided_at DESC, d.decision_id LIMIT $1"
        }
    }
}

/// False if the step, the person's place or the settlement of the offer is taken.
async fn insert_review(
    connection: &mut SqliteConnection,
    review: &Review,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "INSERT INTO reviews (decision_id, step, act, person, reason, note, version, inputs_sha256,
         model_sha256, settles, reviewed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT DO NOTHING RETURNING step",
    )
    .bind(&review.decision_id)
    .bind(review.step)
    .bind(review.act.word())
    .bind(review.person.as_ref().map(Slug::as_str))
    .bind(review.reason.as_ref().map(Slug::as_str))
    .bind(&review.note)
    .bind(review.version.as_bytes().as_slice())
    .bind(review.inputs.as_bytes().as_slice())
    .bind(review.model.as_bytes().as_slice())
    .bind(review.settles)
    .bind(review.at.to_rfc3339())
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

async fn has_step(connection: &mut SqliteConnection, review: &Review) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT step FROM reviews WHERE decision_id = $1 AND person = $2")
        .bind(&review.decision_id)
        .bind(review.person.as_ref().map(Slug::as_str))
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

/// Gives back exactly what the offer reserved, once.
pub(super) async fn release(
    connection: &mut SqliteConnection,
    decision_id: &str,
    now: Instant,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "INSERT INTO releases (decision_id, sandbox_id, currency, amount_fen, released_at)
         SELECT decision_id, sandbox_id, currency, amount_fen, $2 FROM reservations
         WHERE decision_id = $1
         RETURNING sandbox_id, currency, amount_fen",
    )
    .bind(decision_id)
    .bind(now.to_rfc3339())
    .fetch_optional(&mut *connection)
    .await?
    .ok_or(StoreError::Row {
        what: "reservation",
    })?;
    let amount: i64 = row.try_get("amount_fen")?;
    let (sandbox, currency): (String, String) =
        (row.try_get("sandbox_id")?, row.try_get("currency")?);
    let lowered = sqlx::query(
        "UPDATE sandbox_use SET used_fen = used_fen - $1
         WHERE sandbox_id = $2 AND currency = $3 AND used_fen >= $1 RETURNING used_fen",
    )
    .bind(amount)
    .bind(&sandbox)
    .bind(&currency)
    .fetch_optional(&mut *connection)
    .await?;
    if lowered.is_some() {
        return Ok(());
    }
    release_of_trial(connection, (&sandbox, decision_id), now).await
}

/// Gives back what the offer reserved under a trial.
async fn release_of_trial(
    connection: &mut SqliteConnection,
    (trial, decision_id): (&str, &str),
    now: Instant,
) -> Result<(), StoreError> {
    let broken = || StoreError::Row {
        what: "reservation",
    };
    let trial: Slug = trial.parse().map_err(|_| broken())?;
    let id: Slug = decision_id.parse().map_err(|_| broken())?;
    let kept = sandbox::read_reservation(connection, &trial, &id).await?;
    let kept = kept.ok_or_else(broken)?;
    let whole = Repayment {
        id: id.clone(),
        reservation: id,
        amount: kept.request.amount,
    };
    sandbox::insert_release(connection, &trial, &whole, now).await?;
    let fen = whole.amount.fen();
    let left = sandbox::subtract(connection, &trial, &kept, fen).await?;
    left.map_or(Ok(()), |_| Err(broken()))
}

async fn insert_reason(
    connection: &mut SqliteConnection,
    reason: &RefusalReason,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "INSERT INTO refusal_reasons (code, en, zh, active) VALUES ($1, $2, $3, $4)
         ON CONFLICT (code) DO NOTHING RETURNING code",
    )
    .bind(reason.code.as_str())
    .bind(&reason.en)
    .bind(&reason.zh)
    .bind(reason.active)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

fn review_of(row: &SqliteRow) -> Result<Review, StoreError> {
    let wrong = || StoreError::Row { what: "review" };
    let hash =
        |column: &str| Hash::from_slice(&row.try_get::<Vec<u8>, _>(column)?).ok_or_else(wrong);
    let slug = |column: &str| {
        let text: Option<String> = row.try_get(column)?;
        text.map(|text| text.parse::<Slug>())
            .transpose()
            .map_err(|_| wrong())
    };
    let act: String = row.try_get("act")?;
    let at: String = row.try_get("reviewed_at")?;
    Ok(Review {
        decision_id: row.try_get("decision_id")?,
        step: row.try_get("step")?,
        act: Act::of_word(&act).ok_or_else(wrong)?,
        person: slug("person")?,
        reason: slug("reason")?,
        note: row.try_get("note")?,
        version: hash("version")?,
        inputs: hash("inputs_sha256")?,
        model: hash("model_sha256")?,
        settles: row.try_get("settles")?,
        at: Instant::parse_rfc3339(&at).ok_or_else(wrong)?,
    })
}

fn reason_of(row: &SqliteRow) -> Result<RefusalReason, StoreError> {
    let code: String = row.try_get("code")?;
    Ok(RefusalReason {
        code: code
            .parse()
            .map_err(|_| StoreError::Row { what: "reason" })?,
        en: row.try_get("en")?,
        zh: row.try_get("zh")?,
        active: row.try_get("active")?,
    })
}

fn undecided_of(row: &SqliteRow) -> Result<Refusal, StoreError> {
    let id: String = row.try_get("application_id")?;
    let id = id
        .parse()
        .map_err(|_| StoreError::Row { what: "refusal" })?;
    super::refusal_of(&id, row)
}
