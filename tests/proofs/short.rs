//! The verifier's script is sent shortened: it must say what its source says.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::judges::judged_by;

/// Makes every case of the Python verifier's tests; the list of their files.
fn cases(folder: &Path, version: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("proofs/write_cases.py");
    let status = Command::new("python3")
        .arg(script)
        .arg(folder)
        .arg(version)
        .status();
    assert!(status.expect("python3 is needed").success());
    let cases = std::fs::read(folder.join("cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_slice(&cases).unwrap();
    assert!(cases.len() > 100, "only {} cases", cases.len());
    let file = |case: &Value| format!("{}\n", folder.join(case[0].as_str().unwrap()).display());
    cases.iter().map(file).collect()
}

/// What a script says of each file, without what it took and without the words that only the source has.
fn said(core: &str, folder: &Path, list: &Path) -> Vec<Value> {
    let script = format!("{core}{}", kit::verifier::parts()[1].text);
    let output = judged_by(&script, folder, list, None, "webcrypto");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let mut said: Value = serde_json::from_str(line).unwrap();
        let object = said.as_object_mut().unwrap();
        object.remove("milliseconds");
        object.remove("detail");
        said
    };
    text.lines().map(line).collect()
}

#[test]
fn shortened_script_says_what_its_source_says() {
    for version in ["1", "2"] {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.txt");
        std::fs::write(&list, cases(folder.path(), version)).unwrap();
        let short = said(&kit::verifier::parts()[0].text, folder.path(), &list);
        let long = said(&kit::verifier::readable(), folder.path(), &list);
        assert_eq!(short, long);
    }
}

/// The cases of version 2 are judged by the browser's script as by the Python verifier, marks too.
#[test]
fn cases_of_version_2_are_judged_alike() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.txt");
    std::fs::write(&list, cases(folder.path(), "2")).unwrap();
    let expected = std::fs::read(folder.path().join("cases.json")).unwrap();
    let expected: Vec<(String, String, String, Value)> = serde_json::from_slice(&expected).unwrap();
    let found = said(&kit::verifier::parts()[0].text, folder.path(), &list);
    for ((_, name, word, marks), said) in expected.iter().zip(&found) {
        let found = said["class"].as_str().or(said["verdict"].as_str());
        assert_eq!(found, Some(word.as_str()), "{name}");
        assert!(marks.is_null() || said["marks"] == *marks, "{name}: {said}");
    }
}

/// A member that is sent under another name is no member of anything that node knows.
#[test]
fn renamed_members_are_not_the_platforms() {
    let walk = "const seen = new Set(), names = new Set(); \
        const walk = (one, depth) => { \
          if (one === null || !['object', 'function'].includes(typeof one) || seen.has(one) || depth > 3) return; \
          seen.add(one); \
          for (const [name, of] of Object.entries(Object.getOwnPropertyDescriptors(one))) { \
            names.add(name); walk(of.value, depth + 1); } \
          walk(Object.getPrototypeOf(one), depth + 1); }; \
        [Array, BigInt, DataView, Date, Error, Int32Array, JSON, Map, Math, Number, Object, Promise, Set, \
         TextDecoder, TextEncoder, Uint8Array, RegExp, String, crypto, crypto.subtle, (function* () {})(), \
         new Map().entries(), /x/.exec('x')].forEach((one) => walk(one, 0)); \
        console.log(JSON.parse(process.argv[1]).filter((name) => names.has(name)).join(' '));";
    let renamed = kit::verifier::renamed();
    assert!(renamed.len() > 20, "{renamed:?}");
    let output = Command::new("node")
        .arg("-e")
        .arg(walk)
        .arg(serde_json::to_string(&renamed).unwrap())
        .output()
        .expect("node is needed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "");
}
