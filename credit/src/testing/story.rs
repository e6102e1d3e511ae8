//! Events, and the suppliers that tests tell stories about.

use schemas::event::Source;
use schemas::time::Instant;

use super::{World, at, slug};

/// Lot and pallet of the tests.
pub const LOT: &str = "https://id.gs1.org/01/09521001000017/10/L1";
/// The same lot as a URN.
pub const LOT_URN: &str = "urn:epc:class:lgtin:9521001.000001.L1";
/// A pallet.
pub const PALLET: &str = "https://id.gs1.org/00/095210010000000015";

fn head(kind: &str, time: Instant, step: &str) -> String {
    let time = time.to_rfc3339();
    format!(
        r#""type":"{kind}","eventTime":"{time}","eventTimeZoneOffset":"+08:00","bizStep":"{step}""#
    )
}

/// Commissioning of a lot with limits of 2 to 8 degrees.
pub fn commissioning(time: Instant, lot: &str) -> String {
    let head = head("ObjectEvent", time, "commissioning");
    format!(
        r#"{{{head},"action":"ADD","quantityList":[{{"epcClass":"{lot}","quantity":40}}],"ilmd":{{"tb:minTemperature":2,"tb:maxTemperature":8}}}}"#
    )
}

/// An inspection of a lot.
pub fn inspecting(time: Instant, lot: &str, disposition: &str) -> String {
    let head = head("ObjectEvent", time, "inspecting");
    format!(
        r#"{{{head},"action":"OBSERVE","disposition":"{disposition}","quantityList":[{{"epcClass":"{lot}","quantity":1}}]}}"#
    )
}

/// A lot goes onto a pallet.
pub fn packing(time: Instant, pallet: &str, lot: &str) -> String {
    let head = head("AggregationEvent", time, "packing");
    format!(
        r#"{{{head},"action":"ADD","parentID":"{pallet}","childQuantityList":[{{"epcClass":"{lot}","quantity":40}}]}}"#
    )
}

/// A reading of goods.
pub fn reading(time: Instant, item: &str, celsius: &str) -> String {
    let head = head("ObjectEvent", time, "storing");
    format!(
        r#"{{{head},"action":"OBSERVE","epcList":["{item}"],"sensorElementList":[{{"sensorMetadata":{{"deviceID":"probe-1"}},"sensorReport":[{{"type":"Temperature","value":{celsius},"uom":"CEL"}}]}}]}}"#
    )
}

/// A shipment with a promise and an invoice.
pub fn shipping(time: Instant, pallet: &str, promised: Instant, amount: &str) -> String {
    let head = head("ObjectEvent", time, "shipping");
    let promised = promised.to_rfc3339();
    format!(
        r#"{{{head},"action":"OBSERVE","epcList":["{pallet}"],"tb:promisedDelivery":"{promised}","tb:invoiceAmount":"{amount}","tb:invoiceCurrency":"CNY"}}"#
    )
}

/// A receipt of a pallet.
pub fn receiving(time: Instant, pallet: &str) -> String {
    let head = head("ObjectEvent", time, "receiving");
    format!(r#"{{{head},"action":"OBSERVE","epcList":["{pallet}"]}}"#)
}

/// The usual devices: a supplier's line and cold store, a buyer's dock.
pub const DEVICES: [(&str, u64); 3] = [
    ("qinghe/line-1", 0),
    ("qinghe/cold-1", 0),
    ("market/dock-1", 0),
];

/// A supplier without blame: made, inspected, packed, kept cold, shipped and received on time.
/// `celsius` are readings ten minutes apart from 02:00 on.
pub fn journey(celsius: &[&str]) -> World {
    let mut world = World::new(&DEVICES);
    tell_journey(&mut world, celsius);
    world
}

pub fn tell_journey(world: &mut World, celsius: &[&str]) {
    let line = [
        (Source::Scan, commissioning(at(1, 0), LOT_URN)),
        (Source::Scan, inspecting(at(1, 10), LOT, "conformant")),
        (Source::Scan, packing(at(1, 20), PALLET, LOT)),
    ];
    world.say("qinghe/line-1", at(1, 30), &line);
    for (n, value) in celsius.iter().enumerate() {
        let time = at(2, 10 * i64::try_from(n).unwrap());
        world.say(
            "qinghe/cold-1",
            time,
            &[(Source::Sensor, reading(time, PALLET, value))],
        );
    }
    let shipment = shipping(at(6, 0), PALLET, at(12, 0), "12000.00");
    world.say("qinghe/line-1", at(6, 0), &[(Source::Scan, shipment)]);
    world.say(
        "market/dock-1",
        at(11, 0),
        &[(Source::Scan, receiving(at(11, 0), PALLET))],
    );
}

/// Readings that never leave the limits.
pub const COLD: [&str; 12] = [
    "4.0", "4.1", "4.2", "4.0", "3.9", "4.4", "5.0", "4.8", "4.4", "4.1", "4.0", "4.0",
];
/// Readings of which four in a row are too warm, half an hour from first to last.
pub const WARM: [&str; 12] = [
    "4.0", "4.1", "7.9", "8.6", "9.4", "9.0", "8.1", "7.5", "5.0", "4.4", "4.0", "4.0",
];

/// A product as the tests lend it.
pub fn product() -> crate::loan::Product {
    let cny = |text| crate::money::Money::parse(text, crate::money::Currency::CNY).unwrap();
    crate::loan::Product {
        id: slug("receivable-90"),
        minimum: cny("100.00"),
        cap: cny("300000.00"),
        turnover_multiple: rust_decimal::Decimal::new(6, 1),
        straight_up_to: None,
    }
}

/// Limits of the tests' sandbox, in yuan.
pub fn limits(version: u32, per_loan: &str, outstanding: &str) -> crate::sandbox::Limits {
    let cny = |text| crate::money::Money::parse(text, crate::money::Currency::CNY).unwrap();
    crate::sandbox::Limits {
        id: slug("trial-1"),
        version,
        per_loan: cny(per_loan),
        outstanding: cny(outstanding),
    }
}

/// An application of the supplier of the tests.
pub fn application(id: &str, amount: &str) -> crate::loan::Application {
    crate::loan::Application {
        application_id: id.parse().unwrap(),
        supplier: slug("qinghe"),
        product: slug("receivable-90"),
        requested: crate::money::Money::parse(amount, crate::money::Currency::CNY).unwrap(),
        declared: crate::loan::Declared::default(),
    }
}

/// Facts of a world as of the end of its day.
pub fn facts_of(world: &mut World) -> crate::facts::Facts {
    let bundle = world.pack(at(24, 0));
    let evidence = crate::evidence::verify(&bundle, &world.trusted()).unwrap();
    let rules = crate::facts::Rules::default();
    crate::facts::Facts::read(&evidence, &slug("qinghe"), at(24, 0), rules).unwrap()
}

/// What the machine decides on an application as of the end of the day, with room enough.
pub fn decision_of(
    world: &mut World,
    application: &crate::loan::Application,
) -> crate::loan::Record {
    let facts = facts_of(world);
    let model = crate::score::Model::built_in().unwrap();
    let sandbox = crate::sandbox::Sandbox {
        limits: limits(1, "500000.00", "2000000.00"),
        used: crate::money::Money::zero(crate::money::Currency::CNY),
        room: None,
    };
    let proof = world.trusted().hash();
    crate::loan::decide(
        application,
        &facts,
        proof,
        &model,
        &product(),
        &sandbox,
        at(24, 0),
    )
    .unwrap()
}
