//! What the product page is given.

use std::collections::BTreeMap;

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::format::percent;
use crate::store::erasure::{ArchivedEvent, ErasedEvent};
use crate::trace::verdict::judge;
use crate::trace::{Facts, Finding, Gap, Item, Journey, Proof, Witness};

/// One name in several languages: BCP 47 tag to name.
pub type ByLanguage = BTreeMap<String, String>;

/// How often a code was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scans {
    /// This time included, where it counts.
    pub total: u64,
    /// The first time ever.
    pub first: Instant,
    /// This look-up is the first one.
    pub is_first: bool,
}

/// What organisations and places are called. What has no name is shown by its identifier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// By slug.
    pub organisations: BTreeMap<Slug, ByLanguage>,
    /// By canonical Digital Link URI.
    pub places: BTreeMap<String, ByLanguage>,
}

/// Where the page's links lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// Download of the proof bundle.
    pub bundle: String,
    /// The log's checkpoint.
    pub checkpoint: String,
    /// The form for a report.
    pub report: String,
    /// The page's own absolute address, for the QR code in print; none when empty.
    pub page: String,
}

impl Links {
    /// The links of an item on this platform; `checkpoint` is the address of the log's checkpoint.
    pub fn of(item: &Item, checkpoint: &str) -> Self {
        Self {
            bundle: format!("/v1/bundles/item?key={}", percent(item.key())),
            checkpoint: checkpoint.to_owned(),
            report: report_href(item),
            page: String::new(),
        }
    }
}

/// Events of an item that are in archives, as pages say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// How many.
    pub events: usize,
    /// Month of the first, `2026-01`.
    pub from: String,
    /// Month of the last.
    pub to: String,
}

impl Archived {
    /// `None` where there are none.
    #[must_use]
    pub fn of(events: &[ArchivedEvent]) -> Option<Self> {
        let months = || events.iter().map(|event| &event.month);
        Some(Self {
            events: events.len(),
            from: months().min()?.clone(),
            to: months().max()?.clone(),
        })
    }

    /// In words, by texts of this name.
    pub(super) fn words(&self, text: &super::text::Text, name: &str) -> String {
        let values = [("from", &*self.from), ("to", &*self.to)];
        text.count_with(name, self.events, &values)
    }
}

/// A witness that serves the verifier page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    /// Who runs it.
    pub witness: Witness,
    /// Address of its verifier page.
    pub href: String,
}

/// Address of the form for a report about an item.
pub fn report_href(item: &Item) -> String {
    format!("/report?code={}", percent(item.key()))
}

/// Everything that a product page shows.
#[derive(Debug, Clone)]
pub struct ProductView {
    /// The journey.
    pub journey: Journey,
    /// What was checked; `None` when no check was made.
    pub proof: Option<Proof>,
    /// Gaps of devices of the journey's organisations; those outside the time of holding are left
    /// out by the page.
    pub gaps: Vec<Gap>,
    /// Events of the item whose content was erased.
    pub erased: Vec<ErasedEvent>,
    /// Events of the item whose content is in an archive.
    pub archived: Vec<ArchivedEvent>,
    /// Lookups, this one included; `None` when they are not counted.
    pub scans: Option<Scans>,
    /// Names of organisations and places.
    pub names: Names,
    /// Links.
    pub links: Links,
    /// Hash of the policy that the platform's own check rests on, for the reader's to compare.
    pub policy: Option<Hash>,
    /// Where the same verifier is served from other origins.
    pub verifiers: Vec<Verifier>,
    /// Local offset in minutes of the times that are the page's own (check, first scan).
    pub offset_minutes: i32,
}

impl ProductView {
    /// A view with nothing checked and nothing counted; its own times are local to the last step.
    pub fn new(journey: Journey, links: Links) -> Self {
        let offset_minutes = journey
            .steps
            .last()
            .map_or(0, |step| step.time.offset_minutes);
        Self {
            journey,
            proof: None,
            gaps: Vec::new(),
            erased: Vec::new(),
            archived: Vec::new(),
            scans: None,
            names: Names::default(),
            links,
            policy: None,
            verifiers: Vec::new(),
            offset_minutes,
        }
    }

    /// The verdict with its reasons.
    pub fn finding(&self) -> Finding {
        let mut facts = Facts::of(&self.journey, self.proof.as_ref(), &self.gaps);
        facts.erased = self.erased.len();
        facts.archived = self.archived.len();
        judge(&facts)
    }
}
