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
pub use sqlite::SqliteEraser;

use crate::anchor::tiles::Tiles;
use crate::config::Config;
use crate::store::{FILE, Store, StoreError, Stored};

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
}

/// Erases what the order names. A second time it changes nothing.
///
/// # Errors
/// [`ErasureError`]; an unknown leaf erases nothing at all.
pub async fn erase(
    eraser: &mut dyn Eraser,
    store: &dyn Store,
    order: &Order,
    now: Instant,
) -> Result<Outcome, ErasureError> {
    let log = log_of(store).await?;
    let mut places = eraser.find(&order.what).await?;
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

/// Removes again what has tombstones and is there all the same, by the lists in the database.
///
/// # Errors
/// [`ErasureError`].
pub async fn again(eraser: &mut dyn Eraser, store: &dyn Store) -> Result<Removed, ErasureError> {
    let mut removed = Removed::default();
    let logged = store.tombstone_lists().await?.into_iter();
    let logged = logged.map(|list| (list.hash, Some(list.log_index)));
    let waiting = store.unlogged().await?.into_iter();
    let waiting = waiting.map(|document| (document.hash, None));
    for (hash, log_index) in logged.chain(waiting) {
        // Other documents wait for the log, too.
        if let Some(bytes) = store.tombstone_list(&hash).await? {
            let list = NewList::kept(bytes, log_index)?;
            removed.add(eraser.apply(&list, &[]).await?);
        }
    }
    Ok(removed)
}

/// True if one of the salts stands in the bytes.
fn holds(bytes: &[u8], salts: &BTreeSet<[u8; 16]>) -> bool {
    bytes
        .windows(16)
        .any(|window| <[u8; 16]>::try_from(window).is_ok_and(|window| salts.contains(&window)))
}

/// Compares the log's tombstone entries with the database, before anything is served: a list that
/// the database lost is read from the file beside the log, and content that came back is removed.
///
/// # Errors
/// [`ErasureError`]: the platform must not start.
pub async fn settle(config: &Config, store: &dyn Store, tiles: &Tiles) -> Result<(), ErasureError> {
    let lost = lost_lists(store, tiles).await?;
    let returned = store.returned().await?;
    if lost.is_empty() && returned == 0 {
        return Ok(());
    }
    let why = format!(
        "{returned} rows of erased content are back and {} tombstone lists are lost (a restored backup?)",
        lost.len()
    );
    let mut eraser = open(config, &why).await?;
    let mut removed = Removed::default();
    for list in &lost {
        removed.add(eraser.apply(list, &[]).await?);
    }
    removed.add(again(&mut *eraser, store).await?);
    let cleaned = eraser.clean().await?;
    tracing::warn!(
        events = removed.events,
        items = removed.items,
        documents = removed.documents,
        messages = removed.messages,
        lists = lost.len(),
        cleaned,
        "a backup had brought erased content back; it was erased again"
    );
    Ok(())
}

/// Lists that the log names and the database does not have, from their files; of the others the
/// file is written where it is missing.
async fn lost_lists(store: &dyn Store, tiles: &Tiles) -> Result<Vec<NewList>, ErasureError> {
    let known = store.tombstone_lists().await?;
    let known: BTreeSet<Hash> = known.iter().map(|list| list.hash).collect();
    let mut lost = Vec::new();
    for (index, entry) in store.tombstone_entries().await? {
        let Ok(Entry::Tombstones { hash, .. }) = Entry::parse(&entry) else {
            return Err(StoreError::Corrupt("log entry").into());
        };
        let file = tiles.tombstones(&hash)?;
        let file = file.filter(|bytes| list_hash(bytes) == hash);
        let row = store.tombstone_list(&hash).await?;
        let bytes = match (row, file) {
            (Some(bytes), Some(_)) => bytes,
            (Some(bytes), None) => {
                tiles.publish_tombstones(&hash, &bytes)?;
                bytes
            }
            (None, Some(bytes)) => bytes,
            (None, None) => return Err(ErasureError::ListMissing { index, hash }),
        };
        if !known.contains(&hash) {
            lost.push(NewList::kept(bytes, Some(index))?);
        }
    }
    Ok(lost)
}
