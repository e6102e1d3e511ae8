//! What devices of the organisations that held the goods kept back, as far as it touches a journey.

use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::statement::{ClockState, Position, Statement};
use schemas::time::Instant;

use super::TraceError;
use super::journey::Journey;
use crate::store::{ChainEvent, ChainLink, TraceStore};

/// Most gaps of one device that are looked at: the oldest count, a page names a few.
pub const MAX_GAPS: usize = 256;

/// The greatest `seq` that a format allows (`statement.md` section 1).
const MAX_SEQ: u64 = (1 << 53) - 1;

/// Why a stretch of a device's chain is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapKind {
    /// Statements between two known ones never came.
    Missing,
    /// The device began a new epoch: it had lost its state.
    Restarted,
    /// The device did not speak within its heartbeat.
    Silent,
    /// Two statements stand at one place of the chain.
    Forked,
    /// The device dropped events and signed that it did.
    Thinned,
}

impl GapKind {
    /// Of a chain event's kind. A kind that is not known is taken unfavourably.
    fn of(kind: &str) -> Self {
        match kind {
            "fork" => Self::Forked,
            "silent" => Self::Silent,
            "thinned" => Self::Thinned,
            _ => Self::Missing,
        }
    }
}

/// One gap of one device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Whose chain.
    pub device: DeviceAddress,
    /// Why.
    pub kind: GapKind,
    /// Last thing known before it; `None` when not known.
    pub from: Option<Instant>,
    /// First thing known after it; `None` while it is open.
    pub until: Option<Instant>,
}

impl Gap {
    /// True if the gap and the stretch `from..=until` share an instant; an unknown end of either
    /// is taken unfavourably, as reaching without limit.
    pub fn touches(&self, from: Instant, until: Option<Instant>) -> bool {
        let starts_in_time = self.from.zip(until).is_none_or(|(gap, end)| gap <= end);
        let ends_in_time = self.until.is_none_or(|gap| gap >= from);
        starts_in_time && ends_in_time
    }
}

/// Reads the open gaps of every device of the organisations that held the goods, and keeps those
/// that count against the journey (see [`during`]).
///
/// # Errors
/// When the store fails.
pub async fn read<S: TraceStore + ?Sized>(
    store: &S,
    journey: &Journey,
) -> Result<Vec<Gap>, TraceError> {
    let mut gaps = Vec::new();
    for organisation in journey.organisations() {
        for device in store.devices(Some(&organisation)).await? {
            let events = store.chain_events(Some(&device)).await?;
            for event in open(&events).into_iter().take(MAX_GAPS) {
                gaps.push(bounded(store, event).await?);
            }
        }
    }
    Ok(during(journey, &gaps))
}

/// Chain events that stand for something missing: all but what was filled since.
fn open(events: &[ChainEvent]) -> Vec<&ChainEvent> {
    let same = |a: &ChainEvent, b: &ChainEvent| {
        (a.epoch, a.from_seq, a.to_seq) == (b.epoch, b.from_seq, b.to_seq)
    };
    let closed: Vec<&ChainEvent> = events
        .iter()
        .filter(|event| event.kind == "gap-closed")
        .collect();
    let is_open = |event: &&ChainEvent| match event.kind.as_str() {
        "gap-closed" | "silence-ended" => false,
        "gap-opened" => !closed.iter().any(|other| same(other, event)),
        _ => true,
    };
    events.iter().filter(is_open).collect()
}

/// A gap with its widest plausible bounds: from when the statement before it was made to when the
/// statement after it came.
async fn bounded<S: TraceStore + ?Sized>(store: &S, event: &ChainEvent) -> Result<Gap, TraceError> {
    let device = &event.device;
    let first = Position {
        epoch: event.epoch,
        seq: event.from_seq,
    };
    let last = Position {
        epoch: event.epoch,
        seq: event.to_seq,
    };
    let start = match event.kind.as_str() {
        "gap-opened" if first.epoch > 0 && last.seq == 0 => link_at(store, device, first).await?,
        _ => None,
    };
    let kind = if start.is_some() {
        GapKind::Restarted
    } else {
        GapKind::of(&event.kind)
    };
    let next = store
        .links_after(device, Some(last), 1)
        .await?
        .into_iter()
        .next();
    let next = next.map(|link| link.received);
    let (from, until) = match (kind, start, first.seq.checked_sub(1)) {
        (GapKind::Silent, ..) => (
            link_at(store, device, first)
                .await?
                .map(|link| link.received),
            next,
        ),
        (_, Some(note), _) => (made(store, &note.prev).await?, Some(note.received)),
        (_, None, Some(seq)) => (
            made_at(store, device, Position { seq, ..first }).await?,
            next,
        ),
        (_, None, None) => (None, next),
    };
    Ok(Gap {
        device: device.clone(),
        kind,
        from,
        until,
    })
}

/// The statement at a place of a chain.
async fn link_at<S: TraceStore + ?Sized>(
    store: &S,
    device: &DeviceAddress,
    place: Position,
) -> Result<Option<ChainLink>, TraceError> {
    let before = match (place.epoch.checked_sub(1), place.seq.checked_sub(1)) {
        (_, Some(seq)) => Some(Position { seq, ..place }),
        (Some(epoch), None) => Some(Position {
            epoch,
            seq: MAX_SEQ,
        }),
        (None, None) => None,
    };
    let links = store.links_after(device, before, 1).await?;
    Ok(links.into_iter().find(|link| link.position == place))
}

async fn made_at<S: TraceStore + ?Sized>(
    store: &S,
    device: &DeviceAddress,
    place: Position,
) -> Result<Option<Instant>, TraceError> {
    match link_at(store, device, place).await? {
        Some(link) => made(store, &link.id).await,
        None => Ok(None),
    }
}

/// When a statement was made by its device's clock, if that was set, or came, whichever is earlier.
async fn made<S: TraceStore + ?Sized>(store: &S, id: &Hash) -> Result<Option<Instant>, TraceError> {
    let Some(kept) = store.statement(id).await? else {
        return Ok(None);
    };
    let payload = Statement::parse(kept.bytes).ok().map(|one| one.payload);
    let made = payload
        .filter(|one| one.clock != ClockState::Unknown)
        .map(|one| one.made);
    Ok(Some(
        made.map_or(kept.received, |made| made.min(kept.received)),
    ))
}

/// The gaps that count against a journey: of a device of an organisation, while that organisation
/// held the goods. Ordered by their start.
pub fn during(journey: &Journey, gaps: &[Gap]) -> Vec<Gap> {
    let counts = |gap: &&Gap| {
        journey.holders.iter().any(|holder| {
            holder.organisation == gap.device.organisation && gap.touches(holder.from, holder.until)
        })
    };
    let mut kept: Vec<Gap> = gaps.iter().filter(counts).cloned().collect();
    kept.sort_by(|a, b| (a.from, &a.device, a.kind).cmp(&(b.from, &b.device, b.kind)));
    kept.dedup();
    kept
}

#[cfg(test)]
mod tests {
    use schemas::key::SecretKey;
    use schemas::statement::{Note, Payload};

    use super::*;
    use crate::store::sqlite::SqliteStore;
    use crate::store::{IngestStore, NewStatement};
    use crate::trace::fixture::ready;

    fn event(kind: &str, from_seq: u64) -> ChainEvent {
        ChainEvent {
            device: "a/b".parse().unwrap(),
            kind: kind.to_owned(),
            epoch: 0,
            from_seq,
            to_seq: from_seq + 1,
            at: Instant::from_seconds(1),
            detail: String::new(),
        }
    }

    #[test]
    fn what_was_filled_is_no_gap() {
        let events = [
            event("gap-opened", 3),
            event("gap-opened", 9),
            event("gap-closed", 3),
        ];
        let open = open(&events);
        assert_eq!(open, [&events[1]]);
        assert_eq!(super::open(&[event("fork", 4)]).len(), 1);
    }

    const ADDRESS: &str = "qinghe/cold-1";

    fn seconds(seconds: i64) -> Instant {
        Instant::from_seconds(1_783_720_800 + seconds)
    }

    /// A note of [`ADDRESS`] that was made at a second and came one second later.
    fn note(epoch: u64, seq: u64, prev: Hash, made: i64) -> NewStatement {
        let key = SecretKey::from_seed(&[7; 32]);
        let position = Position { epoch, seq };
        let payload = Payload {
            log: Hash::ZERO,
            device: ADDRESS.parse().unwrap(),
            position,
            prev,
            made: seconds(made),
            clock: ClockState::Synced,
            seen: None,
            agent: "test/1".to_owned(),
            count: 0,
            root: Hash::ZERO,
            note: Some(match (epoch, seq) {
                (1.., 0) => Note::EpochStart {
                    text: String::new(),
                    last: Position {
                        epoch: epoch - 1,
                        seq: 0,
                    },
                    id: prev,
                },
                _ => Note::Heartbeat {
                    text: String::new(),
                },
            }),
        };
        let statement = Statement::sign(&key, payload);
        NewStatement {
            id: statement.id(),
            device: ADDRESS.parse().unwrap(),
            position,
            kid: statement.kid,
            prev,
            bytes: statement.bytes().to_vec(),
            received: seconds(made + 1),
            made: seconds(made),
            registry_version: 1,
            events: Vec::new(),
        }
    }

    #[test]
    fn a_gap_reaches_from_the_statement_before_it_to_the_one_after() {
        let folder = tempfile::tempdir().unwrap();
        ready(async {
            let store = SqliteStore::open(&folder.path().join("store.sqlite"))
                .await
                .unwrap();
            let zero = note(0, 0, Hash::ZERO, 0);
            let one = note(0, 1, zero.id, 10);
            let four = note(0, 4, Hash([9; 32]), 40);
            let again = note(1, 0, four.id, 90);
            store.commit(&[zero, one, four, again], &[]).await.unwrap();
            let event = |kind: &str, epoch, from_seq, to_seq| ChainEvent {
                device: ADDRESS.parse().unwrap(),
                kind: kind.to_owned(),
                epoch,
                from_seq,
                to_seq,
                at: seconds(200),
                detail: String::new(),
            };
            let of = async |event| {
                let gap = bounded(&store, &event).await.unwrap();
                (gap.kind, gap.from, gap.until)
            };
            let bounds = |from, until| (Some(seconds(from)), Some(seconds(until)));
            let (from, until) = bounds(10, 41);
            assert_eq!(
                of(event("gap-opened", 0, 2, 3)).await,
                (GapKind::Missing, from, until)
            );
            let (from, until) = bounds(41, 91);
            assert_eq!(
                of(event("silent", 0, 4, 4)).await,
                (GapKind::Silent, from, until)
            );
            let (from, until) = bounds(40, 91);
            assert_eq!(
                of(event("gap-opened", 1, 0, 0)).await,
                (GapKind::Restarted, from, until)
            );
            let open = (GapKind::Silent, Some(seconds(91)), None);
            assert_eq!(of(event("silent", 1, 0, 0)).await, open);
            assert_eq!(of(event("fork", 0, 0, 0)).await.0, GapKind::Forked);
        });
    }
}
