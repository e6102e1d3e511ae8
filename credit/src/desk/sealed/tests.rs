//! An archive as a stranger checks it: with `unzip`'s format read by Python and `openssl`.

use std::process::Command;

use super::*;

fn made() -> (Sheet, Manifest, SecretKey) {
    let mut sheet = Sheet::new("Queue", &["application", "note"]);
    sheet.row(vec!["A-1".into(), "=cmd|' /C calc'!A0".into()]);
    let manifest = Manifest {
        format: "desk-export/v1",
        what: "queue",
        organisation: "bank".to_owned(),
        by: "li-wei".to_owned(),
        as_of: "2026-11-22T00:00:00Z".to_owned(),
        rows: 1,
        complete: true,
        trail_head: Some((7, Hash::ZERO)),
    };
    (sheet, manifest, SecretKey::from_seed(&[7; 32]))
}

#[test]
fn the_same_table_gives_the_same_archive() {
    let (sheet, manifest, key) = made();
    let one = package(&sheet, &manifest, &key).unwrap();
    assert_eq!(one.bytes, package(&sheet, &manifest, &key).unwrap().bytes);
    let other = package(&sheet, &manifest, &SecretKey::from_seed(&[8; 32])).unwrap();
    assert_eq!(one.sums, other.sums);
    assert_ne!(one.bytes, other.bytes);
}

/// What `credit/docs/export.md` tells a stranger to do, word by word.
#[test]
fn openssl_verifies_and_finds_what_was_changed() {
    let (sheet, manifest, key) = made();
    let folder = tempfile::tempdir().unwrap();
    let archive = package(&sheet, &manifest, &key).unwrap().bytes;
    std::fs::write(folder.path().join("queue.zip"), archive).unwrap();
    let run = |line: &str| {
        let mut shell = Command::new("sh");
        let shell = shell.arg("-c").arg(line).current_dir(folder.path());
        let output = shell.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.success(), said)
    };
    let (unpacked, said) = run("python3 -m zipfile -e queue.zip .");
    assert!(unpacked, "{said}");
    let verify = "openssl pkeyutl -verify -pubin -inkey bank-key.pem -rawin \
                  -in SHA256SUMS -sigfile SHA256SUMS.sig";
    let (signed, said) = run(verify);
    assert!(signed, "{said}");
    let (same, said) = run("sha256sum -c SHA256SUMS");
    assert!(same && said.contains("queue.xlsx: OK"), "{said}");
    assert!(run("printf x >> queue.csv").0);
    assert!(!run("sha256sum -c SHA256SUMS").0);
    assert!(run("sha256sum queue.csv queue.xlsx manifest.json > SHA256SUMS").0);
    assert!(!run(verify).0);
}

#[test]
fn a_key_file_is_made_once_and_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.key");
    assert!(matches!(load_key(&file), Err(KeyFileError::Io { .. })));
    let key = load_or_make_key(&file).unwrap();
    assert_eq!(load_or_make_key(&file).unwrap().seed(), key.seed());
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    assert!(matches!(load_key(&file), Err(KeyFileError::Readable(_))));
    mode(0o600);
    fs::write(&file, "no key\n").unwrap();
    assert!(matches!(load_key(&file), Err(KeyFileError::Content(_))));
}
