//! The dry run: what a configuration makes of lines and readings, nothing kept, nothing touched.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use edge_agent::preview::{PreviewError, Shown, preview};
use edge_agent::{Config, SystemClock};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::modbus::{self, Registers};
use crate::world::{PLACE, SENSOR};

const DEADLINE: Duration = Duration::from_secs(30);

fn event(shown: &Shown) -> Option<&Value> {
    match shown {
        Shown::Event { event, .. } => Some(event),
        _ => None,
    }
}

/// What is shown of codes or lines that are given.
async fn previewed(config: Config, input: &str) -> Vec<Shown> {
    let mut shown = Vec::new();
    let mut show = |one: Shown| shown.push(one);
    let input = std::io::Cursor::new(input.to_owned());
    let shutdown = CancellationToken::new();
    let run = preview(
        config,
        Arc::new(SystemClock),
        Some(input),
        shutdown,
        &mut show,
    );
    let run = tokio::time::timeout(DEADLINE, run).await;
    run.expect("in time").expect("previewed");
    shown
}

#[tokio::test]
async fn lines_given_to_the_preview_become_the_events_of_the_rules() {
    let folder = tempfile::tempdir().expect("folder");
    let lines = folder.path().join("lines");
    std::fs::write(&lines, "(00)095210010000000017\n").expect("written");
    let text = format!(
        "state = \"{0}/state\"\n[[source]]\ntype = \"scan\"\npath = \"{0}/lines\"\n\
         place = \"{PLACE}\"\npoll_ms = 5\n\
         [[rule]]\ntype = \"pack\"\nsource = \"{0}/lines\"\nstep = \"packing\"\ncount = 2\n",
        folder.path().display()
    );
    let config = Config::parse("a.toml", &text).expect("config");
    let input = "(00)095210010000000024\n(01)09521001000017(21)A\nnonsense\n\
         {\"step\":\"storing\",\"items\":[\"(01)09521001000017(21)Z\"]}\n\
         (01)09521001000017(21)B";
    let shown = previewed(config, input).await;
    let events: Vec<&Value> = shown.iter().filter_map(event).collect();
    assert_eq!(events.len(), 2, "{shown:?}");
    assert_eq!(events[0]["bizStep"], "storing");
    assert_eq!(
        events[1]["parentID"],
        "https://id.gs1.org/00/095210010000000024"
    );
    assert_eq!(events[1]["childEPCs"].as_array().map(Vec::len), Some(2));
    assert!(
        shown[1]
            .text()
            .contains("AggregationEvent packing (source: scan)")
    );
    // Neither state nor rejects, and the file as it was.
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    assert_eq!(names, ["lines"]);
}

#[tokio::test]
async fn codes_given_to_the_preview_stand_for_those_of_a_scanner() {
    let folder = tempfile::tempdir().expect("folder");
    let source = |name: &str| {
        format!(
            "[[source]]\ntype = \"serial\"\nname = \"{name}\"\nport = \"/dev/nothing-{name}\"\n\
             place = \"{PLACE}\"\nseparator = \"|\"\n\
             [[rule]]\ntype = \"pack\"\nsource = \"{name}\"\nstep = \"packing\"\nclose = \"DONE\"\n"
        )
    };
    let text = format!(
        "state = \"{}/state\"\n{}{}",
        folder.path().display(),
        source("one"),
        source("two")
    );
    let config = Config::parse("a.toml", &text).expect("config");
    // A lot is counted by its scans, and the input's codes have no time between them.
    let lot = "010952100100001710L1|17271231";
    let input = format!("]C100095210010000000024\n{lot}\n{lot}\n9521001000018\nDONE");
    let shown = previewed(config, &input).await;
    let events: Vec<&Value> = shown.iter().filter_map(event).collect();
    assert_eq!(events.len(), 1, "{shown:?}");
    assert_eq!(events[0]["childQuantityList"][0]["quantity"], 2);
    let not_read: Vec<String> = shown
        .iter()
        .filter(|one| matches!(one, Shown::NotRead { .. }))
        .map(Shown::text)
        .collect();
    assert_eq!(not_read.len(), 1, "{shown:?}");
    assert!(
        not_read[0].starts_with("/dev/nothing-two") && not_read[0].contains("--stdin"),
        "{not_read:?}"
    );
    assert!(!folder.path().join("state").exists());
}

#[tokio::test]
async fn live_readings_and_new_lines_are_shown_until_the_end() {
    let folder = tempfile::tempdir().expect("folder");
    let registers = Registers::default();
    registers.set(0, &[90]);
    let (address, server) = modbus::serve(registers, "127.0.0.1:0".parse().expect("address")).await;
    let lines = folder.path().join("lines");
    let storing = |serial: u8| {
        format!("{{\"step\":\"storing\",\"items\":[\"(01)09521001000017(21)S{serial}\"]}}\n")
    };
    std::fs::write(&lines, storing(1)).expect("written");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    let source = |path: &std::path::Path| {
        format!(
            "[[source]]\ntype = \"scan\"\npath = \"{}\"\nplace = \"{PLACE}\"\npoll_ms = 5\n",
            path.display()
        )
    };
    let text = format!(
        "state = \"{}/state\"\n[[source]]\ntype = \"modbus\"\naddress = \"{address}\"\n\
         register = 0\nkind = \"u16\"\nscale = 0.1\ninterval_s = 0.05\nsensor = \"{SENSOR}\"\n\
         measurement = \"Temperature\"\nuom = \"CEL\"\nplace = \"{PLACE}\"\n\
         readings_per_event = 2\n{}{}",
        folder.path().display(),
        source(&lines),
        source(&pipe)
    );
    let config = Config::parse("a.toml", &text).expect("config");
    let shutdown = CancellationToken::new();
    let (sent, mut shown) = tokio::sync::mpsc::unbounded_channel();
    let ends = shutdown.clone();
    let running = tokio::spawn(async move {
        let mut show = |one: Shown| drop(sent.send(one));
        let nothing: Option<std::io::Empty> = None;
        preview(config, Arc::new(SystemClock), nothing, ends, &mut show).await
    });
    let first = tokio::time::timeout(DEADLINE, shown.recv())
        .await
        .expect("in time");
    assert!(matches!(first, Some(Shown::NotRead { .. })), "{first:?}");
    let first = tokio::time::timeout(DEADLINE, shown.recv())
        .await
        .expect("in time");
    let first = first.expect("running");
    let reading = event(&first).expect("an event");
    let reports = &reading["sensorElementList"][0]["sensorReport"];
    assert_eq!(
        (&reports[0]["value"], reports.as_array().map(Vec::len)),
        (&9.0.into(), Some(2))
    );
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&lines)
        .expect("file");
    file.write_all(storing(2).as_bytes()).expect("written");
    let stored = async {
        loop {
            let one = shown.recv().await.expect("running");
            if let Some(event) = event(&one).filter(|event| event["bizStep"] == "storing") {
                return event["epcList"][0].clone();
            }
        }
    };
    let stored = tokio::time::timeout(DEADLINE, stored)
        .await
        .expect("in time");
    // The line of before has been said by the agent.
    assert_eq!(stored, "https://id.gs1.org/01/09521001000017/21/S2");
    shutdown.cancel();
    let ended = tokio::time::timeout(DEADLINE, running)
        .await
        .expect("in time");
    ended.expect("task").expect("previewed");
    server.abort();
    assert!(!folder.path().join("state").exists());
}

#[tokio::test]
async fn lines_without_a_source_for_them_are_refused() {
    let config = Config::parse("a.toml", "state = \"/nowhere\"\n").expect("config");
    let input: Option<Box<dyn Read + Send>> = Some(Box::new("x\n".as_bytes()));
    let mut show = |_| {};
    let run = preview(
        config,
        Arc::new(SystemClock),
        input,
        CancellationToken::new(),
        &mut show,
    );
    assert!(matches!(run.await, Err(PreviewError::NoLines)));
}
