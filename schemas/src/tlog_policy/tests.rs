//! Files of the specification's form, and everything that is none.

use proptest::prelude::*;

use super::*;
use crate::hash::Hash;
use crate::key::SecretKey;
use crate::log::Party;
use crate::note::{Checkpoint, Note};
use crate::time::Instant;

const ORIGIN: &str = "log.example/t";

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn vkey(name: &str, kind: Kind, seed: u8) -> String {
    let key = key(seed).public();
    let name = name.to_owned();
    VerifierKey { name, kind, key }.to_string()
}

fn log_line() -> String {
    format!("log {}\n", vkey(ORIGIN, Kind::Note, 1))
}

/// Witnesses a, b, c, ... with keys 10, 11, 12, ...
fn witnesses(count: u8) -> String {
    let line = |n: u8| {
        let name = char::from(b'a' + n);
        let vkey = vkey(&format!("{name}.example"), Kind::Cosignature, 10 + n);
        format!("witness {name} {vkey}\n")
    };
    (0..count).map(line).collect()
}

fn read(text: &str) -> Result<TlogPolicy, LineError> {
    TlogPolicy::parse(text.as_bytes())
}

#[test]
fn the_specifications_example_is_evaluated_by_its_nested_groups() {
    let text = format!(
        "# two organisations\n\n{}{} \t group X 2 a b c",
        log_line(),
        witnesses(6)
    );
    let text = format!("{text}\ngroup Y any d e f\ngroup X-and-Y all X Y\n\tquorum  X-and-Y \n");
    let policy = read(&text).unwrap();
    for (cosigned, met) in [
        (&[0, 1, 3][..], true),
        (&[0, 2, 4, 5], true),
        (&[0, 1, 2, 3, 4, 5], true),
        (&[0, 1, 2], false),
        (&[0, 3, 4, 5], false),
        (&[], false),
    ] {
        assert_eq!(policy.is_met(cosigned), met, "{cosigned:?}");
    }
    assert_eq!(policy.flat(), None);
}

#[test]
fn a_quorum_may_be_one_witness_or_nobody() {
    let one = read(&format!("{}{}quorum b\n", log_line(), witnesses(2))).unwrap();
    assert!(one.is_met(&[1]) && !one.is_met(&[0]));
    let none = read("quorum none\n").unwrap();
    assert!(none.is_met(&[]) && none.logs().is_empty());
}

#[test]
fn names_are_octets() {
    let key = vkey("k.example", Kind::Cosignature, 10);
    let other = vkey("l.example", Kind::Cosignature, 11);
    let mut file = format!("witness K {key}\nwitness ").into_bytes();
    file.extend([0xe2, 0x84, 0xaa, b' ']);
    file.extend(format!("{other} https://w.example/").bytes());
    file.extend([0xff, b'\n']);
    file.extend(b"quorum \xe2\x84\xaa\n");
    let policy = TlogPolicy::parse(&file).unwrap();
    assert_eq!(policy.quorum(), Some(Member::Witness(1)));
    assert_eq!(TlogPolicy::parse(&policy.encode()), Ok(policy));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let head = format!("{}{}", log_line(), witnesses(3));
    let wrong = |tail: &str| read(&format!("{head}{tail}")).unwrap_err();
    let unknown = |name: &str| Problem::Unknown(name.into());
    let group = Problem::Words("group <name> all|any|<k> <name>...");
    for (tail, line, problem) in [
        ("", 0, Problem::NoQuorum),
        ("quorum a", 5, Problem::CutOff),
        ("quorum a\r\n", 5, Problem::Octet(b'\r')),
        ("quorum a\x7f\n", 5, Problem::Octet(0x7f)),
        ("quorum\x0ba\n", 5, Problem::Octet(0x0b)),
        ("quorums a\n", 5, Problem::Keyword("quorums".into())),
        ("quorum\n", 5, Problem::Words("quorum <name>")),
        ("quorum a b\n", 5, Problem::Words("quorum <name>")),
        ("quorum z\n", 5, unknown("z")),
        ("quorum a\nquorum a\n", 6, Problem::QuorumTwice),
        ("quorum g\ngroup g any a\n", 5, unknown("g")),
        ("group g any\n", 5, group.clone()),
        ("group g\n", 5, group),
        ("group g any z\n", 5, unknown("z")),
        ("group g any g\n", 5, unknown("g")),
        ("group g any none\n", 5, unknown("none")),
        ("group g any a a\n", 5, Problem::MemberTwice("a".into())),
        (
            "group g any a\ngroup h any a\n",
            6,
            Problem::MemberTwice("a".into()),
        ),
        ("group a any b\n", 5, Problem::NameTaken("a".into())),
        ("group none any b\n", 5, Problem::NameTaken("none".into())),
        ("group g 0 a\n", 5, Problem::Threshold(1)),
        ("group g 3 a b\n", 5, Problem::Threshold(2)),
        ("group g +1 a b\n", 5, Problem::Threshold(2)),
        ("group g ALL a b\n", 5, Problem::Threshold(2)),
        ("log x\n", 5, Problem::Key(VkeyError::Form)),
    ] {
        assert_eq!(wrong(tail), LineError { line, problem }, "{tail:?}");
    }
    let again = format!("witness d {}\n", vkey("other", Kind::Cosignature, 10));
    assert_eq!(wrong(&again).problem, Problem::KeyTwice);
    let log = format!("log {}\n", vkey("other", Kind::Note, 1));
    assert_eq!(wrong(&log).problem, Problem::KeyTwice);
    let kind = format!("witness d {}\n", vkey("d", Kind::Note, 20));
    assert_eq!(wrong(&kind).problem, Problem::WrongKind("witness"));
    let id = format!("log {}\n", vkey("o", Kind::Note, 21).replace("o+", "p+"));
    assert_eq!(wrong(&id).problem, Problem::Key(VkeyError::Id));
    assert_eq!(
        wrong(&id).to_string(),
        "line 5: the key id is not of this name and key"
    );
}

#[test]
fn a_policy_has_limits() {
    let long = format!("#{}\nquorum none\n", "x".repeat(FILE_MAX));
    assert_eq!(read(&long).unwrap_err().problem, Problem::TooLong);
    let mut many = witnesses(1);
    for n in 0..=EACH_MAX {
        let member = if n == 0 {
            "a".into()
        } else {
            format!("g{}", n - 1)
        };
        many.push_str(&format!("group g{n} any {member}\n"));
    }
    assert_eq!(read(&many).unwrap_err().problem, Problem::TooMany);
}

#[test]
fn somebody_elses_library_reads_our_keys() {
    let text = vkey(ORIGIN, Kind::Note, 1);
    assert!(signed_note::StandardVerifier::new(&text).is_ok());
    assert_eq!(VerifierKey::parse(&text).unwrap().to_string(), text);
}

fn policy(quorum: u64, count: u8) -> Policy {
    let party = |n: u8| Party {
        name: format!("{}.example", char::from(b'a' + n)),
        key: key(10 + n).public(),
    };
    let origin: crate::ids::Origin = ORIGIN.parse().unwrap();
    Policy {
        log: origin.log_id(&key(1).public_bytes()),
        origin,
        log_key: key(1).public(),
        witnesses: (0..count).map(party).collect(),
        quorum,
        registrars: vec![],
        prev: None,
        time: Instant::from_seconds(1),
    }
}

#[test]
fn our_own_policy_is_one_group_and_both_judge_alike() {
    let ours = policy(3, 4);
    let url = |name: &str| (name == "a.example").then(|| "https://a.example".to_owned());
    let theirs = TlogPolicy::of(&ours, url);
    assert_eq!(theirs.flat(), Some(3));
    assert_eq!(TlogPolicy::parse(&theirs.encode()), Ok(theirs.clone()));
    let checkpoint = Checkpoint {
        origin: ours.origin.clone(),
        size: 7,
        root: Hash([3; 32]),
    };
    let bare = Note::sign(checkpoint, &key(1));
    for who in 0_u8..16 {
        let mut note = bare.clone();
        for n in (0..4).filter(|n| who & (1 << n) != 0) {
            let (name, key) = (format!("{}.example", char::from(b'a' + n)), key(10 + n));
            let time = Instant::from_seconds(100 - i64::from(n));
            note.lines.push(bare.cosign(&name, &key, time));
        }
        let (mine, other) = (note.check_served(&ours), theirs.check_note(&note));
        assert_eq!(mine.is_ok(), other.is_ok(), "{who:04b}");
        if let (Ok(mine), Ok(other)) = (mine, other) {
            assert_eq!(Some(mine.anchored), other.anchored);
            assert_eq!(mine.witnesses.len(), other.witnesses.len());
        }
    }
    let foreign = Note::sign(bare.checkpoint.clone(), &key(2));
    assert_eq!(theirs.check_note(&foreign), Err(Unmet::Log));
    assert_eq!(theirs.check_note(&bare), Err(Unmet::Quorum(0)));
}

/// Any policy: each choice of shape is drawn.
fn any_policy() -> impl Strategy<Value = String> {
    let threshold = prop_oneof![
        Just("any".to_owned()),
        Just("all".to_owned()),
        Just("1".to_owned())
    ];
    let groups = prop::collection::vec((threshold, 1_usize..4), 0..5);
    (1_u8..9, groups, any::<bool>(), any::<bool>()).prop_map(|(count, groups, url, none)| {
        let mut text = log_line();
        if url {
            text = text.replace('\n', " https://log.example/\n");
        }
        text.push_str(&witnesses(count));
        let mut free: Vec<String> = (0..count)
            .map(|n| char::from(b'a' + n).to_string())
            .collect();
        for (n, (threshold, size)) in groups.into_iter().enumerate() {
            let members: Vec<String> = free.drain(..size.min(free.len())).collect();
            if members.is_empty() {
                break;
            }
            text.push_str(&format!("group g{n} {threshold} {}\n", members.join(" ")));
            free.push(format!("g{n}"));
        }
        let last = free.last().cloned().filter(|_| !none);
        format!("{text}quorum {}\n", last.unwrap_or("none".into()))
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(text in any_policy()) {
        let policy = read(&text).unwrap();
        prop_assert_eq!(TlogPolicy::parse(&policy.encode()), Ok(policy));
    }

    #[test]
    fn more_cosignatures_never_break_a_quorum(text in any_policy(), some in any::<u8>(), more in any::<u8>()) {
        let policy = read(&text).unwrap();
        let places = |bits: u8| (0..8).filter(|n| bits & (1 << n) != 0).collect::<Vec<usize>>();
        if policy.is_met(&places(some)) {
            prop_assert!(policy.is_met(&places(some | more)));
        }
    }

    #[test]
    fn garbage_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = TlogPolicy::parse(&bytes);
    }
}
