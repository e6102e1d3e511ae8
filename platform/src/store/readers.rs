//! What readers leave behind: reports, and how often codes were looked up. None of it says who.

use async_trait::async_trait;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::{ScanCount, Stored};
use crate::report::{Added, KeptReport, Limits, NewReport, Number, Step};

/// Reports and look-ups.
#[async_trait]
pub trait ReaderStore: Send + Sync {
    /// Adds a report with its contact. One whose number is there already is kept and counts no
    /// second time; a new one beyond the limits is not kept.
    async fn add_report(&self, report: &NewReport, limits: &Limits) -> Stored<Added>;
    /// A report.
    async fn report(&self, number: &Number) -> Stored<Option<KeptReport>>;
    /// Reports about what an organisation has made, or about codes that nobody has made; the newest
    /// first.
    async fn reports_of(&self, organisation: Option<&Slug>, limit: u32) -> Stored<Vec<KeptReport>>;
    /// How to reach the reporter, for the organisation that made the item.
    async fn contact_of(&self, number: &Number) -> Stored<Option<String>>;
    /// Erases the contact; false if there is none.
    async fn erase_contact(&self, number: &Number) -> Stored<bool>;
    /// Adds the step after `before` steps; false if somebody else has added it meanwhile.
    async fn add_report_step(&self, number: &Number, before: usize, step: &Step) -> Stored<bool>;
    /// Look-ups of a code so far.
    async fn scans_of(&self, item: &str) -> Stored<Option<ScanCount>>;
    /// Counts a look-up of a code that nobody has made; `None` if it is new and `most` codes are
    /// kept already.
    async fn count_unknown_scan(
        &self,
        item: &str,
        at: Instant,
        most: u64,
    ) -> Stored<Option<ScanCount>>;
    /// Look-ups of a code that nobody has made.
    async fn unknown_scans_of(&self, item: &str) -> Stored<Option<ScanCount>>;
}
