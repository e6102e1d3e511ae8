//! An archive is judged from itself: whatever is changed in it is refused.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use platform::archive::ArchiveError;
use platform::archive::check::check;
use serde_json::{Value, json};

use super::{archivist, august, files, peaches};
use crate::world::World;

fn lines(file: &Path) -> Vec<Value> {
    let mut text = String::new();
    let mut unpacked = GzDecoder::new(std::fs::File::open(file).unwrap());
    unpacked.read_to_string(&mut text).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Writes lines with a manifest that fits to them, as somebody would who lies.
fn write(file: &Path, mut lines: Vec<Value>) {
    let mut manifest = lines.pop().unwrap();
    let texts: Vec<String> = lines.iter().map(Value::to_string).collect();
    let hashes = texts
        .iter()
        .map(|line| schemas::hash::sha256(line.as_bytes()));
    manifest["manifest"]["lines"] = hashes.map(|hash| hash.to_string()).collect();
    let (mut statements, mut events) = (0, 0);
    for said in lines[1..]
        .iter()
        .flat_map(|line| line["statements"].as_array().unwrap())
    {
        statements += 1;
        let kept = said["events"].as_array().unwrap().iter();
        events += kept.filter(|event| event.get("content").is_some()).count();
    }
    manifest["manifest"]["statements"] = statements.into();
    manifest["manifest"]["events"] = events.into();
    let mut out = GzEncoder::new(std::fs::File::create(file).unwrap(), Compression::fast());
    for line in texts {
        writeln!(out, "{line}").unwrap();
    }
    writeln!(out, "{manifest}").unwrap();
    out.finish().unwrap();
}

async fn made() -> (World, PathBuf) {
    let (world, _) = peaches().await;
    archivist(&world).await.run(august(), false).await.unwrap();
    let file = files(&world).remove(0);
    (world, file)
}

#[tokio::test]
async fn whatever_is_changed_is_refused() {
    let (world, file) = made().await;
    let trusted = world.policy_entry();
    let checked = check(&file, Some(&trusted)).unwrap();
    assert_eq!(
        (checked.manifest.statements, checked.manifest.events),
        (3, 5)
    );
    let honest = lines(&file);
    write(&file, honest.clone());
    check(&file, Some(&trusted)).expect("the forger's own hand changes nothing");
    type Change = (&'static str, fn(&mut Vec<Value>));
    let changes: [Change; 12] = [
        ("another event", |lines| {
            let event = &mut lines[1]["statements"][0]["events"][0]["content"]["event"];
            *event = event.as_str().unwrap().replacen("2026", "2025", 1).into();
        }),
        ("another salt", |lines| {
            lines[1]["statements"][0]["events"][0]["content"]["salt"] = "00".repeat(16).into();
        }),
        ("another source", |lines| {
            let source = &mut lines[1]["statements"][0]["events"][0]["content"]["source"];
            *source = json!(3 - source.as_u64().unwrap() % 2);
        }),
        ("another leaf", |lines| {
            lines[1]["statements"][0]["events"][0]["leaf"] = "00".repeat(32).into();
        }),
        ("an event less", |lines| {
            let events = lines[1]["statements"][0]["events"].as_array_mut().unwrap();
            events.pop();
        }),
        ("events of another order", |lines| {
            let said = lines[1]["statements"].as_array_mut().unwrap().iter_mut();
            let mut long = said.filter(|one| one["events"].as_array().unwrap().len() > 1);
            let events = long.next().unwrap()["events"].as_array_mut().unwrap();
            events.swap(0, 1);
        }),
        ("a statement without its proof", |lines| {
            let statement = lines[1]["statements"][0].clone();
            lines[1]["statements"]
                .as_array_mut()
                .unwrap()
                .push(statement);
        }),
        ("a statement less than proven", |lines| {
            lines[1]["statements"].as_array_mut().unwrap().pop();
        }),
        ("the same statements twice", |lines| {
            let again = lines[1].clone();
            lines.insert(2, again);
        }),
        ("another log", |lines| {
            lines[0]["log"] = "00".repeat(32).into();
        }),
        ("another version", |lines| {
            lines[0]["tracebond-archive"] = 2.into()
        }),
        ("an unknown member", |lines| lines[1]["note"] = "x".into()),
    ];
    for (what, change) in changes {
        let mut lines = honest.clone();
        change(&mut lines);
        assert_ne!(lines, honest, "{what}");
        write(&file, lines);
        let refused = check(&file, Some(&trusted));
        assert!(refused.is_err(), "{what}");
    }
}

#[tokio::test]
async fn torn_or_longer_file_is_refused_and_another_policy_too() {
    let (world, file) = made().await;
    let trusted = world.policy_entry();
    let whole = std::fs::read(&file).unwrap();
    for length in [0, 1, 10, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        std::fs::write(&file, &whole[..length]).unwrap();
        let refused = check(&file, Some(&trusted)).unwrap_err();
        let torn = matches!(
            refused,
            ArchiveError::File { .. } | ArchiveError::Form { .. }
        );
        assert!(torn, "{length}: {refused}");
    }
    std::fs::write(&file, [&whole[..], b"x"].concat()).unwrap();
    let longer = check(&file, Some(&trusted)).unwrap_err().to_string();
    assert!(longer.contains("behind the manifest"), "{longer}");
    // Bits of the packed lines, not of gzip's own head.
    for at in (20..whole.len()).step_by(whole.len() / 64) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        std::fs::write(&file, flipped).unwrap();
        assert!(check(&file, Some(&trusted)).is_err(), "byte {at}");
    }
    std::fs::write(&file, &whole).unwrap();
    let other = World::named("other.example.org/log").await;
    let refused = check(&file, Some(&other.policy_entry())).unwrap_err();
    assert!(matches!(refused, ArchiveError::Proof { .. }), "{refused}");
    check(&file, None).expect("under its own policy it holds");
}
