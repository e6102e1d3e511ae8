//! The verifier's script is sent shortened: it must say what its source says.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::agreement::{Case, cases_of};
use super::judges::judged_by;

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
        let cases = cases_of(folder.path(), &[version]);
        assert!(cases.len() > 100, "only {} cases", cases.len());
        let file = |case: &Case| format!("{}\n", folder.path().join(&case.file).display());
        let list = folder.path().join("list.txt");
        std::fs::write(&list, cases.iter().map(file).collect::<String>()).unwrap();
        let short = said(&kit::verifier::parts()[0].text, folder.path(), &list);
        let long = said(&kit::verifier::readable(), folder.path(), &list);
        assert_eq!(short.len(), cases.len());
        assert_eq!(short, long);
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
