//! The ledger on both engines, beside plain inserts of the same rows.

use std::sync::Arc;

use anyhow::{Context, Result};
use credit::store::{Postgres, Sqlite};
use kit::postgres::DatabaseUrl;
use serde::Serialize;
use sqlx::PgPool;

use super::ledger::{Measured, Outcome, Plain, measure};
use crate::parts::postgres::Postgres as Server;
use crate::progress::Progress;

/// Writers and entries a transaction of the figure that stands for all.
const SHAPE: (usize, usize) = (4, 100);
/// Postings of an entry in the mean.
const POSTINGS: f64 = 3.0;

/// Both engines.
#[derive(Debug, Clone, Serialize)]
pub struct Books {
    /// On SQLite.
    pub sqlite: Outcome,
    /// On PostgreSQL from Debian.
    pub postgresql: Outcome,
}

impl Books {
    /// Postings a second on PostgreSQL, four writers of a hundred entries a transaction.
    pub fn postings_per_second(&self) -> f64 {
        let mut shapes = self.postgresql.shapes.iter();
        let shape = shapes.find(|one| (one.writers, one.entries) == SHAPE);
        shape.map_or(f64::NAN, |one| one.ledger_per_second * POSTINGS)
    }

    /// The least ratio to plain inserts of all shapes on both engines.
    pub fn least_ratio(&self) -> f64 {
        let all = self.sqlite.shapes.iter().chain(&self.postgresql.shapes);
        all.map(|one| one.ratio).fold(f64::INFINITY, f64::min)
    }
}

/// Measures both.
pub async fn of_both_engines(progress: &mut Progress) -> Result<Books> {
    let mut told = |measured: &Measured| progress.done(&measured.to_string());
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("ledger.sqlite");
    let store = Arc::new(Sqlite::open(&file).await?);
    let sqlite = measure(store, &Plain::sqlite(&file).await?, &mut told).await?;
    let server = Server::start().context("PostgreSQL from Debian")?;
    let url = server.database("ledger")?;
    let address: DatabaseUrl = url.parse().map_err(anyhow::Error::msg)?;
    let store = Arc::new(Postgres::open(&address).await?);
    let plain = Plain::Postgres(PgPool::connect(&url).await?);
    let postgresql = measure(store, &plain, &mut told).await?;
    Ok(Books { sqlite, postgresql })
}
