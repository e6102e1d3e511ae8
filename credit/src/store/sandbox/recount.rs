//! The counters beside the rows that they stand for: what an auditor runs.

use std::collections::BTreeMap;

use super::adapter::counter_name;
use crate::sandbox::limits::{CounterKey, Reservation};

/// A counter by kind and name.
pub type Row = (String, String);

/// Counters as they are kept, and as the rows add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recount {
    /// As they are kept.
    pub counted: BTreeMap<Row, i64>,
    /// As reservations, releases and borrowers add up; wider than a counter, so that rows that no
    /// counter could hold show too.
    pub summed: BTreeMap<Row, i128>,
}

/// A counter that is not what its rows add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub counter: Row,
    /// As it is kept; none if there is no row of it.
    pub counted: Option<i64>,
    /// As the rows add up; none if there is none.
    pub summed: Option<i128>,
}

impl Recount {
    /// Adds what a reservation took.
    pub fn add(&mut self, reservation: &Reservation) {
        for charge in &reservation.charges {
            self.sum(&charge.key, i128::from(charge.add));
        }
        let request = &reservation.request;
        let loan = ("loan".to_owned(), request.id.to_string());
        *self.summed.entry(loan).or_default() += i128::from(request.amount.fen());
    }

    /// Takes off what was given back of a reservation, in fen; less than nothing was taken again.
    pub fn take(&mut self, reservation: &Reservation, fen: i64) {
        let charged = reservation.charges.iter();
        for charge in charged.filter(|charge| charge.key.is_returned()) {
            self.sum(&charge.key, -i128::from(fen));
        }
        let loan = ("loan".to_owned(), reservation.request.id.to_string());
        *self.summed.entry(loan).or_default() -= i128::from(fen);
    }

    /// Counters that differ, in their order; none if the books are right.
    #[must_use]
    pub fn differences(&self) -> Vec<Difference> {
        let keys: std::collections::BTreeSet<&Row> =
            self.counted.keys().chain(self.summed.keys()).collect();
        let difference = |counter: &Row| Difference {
            counter: counter.clone(),
            counted: self.counted.get(counter).copied(),
            summed: self.summed.get(counter).copied(),
        };
        let all = keys.into_iter().map(difference);
        all.filter(|one| one.counted.map(i128::from) != one.summed)
            .collect()
    }

    fn sum(&mut self, key: &CounterKey, by: i128) {
        let (kind, name) = counter_name(key);
        *self.summed.entry((kind.to_owned(), name)).or_default() += by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::limits::Charge;

    fn reservation() -> Reservation {
        let request = serde_json::json!({
            "id": "r-1", "borrower": "b", "buyer": "v", "region": "310115", "group": "micro",
            "amount": {"amount": "3.00", "currency": "CNY"}, "tenor_days": 90, "day": "2026-12-01",
        });
        let charge = |key, add| Charge { key, add, cap: 900 };
        let day = "2026-12-01".parse().unwrap();
        Reservation {
            request: serde_json::from_value(request).unwrap(),
            charges: vec![
                charge(CounterKey::Users, 1),
                charge(CounterKey::Day(day), 300),
                charge(CounterKey::Outstanding, 300),
            ],
        }
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        let row = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
        let mut recount = Recount::default();
        recount.add(&reservation());
        recount.take(&reservation(), 100);
        recount.counted = [
            (row("day", "2026-12-01"), 300),
            (row("loan", "r-1"), 200),
            (row("outstanding", ""), 200),
            (row("users", ""), 1),
        ]
        .into();
        assert_eq!(recount.differences(), []);
        recount.counted.insert(row("outstanding", ""), 201);
        recount.counted.remove(&row("users", ""));
        recount.counted.insert(row("buyer", "v"), 0);
        let found = recount.differences();
        let found: Vec<_> = found
            .iter()
            .map(|one| (&*one.counter.0, one.counted, one.summed))
            .collect();
        let expected = [
            ("buyer", Some(0), None),
            ("outstanding", Some(201), Some(200)),
            ("users", None, Some(1)),
        ];
        assert_eq!(found, expected);
    }
}
