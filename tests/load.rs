//! Load and measurement as programs: a real stack of processes, a small load, nothing lost, every
//! figure there.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use simulators::parts::Part;

use crate::kill::process::{Ended, Process};

/// How long a small load may take on a busy machine, with the start of everything.
const PATIENCE: Duration = Duration::from_secs(240);

async fn run(program: &str, arguments: &[&str]) -> Result<Ended> {
    let logs = tempfile::tempdir()?;
    Process::start(logs.path(), program, program, arguments)?
        .ended(PATIENCE)
        .await
}

fn json(ended: &Ended) -> Result<Value> {
    serde_json::from_str(&ended.out).with_context(|| format!("{ended:?}"))
}

/// 2 seconds of 200 events a second by 3 devices.
const SMALL: [&str; 10] = [
    "load",
    "--json",
    "--devices",
    "3",
    "--rate",
    "200",
    "--size",
    "16",
    "--seconds",
    "2",
];

fn lost_nothing(report: &Value) {
    for name in [
        "without_receipt",
        "without_inclusion",
        "refused_events",
        "sent_again",
    ] {
        assert_eq!(report[name], 0, "{name} of {report}");
    }
    assert_eq!(
        (&report["events"], &report["statements"]),
        (&400.into(), &25.into())
    );
    for way in ["to_receipt", "to_inclusion"] {
        let time = |name: &str| report[way][name].as_f64().unwrap();
        assert!(
            time("p50_ms") > 0.0 && time("p50_ms") <= time("max_ms"),
            "{report}"
        );
    }
}

#[tokio::test]
async fn a_load_on_an_embedded_stack_loses_nothing() {
    let ended = run("demo", &SMALL).await.unwrap();
    assert!(ended.success, "{ended:?}");
    lost_nothing(&json(&ended).unwrap());
}

#[tokio::test]
async fn a_load_without_a_way_to_enrol_is_refused_before_it_begins() {
    let arguments = [
        "load",
        "--platform",
        "http://load.example:80",
        "--seconds",
        "1",
    ];
    let ended = run("demo", &arguments).await.unwrap();
    let asks = ended.err.contains("--organisation");
    assert!(!ended.success && asks, "{ended:?}");
}

#[tokio::test]
async fn a_measurement_of_the_write_path_has_every_figure() {
    if Part::Postgres.skip() || Part::Mosquitto.skip() {
        return;
    }
    let ended = run("bench", &["ingest", "--json", "--events", "600"])
        .await
        .unwrap();
    assert!(ended.success, "{ended:?}");
    let measured = json(&ended).unwrap();
    let names = [
        "ratio_to_copy_1",
        "ratio_to_copy_8",
        "ratio_to_copy_64",
        "ratio_to_copy_256",
        "anchoring_cost_percent",
        "to_witnessed_p50_ms",
        "to_witnessed_p99_ms",
    ];
    for name in names {
        assert!(measured[name].is_number(), "{name} of {measured}");
    }
    // So few events may have been caught up before there was anything to measure.
    assert!(measured.get("catch_up_ratio").is_some(), "{measured}");
    let spent = &measured["cpu_us_per_event_64"];
    for process in ["platform", "postgres"] {
        assert!(
            spent[process].as_f64().unwrap() > 0.0,
            "{process} of {spent}"
        );
    }
    // So few events may cost their publisher less than one tick of the kernel's clock.
    assert!(spent["publisher"].is_number(), "{spent}");
}
