//! The watch on real temperatures that somebody labelled (`docs/pledge.md`, "What was measured").

use std::path::PathBuf;

use schemas::time::Instant;

use super::{Alarm, FIT_PERIOD, Limits, Noticed, Reading, Watch};

/// A labelled window and an episode: from, until.
type Span = (Instant, Instant);

fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("TRACEBOND_FIXTURES").map(PathBuf::from);
    let beside = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/fixtures"
    ));
    let folder = named.unwrap_or(beside).join("sensors");
    let found = folder.join("NAB_machine_temperature_system_failure.csv");
    if !found.exists() {
        eprintln!("SKIPPED: {} is not there", found.display());
        return None;
    }
    Some(folder)
}

fn instant(text: &str) -> Instant {
    let second = text.split('.').next().unwrap().replace(' ', "T");
    Instant::parse_rfc3339(&format!("{second}Z")).unwrap()
}

fn readings(folder: &std::path::Path, name: &str) -> Vec<Reading> {
    let mut file = csv::Reader::from_path(folder.join(format!("NAB_{name}.csv"))).unwrap();
    let rows = file.records().map(Result::unwrap);
    rows.map(|row| Reading::parse(instant(&row[0]), &row[1]).unwrap())
        .collect()
}

fn windows(folder: &std::path::Path, name: &str) -> Vec<Span> {
    let text = folder.join("NAB_labels_combined_windows_temperature.json");
    let all: serde_json::Value = serde_json::from_slice(&std::fs::read(text).unwrap()).unwrap();
    let windows = all[format!("realKnownCause/{name}.csv")]
        .as_array()
        .unwrap();
    let time = |value: &serde_json::Value| instant(value.as_str().unwrap());
    windows
        .iter()
        .map(|pair| (time(&pair[0]), time(&pair[1])))
        .collect()
}

/// What a watch says of a series, a reading at a time; kept and read again before each.
fn alarms(series: &[Reading], limits: Limits) -> Vec<Alarm> {
    let mut watch = Watch::begin("machine", limits, series[0].at()).unwrap();
    let (mut found, mut now) = (Vec::new(), series[0].at());
    for (place, reading) in series.iter().enumerate() {
        now = now.max(reading.at());
        found.extend(watch.look(now));
        found.extend(watch.take(*reading, None, now));
        if place % 97 == 0 {
            let kept = serde_json::to_vec(&watch).unwrap();
            watch = serde_json::from_slice(&kept).unwrap();
        }
    }
    found
}

struct Figures {
    found: usize,
    of: usize,
    false_ones: usize,
    days: u64,
}

/// Breaches find windows; every alarm outside of them is false.
fn figures(series: &[Reading], windows: &[Span], opened: &[Instant], all: &[Instant]) -> Figures {
    let within = |at: &Instant| {
        windows
            .iter()
            .any(|(from, until)| from <= at && at <= until)
    };
    let found = windows
        .iter()
        .filter(|(from, until)| opened.iter().any(|at| from <= at && at <= until));
    let length = series.last().unwrap().at().since(series[0].at());
    let inside: std::time::Duration = windows.iter().map(|(a, b)| b.since(*a)).sum();
    Figures {
        found: found.count(),
        of: windows.len(),
        false_ones: all.iter().filter(|at| !within(at)).count(),
        days: (length - inside).as_secs() / 86_400,
    }
}

fn judge(name: &str) -> Option<Figures> {
    let folder = folder()?;
    let series = readings(&folder, name);
    let limits = Limits::fitted(&series).unwrap();
    println!("{name}: allowed {} to {}", limits.low(), limits.high());
    let alarms = alarms(&series, limits);
    let breach = |alarm: &&Alarm| matches!(alarm.noticed, Noticed::Breach { .. });
    let opened: Vec<Instant> = alarms.iter().filter(breach).map(|a| a.since).collect();
    let silences = alarms.len() - opened.len();
    for at in &opened {
        println!("  opened {at}");
    }
    let all: Vec<Instant> = alarms.iter().map(|alarm| alarm.since).collect();
    let found = figures(&series, &windows(&folder, name), &opened, &all);
    println!(
        "{name}: {} of {} windows, {} false alarms ({silences} silences) in {} days outside",
        found.found, found.of, found.false_ones, found.days,
    );
    Some(found)
}

#[test]
fn watch_finds_the_labelled_windows() {
    let Some(found) = judge("machine_temperature_system_failure") else {
        return;
    };
    assert_eq!((found.found, found.of), (4, 4));
    assert!(found.false_ones as u64 * 7 <= found.days);
}

#[test]
fn watch_finds_the_windows_of_the_series_that_its_rules_were_chosen_on() {
    let Some(found) = judge("ambient_temperature_system_failure") else {
        return;
    };
    assert_eq!((found.found, found.of), (2, 2));
    assert!(found.false_ones as u64 * 7 <= found.days);
}

#[test]
fn limits_do_not_depend_on_what_comes_after_the_first_days() {
    let Some(folder) = folder() else { return };
    let series = readings(&folder, "machine_temperature_system_failure");
    let until = series[0].at() + FIT_PERIOD;
    let mut cut = series.clone();
    cut.retain(|reading| reading.at() < until);
    assert!(cut.len() < series.len() / 10);
    assert_eq!(Limits::fitted(&cut), Limits::fitted(&series));
    let bent: Vec<Reading> = series
        .iter()
        .map(|reading| match reading.at() < until {
            true => *reading,
            false => Reading::new(reading.at(), rust_decimal::Decimal::ZERO).unwrap(),
        })
        .collect();
    assert_eq!(Limits::fitted(&bent), Limits::fitted(&series));
}
