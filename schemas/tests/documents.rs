//! The worked examples in `schemas/docs/` are made by this test and compared with what stands
//! there. `UPDATE_DOCS=1 cargo test -p schemas --test documents` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "past/bundle.rs"]
mod bundle;
#[path = "documents/example.rs"]
mod example;
#[path = "past/log.rs"]
#[expect(dead_code, reason = "the cases of version 2 use the rest")]
mod log;

use std::path::PathBuf;

use bundle::Shown;
use example::{EVENT, Example, at, example, key};
use log::{FIRST, Past, Terms};

use schemas::disclosure::{Audience, Disclosure, Rule, SignedDisclosure};
use schemas::event::{Salt, field_hash, value_hash};
use schemas::hash::Hash;
use schemas::log::{Entry, Policy};
use schemas::proof;
use schemas::receipt::{Receipt, Reply};
use schemas::registry::State;
use schemas::tombstone::{TombstoneList, list_hash};

fn hex_block(title: &str, bytes: &[u8]) -> String {
    let text = hex::encode(bytes);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(96)
        .map(|c| std::str::from_utf8(c).unwrap())
        .collect();
    format!(
        "{title} ({} bytes):\n```\n{}\n```\n",
        bytes.len(),
        lines.join("\n")
    )
}

fn statement_example(e: &Example) -> String {
    let event = &e.message.events[0];
    let (name, value) = event.event.members().next().unwrap();
    let salt = event.salt.field(0);
    let hash = value_hash(&salt, value);
    let receipt = Receipt {
        log: e.policy.log,
        device: "qinghe/store-1".parse().unwrap(),
        epoch: 0,
        ranges: vec![(0, 0)],
        last: e.message.statement.id(),
        time: at(11),
        deadline: at(611),
        refused: vec![],
        ids: vec![e.message.statement.id()],
    };
    format!(
        "## Example\nKeys are Ed25519 with the seed of one byte repeated 32 times: device 04, receipt 05. The event's salt is 5a repeated.\n\nEvent ({} bytes, {} members):\n```\n{EVENT}\n```\nDevice key `{}`, kid `{}`.\n\n| value | hex |\n|---|---|\n| field salt of `{name}` | `{}` |\n| value hash of `{name}` | `{hash}` |\n| field hash of `{name}` | `{}` |\n| leaf (source 2) | `{}` |\n| statement id | `{}` |\n\n{}\n{}\n{}",
        EVENT.len(),
        event.event.len(),
        hex::encode(e.device.public_bytes()),
        e.device.kid(),
        hex::encode(salt.0),
        field_hash(name, &hash),
        event.leaf(),
        e.message.statement.id(),
        hex_block("Statement", e.message.statement.bytes()),
        hex_block("Message", &e.message.encode()),
        hex_block(
            "Reply of kind 0, a receipt by key 05",
            &Reply::Receipt(receipt.sign(&key(5))).encode()
        ),
    )
}

fn registry_example(e: &Example) -> String {
    format!(
        "## Example\nSeeds: registrar 02, organisation 03, device 04; salts a1 (organisation) and a2 (device), repeated.\n\n{}\n{}\n| value | hex |\n|---|---|\n| kid of the organisation | `{}` |\n| record hash of the organisation | `{}` |\n| kid of the device | `{}` |\n| record hash of the device | `{}` |\n| root at version 1, count 2 | `{}` |\n",
        hex_block(
            "Organisation's record, signed by the registrar",
            e.organisation_record.bytes()
        ),
        hex_block(
            "Device's record, signed by the organisation",
            e.device_record.bytes()
        ),
        e.organisation_record.record.kid(),
        e.organisation_record.hash(&Salt([0xa1; 16])),
        e.device_record.record.kid(),
        e.device_record.hash(&Salt([0xa2; 16])),
        e.head.root,
    )
}

fn log_example(e: &Example) -> String {
    let note = String::from_utf8(e.note.encode()).unwrap();
    format!(
        "## Example\nSeeds: log 01, registrar 02, witnesses 0b, 0c, 0d, 0e. The log has three entries: policy, registry head, batch header.\n\nLog key `{}`, log id `{}`.\n\n{}\n{}\n{}\nCheckpoint, cosigned by three of four:\n```\n{note}```\n",
        hex::encode(e.log.public_bytes()),
        e.policy.log,
        hex_block("Entry 0, policy", &Entry::Policy(e.policy.clone()).encode()),
        hex_block(
            "Entry 1, registry head",
            &Entry::Registry {
                head: e.head,
                time: at(5)
            }
            .encode()
        ),
        hex_block(
            "Entry 2, batch header",
            &Entry::Header(e.header.clone()).encode()
        ),
    )
}

fn bundle_example(e: &Example) -> String {
    let json = String::from_utf8(e.bundle.to_json().unwrap()).unwrap();
    let report = proof::verify(json.as_bytes(), None).unwrap();
    let head = report.head().unwrap();
    format!(
        "## Example\nThe event of `statement.md` in the log of `log.md`, its `epcList` withheld. Verdict: {}, anchored at {}, under policy `{}`.\n```\n{json}\n```\n",
        report.verdict, head.anchored, report.policy_hash,
    )
}

fn tombstone_example(e: &Example) -> String {
    let list = TombstoneList {
        log: e.policy.log,
        made: at(3_600),
        by: "tracebond_eraser".into(),
        reason: "subject-request".into(),
        leaves: vec![e.message.events[0].leaf()],
    };
    let bytes = list.encode().unwrap();
    let entry = Entry::Tombstones {
        hash: list_hash(&bytes),
        count: 1,
        time: at(3_601),
    };
    format!(
        "## Example\nThe event of `statement.md`, erased an hour later.\n\n{}\nList hash `{}`.\n\n{}",
        hex_block("List", &bytes),
        list_hash(&bytes),
        hex_block("Log entry", &entry.encode()),
    )
}

fn disclosure_example(e: &Example) -> String {
    let rule = |audience, step: &str, names: &[&str]| Rule {
        audience,
        step: step.to_owned(),
        withheld: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let document = Disclosure {
        log: e.policy.log,
        organisation: "qinghe".parse().unwrap(),
        version: 1,
        prev: Hash::ZERO,
        made: at(20),
        rules: vec![
            rule(
                Audience::Consumer,
                "",
                &["bizTransactionList", "tb:invoiceAmount"],
            ),
            rule(Audience::Consumer, "storing", &["epcList"]),
            rule(Audience::Partner, "", &["tb:invoiceAmount"]),
            rule(Audience::Bank, "", &[]),
            rule(Audience::Regulator, "", &[]),
        ],
    };
    let signed = SignedDisclosure::sign(&key(3), &document).unwrap();
    let entry = Entry::Document {
        kind: schemas::disclosure::KIND.into(),
        hash: signed.hash(),
        time: at(21),
    };
    format!(
        "## Example\nSeed of the organisation 03. A consumer sees neither the business documents nor the amount, and of events of step `storing` not the items either.\n\n{}\n`prev` of the next document: `{}`.\n\n{}",
        hex_block("Document", signed.bytes()),
        signed.id(),
        hex_block("Log entry", &entry.encode()),
    )
}

/// An event under each of two policies; the second had seen a checkpoint, its key is revoked now.
fn succession_example() -> String {
    let mut past = Past::new();
    let first = past.event("2026-11-22T08:00:00+08:00");
    past.wait(3600);
    past.succeed(Terms {
        log: "log-2",
        witnesses: &["witness-2", "witness-4"],
        ..FIRST
    });
    past.wait(60);
    let seen = past.witness();
    let second = past.say("qinghe/store-1", "2026-11-19T08:00:00+08:00", Some(seen));
    past.anchor();
    past.witness();
    past.wait(3600);
    let compromised_since = Some(at(3000));
    past.set_state(
        "qinghe/store-1",
        State::Revoked { compromised_since },
        "qinghe",
    );
    past.witness();
    let (fresh, seen) = (true, true);
    let bundle = past.bundle(&[first, second], Shown { fresh, seen });
    let json = String::from_utf8(bundle.to_json().unwrap()).unwrap();
    let report = proof::verify(json.as_bytes(), Some(&past.policy_entry(0))).unwrap();
    let mut lines = String::new();
    for event in &report.events {
        let of = &report.statements[event.statement];
        let marks: Vec<String> = event.marks.iter().map(ToString::to_string).collect();
        let after = of
            .not_before
            .map_or("nothing".into(), |after| after.to_string());
        lines += &format!(
            "| {} | {after} | {} | {} |\n",
            event.statement,
            of.anchored,
            marks.join(", ")
        );
    }
    let old = schemas::hash::sha256(&past.policy_entry(0));
    format!(
        "## Example\nA key is the Ed25519 key whose seed is SHA-256 of its name (`log-1`, `witness-2`, `association`, `qinghe`, `qinghe/store-1`, ...). A witness leaves, another one and another log key come; later the device's key is revoked. Verdict: {}, under policy `{}`, also for a reader who trusts the one before (`{old}`).\n\n| event of statement | made after | anchored | marks |\n|---|---|---|---|\n{lines}```\n{json}\n```\n",
        report.verdict, report.policy_hash,
    )
}

fn compare(file: &str, example: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once("<!-- example: begin").unwrap();
    let (mark, rest) = rest.split_once("-->\n").unwrap();
    let (_, tail) = rest.split_once("<!-- example: end -->").unwrap();
    let fresh = format!("{head}<!-- example: begin{mark}-->\n{example}<!-- example: end -->{tail}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    } else {
        assert!(
            fresh == text,
            "{file}: the example is stale; UPDATE_DOCS=1 cargo test -p schemas --test documents"
        );
    }
}

#[test]
fn examples_in_the_documents_are_what_the_code_makes() {
    let example = example();
    compare("statement.md", &statement_example(&example));
    compare("registry.md", &registry_example(&example));
    compare("log.md", &log_example(&example));
    compare("proof-bundle.md", &bundle_example(&example));
    compare("proof-bundle-v2.md", &succession_example());
    compare("tombstones.md", &tombstone_example(&example));
    compare("disclosure.md", &disclosure_example(&example));
}

#[test]
fn the_example_bundle_verifies_under_its_policy_only() {
    let example = example();
    let bytes = example.bundle.to_json().unwrap();
    let entry = Entry::Policy(example.policy.clone()).encode();
    let report = proof::verify(&bytes, Some(&entry)).unwrap();
    assert!(report.policy_compared);
    assert_eq!(report.events[0].value("bizStep"), Some("storing".into()));
    assert_eq!(report.events[0].value("epcList"), None);
    let other = Policy {
        quorum: 2,
        ..example.policy
    };
    let refusal = proof::verify(&bytes, Some(&Entry::Policy(other).encode())).unwrap_err();
    assert_eq!(refusal.class, proof::Class::Policy);
}
