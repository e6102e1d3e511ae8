//! Three verifiers that share no code: Rust's, the one in Python and the browser's script, the last
//! two written from the documents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use schemas::b64;
use schemas::log::{Entry, PolicyFile};
use schemas::proof::{self, Class};
use serde_json::{Value, json};

use super::corrupt::{Corrupted, Vandal, under_another_policy};
use super::sample::samples;
use crate::forge;

/// Corrupted bundles that both look at.
const CORRUPTED: usize = 300;
/// Set to another number of them.
const COUNT: &str = "TRACEBOND_CORRUPTIONS";
/// Set to another seed.
const SEED: &str = "TRACEBOND_SEED";

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// What the verifier in Rust says, with the members that both must agree on.
fn rust(bytes: &[u8], policy: Option<&[u8]>) -> Value {
    match proof::verify(bytes, policy) {
        Err(refusal) => json!({"verdict": "refused", "class": refusal.class.to_string()}),
        Ok(report) => {
            let head = report.head().unwrap();
            // An event that is met twice counts once.
            let events: BTreeSet<_> = report.events.iter().map(|event| event.leaf).collect();
            json!({
                "verdict": report.verdict.to_string(),
                "class": null,
                "events": events.len(),
                "statements": report.statements.len(),
                "log_size": head.checkpoint.size,
                "root": head.checkpoint.root.to_string(),
                "anchored": head.anchored.as_seconds(),
                "policy": report.policy_hash.to_string(),
            })
        }
    }
}

/// Somebody who judges files.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Judge {
    /// `tests/verifier/`.
    Python,
    /// The browser's script in node, with WebCrypto.
    Browser,
    /// The same where there is no WebCrypto.
    BrowserAlone,
}

impl Judge {
    fn ask(
        self,
        folder: &Path,
        files: &[String],
        policy: Option<&[u8]>,
    ) -> BTreeMap<String, Value> {
        let list = folder.join("list.txt");
        let names: String = files
            .iter()
            .map(|name| format!("{}\n", folder.join(name).display()))
            .collect();
        std::fs::write(&list, names).unwrap();
        let policy = policy.map(|policy| {
            let file = folder.join("policy.json");
            let content = serde_json::to_vec(&PolicyFile::new(policy.to_vec())).unwrap();
            std::fs::write(&file, content).unwrap();
            file
        });
        let output = match self {
            Self::Python => python(&list, policy.as_deref()),
            Self::Browser => node(folder, &list, policy.as_deref(), "webcrypto"),
            Self::BrowserAlone => node(folder, &list, policy.as_deref(), "plain"),
        };
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{errors}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: BTreeMap<_, _> = text.lines().map(line).collect();
        assert_eq!(lines.len(), files.len(), "{self:?}: {errors}");
        lines
    }
}

/// A line of what a judge says, by the file that it is of.
fn line(line: &str) -> (String, Value) {
    let value: Value = serde_json::from_str(line).unwrap();
    let file = Path::new(value["file"].as_str().unwrap()).file_name();
    (file.unwrap().to_str().unwrap().to_owned(), value)
}

fn python(list: &Path, policy: Option<&Path>) -> Output {
    let verifier = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier/verify_bundle.py");
    let mut command = Command::new("python3");
    command.arg(verifier).arg("--json").arg("--list").arg(list);
    if let Some(policy) = policy {
        command.arg("--policy").arg(policy);
    }
    command.output().expect("python3 is needed")
}

fn node(folder: &Path, list: &Path, policy: Option<&Path>, mode: &str) -> Output {
    let [core, fallback, _] = kit::verifier::parts();
    // In node nobody fetches what is missing: both are there from the beginning.
    let script = format!("{}{}", core.text, fallback.text);
    judged_by(&script, folder, list, policy, mode)
}

/// Runs a script of ours over the files of a list, in node.
pub(super) fn judged_by(
    script: &str,
    folder: &Path,
    list: &Path,
    policy: Option<&Path>,
    mode: &str,
) -> Output {
    let file = folder.join("verify.js");
    std::fs::write(&file, script).unwrap();
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("proofs/verify_all.js");
    let mut command = Command::new("node");
    command.arg(runner).arg(file).arg(list);
    command.arg(policy.unwrap_or(Path::new("-"))).arg(mode);
    command.output().expect("node is needed")
}
/// Every disagreement, in words.
fn disagreements(judge: Judge, bundles: &[Corrupted], policy: Option<&[u8]>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let name = |index| format!("{index}.json");
    for (index, bundle) in bundles.iter().enumerate() {
        std::fs::write(folder.path().join(name(index)), &bundle.bytes).unwrap();
    }
    let files: Vec<String> = (0..bundles.len()).map(name).collect();
    let theirs = judge.ask(folder.path(), &files, policy);
    let mut found = Vec::new();
    for (file, bundle) in files.iter().zip(bundles) {
        let (ours, theirs) = (rust(&bundle.bytes, policy), &theirs[file]);
        let differs = |(name, value): (&String, &Value)| theirs[name] != *value;
        if ours.as_object().unwrap().iter().any(differs) {
            let why = proof::verify(&bundle.bytes, policy).err();
            found.push(format!(
                "{}\n  Rust {ours} {why:?}\n  {judge:?} {theirs}",
                bundle.how
            ));
        }
    }
    found
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
    let mut vandal = Vandal::new(number(SEED, 7), &samples);
    // Plain arithmetic takes a hundred times longer; what is not a signature is the same code.
    let fewer = if judge == Judge::BrowserAlone { 4 } else { 1 };
    let count = number(COUNT, CORRUPTED as u64) / fewer;
    bundles.extend((0..count).map(|_| vandal.next()));
    // Once by the policy that is trusted, so that nothing forged under another one gets far, and
    // once by none, so that it does.
    for policy in [Some(&samples.policy[..]), None] {
        let found = disagreements(judge, &bundles, policy);
        assert!(
            found.is_empty(),
            "{} disagreements:\n{}",
            found.len(),
            found.join("\n")
        );
    }
    let classes: BTreeSet<String> = bundles
        .iter()
        .filter_map(|bundle| proof::verify(&bundle.bytes, None).err())
        .map(|refusal| refusal.class.to_string())
        .collect();
    assert!(classes.len() >= 9, "only {classes:?} were reached");
}

/// Some hundreds of bundles that the Python verifier's own tests make, most of them breaking one rule
/// with every signature and root right: each is refused here, and by the browser's script, with the
/// class that is written there.
#[test]
fn bundles_of_the_python_tests_are_judged_alike() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("proofs/write_cases.py");
    let status = Command::new("python3")
        .arg(script)
        .arg(folder.path())
        .status();
    assert!(status.expect("python3 is needed").success());
    let cases = std::fs::read(folder.path().join("cases.json")).unwrap();
    let cases: Vec<(String, String, String)> = serde_json::from_slice(&cases).unwrap();
    assert!(cases.len() > 200, "only {} cases", cases.len());
    let mut found = Vec::new();
    let files: Vec<String> = cases.iter().map(|(file, _, _)| file.clone()).collect();
    for judge in [Judge::Browser, Judge::BrowserAlone] {
        let said = judge.ask(folder.path(), &files, None);
        for (file, name, expected) in &cases {
            let said = &said[file];
            let word = said["class"].as_str().or(said["verdict"].as_str());
            if word != Some(expected) {
                found.push(format!("{name}: Python {expected}, {judge:?} {said}"));
            }
        }
    }
    for (file, name, expected) in &cases {
        let bytes = std::fs::read(folder.path().join(file)).unwrap();
        let outcome = proof::verify(&bytes, None);
        let said = match &outcome {
            Ok(report) => report.verdict.to_string(),
            Err(refusal) => refusal.class.to_string(),
        };
        if said != *expected {
            let why = outcome.err();
            found.push(format!("{name}: Python {expected}, Rust {said} {why:?}"));
        }
    }
    assert!(
        found.is_empty(),
        "{} disagreements:\n{}",
        found.len(),
        found.join("\n")
    );
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
