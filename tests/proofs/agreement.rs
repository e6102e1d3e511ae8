//! Three verifiers that share no code agree: on damaged and forged bundles, and on those that the
//! Python verifier's own tests make.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use schemas::b64;
use schemas::log::{Entry, PolicyFile};
use schemas::proof::{self, Class};
use serde_json::{Value, json};

use super::corrupt::{Corrupted, Vandal, under_another_policy};
use super::judges::{Judge, disagreements, rust};
use super::sample::samples;
use crate::forge;

/// Corrupted bundles that both look at.
const CORRUPTED: usize = 300;
/// Set to another number of them.
const COUNT: &str = "TRACEBOND_CORRUPTIONS";
/// Set to another seed.
const SEED: &str = "TRACEBOND_SEED";

/// A number from the environment, for another run than the usual one.
pub fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// The seed of this run.
pub fn seed() -> u64 {
    number(SEED, 7)
}

#[tokio::test]
async fn python_verifier_agrees() {
    agrees(Judge::Python).await;
}

/// What a phone shows is what Rust would say, class by class.
#[tokio::test]
async fn browsers_verifier_agrees_with_web_crypto() {
    agrees(Judge::Browser).await;
}

/// Plain HTTP and old in-app browsers have no WebCrypto: our own arithmetic says the same.
#[tokio::test]
async fn browsers_verifier_agrees_without_web_crypto() {
    agrees(Judge::BrowserAlone).await;
}

async fn agrees(judge: Judge) {
    let samples = samples().await;
    let mut bundles: Vec<Corrupted> = Vec::new();
    for (name, bytes) in &samples.bundles {
        let outcome = proof::verify(bytes, Some(&samples.policy));
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
        let (how, bytes) = ((*name).to_owned(), bytes.clone());
        bundles.push(Corrupted { how, bytes });
    }
    bundles.push(under_another_policy());
    let mut vandal = Vandal::new(seed(), &samples);
    // Plain arithmetic takes a hundred times longer; what is not a signature is the same code.
    let fewer = if judge == Judge::BrowserAlone { 4 } else { 1 };
    let count = number(COUNT, CORRUPTED as u64) / fewer;
    bundles.extend((0..count).map(|_| vandal.next()));
    // Once by the policy that is trusted, so that nothing forged under another one gets far, and
    // once by none, so that it does.
    let mut classes = BTreeSet::new();
    for policy in [Some(&samples.policy[..]), None] {
        let (found, ours) = disagreements(&[judge], &bundles, policy);
        none(&found);
        classes = ours
            .iter()
            .filter_map(|said| said["class"].as_str().map(ToOwned::to_owned))
            .collect();
    }
    assert!(classes.len() >= 9, "only {classes:?} were reached");
}

/// Fails with every disagreement.
pub fn none(found: &[String]) {
    assert!(
        found.is_empty(),
        "{} disagreements:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// Some hundreds of bundles that the Python verifier's own tests make, most of them breaking one rule
/// with every signature and root right: each is refused here, and by the browser's script, with the
/// class that is written there.
#[test]
fn bundles_of_the_python_tests_are_judged_alike() {
    cases_are_judged_alike("1", 300);
}

/// The same of version 2, with the marks that are written there.
#[test]
fn bundles_v2_of_the_python_tests_are_judged_alike() {
    cases_are_judged_alike("2", 150);
}

/// Name, verdict or class, and marks (null where none are written).
pub(super) struct Case {
    pub(super) file: String,
    name: String,
    said: String,
    marks: Value,
}

/// Has the Python verifier's tests write their cases into a folder.
pub(super) fn cases_of(folder: &Path, arguments: &[&str]) -> Vec<Case> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("proofs/write_cases.py");
    let mut command = Command::new("python3");
    let status = command.arg(script).arg(folder).args(arguments).status();
    assert!(status.expect("python3 is needed").success());
    let cases = std::fs::read(folder.join("cases.json")).unwrap();
    let rows: Vec<Vec<Value>> = serde_json::from_slice(&cases).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let case = |row: &Vec<Value>| Case {
        file: text(&row[0]),
        name: text(&row[1]),
        said: text(&row[2]),
        marks: row.get(3).cloned().unwrap_or(Value::Null),
    };
    rows.iter().map(case).collect()
}

/// Bundles that break one rule each with every signature right, so many of each class.
pub fn forged(version: &str, of_class: usize) -> Vec<Corrupted> {
    let folder = tempfile::tempdir().unwrap();
    let (count, seed) = (of_class.to_string(), seed().to_string());
    let read = |case: &Case| Corrupted {
        how: format!("{}: {}", case.said, case.name),
        bytes: std::fs::read(folder.path().join(&case.file)).unwrap(),
    };
    let cases = cases_of(folder.path(), &[version, &count, &seed]);
    cases.iter().map(read).collect()
}

fn cases_are_judged_alike(version: &str, least: usize) {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases_of(folder.path(), &[version]);
    assert!(cases.len() > least, "only {} cases", cases.len());
    let files: Vec<String> = cases.iter().map(|case| case.file.clone()).collect();
    let mut found = Vec::new();
    let mut compare = |who: &str, case: &Case, said: &Value| {
        let word = said["class"].as_str().or(said["verdict"].as_str());
        let marks = case.marks.is_null() || case.marks == said["marks"];
        if word != Some(&case.said) || !marks {
            let (name, expected) = (&case.name, &case.said);
            found.push(format!(
                "{name}: Python {expected} {}, {who} {said}",
                case.marks
            ));
        }
    };
    for judge in [Judge::Browser, Judge::BrowserAlone] {
        let said = judge.ask(folder.path(), &files, None);
        for case in &cases {
            compare(&format!("{judge:?}"), case, &said[&case.file]);
        }
    }
    for case in &cases {
        let bytes = std::fs::read(folder.path().join(&case.file)).unwrap();
        compare("Rust", case, &rust(&bytes, None));
    }
    none(&found);
}

/// The policy file is the same to both.
#[test]
fn policy_file_is_spelled_as_the_document_says() {
    let entry = Entry::Policy(forge::policy()).encode();
    let file = serde_json::to_value(PolicyFile::new(entry.clone())).unwrap();
    assert_eq!(
        file,
        json!({"tracebond": "policy/v1", "entry": b64::encode(&entry)})
    );
    let other = proof::verify(
        &forge::Paper::honest().bundle().to_json().unwrap(),
        Some(b"another"),
    );
    assert_eq!(other.unwrap_err().class, Class::Policy);
}
