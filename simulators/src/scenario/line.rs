//! Scan lines: what a scanner or a person writes into a gateway's scan file, one JSON object each.

use schemas::time::Instant;
use serde_json::{Map, Value, json};

use super::identifier::lot_uri;
use super::world::{Organisation, Product};
use super::{Lot, ZONE_SECONDS};

/// A scan line under construction.
pub struct Line(Map<String, Value>);

impl Line {
    /// A scan of `step` at `at`.
    pub fn new(step: &str, at: Instant) -> Line {
        let mut members = Map::new();
        members.insert("step".to_owned(), json!(step));
        members.insert("time".to_owned(), json!(local(at)));
        Line(members)
    }

    /// The same line with one more member.
    pub fn with(mut self, name: &str, value: Value) -> Line {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The line of a step in which `pieces` of a lot are seen on their own.
    pub fn of_lot(step: &str, at: Instant, lot: &Lot, pieces: u32) -> Line {
        Line::new(step, at).with("items", json!([pieces_of(lot, pieces)]))
    }

    /// The line of a step in which only the pallet of a lot is seen.
    pub fn of_pallet(step: &str, at: Instant, lot: &Lot) -> Line {
        Line::new(step, at).with("items", json!([lot.pallet]))
    }

    /// The text, without a line end.
    pub fn text(self) -> String {
        Value::Object(self.0).to_string()
    }
}

/// A quantity of a lot.
fn pieces_of(lot: &Lot, pieces: u32) -> Value {
    json!({ "id": lot_uri(&lot.gtin, &lot.number), "quantity": pieces })
}

/// An instant as wall clocks of the world show it.
fn local(at: Instant) -> String {
    at.at_offset(ZONE_SECONDS)
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, false)
}

/// Master data of a lot, as its maker declares them when it is made.
pub fn master_data(lot: &Lot, product: &Product) -> Value {
    let day = 86_400 * product.shelf_days;
    let best_before = lot
        .made
        .plus(std::time::Duration::from_secs(day))
        .at_offset(ZONE_SECONDS);
    json!({ "ilmd": {
        "cbvmda:lotNumber": lot.number,
        "cbvmda:itemExpirationDate": best_before.format("%Y-%m-%d").to_string(),
        "tb:productName": { "zh-CN": product.names.0, "en": product.names.1 },
        "tb:minTemperature": product.limits.0,
        "tb:maxTemperature": product.limits.1,
    }})
}

/// Papers of a shipment: order, invoice, parties, promise and value.
pub fn papers(
    lot: &Lot,
    number: u32,
    from: &Organisation,
    to: &Organisation,
    promised: Instant,
) -> Value {
    let paper = |kind: &str, owner: &Organisation| {
        format!(
            "https://example.org/{}/{kind}/{}-{number:04}",
            owner.slug, lot.number
        )
    };
    json!({
        "bizTransactionList": [
            { "type": "po", "bizTransaction": paper("po", to) },
            { "type": "inv", "bizTransaction": paper("inv", from) },
        ],
        "sourceList": [{ "type": "owning_party", "source": from.party }],
        "destinationList": [{ "type": "owning_party", "destination": to.party }],
        "tb:promisedDelivery": local(promised),
        "tb:invoiceAmount": yuan(lot.invoice_fen),
        "tb:invoiceCurrency": "CNY",
    })
}

/// Fen as a decimal with two places.
fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}
