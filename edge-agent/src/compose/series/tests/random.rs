//! Any readings, goods and stops, with restarts between any two of them.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Read(Reading),
    Goods,
    Stop,
    Wait(i64),
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let value = prop_oneof![
        8 => (-50i32..150).prop_map(|tenths| Some(f64::from(tenths) / 10.0)),
        1 => any::<f64>().prop_map(Some),
        1 => Just(None),
    ];
    let read = (
        prop_oneof![9 => 0i64..200, 1 => -4_000i64..4_000],
        value,
        0u8..10,
    );
    let step = prop_oneof![
        12 => read.prop_map(|(after, value, doubt)| (Some((after, value, doubt == 0)), 0)),
        1 => Just((None, 1)),
        1 => Just((None, 2)),
        1 => Just((None, 3)),
    ];
    proptest::collection::vec(step, 1..120).prop_map(|steps| {
        let mut now = 0;
        let place = |(read, other): (Option<(i64, Option<f64>, bool)>, i32)| match (read, other) {
            (Some((after, value, suspect)), _) => {
                now += after;
                Step::Read(at(now, value, suspect))
            }
            (None, 1) => Step::Goods,
            (None, 2) => Step::Stop,
            (None, _) => {
                now += 100;
                Step::Wait(now)
            }
        };
        steps.into_iter().map(place).collect()
    })
}

fn any_rule() -> impl Strategy<Value = SensorRule> {
    let figures = vec![
        Figure::Last,
        Figure::Mean,
        Figure::Min,
        Figure::Max,
        Figure::Deviation,
    ];
    let telemetry = prop_oneof![
        Just(Telemetry::Batch),
        prop_oneof![Just(60), Just(600), Just(3_600)].prop_map(move |length| {
            let mut all = figures.clone();
            all.push(Figure::Percentile(95));
            window(length, &all)
        }),
        (0.0..3.0, 1u64..1_000).prop_map(|(band, every)| dead_band(band, every)),
    ];
    (telemetry, proptest::option::of((1u32..4, 1u32..4))).prop_map(|(telemetry, excursion)| {
        let excursion = excursion.map(|(begin_after, end_after)| ExcursionRule {
            begin_after,
            end_after,
        });
        SensorRule {
            excursion,
            ..rule(telemetry)
        }
    })
}

fn run(rule: &SensorRule, steps: &[Step], restart_at: Option<usize>) -> Bench {
    let mut bench = Bench::new(rule.clone());
    for (index, step) in steps.iter().enumerate() {
        if restart_at.is_none_or(|at| at == index) {
            bench.restart();
        }
        match step {
            Step::Read(reading) => bench.take(reading.clone()),
            Step::Goods => bench.cut(Cut::Goods),
            Step::Stop => bench.cut(Cut::Stop),
            Step::Wait(seconds) => bench.expire(*seconds),
        }
    }
    bench
}

proptest! {
    // Each case is a whole story, run several times.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_reading_is_told_once_and_windows_do_not_overlap(
        rule in any_rule(),
        steps in any_steps(),
    ) {
        let bench = run(&rule, &steps, Some(usize::MAX));
        for event in bench.json() {
            prop_assert_eq!(schemas::epcis::validate(&event), Ok(()));
        }
        let readings = steps.iter().filter(|step| matches!(step, Step::Read(_))).count();
        prop_assert_eq!(bench.told() as usize + bench.series.waiting.len(), readings);
        let instants = |(from, until): &(String, String)| {
            let read = |text: &str| Instant::parse_rfc3339(text).expect("instant");
            (read(from), read(until))
        };
        let of_window = matches!(rule.telemetry, Telemetry::Window(_));
        for (excursions, strict) in [(false, of_window), (true, false)] {
            let stretches: Vec<_> = bench.stretches(excursions).iter().map(instants).collect();
            for pair in stretches.windows(2) {
                // Clocks jump; a window reaches back only where they do so further than one is late.
                let anew = pair[0].1.since(pair[1].1) > LATE;
                prop_assert!(!strict || pair[0].1 <= pair[1].0 || anew, "{pair:?}");
            }
            for (from, until) in stretches {
                prop_assert!(from <= until);
            }
        }
    }

    #[test]
    fn a_restart_at_any_point_gives_the_same_events(
        rule in any_rule(),
        steps in any_steps(),
        at in 0usize..120,
    ) {
        let whole = run(&rule, &steps, Some(usize::MAX));
        for restart in [Some(at), None] {
            let broken = run(&rule, &steps, restart);
            prop_assert_eq!(&whole.events, &broken.events);
            // A NaN is not equal to itself.
            prop_assert_eq!(format!("{:?}", whole.series), format!("{:?}", broken.series));
        }
    }

    #[test]
    fn windows_come_to_what_their_readings_come_to(
        values in proptest::collection::vec((0i64..120, -50i32..150), 1..80),
    ) {
        let figures = [Figure::Mean, Figure::Min, Figure::Max];
        let mut bench = Bench::new(rule(window(600, &figures)));
        let mut expected: std::collections::BTreeMap<i64, Vec<f64>> = Default::default();
        let mut now = 0;
        for (after, tenths) in values {
            now += after;
            let value = f64::from(tenths) / 10.0;
            bench.read(now, value);
            expected.entry((START + now).div_euclid(600)).or_default().push(value);
        }
        bench.expire(now + 10_000);
        let reports = bench.reports();
        prop_assert_eq!(reports.len(), expected.len());
        for ((metadata, report), (index, values)) in reports.iter().zip(&expected) {
            let from = Instant::from_seconds(index * 600);
            prop_assert_eq!(&metadata["startTime"], &crate::compose::time_text(from));
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let said = report["meanValue"].as_f64().expect("mean");
            prop_assert!((said - mean).abs() < 1e-6);
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert_eq!(report["minValue"].as_f64(), Some(low));
            prop_assert_eq!(report["maxValue"].as_f64(), Some(high));
            prop_assert_eq!(report["tb:readings"].as_u64(), Some(values.len() as u64));
        }
    }
}
