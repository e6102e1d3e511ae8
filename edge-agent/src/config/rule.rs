//! What `[[rule]]` sections make of readings and of scanned codes. A rule belongs to one source:
//! [`super::Config`] holds it there, so that nothing is looked up while the agent runs.

pub(super) mod raw;

use std::time::Duration;

use rust_decimal::Decimal;

use crate::compose::line::Action;
use crate::compose::presence::Direction;

/// Most rules of one configuration.
pub const RULES_MAX: usize = 256;
/// Most readings of one series that wait for an event: a window may not be longer, and is cut
/// where a device sends more than its interval says.
pub const READINGS_WAITING_MAX: usize = 4_096;
/// Most percentiles of one window.
pub const PERCENTILES_MAX: usize = 4;
/// Most codes of one packing or recipe.
pub const SCANS_MAX: usize = 500;
/// Most inputs, and most outputs, that a recipe names.
pub const PARTS_MAX: usize = 64;

/// How the readings of a series are told: each reading once, by one of these.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Telemetry {
    /// All of them, some in each event.
    #[default]
    Batch,
    /// What they come to over a stretch of time.
    Window(WindowRule),
    /// Those by which the value moved; what they come to in between.
    DeadBand(DeadBandRule),
}

/// Windows of one length, one after the other, from midnight of the device's time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowRule {
    /// 1 second to a day.
    pub length: Duration,
    /// What is told of it, at least one.
    pub figures: Vec<Figure>,
}

/// What is told of a window (EPCIS 2.0 section 7.3.7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// `value` and `time`: the newest reading, a sample.
    Last,
    /// `meanValue`: arithmetic mean, to six decimals.
    Mean,
    /// `minValue`.
    Min,
    /// `maxValue`.
    Max,
    /// `sDev`: standard deviation of just these readings (divided by their number), to six
    /// decimals.
    Deviation,
    /// `percRank` and `percValue`: the smallest reading that so many percent do not exceed
    /// (nearest rank, never interpolated), 1 to 100.
    Percentile(u8),
}

/// Only what moved is told.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadBandRule {
    /// A reading is told when it differs from the last told one by more than this.
    pub band: f64,
    /// And at least so often.
    pub every: Duration,
}

/// Readings beyond the series' alarm limits, as one happening with begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExcursionRule {
    /// Consecutive readings beyond the limits that begin it, at least 1.
    pub begin_after: u32,
    /// Consecutive readings within the limits that end it, at least 1.
    pub end_after: u32,
}

/// What the scans of bare codes mean at one source.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanRule {
    /// Names it in messages.
    pub name: String,
    /// Command code that chooses this rule; the first of a source's rules holds until one is
    /// chosen.
    pub select: Option<String>,
    /// CBV business step, bare.
    pub step: String,
    /// CBV disposition, bare.
    pub disposition: Option<String>,
    /// Canonical Digital Link of the read point.
    pub place: String,
    /// Canonical Digital Link of the business location.
    pub biz_location: Option<String>,
    /// Whether the goods are here afterwards; `None` for what the step says.
    pub presence: Option<Direction>,
    /// The order or the like that is scanned before the goods.
    pub transaction: Option<TransactionRule>,
    /// Who: sources and destinations.
    pub parties: Vec<Party>,
    /// What becomes of the codes.
    pub kind: ScanKind,
}

/// A business transaction that is scanned before the goods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRule {
    /// CBV type, for example `po`.
    pub kind: String,
    /// No goods without one.
    pub required: bool,
    /// GLN of whoever gave out the numbers: then `(400)NUMBER`, and codes that begin with
    /// `prefix`, are transactions too.
    pub gln: Option<String>,
    /// What the code of a number begins with.
    pub prefix: Option<String>,
}

/// A source or destination (CBV 2.0 section 7.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// In the `destinationList`, else in the `sourceList`.
    pub is_destination: bool,
    /// `owning_party`, `possessing_party` or `location`.
    pub kind: String,
    /// Canonical Digital Link of a GLN or PGLN.
    pub id: String,
}

/// What becomes of scanned codes.
#[derive(Clone, Debug, PartialEq)]
pub enum ScanKind {
    /// Each code is an ObjectEvent.
    Object {
        /// `None` for what the step says.
        action: Option<Action>,
        /// One thing scanned again within this is a stutter, not an event.
        repeat: Duration,
    },
    /// Parent, then children: an AggregationEvent.
    Packing {
        /// DELETE: they are taken out. Else ADD.
        unpacks: bool,
        /// When it is done.
        ending: Ending,
    },
    /// Inputs and outputs in any order: a TransformationEvent.
    Recipe {
        /// What it consumes; other goods are refused.
        inputs: Vec<Part>,
        /// What it makes.
        outputs: Vec<Part>,
        /// When it is done; a count is of outputs.
        ending: Ending,
    },
}

/// When a packing or a recipe is done; at least one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Command code that ends it.
    pub close: Option<String>,
    /// It ends with this many codes (the parent, the inputs not counted).
    pub count: Option<usize>,
    /// It ends when nothing was scanned for so long.
    pub timeout: Option<Duration>,
    /// Command code that drops what was scanned; it goes to the rejects file.
    pub cancel: Option<String>,
}

/// One input or output of a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// GTIN, 14 digits: any lot or serial of it.
    pub gtin: String,
    /// What each scanned code stands for, where the code itself states no amount; one piece
    /// where neither does.
    pub quantity: Option<Decimal>,
    /// UN/ECE unit code of `quantity`.
    pub uom: Option<String>,
    /// Without it the recipe is not done.
    pub required: bool,
}

impl ScanKind {
    /// When it is done; `None` where each code is an event of its own.
    #[must_use]
    pub const fn ending(&self) -> Option<&Ending> {
        match self {
            Self::Object { .. } => None,
            Self::Packing { ending, .. } | Self::Recipe { ending, .. } => Some(ending),
        }
    }

    /// What the event does; `None` for what the step says, and in a transformation.
    #[must_use]
    pub const fn action(&self) -> Option<Action> {
        match self {
            Self::Object { action, .. } => *action,
            Self::Packing { unpacks: true, .. } => Some(Action::Delete),
            Self::Packing { unpacks: false, .. } => Some(Action::Add),
            Self::Recipe { .. } => None,
        }
    }
}
