use super::*;
use crate::evidence::verify::verify;
use crate::facts::Rules;
use crate::facts::event::observe;
use crate::pledge::Claims;
use crate::pledge::quantity::Measure;
use crate::testing::*;

/// With a check digit that is right, which the other stories do not need.
const PALLET: &str = "https://id.gs1.org/00/095210010000000017";

fn stock(world: &mut World) -> Stock {
    let evidence = verify(&world.pack(at(23, 0)), &world.trusted()).unwrap();
    let seen = observe(&evidence, at(23, 0), Rules::default().late_after);
    Stock::read(&seen, &slug("qinghe"), evidence.log_size)
}

fn id(text: &str) -> Identifier {
    Identifier::parse_any(text).unwrap()
}

fn made() -> World {
    let mut world = World::new(&DEVICES);
    let lot = (Source::Scan, commissioning(at(1, 0), LOT));
    let packed = (Source::Scan, packing(at(2, 0), PALLET, LOT));
    world.say("qinghe/line-1", at(1, 0), &[lot]);
    world.say("qinghe/line-1", at(2, 0), &[packed]);
    world
}

#[test]
fn lot_is_shown_with_how_much_there_is() {
    let mut world = made();
    let pieces = |count| Quantity::new(Measure::Pieces, count).unwrap();
    let found = stock(&mut world)
        .find(&Wanted::Lot(id(LOT), pieces(30)))
        .unwrap();
    assert_eq!((found.evidence, found.since), (Evidence::Scanned, at(1, 0)));
    let Goods::Lot { shown, .. } = &found.goods else {
        panic!("{found:?}");
    };
    assert_eq!(shown.quantity, pieces(40));
    Claims::of(&found.goods).unwrap();
    let found = stock(&mut world)
        .find(&Wanted::Lot(id(LOT), pieces(41)))
        .unwrap();
    assert_eq!(Claims::of(&found.goods).unwrap_err().field, "quantity");
}

#[test]
fn what_nobody_or_somebody_else_has_is_refused() {
    let mut world = made();
    let unknown = id("https://id.gs1.org/01/09521234543213/21/A1");
    let refused = stock(&mut world).find(&Wanted::Thing(unknown)).unwrap_err();
    assert!(refused.problem.contains("does not show"), "{refused}");
    // A receiver has the pallet and what is on it.
    let gone = (Source::Scan, receiving(at(5, 0), PALLET));
    world.say("market/dock-1", at(5, 0), &[gone]);
    let refused = stock(&mut world)
        .find(&Wanted::Thing(id(PALLET)))
        .unwrap_err();
    assert!(refused.problem.contains("somebody else") || refused.problem.contains("does not show"));
    let pieces = Quantity::new(Measure::Pieces, 1).unwrap();
    let lot = stock(&mut world).find(&Wanted::Lot(id(LOT), pieces));
    assert_eq!(lot.unwrap_err().field, "quantity");
}

#[test]
fn pallet_is_pledged_with_what_is_on_it() {
    let mut world = made();
    let found = stock(&mut world).find(&Wanted::Thing(id(PALLET))).unwrap();
    let Goods::Unit { parts, .. } = &found.goods else {
        panic!("{found:?}");
    };
    assert_eq!(parts.len(), 1);
    assert_eq!(found.quantity, Quantity::new(Measure::Pieces, 40).unwrap());
    assert_eq!(found.since, at(1, 0));
    Claims::of(&found.goods).unwrap();
}
