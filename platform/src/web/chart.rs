//! A sensor curve as inline SVG: limits as a shaded band, excursions in their own colour and
//! stroke, interruptions as holes that no line crosses.
//!
//! Only classes carry colour, so that both themes and print hold. Readings are drawn in the order
//! of the device; where time jumps back the line begins anew.

use std::fmt::Write as _;
use std::ops::Range;

use super::format::{clock, day, day_clock, escape, length, measure};
use super::text::Text;
use crate::trace::curve::{Curve, Excursion, from_celsius};
use crate::trace::event::Stated;

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 160.0;
const LEFT: f64 = 42.0;
const RIGHT: f64 = 6.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 22.0;

/// From how many readings on a segment is drawn by the extremes of each column of one unit: nothing
/// that could be seen is lost, and a year of readings stays a few kilobytes.
const THIN_ABOVE: usize = 320;

/// A text of the description, and the texts around the drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label<'t> {
    /// Unique in the page; letters, digits and `-` only.
    pub id: &'t str,
    /// Title for those who cannot see the drawing.
    pub title: &'t str,
    /// What the drawing shows, in words.
    pub description: &'t str,
}

/// Draws a curve; empty when it holds no value at all.
pub fn svg(text: &Text, curve: &Curve, label: &Label<'_>) -> String {
    let Some(plot) = Plot::of(curve) else {
        return String::new();
    };
    let mut out = String::with_capacity(4_096);
    let id = escape(label.id);
    let _ = write!(
        out,
        r#"<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{id}-t {id}-d"><title id="{id}-t">{}</title><desc id="{id}-d">{}</desc>"#,
        escape(label.title),
        escape(label.description)
    );
    plot.band(&mut out);
    plot.holes(&mut out);
    for segment in plot.segments() {
        plot.line(&mut out, "line", segment);
    }
    for excursion in &curve.excursions {
        plot.line(&mut out, "out", excursion.first..excursion.last + 1);
    }
    plot.axes(&mut out);
    plot.peak(&mut out, text);
    out.push_str("</svg>");
    out
}

/// Scales of one drawing.
struct Plot<'c> {
    curve: &'c Curve,
    time: (f64, f64),
    value: (f64, f64),
    limits: (Option<f64>, Option<f64>),
}

impl<'c> Plot<'c> {
    fn of(curve: &'c Curve) -> Option<Self> {
        let (low, high) = curve.range()?;
        let limits = curve.limits.unwrap_or_default();
        let own = |limit: Option<f64>| limit.map(|celsius| from_celsius(celsius, &curve.uom));
        let limits = (own(limits.min), own(limits.max));
        let bounds = [Some(low), Some(high), limits.0, limits.1];
        let value = spread(bounds.into_iter().flatten(), 0.12);
        let times = curve
            .readings
            .iter()
            .map(|one| one.time.instant.as_micros() as f64);
        Some(Self {
            curve,
            time: spread(times, 0.0),
            value,
            limits,
        })
    }

    fn x(&self, index: usize) -> f64 {
        let at = self.curve.readings[index].time.instant.as_micros() as f64;
        let (from, until) = self.time;
        LEFT + (at - from) / (until - from) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = self.value;
        TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)
    }

    fn point(&self, index: usize) -> Option<(f64, f64)> {
        Some((self.x(index), self.y(self.curve.readings[index].value?)))
    }

    fn band(&self, out: &mut String) {
        let (min, max) = self.limits;
        if min.is_none() && max.is_none() {
            return;
        }
        let top = max.map_or(TOP, |max| self.y(max));
        let bottom = min.map_or(HEIGHT - BOTTOM, |min| self.y(min));
        let (width, height) = (WIDTH - LEFT - RIGHT, bottom - top);
        let _ = write!(
            out,
            r#"<rect class="band" x="{LEFT}" y="{top:.1}" width="{width}" height="{height:.1}"/>"#
        );
        for y in [max.map(|_| top), min.map(|_| bottom)]
            .into_iter()
            .flatten()
        {
            let right = WIDTH - RIGHT;
            let _ = write!(out, r#"<path class="limit" d="M{LEFT} {y:.1}H{right}"/>"#);
        }
    }

    /// Interruptions as hatched strips between the readings around them.
    fn holes(&self, out: &mut String) {
        for &index in &self.curve.breaks {
            let (from, until) = (self.x(index - 1), self.x(index));
            if until > from {
                let (width, height) = (until - from, HEIGHT - TOP - BOTTOM);
                let _ = write!(
                    out,
                    r#"<rect class="hole" x="{from:.1}" y="{TOP}" width="{width:.1}" height="{height}"/>"#
                );
            }
        }
    }

    /// Stretches that may be joined.
    fn segments(&self) -> Vec<Range<usize>> {
        let count = self.curve.readings.len();
        let cuts = (1..count).filter(|&index| self.curve.is_broken_before(index));
        let starts: Vec<usize> = std::iter::once(0).chain(cuts).collect();
        let ends = starts.iter().skip(1).copied().chain(std::iter::once(count));
        starts
            .iter()
            .copied()
            .zip(ends)
            .map(|(from, until)| from..until)
            .collect()
    }

    /// A line through a stretch; a dot where it is a single reading.
    fn line(&self, out: &mut String, class: &str, range: Range<usize>) {
        let points: Vec<(f64, f64)> = range.filter_map(|index| self.point(index)).collect();
        let points = if points.len() > THIN_ABOVE {
            extremes(&points)
        } else {
            points
        };
        match points[..] {
            [] => {}
            [(x, y)] => {
                let _ = write!(
                    out,
                    r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="3"/>"#
                );
            }
            [(x, y), ref rest @ ..] => {
                let _ = write!(out, r#"<path class="{class}" d="M{x:.1} {y:.1}"#);
                for (x, y) in rest {
                    let _ = write!(out, "L{x:.1} {y:.1}");
                }
                out.push_str(r#""/>"#);
            }
        }
    }

    fn axes(&self, out: &mut String) {
        let bottom = HEIGHT - BOTTOM;
        let right = WIDTH - RIGHT;
        let _ = write!(
            out,
            r#"<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>"#
        );
        for value in self.ticks() {
            let (x, y) = (LEFT - 5.0, self.y(value) + 4.5);
            let _ = write!(
                out,
                r#"<text class="y" x="{x}" y="{y:.1}">{value:.1}</text>"#
            );
        }
        let (from, until) = self.ends();
        let _ = write!(
            out,
            r#"<text x="{LEFT}" y="{}">{from}</text>"#,
            HEIGHT - 5.0
        );
        let _ = write!(
            out,
            r#"<text class="end" x="{right}" y="{}">{until}</text>"#,
            HEIGHT - 5.0
        );
    }

    /// Labelled values: the limits, and the extremes where they stand clear of those.
    fn ticks(&self) -> Vec<f64> {
        let mut ticks: Vec<f64> = [self.limits.0, self.limits.1]
            .into_iter()
            .flatten()
            .collect();
        let extremes = self
            .curve
            .range()
            .into_iter()
            .flat_map(|(low, high)| [low, high]);
        for value in extremes {
            if ticks
                .iter()
                .all(|tick| (self.y(*tick) - self.y(value)).abs() >= 14.0)
            {
                ticks.push(value);
            }
        }
        ticks
    }

    /// First and last time: with the day where they differ in it.
    fn ends(&self) -> (String, String) {
        let times = || self.curve.readings.iter().map(|one| one.time);
        let (Some(from), Some(until)) = (times().min(), times().max()) else {
            return (String::new(), String::new());
        };
        let write: fn(Stated) -> String = if day(from) == day(until) {
            clock
        } else {
            day_clock
        };
        (write(from), write(until))
    }

    /// The longest excursion with its peak and length, above or below its line.
    fn peak(&self, out: &mut String, text: &Text) {
        let Some(longest) = longest(self.curve) else {
            return;
        };
        let reading = &self.curve.readings[longest.peak];
        let (Some((x, y)), Some(value)) = (self.point(longest.peak), reading.value) else {
            return;
        };
        let peak = measure(value, &self.curve.kind, &self.curve.uom);
        let long = self.curve.length(&longest);
        let label = if long.is_zero() {
            peak
        } else {
            let long = length(text, long);
            text.fill(
                "curve.excursion.label",
                &[("peak", &peak), ("length", &long)],
            )
        };
        let above = self.limits.1.is_some_and(|max| value > max);
        let y = if above {
            (y - 6.0).max(12.0)
        } else {
            (y + 15.0).min(HEIGHT - BOTTOM - 3.0)
        };
        let x = x.clamp(LEFT + 70.0, WIDTH - RIGHT - 70.0);
        let label = escape(&label);
        let _ = write!(
            out,
            r#"<text class="peak" x="{x:.1}" y="{y:.1}">{label}</text>"#
        );
    }
}

/// The longest excursion, of equally long ones the first.
pub fn longest(curve: &Curve) -> Option<Excursion> {
    curve
        .excursions
        .iter()
        .rev()
        .max_by_key(|one| curve.length(one))
        .copied()
}

/// Lowest and highest, widened by a share of their distance; never empty.
fn spread(values: impl Iterator<Item = f64> + Clone, share: f64) -> (f64, f64) {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    if high > low {
        let room = (high - low) * share;
        (low - room, high + room)
    } else {
        (low - 1.0, high + 1.0)
    }
}

/// First, lowest, highest and last point of each column, in their order.
fn extremes(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut out = Vec::with_capacity(points.len().min(4 * WIDTH as usize));
    for column in points.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        let by = |better: fn(f64, f64) -> bool| {
            (1..column.len()).fold(0, |best, at| {
                if better(column[at].1, column[best].1) {
                    at
                } else {
                    best
                }
            })
        };
        let mut kept = [0, by(|a, b| a < b), by(|a, b| a > b), column.len() - 1];
        kept.sort_unstable();
        let mut last = None;
        for at in kept {
            if last != Some(at) {
                out.push(column[at]);
            }
            last = Some(at);
        }
    }
    out
}
