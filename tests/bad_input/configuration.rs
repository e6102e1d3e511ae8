//! A configuration that cannot work names file, line and field.

use platform::config::Config;

use crate::world::people::key_of;

fn good() -> String {
    let key = |name| hex::encode(key_of(name).public_bytes());
    format!(
        r#"origin = "log.example.org/tracebond"
data = "/var/lib/tracebond"
organisation = "operator"
quorum = 1

[anchor]
batch_ms = 1000

[[witness]]
name = "w1.example"
url = "http://127.0.0.1:1"
key = "{}"

[[registrar]]
name = "association"
key = "{}"
"#,
        key("w1.example"),
        key("association")
    )
}

#[test]
fn good_configuration_is_read() {
    let config = Config::parse("platform.toml", &good()).unwrap();
    assert_eq!(config.quorum, 1);
}

#[test]
fn bad_configuration_names_file_line_and_field() {
    let origin = "origin = \"log.example.org/tracebond\"";
    let cases = [
        (origin, "origin = \"two words\"", 1, "origin"),
        (origin, "origin = 7", 1, "origin"),
        (
            "organisation = \"operator\"",
            "organisation = \"Operator\"",
            3,
            "organisation",
        ),
        ("quorum = 1", "quorum = \"1\"", 4, "quorum"),
        ("quorum = 1", "quorum = -1", 4, "quorum"),
        ("quorum = 1", "quorum = 0", 4, "quorum"),
        ("quorum = 1", "quorum = 2", 4, "quorum"),
        ("quorum = 1", "quorom = 1", 4, "quorom"),
        ("batch_ms = 1000", "batch_ms = 0", 7, "batch_ms"),
        ("batch_ms = 1000", "batch_ms = 1.5", 7, "batch_ms"),
        ("batch_ms = 1000", "lease_s = 5", 7, "lease_s"),
        ("batch_ms = 1000", "lease_s = 301", 7, "lease_s"),
        ("batch_ms = 1000", "batches = 1", 7, "batches"),
        ("url = \"http://127.0.0.1:1\"", "url = 1", 11, "url"),
    ];
    for (from, to, line, field) in cases {
        let text = good().replacen(from, to, 1);
        assert_ne!(text, good());
        let error = Config::parse("platform.toml", &text).unwrap_err();
        let shown = error.to_string();
        assert_eq!(
            (error.file.as_str(), error.line),
            ("platform.toml", line),
            "{to}: {shown}"
        );
        assert!(error.field.contains(field), "{to}: {shown}");
        assert!(
            shown.starts_with(&format!("platform.toml:{line}: ")),
            "{shown}"
        );
    }
}

#[test]
fn batches_of_no_statements_are_named_as_themselves() {
    let text = good().replacen("batch_ms = 1000", "batch_statements = 0", 1);
    let error = Config::parse("platform.toml", &text).unwrap_err();
    assert_eq!(error.line, 7, "{error}");
    assert!(error.field.contains("batch_statements"), "{error}");
}

/// A key that is no key, a key of small order, a broken file.
#[test]
fn bad_keys_and_broken_files_are_named_too() {
    let key = hex::encode(key_of("w1.example").public_bytes());
    for bad in ["00", &"zz".repeat(32), &format!("01{}", "00".repeat(31))] {
        let error = Config::parse("platform.toml", &good().replace(&key, bad)).unwrap_err();
        assert_eq!(error.file, "platform.toml");
        assert!(error.field.contains("key"), "{error}");
        assert_eq!(error.line, 12, "{error}");
    }
    let error = Config::parse("platform.toml", "origin = \"x\n").unwrap_err();
    assert_eq!((error.file.as_str(), error.line), ("platform.toml", 1));
    let error = Config::parse("platform.toml", "").unwrap_err();
    assert!(error.to_string().contains("origin"), "{error}");
}

/// Witnesses may stand in a C2SP `tlog-policy` instead; what the platform cannot do is refused.
#[test]
fn witnesses_may_stand_in_a_tlog_policy() {
    use schemas::tlog_policy::{Kind, VerifierKey};
    let vkey = |name: &str| VerifierKey {
        name: name.to_owned(),
        kind: Kind::Cosignature,
        key: key_of(name).public(),
    };
    let witness = |name: &str, url: &str| format!("witness {name} {} {url}\n", vkey(name));
    let both =
        witness("w1.example", "http://127.0.0.1:1") + &witness("w2.example", "http://[::1]:2");
    let good = good();
    let (head, rest) = good.split_once("quorum = 1\n").unwrap();
    let registrar = rest.split_once("[[registrar]]").unwrap().1;
    let text = format!("{head}witness_policy = \"witnesses.txt\"\n\n[[registrar]]{registrar}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("platform.toml");
    let read = |policy: &str| {
        std::fs::write(folder.path().join("witnesses.txt"), policy).unwrap();
        Config::parse(file.to_str().unwrap(), &text)
    };
    let config = read(&format!(
        "{both}group g 2 w1.example w2.example\nquorum g\n"
    ))
    .unwrap();
    assert_eq!((config.quorum, config.witnesses.len()), (2, 2));
    assert_eq!(config.witnesses[1].url, "http://[::1]:2");
    for (policy, word) in [
        (format!("{both}quorum w1.example\n"), "one group"),
        (format!("{both}quorum none\n"), "one group"),
        (format!("{both}quorum g\n"), "line 3"),
        (
            format!("{}quorum w1.example\n", witness("w1.example", "")),
            "no address",
        ),
    ] {
        let error = read(&policy).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let twice = text.replace("organisation =", "quorum = 1\norganisation =");
    let error = Config::parse(file.to_str().unwrap(), &twice).unwrap_err();
    assert!(error.to_string().contains("instead of"), "{error}");
}
