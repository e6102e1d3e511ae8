//! The built program under kill -9.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::broker::{Broker, Faults};
use crate::platform::Platform;
use crate::world::{PLACE, World};

const DEADLINE: Duration = Duration::from_secs(60);

fn program(config: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_edge-agent"))
        .args(["run", "--config"])
        .arg(config)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("started")
}

fn append(path: &Path, serials: std::ops::Range<u32>) {
    let mut lines = String::new();
    for serial in serials {
        writeln!(
            lines,
            r#"{{"step":"storing","items":["(01)09521001000017(21)S{serial}"]}}"#
        )
        .expect("written");
    }
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .expect("file");
    file.write_all(lines.as_bytes()).expect("written");
}

async fn until(broker: &Broker, what: &str, holds: impl Fn(&Platform) -> bool) {
    let waiting = async {
        while !broker.with(|shared| holds(&shared.platform)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting)
        .await
        .unwrap_or_else(|_| panic!("too late: {what}"));
}

fn events(platform: &Platform) -> usize {
    platform
        .messages
        .values()
        .map(|message| message.events.len())
        .sum()
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_by_kill_9_in_the_middle_of_a_run() {
    let folder = tempfile::tempdir().expect("folder");
    let state = folder.path().join("state");
    let device = edge_agent::identity::load_or_make(&state, Default::default()).expect("key");
    let faults = Faults {
        cut_every: Some(50),
        lose: 2,
        withhold: 2,
        ..Faults::default()
    };
    let broker = Broker::start(Platform::new(World::new(), device.public()), faults).await;
    broker.with(|shared| shared.platform.world.enrol(&state, &broker.url()));
    let (scans, config) = (
        folder.path().join("scans.jsonl"),
        folder.path().join("agent.toml"),
    );
    let text = format!(
        "state = \"{}\"\n[uplink]\nback_off_min_ms = 5\nback_off_max_ms = 50\n\
         receipt_timeout_ms = 500\n[[source]]\ntype = \"scan\"\npath = \"{}\"\n\
         place = \"{PLACE}\"\npoll_ms = 1\n",
        state.display(),
        scans.display()
    );
    std::fs::write(&config, text).expect("written");
    const ROUNDS: u32 = 8;
    const LINES: u32 = 400;
    for round in 0..ROUNDS {
        let mut child = program(&config);
        append(&scans, round * LINES..(round + 1) * LINES);
        // Killed while it is busy: a different part of the lines is through each time.
        let through = (round * LINES + 40 * (round + 1)) as usize;
        until(&broker, "some are through", |platform| {
            events(platform) >= through
        })
        .await;
        child.kill().await.expect("killed");
    }
    let mut child = program(&config);
    let all = (ROUNDS * LINES) as usize;
    until(&broker, "all are through", |platform| {
        events(platform) >= all
    })
    .await;
    child.kill().await.expect("killed");
    broker.with(|shared| {
        shared.platform.check_chain();
        let found: Vec<String> = shared
            .platform
            .events()
            .iter()
            .map(|event| event["epcList"][0].as_str().expect("item").to_owned())
            .collect();
        let made: Vec<String> = (0..ROUNDS * LINES)
            .map(|serial| format!("https://id.gs1.org/01/09521001000017/21/S{serial}"))
            .collect();
        assert_eq!(found, made);
    });
}
