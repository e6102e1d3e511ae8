//! In which form a damaged file keeps its rows: that of a program of before is read as it is, since
//! what is damaged cannot be brought to the present form first.

use std::collections::BTreeSet;

use sqlx::sqlite::SqliteConnection;

use super::rows::Rows;

/// Which tables and columns there are. The file's version is four bytes of one page, so that it is
/// not asked.
#[derive(Debug, Default)]
pub(super) struct Form {
    tables: BTreeSet<String>,
    /// Columns of the events.
    columns: BTreeSet<String>,
}

impl Form {
    /// Where the schema cannot be read, there are no tables.
    pub async fn of(db: &mut SqliteConnection) -> Self {
        let tables = names(db, "SELECT name FROM sqlite_schema WHERE type = 'table'");
        Self {
            tables: tables.await,
            columns: names(db, "SELECT name FROM pragma_table_info('events')").await,
        }
    }

    /// True if there is such a table.
    pub fn has(&self, table: &str) -> bool {
        self.tables.contains(table)
    }

    /// True if events have marks: since version 3.
    pub fn has_marks(&self) -> bool {
        self.columns.contains("mark")
    }

    /// Rows of a table by a query that ends with the key; none where there is no such table.
    pub fn rows(
        &self,
        table: &str,
        select: impl Into<String>,
        newest: Option<i64>,
        misses_max: u32,
    ) -> Rows {
        let misses_max = if self.has(table) { misses_max } else { 0 };
        Rows::new(select, newest, misses_max)
    }

    /// Number and bytes.
    pub const fn receipts(&self) -> &'static str {
        "SELECT number, bytes FROM receipts WHERE number"
    }

    /// Number, source, salt, bytes; mark or null; whether it is of the goods' life; its statement, or
    /// null where statements name their events.
    pub fn events(&self) -> String {
        let of = |column, otherwise| {
            if self.columns.contains(column) {
                column
            } else {
                otherwise
            }
        };
        format!(
            "SELECT number, source, salt, bytes, {}, {}, {} FROM events WHERE number",
            of("mark", "NULL"),
            of("life_cycle", "1"),
            of("statement", "NULL")
        )
    }

    /// Position, bytes, receipt, inclusion; first and last event or null.
    pub fn statements(&self) -> &'static str {
        if self.has_marks() {
            "SELECT position, bytes, receipt, included, first, last FROM statements WHERE position"
        } else {
            "SELECT position, bytes, receipt, included, NULL, NULL FROM statements WHERE position"
        }
    }

    /// Positions of the newest statement and event, and the counts.
    pub fn chain(&self) -> &'static str {
        if self.has("chain") {
            "SELECT position, newest, counts FROM chain"
        } else {
            "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'statements'),
                    (SELECT seq FROM sqlite_sequence WHERE name = 'events'), counts FROM counters"
        }
    }
}

async fn names(db: &mut SqliteConnection, query: &'static str) -> BTreeSet<String> {
    let names: Result<Vec<String>, _> = sqlx::query_scalar(query).fetch_all(db).await;
    names
        .inspect_err(|error| tracing::error!(%error, "the damaged outbox does not say its tables"))
        .unwrap_or_default()
        .into_iter()
        .collect()
}
