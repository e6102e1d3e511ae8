//! The lines of the file, as it states them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::NaiveDate;
use csv::StringRecord;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// What "Fulfill Via" says of lines that a vendor delivers by itself.
pub const DIRECT_DROP: &str = "Direct Drop";

/// Longest file in bytes.
const FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Most lines that are taken.
const LINES_MAX: usize = 100_000;

/// Longest text of a line in bytes.
const TEXT_MAX_BYTES: usize = 256;

/// How the file writes a day: `02-Jun-06`.
const DAY: &str = "%d-%b-%y";

/// Names of the columns that are read, in the order of [`Columns`].
const COLUMNS: [&str; 10] = [
    "ID",
    "PO / SO #",
    "Country",
    "Fulfill Via",
    "Scheduled Delivery Date",
    "Delivered to Client Date",
    "Delivery Recorded Date",
    "Vendor",
    "Line Item Quantity",
    "Line Item Value",
];

/// A file that cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum DeliveriesError {
    /// The file cannot be opened or read, or is larger than 64 MiB.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// It is no CSV in UTF-8.
    #[error("{0}: {1}")]
    Form(String, csv::Error),
    /// A column is missing.
    #[error("{0} has no column \"{1}\"")]
    Column(String, &'static str),
    /// A line does not say what it should.
    #[error("{file} line {line}: {column}: {problem}")]
    Line {
        /// Which file.
        file: String,
        /// Line, counted from 1.
        line: u64,
        /// Which column.
        column: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// More lines than are taken.
    #[error("{0} has more than {LINES_MAX} lines")]
    TooMany(String),
    /// No line with that way of fulfilment.
    #[error("{0} has no line fulfilled by \"{DIRECT_DROP}\"")]
    Empty(String),
}

/// One delivered item of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Number of the line in the file's own counting.
    pub id: u32,
    /// Number of the order.
    pub order: String,
    /// Country of the client.
    pub country: String,
    /// Who delivers, as it is spelled.
    pub vendor: String,
    /// Day for which delivery was promised.
    pub scheduled: NaiveDate,
    /// Day on which the client had it.
    pub delivered: NaiveDate,
    /// Day on which that was recorded.
    pub recorded: NaiveDate,
    /// Packs.
    pub quantity: u64,
    /// Value in cents.
    pub value_cents: i64,
}

impl Line {
    /// True if it was delivered after the day for which it was promised.
    pub fn is_late(&self) -> bool {
        self.delivered > self.scheduled
    }

    /// The day on which others can know of the delivery: a record before the delivery is taken for
    /// a slip, nobody signs what has not happened.
    pub fn known(&self) -> NaiveDate {
        self.recorded.max(self.delivered)
    }
}

/// The vendors' own lines of a file, in its order; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Deliveries {
    lines: Vec<Line>,
}

impl Deliveries {
    /// Reads a file.
    ///
    /// # Errors
    /// [`DeliveriesError`] names file, line, column and problem.
    pub fn load(path: &Path) -> Result<Deliveries, DeliveriesError> {
        let name = path.display().to_string();
        let unread = |error| DeliveriesError::File(name.clone(), error);
        if std::fs::metadata(path).map_err(unread)?.len() > FILE_MAX_BYTES {
            return Err(unread(std::io::ErrorKind::FileTooLarge.into()));
        }
        Deliveries::parse(&name, &std::fs::read(path).map_err(unread)?)
    }

    /// Reads the bytes of a file in UTF-8, with or without a byte order mark; `file` is for
    /// messages only.
    ///
    /// # Errors
    /// As [`Deliveries::load`].
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Deliveries, DeliveriesError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let malformed = |error| DeliveriesError::Form(file.to_owned(), error);
        let mut reader = csv::Reader::from_reader(bytes);
        let columns = Columns::find(file, reader.headers().map_err(malformed)?)?;
        let (mut lines, mut ids) = (Vec::new(), BTreeSet::new());
        for record in reader.records() {
            let record = record.map_err(malformed)?;
            let row = Row {
                file,
                columns: &columns,
                record: &record,
            };
            if row.get("Fulfill Via") != DIRECT_DROP {
                continue;
            }
            let line = row.line()?;
            if !ids.insert(line.id) {
                return Err(row.wrong("ID", "another line has it too"));
            }
            lines.push(line);
            if lines.len() > LINES_MAX {
                return Err(DeliveriesError::TooMany(file.to_owned()));
            }
        }
        if lines.is_empty() {
            return Err(DeliveriesError::Empty(file.to_owned()));
        }
        Ok(Deliveries { lines })
    }

    /// The lines, in the order of the file.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Only the lines of these vendors; `None` if there are none.
    #[must_use]
    pub fn of_vendors(&self, vendors: &[&str]) -> Option<Deliveries> {
        let of = |line: &&Line| vendors.contains(&line.vendor.as_str());
        let lines: Vec<Line> = self.lines.iter().filter(of).cloned().collect();
        (!lines.is_empty()).then_some(Deliveries { lines })
    }

    /// Every vendor, in alphabetical order of bytes.
    pub fn vendors(&self) -> BTreeSet<&str> {
        self.lines.iter().map(|line| line.vendor.as_str()).collect()
    }

    /// Every country, in alphabetical order of bytes.
    pub fn countries(&self) -> BTreeSet<&str> {
        self.lines
            .iter()
            .map(|line| line.country.as_str())
            .collect()
    }
}

/// Where the columns stand.
struct Columns(BTreeMap<&'static str, usize>);

impl Columns {
    fn find(file: &str, headers: &StringRecord) -> Result<Columns, DeliveriesError> {
        let place = |name: &'static str| {
            let place = headers.iter().position(|header| header.trim() == name);
            let missing = || DeliveriesError::Column(file.to_owned(), name);
            Ok((name, place.ok_or_else(missing)?))
        };
        COLUMNS
            .into_iter()
            .map(place)
            .collect::<Result<_, _>>()
            .map(Columns)
    }
}

/// A record with what is needed to read it and to say what is wrong.
struct Row<'a> {
    file: &'a str,
    columns: &'a Columns,
    record: &'a StringRecord,
}

impl Row<'_> {
    fn get(&self, column: &str) -> &str {
        let place = self.columns.0.get(column);
        place
            .and_then(|place| self.record.get(*place))
            .unwrap_or_default()
            .trim()
    }

    fn wrong(&self, column: &'static str, problem: &'static str) -> DeliveriesError {
        DeliveriesError::Line {
            file: self.file.to_owned(),
            line: self.record.position().map_or(0, csv::Position::line),
            column,
            problem,
        }
    }

    fn line(&self) -> Result<Line, DeliveriesError> {
        Ok(Line {
            id: self.number("ID")?,
            order: self.text("PO / SO #")?,
            country: self.text("Country")?,
            vendor: self.text("Vendor")?,
            scheduled: self.day("Scheduled Delivery Date")?,
            delivered: self.day("Delivered to Client Date")?,
            recorded: self.day("Delivery Recorded Date")?,
            quantity: self.number("Line Item Quantity")?,
            value_cents: self.cents("Line Item Value")?,
        })
    }

    fn text(&self, column: &'static str) -> Result<String, DeliveriesError> {
        let text = self.get(column);
        match text {
            "" => Err(self.wrong(column, "is empty")),
            _ if text.len() > TEXT_MAX_BYTES => Err(self.wrong(column, "is longer than 256 bytes")),
            _ if text.chars().any(char::is_control) => {
                Err(self.wrong(column, "has a control character"))
            }
            _ => Ok(text.to_owned()),
        }
    }

    fn day(&self, column: &'static str) -> Result<NaiveDate, DeliveriesError> {
        NaiveDate::parse_from_str(self.get(column), DAY)
            .map_err(|_| self.wrong(column, "is no day like 02-Jun-06"))
    }

    /// A whole number above zero.
    fn number<T: std::str::FromStr + Default + PartialEq>(
        &self,
        column: &'static str,
    ) -> Result<T, DeliveriesError> {
        let number = self
            .get(column)
            .parse()
            .ok()
            .filter(|number| *number != T::default());
        number.ok_or_else(|| self.wrong(column, "is no whole number above zero"))
    }

    /// An amount with at most two places, in hundredths.
    fn cents(&self, column: &'static str) -> Result<i64, DeliveriesError> {
        let amount: Option<Decimal> = self.get(column).parse().ok();
        let cents = amount.and_then(|amount| amount.checked_mul(Decimal::ONE_HUNDRED));
        let whole = cents.filter(|cents| cents.fract().is_zero() && !cents.is_sign_negative());
        let whole = whole.and_then(|cents| i64::try_from(cents).ok());
        whole.ok_or_else(|| self.wrong(column, "is no amount with at most two places"))
    }
}
