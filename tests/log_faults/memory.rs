//! A witness under faults: every call of the file system that its memory makes fails in turn, or the
//! process or the power ends there. It never forgets what it has signed.

use std::path::Path;
use std::sync::Arc;

use platform::witness::{WitnessConfig, run_on};
use schemas::b64;
use schemas::ids::Origin;
use schemas::log::entry_hash;
use schemas::note::{Checkpoint, Note};
use schemas::tlog::LogTree;
use tokio_util::sync::CancellationToken;

use super::disk::{Disk, Left};
use super::plan::{Calls, Fault, Plan};
use crate::world::clock::HandClock;
use crate::world::people::key_of;

const ORIGIN: &str = "log.example.org/memory";

fn tree(entries: u64) -> LogTree {
    let mut tree = LogTree::new();
    for entry in 0..entries {
        tree.push(entry_hash(&entry.to_be_bytes())).unwrap();
    }
    tree
}

/// What a log asks that wants this size cosigned as the successor of another.
fn request(tree: &LogTree, old: u64, size: u64) -> String {
    let origin: Origin = ORIGIN.parse().unwrap();
    let root = tree.root(size).unwrap();
    let checkpoint = Checkpoint { origin, size, root };
    let note = String::from_utf8(Note::sign(checkpoint, &key_of(ORIGIN)).encode()).unwrap();
    let proof = tree.consistency(old, size).unwrap_or_default();
    let line = |hash: &schemas::hash::Hash| format!("{}\n", b64::encode(&hash.0));
    let proof: String = proof.iter().map(line).collect();
    format!("old {old}\n{proof}\n{note}")
}

/// One life of the witness.
#[derive(Debug, Default)]
struct Life {
    /// Size that it knew in the beginning.
    knew: u64,
    /// Sizes that it signed while it lived.
    signed: Vec<u64>,
}

/// Asks for sizes, each again; `None` as the size is the one that it knows.
async fn life(folder: &Path, disk: Disk, plan: &Plan, sizes: &[Option<u64>]) -> Option<Life> {
    let ends = CancellationToken::new();
    let config = WitnessConfig {
        name: "w1.example".into(),
        key: key_of("w1.example"),
        logs: vec![(ORIGIN.parse().unwrap(), key_of(ORIGIN).public())],
        file: folder.join("w/memory.json"),
        listen: ([127, 0, 0, 1], 0).into(),
        tls: None,
    };
    let clock = Arc::new(HandClock::morning());
    let served = run_on(config, Arc::new(disk), clock, ends.clone());
    let served = served.await.ok()?;
    let mut asker = Asker {
        url: served.url(),
        http: reqwest::Client::new(),
        tree: tree(8),
        old: 0,
    };
    let knew = asker.knows().await;
    let mut life = Life {
        knew,
        signed: Vec::new(),
    };
    for size in sizes.iter().map(|size| size.unwrap_or(knew)) {
        let signed = size > 0 && asker.ask(size).await;
        // What a process says that has ended, nobody hears.
        if plan.killed.is_cancelled() {
            break;
        }
        if signed {
            life.signed.push(size);
        }
    }
    ends.cancel();
    served.task.await.unwrap().unwrap();
    Some(life)
}

/// The log, as the witness hears it.
struct Asker {
    url: String,
    http: reqwest::Client,
    tree: LogTree,
    old: u64,
}

impl Asker {
    /// What the witness says that it has cosigned.
    async fn knows(&self) -> u64 {
        let answer = self.http.get(&self.url).send().await.unwrap();
        let text = answer.text().await.unwrap();
        let sizes = text.lines().filter_map(|line| {
            let (size, root) = line.strip_prefix(ORIGIN)?.trim().split_once(' ')?;
            let size = size.parse().unwrap();
            let known = b64::encode(&self.tree.root(size).unwrap().0);
            assert_eq!(root, known, "it knows another history");
            Some(size)
        });
        sizes.max().unwrap_or(0)
    }

    /// Whether it cosigns a size; asks once more with the size that it names.
    async fn ask(&mut self, size: u64) -> bool {
        for _ in 0..2 {
            let body = request(&self.tree, self.old, size);
            let url = format!("{}/add-checkpoint", self.url);
            let answer = self.http.post(url).body(body).send().await.unwrap();
            let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
            match status {
                200 => self.old = size,
                409 => self.old = text.trim().parse().unwrap(),
                500 => return false,
                other => panic!("{other} {text}"),
            }
            if status == 200 {
                return true;
            }
            if self.old > size {
                return false;
            }
        }
        false
    }
}

async fn every_call(fault: Fault, left: Left) {
    platform::tls::install_provider();
    let sizes = [3, 3, 5, 5, 8, 8].map(Some);
    for at in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let plan = Arc::new(Plan::new(Calls::Files, at, fault));
        let disk = Disk::at(folder.path().to_owned(), Arc::clone(&plan), Arc::default());
        let first = life(folder.path(), disk.with(Arc::clone(&plan)), &plan, &sizes).await;
        let Some(call) = plan.met() else {
            assert_eq!(first.unwrap().signed, [3, 3, 5, 5, 8, 8]);
            assert!(at > 15, "only {at} calls");
            return;
        };
        println!("call {at} ({call}): {fault:?}, {left:?}: {first:?}");
        disk.fails(left);
        let mut most = first
            .into_iter()
            .flat_map(|life| life.signed)
            .max()
            .unwrap_or(0);
        // The next one signs again what it knows, and the power fails; the third knows it still.
        for _ in 0..2 {
            let healthy = Arc::new(Plan::none());
            let handle = disk.with(Arc::clone(&healthy));
            let next = life(folder.path(), handle, &healthy, &[None])
                .await
                .unwrap();
            assert!(next.knew >= most, "signed {most}, knows {}", next.knew);
            most = next.signed.into_iter().max().unwrap_or(most);
            disk.fails(Left::Synced);
        }
    }
}

macro_rules! matrix {
    ($($name:ident: $fault:ident $left:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            every_call(Fault::$fault, Left::$left).await;
        }
    )*};
}

matrix! {
    memory_call_fails: Before Everything;
    memory_call_fails_after_it_was_done: After Everything;
    killed_in_a_memory_call: KillBefore Everything;
    killed_after_a_memory_call: KillAfter Everything;
    power_fails_in_a_memory_call: KillBefore Synced;
    power_fails_after_a_memory_call: KillAfter Synced;
}
