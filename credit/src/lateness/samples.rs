//! Orders that tests evaluate.

use std::collections::BTreeMap;
use std::time::Duration;

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::{Order, Receipt};
use crate::testing::slug;

/// An order that was due on a day, delivered so many days after it and recorded so many days after
/// that.
pub(crate) fn order(number: u64, due: Instant, late_days: u64, recorded_days: u64) -> Order {
    let delivered = due + Duration::from_secs(late_days * 86_400);
    Order {
        goods: format!("https://id.gs1.org/01/09521001000017/10/LINE{number}"),
        leaf: Hash([u8::try_from(number % 256).unwrap(); 32]),
        due,
        value: None,
        receipt: Some(Receipt {
            leaf: Hash([0; 32]),
            by: slug("client"),
            delivered,
            known: delivered + Duration::from_secs(recorded_days * 86_400),
        }),
    }
}

/// Suppliers that are late more and less often, with a delivery a week over two years, and one of
/// whom next to nothing is known.
pub(crate) fn orders() -> BTreeMap<Slug, Vec<Order>> {
    let start = Instant::parse_rfc3339("2012-07-02T00:00:00Z").unwrap();
    let week = |number: u64| start + Duration::from_secs(number * 7 * 86_400);
    let supplier = |place: u64| {
        let late = |number: u64| u64::from((number * 7 + place * 3).is_multiple_of(place + 2));
        let orders = (0..104)
            .map(|number| order(number, week(number), late(number), 2))
            .collect();
        (slug(&format!("s{place}")), orders)
    };
    let stranger = (slug("stranger"), vec![order(1, week(1), 0, 0)]);
    (0..8).map(supplier).chain([stranger]).collect()
}
