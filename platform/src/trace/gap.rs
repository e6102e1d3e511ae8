//! What devices of the organisations that held the goods kept back, as far as it touches a journey.

use schemas::ids::DeviceAddress;
use schemas::statement::{Position, Statement};
use schemas::time::Instant;

use super::TraceError;
use super::journey::Journey;
use crate::store::{ChainEvent, ChainLink, TraceStore};

/// Most gaps of one device that are looked at: the oldest count, a page names a few.
pub const MAX_GAPS: usize = 256;

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
            "epoch" | "epoch-start" | "restarted" => Self::Restarted,
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
        "gap-closed" => false,
        "gap-opened" => !closed.iter().any(|other| same(other, event)),
        _ => true,
    };
    events.iter().filter(is_open).collect()
}

/// A gap with its widest plausible bounds: from when the statement before it was made to when the
/// statement after it came. Where a device was silent, from and until when that was noticed.
async fn bounded<S: TraceStore + ?Sized>(store: &S, event: &ChainEvent) -> Result<Gap, TraceError> {
    let kind = GapKind::of(&event.kind);
    let (from, until) = if kind == GapKind::Silent {
        (Some(event.at), Some(event.at))
    } else {
        let after = Position {
            epoch: event.epoch,
            seq: event.to_seq,
        };
        let next = store.links_after(&event.device, Some(after), 1).await?;
        (
            made_before(store, event).await?,
            next.first().map(|link| link.received),
        )
    };
    Ok(Gap {
        device: event.device.clone(),
        kind,
        from,
        until,
    })
}

/// When the last statement before the gap was made; `None` when there is none in its epoch.
async fn made_before<S: TraceStore + ?Sized>(
    store: &S,
    event: &ChainEvent,
) -> Result<Option<Instant>, TraceError> {
    let Some(seq) = event.from_seq.checked_sub(1) else {
        return Ok(None);
    };
    let before = seq.checked_sub(1).map(|seq| Position {
        epoch: event.epoch,
        seq,
    });
    // Without a place before it, the walk starts at the beginning of all epochs.
    let links = match before {
        None if event.epoch > 0 => Vec::new(),
        place => store.links_after(&event.device, place, 1).await?,
    };
    let wanted = Position {
        epoch: event.epoch,
        seq,
    };
    let Some(ChainLink { id, received, .. }) =
        links.into_iter().find(|link| link.position == wanted)
    else {
        return Ok(None);
    };
    let kept = store.statement(&id).await?;
    let made = kept
        .and_then(|kept| Statement::parse(kept.bytes).ok())
        .map(|one| one.payload.made);
    Ok(made.map(|made| made.min(received)))
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
    use super::*;

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
}
