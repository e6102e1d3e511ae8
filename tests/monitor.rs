//! `platform monitor` against a real platform, and against one that lies.

mod honest;
mod lies;
mod proxy;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use platform::monitor::own::Own;
use platform::monitor::trust::Trust;
use platform::monitor::{AT_ONCE, Code, Monitor, MonitorConfig, Round};
use schemas::hash::Hash;
use schemas::log::{Entry, entry_hash};
use schemas::note::{Checkpoint, Note};
use schemas::time::Clock;
use schemas::tlog::LogTree;

use crate::world::World;
use crate::world::people::key_of;
use crate::world::served::READER_TOKEN;
use crate::world::witnesses::NAMES;

/// A monitor of the world's log as it is served at `url`.
fn config(world: &World, url: &str, state: &Path) -> MonitorConfig {
    MonitorConfig {
        log: url.to_owned(),
        ca: None,
        trust: Trust::Policy(Box::new(world.policy.clone())),
        state: state.to_owned(),
        own: own(&["qinghe/line-1"]),
        organisations: Some(BTreeSet::from(["qinghe".parse().unwrap()])),
        token: Some(READER_TOKEN.to_owned()),
        witnesses: Vec::new(),
        stale: Duration::from_secs(86_400),
        at_once: AT_ONCE,
    }
}

/// Devices with the keys that they really have.
fn own(devices: &[&str]) -> Own {
    let line = |device: &&str| format!("{device}={}\n", key_of(device).kid());
    Own::parse(&devices.iter().map(line).collect::<String>()).unwrap()
}

fn open(world: &World, config: MonitorConfig) -> Monitor {
    Monitor::open(config, Arc::clone(&world.clock) as Arc<dyn Clock>).unwrap()
}

fn codes(round: &Round) -> Vec<Code> {
    round
        .alarms
        .iter()
        .map(|raised| raised.alarm.code)
        .collect()
}

/// The log's entries, and a second history of the same log key from `keep` entries on.
async fn histories(world: &World, keep: usize, other: usize) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    use platform::store::LogStore as _;
    let honest = world.store.entries(0, 1_000).await.unwrap();
    let mut forked: Vec<Vec<u8>> = honest.iter().take(keep).cloned().collect();
    for n in 0..other {
        let entry = Entry::Document {
            kind: "another history".into(),
            hash: Hash([u8::try_from(n).unwrap(); 32]),
            time: world.clock.now(),
        };
        forked.push(entry.encode());
    }
    (honest, forked)
}

/// A checkpoint over these entries, signed by the log and by the first `count` witnesses, who lie.
fn checkpoint(world: &World, entries: &[Vec<u8>], count: usize) -> Note {
    let mut tree = LogTree::new();
    for entry in entries {
        tree.push(entry_hash(entry)).unwrap();
    }
    let size = tree.size();
    let checkpoint = Checkpoint {
        origin: world.policy.origin.clone(),
        size,
        root: tree.root(size).unwrap(),
    };
    let mut note = Note::sign(checkpoint, &key_of(world.policy.origin.as_str()));
    for name in NAMES.iter().take(count) {
        let line = note.cosign(name, &key_of(name), world.clock.now());
        note.lines.push(line);
    }
    note
}

fn bundle(entries: &[Vec<u8>]) -> Vec<u8> {
    entries
        .iter()
        .flat_map(|entry| platform::monitor::core::framed(entry))
        .collect()
}
