//! Parts of an offer's page beside facts and evidence: how far limits are used, what has changed
//! since the last score, and what people keep beside it.

use kit::negotiate::Language;
use kit::text::Text;
use rust_decimal::Decimal;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::format::{When, exact, money, when};
use crate::desk::compare::Comparison;
use crate::desk::exposure::{Reading, Whose};
use crate::desk::item::{Beside, Item, What};
use crate::http::pages::words;
use crate::money::Money;
use crate::score::Points;

/// From this part of a limit on it is near, in percent.
const NEAR: u8 = 80;

/// A limit and how far it is used.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) label: String,
    pub(super) amount: String,
    pub(super) note: String,
    pub(super) percent: u8,
    pub(super) tone: &'static str,
}

/// Gauges of readings.
pub(super) fn limits(readings: &[Reading], t: Text) -> Vec<Limit> {
    readings.iter().map(|one| limit(one, t)).collect()
}

fn limit(reading: &Reading, t: Text) -> Limit {
    let (key, name) = match &reading.whose {
        Whose::Borrower(name) => ("exposure.borrower", name),
        Whose::Buyer(name) => ("exposure.buyer", name),
        Whose::Sandbox(name) => ("exposure.sandbox", name),
    };
    let used = money(reading.used, t.language);
    let label = t.fill(key, &[("name", name.as_str())]);
    let Some(most) = reading.limit else {
        return Limit {
            label,
            amount: used,
            note: t.get("exposure.no-limit").to_owned(),
            percent: 0,
            tone: "none",
        };
    };
    let percent = percent(reading.used, most);
    let free = most.minus(reading.used).map(|free| money(free, t.language));
    let free = free.unwrap_or_else(|_| money(Money::zero(most.currency()), t.language));
    let share = percent.to_string();
    let values = [
        ("used", used.as_str()),
        ("free", &free),
        ("percent", &share),
    ];
    Limit {
        label,
        amount: money(most, t.language),
        note: t.fill("exposure.used", &values),
        percent,
        tone: match percent {
            100 => "bad",
            NEAR.. => "warn",
            _ => "ok",
        },
    }
}

/// Used part of a limit, cut; 100 also where it is passed or where nothing may be used.
fn percent(used: Money, most: Money) -> u8 {
    let (used, most) = (i128::from(used.fen()), i128::from(most.fen()));
    if most <= 0 {
        return 100;
    }
    u8::try_from((used * 100 / most).clamp(0, 100)).unwrap_or(100)
}

/// The last score beside this one.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) id: String,
    pub(super) application: String,
    pub(super) when: When,
    pub(super) total: String,
    pub(super) difference: String,
    pub(super) tone: &'static str,
    pub(super) other_table: bool,
    pub(super) lines: Vec<ChangeLine>,
    /// Characteristics without a change.
    pub(super) same: usize,
}

/// A characteristic that has changed.
#[derive(Debug)]
pub(super) struct ChangeLine {
    pub(super) label: String,
    pub(super) before: String,
    pub(super) now: String,
    pub(super) difference: String,
    pub(super) tone: &'static str,
}

/// A comparison in words.
pub(super) fn compared(one: &Comparison, now: Instant, t: Text) -> Compared {
    let other = one.changes.iter().filter(|change| change.is_other());
    let mut lines: Vec<ChangeLine> = other
        .map(|change| ChangeLine {
            label: words::fact(change.fact, t.language).to_owned(),
            before: points(change.before.as_ref(), t),
            now: points(change.now.as_ref(), t),
            difference: signed(change.difference()),
            tone: tone(change.difference()),
        })
        .collect();
    let same = one.changes.len() - lines.len();
    if one.base != 0 {
        lines.push(ChangeLine {
            label: t.get("compare.base").to_owned(),
            before: "–".to_owned(),
            now: "–".to_owned(),
            difference: signed(one.base),
            tone: tone(one.base),
        });
    }
    Compared {
        id: one.decision_id.clone(),
        application: one.application.clone(),
        when: when(one.decided_at, now, t),
        total: format!("{} {}", one.total.0, one.total.1),
        difference: signed(one.difference),
        tone: tone(one.difference),
        other_table: one.other_table,
        lines,
        same,
    }
}

/// A value and its points.
fn points(one: Option<&Points>, t: Text) -> String {
    let Some(one) = one else {
        return "–".to_owned();
    };
    let value = one.value.map_or_else(
        || t.get("compare.no-value").to_owned(),
        |value: Decimal| value.normalize().to_string(),
    );
    t.fill(
        "compare.points",
        &[("value", &value), ("points", &one.points.to_string())],
    )
}

fn signed(number: i32) -> String {
    match number {
        0 => "±0".to_owned(),
        1.. => format!("+{number}"),
        _ => format!("−{}", number.unsigned_abs()),
    }
}

fn tone(difference: i32) -> &'static str {
    match difference {
        0 => "none",
        1.. => "ok",
        _ => "bad",
    }
}

/// What people keep beside a decision.
#[derive(Debug)]
pub(super) struct BesideView {
    pub(super) officer: Option<String>,
    pub(super) assignments: usize,
    /// Who may look after it, and whether that is who does.
    pub(super) officers: Vec<(String, bool)>,
    /// Who may be given a task, and whether that is the person who looks.
    pub(super) colleagues: Vec<(String, bool)>,
    pub(super) notes: Vec<NoteView>,
    pub(super) tasks: Vec<TaskView>,
    pub(super) documents: Vec<DocumentView>,
    /// A key for each of the forms that add a row.
    pub(super) keys: [String; 2],
}

/// A note.
#[derive(Debug)]
pub(super) struct NoteView {
    pub(super) by: String,
    pub(super) at: When,
    pub(super) text: String,
}

/// A task.
#[derive(Debug)]
pub(super) struct TaskView {
    pub(super) key: String,
    pub(super) what: String,
    pub(super) who: String,
    pub(super) by: String,
    pub(super) until: When,
    pub(super) overdue: bool,
    pub(super) done: Option<String>,
}

/// A document.
#[derive(Debug)]
pub(super) struct DocumentView {
    pub(super) name: String,
    pub(super) size: String,
    pub(super) sha256: String,
    pub(super) by: String,
    pub(super) at: When,
}

/// Who there is at the desk.
pub(super) struct People<'p> {
    pub(super) officers: &'p [Slug],
    pub(super) colleagues: &'p [Slug],
    pub(super) me: &'p str,
}

/// What people keep, in words.
pub(super) fn beside(
    beside: &Beside,
    people: &People<'_>,
    keys: [String; 2],
    now: Instant,
    t: Text,
) -> BesideView {
    let officer = beside.officer.as_ref().map(Slug::to_string);
    let listed = |names: &[Slug], chosen: &str| -> Vec<(String, bool)> {
        let pair = |name: &Slug| (name.to_string(), name.as_str() == chosen);
        names.iter().map(pair).collect()
    };
    let tasks = beside.tasks.iter().map(|task| TaskView {
        key: task.key.clone(),
        what: task.what.clone(),
        who: task.who.to_string(),
        by: task.by.to_string(),
        until: when(task.until, now, t),
        overdue: task.is_overdue(now),
        done: task.done.as_ref().map(|(by, at)| {
            t.fill(
                "tasks.done-by",
                &[("person", by.as_str()), ("time", &exact(*at))],
            )
        }),
    });
    BesideView {
        officers: listed(people.officers, officer.as_deref().unwrap_or_default()),
        colleagues: listed(people.colleagues, people.me),
        officer,
        assignments: beside.assignments,
        notes: beside
            .notes
            .iter()
            .filter_map(|one| note(one, now, t))
            .collect(),
        tasks: tasks.collect(),
        documents: beside
            .documents
            .iter()
            .filter_map(|one| document(one, now, t))
            .collect(),
        keys,
    }
}

fn note(item: &Item, now: Instant, t: Text) -> Option<NoteView> {
    let What::Note { text } = &item.what else {
        return None;
    };
    Some(NoteView {
        by: item.by.to_string(),
        at: when(item.at, now, t),
        text: text.clone(),
    })
}

fn document(item: &Item, now: Instant, t: Text) -> Option<DocumentView> {
    let What::Document { name, bytes, .. } = &item.what else {
        return None;
    };
    Some(DocumentView {
        name: name.clone(),
        size: size(*bytes, t.language),
        sha256: item.key.clone(),
        by: item.by.to_string(),
        at: when(item.at, now, t),
    })
}

/// A size in its unit, with one place from a KiB on.
fn size(bytes: u64, language: Language) -> String {
    let tenths = |unit: u64| {
        let tenths = bytes.saturating_mul(10) / unit;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match (bytes, language) {
        (0..1024, Language::En) => format!("{bytes} bytes"),
        (0..1024, Language::ZhCn) => format!("{bytes} 字节"),
        (1024..1_048_576, _) => format!("{} KiB", tenths(1024)),
        _ => format!("{} MiB", tenths(1_048_576)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::shell::text;
    use crate::money::Currency;

    #[test]
    fn a_limit_is_near_and_full_before_it_is_passed() {
        let read = |used: &str, most: Option<&str>| {
            let cny = |text: &str| Money::parse(text, Currency::CNY).unwrap();
            let reading = Reading {
                whose: Whose::Sandbox("trial-1".parse().unwrap()),
                used: cny(used),
                limit: most.map(cny),
            };
            limit(&reading, text(Language::En))
        };
        let toned = |used: &str, most: &str| {
            let limit = read(used, Some(most));
            (limit.tone, limit.percent)
        };
        assert_eq!(toned("79.99", "100.00"), ("ok", 79));
        assert_eq!(toned("80.00", "100.00"), ("warn", 80));
        assert_eq!(toned("99.99", "100.00"), ("warn", 99));
        assert_eq!(toned("150.00", "100.00"), ("bad", 100));
        assert_eq!(toned("0.00", "0.00"), ("bad", 100));
        assert!(read("150.00", Some("100.00")).note.contains("¥0.00"));
        assert_eq!(read("1.00", None).tone, "none");
    }

    #[test]
    fn sizes_and_differences_are_read_at_a_glance() {
        assert_eq!(size(1023, Language::En), "1023 bytes");
        assert_eq!(size(1536, Language::ZhCn), "1.5 KiB");
        assert_eq!(size(5 * 1024 * 1024, Language::En), "5.0 MiB");
        assert_eq!([signed(7), signed(-7), signed(0)], ["+7", "−7", "±0"]);
    }
}
