//! The figures of all suppliers at two dates, and how good they were for deliveries that nobody had
//! seen when the model was made.
//!
//! **Split by time.** Deliveries promised for before the split, and known by it, are fitted on; those
//! promised for the split or later are the test. **Out of time.** Each is predicted from what was
//! recorded `horizon_days` before it was due, never from later. Deliveries of suppliers with fewer
//! than `minimum_known` known ones have no figure and are counted apart, in fitting and in the test.
//!
//! The two forms of [`fit`] are fitted anew and compared out of time; the frozen model is what is
//! shown. Figures are rounded to six places, so that machines whose logarithms differ in the last
//! bit agree.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::fit::{self, Case, Fitted, Form};
use super::history::Order;
use super::metrics::{self, Bin, Bootstrap, Interval, Pair};
use super::model::{Artefact, Known, Parameters};
use crate::loan::decision::ModelUsed;

/// How the intervals are drawn.
pub const BOOTSTRAP: Bootstrap = Bootstrap {
    draws: 2_000,
    seed: 20_130_701,
};

/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;

/// A supplier's figure at a date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Known deliveries.
    pub known: u64,
    /// Of these, late ones.
    pub late: u64,
    /// Probability of late delivery to four places; absent for insufficient evidence.
    pub probability: Option<Decimal>,
}

/// A supplier's figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupplierFigures {
    /// Who.
    pub supplier: Slug,
    /// At the split.
    pub at_split: Standing,
    /// At the end of the evidence.
    pub at_end: Standing,
}

/// Deliveries by what could be said of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// In all.
    pub deliveries: u64,
    /// Of these, late ones.
    pub late: u64,
    /// Predicted.
    pub predicted: u64,
    /// Of these, late ones.
    pub predicted_late: u64,
    /// Without a figure, for too little was known.
    pub insufficient: u64,
}

/// One form of the model, fitted anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// `whole history` or `recent history`.
    pub name: String,
    /// Its numbers.
    pub parameters: Parameters,
    /// Log loss on what it was fitted on.
    pub fitted_log_loss: f64,
    /// Out of time: AUC.
    pub auc: Option<Interval>,
    /// Out of time: Brier score.
    pub brier: Option<f64>,
    /// Out of time: log loss.
    pub log_loss: Option<f64>,
}

/// How good the frozen model was out of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Area under the receiver operating characteristic.
    pub auc: Option<Interval>,
    /// Brier score.
    pub brier: Option<Interval>,
    /// Log loss in nats.
    pub log_loss: Option<f64>,
    /// Mean probability.
    pub mean_predicted: Option<f64>,
    /// Share that was late.
    pub mean_observed: Option<f64>,
    /// Expected calibration error over the bins.
    pub calibration_error: Option<f64>,
    /// Intercept of the recalibration; 0 would be right.
    pub intercept: Option<f64>,
    /// Slope of the recalibration; 1 would be right.
    pub slope: Option<f64>,
    /// The calibration table.
    pub calibration: Vec<Bin>,
}

/// Everything about the model and its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// `probability of late delivery`.
    pub figure: String,
    /// Origins of the logs that the evidence is from; one that ends in `/replay` is a replay.
    pub origins: Vec<String>,
    /// The frozen model.
    pub model: ModelUsed,
    /// Its numbers.
    pub parameters: Parameters,
    /// First date of figures, and where fitting ends.
    #[serde(with = "crate::rfc3339")]
    pub split: Instant,
    /// Second date of figures.
    #[serde(with = "crate::rfc3339")]
    pub end: Instant,
    /// How long before a delivery was due it was predicted.
    pub horizon_days: u32,
    /// With fewer known deliveries there is no figure.
    pub minimum_known: u32,
    /// Deliveries before the split.
    pub fitted_on: Counts,
    /// Deliveries from the split on.
    pub tested_on: Counts,
    /// The forms fitted anew.
    pub alternatives: Vec<Alternative>,
    /// The form with the better AUC out of time.
    pub better: Option<String>,
    /// True if the frozen numbers are those of the better form fitted anew.
    pub frozen_is_fitted: bool,
    /// How intervals were drawn: whole suppliers.
    pub bootstrap: Bootstrap,
    /// How good the frozen model was.
    pub quality: Quality,
    /// Figures of every supplier, by name.
    pub suppliers: Vec<SupplierFigures>,
}

impl Evaluation {
    /// The suppliers with the most probable to be late at the end first; those without a figure
    /// last, then by name.
    #[must_use]
    pub fn by_probability(&self) -> Vec<&SupplierFigures> {
        let mut suppliers: Vec<_> = self.suppliers.iter().collect();
        suppliers.sort_by(|one, other| {
            let order = |standing: &Standing| {
                (
                    standing.probability.is_none(),
                    standing.probability.map(|p| -p),
                )
            };
            order(&one.at_end)
                .cmp(&order(&other.at_end))
                .then(one.supplier.cmp(&other.supplier))
        });
        suppliers
    }

    /// True if any evidence is of a replay.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.origins
            .iter()
            .any(|origin| origin.ends_with("/replay"))
    }
}

/// A delivery of the test with its prediction, for somebody else's calculation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Who delivered.
    pub supplier: Slug,
    /// What.
    pub goods: String,
    /// Until when it was promised, RFC 3339.
    pub due: String,
    /// Deliveries known beforehand.
    pub known: u64,
    /// Probability of late delivery, not rounded.
    pub probability: f64,
    /// Whether it was late.
    pub late: bool,
}

/// Evaluates a model over the orders of all suppliers, as they are known in the end.
#[must_use]
pub fn evaluate(
    orders: &BTreeMap<Slug, Vec<Order>>,
    origins: Vec<String>,
    artefact: &Artefact,
    end: Instant,
    bootstrap: Bootstrap,
) -> (Evaluation, Vec<Scored>) {
    let cases = Cases::of(orders, artefact, end);
    let alternatives = cases.alternatives(bootstrap);
    let auc = |one: &Alternative| one.auc.map_or(0.0, |auc| auc.value);
    let better = alternatives
        .iter()
        .max_by(|one, other| auc(one).total_cmp(&auc(other)));
    let better = better.filter(|one| one.auc.is_some());
    let parameters = artefact.parameters();
    let tested = cases.tested(&parameters);
    let evaluation = Evaluation {
        figure: "probability of late delivery".to_owned(),
        origins,
        model: artefact.used(),
        parameters,
        split: artefact.split,
        end,
        horizon_days: artefact.horizon_days,
        minimum_known: artefact.minimum_known,
        fitted_on: cases.counts(&cases.before),
        tested_on: cases.counts(&cases.after),
        better: better.map(|one| one.name.clone()),
        frozen_is_fitted: better.is_some_and(|one| one.parameters == parameters),
        alternatives,
        bootstrap,
        quality: quality(&tested, bootstrap),
        suppliers: figures(orders, artefact, end),
    };
    (evaluation, cases.scored(orders, &parameters))
}

/// Deliveries before and after the split.
struct Cases {
    before: Vec<Case>,
    after: Vec<Case>,
    minimum: usize,
}

impl Cases {
    fn of(orders: &BTreeMap<Slug, Vec<Order>>, artefact: &Artefact, end: Instant) -> Self {
        let horizon = Duration::from_secs(u64::from(artefact.horizon_days) * DAY_SECONDS);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (place, orders) in orders.values().enumerate() {
            let known = |order: &&Order, by: Instant| order.late_as_of(by).is_some();
            let seen: Vec<Order> = orders
                .iter()
                .filter(|order| known(order, end))
                .cloned()
                .collect();
            let by_split = seen
                .iter()
                .filter(|order| order.due < artefact.split && known(order, artefact.split));
            let by_split: Vec<&str> = by_split.map(|order| order.goods.as_str()).collect();
            for case in fit::cases(place, &seen, horizon) {
                if case.due >= artefact.split {
                    after.push(case);
                } else if by_split.contains(&case.goods.as_str()) {
                    before.push(case);
                }
            }
        }
        Self {
            before,
            after,
            minimum: artefact.minimum_known as usize,
        }
    }

    /// Those of which enough was known.
    fn enough<'a>(&self, cases: &'a [Case]) -> Vec<&'a Case> {
        cases
            .iter()
            .filter(|case| case.known.len() >= self.minimum)
            .collect()
    }

    fn counts(&self, cases: &[Case]) -> Counts {
        let predicted = self.enough(cases);
        Counts {
            deliveries: cases.len() as u64,
            late: cases.iter().filter(|case| case.late).count() as u64,
            predicted: predicted.len() as u64,
            predicted_late: predicted.iter().filter(|case| case.late).count() as u64,
            insufficient: (cases.len() - predicted.len()) as u64,
        }
    }

    fn tested(&self, parameters: &Parameters) -> Vec<(usize, Pair)> {
        let cases = self.enough(&self.after);
        let pairs = fit::predict(&cases, parameters);
        cases.iter().map(|case| case.supplier).zip(pairs).collect()
    }

    fn alternatives(&self, bootstrap: Bootstrap) -> Vec<Alternative> {
        let counts = self.counts(&self.before);
        let mean = fit::mean_ppm(counts.late, counts.deliveries);
        let cases = self.enough(&self.before);
        let forms = [
            ("whole history", Form::Whole),
            ("recent history", Form::Recent),
        ];
        let fitted = |(name, form)| {
            let fitted = fit::fit(&cases, mean, form)?;
            Some(self.alternative(name, &fitted, bootstrap))
        };
        forms.into_iter().filter_map(fitted).collect()
    }

    fn alternative(&self, name: &str, fitted: &Fitted, bootstrap: Bootstrap) -> Alternative {
        let tested = self.tested(&fitted.parameters);
        let pairs: Vec<Pair> = tested.iter().map(|(_, pair)| *pair).collect();
        Alternative {
            name: name.to_owned(),
            parameters: fitted.parameters,
            fitted_log_loss: six(fitted.log_loss),
            auc: metrics::bootstrap(&tested, bootstrap, metrics::auc).map(interval),
            brier: metrics::brier(&pairs).map(six),
            log_loss: metrics::log_loss(&pairs).map(six),
        }
    }

    fn scored(&self, orders: &BTreeMap<Slug, Vec<Order>>, parameters: &Parameters) -> Vec<Scored> {
        let names: Vec<&Slug> = orders.keys().collect();
        let scored = |case: &Case| {
            Some(Scored {
                supplier: (*names.get(case.supplier)?).clone(),
                goods: case.goods.clone(),
                due: case.due.to_rfc3339(),
                known: case.known.len() as u64,
                probability: parameters.probability(case.known.iter().copied()),
                late: case.late,
            })
        };
        self.after.iter().filter_map(scored).collect()
    }
}

fn quality(tested: &[(usize, Pair)], bootstrap: Bootstrap) -> Quality {
    let pairs: Vec<Pair> = tested.iter().map(|(_, pair)| *pair).collect();
    let bins = metrics::calibration(&pairs);
    let whole = metrics::calibration_error(&bins).is_some();
    let weigh = |of: fn(&Bin) -> f64| {
        let sum: f64 = bins
            .iter()
            .map(|bin| of(bin) * metrics::share(bin.deliveries, pairs.len() as u64))
            .sum();
        whole.then(|| six(sum))
    };
    let recalibration = metrics::recalibration(&pairs);
    Quality {
        auc: metrics::bootstrap(tested, bootstrap, metrics::auc).map(interval),
        brier: metrics::bootstrap(tested, bootstrap, metrics::brier).map(interval),
        log_loss: metrics::log_loss(&pairs).map(six),
        mean_predicted: weigh(|bin| bin.predicted),
        mean_observed: weigh(|bin| bin.observed),
        calibration_error: metrics::calibration_error(&bins).map(six),
        intercept: recalibration.map(|(intercept, _)| six(intercept)),
        slope: recalibration.map(|(_, slope)| six(slope)),
        calibration: bins.into_iter().map(bin).collect(),
    }
}

fn figures(
    orders: &BTreeMap<Slug, Vec<Order>>,
    artefact: &Artefact,
    end: Instant,
) -> Vec<SupplierFigures> {
    let of = |(supplier, orders): (&Slug, &Vec<Order>)| SupplierFigures {
        supplier: supplier.clone(),
        at_split: standing(orders, artefact, artefact.split),
        at_end: standing(orders, artefact, end),
    };
    orders.iter().map(of).collect()
}

fn standing(orders: &[Order], artefact: &Artefact, as_of: Instant) -> Standing {
    let known: Vec<Known> = orders
        .iter()
        .filter_map(|order| order.known_as_of(as_of))
        .collect();
    Standing {
        known: known.len() as u64,
        late: known.iter().filter(|one| one.late).count() as u64,
        probability: artefact.figure(&known),
    }
}

/// Rounded to six places.
fn six(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

fn interval(found: Interval) -> Interval {
    Interval {
        value: six(found.value),
        low: six(found.low),
        high: six(found.high),
        draws: found.draws,
    }
}

fn bin(found: Bin) -> Bin {
    Bin {
        predicted: six(found.predicted),
        observed: six(found.observed),
        interval: (six(found.interval.0), six(found.interval.1)),
        ..found
    }
}
