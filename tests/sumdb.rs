//! Go's own code for transparency logs (`tests/go/`, on Debian's packages) reads our log as the
//! platform serves it, and says of every proof what we say.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use schemas::b64;
use schemas::hash::{Hash, sha256};
use schemas::tlog::LogTree;
use schemas::tlog_policy::TlogPolicy;
use serde_json::{Value, json};

use crate::world::World;
use crate::world::events::{commissioned, inspected};

/// Entries enough for three tiles of the lowest level, the last of them partial.
const ENTRIES: u64 = 530;
/// Where Debian keeps the sources of Go packages.
const GOPATH: &str = "/usr/share/gocode";
/// The packages that the program is built on.
const SUMDB: &str = "src/golang.org/x/mod/sumdb";

/// The program, built; `None` where Go or its packages are missing, which is said. In CI that is a
/// failure.
fn program(folder: &Path) -> Option<PathBuf> {
    let has_go = Command::new("go").arg("version").output().is_ok();
    let has_sumdb = Path::new(GOPATH).join(SUMDB).is_dir();
    if !(has_go && has_sumdb) {
        let missing = "Debian's golang-go and golang-golang-x-mod-dev";
        assert!(std::env::var_os("CI").is_none(), "{missing} are needed");
        eprintln!("SKIPPED: {missing} are not installed");
        return None;
    }
    let file = folder.join("sumdb_check");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&file)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("go"))
        .env("GO111MODULE", "off")
        .env("GOPATH", GOPATH)
        .env("GOCACHE", folder.join("cache"))
        .env("GOFLAGS", "")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", text(&built.stderr));
    Some(file)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A log of some hundred entries, witnessed at several sizes.
async fn long_log() -> World {
    let mut world = World::with_line_1().await;
    world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;
    world.enrol("qinghe/line-2").await;
    let mut number = 0;
    while size(&world) < ENTRIES {
        for _ in 0..60 {
            number += 1;
            let hash = sha256(format!("document {number}").as_bytes());
            let recorded = world.notary.record_document("report", hash).await;
            assert_eq!(recorded.unwrap() + 1, size(&world));
        }
        world.clock.advance(Duration::from_secs(60));
        world.send("qinghe/line-2", &[inspected(number)]).await;
        world.anchor().await;
    }
    world
}

fn size(world: &World) -> u64 {
    world.notary.tree.read(LogTree::size)
}

/// Roots of all sizes, every entry's path in some sizes and consistency between them, as our own
/// tree makes them, and the paths of a bundle.
fn our_proofs(tree: &LogTree, bundle: &Value) -> Value {
    let total = tree.size();
    let mut sizes: Vec<u64> = (1..40).collect();
    sizes.extend([63, 64, 65, 255, 256, 257, 300, 511, 512, 513, total]);
    let hashes = |path: Vec<Hash>| path.iter().map(|hash| b64::encode(&hash.0)).collect();
    let path = |path: Option<Vec<Hash>>| -> Vec<String> { hashes(path.unwrap()) };
    let mut inclusion: Vec<Value> = Vec::new();
    let mut consistency: Vec<Value> = Vec::new();
    for &size in &sizes {
        for index in 0..size {
            let path = path(tree.inclusion(index, size));
            inclusion.push(json!({"index": index, "size": size, "path": path}));
        }
        for &old in sizes.iter().filter(|old| **old <= size) {
            let path = path(tree.consistency(old, size));
            consistency.push(json!({"old": old, "new": size, "path": path}));
        }
    }
    // One header at the only checkpoint, which is the newest.
    for row in [&bundle["policies"][0], &bundle["headers"][0]] {
        inclusion.push(json!({"index": row["index"], "size": total, "path": row["path"]}));
    }
    let root = |size| json!({"size": size, "root": b64::encode(&tree.root(size).unwrap().0)});
    let roots: Vec<Value> = (1..=total).map(root).collect();
    json!({"roots": roots, "inclusion": inclusion, "consistency": consistency})
}

/// The newest event's bundle, whose only checkpoint is the newest.
async fn newest_bundle(world: &mut World) -> Value {
    let id = world.send("qinghe/line-1", &[inspected(1)]).await.id();
    world.anchor().await;
    serde_json::from_slice(&world.bundle(&[id]).await).unwrap()
}

/// A reader with Go's code, its policy and our proofs.
struct Reader {
    program: PathBuf,
    folder: PathBuf,
}

impl Reader {
    fn run(&self, log: &str) -> Output {
        let mut command = Command::new(&self.program);
        command.arg(log).arg(self.folder.join("policy"));
        command.arg(self.folder.join("proofs.json"));
        command.output().unwrap()
    }

    fn refusal(&self, log: &Path) -> String {
        let output = self.run(log.to_str().unwrap());
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        text(&output.stderr)
    }
}

/// Checkpoint, inclusion of every entry and consistency of every two sizes, over HTTP and by files.
#[tokio::test(flavor = "multi_thread")]
async fn go_sumdb_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = program(folder.path()) else {
        return;
    };
    let mut world = long_log().await;
    let served = world.serve().await;
    let bundle = newest_bundle(&mut world).await;
    let total = size(&world);
    let file = |name: &str| folder.path().join(name);
    let policy = TlogPolicy::of(&world.policy, |_| None).encode();
    std::fs::write(file("policy"), policy).unwrap();
    let ours = world.notary.tree.read(|tree| our_proofs(tree, &bundle));
    std::fs::write(file("proofs.json"), ours.to_string()).unwrap();
    let proofs: usize = ["roots", "inclusion", "consistency"]
        .map(|name| ours[name].as_array().unwrap().len())
        .iter()
        .sum();
    let (address, log) = (
        format!("{}/log", served.url),
        world.folder().join("log").display().to_string(),
    );
    let reader = Reader {
        program,
        folder: folder.path().to_owned(),
    };
    let root = world.notary.tree.read(|tree| tree.root(total)).unwrap();
    for place in [address, log] {
        let output = reader.run(&place);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let altered = report["altered"].take().as_u64().unwrap();
        assert!(altered > 3_000, "only {altered} altered proofs");
        assert_eq!(
            report,
            json!({
                "origin": world.policy.origin.as_str(),
                "size": total,
                "root": b64::encode(&root.0),
                "cosignatures": 4,
                "records": total,
                "pairs": total * (total + 1) / 2,
                "ours": proofs,
                "altered": null,
            })
        );
    }
    altered_logs_are_refused(&world, &reader);
}

/// One file of the log is changed, and Go's code says where it stops to agree.
fn altered_logs_are_refused(world: &World, reader: &Reader) {
    let log = world.folder().join("log");
    let partial = size(world) % 256;
    let last = format!("tile/0/002.p/{partial}");
    let entries = format!("tile/entries/002.p/{partial}");
    let tile = "tiles: downloaded inconsistent tile";
    // (file, place from its end, what is said). Not every version of Go's tile reader checks full
    // tiles against those above them (0.7.0 leaves some out): then the first entry whose proof
    // needs the changed hash is named.
    let changes: [(&str, usize, &[&str]); 7] = [
        ("checkpoint", 300, &["checkpoint: invalid signature"]),
        ("tile/0/000", 40, &[tile, "inclusion: entry 0:"]),
        ("tile/0/001", 8_000, &[tile, "inclusion: entry 256:"]),
        (&last, 1, &[tile]),
        ("tile/1/000.p/2", 1, &[tile]),
        ("tile/entries/000", 5, &["inclusion: entry 255:"]),
        (&entries, 5, &["inclusion: entry"]),
    ];
    for (name, place, expected) in changes {
        let file = log.join(name);
        let honest = std::fs::read(&file).unwrap();
        let mut changed = honest.clone();
        let at = changed.len() - place;
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        std::fs::write(&file, changed).unwrap();
        let said = reader.refusal(&log);
        let known = expected.iter().any(|expected| said.contains(expected));
        assert!(known, "{name}: {said}");
        std::fs::write(&file, honest).unwrap();
    }
    let checkpoint = std::fs::read_to_string(log.join("checkpoint")).unwrap();
    let lines: Vec<&str> = checkpoint.lines().collect();
    let two = lines[..7].join("\n") + "\n";
    std::fs::write(log.join("checkpoint"), two).unwrap();
    let said = reader.refusal(&log);
    assert!(said.contains("2 of 3 cosignatures"), "{said}");
    std::fs::write(log.join("checkpoint"), checkpoint).unwrap();
    one_of_our_proofs_is_altered(reader, &log);
}

/// A proof of ours that is not Go's is named.
fn one_of_our_proofs_is_altered(reader: &Reader, log: &Path) {
    let file = reader.folder.join("proofs.json");
    let honest = std::fs::read(&file).unwrap();
    let mut ours: Value = serde_json::from_slice(&honest).unwrap();
    let rows = ours["consistency"].as_array_mut().unwrap();
    let row = rows.iter_mut().find(|row| row["new"] == 257).unwrap();
    row["path"] = json!([b64::encode(&[7; 32])]);
    std::fs::write(&file, ours.to_string()).unwrap();
    let said = reader.refusal(log);
    assert!(said.contains("proofs: 1 to 257"), "{said}");
}
