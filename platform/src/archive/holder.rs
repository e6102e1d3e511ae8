//! Who holds content in a database, as whoever owns its tables sees it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use schemas::event::Salt;
use schemas::hash::Hash;
use schemas::time::Instant;

use super::postgres::PostgresHolder;
use super::sqlite::SqliteHolder;
use super::{ArchiveError, Part, Tombstones};
use crate::config::Config;
use crate::store::{FILE, Month, Stored};

/// A file that the database is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewArchive {
    /// SHA-256 of its manifest line.
    pub hash: Hash,
    /// Which file.
    pub part: Part,
    /// Events with content in it.
    pub events: u64,
    /// When that was noticed.
    pub made: Instant,
}

/// What left the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Events whose content is gone from it.
    pub events: u64,
    /// True if whole partitions went; else rows.
    pub whole: bool,
}

/// An event that comes back.
#[derive(Clone, Debug)]
pub struct Returning {
    /// Statement.
    pub statement: Hash,
    /// Place in it.
    pub position: u64,
    /// Whose.
    pub organisation: String,
    /// As signed.
    pub bytes: Vec<u8>,
    /// Its salt.
    pub salt: Salt,
    /// Derived: event time.
    pub event_time: Option<Instant>,
    /// Derived: step.
    pub step: Option<String>,
    /// Derived: things that it names, with role; none of a refused event.
    pub items: Vec<(String, &'static str)>,
}

/// A database's content by months.
#[async_trait]
pub trait Holder: Send {
    /// Months before this one that have content, rising.
    async fn months(&mut self, before: Month) -> Stored<Vec<Month>>;
    /// Statements that have content in a month.
    async fn statements(&mut self, month: Month) -> Stored<BTreeSet<Hash>>;
    /// All erased events.
    async fn tombstones(&mut self) -> Stored<Tombstones>;
    /// Files that the database was told of.
    async fn archives(&mut self) -> Stored<BTreeSet<Part>>;
    /// Tells it of a file; a repetition changes nothing.
    async fn add(&mut self, archive: &NewArchive) -> Stored<()>;
    /// Removes the content that these statements have in a month, and remembers what it named, in
    /// one transaction; `None` and nothing is changed where the number of erased events is no more
    /// `tombstones`: a file may hold what was erased meanwhile.
    async fn remove(
        &mut self,
        month: Month,
        statements: &BTreeSet<Hash>,
        tombstones: usize,
    ) -> Stored<Option<Removed>>;
    /// Puts content back where it is missing, in one transaction; `None` as in [`Holder::remove`].
    async fn put_back(&mut self, events: &[Returning], tombstones: usize) -> Stored<Option<u64>>;
    /// Gives room back that the removed rows had, as far as this program can.
    async fn clean(&mut self) -> Stored<()>;
}

/// The holder of the engine that the configuration names.
///
/// # Errors
/// [`ArchiveError::NoOwner`] on PostgreSQL where this role does not own the tables, or the store's.
pub async fn open(config: &Config) -> Result<Box<dyn Holder>, ArchiveError> {
    let Some(service) = &config.database else {
        let file = config.data.join(FILE);
        return Ok(Box::new(SqliteHolder::open(&file).await?));
    };
    let owner = config.owner.as_ref().unwrap_or(service);
    let holder = PostgresHolder::open(owner).await?;
    Ok(Box::new(holder.ok_or(ArchiveError::NoOwner)?))
}
