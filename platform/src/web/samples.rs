//! Every page in every state, for tests and for looking at (`TRACEBOND_SAMPLES=dir`).

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use schemas::time::Instant;
use serde_json::json;

use super::*;
use crate::trace::fixture::{
    LOT, MORNING, Memory, PACKHOUSE, SHOP, TRUCK, device, event, lot, measured, peaches,
};
use crate::trace::{Gap, GapKind, Item, Journey, Source, Standing};

fn named(en: &str, zh: &str) -> ByLanguage {
    BTreeMap::from([
        ("en".to_owned(), en.to_owned()),
        ("zh-CN".to_owned(), zh.to_owned()),
    ])
}

fn names() -> Names {
    let organisations = [
        ("qinghe", "Qinghe Fresh", "青禾果蔬"),
        ("northroad", "Northroad Carriers", "北路运输"),
        ("corner-shop", "Corner Shop", "街角便利店"),
    ];
    let places = [
        (
            PACKHOUSE,
            "Qinghe packhouse, cold store 3",
            "青禾包装厂 3 号冷库",
        ),
        (TRUCK, "Truck 7", "7 号冷藏车"),
        (SHOP, "Corner Shop, Lake Road", "湖滨路街角便利店"),
    ];
    Names {
        organisations: organisations
            .map(|(slug, en, zh)| (slug.parse().unwrap(), named(en, zh)))
            .into(),
        places: places
            .map(|(uri, en, zh)| (uri.to_owned(), named(en, zh)))
            .into(),
    }
}

fn links(journey: &Journey) -> Links {
    let mut links = Links::of(&journey.item, "/log/checkpoint");
    links.page = format!("https://trace.example.org{}", journey.item.path());
    links
}

fn view(world: &Memory) -> ProductView {
    let journey = world.journey();
    let links = links(&journey);
    ProductView {
        proof: Some(world.proof()),
        scans: Some(Scans {
            total: 3,
            first: MORNING + Duration::from_secs(8 * 86_400),
        }),
        names: names(),
        ..ProductView::new(journey, links)
    }
}

fn minutes(minutes: i64) -> Option<Instant> {
    Some(Instant::from_micros(
        MORNING.as_micros() + minutes * 60_000_000,
    ))
}

fn gap(kind: GapKind, from: i64, until: Option<i64>) -> Gap {
    let until = until.and_then(minutes);
    Gap {
        device: device("qinghe/cold-1"),
        kind,
        from: minutes(from),
        until,
    }
}

/// Product pages by name.
pub fn products() -> Vec<(&'static str, ProductView)> {
    static ALL: LazyLock<Vec<(&'static str, ProductView)>> = LazyLock::new(all);
    ALL.clone()
}

fn all() -> Vec<(&'static str, ProductView)> {
    let plain = view(&peaches(false));
    let mut unchecked = plain.clone();
    unchecked.proof = None;
    unchecked.scans = Some(Scans {
        total: 1,
        first: MORNING + Duration::from_secs(9 * 86_400),
    });
    let mut with_gap = plain.clone();
    with_gap.gaps = vec![
        gap(GapKind::Missing, 110, Some(170)),
        gap(GapKind::Silent, 250, Some(290)),
    ];
    let mut refused = plain.clone();
    for standing in refused
        .proof
        .as_mut()
        .unwrap()
        .standings
        .values_mut()
        .take(2)
    {
        *standing = Standing::Refused("batch-path".to_owned());
    }
    vec![
        ("verified", plain),
        ("excursion", view(&peaches(true))),
        ("gap", with_gap),
        ("late", view(&late())),
        ("waiting", view(&waiting())),
        ("recalled", view(&recalled())),
        ("unchecked", unchecked),
        ("refused", refused),
        ("replay", replay()),
        ("bare", bare()),
    ]
}

fn late() -> Memory {
    let mut world = peaches(false);
    let last = world.events.last_mut().unwrap();
    last.anchor.as_mut().unwrap().anchored = Some(last.made + Duration::from_secs(3 * 86_400));
    last.clock = 1;
    world
}

fn waiting() -> Memory {
    let mut world = peaches(false);
    world.events.last_mut().unwrap().anchor = None;
    world
}

fn recalled() -> Memory {
    let mut world = peaches(true);
    let recall = json!({"action": "OBSERVE", "disposition": "recalled", "quantityList": lot()});
    world.add(
        "qinghe/line-1",
        Source::Declared,
        event("ObjectEvent", 2_000, PACKHOUSE, "holding", recall),
    );
    let sampled = json!({"action": "OBSERVE", "quantityList": lot(), "eventID": "urn:uuid:7"});
    let sampled = event("ObjectEvent", 1_200, SHOP, "sampling", sampled);
    world.add("corner-shop/desk", Source::File, sampled.clone());
    let mut wrong = sampled;
    wrong["errorDeclaration"] = json!({"reason": "did_not_occur"});
    world.add("corner-shop/desk", Source::File, wrong);
    world
}

/// A long series with breaks, repeated times and a jump back, as machines write them.
fn replay() -> ProductView {
    let mut world = peaches(false);
    world.events.truncate(2);
    let mut at = 10;
    for number in 0..3_000_i64 {
        at += match number {
            700 => 900,
            n if n % 250 == 3 => 0,
            2_000 => -60,
            _ => 5,
        };
        let wave = (number as f64 / 90.0).sin() * 2.5 + (number as f64 / 7.0).cos();
        let peak = if (1_500..1_530).contains(&number) {
            8.0
        } else {
            0.0
        };
        let mut reading = measured(at, PACKHOUSE, &lot(), 4.2 + wave + peak);
        reading["tb:assumption"] = json!("the unit is degrees Celsius");
        let one = world.add("qinghe/cold-1", Source::Sensor, reading);

        one.anchor.as_mut().unwrap().anchored = minutes(at + 1);
    }
    let mut view = view(&world);
    view.proof.as_mut().unwrap().origin = "log.example.org/tracebond/replay".to_owned();
    view
}

/// No names, no sensors, no lookups.
fn bare() -> ProductView {
    let mut world = Memory::default();
    let made = json!({"action": "ADD", "quantityList": [{"epcClass": LOT, "quantity": 1}]});
    world.add(
        "qinghe/line-1",
        Source::Declared,
        event("ObjectEvent", 0, PACKHOUSE, "commissioning", made),
    );
    let journey = world.journey();
    let links = Links::of(&journey.item, "/log/checkpoint");
    ProductView {
        proof: Some(world.proof()),
        ..ProductView::new(journey, links)
    }
}

/// All pages in a language by name.
pub fn pages(lang: Lang) -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> = products()
        .into_iter()
        .map(|(name, view)| (name.to_owned(), render_product(&view, lang).unwrap()))
        .collect();
    let example = Example {
        item: Item::parse(LOT).unwrap(),
        names: named("Qinghe honey peaches, 5 kg box", "青禾水蜜桃 5 公斤装"),
    };
    let home = HomeView {
        examples: vec![example],
        ..HomeView::default()
    };
    let bad = HomeView {
        bad_code: Some("0952100100001X".to_owned()),
        ..HomeView::default()
    };
    let unknown = UnknownView {
        code: LOT.to_owned(),
        is_replay: false,
    };
    let error = ErrorView {
        kind: ErrorKind::Unavailable,
        reference: "01J-7F3A".to_owned(),
    };
    pages.push(("home".to_owned(), render_home(&home, lang).unwrap()));
    pages.push(("home-bad".to_owned(), render_home(&bad, lang).unwrap()));
    pages.push((
        "unknown".to_owned(),
        render_unknown(&unknown, lang).unwrap(),
    ));
    pages.push(("error".to_owned(), render_error(&error, lang).unwrap()));
    pages
}
