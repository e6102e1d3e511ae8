//! Reviews, releases, reasons, kept bundles.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use kit::postgres::{Timestamp, text};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::{FromRow, PgConnection};

use super::{Postgres, RefusalRow, at, cases, json, retried, sandbox, trail};
use crate::audit::{Entry, Row};
use crate::loan::review::Act;
use crate::loan::{Decision, RefusalReason, Review};
use crate::store::reviews::{Reviewed, Reviews, SHELF_MAX, Shelf, Step, releases};
use crate::store::sandbox::Repayment;
use crate::store::{PAGE_MAX, Refusal, StoreError};

#[async_trait]
impl Reviews for Postgres {
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
        let row: Option<(Vec<u8>,)> =
            sqlx::query_as("SELECT bundle FROM evidence WHERE sha256 = $1")
                .bind(hash.as_bytes().as_slice())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(bundle,)| bundle))
    }

    async fn shelf(&self, shelf: Shelf, take: u32) -> Result<Vec<Reviewed>, StoreError> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(shelf_query(shelf))
            .bind(i64::from(take.min(SHELF_MAX)))
            .fetch_all(&self.pool)
            .await?;
        let decisions: Result<Vec<Decision>, _> = rows.iter().map(|(row,)| json(row)).collect();
        let decisions = decisions?;
        let ids: Vec<&str> = decisions.iter().map(|d| &*d.decision_id).collect();
        let mut histories = self.histories(&ids).await?;
        let reviewed = |decision: Decision| Reviewed {
            history: histories.remove(&decision.decision_id).unwrap_or_default(),
            decision,
        };
        Ok(decisions.into_iter().map(reviewed).collect())
    }

    async fn history(&self, decision_id: &str) -> Result<Vec<Review>, StoreError> {
        let mut histories = self.histories(&[&text(decision_id)]).await?;
        Ok(histories.remove(decision_id).unwrap_or_default())
    }

    async fn review(&self, review: &Review, entry: &Entry) -> Result<Step, StoreError> {
        if cases::is_passed(&self.pool, &review.decision_id).await? {
            return Ok(Step::Taken);
        }
        match retried(|| self.review_once(review, entry)).await {
            Err(StoreError::Database(error)) if is_taken(&error) => self.taken(review).await,
            Err(error) => Err(error),
            Ok(()) => Ok(Step::Kept),
        }
    }

    async fn undecided(&self, take: u32) -> Result<Vec<Refusal>, StoreError> {
        let most = take.min(PAGE_MAX) as usize;
        let (mut found, mut skip) = (Vec::new(), 0);
        // Refusals and decisions are spread by different columns: a page of the one, then which of
        // its applications are in the other.
        while found.len() < most {
            let page = self.newest_refusals(skip).await?;
            let Some(read) = i64::try_from(page.len()).ok().filter(|read| *read > 0) else {
                break;
            };
            skip += read;
            let decided = self.decided(&page).await?;
            let open = |row: &RefusalRow| !decided.contains(&row.application_id);
            let open = page.into_iter().filter(open);
            for row in open.take(most - found.len()) {
                found.push(row.refusal()?);
            }
        }
        Ok(found)
    }

    async fn reasons(&self) -> Result<Vec<RefusalReason>, StoreError> {
        let rows: Vec<ReasonRow> =
            sqlx::query_as("SELECT code, en, zh, active FROM refusal_reasons ORDER BY code")
                .fetch_all(&self.pool)
                .await?;
        rows.into_iter().map(ReasonRow::reason).collect()
    }

    async fn seed_reasons(&self, reasons: &[RefusalReason]) -> Result<(), StoreError> {
        retried(|| async {
            let mut transaction = self.pool.begin().await?;
            for reason in reasons {
                insert_reason(&mut transaction, reason).await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn add_reason(&self, reason: &RefusalReason, entry: &Entry) -> Result<bool, StoreError> {
        retried(|| async {
            let mut transaction = self.pool.begin().await?;
            if !insert_reason(&mut transaction, reason).await? {
                return Ok(false);
            }
            trail::append(&mut transaction, entry).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn retire_reason(&self, code: &Slug, entry: &Entry) -> Result<bool, StoreError> {
        retried(|| async {
            let mut transaction = self.pool.begin().await?;
            let row: Option<(String,)> = sqlx::query_as(
                "UPDATE refusal_reasons SET active = false WHERE code = $1 AND active
                 RETURNING code",
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
        })
        .await
    }

    async fn note(&self, entry: &Entry) -> Result<(), StoreError> {
        retried(|| async {
            let mut transaction = self.pool.begin().await?;
            trail::append(&mut transaction, entry).await?;
            Ok(transaction.commit().await?)
        })
        .await
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

impl Postgres {
    async fn review_once(&self, review: &Review, entry: &Entry) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        insert_review(&mut transaction, review).await?;
        if releases(review) {
            release(&mut transaction, &review.decision_id, review.at).await?;
        }
        trail::append(&mut transaction, entry).await?;
        Ok(transaction.commit().await?)
    }

    /// Why a step was not kept.
    async fn taken(&self, review: &Review) -> Result<Step, StoreError> {
        let row: Option<(i64,)> =
            sqlx::query_as("SELECT step FROM reviews WHERE decision_id = $1 AND person = $2")
                .bind(&review.decision_id)
                .bind(review.person.as_ref().map(Slug::as_str))
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map_or(Step::Taken, |_| Step::SamePerson))
    }

    /// Steps by decision, in their order.
    async fn histories(&self, ids: &[&str]) -> Result<BTreeMap<String, Vec<Review>>, StoreError> {
        let rows: Vec<ReviewRow> = sqlx::query_as(
            "SELECT decision_id, step, act, person, reason, note, version, inputs_sha256,
             model_sha256, settles, reviewed_at
             FROM reviews WHERE decision_id = ANY($1) ORDER BY decision_id, step",
        )
        .bind(ids)
        .fetch_all(&self.pool)
        .await?;
        let mut histories: BTreeMap<String, Vec<Review>> = BTreeMap::new();
        for row in rows {
            let review = row.review()?;
            let history = histories.entry(review.decision_id.clone()).or_default();
            history.push(review);
        }
        for passage in self.passages(ids).await? {
            let history = histories.entry(passage.decision_id.clone()).or_default();
            history.push(passage);
        }
        Ok(histories)
    }

    /// The newest refusal of each application, newest first.
    async fn newest_refusals(&self, skip: i64) -> Result<Vec<RefusalRow>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT application_id, refused_at, supplier, class, detail
             FROM (SELECT DISTINCT ON (application_id) application_id, refused_at, supplier, class,
                          detail
                   FROM refusals ORDER BY application_id, refused_at DESC) AS newest
             ORDER BY refused_at DESC, application_id LIMIT $1 OFFSET $2",
        )
        .bind(i64::from(PAGE_MAX))
        .bind(skip)
        .fetch_all(&self.pool)
        .await?)
    }

    async fn decided(&self, page: &[RefusalRow]) -> Result<BTreeSet<String>, StoreError> {
        let ids: Vec<&str> = page.iter().map(|row| &*row.application_id).collect();
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT application_id FROM decisions WHERE application_id = ANY($1)")
                .bind(ids)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

/// True if a key was taken: the step, the person's place or the settlement of the offer.
fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// An offer is a decision that reserved room.
fn shelf_query(shelf: Shelf) -> &'static str {
    match shelf {
        Shelf::Open => {
            "SELECT d.decision FROM decisions d
             JOIN reservations r ON r.decision_id = d.decision_id
             WHERE NOT EXISTS (SELECT 1 FROM reviews v
                               WHERE v.decision_id = d.decision_id AND v.settles)
               AND NOT EXISTS (SELECT 1 FROM passages p WHERE p.decision_id = d.decision_id)
             ORDER BY d.decided_at, d.decision_id LIMIT $1"
        }
        Shelf::Settled => {
            "SELECT decision FROM (
               (SELECT d.decision, v.reviewed_at AS settled_at, d.decision_id FROM decisions d
                JOIN reviews v ON v.decision_id = d.decision_id AND v.settles
                ORDER BY v.reviewed_at DESC, d.decision_id LIMIT $1)
               UNION ALL
               (SELECT d.decision, p.passed_at AS settled_at, d.decision_id FROM decisions d
                JOIN passages p ON p.decision_id = d.decision_id
                ORDER BY p.passed_at DESC, d.decision_id LIMIT $1)) AS settled
             ORDER BY settled_at DESC, decision_id LIMIT $1"
        }
        Shelf::Declined => {
            "SELECT d.decision FROM decisions d
             WHERE NOT EXISTS (SELECT 1 FROM reservations r WHERE r.decision_id = d.decision_id)
             ORDER BY d.decided_at DESC, d.decision_id LIMIT $1"
        }
    }
}

/// Fails on a key if the step, the person's place or the settlement of the offer is taken.
async fn insert_review(connection: &mut PgConnection, review: &Review) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO reviews (decision_id, step, act, person, reason, note, version, inputs_sha256,
         model_sha256, settles, reviewed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&review.decision_id)
    .bind(i64::from(review.step))
    .bind(review.act.word())
    .bind(review.person.as_ref().map(Slug::as_str))
    .bind(review.reason.as_ref().map(Slug::as_str))
    .bind(text(&review.note))
    .bind(review.version.as_bytes().as_slice())
    .bind(review.inputs.as_bytes().as_slice())
    .bind(review.model.as_bytes().as_slice())
    .bind(review.settles)
    .bind(at(review.at))
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives back exactly what the offer reserved, once.
pub(super) async fn release(
    connection: &mut PgConnection,
    decision_id: &str,
    now: Instant,
) -> Result<(), StoreError> {
    let broken = || StoreError::Row {
        what: "reservation",
    };
    let row: Option<(String, String, i64)> = sqlx::query_as(
        "INSERT INTO releases (decision_id, sandbox_id, currency, amount_fen, released_at)
         SELECT decision_id, sandbox_id, currency, amount_fen, $2 FROM reservations
         WHERE decision_id = $1
         RETURNING sandbox_id, currency, amount_fen",
    )
    .bind(decision_id)
    .bind(at(now))
    .fetch_optional(&mut *connection)
    .await?;
    let (sandbox, currency, amount) = row.ok_or_else(broken)?;
    let lowered: Option<(i64,)> = sqlx::query_as(
        "UPDATE sandbox_use SET used_fen = used_fen - $1
         WHERE sandbox_id = $2 AND currency = $3 AND used_fen >= $1 RETURNING used_fen",
    )
    .bind(amount)
    .bind(&sandbox)
    .bind(currency)
    .fetch_optional(&mut *connection)
    .await?;
    if lowered.is_some() {
        return Ok(());
    }
    release_of_trial(connection, (&sandbox, decision_id), now).await
}

/// Gives back what the offer reserved under a trial.
async fn release_of_trial(
    connection: &mut PgConnection,
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
    connection: &mut PgConnection,
    reason: &RefusalReason,
) -> Result<bool, StoreError> {
    let row: Option<(String,)> = sqlx::query_as(
        "INSERT INTO refusal_reasons (code, en, zh, active) VALUES ($1, $2, $3, $4)
         ON CONFLICT (code) DO NOTHING RETURNING code",
    )
    .bind(reason.code.as_str())
    .bind(text(&reason.en))
    .bind(text(&reason.zh))
    .bind(reason.active)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

#[derive(FromRow)]
struct ReviewRow {
    decision_id: String,
    step: i64,
    act: String,
    person: Option<String>,
    reason: Option<String>,
    note: String,
    version: Vec<u8>,
    inputs_sha256: Vec<u8>,
    model_sha256: Vec<u8>,
    settles: bool,
    reviewed_at: Timestamp,
}

impl ReviewRow {
    fn review(self) -> Result<Review, StoreError> {
        let wrong = || StoreError::Row { what: "review" };
        let hash = |bytes: &[u8]| Hash::from_slice(bytes).ok_or_else(wrong);
        let slug = |text: Option<String>| {
            let slug = text.map(|text| text.parse::<Slug>()).transpose();
            slug.map_err(|_| wrong())
        };
        Ok(Review {
            decision_id: self.decision_id,
            step: u32::try_from(self.step).map_err(|_| wrong())?,
            act: Act::of_word(&self.act).ok_or_else(wrong)?,
            person: slug(self.person)?,
            reason: slug(self.reason)?,
            note: self.note,
            version: hash(&self.version)?,
            inputs: hash(&self.inputs_sha256)?,
            model: hash(&self.model_sha256)?,
            settles: self.settles,
            at: self.reviewed_at.0,
        })
    }
}

#[derive(FromRow)]
struct ReasonRow {
    code: String,
    en: String,
    zh: String,
    active: bool,
}

impl ReasonRow {
    fn reason(self) -> Result<RefusalReason, StoreError> {
        let wrong = |_| StoreError::Row { what: "reason" };
        Ok(RefusalReason {
            code: self.code.parse().map_err(wrong)?,
            en: self.en,
            zh: self.zh,
            active: self.active,
        })
    }
}
