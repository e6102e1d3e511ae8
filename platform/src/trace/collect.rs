//! The walk: from an item to its events and those of the containers that it was in.

use std::collections::{BTreeMap, BTreeSet};

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::statement::Position;
use schemas::time::Instant;

use super::TraceError;
use super::event::{Action, View};
use super::item::Item;
use super::journey::Journey;
use super::stored::JourneySource;
use crate::disclosure::Rules;
use crate::store::StoredEvent;

/// Most levels of containers that are followed: piece, case, pallet, container, vehicle, and one.
pub const MAX_DEPTH: usize = 6;
/// Most containers of one level.
pub const MAX_CONTAINERS: usize = 64;
/// Most events of one level; beyond it the journey says that it is cut.
pub const MAX_EVENTS: u32 = 50_000;
/// Most ancestors whose names are looked up.
pub const MAX_ANCESTORS: usize = 32;

/// A stretch of time, half open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First instant inside.
    pub from: Instant,
    /// First instant outside; `None` for no end.
    pub until: Option<Instant>,
}

impl Span {
    const WHOLE: Self = Self {
        from: Instant::from_micros(i64::MIN),
        until: None,
    };

    /// True if the instant lies inside.
    pub fn holds(&self, at: Instant) -> bool {
        at >= self.from && self.until.is_none_or(|until| at < until)
    }

    fn cut(self, other: Self) -> Option<Self> {
        let until = match (self.until, other.until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let from = self.from.max(other.from);
        until
            .is_none_or(|until| from < until)
            .then_some(Self { from, until })
    }
}

/// The item, or a container while the item was in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// Canonical key.
    pub key: String,
    /// When it is followed.
    pub span: Span,
}

/// An event of the journey.
#[derive(Debug, Clone)]
pub struct Found {
    /// As stored.
    pub stored: StoredEvent,
    /// As read.
    pub view: View,
    /// The key that it names: the item's or that of a container.
    pub via: String,
}

/// Everything that the walk found.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// Events by leaf.
    pub events: BTreeMap<Hash, Found>,
    /// Containers in the order in which they were reached.
    pub containers: Vec<Followed>,
    /// Places of the statements of sensor events in their chains.
    pub positions: BTreeMap<Hash, Position>,
    /// A limit was reached: there may be more.
    pub truncated: bool,
}

struct Read {
    stored: StoredEvent,
    view: View,
}

/// Walks from `item` outwards, one query a level.
///
/// # Errors
/// When the store fails.
pub async fn gather<S: JourneySource + ?Sized>(
    source: &S,
    item: &Item,
) -> Result<Gathered, TraceError> {
    let mut gathered = Gathered::default();
    let mut frontier = vec![Followed {
        key: item.key().to_owned(),
        span: Span::WHOLE,
    }];
    for depth in 0..=MAX_DEPTH {
        let mut events = fetch(source, &frontier, &mut gathered.truncated).await?;
        if depth > 0 {
            close(&mut frontier, &events);
            gathered.containers.extend(frontier.iter().cloned());
        }
        let mut next = containers(&frontier, &events);
        gathered.truncated |=
            next.len() > MAX_CONTAINERS || (depth == MAX_DEPTH && !next.is_empty());
        next.truncate(MAX_CONTAINERS);
        keep(&mut gathered, &frontier, &mut events);
        if next.is_empty() {
            break;
        }
        frontier = next;
    }
    let measured = gathered
        .events
        .values()
        .filter(|one| !one.view.readings.is_empty());
    let statements: BTreeSet<Hash> = measured.map(|one| one.stored.statement).collect();
    let statements: Vec<Hash> = statements.into_iter().collect();
    gathered.positions = source.positions(&statements).await?;
    Ok(gathered)
}

async fn fetch<S: JourneySource + ?Sized>(
    source: &S,
    frontier: &[Followed],
    truncated: &mut bool,
) -> Result<Vec<Read>, TraceError> {
    let keys: BTreeSet<String> = frontier
        .iter()
        .map(|followed| followed.key.clone())
        .collect();
    let keys: Vec<String> = keys.into_iter().collect();
    let found = source.events_of_items(&keys, MAX_EVENTS).await?;
    *truncated |= found.len() >= MAX_EVENTS as usize;
    let accepted = found.into_iter().filter(|stored| stored.refused.is_none());
    Ok(accepted
        .filter_map(|stored| {
            let view = View::read(&stored.bytes, stored.leaf)?;
            Some(Read { stored, view })
        })
        .collect())
}

/// Ends a container's span where all its contents were taken out: a DELETE without children
/// (EPCIS 2.0 §7.4.3) names only the parent.
fn close(frontier: &mut [Followed], events: &[Read]) {
    let wrong = declared_wrong(events);
    for followed in frontier {
        let emptied = |read: &&Read| {
            empties(&read.view, &followed.key)
                && followed.span.holds(read.view.time.instant)
                && !wrong.contains(&read.stored.leaf)
        };
        let end = events
            .iter()
            .filter(emptied)
            .map(|read| read.view.time.instant)
            .min();
        followed.span.until = end.or(followed.span.until);
    }
}

/// True if the event takes everything out of this container.
fn empties(view: &View, container: &str) -> bool {
    view.action == Some(Action::Delete)
        && view.is_containment()
        && view.children.is_empty()
        && view.parent.as_deref() == Some(container)
}

/// The containers of the next level with the spans in which the followed things were in them.
fn containers(frontier: &[Followed], events: &[Read]) -> Vec<Followed> {
    let wrong = declared_wrong(events);
    let sound = events
        .iter()
        .filter(|read| !wrong.contains(&read.stored.leaf));
    let moves: Vec<&View> = sound
        .map(|read| &read.view)
        .filter(|view| view.is_containment())
        .collect();
    let mut next: Vec<Followed> = Vec::new();
    for followed in frontier {
        for container in of_child(followed, &moves) {
            if !next.contains(&container) {
                next.push(container);
            }
        }
    }
    next
}

/// Pairs each ADD of a child with the first later DELETE of it from the same parent.
fn of_child(followed: &Followed, moves: &[&View]) -> Vec<Followed> {
    let names = |view: &View| view.children.iter().any(|child| child.item == followed.key);
    let of = |action| {
        moves
            .iter()
            .filter(move |view| view.action == Some(action) && names(view))
            .copied()
    };
    of(Action::Add)
        .filter_map(|add| {
            let from = add.time.instant;
            let until = of(Action::Delete)
                .filter(|delete| delete.parent.is_none() || delete.parent == add.parent)
                .map(|delete| delete.time.instant)
                .filter(|at| *at >= from)
                .min();
            let span = followed.span.cut(Span { from, until })?;
            Some(Followed {
                key: add.parent.clone()?,
                span,
            })
        })
        .collect()
}

/// Moves the events that concern a followed thing, at its time, into the journey.
fn keep(gathered: &mut Gathered, frontier: &[Followed], events: &mut Vec<Read>) {
    for Read { stored, view } in events.drain(..) {
        let concerned = |followed: &&Followed| {
            let at = view.time.instant;
            (followed.span.holds(at) && concerns(&view, &followed.key))
                || (followed.span.until == Some(at) && empties(&view, &followed.key))
        };
        if let Some(via) = frontier
            .iter()
            .find(concerned)
            .map(|followed| followed.key.clone())
        {
            let leaf = stored.leaf;
            gathered
                .events
                .entry(leaf)
                .or_insert(Found { stored, view, via });
        }
    }
}

/// True if the event says something of the thing itself. What is put into or taken out of a
/// container beside it does not.
fn concerns(view: &View, key: &str) -> bool {
    let as_parent = view.parent.as_deref() == Some(key);
    let about_others = view.is_containment() && !view.children.is_empty();
    view.thing(key).is_some() || (as_parent && !about_others)
}

/// Leaves that do not count: error declarations and the events of the same organisation that they
/// declare wrong.
fn declared_wrong(events: &[Read]) -> BTreeSet<Hash> {
    let all = events.iter().map(|read| (&read.stored, &read.view));
    wrong_leaves(all.collect::<Vec<_>>().as_slice())
}

/// See [`gather`]: shared with the journey, which marks them.
pub fn wrong_leaves(events: &[(&StoredEvent, &View)]) -> BTreeSet<Hash> {
    let declarations: Vec<_> = events
        .iter()
        .filter(|(_, view)| view.error.is_some())
        .collect();
    let is_wrong = |stored: &StoredEvent, view: &View| {
        declarations.iter().any(|(declarer, declaration)| {
            declarer.leaf == stored.leaf || corrects((declarer, declaration), (stored, view))
        })
    };
    let wrong = events
        .iter()
        .filter(|(stored, view)| is_wrong(stored, view));
    wrong.map(|(stored, _)| stored.leaf).collect()
}

/// True if the first event declares the second wrong: same organisation, by keys of the same hand
/// (the operator cannot take back what a gateway has signed by declaring for somebody), and the same event by its
/// id as sent or by all that an error declaration repeats (EPCIS 2.0 §7.4.1.4).
pub fn corrects(first: (&StoredEvent, &View), second: (&StoredEvent, &View)) -> bool {
    let ((declarer, declaration), (stored, view)) = (first, second);
    declaration.error.is_some()
        && view.error.is_none()
        && declarer.device.organisation == stored.device.organisation
        && declarer.captured_for == stored.captured_for
        && ((declaration.id.is_some() && declaration.id == view.id)
            || declaration.fingerprint == view.fingerprint)
}

/// Looks up what the ancestors are called: one query, the first name found counts.
///
/// # Errors
/// When the store fails.
pub async fn name_ancestors<S: JourneySource + ?Sized>(
    source: &S,
    journey: &mut Journey,
    rules: &Rules,
) -> Result<(), TraceError> {
    let keys: Vec<String> = journey
        .ancestors
        .iter()
        .take(MAX_ANCESTORS)
        .map(|one| one.thing.item.clone())
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let found = source.events_of_items(&keys, MAX_EVENTS).await?;
    for stored in found.iter().filter(|stored| stored.refused.is_none()) {
        let Some(view) = View::read(&stored.bytes, stored.leaf) else {
            continue;
        };
        let hidden = rules.hide(stored.organisation(), view.step.as_deref(), "ilmd");
        if !view.names.is_empty() && !hidden {
            give_name(journey, &view, stored.organisation());
        }
    }
    Ok(())
}

fn give_name(journey: &mut Journey, view: &View, organisation: &Slug) {
    for ancestor in &mut journey.ancestors {
        let made = view
            .things
            .iter()
            .chain(&view.outputs)
            .any(|one| one.item == ancestor.thing.item);
        if made && ancestor.names.is_empty() {
            ancestor.names = view.names.clone();
            ancestor.organisation = Some(organisation.clone());
        }
    }
}
