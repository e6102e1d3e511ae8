//! What many readings come to: the statistics of an EPCIS `sensorReport` over a stretch of time.
//!
//! Only readings that nobody doubts enter; the doubtful ones are counted and shown.

use schemas::time::Instant;
use serde_json::{Map, Value, json};

use super::sensor::{Reading, put_axis};
use super::time_text;
use crate::config::{Figure, SensorRule};

/// A stretch of time of one series and its readings.
pub(super) struct Stretch<'a> {
    pub from: Instant,
    pub until: Instant,
    /// In the order in which they were taken.
    pub readings: &'a [Reading],
    /// How many there should have been, where that is known.
    pub expected: Option<u64>,
}

impl Stretch<'_> {
    /// One sensor element; its first report has all figures but further percentiles, which each
    /// need a report of their own.
    pub(super) fn element(&self, rule: &SensorRule, figures: &[Figure]) -> Value {
        let good: Vec<f64> = self.readings.iter().filter_map(Reading::good).collect();
        let mut sorted = good.clone();
        sorted.sort_by(f64::total_cmp);
        let mut percentiles = figures.iter().filter_map(|figure| match figure {
            Figure::Percentile(rank) => percentile(&sorted, *rank),
            _ => None,
        });
        let mut first = self.report(rule);
        for figure in figures {
            self.put(&mut first, *figure, &good, &sorted);
        }
        put_percentile(&mut first, percentiles.next());
        self.put_counts(&mut first, rule, good.len());
        let mut reports = vec![Value::Object(first)];
        for further in percentiles {
            let mut report = self.report(rule);
            put_percentile(&mut report, Some(further));
            reports.push(Value::Object(report));
        }
        json!({
            "sensorMetadata": {
                "deviceID": rule.sensor,
                "startTime": time_text(self.from),
                "endTime": time_text(self.until),
            },
            "sensorReport": reports,
        })
    }

    fn report(&self, rule: &SensorRule) -> Map<String, Value> {
        let mut report = Map::new();
        report.insert("type".to_owned(), rule.measurement.as_str().into());
        put_axis(&mut report, rule);
        report.insert("uom".to_owned(), rule.uom.as_str().into());
        report
    }

    fn put(&self, report: &mut Map<String, Value>, figure: Figure, good: &[f64], sorted: &[f64]) {
        match figure {
            Figure::Last => {
                let mut newest = self.readings.iter().rev();
                if let Some(newest) = newest.find(|reading| reading.good().is_some()) {
                    put_number(report, "value", newest.value);
                    report.insert("time".to_owned(), time_text(newest.time).into());
                }
            }
            Figure::Mean => put_number(report, "meanValue", mean(good, sorted)),
            Figure::Min => put_number(report, "minValue", sorted.first().copied()),
            Figure::Max => put_number(report, "maxValue", sorted.last().copied()),
            Figure::Deviation => put_number(report, "sDev", deviation(good)),
            Figure::Percentile(_) => {}
        }
    }

    fn put_counts(&self, report: &mut Map<String, Value>, rule: &SensorRule, good: usize) {
        let alarm = |reading: &Reading| reading.good().is_some() && reading.is_alarm(rule);
        if self.readings.iter().any(alarm) {
            report.insert("exception".to_owned(), "ALARM_CONDITION".into());
        }
        if good == 0 {
            report.insert("tb:quality".to_owned(), "suspect".into());
        }
        put_counts(
            report,
            good as u64,
            (self.readings.len() - good) as u64,
            self.expected,
        );
    }
}

/// How many readings the figures are of, how many were doubted and left out, and how many the
/// interval asks for.
pub(super) fn put_counts(
    report: &mut Map<String, Value>,
    good: u64,
    suspect: u64,
    expected: Option<u64>,
) {
    report.insert("tb:readings".to_owned(), good.into());
    if suspect > 0 {
        report.insert("tb:suspectReadings".to_owned(), suspect.into());
    }
    if let Some(expected) = expected {
        report.insert("tb:expectedReadings".to_owned(), expected.into());
    }
}

/// A number that JSON can hold; any other is left out.
pub(super) fn put_number(report: &mut Map<String, Value>, name: &str, number: Option<f64>) {
    if let Some(number) = number.and_then(serde_json::Number::from_f64) {
        report.insert(name.to_owned(), Value::Number(number));
    }
}

fn put_percentile(report: &mut Map<String, Value>, percentile: Option<(u8, f64)>) {
    if let Some((rank, value)) = percentile {
        report.insert("percRank".to_owned(), rank.into());
        put_number(report, "percValue", Some(value));
    }
}

/// The smallest reading that `rank` percent of them do not exceed.
fn percentile(sorted: &[f64], rank: u8) -> Option<(u8, f64)> {
    let place = (usize::from(rank) * sorted.len()).div_ceil(100).max(1);
    Some((rank, *sorted.get(place - 1)?))
}

/// `None` where the sum is beyond what a double holds.
fn mean(values: &[f64], sorted: &[f64]) -> Option<f64> {
    let (low, high) = (*sorted.first()?, *sorted.last()?);
    let mean = sum(values.iter().copied()) / values.len() as f64;
    // Rounding may not carry it beyond its own readings.
    mean.is_finite().then(|| rounded(mean).clamp(low, high))
}

fn deviation(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = sum(values.iter().copied()) / count;
    let squares = sum(values.iter().map(|value| (value - mean).powi(2)));
    Some(rounded((squares / count).sqrt())).filter(|deviation| deviation.is_finite())
}

/// Neumaier's compensated sum: a day of seconds must not drift in the sixth decimal.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    sum + lost
}

/// To six decimals, so that 42 tenths are 4.2 and not 4.2000000000000002.
pub(crate) fn rounded(value: f64) -> f64 {
    const MILLIONTHS: f64 = 1e6;
    if value.abs() < 1e9 {
        (value * MILLIONTHS).round() / MILLIONTHS + 0.0
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_a_text_book() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean(&values, &values), Some(5.0));
        assert_eq!(deviation(&values), Some(2.0));
        // Nearest rank, as in the usual example of five numbers.
        let five = [15.0, 20.0, 35.0, 40.0, 50.0];
        let ranks = [(5, 15.0), (30, 20.0), (40, 20.0), (50, 35.0), (100, 50.0)];
        for (rank, value) in ranks {
            assert_eq!(percentile(&five, rank), Some((rank, value)));
        }
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(mean(&[], &[]), None);
        assert_eq!(deviation(&[]), None);
    }

    #[test]
    fn figures_of_a_position_say_which_axis_they_are_of() {
        let rule = SensorRule {
            component: Some("latitude".to_owned()),
            reference_system: Some("https://www.opengis.net/def/crs/EPSG/0/4326".to_owned()),
            ..crate::compose::tests::rule()
        };
        let time = Instant::from_seconds(1_795_000_000);
        let readings = [31.0, 32.0].map(|value| Reading {
            time,
            value: Some(value),
            suspect: false,
        });
        let stretch = Stretch {
            from: time,
            until: time,
            readings: &readings,
            expected: None,
        };
        let element = stretch.element(
            &rule,
            &[Figure::Mean, Figure::Percentile(5), Figure::Percentile(95)],
        );
        let reports = element["sensorReport"].as_array().expect("reports");
        assert_eq!(reports.len(), 2);
        for report in reports {
            assert_eq!(report["component"], "latitude");
            assert!(report["coordinateReferenceSystem"].is_string());
        }
    }

    #[test]
    fn a_mean_lies_between_its_readings_or_is_left_out() {
        let close = [1.000_000_4, 1.000_000_4];
        assert_eq!(mean(&close, &close), Some(1.000_000_4));
        let wide = [f64::MAX, f64::MAX];
        assert_eq!(mean(&wide, &wide), None);
        assert_eq!(deviation(&[f64::MAX, -f64::MAX]), None);
        let tenths = vec![0.1; 86_400];
        assert_eq!(mean(&tenths, &tenths), Some(0.1));
    }
}
