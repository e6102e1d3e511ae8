//! The queue, the decisions and the trail as tables that leave the desk ([`super::sealed`]).
//!
//! Who took out what stands in the trail, with the SHA-256 of the list that was signed.

use kit::xlsx::{Cell, Sheet, XlsxError};
use kit::zip::TooLarge;
use schemas::time::Instant;

use super::deadline::{Waits, Why};
use super::sealed::{self, Manifest};
use super::{Actor, Desk, DeskError};
use crate::audit::{Action, Row};
use crate::loan::review::{Act, Review};
use crate::loan::{Decision, Outcome, Stage};
use crate::money::Money;
use crate::store::reviews::{Reviewed, SHELF_MAX, Shelf, TRAIL_MAX};
use crate::store::{PAGE_MAX, StoreError};

/// Most rows of one export; the newest ones where there are more.
pub const ROWS_MAX: usize = 20_000;

/// Why nothing was taken out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The configuration names no key (`desk.export_key`).
    #[error("the bank has no key for exports: `desk.export_key` names none")]
    NoKey,
    /// The table does not fit into a workbook.
    #[error("the table does not fit into a workbook")]
    Table(#[from] XlsxError),
    /// The archive would be too large.
    #[error("the archive would be too large")]
    Size,
}

impl From<TooLarge> for ExportError {
    fn from(_: TooLarge) -> Self {
        Self::Size
    }
}

/// What is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Offers that wait.
    Queue,
    /// Every decision with what people made of it, newest first.
    Decisions,
    /// The trail of what people did, oldest first.
    Trail,
}

impl What {
    /// Everything that can be taken out.
    pub const ALL: [Self; 3] = [Self::Queue, Self::Decisions, Self::Trail];

    /// Its word in addresses, names of files and texts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Decisions => "decisions",
            Self::Trail => "trail",
        }
    }

    /// What a word names.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }

    /// Its columns, as keys of texts.
    #[must_use]
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Queue => &QUEUE,
            Self::Decisions => &DECISIONS,
            Self::Trail => &TRAIL,
        }
    }
}

const QUEUE: [&str; 14] = [
    "application",
    "supplier",
    "product",
    "decided-at",
    "currency",
    "requested",
    "offered",
    "points",
    "grade",
    "why",
    "first-officer",
    "officer",
    "due",
    "lapses",
];

const DECISIONS: [&str; 17] = [
    "decided-at",
    "application",
    "supplier",
    "product",
    "currency",
    "requested",
    "offered",
    "points",
    "grade",
    "outcome",
    "people",
    "reason",
    "settled-at",
    "model",
    "decision",
    "inputs-sha256",
    "log-size",
];

const TRAIL: [&str; 8] = [
    "seq", "at", "actor", "action", "subject", "detail", "prev", "sha256",
];

/// An archive that was taken out.
#[derive(Debug)]
pub struct Export {
    /// Its name, `queue-20261122T010203Z.zip`.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The words of a column or value in the language of whoever asks.
pub type Words<'w> = &'w (dyn Fn(&str) -> String + Sync);

/// Rows, and whether they are all.
struct Rows {
    rows: Vec<Vec<Cell>>,
    complete: bool,
}

impl Desk {
    /// True if the bank has a key for exports.
    #[must_use]
    pub fn exports(&self) -> bool {
        self.signer.is_some()
    }

    /// Takes out a table, signed. The trail says who did.
    ///
    /// # Errors
    /// [`DeskError::Export`], [`DeskError::NotAllowed`] for the trail to whom may not read it,
    /// [`DeskError::Store`].
    pub async fn export(
        &self,
        by: &Actor,
        what: What,
        words: Words<'_>,
    ) -> Result<Export, DeskError> {
        let key = self.signer.clone().ok_or(ExportError::NoKey)?;
        if what == What::Trail && !by.role.reads_trail() {
            return Err(DeskError::NotAllowed);
        }
        let head = self.credit.store().newest(None, None, 1).await?;
        let table = match what {
            What::Queue => self.queue(words).await?,
            What::Decisions => self.decisions(words).await?,
            What::Trail => self.rows_of_trail().await?,
        };
        let now = self.clock.now();
        let manifest = Manifest {
            format: "desk-export/v1",
            what: what.word(),
            organisation: self.terms.organisation.to_string(),
            by: by.name.to_string(),
            as_of: now.to_rfc3339(),
            rows: table.rows.len(),
            complete: table.complete,
            trail_head: head.first().map(|row| (row.seq, row.hash())),
        };
        let sheet = sheet(what, table.rows, words);
        let work = tokio::task::spawn_blocking(move || sealed::package(&sheet, &manifest, &key));
        let package = work.await.map_err(|_| DeskError::Stopping)??;
        let detail = format!("{} {}", sealed::SUMS, package.sums);
        let entry = self.entry(by.name.as_str(), Action::Export, what.word(), &detail);
        self.credit.store().note(&entry).await?;
        Ok(Export {
            name: format!("{}-{}.zip", what.word(), compact(now)),
            bytes: package.bytes,
        })
    }

    async fn queue(&self, words: Words<'_>) -> Result<Rows, DeskError> {
        let store = self.credit.store();
        let open = store.shelf(Shelf::Open, SHELF_MAX).await?;
        let ids: Vec<&str> = open.iter().map(|one| &*one.decision.decision_id).collect();
        let officers = store.assigned(&ids).await?;
        let complete = open.len() < SHELF_MAX as usize;
        let mut rows = Vec::with_capacity(open.len());
        for Reviewed { decision, history } in open {
            let stage = Stage::read(&decision, history, &self.terms.review)?;
            let waits = Waits::of(&stage, decision.decided_at, &self.terms.within);
            let officer = officers.get(&decision.decision_id);
            let waits = waits.map_or_else(Vec::new, |waits| {
                let (why, first) = why(&waits.why);
                vec![
                    words(why).into(),
                    first.into(),
                    officer.map_or(Cell::Empty, |one| one.to_string().into()),
                    time(waits.due),
                    time(waits.lapses),
                ]
            });
            let mut row = applied(&decision);
            row.insert(3, time(decision.decided_at));
            rows.push(row.into_iter().chain(waits).collect());
        }
        Ok(Rows { rows, complete })
    }

    async fn decisions(&self, words: Words<'_>) -> Result<Rows, DeskError> {
        let store = self.credit.store();
        let mut rows = Vec::new();
        loop {
            let skip = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            let page = store.list(skip, PAGE_MAX).await?;
            let last = page.len() < PAGE_MAX as usize;
            for decision in page {
                let history = store.history(&decision.decision_id).await?;
                rows.push(decided(&decision, &history, words));
            }
            if last || rows.len() >= ROWS_MAX {
                return Ok(Rows {
                    rows,
                    complete: last,
                });
            }
        }
    }

    /// The newest rows, in their order.
    async fn rows_of_trail(&self) -> Result<Rows, StoreError> {
        let store = self.credit.store();
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let before = rows.last().map(|row| row.seq);
            let page = store.newest(before, None, TRAIL_MAX).await?;
            let last = page.len() < TRAIL_MAX as usize;
            rows.extend(page);
            if last || rows.len() >= ROWS_MAX {
                let rows = rows.iter().rev().map(trail_row).collect();
                return Ok(Rows {
                    rows,
                    complete: last,
                });
            }
        }
    }
}

fn sheet(what: What, rows: Vec<Vec<Cell>>, words: Words<'_>) -> Sheet {
    let columns = what.columns().iter();
    let names: Vec<String> = columns
        .map(|column| words(&format!("export.{column}")))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut sheet = Sheet::new(&words(&format!("export.{}", what.word())), &names);
    for row in rows {
        sheet.row(row);
    }
    sheet
}

/// Key of the words of a reason to wait, and who has accepted first.
#[must_use]
pub fn why(why: &Why) -> (&'static str, Option<String>) {
    match why {
        Why::OneOfficer => ("why.one", None),
        Why::TwoOfficers => ("why.two", None),
        Why::SecondOfficer(first) => ("why.second", Some(first.to_string())),
    }
}

/// Application, supplier, product, currency, requested, offered, points, grade.
fn applied(decision: &Decision) -> Vec<Cell> {
    let application = &decision.application;
    let offered = match decision.outcome {
        Outcome::Offer { amount } => money(amount),
        Outcome::Decline => Cell::Empty,
    };
    vec![
        application.application_id.as_str().into(),
        application.supplier.as_str().into(),
        application.product.as_str().into(),
        application.requested.currency().to_string().into(),
        money(application.requested),
        offered,
        Cell::Whole(decision.score.total.into()),
        decision.score.grade.as_str().into(),
    ]
}

fn decided(decision: &Decision, history: &[Review], words: Words<'_>) -> Vec<Cell> {
    let last = history.last().filter(|step| step.settles);
    let outcome = match (&decision.outcome, last.map(|step| step.act)) {
        (Outcome::Decline, _) => "stage.declined",
        (_, Some(Act::Accept)) => "stage.accepted",
        (_, Some(Act::Refuse)) => "stage.refused",
        (_, Some(Act::Lapse)) => "stage.lapsed",
        (_, Some(Act::Pass)) => "stage.passed",
        (_, None) if history.is_empty() => "stage.waiting",
        (_, None) => "stage.endorsed",
    };
    let people = history.iter().filter_map(|step| step.person.as_ref());
    let people: Vec<&str> = people.map(schemas::ids::Slug::as_str).collect();
    let reason = last.and_then(|step| step.reason.as_ref());
    let mut row = vec![time(decision.decided_at)];
    row.extend(applied(decision));
    row.extend([
        words(outcome).into(),
        people.join(" + ").into(),
        reason.map(|code| code.to_string()).into(),
        last.map_or(Cell::Empty, |step| time(step.at)),
        format!("{} {}", decision.model.name, decision.model.version).into(),
        decision.decision_id.as_str().into(),
        decision.inputs.to_string().into(),
        Cell::Whole(i64::try_from(decision.log_size).unwrap_or(i64::MAX)),
    ]);
    row
}

fn trail_row(row: &Row) -> Vec<Cell> {
    vec![
        Cell::Whole(row.seq),
        time(row.at),
        row.actor.as_str().into(),
        row.action.as_str().into(),
        row.subject.as_str().into(),
        row.detail.as_str().into(),
        row.prev.to_string().into(),
        row.hash().to_string().into(),
    ]
}

fn money(amount: Money) -> Cell {
    Cell::hundredths(amount.fen())
}

fn time(at: Instant) -> Cell {
    at.to_rfc3339().into()
}

/// `20261122T010203Z`.
fn compact(at: Instant) -> String {
    let text = at.to_rfc3339();
    let digits = text.get(..19).unwrap_or(&text).replace(['-', ':'], "");
    format!("{digits}Z")
}
