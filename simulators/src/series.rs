//! A measured series from a file, shown by a Modbus device row by row.
//!
//! The file is that of the Numenta Anomaly Benchmark: a line `timestamp,value`, then rows like
//! `2013-12-02 21:15:00,73.96732207`. Its stamps have no offset; they are read as UTC. Nothing is
//! sorted, filled or dropped: row `i` is shown in the `i`-th slot of the clock with the stamp that
//! the file gives it, also where stamps repeat or jump back.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDateTime;
use schemas::time::Instant;

use crate::device::{Curve, Shown};

/// Time between rows.
pub const SLOT: Duration = Duration::from_secs(300);

/// Longest file in bytes.
const FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What the file does not say and the replay assumes.
pub const ASSUMPTION: &str = "historical replay; the file states neither unit nor time zone: degrees Fahrenheit and UTC are assumed, values are rounded to IEEE 754 single by the device";

/// A series that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// The file cannot be opened or read, or is larger than 64 MiB.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// A row is not `YYYY-MM-DD hh:mm:ss,number`.
    #[error("{file} line {line}: {problem}")]
    Row {
        /// Which file.
        file: String,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// No row at all.
    #[error("{0} has no rows")]
    Empty(String),
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// Its stamp.
    pub time: Instant,
    /// Its value.
    pub value: f64,
}

/// A series in the order of its file; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    rows: Arc<[Row]>,
}

impl Row {
    /// True if `other` has the same stamp, and the same value but for two roundings: the device's
    /// to a single, the agent's to millionths.
    pub fn is_shown_as(&self, other: &Row) -> bool {
        let tolerance = self.value.abs() * f64::from(f32::EPSILON) + 1e-6;
        self.time == other.time && (self.value - other.value).abs() <= tolerance
    }
}

/// What is unusual about the stamps of a series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stamps {
    /// Rows in all.
    pub rows: usize,
    /// Rows whose stamp an earlier row already had.
    pub repeated: usize,
    /// Rows whose stamp is before that of the row before.
    pub backwards: usize,
}

impl Stamps {
    /// Counts over stamps in the order in which they came.
    pub fn count(times: impl IntoIterator<Item = Instant>) -> Stamps {
        let (mut stamps, mut seen, mut before) = (Stamps::default(), BTreeSet::new(), None);
        for time in times {
            stamps.rows += 1;
            stamps.repeated += usize::from(!seen.insert(time));
            stamps.backwards += usize::from(before.is_some_and(|before| time < before));
            before = Some(time);
        }
        stamps
    }
}

impl Series {
    /// Reads a file.
    ///
    /// # Errors
    /// [`SeriesError`] names file, line and problem.
    pub fn load(path: &Path) -> Result<Series, SeriesError> {
        let name = path.display().to_string();
        let unread = |error| SeriesError::File(name.clone(), error);
        if std::fs::metadata(path).map_err(unread)?.len() > FILE_MAX_BYTES {
            return Err(unread(std::io::ErrorKind::FileTooLarge.into()));
        }
        Series::parse(&name, &std::fs::read_to_string(path).map_err(unread)?)
    }

    /// Reads a text; `file` is for messages only.
    ///
    /// # Errors
    /// As [`Series::load`].
    pub fn parse(file: &str, text: &str) -> Result<Series, SeriesError> {
        let rows = text
            .lines()
            .zip(1..)
            .skip(1)
            .filter(|(line, _)| !line.trim().is_empty());
        let parsed = rows.map(|(text, line)| {
            let wrong = |problem| SeriesError::Row {
                file: file.to_owned(),
                line,
                problem,
            };
            parse_row(text).map_err(wrong)
        });
        let rows = parsed.collect::<Result<Arc<[Row]>, _>>()?;
        if rows.is_empty() {
            return Err(SeriesError::Empty(file.to_owned()));
        }
        Ok(Series { rows })
    }

    /// Rows in the order of the file.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What is unusual about its stamps.
    pub fn stamps(&self) -> Stamps {
        Stamps::count(self.rows.iter().map(|row| row.time))
    }

    /// When the slot of row `index` begins: slots follow each other from the first stamp on,
    /// whatever the later stamps are.
    pub fn slot(&self, index: usize) -> Instant {
        let slots = u32::try_from(index).unwrap_or(u32::MAX);
        self.rows[0].time + SLOT.saturating_mul(slots)
    }

    /// What a device shows: the row of the slot that the clock is in; before the first slot the
    /// first, after the last the last.
    pub fn curve(&self) -> Curve {
        let rows = self.rows.clone();
        Arc::new(move |now: Instant| {
            let slot = now.since(rows[0].time).as_secs() / SLOT.as_secs();
            let index = usize::try_from(slot)
                .unwrap_or(usize::MAX)
                .min(rows.len() - 1);
            Shown {
                value: rows[index].value,
                time: rows[index].time,
            }
        })
    }
}

fn parse_row(text: &str) -> Result<Row, &'static str> {
    let (stamp, value) = text.trim().split_once(',').ok_or("expected two columns")?;
    let stamp = NaiveDateTime::parse_from_str(stamp, "%Y-%m-%d %H:%M:%S");
    let time = stamp
        .map_err(|_| "the stamp is not YYYY-MM-DD hh:mm:ss")?
        .and_utc();
    let value: f64 = value.parse().map_err(|_| "the value is not a number")?;
    if !value.is_finite() {
        return Err("the value is not finite");
    }
    Ok(Row {
        time: Instant::from_micros(time.timestamp_micros()),
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "timestamp,value\n2014-01-07 02:50:00,90.5\n2014-01-07 02:55:00,91\n\
        2014-01-07 02:50:00,92\n2014-01-07 03:00:00,93\n";

    #[test]
    fn rows_keep_their_order_and_stamps() {
        let series = Series::parse("x.csv", TEXT).unwrap();
        assert_eq!(
            series.stamps(),
            Stamps {
                rows: 4,
                repeated: 1,
                backwards: 1
            }
        );
        let curve = series.curve();
        let shown: Vec<_> = (0..5)
            .map(|index| curve(series.slot(index)).value)
            .collect();
        assert_eq!(shown, [90.5, 91.0, 92.0, 93.0, 93.0]);
        assert_eq!(curve(series.slot(2)).time, series.rows()[0].time);
        let before_first = series.slot(0) - SLOT;
        assert_eq!(curve(before_first).value, 90.5);
    }

    #[test]
    fn a_bad_row_is_named_with_its_line() {
        for (row, problem) in [
            ("2014-01-07 02:50:00", "expected two columns"),
            ("7 Jan 2014,1", "the stamp is not YYYY-MM-DD hh:mm:ss"),
            ("2014-01-07 02:50:00,x", "the value is not a number"),
            ("2014-01-07 02:50:00,inf", "the value is not finite"),
        ] {
            let error = Series::parse("x.csv", &format!("{TEXT}{row}\n")).unwrap_err();
            assert_eq!(error.to_string(), format!("x.csv line 6: {problem}"));
        }
        let empty = Series::parse("x.csv", "timestamp,value\n").unwrap_err();
        assert_eq!(empty.to_string(), "x.csv has no rows");
    }

    #[test]
    fn the_machine_temperature_series_has_its_known_faults() {
        let folder = std::env::var("TRACEBOND_FIXTURES").unwrap_or("../../shared/fixtures".into());
        let name = "sensors/NAB_machine_temperature_system_failure.csv";
        let path = Path::new(&folder).join(name);
        if !path.exists() {
            eprintln!("skipped: {} is not here", path.display());
            return;
        }
        let series = Series::load(&path).unwrap();
        assert_eq!(
            series.stamps(),
            Stamps {
                rows: 22_695,
                repeated: 12,
                backwards: 1
            }
        );
    }
}
