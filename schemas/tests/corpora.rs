//! Every kept input of the fuzz targets through its target: what was found once is tried again at
//! each test run. `UPDATE_CORPUS=1 cargo test -p schemas --test corpora` writes the seeds that our
//! own code makes; files that the fuzzer found are kept beside them and are left alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "past/bundle.rs"]
mod bundle;
#[path = "past/cases.rs"]
#[expect(dead_code, reason = "one past of many")]
mod cases;
#[path = "past/log.rs"]
mod log;
#[path = "support/made.rs"]
mod made;
#[path = "../../tests/fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::path::PathBuf;

use made::{Made, device, event_text};
use schemas::disclosure::{Audience, Disclosure, Rule, SignedDisclosure};
use schemas::enrol::Request;
use schemas::hash::Hash;
use schemas::log::{Entry, PolicyFile, encode_refused};
use schemas::proof::Bundle;
use schemas::tlog::encode_entries;
use schemas::tlog_policy::TlogPolicy;
use schemas::tombstone::TombstoneList;

/// Most kept files of a target.
const FILES_MAX: usize = 40;
/// Longest kept file in bytes.
const FILE_MAX: u64 = 65_536;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus")
}

/// A file of a corpus: (target, name, content).
type Seed = (&'static str, &'static str, Vec<u8>);

fn seeds() -> Vec<Seed> {
    let made = made::made();
    let mut seeds = signed(&made);
    seeds.extend(logged(&made));
    seeds.extend(texts());
    seeds.extend(rows(&made));
    seeds
}

fn signed(made: &Made) -> Vec<Seed> {
    let [organisation, device_record] = &made.records;
    let claim = made::claim();
    let request = Request::sign(&claim, &device(), &"store-1".parse().unwrap(), &[5; 32]);
    let heartbeat = &made.notes[0];
    let claim = serde_json::to_vec(&claim).unwrap();
    vec![
        (
            "statement",
            "events",
            made.message.statement.bytes().to_vec(),
        ),
        (
            "statement",
            "heartbeat",
            heartbeat.statement.bytes().to_vec(),
        ),
        (
            "statement",
            "epoch",
            made.notes[1].statement.bytes().to_vec(),
        ),
        ("message", "events", made.message.encode()),
        ("message", "heartbeat", heartbeat.encode()),
        ("record", "organisation", organisation.bytes().to_vec()),
        ("record", "device", device_record.bytes().to_vec()),
        ("record", "draft", device_record.record.draft()),
        ("bundle", "good", made.bundle.to_json().unwrap()),
        ("bundle", "good-v2", version_2()),
        ("enrolment", "claim", claim),
        ("enrolment", "request", request.unwrap()),
        ("disclosure", "first", disclosure(made)),
        ("reply", "receipt", made.replies[0].encode()),
        ("reply", "inclusion", made.replies[1].encode()),
    ]
}

/// The organisation withholds an amount from consumers.
fn disclosure(made: &Made) -> Vec<u8> {
    let rule = |audience, withheld: &[&str]| Rule {
        audience,
        step: String::new(),
        withheld: withheld.iter().map(|&name| name.to_owned()).collect(),
    };
    let rules = Audience::ALL.map(|audience| match audience {
        Audience::Consumer => rule(audience, &["tb:invoiceAmount", "tb:invoiceCurrency"]),
        other => rule(other, &[]),
    });
    let disclosure = Disclosure {
        log: made.policy.log,
        organisation: "qinghe".parse().unwrap(),
        version: 1,
        prev: Hash::ZERO,
        made: made::at(0),
        rules: rules.into(),
    };
    let signed = SignedDisclosure::sign(&made::key(3), &disclosure).unwrap();
    signed.bytes().to_vec()
}

fn tombstones(made: &Made) -> Vec<u8> {
    let mut leaves: Vec<Hash> = made
        .message
        .events
        .iter()
        .map(|event| event.leaf())
        .collect();
    leaves.sort();
    let list = TombstoneList {
        log: made.policy.log,
        made: made::at(0),
        by: "operator".into(),
        reason: "person-asked".into(),
        leaves,
    };
    list.encode().unwrap()
}

fn logged(made: &Made) -> Vec<Seed> {
    let names = ["policy", "registry", "document", "tombstones", "header"];
    let entries = names.iter().zip(&made.entries);
    let mut seeds: Vec<Seed> = entries
        .map(|(name, entry)| ("log_entry", *name, entry.clone()))
        .collect();
    let bundle = encode_entries(&made.entries).unwrap();
    let wrong = Entry::Policy(schemas::log::Policy {
        quorum: 9,
        ..made.policy.clone()
    });
    seeds.extend([
        ("log_entry", "quorum", wrong.encode()),
        ("entries", "five", [&[4], &*bundle].concat()),
        ("entries", "missing", [&[5], &*bundle].concat()),
        ("tile", "three", vec![7; 96]),
        ("tile", "cut", vec![7; 95]),
        ("checkpoint", "cosigned", made.note.encode()),
        ("tombstones", "three", tombstones(made)),
        (
            "tlog_policy",
            "ours",
            TlogPolicy::of(&made.policy, |_| None).encode(),
        ),
        ("refused", "one", encode_refused(&made.refused)),
        (
            "policy_file",
            "good",
            serde_json::to_vec(&PolicyFile::new(made.entries[0].clone())).unwrap(),
        ),
    ]);
    seeds
}

const LINKS: [(&str, &str); 10] = [
    ("lgtin", "https://id.gs1.org/01/09521001000017/10/L1"),
    (
        "alias",
        "https://shop.example/a/gtin/9521001000017/lot/L%2F1?17=261231#x",
    ),
    (
        "serial",
        "HTTPS://ID.GS1.ORG/01/09521001000017/22/A/10/B/21/C",
    ),
    ("sgtin-urn", "urn:epc:id:sgtin:9521001.000001.1%2F2"),
    ("class-urn", "urn:epc:class:lgtin:9521001.000001.L1"),
    ("pattern-urn", "urn:epc:idpat:sgtin:9521001.000001.*"),
    ("sscc", "https://id.gs1.org/00/095210010000000018"),
    ("itip", "https://id.gs1.org/8006/095210010000170102/21/7"),
    ("other", "urn:uuid:6a3f1b60-0000-4000-8000-000000000000"),
    ("broken", "https://id.gs1.org/01/09521001000018/10/%F0%28"),
];

const ELEMENTS: [(&str, &str); 8] = [
    ("bracketed", "(01)09521001000017(10)L1(17)261231"),
    ("escaped", "(01)09521001000017(10)A\\(21)B(21)7"),
    ("scanned", "]d2010952100100001717261231"),
    ("fnc1", "\u{1d}0109521001000017\u{1d}10L1\u{1d}21S7"),
    ("sscc", "00095210010000000018"),
    ("grai", "]C18003095210010000151234"),
    ("weight", "010952100100001731030012503922471\u{1d}10AB"),
    ("many", "(10)1(10)2(10)3(21)4(90)5(91)6"),
];

const EVENTS: [(&str, &str); 6] = [
    ("small", r#"{"a":1}"#),
    (
        "values",
        r#"{"a":[1,2.5e3,-0,"\u00e9\ud83d\ude00"],"b":{"x": [ ] },"c":null,"d":"\u0000"}"#,
    ),
    ("twice", r#"{"a":{"b":1,"\u0062":2}}"#),
    ("surrogate", r#"{"a":"\ud800"}"#),
    (
        "transformation",
        r#"{"type":"TransformationEvent","eventTime":"2026-11-22T00:00:00Z","eventTimeZoneOffset":"+00:00","inputQuantityList":[{"epcClass":"https://id.gs1.org/01/09521001000017/10/A","quantity":1.5,"uom":"KGM"}],"outputEPCList":["urn:epc:id:sgtin:9521001.000001.1"],"transformationID":"urn:x:1"}"#,
    ),
    (
        "association",
        r#"{"type":"AssociationEvent","eventTime":"2026-11-22T00:00:00.123456789-14:00","eventTimeZoneOffset":"-14:00","action":"ADD","parentID":"https://id.gs1.org/8003/095210010000151","childEPCs":["https://id.gs1.org/8004/95210011"],"bizTransactionList":[{"type":"po","bizTransaction":"urn:x:2"}],"errorDeclaration":{"declarationTime":"2026-11-23T00:00:00Z","reason":"incorrect_data","correctiveEventIDs":["urn:x:3"]}}"#,
    ),
];

fn texts() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = Vec::new();
    let tables: [(&'static str, &[(&'static str, &'static str)]); 3] = [
        ("digital_link", &LINKS),
        ("element_string", &ELEMENTS),
        ("event", &EVENTS),
    ];
    for (target, table) in tables {
        seeds.extend(
            table
                .iter()
                .map(|(name, text)| (target, *name, text.as_bytes().to_vec())),
        );
    }
    let (one, two) = (event_text(1), event_text(2));
    let context =
        r#""@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]"#;
    let head = r#""schemaVersion":"2.0","creationDate":"2026-11-22T08:00:00Z""#;
    let document = format!(
        r#"{{{context}, "type": "EPCISDocument",{head},"epcisBody":{{"eventList":[ {one},{two} ,{{"type":1,"type":2}}, 3]}}}}"#
    );
    let query = format!(
        r#"{{{context},"type":"EPCISQueryDocument",{head},"epcisBody":{{"queryResults":{{"queryName":"q","resultsBody":{{"eventList":[]}}}}}}}}"#
    );
    seeds.extend([
        ("event", "object", one.clone().into_bytes()),
        ("document", "bare", one.into_bytes()),
        ("document", "two", document.into_bytes()),
        ("document", "query", query.into_bytes()),
        ("document", "deep", [&b"["[..]; 40].concat()),
    ]);
    seeds
}

/// A bundle of two statements under two policies, with a recent head and what was seen.
fn version_2() -> Vec<u8> {
    let (past, first, second) = cases::succeeded(cases::FEWER);
    let shown = bundle::Shown {
        fresh: true,
        seen: true,
    };
    past.bundle(&[first, second], shown).to_json().unwrap()
}

/// For each kind of row what stands there, or something like it.
fn rows(made: &Made) -> Vec<Seed> {
    let row = |kind: u8, bytes: &[u8]| [&[kind, 0], bytes].concat();
    let second = |kind: u8, bytes: &[u8]| [&[kind, 0x80], bytes].concat();
    let mut shorter = made.note.clone();
    shorter.lines.pop();
    let past = Bundle::parse(&version_2()).unwrap();
    let fresh = past.fresh.as_ref().unwrap();
    vec![
        ("bundle_row", "note", row(0, &made.note.encode())),
        ("bundle_row", "note-short", row(0, &shorter.encode())),
        ("bundle_row", "header", row(1, &made.entries[4])),
        (
            "bundle_row",
            "refused",
            row(2, &encode_refused(&made.refused)),
        ),
        ("bundle_row", "record", row(3, made.records[0].bytes())),
        (
            "bundle_row",
            "statement",
            row(4, made.message.statement.bytes()),
        ),
        (
            "bundle_row",
            "later",
            row(5, made.notes[0].statement.bytes()),
        ),
        ("bundle_row", "policy", second(6, &past.policies[0].entry.0)),
        (
            "bundle_row",
            "handover",
            second(7, &past.checkpoints[0].note.0),
        ),
        ("bundle_row", "fresh", second(8, &fresh.entry.0)),
        (
            "bundle_row",
            "fresh-record",
            second(9, &fresh.keys[0].record.0),
        ),
        ("bundle_row", "value", row(11, br#""ObjectEvent""#)),
        ("bundle_row", "index", row(19, &[0; 7])),
        ("bundle_row", "path", row(35, &[7; 64])),
        ("bundle_row", "prefix", second(39, &[])),
    ]
}

#[test]
fn seeds_are_what_our_own_code_makes() {
    let update = std::env::var_os("UPDATE_CORPUS").is_some();
    for (target, name, bytes) in seeds() {
        let file = folder().join(target).join(name);
        if update {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, bytes).unwrap();
        } else {
            let kept = std::fs::read(&file).unwrap_or_default();
            let hint = "UPDATE_CORPUS=1 cargo test -p schemas --test corpora";
            assert!(kept == bytes, "{} is stale: {hint}", file.display());
        }
    }
}

#[test]
fn every_kept_input_is_read_or_refused_without_a_panic() {
    let mut folders = BTreeSet::new();
    for (target, read) in targets::TARGETS {
        let mut outcomes = BTreeSet::new();
        let mut count = 0;
        for entry in std::fs::read_dir(folder().join(target)).unwrap() {
            let path = entry.unwrap().path();
            assert!(
                path.metadata().unwrap().len() <= FILE_MAX,
                "{}",
                path.display()
            );
            println!("{}", path.display());
            outcomes.insert(read(&std::fs::read(&path).unwrap()));
            count += 1;
        }
        assert!(
            (1..=FILES_MAX).contains(&count),
            "{target} has {count} files"
        );
        assert!(
            outcomes.contains(&true),
            "no kept input of {target} is taken"
        );
        folders.insert(target.to_owned());
    }
    // The gateway's own, which `edge-agent` replays (`http::message::tests`).
    folders.insert("answer".to_owned());
    // No corpus without its target, which nobody would replay.
    let kept: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(kept, folders);
}

/// The kept inputs cut at every place, and with each byte changed: nothing panics, and no property
/// breaks. What a fuzzer tries first, on the spot.
#[test]
fn kept_inputs_cut_and_changed_do_not_panic_either() {
    for (target, read) in targets::TARGETS {
        for entry in std::fs::read_dir(folder().join(target)).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            // A bundle's signatures take a debug build milliseconds.
            let places = if target.starts_with("bundle") { 5 } else { 50 };
            let step = bytes.len().div_ceil(places).max(1);
            for at in (0..bytes.len()).step_by(step) {
                read(&bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                read(&changed);
            }
        }
    }
}
