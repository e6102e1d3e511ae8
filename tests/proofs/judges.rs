//! Three verifiers that share no code: Rust's, the one in Python and the browser's script, the last
//! two written from the documents. What each says of a bundle, in one form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use schemas::log::PolicyFile;
use schemas::proof::{self, Report, VerifiedEvent};
use serde_json::{Value, json};

use super::corrupt::Corrupted;

/// What the verifier in Rust says, with the members that all must agree on. Of each row of events:
/// its marks, as of which registry version and time (microseconds) its key's state is known, and
/// the second after which it was made.
pub fn rust(bytes: &[u8], policy: Option<&[u8]>) -> Value {
    match proof::verify(bytes, policy) {
        Err(refusal) => json!({"verdict": "refused", "class": refusal.class.to_string()}),
        Ok(report) => what_holds(&report),
    }
}

fn what_holds(report: &Report) -> Value {
    let head = report.head().unwrap();
    // An event that is met twice counts once.
    let events: BTreeSet<_> = report.events.iter().map(|event| event.leaf).collect();
    let of = |event: &VerifiedEvent| report.statements[event.statement].clone();
    let marks = |event: &VerifiedEvent| -> Vec<String> {
        event.marks.iter().map(ToString::to_string).collect()
    };
    let key = |event: &VerifiedEvent| {
        let key = of(event).key;
        json!([key.registry_version, key.time.map(|time| time.as_micros())])
    };
    let after = |event: &VerifiedEvent| of(event).not_before.map(|time| time.as_seconds());
    json!({
        "verdict": report.verdict.to_string(),
        "class": null,
        "events": events.len(),
        "statements": report.statements.len(),
        "log_size": head.checkpoint.size,
        "root": head.checkpoint.root.to_string(),
        "anchored": head.anchored.as_seconds(),
        "policy": report.policy_hash.to_string(),
        "marks": report.events.iter().map(marks).collect::<Vec<_>>(),
        "keys": report.events.iter().map(key).collect::<Vec<_>>(),
        "after": report.events.iter().map(after).collect::<Vec<_>>(),
    })
}

/// Somebody who judges files.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Judge {
    /// `tests/verifier/`.
    Python,
    /// The browser's script in node, with WebCrypto.
    Browser,
    /// The same where there is no WebCrypto.
    BrowserAlone,
}

impl Judge {
    /// What it says of each of these files of a folder, by the file's name.
    pub fn ask(
        self,
        folder: &Path,
        files: &[String],
        policy: Option<&[u8]>,
    ) -> BTreeMap<String, Value> {
        let list = folder.join(format!("{self:?}.txt"));
        let names: String = files
            .iter()
            .map(|name| format!("{}\n", folder.join(name).display()))
            .collect();
        std::fs::write(&list, names).unwrap();
        let policy = policy.map(|policy| self.policy_file(folder, policy));
        let output = match self {
            Self::Python => python(&list, policy.as_deref()),
            Self::Browser => node(folder, &list, policy.as_deref(), "webcrypto"),
            Self::BrowserAlone => node(folder, &list, policy.as_deref(), "plain"),
        };
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{errors}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: BTreeMap<_, _> = text.lines().map(|text| self.line(text)).collect();
        assert_eq!(lines.len(), files.len(), "{self:?}: {errors}");
        lines
    }

    fn policy_file(self, folder: &Path, policy: &[u8]) -> PathBuf {
        let file = folder.join(format!("{self:?}.policy.json"));
        let content = serde_json::to_vec(&PolicyFile::new(policy.to_vec())).unwrap();
        std::fs::write(&file, content).unwrap();
        file
    }

    /// A line of what a judge says, by the file that it is of.
    fn line(self, line: &str) -> (String, Value) {
        let mut value: Value = serde_json::from_str(line).unwrap();
        let file = PathBuf::from(value["file"].as_str().unwrap());
        if value["class"].is_null() {
            match self {
                Self::Python => by_event(&mut value, &file),
                Self::Browser | Self::BrowserAlone => as_pairs(&mut value["keys"]),
            }
        }
        let name = file.file_name().unwrap().to_str().unwrap();
        (name.to_owned(), value)
    }
}

/// What the Python verifier says of each statement is said of its events.
fn by_event(value: &mut Value, file: &Path) {
    let bundle: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let statements = bundle["events"].as_array().unwrap().iter().map(|row| {
        let place = row["statement"].as_u64().unwrap();
        usize::try_from(place).unwrap()
    });
    let (mut keys, mut after) = (Vec::new(), Vec::new());
    for statement in statements {
        let state = &value["key_states"][statement];
        keys.push(json!([state["registry"], state["time"]]));
        after.push(value["made_after"][statement].clone());
    }
    value["keys"] = keys.into();
    value["after"] = after.into();
}

/// The script names what the others say in order: registry version and time.
fn as_pairs(keys: &mut Value) {
    for key in keys.as_array_mut().unwrap() {
        *key = json!([key["version"], key["time"]]);
    }
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
pub fn judged_by(
    script: &str,
    folder: &Path,
    list: &Path,
    policy: Option<&Path>,
    mode: &str,
) -> Output {
    let file = folder.join(format!("verify-{mode}.js"));
    std::fs::write(&file, script).unwrap();
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("proofs/verify_all.js");
    let mut command = Command::new("node");
    command.arg(runner).arg(file).arg(list);
    command.arg(policy.unwrap_or(Path::new("-"))).arg(mode);
    command.output().expect("node is needed")
}

/// Every disagreement of these judges with Rust, in words; and what Rust says of each bundle.
pub fn disagreements(
    judges: &[Judge],
    bundles: &[Corrupted],
    policy: Option<&[u8]>,
) -> (Vec<String>, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let name = |index| format!("{index}.json");
    for (index, bundle) in bundles.iter().enumerate() {
        std::fs::write(folder.path().join(name(index)), &bundle.bytes).unwrap();
    }
    let files: Vec<String> = (0..bundles.len()).map(name).collect();
    let (path, files) = (folder.path(), &files);
    let (ours, theirs) = std::thread::scope(|scope| {
        let ask = |&judge: &Judge| scope.spawn(move || (judge, judge.ask(path, files, policy)));
        let asked: Vec<_> = judges.iter().map(ask).collect();
        let ours: Vec<Value> = (bundles.iter())
            .map(|bundle| rust(&bundle.bytes, policy))
            .collect();
        let theirs: Vec<_> = asked
            .into_iter()
            .map(|asked| asked.join().unwrap())
            .collect();
        (ours, theirs)
    });
    let mut found = Vec::new();
    for (judge, theirs) in theirs {
        for ((file, bundle), ours) in files.iter().zip(bundles).zip(&ours) {
            let theirs = &theirs[file];
            let differs = |(name, value): (&String, &Value)| theirs[name] != *value;
            if ours.as_object().unwrap().iter().any(differs) {
                let (how, why) = (&bundle.how, proof::verify(&bundle.bytes, policy).err());
                found.push(format!(
                    "{how}\n  Rust {ours} {why:?}\n  {judge:?} {theirs}"
                ));
            }
        }
    }
    (found, ours)
}
