//! Tables as a workbook (Office Open XML, ECMA-376 part 1, SpreadsheetML) for people who go on
//! working in a spreadsheet program.
//!
//! The same sheets give the same bytes, on every machine and with every version of a library:
//! members stand in a fixed order, carry no clock and are stored without compression, so that a
//! report's hash can be made again years later. It writes what a table needs and nothing else: no
//! formula, no macro, no link, no author. Text is text: `=1+1` in a cell is shown, never computed.
//!
//! ```
//! use kit::xlsx::{Cell, Sheet, workbook};
//!
//! let mut sheet = Sheet::new("Offers", &["Application", "Amount"]);
//! sheet.row(vec![Cell::text("A-1"), Cell::hundredths(500_000)]);
//! let bytes = workbook(&[sheet]).unwrap();
//! assert!(bytes.starts_with(b"PK"));
//! ```

mod part;

pub(crate) use part::decimal;

use crate::zip::{Archive, TooLarge};

/// Media type of a workbook.
pub const MEDIA_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Most rows of a sheet, its heading included (ECMA-376; what spreadsheet programs open).
pub const ROWS_MAX: usize = 1_048_576;
/// Most columns of a sheet.
pub const COLUMNS_MAX: usize = 16_384;
/// Most characters of a cell, counted as UTF-16 units as spreadsheet programs do.
pub const TEXT_MAX: usize = 32_767;
/// Most characters of a sheet's name.
pub const NAME_MAX: usize = 31;
/// Most sheets of a workbook that this writes.
pub const SHEETS_MAX: usize = 64;
/// Largest whole number that a spreadsheet's 64-bit float holds exactly: 15 digits are shown.
const EXACT_MAX: u64 = 999_999_999_999_999;
/// Characters that a sheet's name may not have.
const NAME_REFUSED: &[char] = &['[', ']', ':', '*', '?', '/', '\\'];

/// What stands in a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// Text, shown as it is.
    Text(String),
    /// A whole number. One with more than 15 digits is written as text, since spreadsheet programs
    /// would round it.
    Whole(i64),
    /// A number with decimal places: `Decimal { units: 12345, places: 2 }` is 123.45. The same
    /// limit of 15 digits holds; at most 9 places are shown, more are written as text.
    Decimal {
        /// The number without its point.
        units: i64,
        /// Places behind the point.
        places: u8,
    },
}

impl Cell {
    /// A text cell.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An amount in hundredths, such as fen of a yuan, as a number with two places.
    #[must_use]
    pub fn hundredths(units: i64) -> Self {
        Self::Decimal { units, places: 2 }
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

/// A table with a heading row, which stays in sight when the rest is scrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    name: String,
    heading: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// An empty sheet with these column names.
    #[must_use]
    pub fn new(name: &str, heading: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            heading: heading.iter().map(|&one| one.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row below the others.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Names of the columns.
    #[must_use]
    pub fn heading(&self) -> &[String] {
        &self.heading
    }

    /// The rows below the heading.
    #[must_use]
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// How many rows it has, the heading not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True if it has no row but the heading.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn check(&self) -> Result<(), XlsxError> {
        let (sheet, name) = (|| self.name.clone(), &self.name);
        let edge = name.starts_with('\'') || name.ends_with('\'');
        let refused = |letter: char| NAME_REFUSED.contains(&letter) || letter.is_control();
        if name.is_empty() || units(name) > NAME_MAX || edge || name.contains(refused) {
            return Err(XlsxError::Name(sheet()));
        }
        if self.rows.len() >= ROWS_MAX {
            return Err(XlsxError::Rows(sheet()));
        }
        let widest = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        if widest.max(self.heading.len()) > COLUMNS_MAX {
            return Err(XlsxError::Columns(sheet()));
        }
        let texts = self.rows.iter().flatten().filter_map(|cell| match cell {
            Cell::Text(text) => Some(text),
            _ => None,
        });
        if self
            .heading
            .iter()
            .chain(texts)
            .any(|text| units(text) > TEXT_MAX)
        {
            return Err(XlsxError::Text(sheet()));
        }
        Ok(())
    }
}

/// Length as spreadsheet programs count it.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Why there is no workbook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XlsxError {
    /// No sheet, or more than [`SHEETS_MAX`].
    #[error("a workbook has 1 to {SHEETS_MAX} sheets, not {0}")]
    Sheets(usize),
    /// A sheet's name is empty, too long, has a character that is refused, or begins or ends with `'`.
    #[error("sheet `{0}`: a name has 1 to {NAME_MAX} characters and none of []:*?/\\")]
    Name(String),
    /// Two sheets have one name, letters' case aside.
    #[error("sheet `{0}` stands twice")]
    Twice(String),
    /// More than [`ROWS_MAX`] rows.
    #[error("sheet `{0}` has more than {ROWS_MAX} rows")]
    Rows(String),
    /// More than [`COLUMNS_MAX`] columns.
    #[error("sheet `{0}` has more than {COLUMNS_MAX} columns")]
    Columns(String),
    /// A cell's text is longer than [`TEXT_MAX`].
    #[error("sheet `{0}` has a cell of more than {TEXT_MAX} characters")]
    Text(String),
    /// The file would have 4 GiB or more.
    #[error("the workbook would have 4 GiB or more")]
    Size(#[from] TooLarge),
}

/// The workbook of these sheets, in this order; the first one is open.
///
/// # Errors
/// [`XlsxError`]; it names the sheet.
pub fn workbook(sheets: &[Sheet]) -> Result<Vec<u8>, XlsxError> {
    if sheets.is_empty() || sheets.len() > SHEETS_MAX {
        return Err(XlsxError::Sheets(sheets.len()));
    }
    let mut names = std::collections::BTreeSet::new();
    for sheet in sheets {
        sheet.check()?;
        if !names.insert(sheet.name.to_lowercase()) {
            return Err(XlsxError::Twice(sheet.name.clone()));
        }
    }
    let mut archive = Archive::default();
    let kinds = part::content_types(sheets.len());
    archive.add("[Content_Types].xml", kinds.as_bytes())?;
    archive.add("_rels/.rels", part::PACKAGE_RELATIONS.as_bytes())?;
    archive.add("xl/workbook.xml", part::book(sheets).as_bytes())?;
    let relations = part::book_relations(sheets.len());
    archive.add("xl/_rels/workbook.xml.rels", relations.as_bytes())?;
    archive.add("xl/styles.xml", part::STYLES.as_bytes())?;
    for (index, sheet) in sheets.iter().enumerate() {
        let content = part::sheet(sheet, index == 0);
        archive.add(&part::sheet_path(index), content.as_bytes())?;
    }
    Ok(archive.finish()?)
}

#[cfg(test)]
mod tests;
