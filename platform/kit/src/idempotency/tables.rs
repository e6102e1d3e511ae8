//! Kept answers on both engines, in the table `kept_answers`: the statements are the same word by
//! word.

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::time::Instant;

use super::{Answer, AnswerStore, Kept, Place};
use crate::people::StoreFailed;
use crate::people::tables::{KeepsPeople, PostgresPeople, SqlitePeople, Unreadable, failed};
use crate::postgres::Timestamp;

const BEGIN: &str = "INSERT INTO kept_answers (actor, idempotency, request, began)
    VALUES ($1, $2, $3, $4) ON CONFLICT (actor, idempotency) DO NOTHING RETURNING actor";

const KEPT: &str = "SELECT request, began, status, headers, body FROM kept_answers
    WHERE actor = $1 AND idempotency = $2";

const TAKE_OVER: &str = "UPDATE kept_answers SET began = $4
    WHERE actor = $1 AND idempotency = $2 AND began = $3 AND status IS NULL RETURNING actor";

const FINISH: &str = "UPDATE kept_answers SET status = $4, headers = $5, body = $6
    WHERE actor = $1 AND idempotency = $2 AND began = $3 AND status IS NULL";

const FREE: &str = "DELETE FROM kept_answers WHERE actor = $1 AND idempotency = $2 AND began = $3";

const END: &str = "DELETE FROM kept_answers WHERE began < $1";

/// A place that is emptied between two statements is looked for again this often.
const LOOKS: usize = 3;

type Row = (
    Vec<u8>,
    Timestamp,
    Option<i64>,
    Option<String>,
    Option<Vec<u8>>,
);

fn kept((request, began, status, headers, body): Row) -> Result<Kept, StoreFailed> {
    let unreadable = || failed(Unreadable("answer"));
    let answer = match (status, headers, body) {
        (None, None, None) => None,
        (Some(status), Some(headers), Some(body)) => Some(Answer {
            status: u16::try_from(status).map_err(|_| unreadable())?,
            headers: serde_json::from_str(&headers).map_err(failed)?,
            body,
        }),
        _ => return Err(unreadable()),
    };
    Ok(Kept {
        request: Hash::from_slice(&request).ok_or_else(unreadable)?,
        began: began.0,
        answer,
    })
}

macro_rules! answer_store {
    ($tables:ty) => {
        #[async_trait]
        impl AnswerStore for $tables {
            async fn begin(
                &self,
                place: &Place,
                request: &Hash,
                now: Instant,
            ) -> Result<Option<Kept>, StoreFailed> {
                for _ in 0..LOOKS {
                    let new: Option<(String,)> = sqlx::query_as(BEGIN)
                        .bind(&place.actor)
                        .bind(place.key.0.to_vec())
                        .bind(request.0.to_vec())
                        .bind(Self::at(now))
                        .fetch_optional(self.writes())
                        .await
                        .map_err(failed)?;
                    if new.is_some() {
                        return Ok(None);
                    }
                    let row: Option<Row> = sqlx::query_as(KEPT)
                        .bind(&place.actor)
                        .bind(place.key.0.to_vec())
                        .fetch_optional(self.writes())
                        .await
                        .map_err(failed)?;
                    if let Some(row) = row {
                        return kept(row).map(Some);
                    }
                }
                Err(failed(Unreadable("answer")))
            }

            async fn take_over(
                &self,
                place: &Place,
                began: Instant,
                now: Instant,
            ) -> Result<bool, StoreFailed> {
                let taken: Option<(String,)> = sqlx::query_as(TAKE_OVER)
                    .bind(&place.actor)
                    .bind(place.key.0.to_vec())
                    .bind(Self::at(began))
                    .bind(Self::at(now))
                    .fetch_optional(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(taken.is_some())
            }

            async fn finish(
                &self,
                place: &Place,
                began: Instant,
                answer: &Answer,
            ) -> Result<(), StoreFailed> {
                let headers = serde_json::to_string(&answer.headers).map_err(failed)?;
                sqlx::query(FINISH)
                    .bind(&place.actor)
                    .bind(place.key.0.to_vec())
                    .bind(Self::at(began))
                    .bind(i64::from(answer.status))
                    .bind(headers)
                    .bind(&answer.body)
                    .execute(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(())
            }

            async fn free(&self, place: &Place, began: Instant) -> Result<(), StoreFailed> {
                sqlx::query(FREE)
                    .bind(&place.actor)
                    .bind(place.key.0.to_vec())
                    .bind(Self::at(began))
                    .execute(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(())
            }

            async fn end_answers(&self, before: Instant) -> Result<(), StoreFailed> {
                sqlx::query(END)
                    .bind(Self::at(before))
                    .execute(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(())
            }
        }
    };
}

answer_store!(SqlitePeople);
answer_store!(PostgresPeople);

#[async_trait]
impl<T: KeepsPeople> AnswerStore for T {
    async fn begin(
        &self,
        place: &Place,
        request: &Hash,
        now: Instant,
    ) -> Result<Option<Kept>, StoreFailed> {
        self.tables().begin(place, request, now).await
    }

    async fn take_over(
        &self,
        place: &Place,
        began: Instant,
        now: Instant,
    ) -> Result<bool, StoreFailed> {
        self.tables().take_over(place, began, now).await
    }

    async fn finish(
        &self,
        place: &Place,
        began: Instant,
        answer: &Answer,
    ) -> Result<(), StoreFailed> {
        self.tables().finish(place, began, answer).await
    }

    async fn free(&self, place: &Place, began: Instant) -> Result<(), StoreFailed> {
        self.tables().free(place, began).await
    }

    async fn end_answers(&self, before: Instant) -> Result<(), StoreFailed> {
        self.tables().end_answers(before).await
    }
}
