//! Second factors on both engines: the statements are the same word by word, so they stand once.

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::super::factor::{FactorStore, KeptFactor};
use super::super::{StoreFailed, tables};
use super::{PostgresPeople, SqlitePeople, failed};
use crate::postgres::Timestamp;

const FACTOR: &str = "SELECT secret, enrolled, last_step, wrong FROM second_factors
    WHERE organisation = $1 AND name = $2";

const ADD: &str = "INSERT INTO second_factors
    (organisation, name, secret, enrolled, last_step, wrong) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (organisation, name) DO NOTHING RETURNING last_step";

const ADD_CODE: &str = "INSERT INTO recovery_codes (organisation, name, code) VALUES ($1, $2, $3)
    ON CONFLICT (organisation, name, code) DO NOTHING";

const USE_STEP: &str = "UPDATE second_factors SET last_step = $3, wrong = 0
    WHERE organisation = $1 AND name = $2 AND last_step < $3 RETURNING last_step";

const USE_CODE: &str = "UPDATE recovery_codes SET used = $4
    WHERE organisation = $1 AND name = $2 AND code = $3 AND used IS NULL RETURNING name";

const FORGET_WRONG: &str =
    "UPDATE second_factors SET wrong = 0 WHERE organisation = $1 AND name = $2";

const COUNT_WRONG: &str =
    "UPDATE second_factors SET wrong = wrong + 1 WHERE organisation = $1 AND name = $2";

const REMOVE: &str =
    "DELETE FROM second_factors WHERE organisation = $1 AND name = $2 RETURNING name";

const REMOVE_CODES: &str = "DELETE FROM recovery_codes WHERE organisation = $1 AND name = $2";

/// A row as both engines give it.
type Row = (Vec<u8>, Timestamp, i64, i64);

fn kept((secret, enrolled, last_step, wrong): Row) -> KeptFactor {
    KeptFactor {
        secret,
        enrolled: enrolled.0,
        last_step,
        wrong,
    }
}

macro_rules! factor_store {
    ($tables:ty) => {
        #[async_trait]
        impl FactorStore for $tables {
            async fn factor(
                &self,
                organisation: &Slug,
                name: &Slug,
            ) -> Result<Option<KeptFactor>, StoreFailed> {
                let row: Option<Row> = sqlx::query_as(FACTOR)
                    .bind(organisation.as_str())
                    .bind(name.as_str())
                    .fetch_optional(self.reads())
                    .await
                    .map_err(failed)?;
                Ok(row.map(kept))
            }

            async fn add_factor(
                &self,
                organisation: &Slug,
                name: &Slug,
                factor: &KeptFactor,
                codes: &[Hash],
            ) -> Result<bool, StoreFailed> {
                let mut transaction = self.begin_write().await.map_err(failed)?;
                let new: Option<(i64,)> = sqlx::query_as(ADD)
                    .bind(organisation.as_str())
                    .bind(name.as_str())
                    .bind(&factor.secret)
                    .bind(Self::at(factor.enrolled))
                    .bind(factor.last_step)
                    .bind(factor.wrong)
                    .fetch_optional(&mut *transaction)
                    .await
                    .map_err(failed)?;
                if new.is_none() {
                    return Ok(false);
                }
                for code in codes {
                    sqlx::query(ADD_CODE)
                        .bind(organisation.as_str())
                        .bind(name.as_str())
                        .bind(code.0.to_vec())
                        .execute(&mut *transaction)
                        .await
                        .map_err(failed)?;
                }
                transaction.commit().await.map_err(failed)?;
                Ok(true)
            }

            async fn use_step(
                &self,
                organisation: &Slug,
                name: &Slug,
                step: i64,
            ) -> Result<bool, StoreFailed> {
                let taken: Option<(i64,)> = sqlx::query_as(USE_STEP)
                    .bind(organisation.as_str())
                    .bind(name.as_str())
                    .bind(step)
                    .fetch_optional(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(taken.is_some())
            }

            async fn use_recovery(
                &self,
                organisation: &Slug,
                name: &Slug,
                code: &Hash,
                at: Instant,
            ) -> Result<bool, StoreFailed> {
                let taken: Option<(String,)> = sqlx::query_as(USE_CODE)
                    .bind(organisation.as_str())
                    .bind(name.as_str())
                    .bind(code.0.to_vec())
                    .bind(Self::at(at))
                    .fetch_optional(self.writes())
                    .await
                    .map_err(failed)?;
                if taken.is_some() {
                    self.on_factor(FORGET_WRONG, organisation, name).await?;
                }
                Ok(taken.is_some())
            }

            async fn count_wrong(
                &self,
                organisation: &Slug,
                name: &Slug,
            ) -> Result<(), StoreFailed> {
                self.on_factor(COUNT_WRONG, organisation, name).await
            }

            async fn remove_factor(
                &self,
                organisation: &Slug,
                name: &Slug,
            ) -> Result<bool, StoreFailed> {
                let mut transaction = self.begin_write().await.map_err(failed)?;
                let gone: Option<(String,)> = sqlx::query_as(REMOVE)
                    .bind(organisation.as_str())
                    .bind(name.as_str())
                    .fetch_optional(&mut *transaction)
                    .await
                    .map_err(failed)?;
                sqlx::query(REMOVE_CODES)
                    .bind(organisation.as_str())
                    .bind(name.as_str())
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed)?;
                transaction.commit().await.map_err(failed)?;
                Ok(gone.is_some())
            }
        }

        impl $tables {
            async fn on_factor(
                &self,
                statement: &'static str,
                organisation: &Slug,
                name: &Slug,
            ) -> Result<(), StoreFailed> {
                sqlx::query(statement)
                    .bind(organisation.as_str())
                    .bind(name.as_str())
                    .execute(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(())
            }
        }
    };
}

factor_store!(SqlitePeople);
factor_store!(PostgresPeople);

#[async_trait]
impl<T: tables::KeepsPeople> FactorStore for T {
    async fn factor(
        &self,
        organisation: &Slug,
        name: &Slug,
    ) -> Result<Option<KeptFactor>, StoreFailed> {
        self.tables().factor(organisation, name).await
    }

    async fn add_factor(
        &self,
        organisation: &Slug,
        name: &Slug,
        factor: &KeptFactor,
        codes: &[Hash],
    ) -> Result<bool, StoreFailed> {
        let tables = self.tables();
        tables.add_factor(organisation, name, factor, codes).await
    }

    async fn use_step(
        &self,
        organisation: &Slug,
        name: &Slug,
        step: i64,
    ) -> Result<bool, StoreFailed> {
        self.tables().use_step(organisation, name, step).await
    }

    async fn use_recovery(
        &self,
        organisation: &Slug,
        name: &Slug,
        code: &Hash,
        at: Instant,
    ) -> Result<bool, StoreFailed> {
        let tables = self.tables();
        tables.use_recovery(organisation, name, code, at).await
    }

    async fn count_wrong(&self, organisation: &Slug, name: &Slug) -> Result<(), StoreFailed> {
        self.tables().count_wrong(organisation, name).await
    }

    async fn remove_factor(&self, organisation: &Slug, name: &Slug) -> Result<bool, StoreFailed> {
        self.tables().remove_factor(organisation, name).await
    }
}
