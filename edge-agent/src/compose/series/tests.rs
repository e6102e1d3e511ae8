use schemas::epcis::readings;
use serde_json::Value;

use super::*;
use crate::compose::presence::{Change, Direction, Item};
use crate::compose::{Made, Weight};
use crate::config::{ExcursionRule, Figure, WindowRule};

mod random;

const START: i64 = 1_794_999_600;

fn rule(telemetry: Telemetry) -> SensorRule {
    SensorRule {
        sensor: "https://id.gs1.org/8004/9521001PROBE1".to_owned(),
        measurement: "Temperature".to_owned(),
        uom: "CEL".to_owned(),
        component: None,
        reference_system: None,
        alarm_min: None,
        alarm_max: Some(8.0),
        readings_per_event: 4,
        place: "https://id.gs1.org/414/9521001000024".to_owned(),
        biz_location: None,
        step: "sensor_reporting".to_owned(),
        assumption: None,
        interval: Some(Duration::from_secs(60)),
        telemetry,
        excursion: None,
    }
}

fn window(seconds: u64, figures: &[Figure]) -> Telemetry {
    Telemetry::Window(WindowRule {
        length: Duration::from_secs(seconds),
        figures: figures.to_vec(),
    })
}

fn dead_band(band: f64, seconds: u64) -> Telemetry {
    Telemetry::DeadBand(DeadBandRule {
        band,
        every: Duration::from_secs(seconds),
    })
}

/// A series on paper: what the outbox would do around it.
struct Bench {
    rule: SensorRule,
    series: Series,
    presence: Presence,
    taken: i64,
    events: Vec<Made>,
}

impl Bench {
    fn new(rule: SensorRule) -> Self {
        Self {
            rule,
            series: Series::default(),
            presence: Presence::default(),
            taken: 0,
            events: Vec::new(),
        }
    }

    fn done(&mut self, work: impl FnOnce(&mut Series, Telling<'_>) -> Outcome) {
        let telling = Telling {
            rule: &self.rule,
            time_zone_minutes: 0,
            presence: &self.presence,
        };
        let outcome = work(&mut self.series, telling);
        assert_eq!(outcome.failed, None);
        self.events.extend(outcome.made);
    }

    fn take(&mut self, reading: Reading) {
        self.taken += 1;
        let number = self.taken;
        self.series.heard = Some(reading.time);
        self.done(|series, telling| series.take(telling, Waiting { number, reading }));
    }

    fn read(&mut self, seconds: i64, value: f64) {
        self.take(at(seconds, Some(value), false));
    }

    /// What a kill and a start leave of it: rows and the memory's JSON.
    fn restart(&mut self) {
        let memory = serde_json::to_string(&self.series.memory).expect("json");
        self.series = Series {
            waiting: self.series.waiting.clone(),
            heard: self.series.heard,
            memory: serde_json::from_str(&memory).expect("memory"),
        };
    }

    fn cut(&mut self, why: Cut) {
        self.done(|series, telling| series.cut(telling, why));
    }

    fn expire(&mut self, seconds: i64) {
        let now = Instant::from_seconds(START + seconds);
        self.done(|series, telling| series.expire(telling, now));
    }

    fn json(&self) -> Vec<Value> {
        let parse = |made: &Made| serde_json::from_slice(made.event.bytes()).expect("json");
        self.events.iter().map(parse).collect()
    }

    /// First reports of all elements with their metadata, in order.
    fn reports(&self) -> Vec<(Value, Value)> {
        let mut all = Vec::new();
        for event in self.json() {
            for element in event["sensorElementList"].as_array().expect("elements") {
                let metadata = &element["sensorMetadata"];
                let reports = element["sensorReport"].as_array().expect("reports");
                let is_window = metadata.get("startTime").is_some();
                let reports = reports.iter().take(if is_window { 1 } else { usize::MAX });
                all.extend(reports.map(|report| (metadata.clone(), report.clone())));
            }
        }
        all
    }

    /// Readings that the events tell of, excursions not counted: they sum up the same ones.
    fn told(&self) -> u64 {
        let count = |(_, report): &(Value, Value)| {
            if report.get("tb:excursion").is_some() {
                return 0;
            }
            let number = |name: &str| report.get(name).and_then(Value::as_u64);
            number("tb:readings").map_or(1, |good| good + number("tb:suspectReadings").unwrap_or(0))
        };
        self.reports().iter().map(count).sum()
    }

    /// Begin and end of every stretch that is told, excursions apart.
    fn stretches(&self, of_excursions: bool) -> Vec<(String, String)> {
        let reports = self.reports();
        let stretches = reports.iter().filter(|(metadata, report)| {
            metadata.get("startTime").is_some()
                && report.get("tb:excursion").is_some() == of_excursions
        });
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        stretches
            .map(|(metadata, _)| (text(&metadata["startTime"]), text(&metadata["endTime"])))
            .collect()
    }
}

fn at(seconds: i64, value: Option<f64>, suspect: bool) -> Reading {
    Reading {
        time: Instant::from_seconds(START + seconds),
        value,
        suspect,
    }
}

#[test]
fn a_window_tells_its_figures_and_what_was_missing() {
    let figures = [
        Figure::Last,
        Figure::Mean,
        Figure::Min,
        Figure::Max,
        Figure::Deviation,
        Figure::Percentile(50),
        Figure::Percentile(90),
    ];
    let mut bench = Bench::new(rule(window(600, &figures)));
    // START is a full hour: the window is its first ten minutes.
    for (seconds, value) in [(0, 1.0), (60, 4.0), (120, 4.0), (180, 7.0)] {
        bench.read(seconds, value);
    }
    bench.take(at(240, Some(99.0), true));
    bench.take(at(300, None, false));
    assert!(bench.events.is_empty());
    bench.read(600, 5.0);
    let (metadata, report) = bench.reports().remove(0);
    assert_eq!(metadata["startTime"], "2026-11-18T11:00:00Z");
    assert_eq!(metadata["endTime"], "2026-11-18T11:10:00Z");
    assert_eq!(report["value"], 7.0);
    assert_eq!(report["time"], "2026-11-18T11:03:00Z");
    assert_eq!(
        (
            &report["minValue"],
            &report["maxValue"],
            &report["meanValue"]
        ),
        (&1.0.into(), &7.0.into(), &4.0.into())
    );
    assert_eq!(report["sDev"], 2.121_32);
    assert_eq!(
        (&report["percRank"], &report["percValue"]),
        (&50.into(), &4.0.into())
    );
    assert_eq!(report["tb:readings"], 4);
    assert_eq!(report["tb:suspectReadings"], 2);
    assert_eq!(report["tb:expectedReadings"], 10);
    assert!(report.get("exception").is_none());
    let event = &bench.json()[0];
    assert_eq!(
        event["sensorElementList"][0]["sensorReport"][1]["percRank"],
        90
    );
    assert_eq!(event["eventTime"], "2026-11-18T11:10:00Z");
    assert_eq!(bench.events[0].weight, Weight::Telemetry);
    // The platform's reader finds them.
    assert_eq!(readings(event)[0].mean, Some(4.0));
}

#[test]
fn a_window_of_doubtful_readings_has_no_figures() {
    let mut bench = Bench::new(rule(window(600, &[Figure::Mean, Figure::Percentile(95)])));
    bench.take(at(0, Some(3276.7), true));
    bench.take(at(60, Some(f64::NAN), false));
    bench.expire(600 + 29);
    assert!(bench.events.is_empty());
    bench.expire(600 + 30);
    let (_, report) = bench.reports().remove(0);
    assert_eq!(report["tb:quality"], "suspect");
    assert_eq!(
        (&report["tb:readings"], &report["tb:suspectReadings"]),
        (&0.into(), &2.into())
    );
    for figure in ["meanValue", "percValue", "percRank", "exception"] {
        assert!(report.get(figure).is_none(), "{figure}");
    }
    assert_eq!(bench.events[0].weight, Weight::Telemetry);
}

#[test]
fn a_late_reading_is_told_by_itself() {
    let mut bench = Bench::new(rule(window(600, &[Figure::Mean])));
    bench.read(0, 2.0);
    bench.read(600, 3.0);
    bench.read(100, 7.0);
    let reports = bench.reports();
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[1].1["value"], 7.0);
    assert_eq!((bench.told(), bench.series.waiting.len()), (2, 1));
}

#[test]
fn a_dead_band_tells_what_moved_and_sums_up_the_rest() {
    let mut bench = Bench::new(rule(dead_band(0.5, 600)));
    for (seconds, value) in [(0, 4.0), (60, 4.2), (120, 3.9), (180, 4.6), (240, 4.6)] {
        bench.read(seconds, value);
    }
    let reports = bench.reports();
    assert_eq!(reports.len(), 3, "{reports:?}");
    assert_eq!(reports[0].1["value"], 4.0);
    assert_eq!(
        (&reports[1].1["minValue"], &reports[1].1["maxValue"]),
        (&3.9.into(), &4.2.into())
    );
    assert_eq!(reports[1].1["tb:readings"], 2);
    assert_eq!(reports[2].1["value"], 4.6);
    // And at least every ten minutes.
    bench.read(779, 4.6);
    assert_eq!(bench.events.len(), 2);
    bench.read(780, 4.6);
    assert_eq!(bench.events.len(), 3);
    assert_eq!(bench.told(), 7);
    // Beyond the limits is told however little it moved.
    bench.read(790, 8.0);
    bench.read(800, 8.1);
    assert_eq!(bench.events.len(), 5);
    assert_eq!(bench.events[4].weight, Weight::LifeCycle);
}

fn with_excursion(telemetry: Telemetry, begin_after: u32, end_after: u32) -> SensorRule {
    SensorRule {
        excursion: Some(ExcursionRule {
            begin_after,
            end_after,
        }),
        ..rule(telemetry)
    }
}

#[test]
fn an_excursion_is_told_at_its_begin_and_summed_up_at_its_end() {
    for telemetry in [
        Telemetry::Batch,
        window(3_600, &[Figure::Mean]),
        dead_band(1.0, 3_600),
    ] {
        let mut bench = Bench::new(with_excursion(telemetry, 1, 2));
        for (seconds, value) in [(0, 4.0), (60, 5.0), (120, 9.0)] {
            bench.read(seconds, value);
        }
        let (_, begin) = bench.reports().pop().expect("told at once");
        assert_eq!(
            (&begin["value"], &begin["exception"]),
            (&9.0.into(), &"ALARM_CONDITION".into())
        );
        let before = bench.events.len();
        bench.read(180, 11.5);
        bench.read(240, 7.0);
        bench.take(at(270, Some(40.0), true));
        bench.read(300, 8.5);
        bench.restart();
        bench.read(360, 7.5);
        let ends = |bench: &Bench| bench.stretches(true).len();
        assert_eq!(ends(&bench), 0);
        bench.read(420, 7.0);
        assert_eq!(ends(&bench), 1);
        assert!(bench.events.len() > before);
        let reports = bench.reports();
        let (metadata, end) = reports
            .iter()
            .find(|(_, report)| report.get("tb:excursion").is_some())
            .expect("the end");
        assert_eq!(end["tb:excursion"], "end");
        assert_eq!(metadata["startTime"], "2026-11-18T11:02:00Z");
        assert_eq!(metadata["endTime"], "2026-11-18T11:06:00Z");
        assert_eq!(
            (&end["minValue"], &end["maxValue"]),
            (&8.5.into(), &11.5.into())
        );
        assert_eq!(end["tb:durationSeconds"], 240.0);
        assert_eq!(
            (&end["tb:readings"], &end["tb:suspectReadings"]),
            (&3.into(), &1.into())
        );
        assert_eq!(end["exception"], "ALARM_CONDITION");
        assert!(bench.series.memory.excursion.is_none());
    }
}

#[test]
fn too_few_readings_beyond_begin_no_excursion() {
    let mut bench = Bench::new(with_excursion(Telemetry::Batch, 3, 1));
    for (seconds, value) in [(0, 9.0), (60, 9.0), (120, 4.0), (180, 9.0)] {
        bench.read(seconds, value);
    }
    assert!(bench.stretches(true).is_empty());
    bench.read(240, 9.0);
    bench.read(300, 9.0);
    bench.read(360, 4.0);
    assert_eq!(bench.stretches(true).len(), 1);
}

#[test]
fn goods_that_come_during_an_excursion_are_not_said_to_have_had_its_begin() {
    let mut bench = Bench::new(with_excursion(window(3_600, &[Figure::Max]), 1, 1));
    bench.read(0, 12.0);
    bench.read(60, 9.0);
    bench.cut(Cut::Goods);
    let uri = "https://id.gs1.org/01/09521001000017/21/S1".to_owned();
    bench.presence.apply(&Change {
        direction: Direction::In,
        item: Item { uri, amount: None },
    });
    bench.read(120, 8.5);
    bench.read(180, 4.0);
    let with_goods: Vec<bool> = bench
        .json()
        .iter()
        .filter(|event| {
            event["sensorElementList"][0]["sensorReport"][0]
                .get("tb:excursion")
                .is_some()
        })
        .map(|event| event.get("epcList").is_some())
        .collect();
    assert_eq!(with_goods, [false, true]);
    let reports = bench.reports();
    let parts: Vec<&Value> = reports
        .iter()
        .map(|(_, report)| report)
        .filter(|report| report.get("tb:excursion").is_some())
        .collect();
    assert_eq!(
        (&parts[0]["tb:excursion"], &parts[0]["maxValue"]),
        (&"part".into(), &12.0.into())
    );
    assert_eq!(
        (&parts[1]["tb:excursion"], &parts[1]["maxValue"]),
        (&"end".into(), &8.5.into())
    );
    assert_eq!(parts[1]["tb:excursionBegan"], "2026-11-18T11:00:00Z");
    assert_eq!(parts[1]["tb:durationSeconds"], 180.0);
}

/// A register that was never written, or a clock that was wrong for one reading.
#[test]
fn one_time_far_ahead_does_not_make_everything_after_it_late() {
    const AHEAD: i64 = 2_500_000_000;
    for telemetry in [window(600, &[Figure::Mean]), dead_band(1.0, 600)] {
        let mut bench = Bench::new(rule(telemetry));
        for minute in 0..25 {
            bench.read(minute * 60, 4.0);
        }
        bench.read(AHEAD, 4.0);
        // It is in an event, or waits; so do all the others, and they do not wait for it.
        for minute in 25..125 {
            bench.read(minute * 60, 4.0);
            bench.restart();
        }
        let waiting = bench.series.waiting.len();
        assert_eq!(bench.told() as usize + waiting, 126);
        assert!(bench.events.len() <= 18, "{} events", bench.events.len());
        assert!(waiting <= 10, "{waiting} readings wait");
        // Nor do they fall silent: every ten minutes there is something.
        let last = bench.json().pop().expect("events")["eventTime"].clone();
        let last = Instant::parse_rfc3339(last.as_str().expect("text")).expect("time");
        assert!(last >= Instant::from_seconds(START + 114 * 60), "{last:?}");
    }
}

#[test]
fn a_late_reading_alone_does_not_end_a_window() {
    let mut bench = Bench::new(rule(window(600, &[Figure::Mean])));
    bench.read(7_200, 4.0);
    let now = bench.series.heard;
    let number = 99;
    let reading = at(0, Some(5.0), false);
    // The agent's clock has not gone back.
    bench.done(|series, telling| {
        series.heard = now;
        series.take(telling, Waiting { number, reading })
    });
    bench.read(7_260, 4.0);
    assert_eq!((bench.events.len(), bench.series.waiting.len()), (1, 2));
}

#[test]
fn another_count_of_time_goes_on_with_nothing_of_the_one_before() {
    for telemetry in [
        Telemetry::Batch,
        window(600, &[Figure::Mean]),
        dead_band(1.0, 600),
    ] {
        let mut bench = Bench::new(with_excursion(telemetry, 1, 1));
        for (seconds, value) in [(0, 4.0), (60, 9.0), (120, 9.5), (180, 9.2)] {
            bench.read(seconds, value);
        }
        bench.cut(Cut::Clock);
        assert_eq!(bench.told(), 4);
        assert_eq!(bench.stretches(true).len(), 1, "the excursion until then");
        assert!(bench.series.waiting.is_empty());
        assert_eq!(bench.series.memory, Memory::default());
    }
}
