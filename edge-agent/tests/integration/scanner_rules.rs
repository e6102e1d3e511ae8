//! Rules of scans at scanners, through the whole agent: what is packed, mixed and unpacked with a
//! scanner in the hand, and what becomes of it when a person, the power or the plug gives up.

mod rig;

use std::process::Command;
use std::sync::Arc;

use edge_agent::RunError;
use edge_agent::clock::ThisMachine;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::broker::Faults;
use crate::programs::no_socat;
use crate::scanners::typed;
use crate::site::{DEADLINE, START, Site, stop};
use crate::sources::{serial_line, states, until_state};
use crate::world::World;
use rig::{CASES, Gun, PACK, Recording, evdev, named, piece, rejects, rule, signed};

#[tokio::test]
async fn a_case_is_packed_with_a_serial_scanner() {
    if no_socat() {
        return;
    }
    let gun = Gun::new(&rule("pack", PACK)).await;
    let case = format!("]C1{}", CASES[0]);
    let (first, second) = (piece(1), piece(2));
    // A stutter, a wrong check digit and a code of nothing, while the case is open.
    gun.says(&[&case, &first, &first, "9521001000018", "HELLO"]);
    let open = until_state(&gun.handle, |state| state.counts.rejected == 2).await;
    assert_eq!((open.open_codes, open.counts.repeated), (2, 1));
    assert_eq!(open.counts.scans, 0);
    gun.says(&[&second, "]C0DONE"]);
    let packed = until_state(&gun.handle, |state| state.counts.scans == 1).await;
    assert_eq!((packed.open_codes, packed.counts.rejected), (0, 2));
    assert_eq!(packed.last[0].what, "]C0DONE");
    let rejects = rejects(&gun.site, "near");
    assert!(rejects[0].1.contains("check digit"), "{rejects:?}");
    let texts: Vec<_> = rejects.iter().map(|one| (one.0, &*one.2)).collect();
    assert_eq!(texts, [(4, "9521001000018"), (5, "HELLO")]);
    let events = signed(&gun.site, gun.handle, gun.shutdown).await;
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    assert_eq!(event["type"], "AggregationEvent");
    assert_eq!(
        (&event["action"], &event["bizStep"]),
        (&"ADD".into(), &"packing".into())
    );
    assert_eq!(
        event["parentID"],
        "https://id.gs1.org/00/095210010000000017"
    );
    assert_eq!(event["childEPCs"], named(&[1, 2]));
}

#[tokio::test]
async fn a_cancelled_case_is_no_event_and_a_silent_one_is_closed_by_the_clock() {
    if no_socat() {
        return;
    }
    let gun = Gun::new(&rule("pack", PACK)).await;
    gun.says(&[CASES[0], &piece(1), "CANCEL"]);
    let dropped = until_state(&gun.handle, |state| state.counts.rejected == 2).await;
    assert_eq!((dropped.open_codes, dropped.counts.scans), (0, 0));
    let reasons: Vec<_> = rejects(&gun.site, "near")
        .into_iter()
        .map(|one| one.1)
        .collect();
    assert_eq!(reasons, ["cancelled", "cancelled"]);
    gun.says(&[CASES[1], &piece(2)]);
    gun.open_codes(2).await;
    // Nobody scans, and nobody asks.
    gun.site.clock.advance(59);
    gun.handle.settle().await;
    assert_eq!(states(&gun.handle)[0].open_codes, 2);
    gun.site.clock.advance(1);
    until_state(&gun.handle, |state| state.counts.scans == 1).await;
    // A case without a child is not whole.
    gun.says(&[CASES[2]]);
    gun.open_codes(1).await;
    gun.site.clock.advance(60);
    until_state(&gun.handle, |state| state.counts.rejected == 3).await;
    let last = rejects(&gun.site, "near").pop().expect("rejects");
    assert!(last.1.starts_with("timed out: "), "{last:?}");
    assert_eq!(last.2, CASES[2]);
    let events = signed(&gun.site, gun.handle, gun.shutdown).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["childEPCs"], named(&[2]));
    // It was done with its last code, not when the time was over.
    let time = schemas::time::Instant::from_seconds(START).to_rfc3339();
    assert_eq!(
        events[0]["eventTime"].as_str().map(|text| &text[..19]),
        Some(&time[..19])
    );
}

#[tokio::test]
async fn a_case_times_out_while_the_scanner_is_gone_and_the_next_is_packed_when_it_is_back() {
    if no_socat() {
        return;
    }
    let mut gun = Gun::new(&rule("pack", PACK)).await;
    gun.says(&[CASES[0], &piece(1)]);
    gun.open_codes(2).await;
    drop(gun.line);
    until_state(&gun.handle, |state| state.fault.is_some()).await;
    assert_eq!(states(&gun.handle)[0].open_codes, 2);
    gun.site.clock.advance(60);
    until_state(&gun.handle, |state| state.counts.scans == 1).await;
    gun.line = serial_line(gun.site.folder.path()).0;
    until_state(&gun.handle, |state| state.fault.is_none()).await;
    gun.listened_to().await;
    gun.says(&[CASES[1], &piece(2), "DONE"]);
    until_state(&gun.handle, |state| state.counts.scans == 2).await;
    let events = signed(&gun.site, gun.handle, gun.shutdown).await;
    let children: Vec<_> = events.iter().map(|event| &event["childEPCs"]).collect();
    assert_eq!(children, [&named(&[1]), &named(&[2])]);
}

#[tokio::test]
async fn a_recipe_is_mixed_with_a_scanner_that_types() {
    let recipe = rule(
        "recipe",
        "step = \"commissioning\"\nclose = \"DONE\"\n\
         inputs = [{ item = \"(01)09521001000017\", quantity = 25, uom = \"KGM\" }]\n\
         outputs = [{ item = \"(01)09521001000031\", quantity = 120, uom = \"KGM\" }]",
    );
    let mut gun = Recording::new(&recipe).await;
    gun.types(&[
        "010952100100001710L1",
        "010952100100001710L1",
        "010952100100002410X1",
        "DONE",
        "010952100100003110M1",
        "DONE",
    ]);
    let (handle, shutdown) = gun.site.start().await;
    let mixed = until_state(&handle, |state| state.counts.scans == 1).await;
    assert_eq!((mixed.open_codes, mixed.counts.rejected), (0, 2));
    let events = signed(&gun.site, handle, shutdown).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["type"], "TransformationEvent");
    let of = |class: &str, quantity: u32| {
        let class = format!("https://id.gs1.org/01/{class}");
        json!([{ "epcClass": class, "quantity": quantity, "uom": "KGM" }])
    };
    assert_eq!(
        events[0]["inputQuantityList"],
        of("09521001000017/10/L1", 50)
    );
    assert_eq!(
        events[0]["outputQuantityList"],
        of("09521001000031/10/M1", 120)
    );
    let rejects = gun.rejects();
    assert_eq!(
        (rejects[0].0, &*rejects[0].1),
        (3, "is neither input nor output of the recipe")
    );
    assert_eq!(
        (rejects[1].0, &*rejects[1].1),
        (4, "the output (01)09521001000031 was not scanned")
    );
}

#[tokio::test]
async fn an_order_comes_before_the_goods_and_commands_choose_the_rule() {
    let order = "transaction = \"po\"\ntransaction_required = true\n\
                 transaction_gln = \"9521001000024\"\ntransaction_prefix = \"PO-\"";
    let rules = [
        rule("scan", &format!("step = \"storing\"\n{order}")),
        rule("pack", &format!("{PACK}\nselect = \"PACK\"\n{order}")),
        rule(
            "unpack",
            "step = \"storing\"\nselect = \"UNPACK\"\nclose = \"DONE\"",
        ),
    ];
    let mut gun = Recording::new(&rules.concat()).await;
    let (one, two) = (piece(1), piece(2));
    gun.types(&[&one, "PO-4711", &one]);
    gun.types(&["PACK", "PO-4712", CASES[0], &two, "UNPACK", "DONE"]);
    gun.types(&["UNPACK", CASES[0], "DONE"]);
    let (handle, shutdown) = gun.site.start().await;
    until_state(&handle, |state| state.counts.scans == 3).await;
    let events = signed(&gun.site, handle, shutdown).await;
    let told = |event: &Value| [event["type"].clone(), event["action"].clone()];
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>(),
        [
            ["ObjectEvent", "OBSERVE"],
            ["AggregationEvent", "ADD"],
            ["AggregationEvent", "DELETE"],
        ]
    );
    let order = |event: &Value| event["bizTransactionList"][0]["bizTransaction"].clone();
    let number = |number: u32| format!("urn:epcglobal:cbv:bt:9521001000024:{number}");
    assert_eq!(order(&events[0]), number(4711));
    assert_eq!(order(&events[1]), number(4712));
    assert_eq!(events[2].get("bizTransactionList"), None);
    let reasons: Vec<_> = gun
        .rejects()
        .into_iter()
        .map(|one| (one.0, one.1))
        .collect();
    assert_eq!(
        reasons,
        [
            (1, "no order was scanned before it".to_owned()),
            (8, "pack 2 is open: close or cancel it first".to_owned()),
        ]
    );
}

#[tokio::test]
async fn a_half_packed_case_is_packed_to_its_end_after_restarts() {
    let mut gun = Recording::new(&rule("pack", PACK)).await;
    let pieces: Vec<String> = (1..=4).map(piece).collect();
    gun.types(&[CASES[0], &pieces[0]]);
    let (handle, shutdown) = gun.site.start().await;
    until_state(&handle, |state| state.open_codes == 2).await;
    stop(handle, shutdown).await;
    // The codes are on the desk again before anything is scanned.
    let (handle, shutdown) = gun.site.start().await;
    until_state(&handle, |state| state.open_codes == 2).await;
    gun.types(&[&pieces[1]]);
    until_state(&handle, |state| state.open_codes == 3).await;
    stop(handle, shutdown).await;
    gun.types(&[&pieces[2], "DONE", CASES[1], &pieces[3]]);
    let (handle, shutdown) = gun.site.start().await;
    until_state(&handle, |state| state.counts.scans == 1).await;
    until_state(&handle, |state| state.open_codes == 2).await;
    stop(handle, shutdown).await;
    // Its time passes while the agent does not run.
    gun.site.clock.advance(60);
    let (handle, shutdown) = gun.site.start().await;
    until_state(&handle, |state| state.counts.scans == 1).await;
    let events = signed(&gun.site, handle, shutdown).await;
    let children: Vec<_> = events.iter().map(|event| &event["childEPCs"]).collect();
    assert_eq!(children, [&named(&[1, 2, 3]), &named(&[4])]);
    assert_eq!(gun.rejects(), []);
}

#[tokio::test]
async fn a_case_times_out_by_the_clock_that_there_is_after_a_restart_and_after_it_was_set_back() {
    let mut gun = Recording::new(&rule("pack", PACK)).await;
    gun.types(&[CASES[0], &piece(1)]);
    let (handle, shutdown) = gun.site.start().await;
    until_state(&handle, |state| state.open_codes == 2).await;
    stop(handle, shutdown).await;
    // The device starts without a clock, and nobody scans.
    gun.site.clock.set(40);
    let (handle, shutdown) = gun.site.start().await;
    until_state(&handle, |state| state.open_codes == 2).await;
    gun.site.clock.advance(60);
    until_state(&handle, |state| state.counts.scans == 1).await;
    stop(handle, shutdown).await;
    gun.site.clock.set(START + 1_000);
    gun.types(&[CASES[1], &piece(2)]);
    let (handle, shutdown) = gun.site.start().await;
    until_state(&handle, |state| state.open_codes == 2).await;
    // It is set back, and goes on from there once the agent has looked at it: when, is the agent's matter.
    let packed = async {
        while states(&handle)[0].counts.scans == 0 {
            for seconds in [START + 500, START + 570] {
                gun.site.clock.set(seconds);
                tokio::task::yield_now().await;
            }
        }
    };
    let packed = tokio::time::timeout(DEADLINE, packed).await;
    assert!(packed.is_ok(), "{:#?}", states(&handle));
    let events = signed(&gun.site, handle, shutdown).await;
    let children: Vec<_> = events.iter().map(|event| &event["childEPCs"]).collect();
    assert_eq!(children, [&named(&[1]), &named(&[2])]);
}

#[tokio::test]
async fn codes_of_a_file_that_could_not_be_handed_over_are_taken_once() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    site.add_scan();
    let pack = rule("pack", PACK).replace("\"gun\"", &format!("{:?}", site.scans()));
    site.sources += &pack;
    // Where the rejects file should be there is a folder: the bad code cannot be put aside.
    let blocked = site.folder.path().join("scans.jsonl.rejects");
    std::fs::create_dir(&blocked).expect("folder");
    site.append(&[CASES[0], &piece(1), "9521001000018"]);
    let (handle, shutdown) = site.start().await;
    let stuck = until_state(&handle, |state| state.fault.is_some()).await;
    assert_eq!((stuck.open_codes, stuck.counts.rejected), (0, 0));
    std::fs::remove_dir(&blocked).expect("removed");
    let well = until_state(&handle, |state| state.fault.is_none()).await;
    assert_eq!((well.open_codes, well.counts.rejected), (2, 1));
    site.append(&["DONE"]);
    let events = signed(&site, handle, shutdown).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["childEPCs"], named(&[1]));
}

#[tokio::test]
async fn what_waits_when_the_rules_go_is_shown_and_forgotten() {
    let mut gun = Recording::new(&rule("pack", PACK)).await;
    gun.types(&[CASES[0], &piece(1)]);
    let (handle, shutdown) = gun.site.start().await;
    until_state(&handle, |state| state.open_codes == 2).await;
    stop(handle, shutdown).await;
    let with_rules = std::mem::replace(
        &mut gun.site.sources,
        evdev(&gun.path, "step = \"storing\"\n"),
    );
    gun.types(&[&piece(2)]);
    let (handle, shutdown) = gun.site.start().await;
    let state = until_state(&handle, |state| state.counts.scans == 1).await;
    assert_eq!((state.open_codes, state.counts.rejected), (0, 2));
    stop(handle, shutdown).await;
    let rejects = gun.rejects();
    assert!(
        rejects
            .iter()
            .all(|one| one.1.starts_with("the rules have changed: ")),
        "{rejects:?}"
    );
    let texts: Vec<_> = rejects.iter().map(|one| one.2.clone()).collect();
    assert_eq!(texts, [CASES[0].to_owned(), piece(1)]);
    gun.site.sources = with_rules;
    gun.types(&[CASES[1]]);
    let (handle, shutdown) = gun.site.start().await;
    until_state(&handle, |state| state.open_codes == 1).await;
    let events = signed(&gun.site, handle, shutdown).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["epcList"], named(&[2]));
}

#[tokio::test]
async fn whoever_asks_gets_what_was_scanned_and_what_has_timed_out() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    let pipe = site.folder.path().join("keys");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    site.sources = evdev(&pipe, &rule("pack", PACK));
    let (handle, shutdown) = site.start().await;
    for (case, serial) in CASES.iter().zip(1..) {
        let codes = [typed(case, 9), typed(&piece(serial), 9)].concat();
        let path = pipe.clone();
        tokio::task::spawn_blocking(move || std::fs::write(path, codes))
            .await
            .expect("task")
            .expect("written");
        handle.flush().await.expect("flush");
        assert_eq!(states(&handle)[0].open_codes, 2);
        site.clock.advance(60);
        handle.settle().await;
        assert_eq!(handle.snapshot().events_made, u64::from(serial));
    }
    stop(handle, shutdown).await;
}

#[tokio::test]
async fn a_step_of_a_scanners_rule_that_the_record_forbids_is_refused_at_the_start() {
    let gun = Recording::new(&rule("pack", &PACK.replace("packing", "receiving"))).await;
    let shutdown = CancellationToken::new();
    let run = edge_agent::run(gun.site.config(), gun.site.clock.clone(), shutdown);
    match tokio::time::timeout(DEADLINE, run).await {
        Ok(Err(RunError::RuleNotAllowed { rule, what })) => {
            assert_eq!((&*rule, &*what), ("pack 1", "the step receiving"));
        }
        other => panic!("{:?}", other.map(|run| run.map(drop))),
    }
    let machine = Arc::new(ThisMachine::default());
    let report = edge_agent::doctor::examine(&gun.site.config(), machine).await;
    let text = report.text();
    assert!(
        text.contains("does not allow the step receiving of the rule \"pack 1\""),
        "{text}"
    );
}
