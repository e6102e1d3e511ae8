//! Rows that tests fit on: firms whose labels a rule makes, with missing and special values.

use schemas::ids::Slug;
use schemas::time::Instant;

use crate::scorecard::card::{GROUPINGS, Statement};
use crate::scorecard::dataset::Special;
use crate::scorecard::logistic::probability;
use crate::scorecard::points::Applicant;
use crate::scorecard::random::SplitMix;
use crate::scorecard::*;

/// A number from 0 to 1.
pub fn unit(random: &mut SplitMix) -> f64 {
    f64::from(u32::try_from(random.bits() >> 32).unwrap()) / f64::from(u32::MAX)
}

/// What simulated labels tell apart.
pub fn outcome() -> Outcome {
    Outcome {
        good: "delivery in time".into(),
        bad: "late delivery".into(),
        labels: Labels::Deliveries,
        simulated: true,
    }
}

/// Five features; -1 months of trade is a value of its own, and the last one tells nothing.
pub fn features() -> Vec<Feature> {
    let mut trade = Feature::new("months_of_trade", Kind::Numeric);
    trade.special.push(Special {
        value: Value::Number("-1".parse().unwrap()),
        label: "never traded".into(),
    });
    vec![
        Feature::new("on_time_share", Kind::Numeric),
        trade,
        Feature::new("branch", Kind::Categorical),
        Feature::new("turnover", Kind::Numeric),
        Feature::new("noise", Kind::Numeric),
    ]
}

/// One firm's values: each is missing now and then, and branches are more than a fit has seen.
pub fn values(random: &mut SplitMix) -> Vec<Value> {
    let number = |value: f64| Value::Number(Number::exact(value).unwrap());
    let share = unit(random);
    let months = match random.below(10) {
        0 => -1.0,
        _ => (unit(random) * 120.0).floor(),
    };
    let branch = match random.below(40) {
        0 => format!("rare-{}", random.below(30)),
        one => format!("branch-{}", one % 6),
    };
    let mut values = vec![
        number(share),
        number(months),
        Value::Category(branch),
        number((unit(random) * 14.0).exp().round()),
        number(unit(random)),
    ];
    for value in &mut values {
        if random.below(12) == 0 {
            *value = Value::Missing;
        }
    }
    values
}

fn risk(values: &[Value]) -> f64 {
    let read = |at: usize, missing: f64| match &values[at] {
        Value::Number(number) => number.get(),
        _ => missing,
    };
    let branch = match &values[2] {
        Value::Category(name) => f64::from(u8::from(name.ends_with(['0', '1']))),
        _ => 0.5,
    };
    let trade = match read(1, 40.0) {
        months if months < 0.0 => 1.2,
        months => -months / 60.0,
    };
    -0.5 - 2.5 * (read(0, 0.3) - 0.5) + trade + branch - 0.15 * (read(3, 100.0).ln() - 7.0)
}

/// So many rows.
pub fn dataset(seed: u64, rows: usize) -> Dataset {
    let mut random = SplitMix::new(seed);
    let groups = ["north", "south", "small", "large", "young", "old"];
    let row = |_| {
        let values = values(&mut random);
        let bad = unit(&mut random) < probability(risk(&values));
        let pick = |random: &mut SplitMix, of: usize| groups[of * 2 + random.below(2)].to_owned();
        let groups = (0..3).map(|of| pick(&mut random, of)).collect();
        Row {
            values,
            bad,
            weight: Number::ONE,
            groups,
        }
    };
    let rows = (0..rows).map(row).collect();
    Dataset::new(
        outcome(),
        features(),
        GROUPINGS.map(String::from).to_vec(),
        rows,
    )
    .unwrap()
}

/// A scorecard of such rows.
pub fn artefact(data: &Dataset) -> Artefact {
    develop("late-delivery-points", "1", data, &Settings::usual()).unwrap()
}

/// Values by name.
pub fn applicant(values: &[Value]) -> Applicant {
    let names = features().into_iter().map(|feature| feature.name);
    names.zip(values.iter().cloned()).collect()
}

/// A person.
pub fn person(name: &str) -> Slug {
    name.parse().unwrap()
}

/// So many hours after some day.
pub fn hour(hours: i64) -> Instant {
    Instant::from_seconds(1_790_000_000 + hours * 3_600)
}

/// What people state of a model of tests.
pub fn statement() -> Statement {
    Statement {
        purpose: "tests only".into(),
        source: "a <b>seed</b> | and nothing else".into(),
        sampling: "all rows".into(),
        code_version: "0.1.0".into(),
        environment: "tests".into(),
        operator: person("maker"),
        developed_at: hour(0),
        exit: "with the test".into(),
        approval_from: 500,
    }
}
