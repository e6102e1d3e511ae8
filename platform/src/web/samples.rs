//! Every page in every state, for tests and for looking at (`TRACEBOND_SAMPLES=dir`).

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use schemas::hash::sha256;
use schemas::time::Instant;
use serde_json::json;

use super::*;
use crate::report::{Draft, Fault, KeptReport, NONCE_BYTES, NumberError, Sent, State, Step};
use crate::store::StoredEvent;
use crate::store::erasure::{ArchivedEvent, ErasedEvent};
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
            is_first: false,
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
        is_first: true,
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
    let mut withheld = plain.clone();
    let standings = &mut withheld.proof.as_mut().unwrap().standings;
    *standings.values_mut().next().unwrap() = Standing::Incomplete;
    let mut erased = plain.clone();
    erased.erased = vec![ErasedEvent {
        statement: sha256(b"statement"),
        position: 1,
        leaf: sha256(b"leaf"),
        reason: "subject-request".to_owned(),
        made: MORNING + Duration::from_secs(86_400),
    }];
    let mut archived = plain.clone();
    archived.archived = vec![ArchivedEvent {
        statement: sha256(b"statement"),
        position: 1,
        leaf: sha256(b"leaf"),
        month: "2025-06".to_owned(),
    }];
    vec![
        ("erased", erased),
        ("archived", archived),
        ("verified", plain),
        ("excursion", view(&peaches(true))),
        ("gap", with_gap),
        ("late", view(&late())),
        ("waiting", view(&waiting())),
        ("recalled", view(&recalled())),
        ("unchecked", unchecked),
        ("refused", refused),
        ("withheld", withheld),
        ("declared", view(&declared())),
        ("replay", replay()),
        ("bare", bare()),
    ]
}

/// Nothing but words of the maker and a list of its customer.
fn declared() -> Memory {
    let mut world = peaches(false);
    let told =
        |one: &StoredEvent| one.source == Source::Scan && one.device != device("qinghe/orchard-1");
    world.events.retain(told);
    world.events.truncate(4);
    for (event, source) in world
        .events
        .iter_mut()
        .zip([Source::Declared, Source::File].into_iter().cycle())
    {
        event.source = source;
    }
    world
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
    let item = Item::parse(LOT).unwrap();
    let unknown = UnknownView {
        code: item.path().to_owned(),
        report: Some(report_href(&item)),
        scans: Some(Scans {
            total: 2,
            first: MORNING,
            is_first: false,
        }),
        archived: None,
        is_replay: false,
    };
    let archived = UnknownView {
        archived: Some(Archived {
            events: 12,
            from: "2025-01".to_owned(),
            to: "2025-03".to_owned(),
        }),
        ..unknown.clone()
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
    pages.push((
        "unknown-archived".to_owned(),
        render_unknown(&archived, lang).unwrap(),
    ));
    pages.push(("error".to_owned(), render_error(&error, lang).unwrap()));
    pages.extend(reports(lang));
    pages.extend(witnesses(lang));
    pages
}

/// A witness that has refused nothing, and one that has.
fn witnesses(lang: Lang) -> Vec<(String, String)> {
    let row = |proven, size| witness::ForkRow {
        file: "fork-0011.json".to_owned(),
        origin: "log.example/t".to_owned(),
        size,
        proven,
        cosigned: schemas::b64::encode(&[1; 32]),
        refused: schemas::b64::encode(&[2; 32]),
        time: MORNING,
    };
    let mut view = witness::WitnessView {
        name: "association.witness.example".to_owned(),
        key: hex::encode([7; 32]),
        logs: Vec::new(),
        forks: Vec::new(),
    };
    let quiet = witness::render(&view, lang).unwrap();
    view.logs.push(witness::LogRow {
        origin: "log.example/t".to_owned(),
        size: 1_204,
        root: schemas::b64::encode(&[1; 32]),
    });
    view.forks = vec![row(true, 1_204), row(false, 1_300)];
    let forked = witness::render(&view, lang).unwrap();
    vec![
        ("witness".to_owned(), quiet),
        ("witness-forked".to_owned(), forked),
    ]
}

/// Everything about reports.
fn reports(lang: Lang) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    let mut form = FormView {
        item: Item::parse(LOT).unwrap(),
        names: named("Qinghe honey peaches, 5 kg box", "青禾水蜜桃 5 公斤装"),
        sent: Sent::default(),
        trouble: Trouble::None,
        is_replay: false,
    };
    pages.push(("report-form", render_form(&form, lang)));
    form.sent.contact = "138 0000 0000".to_owned();
    form.trouble = Trouble::Faults(vec![Fault::Kind, Fault::Words]);
    pages.push(("report-faults", render_form(&form, lang)));
    (form.sent.kind, form.sent.text) = ("seal_broken".to_owned(), "It was open <b>.".to_owned());
    form.trouble = Trouble::TooMany;
    pages.push(("report-many", render_form(&form, lang)));
    let mut view = report_view(&form);
    pages.push(("report", render_report(&view, lang)));
    view.report.steps = vec![(State::Read, 30), (State::Closed, 3_000)]
        .into_iter()
        .map(|(state, at)| Step {
            state,
            person: "li".parse().unwrap(),
            at: minutes(at).unwrap(),
        })
        .collect();
    view.report.has_contact = false;
    pages.push(("report-closed", render_report(&view, lang)));
    let mut look_up = LookUpView {
        entered: None,
        problem: None,
        is_replay: false,
    };
    pages.push(("report-look-up", render_look_up(&look_up, lang)));
    look_up.entered = Some("4821 0937 5560 2715".to_owned());
    look_up.problem = Some(NumberError::Check);
    pages.push(("report-bad", render_look_up(&look_up, lang)));
    let named = pages
        .into_iter()
        .map(|(name, page)| (name.to_owned(), page.unwrap()));
    named.collect()
}

fn report_view(form: &FormView) -> ReportView {
    let nonce = hex::encode([7; NONCE_BYTES]);
    let sent = Sent {
        nonce,
        ..form.sent.clone()
    };
    let maker = "qinghe".parse().unwrap();
    let new = Draft::read(&sent)
        .unwrap()
        .about(&form.item, Some(maker), MORNING);
    ReportView {
        report: KeptReport {
            number: new.number,
            item: new.item,
            organisation: new.organisation,
            kind: new.kind,
            text: new.text,
            received: new.received,
            has_contact: new.contact.is_some(),
            steps: Vec::new(),
        },
        item: form.item.clone(),
        offset_minutes: 480,
        is_replay: false,
    }
}
