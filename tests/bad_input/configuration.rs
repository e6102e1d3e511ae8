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
