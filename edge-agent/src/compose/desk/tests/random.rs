//! Any codes on any desk, with restarts between any two of them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn any_codes() -> impl Strategy<Value = Vec<(String, i64)>> {
    let code = prop_oneof![
        4 => (0u8..20).prop_map(|serial| format!("(01)09521001000017(21)S{serial}")),
        4 => (0u8..3).prop_map(|lot| format!("(01)09521001000017(10)L{lot}")),
        2 => (1u32..999).prop_map(|grams| format!("(01)09521001000017(10)L9(3103){grams:06}")),
        2 => (0u8..3).prop_map(|lot| format!("(01)09521001000031(10)M{lot}")),
        2 => (0u8..3).prop_map(|lot| format!("(01)09521001000024(10)T{lot}")),
        2 => Just(SSCC.to_owned()),
        3 => Just("DONE".to_owned()),
        1 => Just("CANCEL".to_owned()),
        1 => Just("PACK".to_owned()),
        1 => Just("MIX".to_owned()),
        1 => Just("UNPACK".to_owned()),
        1 => Just("urn:epcglobal:cbv:bt:9521001000024:1".to_owned()),
        1 => "\\PC{0,40}",
    ];
    proptest::collection::vec((code, 0i64..40), 1..80)
}

fn any_desk() -> impl Strategy<Value = Vec<ScanRule>> {
    let endings = || {
        (
            proptest::option::of(1usize..5),
            proptest::option::of(10u64..60),
        )
            .prop_map(|(count, seconds)| ending(count, seconds))
    };
    (endings(), endings(), endings()).prop_map(|(pack, unpack, mix)| {
        let order = Some(TransactionRule {
            kind: "po".to_owned(),
            required: false,
            gln: None,
            prefix: None,
        });
        let select = |rule: ScanRule, code: &str| ScanRule {
            select: Some(code.to_owned()),
            transaction: order.clone(),
            ..rule
        };
        vec![
            single(),
            select(packing(false, pack), "PACK"),
            select(packing(true, unpack), "UNPACK"),
            select(recipe(mix), "MIX"),
        ]
    })
}

/// How often each name is scanned, and how much of each class.
type Amounts = BTreeMap<(String, String), Decimal>;

fn add(amounts: &mut Amounts, name: &str, uom: &str, quantity: Decimal) {
    *amounts
        .entry((name.to_owned(), uom.to_owned()))
        .or_default() += quantity;
}

/// What the events hold of goods other than parents.
fn told(events: &[Composed]) -> Amounts {
    let mut amounts = Amounts::new();
    for event in events.iter().map(json) {
        for (name, value) in event.as_object().expect("object") {
            let entries = value.as_array().into_iter().flatten();
            if name.ends_with("pcList") || name.ends_with("EPCs") || name.ends_with("EPCList") {
                entries.for_each(|one| {
                    add(&mut amounts, one.as_str().expect("name"), "", Decimal::ONE)
                });
            } else if name.to_lowercase().ends_with("quantitylist") {
                for element in entries {
                    let quantity = element.get("quantity").map_or(Decimal::ONE, |quantity| {
                        quantity.to_string().parse().expect("decimal")
                    });
                    let uom = element
                        .get("uom")
                        .and_then(Value::as_str)
                        .unwrap_or_default();
                    add(
                        &mut amounts,
                        element["epcClass"].as_str().expect("class"),
                        uom,
                        quantity,
                    );
                }
            }
        }
    }
    amounts
}

proptest! {
    // Each case is a whole story, run several times.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_code_is_in_one_event_or_waits_or_is_refused(
        rules in any_desk(),
        codes in any_codes(),
        at in 0usize..80,
    ) {
        let run = |restart: Option<usize>| {
            let mut desk = Desk::new(rules.clone(), 0);
            let (mut taken, mut clock) = (Taken::default(), 0);
            // What the outbox has: the difference from step to step, put together again.
            let mut stored: Vec<Kept> = Vec::new();
            for (index, (code, after)) in codes.iter().enumerate() {
                clock += after;
                if restart.is_none_or(|at| at == index) {
                    let mut other = Desk::new(rules.clone(), 0);
                    assert_eq!(other.restore(stored.clone()), Taken::default());
                    assert_eq!(other.kept(), desk.kept());
                    desk = other;
                }
                taken.and(desk.take(index as u64 + 1, code, now(clock)));
                if let Some(changes) = desk.changes(&stored) {
                    stored.retain(|kept| !changes.gone.contains(&kept.number));
                    stored.extend(changes.new);
                }
                assert_eq!(&stored, &desk.kept());
            }
            (taken, desk.kept())
        };
        let (taken, kept) = run(Some(usize::MAX));
        for event in taken.events.iter().map(json) {
            prop_assert_eq!(schemas::epcis::validate(&event), Ok(()));
        }
        for restart in [Some(at), None] {
            let (again, _) = run(restart);
            prop_assert_eq!(&taken.events, &again.events);
            let lines = |taken: &Taken| taken.refused.iter().map(|one| one.line).collect::<Vec<_>>();
            prop_assert_eq!(lines(&taken), lines(&again));
        }
        // A code is refused once at most, and none that waits has been refused.
        let mut refused: Vec<u64> = taken.refused.iter().map(|one| one.line).collect();
        refused.sort_unstable();
        let count = refused.len();
        refused.dedup();
        prop_assert_eq!(refused.len(), count);
        prop_assert!(kept.iter().all(|kept| !refused.contains(&kept.line)));
        // Names in events: as many as the codes of goods that are neither refused nor waiting.
        let waits = |line: u64| kept.iter().any(|kept| kept.line == line);
        let mut scanned: BTreeMap<String, u64> = BTreeMap::new();
        let mut weighed = Decimal::ZERO;
        for (index, (code, _)) in codes.iter().enumerate() {
            let line = index as u64 + 1;
            let Ok(read) = Code::read(code, None) else { continue };
            // The thing scanned last waits too, to notice a stutter: its event has been made.
            let is_last = kept.iter().any(|kept| kept.line == line)
                && desk_last(&rules, &codes[..=index]);
            if refused.contains(&line) || (waits(line) && !is_last) {
                continue;
            }
            *scanned.entry(read.uri()).or_default() += 1;
            if let Some((_, grams)) = code.split_once("(3103)") {
                weighed += Decimal::new(grams.parse().expect("grams"), 3);
            }
        }
        let told = told(&taken.events);
        let is_thing = |name: &str| name.contains("/21/");
        for (name, times) in scanned.iter().filter(|(name, _)| is_thing(name)) {
            let key = (name.clone(), String::new());
            let parents = taken.events.iter().map(json);
            let as_parent = parents.filter(|event| event["parentID"] == name.as_str()).count();
            let told = told.get(&key).copied().unwrap_or_default() + Decimal::from(as_parent);
            prop_assert_eq!(told, Decimal::from(*times), "{}", name);
        }
        let lot = "https://id.gs1.org/01/09521001000017/10/L9".to_owned();
        let told_weight = told.get(&(lot, "KGM".to_owned())).copied().unwrap_or_default();
        prop_assert_eq!(told_weight, weighed);
    }
}

/// True if the last of these codes is one that became an event by itself.
fn desk_last(rules: &[ScanRule], codes: &[(String, i64)]) -> bool {
    let mut desk = Desk::new(rules.to_vec(), 0);
    let mut clock = 0;
    let mut last = Taken::default();
    for (index, (code, after)) in codes.iter().enumerate() {
        clock += after;
        last = desk.take(index as u64 + 1, code, now(clock));
    }
    let single = |event: &Composed| json(event)["type"] == "ObjectEvent";
    last.events.last().is_some_and(single)
}
