use std::process::Command;

use kit::negotiate::Language;
use schemas::hash::Hash;

use super::sheet::sheet;
use crate::money::Currency;
use crate::sandbox::indicators::tests::samples::{day, month, slug, story};
use crate::sandbox::indicators::{FigureId, Rows};
use crate::sandbox::report::{About, Report};

fn report() -> Report {
    let about = About {
        project: slug("trial-1"),
        month: month("2026-12"),
        declaration: Hash([1; 32]),
        limits: None,
        previous: None,
    };
    let rows = Rows::read(Currency::CNY, story()).unwrap();
    Report::make(about, &rows, &[], day("2027-06-01")).unwrap()
}

#[test]
fn a_report_is_read_from_its_own_bytes_only() {
    let report = report();
    let bytes = report.to_bytes().unwrap();
    assert_eq!(Report::read(&bytes).as_ref(), Some(&report));
    let mut spaced = bytes.clone();
    spaced.push(b' ');
    assert_eq!(Report::read(&spaced), None, "other bytes, another hash");
    let other = String::from_utf8(bytes).unwrap().replace("/v1", "/v2");
    assert_eq!(Report::read(other.as_bytes()), None);
}

/// What somebody else's reader of workbooks finds in it.
const READ: &str = "
import openpyxl, sys
book = openpyxl.load_workbook(sys.argv[1])
figures = {row[0].value: row[2].value for row in book['Figures'].iter_rows(min_row=2)}
print(book.sheetnames, figures['loans'], figures['outstanding'], figures['overdue_share'])
";

#[test]
fn the_sheet_opens_in_openpyxl_with_the_reports_values() {
    let known = Command::new("python3")
        .args(["-c", "import openpyxl"])
        .output();
    if !known.is_ok_and(|known| known.status.success()) {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "openpyxl is not installed, and CI leaves nothing out: pip install openpyxl"
        );
        eprintln!("SKIPPED: openpyxl is not installed (pip install openpyxl)");
        return;
    }
    let report = report();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.xlsx");
    let bytes = sheet(&report, Hash([9; 32]), Language::En).unwrap();
    std::fs::write(&file, &bytes).unwrap();
    let read = Command::new("python3")
        .args(["-c", READ])
        .arg(&file)
        .output();
    let read = read.unwrap();
    let said = String::from_utf8(read.stdout).unwrap();
    let wrong = String::from_utf8_lossy(&read.stderr).into_owned();
    let number = |id| match report.figure(id).unwrap().value {
        crate::sandbox::indicators::Value::Count(count) => count.to_string(),
        crate::sandbox::indicators::Value::Amount(amount) => hundredths(amount.fen()),
        crate::sandbox::indicators::Value::BasisPoints(share) => {
            hundredths(i64::try_from(share).unwrap())
        }
        crate::sandbox::indicators::Value::Nothing => "None".to_owned(),
    };
    let expected = format!(
        "['Report', 'Figures', 'Rows', 'Problems'] {} {} {}",
        number(FigureId::Loans),
        number(FigureId::Outstanding),
        number(FigureId::OverdueShare)
    );
    assert_eq!(said.trim(), expected, "{wrong}");
}

/// As Python shows a number that was written with two places.
fn hundredths(units: i64) -> String {
    match (units / 100, units % 100) {
        (whole, part) if part % 10 == 0 => format!("{whole}.{}", part / 10),
        (whole, part) => format!("{whole}.{part:02}"),
    }
}
