//! The members of a workbook as XML.

use std::fmt::Write as _;

use super::{Cell, EXACT_MAX, Sheet};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
const KIND: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// Most places behind the point that have a number format.
const PLACES_MAX: u8 = 9;
/// Style of the heading; [`STYLES`] lists them.
const HEADING: u8 = 1;
/// Style of a whole number.
const WHOLE: u8 = 2;
/// Style of a number with `p` places is `WHOLE + p`.
const WIDTH_MIN: usize = 8;
/// Widest column, in characters.
const WIDTH_MAX: usize = 60;
/// Rows that a column's width is taken from.
const WIDTH_ROWS: usize = 1_000;

pub(super) const PACKAGE_RELATIONS: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n",
    "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">",
    "<Relationship Id=\"rId1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/",
    "relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>",
);

/// Normal, heading, whole number, then 1 to 9 places.
pub(super) const STYLES: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n",
    "<styleSheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">",
    "<numFmts count=\"9\">",
    "<numFmt numFmtId=\"165\" formatCode=\"#,##0.0\"/>",
    "<numFmt numFmtId=\"166\" formatCode=\"#,##0.00\"/>",
    "<numFmt numFmtId=\"167\" formatCode=\"#,##0.000\"/>",
    "<numFmt numFmtId=\"168\" formatCode=\"#,##0.0000\"/>",
    "<numFmt numFmtId=\"169\" formatCode=\"#,##0.00000\"/>",
    "<numFmt numFmtId=\"170\" formatCode=\"#,##0.000000\"/>",
    "<numFmt numFmtId=\"171\" formatCode=\"#,##0.0000000\"/>",
    "<numFmt numFmtId=\"172\" formatCode=\"#,##0.00000000\"/>",
    "<numFmt numFmtId=\"173\" formatCode=\"#,##0.000000000\"/>",
    "</numFmts>",
    "<fonts count=\"2\"><font><sz val=\"11\"/><name val=\"Calibri\"/></font>",
    "<font><b/><sz val=\"11\"/><name val=\"Calibri\"/></font></fonts>",
    "<fills count=\"2\"><fill><patternFill patternType=\"none\"/></fill>",
    "<fill><patternFill patternType=\"gray125\"/></fill></fills>",
    "<borders count=\"1\"><border><left/><right/><top/><bottom/><diagonal/></border></borders>",
    "<cellStyleXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/></cellStyleXfs>",
    "<cellXfs count=\"12\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\"/>",
    "<xf numFmtId=\"0\" fontId=\"1\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyFont=\"1\"/>",
    "<xf numFmtId=\"1\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/>",
    "<xf numFmtId=\"165\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/>",
    "<xf numFmtId=\"166\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/>",
    "<xf numFmtId=\"167\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/>",
    "<xf numFmtId=\"168\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/>",
    "<xf numFmtId=\"169\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/>",
    "<xf numFmtId=\"170\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/>",
    "<xf numFmtId=\"171\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/>",
    "<xf numFmtId=\"172\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/>",
    "<xf numFmtId=\"173\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/></cellXfs>",
    "<cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/></cellStyles>",
    "</styleSheet>",
);

/// Where a sheet stands in the archive.
pub(super) fn sheet_path(index: usize) -> String {
    format!("xl/worksheets/sheet{}.xml", index + 1)
}

/// Which member is of which kind.
pub(super) fn content_types(sheets: usize) -> String {
    let kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    let mut xml = format!(
        "{HEAD}<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
         <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
         <Default Extension=\"xml\" ContentType=\"application/xml\"/>\
         <Override PartName=\"/xl/workbook.xml\" ContentType=\"{kinds}.sheet.main+xml\"/>\
         <Override PartName=\"/xl/styles.xml\" ContentType=\"{kinds}.styles+xml\"/>"
    );
    for index in 0..sheets {
        let path = sheet_path(index);
        put(
            &mut xml,
            format_args!("<Override PartName=\"/{path}\" ContentType=\"{kinds}.worksheet+xml\"/>"),
        );
    }
    xml + "</Types>"
}

/// The list of sheets.
pub(super) fn book(sheets: &[Sheet]) -> String {
    let mut xml = format!("{HEAD}<workbook xmlns=\"{MAIN}\" xmlns:r=\"{KIND}\"><sheets>");
    for (index, sheet) in sheets.iter().enumerate() {
        let (id, name) = (index + 1, escaped(&sheet.name));
        put(
            &mut xml,
            format_args!("<sheet name=\"{name}\" sheetId=\"{id}\" r:id=\"rId{id}\"/>"),
        );
    }
    xml + "</sheets></workbook>"
}

/// Where the sheets and their styles stand.
pub(super) fn book_relations(sheets: usize) -> String {
    let mut xml = format!("{HEAD}<Relationships xmlns=\"{RELATIONS}\">");
    for id in 1..=sheets {
        let target = format_args!(
            "<Relationship Id=\"rId{id}\" Type=\"{KIND}/worksheet\" Target=\"worksheets/sheet{id}.xml\"/>"
        );
        put(&mut xml, target);
    }
    let id = sheets + 1;
    let styles = format_args!(
        "<Relationship Id=\"rId{id}\" Type=\"{KIND}/styles\" Target=\"styles.xml\"/></Relationships>"
    );
    put(&mut xml, styles);
    xml
}

/// A sheet: its heading row stays in sight.
pub(super) fn sheet(sheet: &Sheet, open: bool) -> String {
    let selected = if open { " tabSelected=\"1\"" } else { "" };
    let mut xml = format!(
        "{HEAD}<worksheet xmlns=\"{MAIN}\"><sheetViews><sheetView{selected} workbookViewId=\"0\">\
         <pane ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\" state=\"frozen\"/>\
         </sheetView></sheetViews>"
    );
    columns(&mut xml, sheet);
    xml.push_str("<sheetData><row r=\"1\">");
    for (column, name) in sheet.heading.iter().enumerate() {
        text_cell(&mut xml, &place(column, 1), HEADING, name);
    }
    xml.push_str("</row>");
    for (index, cells) in sheet.rows.iter().enumerate() {
        let row = index + 2;
        put(&mut xml, format_args!("<row r=\"{row}\">"));
        for (column, content) in cells.iter().enumerate() {
            cell(&mut xml, &place(column, row), content);
        }
        xml.push_str("</row>");
    }
    xml + "</sheetData></worksheet>"
}

/// Widths by the longest text of the first rows; an ideograph takes two places.
fn columns(xml: &mut String, sheet: &Sheet) {
    if sheet.heading.is_empty() {
        return;
    }
    xml.push_str("<cols>");
    for (index, name) in sheet.heading.iter().enumerate() {
        let cells = sheet.rows.iter().take(WIDTH_ROWS);
        let longest = cells
            .filter_map(|row| row.get(index))
            .map(|cell| match cell {
                Cell::Text(text) => wide(text),
                Cell::Empty => 0,
                Cell::Whole(_) | Cell::Decimal { .. } => 14,
            })
            .fold(wide(name), usize::max);
        let width = (longest + 2).clamp(WIDTH_MIN, WIDTH_MAX);
        let column = index + 1;
        let line = format_args!(
            "<col min=\"{column}\" max=\"{column}\" width=\"{width}\" customWidth=\"1\"/>"
        );
        put(xml, line);
    }
    xml.push_str("</cols>");
}

fn wide(text: &str) -> usize {
    let letters = text.chars().take(WIDTH_MAX);
    letters
        .map(|letter| if letter >= '\u{2e80}' { 2 } else { 1 })
        .sum()
}

/// `A1`, `AA7`.
fn place(column: usize, row: usize) -> String {
    let (mut letters, mut rest) = (Vec::new(), column + 1);
    while rest > 0 {
        let digit = u8::try_from((rest - 1) % 26).unwrap_or(0);
        letters.push(char::from(b'A' + digit));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect::<String>() + &row.to_string()
}

fn cell(xml: &mut String, place: &str, content: &Cell) {
    match content {
        Cell::Empty => {}
        Cell::Text(text) => text_cell(xml, place, 0, text),
        Cell::Whole(number) => number_cell(xml, place, *number, 0),
        Cell::Decimal { units, places } => number_cell(xml, place, *units, *places),
    }
}

fn number_cell(xml: &mut String, place: &str, units: i64, places: u8) {
    let number = decimal(units, places);
    if units.unsigned_abs() > EXACT_MAX || places > PLACES_MAX {
        return text_cell(xml, place, 0, &number);
    }
    let style = WHOLE + places;
    put(
        xml,
        format_args!("<c r=\"{place}\" s=\"{style}\"><v>{number}</v></c>"),
    );
}

/// `-0.05` of -5 with two places.
pub(crate) fn decimal(units: i64, places: u8) -> String {
    let places = usize::from(places);
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    let sign = if units < 0 { "-" } else { "" };
    let point = if places == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{part}")
}

fn text_cell(xml: &mut String, place: &str, style: u8, text: &str) {
    let text = escaped(text);
    let cell = format_args!(
        "<c r=\"{place}\" s=\"{style}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>"
    );
    put(xml, cell);
}

/// Writing into a string does not fail.
fn put(xml: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = xml.write_fmt(text);
}

/// Text as XML; what XML 1.0 cannot hold, and what would be read as such an escape, as `_xHHHH_`
/// (ECMA-376 part 1, 22.9.2.19).
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        match letter {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '_' if is_escape(&text[at..]) => xml.push_str("_x005F_"),
            '\t' | '\n' => xml.push(letter),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                put(&mut xml, format_args!("_x{:04X}_", u32::from(letter)));
            }
            _ => xml.push(letter),
        }
    }
    xml
}

/// True if `_xHHHH_` stands at the beginning.
fn is_escape(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 7
        && bytes[1] == b'x'
        && bytes[6] == b'_'
        && bytes[2..6].iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_as_spreadsheets_name_them() {
        let named = [0, 25, 26, 51, 52, 701, 702, 16_383].map(|column| place(column, 1));
        assert_eq!(
            named,
            ["A1", "Z1", "AA1", "AZ1", "BA1", "ZZ1", "AAA1", "XFD1"]
        );
    }

    #[test]
    fn numbers_keep_every_digit() {
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!(decimal(0, 2), "0.00");
        assert_eq!(decimal(123_456, 2), "1234.56");
        assert_eq!(decimal(i64::MIN, 0), "-9223372036854775808");
        let mut xml = String::new();
        number_cell(&mut xml, "A1", 1_000_000_000_000_000, 2);
        assert!(
            xml.contains("t=\"inlineStr\"") && xml.contains("10000000000000.00"),
            "{xml}"
        );
    }

    #[test]
    fn what_xml_cannot_hold_is_escaped_and_comes_back() {
        assert_eq!(
            escaped("a<b>&\"\u{1}\r"),
            "a&lt;b&gt;&amp;&quot;_x0001__x000D_"
        );
        assert_eq!(escaped("_x0041_ _x004 _"), "_x005F_x0041_ _x004 _");
        assert_eq!(escaped("订单\t=1+1\n"), "订单\t=1+1\n");
    }
}
