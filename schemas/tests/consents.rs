//! The worked examples of `consent.md` and `attestation.md`, and the vectors in `schemas/testdata`
//! that a second implementation is held to (`tests/verifier/test_consent.py`). Both are made here
//! and compared with what stands there; `UPDATE_DOCS=1 cargo test -p schemas --test consents`
//! writes them anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "consents/attestations.rs"]
mod attestations;
#[path = "consents/chains.rs"]
mod chains;
#[path = "consents/documents.rs"]
mod documents;

use std::path::PathBuf;

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::key::SecretKey;
use schemas::log::Entry;
use schemas::time::Instant;
use serde::Serialize;

/// Log id of every vector and example: that of `log.md`'s example.
fn log() -> Hash {
    let origin: schemas::ids::Origin = "log.example/docs".parse().unwrap();
    origin.log_id(&key(1).public_bytes())
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn at(seconds: i64) -> Instant {
    Instant::from_seconds(1_795_305_600 + seconds)
}

const DAY: i64 = 24 * 3600;

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

/// A signed object and whether section 1 (and 2) of its document lets it be read and its signature
/// holds under `key`.
#[derive(Serialize)]
struct Vector {
    name: String,
    cose: String,
    holds: bool,
}

fn hex_block(title: &str, bytes: &[u8]) -> String {
    let text = hex::encode(bytes);
    let chunks = text.as_bytes().chunks(96);
    let lines: Vec<&str> = chunks.map(|c| std::str::from_utf8(c).unwrap()).collect();
    let (length, lines) = (bytes.len(), lines.join("\n"));
    format!("{title} ({length} bytes):\n```\n{lines}\n```\n")
}

fn entry(kind: &str, hash: Hash, time: Instant) -> Vec<u8> {
    let kind = kind.to_owned();
    Entry::Document { kind, hash, time }.encode()
}

fn compare(file: &str, fresh: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return std::fs::write(&path, fresh).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        fresh == text,
        "{file} is stale; UPDATE_DOCS=1 cargo test -p schemas --test consents"
    );
}

fn compare_example(file: &str, example: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let (head, rest) = text.split_once("<!-- example: begin").unwrap();
    let (mark, rest) = rest.split_once("-->\n").unwrap();
    let (_, tail) = rest.split_once("<!-- example: end -->").unwrap();
    let begin = format!("<!-- example: begin{mark}-->\n");
    compare(
        file,
        &format!("{head}{begin}{example}<!-- example: end -->{tail}"),
    );
}

fn compare_vectors(file: &str, vectors: &impl Serialize) {
    let text = serde_json::to_string_pretty(vectors).unwrap();
    compare(file, &format!("{text}\n"));
}

#[test]
fn examples_in_the_documents_are_what_the_code_makes() {
    compare_example("docs/consent.md", &documents::example());
    compare_example("docs/attestation.md", &attestations::example());
}

#[test]
fn vectors_are_what_the_code_makes_and_says() {
    compare_vectors("testdata/consent-v1.json", &documents::vectors());
    compare_vectors("testdata/consent-chains-v1.json", &chains::vectors());
    compare_vectors("testdata/attestation-v1.json", &attestations::vectors());
}
