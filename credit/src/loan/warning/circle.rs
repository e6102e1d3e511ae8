//! Goods that come back to who sold them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{Days, NaiveDate};
use schemas::ids::Slug;

use super::{CIRCLE_DAYS, Case, FactName, Finding, Sale, Saw, Severity, Warning, rows};

/// A circle of sales of the same goods through the supplier, all within [`CIRCLE_DAYS`]. Goods that
/// come straight back may be a return, so an officer looks; a longer way, or a sale to oneself, is
/// refused.
pub(super) fn rule(case: &Case) -> Finding {
    let sales = match rows(&case.sales, FactName::Sales) {
        Ok(sales) => sales,
        Err(finding) => return finding,
    };
    let mut by_goods: BTreeMap<&str, Vec<&Sale>> = BTreeMap::new();
    for sale in sales {
        by_goods.entry(&sale.goods).or_default().push(sale);
    }
    let circles = by_goods
        .into_values()
        .filter_map(|sales| circle(&case.supplier, sales));
    Finding::of(circles.collect())
}

/// The shortest circle in the earliest window that has one.
fn circle(supplier: &Slug, mut sales: Vec<&Sale>) -> Option<Warning> {
    sales.sort_by_key(|sale| sale.on);
    let own = sales.iter().filter(|sale| sale.seller == *supplier);
    let own: BTreeSet<NaiveDate> = own.map(|sale| sale.on).collect();
    // A window that holds a circle begins with one of its sales; only windows around a sale of the
    // supplier can.
    let starts: BTreeSet<NaiveDate> = sales.iter().map(|sale| sale.on).collect();
    let windows = starts.into_iter().filter_map(|start| {
        let end = start.checked_add_days(Days::new(CIRCLE_DAYS.into()))?;
        own.range(start..=end).next().map(|_| (start, end))
    });
    for (start, end) in windows {
        let from = sales.partition_point(|sale| sale.on < start);
        let until = sales.partition_point(|sale| sale.on <= end);
        if let Some(way) = way_back(supplier, &sales[from..until]) {
            return Some(warning(&way));
        }
    }
    None
}

/// The fewest sales that lead from the supplier back to it.
fn way_back<'a>(supplier: &Slug, sales: &[&'a Sale]) -> Option<Vec<&'a Sale>> {
    let mut from: BTreeMap<&Slug, Vec<&'a Sale>> = BTreeMap::new();
    for sale in sales {
        from.entry(&sale.seller).or_default().push(sale);
    }
    let mut came_by: BTreeMap<&Slug, &'a Sale> = BTreeMap::new();
    let mut queue = VecDeque::from([supplier]);
    while let Some(party) = queue.pop_front() {
        for sale in from.get(party).into_iter().flatten() {
            if sale.buyer == *supplier {
                return Some(walked(supplier, sale, &came_by));
            }
            if !came_by.contains_key(&sale.buyer) {
                came_by.insert(&sale.buyer, sale);
                queue.push_back(&sale.buyer);
            }
        }
    }
    None
}

fn walked<'a>(
    supplier: &Slug,
    last: &'a Sale,
    came_by: &BTreeMap<&Slug, &'a Sale>,
) -> Vec<&'a Sale> {
    let mut way = vec![last];
    let mut party = &last.seller;
    while party != supplier {
        let Some(sale) = came_by.get(party) else {
            break;
        };
        way.push(sale);
        party = &sale.seller;
    }
    way.reverse();
    way
}

fn warning(way: &[&Sale]) -> Warning {
    let days = way.iter().map(|sale| sale.on);
    let first = days.clone().min().unwrap_or_default();
    let last = days.max().unwrap_or_default();
    let mut over: Vec<Slug> = way.iter().map(|sale| sale.seller.clone()).collect();
    over.extend(way.last().map(|sale| sale.buyer.clone()));
    let severity = match way.len() {
        2 => Severity::ToOfficer,
        _ => Severity::Refuse,
    };
    Warning {
        severity,
        saw: Saw::Circle {
            goods: way
                .first()
                .map(|sale| sale.goods.clone())
                .unwrap_or_default(),
            way: over,
            first,
            last,
        },
    }
}
