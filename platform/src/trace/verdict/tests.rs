//! The rule as a table, and told on the peaches of the fixture.

use schemas::time::Instant;

use super::*;
use crate::trace::fixture::{MORNING, Memory, device, peaches, time};
use crate::trace::{GapKind, Stated};

fn at(minutes: i64) -> Instant {
    Instant::parse_rfc3339(&time(minutes)).unwrap()
}

fn gap(address: &str, from: Option<i64>, until: Option<i64>) -> Gap {
    Gap {
        device: device(address),
        kind: GapKind::Missing,
        from: from.map(at),
        until: until.map(at),
    }
}

#[test]
fn a_gap_counts_while_its_organisation_holds_the_goods() {
    let journey = peaches(false).journey();
    let counts = |gap: Gap| during(&journey, &[gap]).len() == 1;
    assert!(counts(gap("qinghe/cold-1", Some(100), Some(140))));
    assert!(counts(gap("qinghe/other", Some(-90), Some(1))));
    assert!(!counts(gap("qinghe/cold-1", Some(-90), Some(-1))));
    assert!(
        !counts(gap("qinghe/cold-1", Some(400), Some(500))),
        "the truck has them by then"
    );
    assert!(counts(gap("northroad/truck-7", Some(400), None)));
    assert!(
        !counts(gap("corner-shop/desk", Some(901), None)),
        "sold by then"
    );
    assert!(
        counts(gap("corner-shop/desk", None, None)),
        "unknown times are taken unfavourably"
    );
    assert!(!counts(gap("stranger/pc", Some(100), Some(140))));
}

#[test]
fn verdicts_follow_the_rule() {
    let spot = Spot {
        step: 0,
        curve: 0,
        excursion: 0,
    };
    let stated = Stated {
        instant: MORNING,
        offset_minutes: 480,
    };
    let none = Facts::default;
    let recalled = Some(("qinghe".parse().unwrap(), stated));
    let refused = Some(("batch-path".to_owned(), 1));
    let gaps = vec![gap("qinghe/cold-1", None, None)];
    let two = vec!["a".parse().unwrap(), "b".parse().unwrap()];
    let everything = Facts {
        recalled: recalled.clone(),
        refused: refused.clone(),
        makers: two.clone(),
        excursion: Some((spot, 1)),
        gaps: gaps.clone(),
        late: 1,
        withheld: 1,
        erased: 1,
        archived: 1,
        truncated: true,
        unchecked: 1,
        declared: 1,
        unwitnessed: 1,
    };
    let table = [
        (none(), Verdict::Verified),
        (
            Facts {
                makers: vec!["a".parse().unwrap()],
                ..none()
            },
            Verdict::Verified,
        ),
        (everything.clone(), Verdict::Recalled),
        (
            Facts {
                recalled: None,
                ..everything
            },
            Verdict::Doubtful,
        ),
        (
            Facts {
                recalled,
                unchecked: 9,
                ..none()
            },
            Verdict::Recalled,
        ),
        (Facts { refused, ..none() }, Verdict::Doubtful),
        (
            Facts {
                makers: two,
                ..none()
            },
            Verdict::Doubtful,
        ),
        (
            Facts {
                excursion: Some((spot, 1)),
                unchecked: 1,
                ..none()
            },
            Verdict::Doubtful,
        ),
        (Facts { gaps, ..none() }, Verdict::Doubtful),
        (Facts { late: 1, ..none() }, Verdict::Doubtful),
        (
            Facts {
                withheld: 1,
                ..none()
            },
            Verdict::Doubtful,
        ),
        (
            Facts {
                erased: 1,
                ..none()
            },
            Verdict::Doubtful,
        ),
        (
            Facts {
                declared: 3,
                ..none()
            },
            Verdict::Doubtful,
        ),
        (
            Facts {
                declared: 3,
                unchecked: 3,
                ..none()
            },
            Verdict::NotChecked,
        ),
        (
            Facts {
                truncated: true,
                ..none()
            },
            Verdict::Doubtful,
        ),
        (
            Facts {
                unchecked: 1,
                unwitnessed: 1,
                ..none()
            },
            Verdict::NotChecked,
        ),
        (
            Facts {
                unwitnessed: 1,
                ..none()
            },
            Verdict::Doubtful,
        ),
    ];
    for (facts, verdict) in table {
        assert_eq!(judge(&facts).verdict, verdict, "{facts:?}");
    }
}

#[test]
fn not_yet_witnessed_is_the_reason_only_when_there_is_nothing_else() {
    let waiting = Facts {
        unwitnessed: 1,
        late: 1,
        ..Facts::default()
    };
    let reasons = judge(&waiting).reasons;
    assert_eq!(
        reasons,
        [
            Reason::Late { entries: 1 },
            Reason::NotWitnessed { entries: 1 }
        ]
    );
}

#[test]
fn the_peaches_are_judged_by_their_world() {
    let judged = |world: &Memory, gaps: &[Gap]| {
        judge(&Facts::of(&world.journey(), Some(&world.proof()), gaps)).verdict
    };
    assert_eq!(judged(&peaches(false), &[]), Verdict::Verified);
    assert_eq!(judged(&peaches(true), &[]), Verdict::Doubtful);
    assert_eq!(
        judged(&peaches(false), &[gap("qinghe/cold-1", Some(100), None)]),
        Verdict::Doubtful
    );
    let mut waiting = peaches(false);
    waiting.events.last_mut().unwrap().anchor = None;
    assert_eq!(judged(&waiting, &[]), Verdict::Doubtful);
    let unchecked = judge(&Facts::of(&peaches(false).journey(), None, &[])).verdict;
    assert_eq!(unchecked, Verdict::NotChecked);
}
