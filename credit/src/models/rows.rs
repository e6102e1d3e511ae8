//! Labelled rows from a CSV file with a head line, as the settings name its columns.
//!
//! What is wrong is named by line and column. Nothing is guessed: a cell of the outcome that is
//! neither good nor bad is an error, and so is a number that is none.

use std::collections::BTreeSet;

use csv::{ReaderBuilder, StringRecord};

use super::sheet::{FeatureColumn, Sheet};
use crate::scorecard::card::GROUPINGS;
use crate::scorecard::dataset::{DatasetError, ROWS_MAX};
use crate::scorecard::outcome::check_length;
use crate::scorecard::{Dataset, Number, Row};

/// Longest CSV file in bytes: bounds the memory of a fit.
pub const FILE_MAX: u64 = 64 * 1024 * 1024;

/// Cells of features at most: rows times features.
pub const CELLS_MAX: usize = 10_000_000;

/// Most columns of a file, used or not.
pub const COLUMNS_MAX: usize = 1_000;

/// Longest line in bytes, without its separators: a quotation mark that is never closed ends here.
pub const LINE_MAX: usize = 64 * 1024;

/// What bounds the rows of a file.
#[derive(Clone, Copy, Debug)]
struct Most {
    rows: usize,
    cells: usize,
}

const MOST: Most = Most {
    rows: ROWS_MAX,
    cells: CELLS_MAX,
};

/// Rows that nothing can be fitted on.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The file is too long.
    #[error("data: more than {FILE_MAX} bytes")]
    TooLong,
    /// It is no CSV, or no UTF-8.
    #[error("data: {0}")]
    Csv(#[from] csv::Error),
    /// A line has more or fewer cells than the first.
    #[error("data: line {line}: {found} cells, the head line has {wanted}")]
    Cells {
        /// From 1, the head line included.
        line: u64,
        /// How many it has.
        found: usize,
        /// How many the head line has.
        wanted: usize,
    },
    /// A column is not there.
    #[error("data: no column is called `{0}`")]
    NoColumn(String),
    /// A column is there twice.
    #[error("data: two columns are called `{0}`")]
    TwoColumns(String),
    /// A cell cannot be read.
    #[error("data: line {line}, column `{column}`: {problem}")]
    Cell {
        /// From 1, the head line included.
        line: u64,
        /// The column.
        column: String,
        /// What is wrong.
        problem: String,
    },
    /// There are too many rows, cells or columns, or a line is too long.
    #[error("data: line {line}: more than {most} {what}")]
    TooMany {
        /// From 1, the head line included.
        line: u64,
        /// How many may be.
        most: usize,
        /// Of what.
        what: &'static str,
    },
    /// A line is too long; its longest cell is in this column.
    #[error("data: line {line}, column `{column}`: the line has more than {LINE_MAX} bytes")]
    Line {
        /// From 1, the head line included.
        line: u64,
        /// The column.
        column: String,
    },
    /// All rows have the same outcome.
    #[error("data: column `{column}`: both outcomes must occur in {part}")]
    OneOutcome {
        /// The column.
        column: String,
        /// Which rows.
        part: &'static str,
    },
    /// What else is wrong with the rows.
    #[error("data: {0}")]
    Rows(#[from] DatasetError),
}

/// The rows of a fit.
#[derive(Clone, Debug)]
pub struct Rows {
    /// What is fitted on.
    pub development: Dataset,
    /// What the fit does not see.
    pub holdout: Option<Dataset>,
}

/// Where the columns are.
struct Columns<'s> {
    sheet: &'s Sheet,
    outcome: usize,
    features: Vec<(usize, &'s FeatureColumn)>,
    weight: Option<usize>,
    holdout: Option<(usize, &'s BTreeSet<String>)>,
    groups: [Option<usize>; GROUPINGS.len()],
}

/// Reads the rows.
///
/// # Errors
/// [`RowsError`], naming line and column.
pub fn read(bytes: &[u8], sheet: &Sheet) -> Result<Rows, RowsError> {
    read_within(bytes, sheet, MOST)
}

fn read_within(bytes: &[u8], sheet: &Sheet, most: Most) -> Result<Rows, RowsError> {
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_MAX {
        return Err(RowsError::TooLong);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut file = ReaderBuilder::new().flexible(true).from_reader(bytes);
    let head = file.headers()?.clone();
    check_head(&head)?;
    let columns = Columns::of(sheet, &head)?;
    let (mut seen, mut held) = (Vec::new(), Vec::new());
    let mut record = StringRecord::new();
    while file.read_record(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        let rows = seen.len() + held.len();
        let too_many = |most, what| RowsError::TooMany { line, most, what };
        if rows >= most.rows {
            return Err(too_many(most.rows, "rows"));
        }
        if (rows + 1) * columns.features.len() > most.cells {
            return Err(too_many(most.cells, "cells of features"));
        }
        check_line(&head, &record, line)?;
        let row = columns.row(&record)?;
        if columns.is_held_out(&record) {
            held.push(row);
        } else {
            seen.push(row);
        }
    }
    let development = dataset(sheet, seen, "the rows to fit on")?;
    let holdout = match sheet.holdout {
        Some(_) => Some(dataset(sheet, held, "the rows that are held out")?),
        None => None,
    };
    Ok(Rows {
        development,
        holdout,
    })
}

fn check_head(head: &StringRecord) -> Result<(), RowsError> {
    if head.len() > COLUMNS_MAX {
        return Err(RowsError::TooMany {
            line: 1,
            most: COLUMNS_MAX,
            what: "columns",
        });
    }
    check_line(head, head, 1)
}

/// Whether a line is no longer than it may be, and has the cells of the head line.
fn check_line(head: &StringRecord, record: &StringRecord, line: u64) -> Result<(), RowsError> {
    let (found, wanted) = (record.len(), head.len());
    match record.as_slice().len() <= LINE_MAX {
        true if found == wanted => return Ok(()),
        true => {
            return Err(RowsError::Cells {
                line,
                found,
                wanted,
            });
        }
        false => {}
    }
    let cells = record.iter().enumerate();
    let longest = cells.max_by_key(|(_, cell)| cell.len());
    let named = longest.and_then(|(at, _)| head.get(at)).unwrap_or_default();
    let column = named.chars().take(80).collect();
    Err(RowsError::Line { line, column })
}

fn dataset(sheet: &Sheet, rows: Vec<Row>, part: &'static str) -> Result<Dataset, RowsError> {
    let groupings = GROUPINGS.map(str::to_owned).to_vec();
    let made = Dataset::new(sheet.outcome(), sheet.features(), groupings, rows);
    made.map_err(|error| match error {
        DatasetError::OneOutcome => RowsError::OneOutcome {
            column: sheet.outcome.column.clone(),
            part,
        },
        other => RowsError::Rows(other),
    })
}

impl<'s> Columns<'s> {
    fn of(sheet: &'s Sheet, head: &StringRecord) -> Result<Self, RowsError> {
        let at = |name: &str| {
            let mut found = head.iter().enumerate().filter(|(_, one)| *one == name);
            let place = found.next().map(|(place, _)| place);
            match (place, found.next()) {
                (Some(place), None) => Ok(place),
                (None, _) => Err(RowsError::NoColumn(name.to_owned())),
                (Some(_), Some(_)) => Err(RowsError::TwoColumns(name.to_owned())),
            }
        };
        let features = sheet.features.iter();
        let features: Result<_, RowsError> =
            features.map(|one| Ok((at(&one.column)?, one))).collect();
        let [region, size, age] = sheet.groups.columns();
        let maybe = |name: Option<&str>| name.map(at).transpose();
        let held = sheet.holdout.as_ref();
        let held = held.map(|one| Ok::<_, RowsError>((at(&one.column)?, &one.values)));
        Ok(Self {
            sheet,
            outcome: at(&sheet.outcome.column)?,
            features: features?,
            weight: maybe(sheet.weight.as_deref())?,
            holdout: held.transpose()?,
            groups: [maybe(region)?, maybe(size)?, maybe(age)?],
        })
    }

    fn is_held_out(&self, record: &StringRecord) -> bool {
        self.holdout
            .is_some_and(|(at, values)| values.contains(&record[at]))
    }

    fn row(&self, record: &StringRecord) -> Result<Row, RowsError> {
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |column: &str, problem: String| RowsError::Cell {
            line,
            column: column.to_owned(),
            problem,
        };
        let value = |(at, one): &(usize, &FeatureColumn)| {
            let read = one.read(&record[*at]);
            read.map_err(|problem| wrong(&one.column, problem))
        };
        let values: Result<Vec<_>, RowsError> = self.features.iter().map(value).collect();
        let bad = self.outcome(&record[self.outcome]);
        let weight = self.weight.map_or(Ok(Number::ONE), |at| {
            let column = self.sheet.weight.as_deref().unwrap_or_default();
            weight(&record[at]).map_err(|problem| wrong(column, problem))
        });
        let names = self.sheet.groups.columns();
        let group = |(at, column): (&Option<usize>, Option<&str>)| match at.map(|at| &record[at]) {
            None | Some("") => Ok(String::new()),
            Some(name) => {
                let fits = check_length(name);
                fits.map_err(|error| wrong(column.unwrap_or_default(), error.to_string()))?;
                Ok(name.to_owned())
            }
        };
        let groups = self.groups.iter().zip(names);
        let groups: Result<Vec<String>, RowsError> = groups.map(group).collect();
        Ok(Row {
            values: values?,
            bad: bad.map_err(|problem| wrong(&self.sheet.outcome.column, problem))?,
            weight: weight?,
            groups: groups?,
        })
    }

    fn outcome(&self, cell: &str) -> Result<bool, String> {
        let named = &self.sheet.outcome;
        match (named.good.contains(cell), named.bad.contains(cell)) {
            (true, _) => Ok(false),
            (_, true) => Ok(true),
            (false, false) => Err(format!(
                "`{}` is neither good nor bad by the settings",
                cell.chars().take(80).collect::<String>()
            )),
        }
    }
}

fn weight(cell: &str) -> Result<Number, String> {
    let number: Number = cell.parse().map_err(|error| format!("{error}"))?;
    if number > Number::ZERO {
        Ok(number)
    } else {
        Err(format!("`{cell}`: a weight must be above zero"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::tests::{SETTINGS, rows};

    fn refused(text: &str, most: Most) -> String {
        let refused = read_within(text.as_bytes(), &sheet(), most).unwrap_err();
        refused.to_string()
    }

    #[test]
    fn too_many_rows_or_cells_are_refused_with_their_line() {
        let most = |rows, cells| Most { rows, cells };
        let text = rows(400);
        assert!(read_within(text.as_bytes(), &sheet(), most(400, 1_200)).is_ok());
        let many = refused(&text, most(399, 1_200));
        assert_eq!(many, "data: line 401: more than 399 rows");
        let cells = refused(&text, most(400, 1_199));
        assert_eq!(cells, "data: line 401: more than 1199 cells of features");
    }

    fn sheet() -> Sheet {
        Sheet::parse("settings.toml", SETTINGS).unwrap()
    }

    #[test]
    fn long_lines_and_many_columns_are_refused_by_name() {
        let head = "on_time_share,gaps,events,late,part";
        let long = "x".repeat(LINE_MAX);
        let cell = format!("{head}\n0.1,1,2,0,a\n0.2,1,2,1,{long}\n");
        let said = refused(&cell, MOST);
        let named = "data: line 3, column `part`: the line has more than 65536 bytes";
        assert_eq!(said, named);
        // A quotation mark that nobody closes takes in the rest of the file.
        let open = format!("{head}\n0.1,1,\"2,0,a\n{}", rows(4_000));
        let said = refused(&open, MOST);
        assert!(
            said.starts_with("data: line 2, column `events`: "),
            "{said}"
        );
        let wide = format!("{head},{}\n", vec!["more"; COLUMNS_MAX].join(","));
        let said = refused(&wide, MOST);
        assert_eq!(said, "data: line 1: more than 1000 columns");
        let name = format!("{head},{long}\n");
        let said = refused(&name, MOST);
        assert!(said.starts_with("data: line 1, column `xxx"), "{said}");
        assert!(said.len() < 200, "{}", said.len());
        let broken = [head.as_bytes(), b"\n0.1,1,\xff,0,a\n"].concat();
        let said = read(&broken, &sheet()).unwrap_err().to_string();
        assert!(said.contains("line 2, field: 2"), "{said}");
    }

    #[test]
    fn a_huge_file_is_refused_before_it_is_read() {
        let length = usize::try_from(FILE_MAX).unwrap() + 1;
        let said = read(&vec![b'1'; length], &sheet()).unwrap_err();
        assert_eq!(said.to_string(), "data: more than 67108864 bytes");
    }
}
