use schemas::event::Source;

use super::*;
use crate::evidence::verify;
use crate::facts::{Facts, Rules, With};
use crate::testing::*;

/// Key of the supplier, and of its buyer.
const OURS: &str = "https://id.gs1.org/417/9521001000017";
const THEIRS: &str = "https://id.gs1.org/417/9521001000024";

fn trade_of(world: &mut World, hold_back: &HoldBack) -> Trade {
    let bundle = world.bundle(at(24, 0), hold_back).to_json().unwrap();
    let evidence = verify(&bundle, &world.trusted()).unwrap();
    let with = With {
        sources: None,
        trade: true,
    };
    let facts = Facts::read_all(
        &evidence,
        &slug("qinghe"),
        at(24, 0),
        Rules::default(),
        with,
    );
    let facts = facts.unwrap();
    assert_eq!(facts.format, "facts/v3");
    facts.trade.unwrap()
}

/// An event about the pallet between two owners, with an invoice.
fn between(step: &str, time: Instant, from: &str, to: &str) -> String {
    let time = time.to_rfc3339();
    format!(
        r#"{{"type":"ObjectEvent","eventTime":"{time}","eventTimeZoneOffset":"+08:00","bizStep":"{step}","action":"OBSERVE","epcList":["{PALLET}"],"bizTransactionList":[{{"type":"inv","bizTransaction":"https://example.org/inv/L1-0001"}}],"sourceList":[{{"type":"owning_party","source":"{from}"}}],"destinationList":[{{"type":"owning_party","destination":"{to}"}}]}}"#
    )
}

/// Sales of the pallet as `seller > buyer`.
fn sold(trade: &Trade) -> BTreeSet<String> {
    let sales = trade.sales.iter().flatten();
    let pallet = sales.filter(|sale| sale.goods == PALLET);
    pallet
        .map(|sale| format!("{} > {}", sale.seller, sale.buyer))
        .collect()
}

#[test]
fn an_invoiced_shipment_that_arrived_is_a_sale_of_what_is_packed_in_it() {
    let trade = trade_of(&mut journey(&COLD), &HoldBack::default());
    assert_eq!(sold(&trade), BTreeSet::from(["qinghe > market".to_owned()]));
    let goods: Vec<_> = trade
        .sales
        .unwrap()
        .into_iter()
        .map(|sale| sale.goods)
        .collect();
    assert_eq!(goods, [PALLET, LOT]);
    let devices: Vec<_> = trade.devices.into_iter().map(|one| one.device).collect();
    assert_eq!(devices, ["qinghe/cold-1", "qinghe/line-1"]);
    let arrivals: Vec<_> = trade.arrivals.into_iter().collect();
    assert_eq!((arrivals.len(), &*arrivals[0].goods), (1, PALLET));
    assert_eq!(
        (arrivals[0].taken, arrivals[0].by.as_str()),
        (Taken::Received, "market")
    );
}

#[test]
fn parties_are_the_organisations_that_act_under_their_keys() {
    let mut world = World::new(&DEVICES);
    let shipped = between("shipping", at(6, 0), OURS, THEIRS);
    world.say(
        "qinghe/line-1",
        at(6, 0),
        &[(Source::Scan, shipped.clone())],
    );
    // Nobody has acted under the buyer's key yet: it stands for itself.
    let sold_to = sold(&trade_of(&mut world, &HoldBack::default()));
    assert!(
        sold_to.iter().all(|one| one.starts_with("qinghe > party-")),
        "{sold_to:?}"
    );
    let received = between("receiving", at(9, 0), OURS, THEIRS);
    world.say("market/dock-1", at(9, 0), &[(Source::Scan, received)]);
    let trade = trade_of(&mut world, &HoldBack::default());
    assert_eq!(sold(&trade), BTreeSet::from(["qinghe > market".to_owned()]));
    let invoiced = BTreeMap::from([("L1-0001".to_owned(), BTreeSet::from([PALLET.to_owned()]))]);
    assert_eq!(trade.invoiced, invoiced);
}

#[test]
fn who_ships_for_the_supplier_signs_for_it_and_a_buyer_does_not() {
    let mut world = World::new(&[("qinghe/line-1", 0), ("harbour/gate-1", 0)]);
    let own = between("shipping", at(6, 0), OURS, THEIRS);
    world.say("qinghe/line-1", at(6, 0), &[(Source::Scan, own)]);
    let carried = between("shipping", at(7, 0), OURS, THEIRS);
    world.say("harbour/gate-1", at(7, 0), &[(Source::Scan, carried)]);
    let trade = trade_of(&mut world, &HoldBack::default());
    let gate = trade
        .devices
        .iter()
        .find(|one| one.device == "harbour/gate-1")
        .unwrap();
    assert_eq!(gate.owner, Some(slug("harbour")));
}

#[test]
fn withheld_parties_leave_no_sales_rather_than_fewer() {
    let mut world = World::new(&DEVICES);
    let shipped = between("shipping", at(6, 0), OURS, THEIRS);
    world.say("qinghe/line-1", at(6, 0), &[(Source::Scan, shipped)]);
    let hold_back = HoldBack {
        member: Some("destinationList"),
        ..HoldBack::default()
    };
    assert_eq!(trade_of(&mut world, &hold_back).sales, None);
}

#[test]
fn a_sensor_with_a_name_of_its_own_is_a_device() {
    let mut world = World::new(&DEVICES);
    let reading = reading(at(2, 0), PALLET, "4.0");
    let named = reading.replace("probe-1", "urn:example:probe:1");
    for event in [reading, named] {
        world.say("qinghe/cold-1", at(2, 0), &[(Source::Sensor, event)]);
    }
    let trade = trade_of(&mut world, &HoldBack::default());
    let devices: Vec<_> = trade
        .devices
        .into_iter()
        .map(|one| (one.device, one.owner))
        .collect();
    let own = ("qinghe/cold-1".to_owned(), Some(slug("qinghe")));
    assert_eq!(devices, [own, ("urn:example:probe:1".to_owned(), None)]);
}
