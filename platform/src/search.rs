//! Search with proof: events by thing, by device, by time, and the bundle that proves what was
//! found (`GET /v1/events`, `GET /v1/bundles/...`, `platform prove`).
//!
//! Pages of results end at a statement where a device's chain is read, so a page may hold up to 255
//! events more than was asked for. A cursor names the last place read, not a number of rows: what is
//! stored meanwhile moves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use schemas::disclosure::Audience;
use schemas::gs1::ItemKey;
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::statement::Position;
use schemas::time::Instant;

use crate::bundle::{BundleError, Bundler, Choice, Chosen, Made};
use crate::store::search::{ChainPlace, FoundEvent, NamedPlace, Span};
use crate::store::{Store, StoreError, Stored};

/// Most events of a page.
pub const PAGE_MAX: u32 = 500;
/// Events of a page where nothing is said.
pub const PAGE: u32 = 100;
/// Most statements of a chain that one request reads; then it answers with what it has and a cursor.
pub const STATEMENTS_MAX: usize = 2_000;
/// Most statements of one bundle of a chain.
pub const CHAIN_MAX: usize = 20_000;
/// Statements read at once.
const STEP: u32 = 100;

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Events that name a thing: a lot, a serial, a shipping unit, a place, by its canonical key.
    Item(ItemKey),
    /// What a device has signed, in the order of its chain.
    Device(DeviceAddress),
    /// What all devices of an organisation have signed, device by device.
    Organisation(Slug),
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// In the events that name a thing.
    Item(NamedPlace),
    /// In a chain.
    Chain(DeviceAddress, ChainPlace),
}

/// Text that is no cursor of this search.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error("`after` is no cursor of this search")]
pub struct CursorError;

/// A page of what was found.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Events.
    pub events: Vec<FoundEvent>,
    /// Where to go on, if there may be more.
    pub next: Option<Cursor>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(at) => {
                write!(f, "i.{}.{}.{}", at.time.as_micros(), at.statement, at.place)
            }
            Self::Chain(device, at) => {
                let Position { epoch, seq } = at.position;
                write!(f, "c.{device}.{epoch}.{seq}.{}", at.statement)
            }
        }
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let parts: Vec<&str> = text.split('.').collect();
        let read = match parts[..] {
            ["i", time, statement, place] => item_cursor(time, statement, place),
            ["c", device, epoch, seq, statement] => chain_cursor(device, epoch, seq, statement),
            _ => None,
        };
        read.ok_or(CursorError)
    }
}

fn item_cursor(time: &str, statement: &str, place: &str) -> Option<Cursor> {
    Some(Cursor::Item(NamedPlace {
        time: Instant::from_micros(time.parse().ok()?),
        statement: statement.parse().ok()?,
        place: place.parse().ok()?,
    }))
}

fn chain_cursor(device: &str, epoch: &str, seq: &str, statement: &str) -> Option<Cursor> {
    let (epoch, seq) = (epoch.parse().ok()?, seq.parse().ok()?);
    let place = ChainPlace {
        position: Position { epoch, seq },
        statement: statement.parse().ok()?,
    };
    Some(Cursor::Chain(device.parse().ok()?, place))
}

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// Not a cursor of this search.
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

/// A page of events; at most about `limit`.
///
/// # Errors
/// [`SearchError`].
pub async fn search(
    store: &dyn Store,
    what: &What,
    span: &Span,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page, SearchError> {
    let limit = limit.clamp(1, PAGE_MAX);
    match (what, after) {
        (What::Item(item), None) => Ok(by_item(store, item, span, None, limit).await?),
        (What::Item(item), Some(Cursor::Item(at))) => {
            Ok(by_item(store, item, span, Some(at), limit).await?)
        }
        (What::Device(device), after) => {
            let after = chain_place(after, |of| of == device)?;
            let mut walk = Walk::new(store, span, limit);
            walk.device(device, after).await?;
            Ok(walk.page)
        }
        (What::Organisation(slug), after) => by_organisation(store, slug, span, after, limit).await,
        (What::Item(_), Some(Cursor::Chain(..))) => Err(CursorError.into()),
    }
}

fn chain_place(
    after: Option<&Cursor>,
    belongs: impl Fn(&DeviceAddress) -> bool,
) -> Result<Option<ChainPlace>, CursorError> {
    match after {
        None => Ok(None),
        Some(Cursor::Chain(device, place)) if belongs(device) => Ok(Some(*place)),
        Some(_) => Err(CursorError),
    }
}

async fn by_item(
    store: &dyn Store,
    item: &ItemKey,
    span: &Span,
    after: Option<&NamedPlace>,
    limit: u32,
) -> Stored<Page> {
    let places = store
        .places_naming(item.as_str(), span, after, limit)
        .await?;
    let statements: Vec<Hash> = places.iter().map(|place| place.statement).collect();
    let found = store.events_in(&statements).await?;
    let mut found: BTreeMap<(Hash, u64), FoundEvent> = found
        .into_iter()
        .map(|event| ((event.statement, event.place), event))
        .collect();
    let is_full = places.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = places.last().filter(|_| is_full).copied().map(Cursor::Item);
    let events = places
        .iter()
        .filter_map(|place| found.remove(&(place.statement, place.place)))
        .collect();
    Ok(Page { events, next })
}

async fn by_organisation(
    store: &dyn Store,
    organisation: &Slug,
    span: &Span,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page, SearchError> {
    let mut at = chain_place(after, |device| device.organisation == *organisation)?;
    let from = match after {
        Some(Cursor::Chain(device, _)) => Some(device.clone()),
        _ => None,
    };
    let mut walk = Walk::new(store, span, limit);
    // In our own order: that of a database's texts depends on its collation.
    let devices: BTreeSet<_> = store
        .devices(Some(organisation))
        .await?
        .into_iter()
        .collect();
    for device in devices {
        if from.as_ref().is_some_and(|from| device < *from) {
            continue;
        }
        let after = at.take().filter(|_| from.as_ref() == Some(&device));
        walk.device(&device, after).await?;
        if walk.page.next.is_some() {
            break;
        }
    }
    Ok(walk.page)
}

/// Reads chains until a page is full.
struct Walk<'a> {
    store: &'a dyn Store,
    span: &'a Span,
    limit: usize,
    read: usize,
    page: Page,
}

impl<'a> Walk<'a> {
    fn new(store: &'a dyn Store, span: &'a Span, limit: u32) -> Self {
        Self {
            store,
            span,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            read: 0,
            page: Page::default(),
        }
    }

    async fn device(
        &mut self,
        device: &DeviceAddress,
        mut after: Option<ChainPlace>,
    ) -> Stored<()> {
        loop {
            let places = self.store.chain_after(device, after.as_ref(), STEP).await?;
            let statements: Vec<Hash> = places.iter().map(|place| place.statement).collect();
            let mut events: BTreeMap<Hash, Vec<FoundEvent>> = BTreeMap::new();
            for event in self.store.events_in(&statements).await? {
                events.entry(event.statement).or_default().push(event);
            }
            for place in &places {
                let of = events.remove(&place.statement).unwrap_or_default();
                self.page
                    .events
                    .extend(of.into_iter().filter(|event| holds(self.span, event)));
                self.read += 1;
                if self.page.events.len() >= self.limit || self.read >= STATEMENTS_MAX {
                    self.page.next = Some(Cursor::Chain(device.clone(), *place));
                    return Ok(());
                }
            }
            after = places.last().copied();
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// An erased event has no time any more: it is found only where no time was asked for.
fn holds(span: &Span, event: &FoundEvent) -> bool {
    event.time.map_or(span.is_open(), |time| span.holds(time))
}

/// Sizes of the log between which a chain is read: entries from..below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// First log index.
    pub from: u64,
    /// Below this one.
    pub below: u64,
}

impl Bundler {
    /// A bundle of chosen events as an audience sees them; of none, every member is shown.
    ///
    /// # Errors
    /// [`BundleError`].
    pub async fn chosen(
        &self,
        events: &BTreeMap<Hash, BTreeSet<u64>>,
        audience: Option<Audience>,
    ) -> Result<Made, BundleError> {
        let mut choice = Choice::fresh();
        let rows = events.iter();
        choice.statements = rows
            .map(|(id, places)| (*id, Chosen::Places(places.clone())))
            .collect();
        self.make_seen_by(&choice, audience).await
    }

    /// A device's chain: every statement that the log took between two sizes, with all its events.
    /// For an audience only what the device's organisation answers for: what the platform signed for
    /// somebody else is theirs to show.
    ///
    /// # Errors
    /// [`BundleError::NotWitnessed`] if there is none, [`BundleError::TooMany`] above
    /// [`CHAIN_MAX`].
    pub async fn chain(
        &self,
        device: &DeviceAddress,
        sizes: Sizes,
        audience: Option<Audience>,
    ) -> Result<Made, BundleError> {
        let mut choice = Choice::fresh();
        let mut after = None;
        loop {
            let places = self.store.chain_after(device, after.as_ref(), STEP).await?;
            let Some(last) = places.last().copied() else {
                break;
            };
            let ids: Vec<Hash> = places.iter().map(|place| place.statement).collect();
            for (id, index) in self.store.log_indices(&ids).await? {
                if sizes.from <= index && index < sizes.below {
                    choice.add_statement(id);
                }
            }
            if choice.statements.len() > CHAIN_MAX {
                return Err(BundleError::TooMany(CHAIN_MAX));
            }
            after = Some(last);
        }
        if audience.is_some() {
            self.keep_own(&mut choice, &device.organisation).await?;
        }
        self.make_seen_by(&choice, audience).await
    }

    async fn make_seen_by(
        &self,
        choice: &Choice,
        audience: Option<Audience>,
    ) -> Result<Made, BundleError> {
        match audience {
            Some(audience) => self.make_for(choice, audience).await,
            None => self.make(choice, |_| false).await,
        }
    }
}
