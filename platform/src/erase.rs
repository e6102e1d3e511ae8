//! Erasure: content goes, proofs stay (DESIGN section 5, decision 0011).
//!
//! An eraser is not the service. On PostgreSQL it is a role of its own, which may remove content
//! and add tombstones and nothing else; on SQLite it is a session that overwrites what it removes.
//! It removes an event's bytes and salt, the columns that were derived from them, the copies in
//! captured documents with the jobs whose ids are hashes of these, the copies in quarantine, and
//! the counters of items that have no event left. Statement, leaf and every path over them stay.
//! The tombstone list that it leaves behind (`tombstones.md`) is put into the log by the notary.
//!
//! What a restored backup brings back is removed again, by the lists that the log names, before a
//! platform serves anything ([`settle`]).

mod postgres;
mod restored;
mod sqlite;

use std::collections::BTreeSet;

use async_trait::async_trait;
use schemas::gs1::ItemKey;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::log::Entry;
use schemas::time::Instant;
use schemas::tombstone::{LEAVES_MAX, TombstoneError, TombstoneList, list_hash};

pub use postgres::{GRANTS, PostgresEraser};
pub use restored::{again, settle};
pub use sqlite::SqliteEraser;

use crate::archive::{self, ArchiveError, Folder, Found, NewArchive, Part, Tombstones, Wanted};
use crate::config::Config;
use crate::store::{FILE, Month, Store, StoreError, Stored};

/// Environment variable of the eraser's address on PostgreSQL.
pub const ERASER_URL: &str = "DATABASE_ERASER_URL";

/// Nothing more was erased than what was said before.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The list cannot be made.
    #[error("the tombstone list cannot be made")]
    List(#[from] TombstoneError),
    /// A leaf that no statement of this platform has.
    #[error("no event of this platform has the leaf {0}; nothing was erased")]
    UnknownLeaf(Hash),
    /// Nothing was found.
    #[error("no event that is kept {0}; nothing was erased")]
    Nothing(String),
    /// The database is empty.
    #[error("this platform has no log yet")]
    NoLog,
    /// On PostgreSQL only the eraser's role may.
    #[error(
        "{0}: on PostgreSQL only the eraser's role may remove content: set {ERASER_URL} (make the role first, then run `platform migrate` with it set)"
    )]
    NoEraser(String),
    /// A list that the log names is lost.
    #[error(
        "log entry {index} names the tombstone list {hash}, which is neither in the database nor a file `log/tombstones/{hash}` in the data folder: fetch it from whoever has read /v1/tombstones, and put it there"
    )]
    ListMissing {
        /// Place in the log.
        index: u64,
        /// The list.
        hash: Hash,
    },
    /// An archive could not be read, or not be written without what was erased. The database holds
    /// the tombstones, so a repetition goes on.
    #[error("an archive may still hold what was erased: repeat this command")]
    Archive(#[from] ArchiveError),
    /// A file of the log.
    #[error("a tombstone list cannot be read or written beside the log")]
    File(#[from] std::io::Error),
}

/// What is to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Events by their leaves.
    Leaves(BTreeSet<Hash>),
    /// Every event that names a thing, and what quarantine and unsigned documents say of it.
    Item(ItemKey),
    /// A device's events with an event time from..=to; one without, by when it came.
    Device {
        /// Which.
        device: DeviceAddress,
        /// First instant.
        from: Instant,
        /// Last instant.
        to: Instant,
    },
}

impl What {
    /// For people, after "no event that is kept".
    fn words(&self) -> String {
        match self {
            Self::Leaves(_) => "has one of these leaves".to_owned(),
            Self::Item(item) => format!("names {item}"),
            Self::Device { device, .. } => format!("is of {device} in this time"),
        }
    }

    /// Spellings of the thing in messages and documents that were never taken apart.
    fn spellings(&self) -> Vec<String> {
        let Self::Item(item) = self else {
            return Vec::new();
        };
        let mut spellings = vec![item.to_string()];
        if let Some(identifier) = item.identifier() {
            let path = item.as_str().splitn(4, '/').nth(3).unwrap_or_default();
            spellings.extend([format!("/{path}"), identifier.element_string()]);
            // Nobody knows how many digits of it are the company's: every length is looked for.
            spellings.extend((6..=12).filter_map(|digits| identifier.urn(digits).ok()));
        }
        spellings.retain(|spelling| spelling.len() > 1);
        spellings
    }
}

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its leaf.
    pub leaf: Hash,
    /// Statement.
    pub statement: Hash,
    /// Place in it.
    pub position: u64,
}

/// A list on its way into the database.
#[derive(Clone, Debug)]
pub struct NewList {
    /// What it says.
    pub list: TombstoneList,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their SHA-256.
    pub hash: Hash,
    /// Place of its entry, where the log has it already.
    pub log_index: Option<u64>,
}

impl NewList {
    /// One that is kept as these bytes, with the place of its entry where the log has it.
    ///
    /// # Errors
    /// [`TombstoneError`] for bytes that are no list.
    pub fn kept(bytes: Vec<u8>, log_index: Option<u64>) -> Result<Self, TombstoneError> {
        Ok(Self {
            list: TombstoneList::parse(&bytes)?,
            hash: list_hash(&bytes),
            bytes,
            log_index,
        })
    }
}

/// Rows that were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Events whose bytes and salts are gone.
    pub events: u64,
    /// Rows by which things were found.
    pub items: u64,
    /// Documents of the capture interface.
    pub documents: u64,
    /// Messages in quarantine.
    pub messages: u64,
}

impl Removed {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.items += other.items;
        self.documents += other.documents;
        self.messages += other.messages;
    }
}

/// Who may remove content.
#[async_trait]
pub trait Eraser: Send {
    /// Its name in lists, unless another is given.
    fn name(&self) -> &str;
    /// Where the events stand, the erased ones too where they are asked for by leaf.
    async fn find(&mut self, what: &What) -> Stored<Vec<Place>>;
    /// Those of the leaves that have a tombstone.
    async fn erased(&mut self, leaves: &BTreeSet<Hash>) -> Stored<BTreeSet<Hash>>;
    /// Keeps the list and its tombstones and removes the content of every event with one of its
    /// leaves, and of messages and unsigned documents with one of the spellings. Repeated, it
    /// removes what has come back.
    async fn apply(&mut self, list: &NewList, spellings: &[String]) -> Stored<Removed>;
    /// All erased events.
    async fn tombstones(&mut self) -> Stored<Tombstones>;
    /// Archives that the database was told of.
    async fn archives(&mut self) -> Stored<BTreeSet<Part>>;
    /// Tells it of an archive that was written anew.
    async fn add_archive(&mut self, archive: &NewArchive) -> Stored<()>;
    /// Months under which statements are filed.
    async fn months(&mut self, statements: &BTreeSet<Hash>) -> Stored<BTreeSet<Month>>;
    /// Makes what was removed unreadable in the files of the database as far as this program can;
    /// says in words what is left to do.
    async fn clean(&mut self) -> Stored<String>;
}

/// The eraser of the engine that the configuration names.
///
/// # Errors
/// [`ErasureError::NoEraser`] on PostgreSQL without the eraser's address, or the store's.
pub async fn open(config: &Config, why: &str) -> Result<Box<dyn Eraser>, ErasureError> {
    match (&config.database, &config.eraser) {
        (None, _) => {
            let file = config.data.join(FILE);
            let name = config.organisation.as_str();
            Ok(Box::new(SqliteEraser::open(&file, name).await?))
        }
        (Some(_), Some(url)) => {
            let owner = config.owner.as_ref();
            Ok(Box::new(PostgresEraser::open(url, owner).await?))
        }
        (Some(_), None) => Err(ErasureError::NoEraser(why.to_owned())),
    }
}

/// An order to erase.
#[derive(Clone, Debug)]
pub struct Order {
    /// What.
    pub what: What,
    /// Reason code.
    pub reason: String,
    /// Who; the eraser's own name where none is given.
    pub by: Option<String>,
    /// Only look.
    pub dry_run: bool,
}

/// What an order led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Events that were to be erased, or would be.
    pub places: Vec<Place>,
    /// Of those asked for by leaf, erased before.
    pub before: u64,
    /// Lists that were made.
    pub lists: Vec<Hash>,
    /// What was removed.
    pub removed: Removed,
    /// What was done to the database's files, and what is left to do.
    pub cleaned: String,
    /// Archives that were written anew without what was erased.
    pub archives: Vec<String>,
}

/// Erases what the order names in a database of which nothing was archived. A second time it changes
/// nothing.
///
/// # Errors
/// [`ErasureError`]; an unknown leaf erases nothing at all.
pub async fn erase(
    eraser: &mut dyn Eraser,
    store: &dyn Store,
    order: &Order,
    now: Instant,
) -> Result<Outcome, ErasureError> {
    let places = eraser.find(&order.what).await?;
    erase_places(eraser, store, order, places, now).await
}

/// The same, also in the archives of a folder: what the order names is looked for in them, and every
/// file that holds an erased event is written anew without it.
///
/// # Errors
/// [`ErasureError`]; [`ErasureError::Archive`] where the database has forgotten and a file has not.
pub async fn erase_with_archives(
    eraser: &mut dyn Eraser,
    store: &dyn Store,
    order: &Order,
    now: Instant,
    folder: &Folder,
) -> Result<Outcome, ErasureError> {
    let mut places: BTreeSet<Place> = eraser.find(&order.what).await?.into_iter().collect();
    places.extend(archived(folder, &order.what)?);
    let statements: BTreeSet<Hash> = places.iter().map(|place| place.statement).collect();
    let places = places.into_iter().collect();
    let mut outcome = erase_places(eraser, store, order, places, now).await?;
    if order.dry_run {
        return Ok(outcome);
    }
    let trust = store.entries(0, 1).await?;
    let trust = trust.first().map(Vec::as_slice);
    let written = archive::forget(folder, &eraser.tombstones().await?, trust, now)?;
    for (part, file) in written {
        outcome.archives.push(part.name());
        let (hash, events) = (file.hash, file.manifest.events);
        let archive = NewArchive {
            hash,
            part,
            events,
            made: now,
        };
        eraser.add_archive(&archive).await?;
    }
    let months = eraser.months(&statements).await?;
    let here: BTreeSet<Part> = folder.parts()?.into_iter().collect();
    let known = eraser.archives().await?.into_iter();
    let mut missing = known.filter(|part| months.contains(&part.month) && !here.contains(part));
    match missing.next() {
        Some(part) => Err(ArchiveError::Missing(part.name()).into()),
        None => Ok(outcome),
    }
}

/// Events in archives that an order names; by leaf every event is found in the database.
fn archived(folder: &Folder, what: &What) -> Result<Vec<Place>, ErasureError> {
    let spellings = what.spellings();
    let wanted = match what {
        What::Leaves(_) => return Ok(Vec::new()),
        What::Item(item) => Wanted::Item {
            key: item.as_str(),
            spellings: &spellings,
        },
        What::Device { device, from, to } => Wanted::Device {
            device,
            from: *from,
            to: *to,
        },
    };
    let place = |found: Found| Place {
        leaf: found.leaf,
        statement: found.statement,
        position: found.position,
    };
    let found = archive::find(folder, &wanted)?;
    Ok(found.into_iter().map(place).collect())
}

async fn erase_places(
    eraser: &mut dyn Eraser,
    store: &dyn Store,
    order: &Order,
    mut places: Vec<Place>,
    now: Instant,
) -> Result<Outcome, ErasureError> {
    let log = log_of(store).await?;
    let leaves: BTreeSet<Hash> = places.iter().map(|place| place.leaf).collect();
    check_found(&order.what, &leaves)?;
    let before = eraser.erased(&leaves).await?;
    places.retain(|place| !before.contains(&place.leaf));
    let mut outcome = Outcome {
        before: before.len() as u64,
        places,
        ..Outcome::default()
    };
    let lists = lists(log, order, eraser.name(), &outcome.places, now)?;
    if order.dry_run {
        return Ok(outcome);
    }
    for list in &lists {
        let removed = eraser.apply(list, &order.what.spellings()).await?;
        outcome.removed.add(removed);
        outcome.lists.push(list.hash);
    }
    if lists.is_empty() && store.returned().await? > 0 {
        outcome.removed = again(eraser, store).await?;
    }
    if outcome.removed != Removed::default() {
        outcome.cleaned = eraser.clean().await?;
    }
    Ok(outcome)
}

fn check_found(what: &What, found: &BTreeSet<Hash>) -> Result<(), ErasureError> {
    if let What::Leaves(asked) = what
        && let Some(unknown) = asked.difference(found).next()
    {
        return Err(ErasureError::UnknownLeaf(*unknown));
    }
    if found.is_empty() {
        return Err(ErasureError::Nothing(what.words()));
    }
    Ok(())
}

/// Lists over the leaves, each within its limit.
fn lists(
    log: Hash,
    order: &Order,
    name: &str,
    places: &[Place],
    now: Instant,
) -> Result<Vec<NewList>, TombstoneError> {
    let leaves: BTreeSet<Hash> = places.iter().map(|place| place.leaf).collect();
    let leaves: Vec<Hash> = leaves.into_iter().collect();
    let list = |leaves: &[Hash]| {
        let list = TombstoneList {
            log,
            made: now,
            by: order.by.clone().unwrap_or_else(|| name.to_owned()),
            reason: order.reason.clone(),
            leaves: leaves.to_vec(),
        };
        NewList::kept(list.encode()?, None)
    };
    leaves.chunks(LEAVES_MAX).map(list).collect()
}

/// The log id that the first policy names.
async fn log_of(store: &dyn Store) -> Result<Hash, ErasureError> {
    let first = store.entries(0, 1).await?;
    match first.first().map(|entry| Entry::parse(entry)) {
        Some(Ok(Entry::Policy(policy))) => Ok(policy.log),
        _ => Err(ErasureError::NoLog),
    }
}

/// True if one of the salts stands in the bytes.
fn holds(bytes: &[u8], salts: &BTreeSet<[u8; 16]>) -> bool {
    bytes
        .windows(16)
        .any(|window| <[u8; 16]>::try_from(window).is_ok_and(|window| salts.contains(&window)))
}
