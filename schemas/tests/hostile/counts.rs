//! Counts that are wrong, and lists that are not in order or name something twice.

use schemas::cbor::Writer;
use schemas::hash::Hash;
use schemas::log::{BatchHeader, Entry, Policy, Refused, encode_refused};
use schemas::proof::{self, Bundle, Class};
use schemas::receipt::Receipt;
use schemas::registry::{Head, Role, SignedRecord, root_of_list};
use schemas::statement::{Message, Payload, Statement};

use super::{Read, made, refusal, refused};

/// The class by which a bundle is refused.
fn class(bundle: &Bundle) -> Class {
    proof::verify(&bundle.to_json().unwrap(), None)
        .unwrap_err()
        .class
}

#[test]
fn a_statement_that_counts_another_number_of_events_is_refused() {
    let made = made::made();
    let payload = &made.message.statement.payload;
    for count in [0, 257, 1 << 32, (1 << 53) - 1] {
        let payload = Payload {
            count,
            ..payload.clone()
        };
        let statement = Statement::sign(&made::device(), payload);
        refused(Read::Statement, statement.bytes(), "a wrong count");
    }
    for count in [1, 2, 4, 256] {
        let payload = Payload {
            count,
            ..payload.clone()
        };
        let statement = Statement::sign(&made::device(), payload);
        let message = Message {
            statement,
            events: made.message.events.clone(),
        };
        refused(Read::Message, &message.encode(), "another number of events");
    }
    let mut fewer = made.message.clone();
    fewer.events.pop();
    refused(Read::Message, &fewer.encode(), "an event too few");
    let mut twice = made.message;
    twice.events[2] = twice.events[0].clone();
    let twice = Message::decode(&twice.encode()).unwrap();
    assert!(twice.check_root().is_err());
}

#[test]
fn batch_headers_and_heads_with_impossible_counts_are_refused() {
    let made = made::made();
    let Ok(Entry::Header(header)) = Entry::parse(&made.entries[4]) else {
        panic!("a header")
    };
    let with = |change: &dyn Fn(&mut BatchHeader)| {
        let mut header = header.clone();
        change(&mut header);
        Entry::Header(header).encode()
    };
    for entry in [
        with(&|header| header.statements = 0),
        with(&|header| header.statements = 65_537),
        with(&|header| header.statements = (1 << 53) - 1),
        with(&|header| header.shard = 65_536),
        with(&|header| header.registry.count = 0),
        with(&|header| header.registry.version = 0),
        with(&|header| header.registry.count = 1 << 31),
        with(&|header| header.first = header.last + std::time::Duration::from_secs(1)),
        with(&|header| header.prev = Hash([1; 32])),
        with(&|header| header.seq = 1),
    ] {
        refused(Read::Entry, &entry, "a header that cannot be");
    }
    for (version, count) in [(0, 1), (1, 0), (1, 1 << 31), (1, (1 << 53) - 1)] {
        let head = Head {
            version,
            count,
            root: Hash([1; 32]),
        };
        let entry = Entry::Registry {
            head,
            time: made::at(0),
        }
        .encode();
        refused(Read::Entry, &entry, "a head that cannot be");
    }
}

/// Every count of a bundle that something signed also states, a little off.
#[test]
fn a_bundle_whose_rows_do_not_fit_what_is_signed_is_refused() {
    let good = made::made().bundle;
    let changed = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        class(&bundle)
    };
    let huge = (1 << 53) - 100;
    for index in [1, 3, 4, 1 << 40, huge] {
        assert_eq!(
            changed(&|b| b.statements[0].index = index),
            Class::BatchPath
        );
        assert_eq!(
            changed(&|b| b.events[1].index = 3 + index),
            Class::EventPath
        );
        assert_eq!(changed(&|b| b.headers[0].index = 5 + index), Class::LogPath);
        assert_eq!(
            changed(&|b| b.keys[1].index = 1 + index),
            Class::RegistryPath
        );
    }
    assert_eq!(changed(&|b| b.events[0].path.0.clear()), Class::EventPath);
    assert_eq!(
        changed(&|b| b.policies[0].path.0.truncate(1)),
        Class::LogPath
    );
    assert_eq!(changed(&|b| b.policies[0].index = 1), Class::LogPath);
    let path = good.statements[0].path.0[0];
    assert_eq!(
        changed(&|b| b.statements[0].path.0.push(path)),
        Class::BatchPath
    );
    assert_eq!(
        changed(&|b| b.statements[0].path.0 = vec![path; 65]),
        Class::Format
    );
    for position in [2, 1 << 20, usize::MAX >> 11] {
        assert_eq!(
            changed(&|b| b.statements[0].device = position),
            Class::Format
        );
        assert_eq!(
            changed(&|b| b.statements[0].header = position),
            Class::Format
        );
        assert_eq!(
            changed(&|b| b.events[0].statement = position),
            Class::Format
        );
        assert_eq!(changed(&|b| b.keys[0].header = position), Class::Format);
        assert_eq!(
            changed(&|b| b.headers[0].checkpoint = position),
            Class::Format
        );
    }
}

#[test]
fn duplicate_and_unsorted_rows_of_a_bundle_are_refused() {
    let good = made::made().bundle;
    let changed = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        class(&bundle)
    };
    assert_eq!(changed(&|b| b.events.swap(0, 1)), Class::Format);
    assert_eq!(
        changed(&|b| b.events.push(good.events[1].clone())),
        Class::Format
    );
    assert_eq!(
        changed(&|b| b.events.insert(0, good.events[0].clone())),
        Class::Format
    );
    assert_eq!(changed(&|b| b.keys.swap(0, 1)), Class::Format);
    assert_eq!(
        changed(&|b| b.keys.push(good.keys[1].clone())),
        Class::Format
    );
    assert_eq!(
        changed(&|b| b.headers.push(good.headers[0].clone())),
        Class::Format
    );
    assert_eq!(
        changed(&|b| b.statements.push(good.statements[0].clone())),
        Class::Format
    );
    let later = |index| {
        let mut row = good.statements[0].clone();
        row.index = index;
        row
    };
    assert_eq!(changed(&|b| b.statements.push(later(1))), Class::Statement);
    assert_eq!(
        changed(&|b| b.checkpoints.push(good.checkpoints[0].clone())),
        Class::Checkpoint
    );
    assert_eq!(changed(&|b| b.checkpoints.clear()), Class::Format);
    let twice = |b: &mut Bundle| {
        if let Some(members) = &mut b.events[0].members {
            members[2] = members[1].clone();
        }
    };
    assert!([Class::EventPath, Class::Member].contains(&changed(&twice)));
}

#[test]
fn duplicate_and_unsorted_lists_of_signed_objects_are_refused() {
    let made = made::made();
    let row = |statement, event| Refused {
        statement,
        event,
        code: "epcis".into(),
    };
    for list in [
        vec![],
        vec![row(0, 1), row(0, 1)],
        vec![row(0, 2), row(0, 1)],
        vec![row(1, 0), row(0, 0)],
        vec![row(0, 256)],
        vec![Refused {
            code: "late".into(),
            ..row(0, 0)
        }],
    ] {
        refused(Read::Refused, &encode_refused(&list), "a list out of order");
    }
    let record = made::record(made.policy.log, &made::device(), Role::Capture);
    let texts = |words: &[&str]| {
        words
            .iter()
            .map(|&word| word.to_owned())
            .collect::<Vec<_>>()
    };
    for words in [&["b", "a"][..], &["a", "a"], &[""], &["a", ""]] {
        let mut places = record.clone();
        places.places = texts(words);
        let mut steps = record.clone();
        steps.steps = texts(words);
        for mut record in [places, steps] {
            record.consent = Some(record.consent_by(&made::device()));
            let signed = SignedRecord::sign(&made::key(3), record);
            refused(Read::Record, signed.bytes(), "a list out of order");
        }
    }
    for sources in [vec![3, 2], vec![2, 2], vec![4], vec![0, 1, 2, 3, 3]] {
        let mut record = made::record(made.policy.log, &made::device(), Role::Capture);
        record.sources = sources;
        record.consent = Some(record.consent_by(&made::device()));
        refused(
            Read::Record,
            SignedRecord::sign(&made::key(3), record).bytes(),
            "sources",
        );
    }
    let pair = |n| (Hash([n; 32]), Hash([9; 32]));
    assert!(root_of_list(&[pair(1), pair(1)]).is_none());
    assert!(root_of_list(&[pair(2), pair(1)]).is_none());
}

#[test]
fn policies_with_a_party_twice_or_out_of_order_are_refused() {
    let policy = made::made().policy;
    let with = |change: &dyn Fn(&mut Policy)| {
        let mut policy = policy.clone();
        change(&mut policy);
        Entry::Policy(policy).encode()
    };
    for (what, entry) in [
        (
            "a name twice",
            with(&|p| p.witnesses[1].name = p.witnesses[0].name.clone()),
        ),
        ("names out of order", with(&|p| p.witnesses.swap(0, 1))),
        (
            "a key twice",
            with(&|p| p.witnesses[1].key = p.witnesses[0].key.clone()),
        ),
        (
            "the log's key as a witness",
            with(&|p| p.witnesses[0].key = p.log_key.clone()),
        ),
        (
            "a registrar as a witness",
            with(&|p| p.witnesses[0].key = p.registrars[0].key.clone()),
        ),
        (
            "a witness named like the log",
            with(&|p| p.witnesses[0].name = p.origin.to_string()),
        ),
        ("no witness", with(&|p| p.witnesses.clear())),
        ("no registrar", with(&|p| p.registrars.clear())),
        ("no quorum", with(&|p| p.quorum = 0)),
        ("a quorum above the witnesses", with(&|p| p.quorum = 5)),
        ("a huge quorum", with(&|p| p.quorum = (1 << 53) - 1)),
        ("another log id", with(&|p| p.log = Hash([1; 32]))),
    ] {
        refused(Read::Entry, &entry, what);
    }
}

#[test]
fn receipts_whose_ranges_do_not_fit_their_ids_are_refused() {
    let id = Hash([4; 32]);
    let receipt = |ranges: &[(u64, u64)], ids: usize| {
        let receipt = Receipt {
            log: Hash([1; 32]),
            device: "a/b".parse().unwrap(),
            epoch: 0,
            ranges: ranges.to_vec(),
            last: id,
            time: made::at(0),
            deadline: made::at(60),
            refused: vec![],
            ids: vec![id; ids],
        };
        receipt.sign(&made::key(5))
    };
    assert_eq!(refusal(Read::Receipt, &receipt(&[(0, 1), (3, 3)], 3)), None);
    let top = (1 << 53) - 1;
    for (ranges, ids) in [
        (&[][..], 0),
        (&[(0, 0)], 2),
        (&[(0, 2)], 2),
        (&[(1, 0)], 0),
        (&[(0, 0), (1, 1)], 2),
        (&[(3, 3), (0, 1)], 3),
        (&[(0, 1), (1, 2)], 4),
        (&[(0, top)], 1),
        (&[(0, 1_024)], 1_025),
        (&[(top, top), (0, 0)], 2),
    ] {
        refused(
            Read::Receipt,
            &receipt(ranges, ids),
            &format!("{ranges:?} over {ids} ids"),
        );
    }
}

/// Array and string heads that announce more than there is, up to the most that a head can say.
#[test]
fn huge_counts_are_refused_at_every_head() {
    for (read, name, bytes) in super::good() {
        let start = match read {
            Read::Statement
            | Read::Message
            | Read::Record
            | Read::Request
            | Read::Receipt
            | Read::Reply
            | Read::Refused => 0,
            Read::Entry => 1,
            _ => continue,
        };
        for item in super::cbor::all(&super::cbor::item(&bytes, start)) {
            if ![2, 3, 4, 5].contains(&item.major) {
                continue;
            }
            let more = [
                item.value + 1,
                255,
                65_535,
                1 << 20,
                (1 << 32) - 1,
                1 << 32,
                1 << 53,
                1 << 63,
                u64::MAX,
            ];
            for value in more.into_iter().filter(|&value| value > item.value) {
                let mut w = Writer::new();
                match item.major {
                    4 => drop(w.array(usize::try_from(value).unwrap())),
                    5 => drop(w.map(usize::try_from(value).unwrap())),
                    major => {
                        let width = [(23, 0), (255, 1), (65_535, 2), ((1 << 32) - 1, 4)];
                        let fits = width.into_iter().find(|(most, _)| value <= *most);
                        let head =
                            super::cbor::head(major, value, fits.map_or(8, |(_, width)| width));
                        let broken = [&bytes[..item.at], &head, &bytes[item.body..]].concat();
                        refused(
                            read,
                            &broken,
                            &format!("{name} with {value} bytes at {}", item.at),
                        );
                        continue;
                    }
                }
                let broken = [&bytes[..item.at], &w.finish(), &bytes[item.body..]].concat();
                refused(
                    read,
                    &broken,
                    &format!("{name} with {value} items at {}", item.at),
                );
            }
        }
    }
}
