//! Figures of a month, each with the rows that it was made of.
//!
//! [`Rows`] are what happened, append-only, whatever table it comes from. [`calculate`] is pure: the
//! same rows and month give the same figures in whatever order the rows come and however often one is
//! repeated. The figures are in three groups, privacy, risk and loss, and ease of applying, with
//! service beside them. A month is one of China's calendar; a figure "at its end" knows what was
//! recorded by the end of its last day.

mod calculate;
pub mod figure;
pub mod month;
mod row;
mod tally;

pub use calculate::{calculate, readings};
pub use figure::{Figure, FigureId, Group, Value};
pub use month::{Month, MonthError};
pub use row::{Fact, Principal, Row, Rows, RowsError};
pub use tally::{Debts, Tally};

#[cfg(test)]
pub(crate) mod tests;
