//! Rows of promised deliveries: each delivery with what was known of its supplier some days before
//! it was due, and whether it came late.
//!
//! | feature | what |
//! |---|---|
//! | `late_share` | the frozen model's probability ([`crate::lateness::model`]): recent deliveries of the supplier weigh more |
//! | `late_share_on_route` | the same over the supplier's deliveries to this destination alone, with a longer memory |
//! | `days_since_late` | whole days since a late delivery became known; "none known" is a value of its own |
//! | `order_value` | what the order is worth, in whole units of its currency |
//!
//! Nothing that became known later plays a part: neither the delivery itself nor its receipt.

use std::collections::BTreeMap;
use std::time::Duration;

use schemas::time::Instant;

use super::dataset::{Dataset, DatasetError, Feature, Kind, Row, Special, Value};
use super::number::Number;
use super::outcome::{Labels, Outcome};
use crate::lateness::model::{Known, Parameters};

/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;

/// Days after which a delivery on a route weighs half: routes have few deliveries.
const ROUTE_HALF_LIFE_DAYS: u32 = 365;

/// How many deliveries the mean weighs as much as, on a route.
const ROUTE_STRENGTH: u32 = 3;

/// `days_since_late` of a supplier of whom no late delivery is known.
const NEVER_LATE: i8 = -1;

/// A delivery that was promised and came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who promised.
    pub supplier: String,
    /// Where to.
    pub destination: String,
    /// Until when.
    pub due: Instant,
    /// When it came.
    pub delivered: Instant,
    /// From when on that is known.
    pub known: Instant,
    /// What the order is worth, in whole units of its currency.
    pub value: Option<Number>,
}

impl Delivery {
    /// True if it came after its promised time.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.delivered > self.due
    }
}

/// How rows are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// What a supplier's share is calculated with.
    pub parameters: Parameters,
    /// A delivery is predicted from what was known so long before it was due.
    pub horizon: Duration,
    /// Deliveries of suppliers with fewer known ones are left out.
    pub minimum_known: usize,
    /// True if the deliveries are simulated.
    pub simulated: bool,
}

/// Rows with their suppliers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRows {
    /// The rows, by supplier and in the order in which deliveries were given.
    pub data: Dataset,
    /// Position of each row's supplier among all by name: what a bootstrap draws.
    pub suppliers: Vec<usize>,
}

/// Makes a row of each delivery that is wanted, from all of them.
///
/// # Errors
/// [`DatasetError`] if the rows cannot be a dataset, such as when none was late.
pub fn rows(
    deliveries: &[Delivery],
    how: &History,
    wanted: impl Fn(&Delivery) -> bool,
) -> Result<DeliveryRows, DatasetError> {
    let mut by_supplier: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
    for one in deliveries {
        by_supplier.entry(&one.supplier).or_default().push(one);
    }
    let (mut rows, mut suppliers) = (Vec::new(), Vec::new());
    for (place, all) in by_supplier.values().enumerate() {
        for one in all.iter().filter(|one| wanted(one)) {
            if let Some(row) = row(one, all, how) {
                rows.push(row);
                suppliers.push(place);
            }
        }
    }
    let groupings = super::card::GROUPINGS.map(str::to_owned).to_vec();
    let data = Dataset::new(outcome(how.simulated), features(), groupings, rows)?;
    Ok(DeliveryRows { data, suppliers })
}

fn outcome(simulated: bool) -> Outcome {
    Outcome {
        good: "delivery in time".to_owned(),
        bad: "late delivery".to_owned(),
        labels: Labels::Deliveries,
        simulated,
    }
}

fn features() -> Vec<Feature> {
    let mut since = Feature::new("days_since_late", Kind::Numeric);
    since.special.push(Special {
        value: number(f64::from(NEVER_LATE)),
        label: "no late delivery known".to_owned(),
    });
    vec![
        Feature::new("late_share", Kind::Numeric),
        Feature::new("late_share_on_route", Kind::Numeric),
        since,
        Feature::new("order_value", Kind::Numeric),
    ]
}

/// A row, or nothing if too little was known.
fn row(one: &Delivery, all: &[&Delivery], how: &History) -> Option<Row> {
    let cut = one.due - how.horizon;
    let before: Vec<&Delivery> = all
        .iter()
        .filter(|other| other.known <= cut)
        .copied()
        .collect();
    if before.len() < how.minimum_known {
        return None;
    }
    let route = before
        .iter()
        .filter(|other| other.destination == one.destination);
    let on_route = Parameters {
        half_life_days: Some(ROUTE_HALF_LIFE_DAYS),
        strength: ROUTE_STRENGTH,
        ..how.parameters
    };
    let share = how
        .parameters
        .probability(before.iter().map(|other| known(other, cut)));
    let route_share = on_route.probability(route.map(|other| known(other, cut)));
    let late = before.iter().filter(|other| other.is_late());
    let since = late.map(|other| known(other, cut).age_days).min();
    Some(Row {
        values: vec![
            rounded(share),
            rounded(route_share),
            number(since.map_or(f64::from(NEVER_LATE), f64::from)),
            one.value.map_or(Value::Missing, Value::Number),
        ],
        bad: one.is_late(),
        weight: Number::ONE,
        groups: vec![one.destination.clone(), String::new(), String::new()],
    })
}

fn known(one: &Delivery, cut: Instant) -> Known {
    let age_days = cut.since(one.known).as_secs() / DAY_SECONDS;
    Known {
        age_days: u32::try_from(age_days).unwrap_or(u32::MAX),
        late: one.is_late(),
    }
}

fn number(value: f64) -> Value {
    Number::exact(value).map_or(Value::Missing, Value::Number)
}

/// Powers of two may differ in the last bit from machine to machine.
fn rounded(share: f64) -> Value {
    Number::rounded(share).map_or(Value::Missing, Value::Number)
}
