//! EPCIS events of a peach grower.

use serde_json::{Value, json};

/// A lot of peaches.
pub const LOT: &str = "https://id.gs1.org/01/09521001000017/10/QH-0711";
/// Where they are packed.
pub const PACKHOUSE: &str = "https://id.gs1.org/414/9521001000017";
/// What they travel in.
pub const TRUCK: &str = "https://id.gs1.org/414/9521002000016";

/// An event of a step at the packhouse, on so many kilograms of the lot.
pub fn step(step: &str, action: &str, kilograms: u32) -> Value {
    json!({
        "@context": [
            "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
            {"tb": "https://ns.tracebond.example/epcis/"}
        ],
        "type": "ObjectEvent",
        "eventTime": "2026-07-11T06:00:00.000+08:00",
        "eventTimeZoneOffset": "+08:00",
        "action": action,
        "bizStep": step,
        "readPoint": {"id": PACKHOUSE},
        "quantityList": [{"epcClass": LOT, "quantity": kilograms, "uom": "KGM"}],
    })
}

/// The lot comes to be.
pub fn commissioned() -> Value {
    let mut event = step("commissioning", "ADD", 500);
    event["disposition"] = json!("active");
    event["ilmd"] = json!({"tb:productName": {"en": "Honey peaches", "zh-CN": "水蜜桃"}});
    event
}

/// It was looked at; `kilograms` tells events apart.
pub fn inspected(kilograms: u32) -> Value {
    let mut event = step("inspecting", "OBSERVE", kilograms);
    event["disposition"] = json!("conformant");
    event
}

/// It leaves, with a price on it.
pub fn shipped() -> Value {
    let mut event = step("shipping", "OBSERVE", 500);
    event["disposition"] = json!("in_transit");
    event["tb:invoiceAmount"] = json!("18000.00");
    event["tb:invoiceCurrency"] = json!("CNY");
    event
}

/// A temperature reading in the truck.
pub fn measured(celsius: f64) -> Value {
    let mut event = step("shipping", "OBSERVE", 500);
    event["readPoint"] = json!({"id": TRUCK});
    event["sensorElementList"] = json!([{"sensorReport": [{
        "type": "Temperature", "value": celsius, "uom": "CEL",
        "time": "2026-07-11T06:00:00.000+08:00"
    }]}]);
    event
}
