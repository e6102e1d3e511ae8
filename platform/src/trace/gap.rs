//! What devices of the organisations that held the goods kept back, as far as it touches a journey.

use schemas::ids::DeviceAddress;
use schemas::time::Instant;

use super::journey::Journey;

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
