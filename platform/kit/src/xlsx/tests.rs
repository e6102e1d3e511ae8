//! A workbook as others read it.

use std::process::Command;

use super::*;

fn offers() -> Vec<Sheet> {
    let mut offers = Sheet::new("报价 Offers", &["申请", "Amount", "Points", "Note"]);
    let note = "=HYPERLINK(\"http://x\") & \u{1} _x0041_ <b>";
    offers.row(vec![
        "A-1".into(),
        Cell::hundredths(500_050),
        Cell::Whole(-7),
        note.into(),
    ]);
    offers.row(vec![
        Cell::Empty,
        Cell::hundredths(-5),
        Cell::Whole(i64::MAX),
    ]);
    vec![offers, Sheet::new("Empty", &[])]
}

#[test]
fn the_same_sheets_give_the_same_bytes() {
    let bytes = workbook(&offers()).unwrap();
    assert_eq!(bytes, workbook(&offers()).unwrap());
    let mut other = offers();
    other[0].row(vec![]);
    assert_ne!(bytes, workbook(&other).unwrap());
}

/// Python's own `zipfile` checks every sum, and its XML parser every member.
#[test]
fn another_program_reads_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("offers.xlsx");
    std::fs::write(&file, workbook(&offers()).unwrap()).unwrap();
    let script = r#"
import sys, zipfile, xml.etree.ElementTree as tree
book = zipfile.ZipFile(sys.argv[1])
assert book.testzip() is None
assert {i.date_time for i in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
parts = {name: tree.fromstring(book.read(name)) for name in book.namelist()}
main = '{http://schemas.openxmlformats.org/spreadsheetml/2006/main}'
print([sheet.get('name') for sheet in parts['xl/workbook.xml'].iter(main + 'sheet')])
for cell in parts['xl/worksheets/sheet1.xml'].iter(main + 'c'):
    print(cell.get('r'), cell.get('s'), cell.get('t'), repr(''.join(cell.itertext())))
"#;
    let mut python = Command::new("python3");
    let python = python_output(python.arg("-c").arg(script).arg(&file));
    let expected = r#"['报价 Offers', 'Empty']
A1 1 inlineStr '申请'
B1 1 inlineStr 'Amount'
C1 1 inlineStr 'Points'
D1 1 inlineStr 'Note'
A2 0 inlineStr 'A-1'
B2 4 None '5000.50'
C2 2 None '-7'
D2 0 inlineStr '=HYPERLINK("http://x") & _x0001_ _x005F_x0041_ <b>'
B3 4 None '-0.05'
C3 0 inlineStr '9223372036854775807'
"#;
    assert_eq!(python, expected);
}

fn python_output(command: &mut Command) -> String {
    let output = command.env("PYTHONIOENCODING", "utf-8").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_no_spreadsheet_opens_is_refused_by_name() {
    let named = |name: &str| workbook(&[Sheet::new(name, &["a"])]).unwrap_err();
    for name in ["", "a/b", "a]", "'a", "a'", "a\n", &"x".repeat(32)] {
        assert_eq!(named(name), XlsxError::Name(name.to_owned()), "{name}");
    }
    assert!(workbook(&[Sheet::new(&"表".repeat(31), &["a"])]).is_ok());
    let twice = [Sheet::new("Log", &[]), Sheet::new("LOG", &[])];
    assert_eq!(workbook(&twice), Err(XlsxError::Twice("LOG".to_owned())));
    assert_eq!(workbook(&[]), Err(XlsxError::Sheets(0)));
    let mut long = Sheet::new("long", &["a"]);
    long.row(vec![Cell::text("x".repeat(TEXT_MAX + 1))]);
    assert_eq!(workbook(&[long]), Err(XlsxError::Text("long".to_owned())));
    let wide = vec!["a"; COLUMNS_MAX + 1];
    let wide = Sheet::new("wide", &wide);
    assert_eq!(
        workbook(&[wide]),
        Err(XlsxError::Columns("wide".to_owned()))
    );
}
