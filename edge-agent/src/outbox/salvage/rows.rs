//! Rows of a damaged table, page by page, so that a large outbox needs no more memory than a small
//! one.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

/// Rows that are in memory at once.
const PAGE_ROWS: i64 = 64;
/// Most rows that are asked for one by one between two damaged pages.
const GAP_MAX: i64 = 100_000;

/// Rows of a table by its key, the query's first column: from the beginning until a page fails, from
/// the end until one fails, and what lies between one by one.
pub(super) struct Rows {
    /// Ends with the key, so that a comparison may follow.
    select: String,
    /// The greatest key that there can be, where that is known.
    newest: Option<i64>,
    /// Numbers in a row without a row after which there is none any more.
    misses_max: u32,
    stage: Stage,
    is_damaged: bool,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Everything up to `low` was read.
    Forth {
        low: i64,
    },
    /// And everything from `high`.
    Back {
        low: i64,
        high: i64,
    },
    /// And what there is before `next`; `until` ends it.
    Gap {
        next: i64,
        until: i64,
        misses: u32,
    },
    Done,
}

impl Rows {
    pub fn new(select: impl Into<String>, newest: Option<i64>, misses_max: u32) -> Self {
        Self {
            select: select.into(),
            newest,
            misses_max,
            stage: Stage::Forth { low: i64::MIN },
            is_damaged: false,
        }
    }

    /// True once a page has failed.
    pub const fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Some more rows; none at the end.
    pub async fn page(&mut self, db: &mut SqliteConnection) -> Vec<SqliteRow> {
        loop {
            let rows = match self.stage {
                Stage::Forth { low } => self.forth(db, low).await,
                Stage::Back { low, high } => self.back(db, low, high).await,
                Stage::Gap {
                    next,
                    until,
                    misses,
                } => self.gap(db, next, until, misses).await,
                Stage::Done => return Vec::new(),
            };
            if !rows.is_empty() {
                return rows;
            }
        }
    }

    async fn forth(&mut self, db: &mut SqliteConnection, low: i64) -> Vec<SqliteRow> {
        let mut last = low;
        let rows = self.run(db, "> $1 ORDER BY 1", low).await;
        let is_end = rows.as_ref().is_some_and(Vec::is_empty);
        let rows = in_order(rows, |number| {
            let follows = number > last;
            last = number;
            follows
        });
        self.is_damaged = rows.is_empty() && !is_end;
        self.stage = match rows.last() {
            Some(row) => Stage::Forth {
                low: key(row).unwrap_or(low),
            },
            None if is_end => Stage::Done,
            None => Stage::Back {
                low,
                high: i64::MAX,
            },
        };
        rows
    }

    async fn back(&mut self, db: &mut SqliteConnection, low: i64, high: i64) -> Vec<SqliteRow> {
        let mut last = high;
        let rows = self.run(db, "< $1 ORDER BY 1 DESC", high).await;
        let rows = in_order(rows, |number| {
            let follows = number < last && number > low;
            last = number;
            follows
        });
        self.stage = match rows.last() {
            Some(row) => Stage::Back {
                low,
                high: key(row).unwrap_or(high),
            },
            None => {
                let beyond = self.newest.unwrap_or(i64::MAX - 1).saturating_add(1);
                let high = if high == i64::MAX { beyond } else { high };
                let next = low.max(-1).saturating_add(1);
                Stage::Gap {
                    next,
                    until: high.min(next.saturating_add(GAP_MAX)),
                    misses: 0,
                }
            }
        };
        rows
    }

    async fn gap(
        &mut self,
        db: &mut SqliteConnection,
        mut next: i64,
        until: i64,
        mut misses: u32,
    ) -> Vec<SqliteRow> {
        let mut found = Vec::new();
        let query = format!("{} = $1", self.select);
        while next < until && misses < self.misses_max && (found.len() as i64) < PAGE_ROWS {
            match fetch(db, &query, next).await {
                Ok(mut rows) if !rows.is_empty() => {
                    misses = 0;
                    found.append(&mut rows);
                }
                _ => misses += 1,
            }
            next += 1;
        }
        self.stage = if next < until && misses < self.misses_max {
            Stage::Gap {
                next,
                until,
                misses,
            }
        } else if found.is_empty() {
            Stage::Done
        } else {
            // One more call, which finds nothing and ends.
            Stage::Gap {
                next: until,
                until,
                misses,
            }
        };
        found
    }

    /// A page of rows, or one row where a page of them fails.
    async fn run(
        &self,
        db: &mut SqliteConnection,
        ending: &str,
        key: i64,
    ) -> Option<Vec<SqliteRow>> {
        for limit in [PAGE_ROWS, 1] {
            let query = format!("{} {ending} LIMIT {limit}", self.select);
            if let Ok(rows) = fetch(db, &query, key).await {
                return Some(rows);
            }
        }
        None
    }
}

fn key(row: &SqliteRow) -> Option<i64> {
    row.try_get(0).ok()
}

/// Rows as long as their keys go on as they should: a damaged page may lead anywhere.
fn in_order(rows: Option<Vec<SqliteRow>>, mut follows: impl FnMut(i64) -> bool) -> Vec<SqliteRow> {
    let rows = rows.into_iter().flatten();
    rows.take_while(|row| key(row).is_some_and(&mut follows))
        .collect()
}

/// Rows of a query by one key.
pub(super) async fn fetch(
    db: &mut SqliteConnection,
    query: &str,
    key: i64,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    sqlx::query(sqlx::AssertSqlSafe(query.to_owned()))
        .bind(key)
        .fetch_all(db)
        .await
}
