//! What each source said last, what is wrong with it, and what to do.

use std::fmt::Write as _;

use super::html::{escaped, instant, mark};
use super::{Look, words};
use crate::source::{Last, Quality, State};
use crate::state::{Language, Severity};

/// The section; nothing where no source is configured.
pub(super) fn section(page: &mut String, look: &Look<'_>, language: Language) {
    if look.sources.is_empty() {
        return;
    }
    let title = words::EACH_SOURCE.get(language);
    let _ = write!(
        page,
        "<section class=\"sources\"><h2>{title}</h2><ul class=\"each\">"
    );
    for source in &look.sources {
        one(page, source, look, language);
    }
    page.push_str("</ul></section>");
}

fn one(page: &mut String, source: &State, look: &Look<'_>, language: Language) {
    let severity = match &source.fault {
        None => Severity::Fine,
        Some(_) => Severity::Warning,
    };
    let (class, icon) = mark(severity);
    let (name, kind) = (escaped(&source.name), source.kind);
    let _ = write!(
        page,
        "<li data-source=\"{kind}\"><span class=\"{class}\">{icon}</span>\
         <div><p class=\"name\">{name} <span class=\"todo\">{kind}</span></p>"
    );
    for last in &source.last {
        reading(page, last, look, language);
    }
    if source.last.is_empty() {
        let _ = write!(
            page,
            "<p class=\"todo\">{}</p>",
            words::NOTHING_YET.get(language)
        );
    }
    if source.open_codes > 0 {
        let (words, count) = (words::OPEN_CODES.get(language), source.open_codes);
        let _ = write!(page, "<p>{words}: <b>{count}</b></p>");
    }
    if let Some(fault) = &source.fault {
        let since = instant(fault.since, look, language);
        let _ = write!(
            page,
            "<p class=\"{class}\">{} <span class=\"todo\">{since}</span></p><p class=\"todo\">{}</p>",
            escaped(&fault.cause),
            with_fields(fault.remedy.get(language)),
        );
    }
    page.push_str("</div></li>");
}

/// Escaped, and what stands in code marks as code.
fn with_fields(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(place, part)| match place % 2 {
            0 => escaped(part),
            _ => format!("<code>{}</code>", escaped(part)),
        })
        .collect()
}

fn reading(page: &mut String, last: &Last, look: &Look<'_>, language: Language) {
    let when = instant(last.time, look, language);
    let value = match last.value {
        Some(value) => format!("<b>{value} {}</b> ", escaped(unit(&last.uom))),
        None => String::new(),
    };
    let what = escaped(&last.what);
    let _ = write!(
        page,
        "<p>{value}{what} <span class=\"todo\">{when}</span></p>"
    );
    let (word, reason) = match &last.quality {
        Quality::Good => return,
        Quality::Suspect(reason) => (words::SUSPECT, reason),
        Quality::Refused(reason) => (words::NOT_TAKEN, reason),
    };
    let _ = write!(
        page,
        "<p class=\"warning\">{} <span class=\"todo\">{}</span></p>",
        word.get(language),
        escaped(reason)
    );
}

/// The usual sign of a UN/ECE Recommendation 20 code, where it has one that everybody reads.
fn unit(code: &str) -> &str {
    match code {
        "CEL" => "°C",
        "FAH" => "°F",
        "P1" => "%",
        "DD" => "°",
        "VLT" => "V",
        "AMP" => "A",
        "WTT" => "W",
        "PAL" => "Pa",
        "A97" => "hPa",
        "LUX" => "lx",
        "KGM" => "kg",
        "MTR" => "m",
        code => code,
    }
}
