use schemas::hash::sha256;

use super::*;
use crate::testing::{at, slug};

fn link(epoch: u64, seq: u64, name: &str, prev: &str) -> VerifiedStatement {
    let id = |name: &str| {
        if name.is_empty() {
            Hash::ZERO
        } else {
            sha256(name.as_bytes())
        }
    };
    VerifiedStatement {
        id: id(name),
        device: "qinghe/line-1".parse().unwrap(),
        epoch,
        seq,
        prev: id(prev),
        anchored: at(1, 0),
        heartbeat_s: 0,
        retired_at: None,
        thinned: None,
        accepted: 0,
    }
}

fn found(statements: Vec<VerifiedStatement>) -> Vec<Missing> {
    let evidence = VerifiedEvidence {
        origin: "log.test/credit".into(),
        policy: Hash::ZERO,
        log_size: 1,
        root: Hash::ZERO,
        anchored: at(5, 0),
        statements,
        events: Vec::new(),
    };
    let gaps = gaps(&evidence, &slug("qinghe"), at(6, 0), Duration::ZERO);
    gaps.into_iter().map(|gap| gap.missing).collect()
}

#[test]
fn a_whole_chain_has_no_gap_in_any_order() {
    let chain = vec![
        link(0, 1, "b", "a"),
        link(0, 2, "c", "b"),
        link(0, 0, "a", ""),
    ];
    assert_eq!(found(chain), []);
    assert_eq!(found(Vec::new()), []);
}

#[test]
fn a_chain_that_begins_late_is_a_gap() {
    assert_eq!(
        found(vec![link(0, 2, "c", "b")]),
        [Missing::Seqs {
            epoch: 0,
            from: 0,
            to: 1
        }]
    );
    assert_eq!(
        found(vec![link(0, 0, "a", "x")]),
        [Missing::Link { epoch: 0, seq: 0 }]
    );
    let expected = [
        Missing::Epochs { before: 2 },
        Missing::EpochStart { epoch: 2 },
    ];
    assert_eq!(found(vec![link(2, 0, "a", "x")]), expected);
}

#[test]
fn a_statement_that_names_another_one_before_it_is_a_gap() {
    let chain = vec![link(0, 0, "a", ""), link(0, 1, "b", "x")];
    assert_eq!(found(chain), [Missing::Link { epoch: 0, seq: 1 }]);
}

#[test]
fn two_statements_in_one_place_are_a_fork() {
    let chain = vec![
        link(0, 0, "a", ""),
        link(0, 1, "b", "a"),
        link(0, 1, "c", "a"),
    ];
    assert_eq!(found(chain), [Missing::Fork { epoch: 0, seq: 1 }]);
}

#[test]
fn a_retired_device_owes_nothing_after_its_last_statement() {
    let mut last = link(0, 1, "b", "a");
    last.heartbeat_s = 60;
    last.retired_at = Some((0, 1));
    assert_eq!(found(vec![link(0, 0, "a", ""), last.clone()]), []);
    last.retired_at = Some((0, 4));
    let short = Missing::Silence {
        since: at(1, 0),
        until: at(5, 0),
    };
    assert_eq!(found(vec![link(0, 0, "a", ""), last]), [short]);
}
