//! A scanner that types, one on a serial line, and what comes of their codes.

use std::io::Write;
use std::path::{Path, PathBuf};

use edge_agent::{Handle, SystemClock, source};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::broker::Faults;
use crate::scanners::typed;
use crate::site::{DEADLINE, Site, stop, taken_over};
use crate::sources::{serial_line, states, until_state};
use crate::world::{PLACE, World};

pub(super) const CASES: [&str; 3] = [
    "00095210010000000017",
    "00095210010000000024",
    "00095210010000000031",
];

pub(super) fn piece(serial: u32) -> String {
    format!("010952100100001721S{serial}")
}

pub(super) fn named(serials: &[u32]) -> Value {
    let name = |serial: &u32| format!("https://id.gs1.org/01/09521001000017/21/S{serial}");
    json!(serials.iter().map(name).collect::<Vec<_>>())
}

/// A rule of the source `gun`.
pub(super) fn rule(kind: &str, fields: &str) -> String {
    format!("[[rule]]\ntype = \"{kind}\"\nsource = \"gun\"\n{fields}\n")
}

pub(super) const PACK: &str =
    "step = \"packing\"\nclose = \"DONE\"\ncancel = \"CANCEL\"\ntimeout_s = 60";

/// A scanner that types, read from a file of what it typed.
pub(super) struct Recording {
    pub(super) site: Site,
    pub(super) path: PathBuf,
    pub(super) seconds: usize,
}

impl Recording {
    pub(super) async fn new(rules: &str) -> Self {
        let mut site = Site::new(World::new(), Faults::default()).await;
        let path = site.folder.path().join("keys.bin");
        std::fs::write(&path, b"").expect("written");
        site.sources = evdev(&path, rules);
        let seconds = 1_795_000_000;
        Self {
            site,
            path,
            seconds,
        }
    }

    /// Types codes, five seconds after each other by the scanner's own clock.
    pub(super) fn types(&mut self, codes: &[&str]) {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&self.path)
            .expect("recording");
        for code in codes {
            file.write_all(&typed(code, self.seconds)).expect("typed");
            self.seconds += 5;
        }
    }

    pub(super) fn rejects(&self) -> Vec<(u64, String, String)> {
        rejects(&self.site, "keys.bin")
    }
}

pub(super) fn evdev(path: &Path, rules: &str) -> String {
    format!(
        "[[source]]\ntype = \"evdev\"\nname = \"gun\"\npath = \"{}\"\nplace = \"{PLACE}\"\n{rules}",
        path.display()
    )
}

/// Count, reason and text of each rejected code.
pub(super) fn rejects(site: &Site, scanner: &str) -> Vec<(u64, String, String)> {
    let path = format!("state/rejects/{scanner}.jsonl");
    let text = std::fs::read_to_string(site.folder.path().join(path)).unwrap_or_default();
    let one = |line: &str| {
        let reject: Value = serde_json::from_str(line).expect("json");
        let word = |name: &str| reject[name].as_str().expect(name).to_owned();
        let line = reject["line"].as_u64().expect("line");
        (line, word("reason"), word("text"))
    };
    text.lines().map(one).collect()
}

/// What the platform has at the end.
pub(super) async fn signed(site: &Site, handle: Handle, shutdown: CancellationToken) -> Vec<Value> {
    handle.flush().await.expect("flush");
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    site.broker.with(|shared| {
        shared.platform.check_chain();
        shared.platform.events()
    })
}

/// A scanner on a serial line, and what plays it.
pub(super) struct Gun {
    pub(super) site: Site,
    pub(super) line: crate::programs::Program,
    pub(super) far: String,
    pub(super) handle: Handle,
    pub(super) shutdown: CancellationToken,
}

impl Gun {
    pub(super) async fn new(rules: &str) -> Self {
        let mut site = Site::new(World::new(), Faults::default()).await;
        let (line, near, far) = serial_line(site.folder.path());
        site.sources = format!(
            "[[source]]\ntype = \"serial\"\nname = \"gun\"\nport = \"{near}\"\nbaud = 115200\n\
             place = \"{PLACE}\"\nrepeat_ms = 60000\n{rules}"
        );
        let (handle, shutdown) = site.start().await;
        let gun = Self {
            site,
            line,
            far,
            handle,
            shutdown,
        };
        gun.listened_to().await;
        gun
    }

    /// Opening throws away what was sent before: the scanner speaks when it is listened to.
    pub(super) async fn listened_to(&self) {
        let config = self.site.config();
        let waiting = async {
            while source::probe(&config.sources[0], &SystemClock)
                .await
                .is_ok()
            {
                tokio::task::yield_now().await;
            }
        };
        let waiting = tokio::time::timeout(DEADLINE, waiting).await;
        assert!(waiting.is_ok(), "{:#?}", states(&self.handle));
    }

    pub(super) fn says(&self, codes: &[&str]) {
        let mut scanner = std::fs::OpenOptions::new()
            .write(true)
            .open(&self.far)
            .expect("far end");
        let text: String = codes.iter().map(|code| format!("{code}\r\n")).collect();
        scanner.write_all(text.as_bytes()).expect("sent");
    }

    pub(super) async fn open_codes(&self, count: u64) {
        until_state(&self.handle, |state| state.open_codes == count).await;
    }
}
