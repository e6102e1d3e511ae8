//! A table as CSV (RFC 4180) that spreadsheet programs read as it was meant: UTF-8 with a byte order
//! mark, lines end with CR LF, and no text is taken for a formula.
//!
//! A text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return is computed by spreadsheet
//! programs: such a text gets a `'` in front, which they show and do not compute ("CSV injection",
//! OWASP). Numbers are numbers and keep their sign.

use crate::xlsx::{Cell, Sheet, decimal};

/// Media type of a table.
pub const MEDIA_TYPE: &str = "text/csv; charset=utf-8; header=present";

/// Tells spreadsheet programs that this is UTF-8.
const MARK: &str = "\u{feff}";

/// The table of a sheet, heading first.
#[must_use]
pub fn csv(sheet: &Sheet) -> Vec<u8> {
    let mut out = MARK.to_owned();
    line(&mut out, sheet.heading().iter().map(|name| text(name)));
    for row in sheet.rows() {
        line(&mut out, row.iter().map(field));
    }
    out.into_bytes()
}

fn line(out: &mut String, fields: impl Iterator<Item = String>) {
    let fields: Vec<String> = fields.collect();
    out.push_str(&fields.join(","));
    out.push_str("\r\n");
}

fn field(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(content) => text(content),
        Cell::Whole(number) => number.to_string(),
        Cell::Decimal { units, places } => decimal(*units, *places),
    }
}

fn text(content: &str) -> String {
    let formula = content.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    if content.contains([',', '"', '\r', '\n']) || guard == "'" {
        format!("\"{guard}{}\"", content.replace('"', "\"\""))
    } else {
        content.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_a_formula_and_numbers_stay_numbers() {
        let mut sheet = Sheet::new("t", &["名称", "a,b"]);
        sheet.row(vec!["=1+1".into(), Cell::hundredths(-5)]);
        sheet.row(vec!["@SUM(A1)".into(), "+86 10".into()]);
        sheet.row(vec!["-2\"x\"".into(), "\tx".into()]);
        sheet.row(vec!["two\nlines".into(), Cell::Empty, Cell::Whole(-7)]);
        sheet.row(vec!["plain = text".into(), "\rx".into()]);
        let expected = "\u{feff}名称,\"a,b\"\r\n\"'=1+1\",-0.05\r\n\"'@SUM(A1)\",\"'+86 10\"\r\n\
            \"'-2\"\"x\"\"\",\"'\tx\"\r\n\"two\nlines\",,-7\r\nplain = text,\"'\rx\"\r\n";
        assert_eq!(String::from_utf8(csv(&sheet)).unwrap(), expected);
    }
}
