//! What can still be read of a damaged outbox. Nothing in it is believed without a check: a
//! statement must bear this device's signature and its events must lead to its root, an unsigned
//! event must have its mark, a receipt must be the platform's.
//!
//! A damaged page costs what stood on it and no more ([`rows`]). Bodies are read twice, once to be
//! judged and once to be taken over, so that no more of them is in memory than a page.

mod form;
mod rows;
mod take_in;

use std::collections::BTreeMap;
use std::path::Path;

use schemas::event::{Event, Salt, Source};
use schemas::hash::Hash;
use schemas::merkle;
use schemas::receipt::Receipt;
use schemas::statement::Statement;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};

use self::form::Form;
use self::rows::{Rows, fetch};
use super::state::Counts;
use super::{Opening, OutboxError, database};
use crate::status::Head;

/// Numbers in a row without a row after which there is none any more: more than a damaged page of a
/// tree of a gigabyte leads to.
const MISSES_MAX: u32 = 16_384;

/// A damaged file, and what was found whole in it.
pub(super) struct Salvage {
    /// None where it is no database at all.
    old: Option<SqliteConnection>,
    form: Form,
    saved: Saved,
}

#[derive(Debug, Default)]
struct Saved {
    /// In the order of the chain.
    statements: Vec<SavedStatement>,
    /// Leaves of events that are whole, by number.
    leaves: BTreeMap<i64, Hash>,
    /// Numbers of those that no whole statement holds.
    unsigned: Vec<i64>,
    /// First and last event of each statement, where events name theirs.
    ranges: BTreeMap<i64, (i64, i64)>,
    /// Verified, with their bytes.
    receipts: BTreeMap<i64, (Receipt, Vec<u8>)>,
    counts: Counts,
    /// Statements that could not be read or are not whole.
    lost_statements: u64,
    /// Events of them that were not whole either.
    lost_events: u64,
}

#[derive(Debug, PartialEq)]
struct SavedStatement {
    head: Head,
    bytes: Vec<u8>,
    range: (i64, i64),
    events: u64,
    receipt: Option<i64>,
    included: bool,
}

/// An event as its row has it.
struct SavedEvent {
    source: Source,
    salt: Salt,
    life_cycle: bool,
    bytes: Vec<u8>,
    leaf: Hash,
}

impl Salvage {
    /// Reads what can be read; a file that is no database at all has nothing.
    pub async fn read(path: &Path, opening: &Opening) -> Self {
        let mut salvage = Self {
            old: None,
            form: Form::default(),
            saved: Saved::default(),
        };
        match database::look(path).await {
            Ok(mut db) => {
                salvage.form = Form::of(&mut db).await;
                salvage.saved.read(&mut db, &salvage.form, opening).await;
                salvage.old = Some(db);
            }
            Err(error) => {
                tracing::error!(%error, "nothing of the damaged outbox can be read");
            }
        }
        salvage
    }

    /// The newest statement that was read.
    pub fn newest(&self) -> Option<Head> {
        let heads = self.saved.statements.iter().map(|statement| statement.head);
        heads.max_by_key(Head::position)
    }

    /// Events that are lost for certain.
    pub const fn lost_events(&self) -> u64 {
        self.saved.lost_events
    }

    /// For the new epoch's note and the log.
    pub fn words(&self) -> String {
        let saved = &self.saved;
        format!(
            "{} statements and {} unsigned events saved, {} statements not whole, {} events lost",
            saved.statements.len(),
            saved.unsigned.len(),
            saved.lost_statements,
            saved.lost_events
        )
    }

    /// The file may be put aside.
    pub async fn close(self) {
        if let Some(old) = self.old {
            // What it holds is its own.
            let _ = old.close().await;
        }
    }
}

impl Saved {
    async fn read(&mut self, db: &mut SqliteConnection, form: &Form, opening: &Opening) {
        let (position, newest) = self.read_chain(db, form).await;
        let mut rows = form.rows("receipts", form.receipts(), None, MISSES_MAX);
        each(&mut rows, db, |row| self.take_receipt(opening, row)).await;
        let mut rows = form.rows("events", form.events(), newest, MISSES_MAX);
        each(&mut rows, db, |row| self.take_event(row)).await;
        let mut rows = form.rows("statements", form.statements(), position, MISSES_MAX);
        each(&mut rows, db, |row| {
            self.take_statement(opening, form, row);
        })
        .await;
        // What no whole statement holds is said again.
        let held: BTreeMap<i64, i64> = self
            .statements
            .iter()
            .filter(|statement| statement.receipt.is_none())
            .map(|statement| statement.range)
            .collect();
        let is_held = |number: i64| {
            let before = held.range(..=number).next_back();
            before.is_some_and(|(_, last)| number <= *last)
        };
        let numbers = self.leaves.keys().copied();
        self.unsigned = numbers.filter(|number| !is_held(*number)).collect();
        self.statements
            .sort_by_key(|statement| statement.head.position());
    }

    /// Reads the counts; positions of the newest statement and the newest event.
    async fn read_chain(
        &mut self,
        db: &mut SqliteConnection,
        form: &Form,
    ) -> (Option<i64>, Option<i64>) {
        let chain: Option<(Option<i64>, Option<i64>, String)> = sqlx::query_as(form.chain())
            .fetch_optional(db)
            .await
            .ok()
            .flatten();
        let Some((position, newest, counts)) = chain else {
            return (None, None);
        };
        self.counts = serde_json::from_str(&counts).unwrap_or_default();
        (position, newest)
    }

    fn take_receipt(&mut self, opening: &Opening, row: &SqliteRow) {
        let (Ok(number), Ok(bytes)) = (row.try_get(0), row.try_get::<Vec<u8>, _>(1)) else {
            return;
        };
        if let Ok(receipt) = opening.trust.kept_receipt(&bytes) {
            self.receipts.insert(number, (receipt, bytes));
        }
    }

    fn take_event(&mut self, row: &SqliteRow) {
        let (Ok(number), Some(event)) = (row.try_get(0), SavedEvent::of(row)) else {
            self.lost_events += 1;
            return;
        };
        self.leaves.insert(number, event.leaf);
        if let Ok(Some(statement)) = row.try_get::<Option<i64>, _>(6) {
            let range = self.ranges.entry(statement).or_insert((number, number));
            *range = (range.0.min(number), range.1.max(number));
        }
    }

    /// Keeps a statement that is this device's and whole.
    fn take_statement(&mut self, opening: &Opening, form: &Form, row: &SqliteRow) {
        let (Some(statement), Some(range)) = (own_statement(opening, row), self.range(row)) else {
            self.lost_statements += 1;
            return;
        };
        let (payload, id) = (&statement.payload, statement.id());
        let receipt = row.try_get::<Option<i64>, _>(2).ok().flatten();
        let receipt = receipt.filter(|number| {
            let kept = self.receipts.get(number);
            kept.is_some_and(|(receipt, _)| receipt.ids.contains(&id))
        });
        if receipt.is_none() {
            let found = between(&self.leaves, range);
            let leaves: Vec<Hash> = found.iter().map(|(_, leaf)| *leaf).collect();
            let is_complete = leaves.len() as u64 == payload.count;
            if !is_complete || (payload.count > 0 && merkle::root(&leaves) != Some(payload.root)) {
                self.lost_statements += 1;
                if is_complete && !form.has_marks() {
                    // One of them is not what was stated, and nothing tells which.
                    self.lost_events += payload.count;
                    for (number, _) in found {
                        self.leaves.remove(&number);
                    }
                }
                return;
            }
        }
        self.statements.push(SavedStatement {
            head: Head {
                epoch: payload.position.epoch,
                seq: payload.position.seq,
                id,
            },
            range,
            events: payload.count,
            bytes: statement.bytes().to_vec(),
            receipt,
            included: row.try_get(3).unwrap_or(false),
        });
    }

    /// First and last event of a statement's row.
    fn range(&self, row: &SqliteRow) -> Option<(i64, i64)> {
        let first: Option<i64> = row.try_get(4).ok()?;
        let last: Option<i64> = row.try_get(5).ok()?;
        if let Some(range) = first.zip(last) {
            return Some(range);
        }
        let by_events = self.ranges.get(&row.try_get(0).ok()?);
        Some(by_events.copied().unwrap_or((1, 0)))
    }
}

/// What lies between two numbers, both included.
fn between(leaves: &BTreeMap<i64, Hash>, (first, last): (i64, i64)) -> Vec<(i64, Hash)> {
    if first > last {
        return Vec::new();
    }
    let range = leaves.range(first..=last);
    range.map(|(number, leaf)| (*number, *leaf)).collect()
}

/// Does it with every row, a page of them in memory.
async fn each(rows: &mut Rows, db: &mut SqliteConnection, mut take: impl FnMut(&SqliteRow)) {
    loop {
        let page = rows.page(db).await;
        if page.is_empty() {
            return;
        }
        page.iter().for_each(&mut take);
    }
}

impl SavedEvent {
    /// By the columns of [`Form::events`], if the event is what its mark says, where it has one.
    fn of(row: &SqliteRow) -> Option<Self> {
        let source = Source::from_number(u64::try_from(row.try_get::<i64, _>(1).ok()?).ok()?)?;
        let salt = Salt::from_slice(&row.try_get::<Vec<u8>, _>(2).ok()?)?;
        let bytes = super::body::unpack(row.try_get(3).ok()?)?;
        let mark: Option<i64> = row.try_get(4).ok()?;
        if mark.is_some_and(|mark| super::events::mark(source, &salt, &bytes) != mark) {
            return None;
        }
        let leaf = Event::parse(bytes.clone()).ok()?.leaf(source, &salt);
        Some(Self {
            source,
            salt,
            // What is not known to be plain telemetry is kept at any cost.
            life_cycle: row.try_get(5).unwrap_or(true),
            bytes,
            leaf,
        })
    }

    /// Reads an event once more, which was whole with this leaf.
    async fn again(
        db: &mut SqliteConnection,
        form: &Form,
        number: i64,
        leaf: &Hash,
    ) -> Result<Self, OutboxError> {
        let rows = fetch(db, &format!("{} = $1", form.events()), number).await?;
        let event = rows.first().and_then(Self::of);
        event.filter(|event| event.leaf == *leaf).ok_or_else(|| {
            OutboxError::Store(format!(
                "event {number} of the damaged outbox reads otherwise than a moment ago"
            ))
        })
    }
}

fn own_statement(opening: &Opening, row: &SqliteRow) -> Option<Statement> {
    let statement = Statement::parse(row.try_get(1).ok()?).ok()?;
    opening.trust.has_signed(&statement).then_some(statement)
}
