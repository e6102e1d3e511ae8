//! PostgreSQL 15 or later: a pool of sessions, synchronous commit, up to a thousand rows a
//! statement through `unnest`.
//!
//! Written for one server and for a distributed one alike (`GUIDE.md`, "SQL"): every conflict target
//! holds the column that its table is spread by, joins stay within one spread, nothing rests on the
//! server's clock, sequences, triggers or advisory locks. Where two transactions may wait for each
//! other or cannot be put into one order, they are tried again.

mod batches;
mod captures;
mod chains;
mod consents;
mod copy;
mod erasure;
mod handed;
mod ingest;
mod log;
mod readers;
mod registry;
mod search;
mod trace;

use kit::people::tables::{KeepsPeople, PostgresPeople};
use kit::postgres::{Attempts, DatabaseUrl, Timestamp};
use schemas::time::Instant;
use sqlx::PgPool;
use sqlx::migrate::Migrator;

use super::convert::{address, hash, narrow, signed, source, unsigned};
use super::tables::PRIVILEGES;
use super::{StoreError, Stored};

/// Rows of one statement.
const ROWS: usize = 1_000;

/// The platform's store in a PostgreSQL database.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: PgPool,
}

fn migrator() -> Migrator {
    sqlx::migrate!("migrations/postgres")
}

impl PostgresStore {
    /// Enters the database. Where the role owns the tables they are brought up to date; else they
    /// must be this program's already.
    ///
    /// # Errors
    /// [`StoreError::Connect`], [`StoreError::Schema`], [`StoreError::Database`].
    pub async fn open(url: &DatabaseUrl) -> Stored<Self> {
        let pool = kit::postgres::open(url, &migrator()).await?;
        Ok(Self { pool })
    }

    /// Brings the tables up to date as their owner, and gives `role` what a service needs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn migrate(owner: &DatabaseUrl, role: Option<&str>) -> Stored<()> {
        let role = role.map(|role| (role, &PRIVILEGES));
        Ok(kit::postgres::migrate(owner, &migrator(), role).await?)
    }

    /// Gives the eraser's role what it needs, as the owner of the tables; it must be no other role's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn let_erase(owner: &DatabaseUrl, role: &str) -> Stored<()> {
        let grants = &crate::erase::GRANTS;
        Ok(kit::postgres::allow(owner, role, grants).await?)
    }

    /// The version of the schema that is there, or what is wrong with it and whether this role may
    /// mend that. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be entered.
    pub async fn schema(
        url: &DatabaseUrl,
    ) -> Stored<Result<i64, (bool, kit::postgres::SchemaError)>> {
        let mut connection = kit::postgres::connect_once(url).await?;
        let owner = kit::postgres::is_owner(&mut connection)
            .await
            .map_err(StoreError::Schema)?;
        let found = kit::postgres::verify(&mut connection, &migrator()).await;
        sqlx::Connection::close(connection).await?;
        let newest = migrator().iter().map(|one| one.version).max();
        Ok(match found {
            Ok(()) => Ok(newest.unwrap_or(0)),
            Err(error) => Err((owner, error)),
        })
    }

    /// Closes every session; what was acknowledged is on disk already.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl KeepsPeople for PostgresStore {
    type Tables = PostgresPeople;

    fn tables(&self) -> PostgresPeople {
        PostgresPeople(self.pool.clone())
    }
}

/// Tries an idempotent transaction again as long as the database asks for it.
async fn retried<T, F: Future<Output = Stored<T>>>(attempt: impl Fn() -> F) -> Stored<T> {
    let mut attempts = Attempts::default();
    loop {
        match attempt().await {
            Err(StoreError::Database(error)) if attempts.again(&error) => {
                metrics::counter!("tracebond_database_retries_total").increment(1);
            }
            outcome => return outcome,
        }
    }
}

const fn at(instant: Instant) -> Timestamp {
    Timestamp(instant)
}

/// Texts of which a stranger chose some, as PostgreSQL can hold them.
fn texts<'t>(texts: impl IntoIterator<Item = &'t String>) -> Vec<String> {
    let kept = texts.into_iter();
    kept.map(|text| kit::postgres::text(text).into_owned())
        .collect()
}

/// One column of rows, to be bound as an array.
fn column<'r, R, T>(rows: &'r [R], of: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}
