//! Who signs what and when: the lines of a file as exports of order and receipt systems.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{Datelike, Days, NaiveDate};
use schemas::ids::DeviceAddress;
use schemas::time::Instant;
use serde_json::{Value, json};

use super::file::{Deliveries, Line};
use super::world::{World, address, goods};
use super::{CURRENCY, DELIVERED_AT, DUE_AT, KNOWN_AT, PROMISE_LEAD_DAYS};
use crate::folder::{Promise, Replayed};
use crate::scenario::{Action, Deed, Organisation};
use crate::stack::post::Equipment;

/// How long before the first export the world is set up.
const BEFORE: Duration = Duration::from_secs(3_600);

/// A file with the world that it is replayed in.
pub struct Replay {
    /// The file's name.
    pub file: String,
    /// Everybody.
    pub organisations: Vec<Organisation>,
    /// What is exported, by time and gateway.
    pub actions: Vec<Action>,
    /// What must be proven in the end, in the order of the file.
    pub replayed: Vec<Replayed>,
    /// The gateways.
    pub equipment: Vec<Equipment>,
}

/// Lines of exports by time and gateway.
type Exports = BTreeMap<(Instant, DeviceAddress), Vec<String>>;

impl Replay {
    /// The replay of a file; `file` is what it is called.
    ///
    /// # Errors
    /// When it names more parties than there are identifiers.
    pub fn new(deliveries: &Deliveries, file: String) -> anyhow::Result<Replay> {
        let world = World::of(deliveries)?;
        let (mut exports, mut replayed) = (Exports::new(), Vec::new());
        for line in deliveries.lines() {
            let (vendor, client) = (world.vendor(&line.vendor)?, world.client(&line.country)?);
            let goods = goods(vendor, line.id);
            let confirmed = instant(confirmed_on(line), KNOWN_AT);
            let known = instant(line.known(), KNOWN_AT);
            let order = order_line(line, &goods, vendor, confirmed);
            exports
                .entry((confirmed, address(vendor)))
                .or_default()
                .push(order);
            let receipt = receipt_line(line, &goods);
            exports
                .entry((known, address(client)))
                .or_default()
                .push(receipt);
            replayed.push(Replayed {
                line: line.id,
                vendor: vendor.slug.to_string(),
                client: client.slug.to_string(),
                goods,
                promised: Promise {
                    due: instant(line.scheduled, DUE_AT),
                    quantity: line.quantity,
                    value: amount(line.value_cents),
                },
                delivered: instant(line.delivered, DELIVERED_AT),
                known,
            });
        }
        let action = |((at, gateway), lines)| Action {
            at,
            gateway,
            deed: Deed::Export(lines),
        };
        Ok(Replay {
            file,
            actions: exports.into_iter().map(action).collect(),
            replayed,
            equipment: world.organisations.iter().flat_map(equipment).collect(),
            organisations: world.organisations,
        })
    }

    /// When everything is set up: before the first export.
    pub fn start(&self) -> Instant {
        self.at(self.actions.first()) - BEFORE
    }

    /// When everything has been exported.
    pub fn end(&self) -> Instant {
        self.at(self.actions.last()) + BEFORE
    }

    /// When the first receipt is there, and the goods that it is about.
    pub fn first_receipt(&self) -> (Instant, String) {
        let first = self.replayed.iter().min_by_key(|one| one.known);
        first.map_or((self.end(), String::new()), |one| {
            (one.known, one.goods.clone())
        })
    }

    /// The first line of each vendor: what there is to look at of it.
    pub fn samples(&self) -> Vec<String> {
        let mut samples = BTreeMap::new();
        for one in &self.replayed {
            samples.entry(&one.vendor).or_insert(&one.goods);
        }
        samples.into_values().cloned().collect()
    }

    fn at(&self, action: Option<&Action>) -> Instant {
        action.map_or(Instant::from_seconds(0), |action| action.at)
    }
}

fn equipment(party: &Organisation) -> Option<Equipment> {
    let gateway = party.gateways.first()?;
    Some(Equipment {
        address: address(party),
        gateway: gateway.clone(),
        sensor: None,
    })
}

/// The assumed day on which an order is confirmed.
fn confirmed_on(line: &Line) -> NaiveDate {
    let by = line.scheduled.min(line.delivered) - Days::new(PROMISE_LEAD_DAYS);
    by - Days::new(by.weekday().num_days_from_monday().into())
}

/// A time of day in UTC.
pub fn instant(day: NaiveDate, time: Duration) -> Instant {
    let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc();
    Instant::from_seconds(midnight.timestamp()) + time
}

/// The confirmation of an order: promised day, quantity and value, and nothing else.
fn order_line(line: &Line, goods: &str, vendor: &Organisation, at: Instant) -> String {
    let order = format!("https://example.org/{}/po/{}", vendor.slug, line.order);
    let promised = seconds(instant(line.scheduled, DUE_AT));
    export(
        "other",
        at,
        json!({ "id": goods, "quantity": line.quantity }),
        json!({
            "bizTransactionList": [{ "type": "po", "bizTransaction": order }],
            "tb:promisedDelivery": promised,
            "tb:orderAmount": amount(line.value_cents),
            "tb:orderCurrency": CURRENCY,
            "tb:assumption": "historical replay; the file has no day of confirmation and no time of day: both are assumed",
        }),
    )
}

/// The receipt of a delivery: that it came, and when.
fn receipt_line(line: &Line, goods: &str) -> String {
    let at = instant(line.delivered, DELIVERED_AT);
    export(
        "receiving",
        at,
        json!({ "id": goods }),
        json!({
            "tb:assumption": "historical replay; the file states the day of delivery: noon UTC is assumed",
        }),
    )
}

fn export(step: &str, at: Instant, item: Value, extra: Value) -> String {
    json!({ "step": step, "time": seconds(at), "items": [item], "extra": extra }).to_string()
}

/// `2006-06-02T12:00:00Z`.
fn seconds(at: Instant) -> String {
    at.utc().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Cents as a decimal with two places.
pub fn amount(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
