//! A sensor series in a card: drawing, words and a table for those who cannot see the drawing.

use std::collections::BTreeSet;

use super::{Scene, Sign};
use crate::trace::curve::{Curve, Excursion, Mark};
use crate::trace::{Reading, Step};
use crate::web::chart::{Label, svg};
use crate::web::format::{exact, measure, offset};

/// Most rows of the table; all readings are in the bundle.
const MAX_ROWS: usize = 40;
/// Most rows that the table gives to what is out of the ordinary.
const MAX_ODD: usize = 60;
/// Most excursions and breaks that are named one by one.
const MAX_NAMED: usize = 3;

/// What the template shows of a curve.
pub(super) struct Card {
    pub(super) kind: String,
    pub(super) summary: String,
    pub(super) svg: String,
    pub(super) signs: Vec<Sign>,
    pub(super) note: Option<String>,
    pub(super) zone: String,
    pub(super) rows: Vec<Row>,
}

/// A row of the table.
pub(super) struct Row {
    pub(super) time: String,
    pub(super) value: String,
    pub(super) note: String,
    pub(super) is_out: bool,
}

impl Scene<'_> {
    pub(super) fn curves(&self, step_index: usize, step: &Step) -> Vec<Card> {
        let card = |(index, curve)| self.curve(&format!("c{step_index}-{index}"), curve);
        step.curves.iter().enumerate().map(card).collect()
    }

    fn curve(&self, id: &str, curve: &Curve) -> Card {
        let text = &self.text;
        let kind = text
            .find(&format!("kind.{}", curve.kind))
            .unwrap_or(&curve.kind);
        let place = self.place(curve.place.as_deref());
        let title = text.fill("curve.title", &[("kind", kind), ("place", &place)]);
        let summary = self.summary(curve, "curve.summary");
        let signs = self.curve_signs(curve);
        let words: Vec<&str> = signs.iter().map(|sign| sign.text.as_str()).collect();
        let long = self.summary(curve, "curve.description");
        let description = format!("{long} {}", words.join(" "));
        let svg = if curve.readings.len() > 1 {
            svg(
                text,
                curve,
                &Label {
                    id,
                    title: &title,
                    description: &description,
                },
            )
        } else {
            String::new()
        };
        let (rows, note) = self.table(curve);
        let zone = curve
            .readings
            .first()
            .map_or_else(String::new, |one| offset(one.time));
        Card {
            kind: kind.to_owned(),
            summary,
            svg,
            signs,
            note,
            zone,
            rows,
        }
    }

    fn summary(&self, curve: &Curve, key: &str) -> String {
        let count = curve.readings.len().to_string();
        let Some((low, high)) = curve.range() else {
            return self
                .text
                .fill("curve.description.none", &[("count", &count)]);
        };
        let shown = |value| measure(value, &curve.kind, &curve.uom);
        let times = || curve.readings.iter().map(|one| one.time);
        let ends = times().min().zip(times().max());
        let (from, until) = ends.map_or_else(Default::default, |(a, b)| (self.at(a), self.at(b)));
        let (low, high) = (shown(low), shown(high));
        let values = [
            ("count", &*count),
            ("from", &from),
            ("until", &until),
            ("low", &low),
            ("high", &high),
        ];
        let one = curve.readings.len() == 1;
        let key = if one { "curve.description.one" } else { key };
        self.text.fill(key, &values)
    }

    /// Limits, excursions, breaks and marks in words.
    fn curve_signs(&self, curve: &Curve) -> Vec<Sign> {
        let text = &self.text;
        let mut signs = Vec::new();
        let limits = self.limits(curve);
        if !limits.is_empty() {
            let limits = text.fill("curve.limits", &[("limits", &limits)]);
            signs.push(Sign {
                tone: "none",
                text: limits,
            });
            if curve.excursions.is_empty() {
                signs.push(Sign {
                    tone: "ok",
                    text: text.get("curve.within").to_owned(),
                });
            }
        }
        let named = curve.excursions.iter().take(MAX_NAMED);
        signs.extend(named.map(|one| Sign {
            tone: "bad",
            text: self.excursion_words(curve, one),
        }));
        signs.extend(self.more("bad", "curve.excursion.more", curve.excursions.len()));
        let breaks = curve.breaks.iter().take(MAX_NAMED);
        signs.extend(breaks.map(|&at| Sign {
            tone: "warn",
            text: self.break_words(curve, at),
        }));
        signs.extend(self.more("warn", "curve.break.more", curve.breaks.len()));
        for (mark, key) in [
            (Mark::Repeats, "curve.repeats"),
            (Mark::JumpsBack, "curve.back"),
        ] {
            let count = curve.marked(mark);
            if count > 0 {
                signs.push(Sign {
                    tone: "warn",
                    text: text.count(key, count),
                });
            }
        }
        signs
    }

    fn more(&self, tone: &'static str, key: &str, count: usize) -> Option<Sign> {
        let more = count.checked_sub(MAX_NAMED).filter(|more| *more > 0)?;
        Some(Sign {
            tone,
            text: self.text.count(key, more),
        })
    }

    fn excursion_words(&self, curve: &Curve, excursion: &Excursion) -> String {
        let from = self.at(curve.readings[excursion.first].time);
        let peak = self.value(curve, &curve.readings[excursion.peak]);
        let length = curve.length(excursion);
        let key = if length.is_zero() {
            "curve.excursion.short"
        } else {
            "curve.excursion"
        };
        let length = self.length(length);
        self.text.fill(
            key,
            &[("from", &from), ("peak", &peak), ("length", &length)],
        )
    }

    fn break_words(&self, curve: &Curve, at: usize) -> String {
        let from = self.at(curve.readings[at - 1].time);
        let length = self.length(interruption(curve, at));
        self.text
            .fill("curve.break", &[("from", &from), ("length", &length)])
    }

    fn value(&self, curve: &Curve, reading: &Reading) -> String {
        reading.value.map_or_else(
            || self.text.get("curve.no_reading").to_owned(),
            |value| measure(value, &curve.kind, &curve.uom),
        )
    }

    /// The rows that are shown and, where they are not all, a line that says so.
    fn table(&self, curve: &Curve) -> (Vec<Row>, Option<String>) {
        let shown = chosen(curve);
        let rows: Vec<Row> = shown.iter().map(|&at| self.table_row(curve, at)).collect();
        let all = curve.readings.len();
        let note = (rows.len() < all).then(|| {
            let (shown, count) = (rows.len().to_string(), all.to_string());
            self.text
                .fill("curve.table.some", &[("shown", &shown), ("count", &count)])
        });
        (rows, note)
    }

    fn table_row(&self, curve: &Curve, at: usize) -> Row {
        let reading = &curve.readings[at];
        let is_out = curve
            .excursions
            .iter()
            .any(|one| (one.first..=one.last).contains(&at));
        let text = &self.text;
        let mut notes = Vec::new();
        if is_out {
            notes.push(text.get("curve.note.out").to_owned());
        }
        if curve.breaks.binary_search(&at).is_ok() {
            let length = self.length(interruption(curve, at));
            notes.push(text.fill("curve.note.break", &[("length", &length)]));
        }
        notes.extend(match reading.mark {
            Some(Mark::Repeats) => Some(text.get("curve.note.repeats").to_owned()),
            Some(Mark::JumpsBack) => Some(text.get("curve.note.back").to_owned()),
            None => None,
        });
        if reading.suspect {
            notes.push(text.get("curve.note.suspect").to_owned());
        }
        if reading.alarm {
            notes.push(text.get("curve.note.alarm").to_owned());
        }
        Row {
            time: exact(reading.time),
            value: self.value(curve, reading),
            note: notes.join(" · "),
            is_out,
        }
    }
}

fn interruption(curve: &Curve, at: usize) -> std::time::Duration {
    curve.readings[at]
        .time
        .instant
        .since(curve.readings[at - 1].time.instant)
}

/// Rows of the table, in the device's order: the ends, everything out of the ordinary, and readings
/// spread evenly between, up to [`MAX_ROWS`].
fn chosen(curve: &Curve) -> BTreeSet<usize> {
    let count = curve.readings.len();
    if count <= MAX_ROWS {
        return (0..count).collect();
    }
    let marked = (0..count).filter(|&at| curve.readings[at].mark.is_some());
    let episodes = curve
        .excursions
        .iter()
        .flat_map(|one| [one.first, one.peak, one.last]);
    let breaks = curve.breaks.iter().flat_map(|&at| [at - 1, at]);
    let odd = marked.chain(episodes).chain(breaks).take(MAX_ODD);
    let mut rows: BTreeSet<usize> = [0, count - 1].into_iter().chain(odd).collect();
    let room = MAX_ROWS.saturating_sub(rows.len());
    rows.extend((1..=room).map(|step| step * (count - 1) / (room + 1)));
    rows
}
