//! A monthly report as a workbook, made from the kept report and nothing else: the same report gives
//! the same bytes.

use kit::negotiate::Language;
use kit::xlsx::{Cell, Sheet, XlsxError, workbook};
use schemas::hash::Hash;

use crate::sandbox::indicators::{Figure, FigureId, Value};
use crate::sandbox::report::Report;

/// The workbook of a report.
///
/// # Errors
/// [`XlsxError`] for a report with more rows or longer words than a sheet takes.
pub fn sheet(report: &Report, hash: Hash, language: Language) -> Result<Vec<u8>, XlsxError> {
    let words = |zh: &'static str, en: &'static str| pick(language, zh, en);
    let mut about = Sheet::new(
        words("报告", "Report"),
        &[words("项", "Item"), words("内容", "Value")],
    );
    let (declaration, limits, previous) = report.names();
    let named = |hash: Option<Hash>| hash.map_or_else(String::new, |hash| hash.to_string());
    for (label, value) in [
        (words("月份", "Month"), report.month().to_string()),
        (
            words("报告哈希 (SHA-256)", "Report hash (SHA-256)"),
            hash.to_string(),
        ),
        (words("声明书", "Declaration"), declaration.to_string()),
        (words("限额版本", "Limits"), named(limits)),
        (
            words("上月报告", "Report of the month before"),
            named(previous),
        ),
    ] {
        about.row(vec![label.into(), value.into()]);
    }
    let sheets = [
        about,
        figures(report, language),
        rows(report, language),
        problems(report, language),
    ];
    workbook(&sheets)
}

fn pick(language: Language, zh: &'static str, en: &'static str) -> &'static str {
    match language {
        Language::ZhCn => zh,
        Language::En => en,
    }
}

/// A figure's name.
#[must_use]
pub fn name(id: FigureId, language: Language) -> &'static str {
    pick(language, id.zh(), id.en())
}

fn figures(report: &Report, language: Language) -> Sheet {
    let words = |zh: &'static str, en: &'static str| pick(language, zh, en);
    let mut sheet = Sheet::new(
        words("指标", "Figures"),
        &[
            words("代码", "Code"),
            words("指标", "Figure"),
            words("数值", "Value"),
            words("单位", "Unit"),
            words("行数", "Rows"),
        ],
    );
    for figure in report.figures() {
        let (value, unit) = value(figure, language);
        let rows = i64::try_from(figure.rows.len()).unwrap_or(i64::MAX);
        sheet.row(vec![
            figure.id.word().into(),
            name(figure.id, language).into(),
            value,
            unit.into(),
            rows.into(),
        ]);
    }
    sheet
}

fn value(figure: &Figure, language: Language) -> (Cell, String) {
    match figure.value {
        Value::Count(count) => {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            (count.into(), String::new())
        }
        Value::Amount(amount) => (
            Cell::hundredths(amount.fen()),
            amount.currency().to_string(),
        ),
        Value::BasisPoints(share) => {
            let units = i64::try_from(share).unwrap_or(i64::MAX);
            (Cell::hundredths(units), "%".to_owned())
        }
        Value::Nothing => {
            let words = pick(language, "无余额可比", "nothing to compare with");
            (Cell::Empty, words.to_owned())
        }
    }
}

fn rows(report: &Report, language: Language) -> Sheet {
    let words = |zh: &'static str, en: &'static str| pick(language, zh, en);
    let heading = [words("指标", "Figure"), words("行", "Row")];
    let mut sheet = Sheet::new(words("来源行", "Rows"), &heading);
    for figure in report.figures() {
        for row in &figure.rows {
            sheet.row(vec![figure.id.word().into(), row.to_string().into()]);
        }
    }
    sheet
}

fn problems(report: &Report, language: Language) -> Sheet {
    let words = |zh: &'static str, en: &'static str| pick(language, zh, en);
    let mut sheet = Sheet::new(
        words("问题与处置", "Problems"),
        &[
            words("编号", "Id"),
            words("时间 (UTC)", "When (UTC)"),
            words("人员", "Who"),
            words("类别", "What"),
            words("内容", "Words"),
        ],
    );
    let mut row = |id: String, at: schemas::time::Instant, by: String, kind: &str, said: &str| {
        let cells = [id, at.to_rfc3339(), by, kind.to_owned(), said.to_owned()];
        sheet.row(cells.into_iter().map(Cell::from).collect());
    };
    for problem in report.problems() {
        let id = problem.id.to_string();
        let by = problem.found_by.to_string();
        let kind = words("问题", "problem");
        row(id.clone(), problem.found_at, by, kind, &problem.words);
        for treatment in &problem.treatments {
            let (by, kind) = (treatment.by.to_string(), words("处置", "treatment"));
            row(id.clone(), treatment.at, by, kind, &treatment.words);
        }
        if let Some(at) = problem.closed_at {
            row(id, at, String::new(), words("关闭", "closed"), "");
        }
    }
    sheet
}
