//! Trials that tests are made of.

use std::time::Duration;

use chrono::NaiveDate;
use proptest::prelude::*;
use schemas::ids::Slug;
use schemas::time::Instant;

use crate::money::{Currency, Money};
use crate::sandbox::indicators::{Fact, Month, Principal, Row};

pub(crate) fn cny(fen: i64) -> Money {
    Money::from_fen(fen, Currency::CNY).unwrap()
}

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(crate) fn month(text: &str) -> Month {
    text.parse().unwrap()
}

pub(crate) fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

pub(crate) fn row(id: &str, time: &str, fact: Fact) -> Row {
    Row {
        id: slug(id),
        at: at(time),
        fact,
    }
}

pub(crate) fn lent(loan: &str, borrower: &str, buyer: &str, fen: i64) -> Fact {
    Fact::Disbursed {
        loan: slug(loan),
        borrower: slug(borrower),
        buyer: slug(buyer),
        amount: cny(fen),
    }
}

pub(crate) fn due(loan: &str, parts: &[(&str, i64)]) -> Fact {
    let part = |(on, fen): &(&str, i64)| Principal {
        on: day(on),
        amount: cny(*fen),
    };
    Fact::Scheduled {
        loan: slug(loan),
        due: parts.iter().map(part).collect(),
    }
}

pub(crate) fn repaid(loan: &str, fen: i64) -> Fact {
    Fact::Repaid {
        loan: slug(loan),
        amount: cny(fen),
    }
}

/// A small trial of three months.
pub(crate) fn story() -> Vec<Row> {
    let lost = Fact::WrittenOff {
        loan: slug("l2"),
        amount: cny(300),
    };
    let applied = |name: &str| Fact::Applied {
        application: slug(name),
    };
    let decided = |name: &str, offered| Fact::Decided {
        application: slug(name),
        offered,
    };
    let complained = |name: &str, privacy| Fact::Complained {
        complaint: slug(name),
        privacy,
    };
    vec![
        row("a1", "2026-12-01T02:00:00Z", applied("p1")),
        row("a2", "2026-12-02T02:00:00Z", decided("p1", true)),
        row("a3", "2026-12-01T02:00:00Z", applied("p2")),
        row("a4", "2026-12-02T02:00:00.000001Z", decided("p2", false)),
        row("d1", "2026-12-03T02:00:00Z", lent("l1", "b1", "x", 1_000)),
        row(
            "s1",
            "2026-12-03T02:00:00Z",
            due("l1", &[("2026-12-31", 400), ("2027-01-30", 600)]),
        ),
        row("d2", "2026-12-04T02:00:00Z", lent("l2", "b2", "y", 500)),
        row(
            "s2",
            "2026-12-04T02:00:00Z",
            due("l2", &[("2026-12-20", 500)]),
        ),
        // The last moment of December in China, and the first of January.
        row("r1", "2026-12-31T15:59:59.999999Z", repaid("l2", 100)),
        row("r2", "2026-12-31T16:00:00Z", repaid("l1", 400)),
        row("w1", "2027-01-20T02:00:00Z", lost),
        row("c1", "2026-12-09T02:00:00Z", complained("k1", false)),
        row("c2", "2026-12-10T02:00:00Z", complained("k2", true)),
        row(
            "c3",
            "2027-01-02T02:00:00Z",
            Fact::Answered {
                complaint: slug("k1"),
            },
        ),
        row(
            "i1",
            "2026-12-11T02:00:00Z",
            Fact::Incident { privacy: true },
        ),
        row(
            "i2",
            "2026-12-12T02:00:00Z",
            Fact::Treated {
                incident: slug("i1"),
            },
        ),
        row(
            "i3",
            "2026-12-13T02:00:00Z",
            Fact::Incident { privacy: false },
        ),
    ]
}

/// Rows of a random trial that fit together.
pub(crate) fn trials() -> impl Strategy<Value = Vec<Row>> {
    let loan = (
        1i64..2_000,
        0u64..90,
        0u8..4,
        0u8..3,
        0i64..100,
        0i64..100,
        1u64..60,
    );
    let other = (0u8..6, 0u64..120, any::<bool>());
    let lists = (
        proptest::collection::vec(loan, 0..12),
        proptest::collection::vec(other, 0..12),
    );
    lists.prop_map(|(loans, others)| {
        let start = at("2026-11-15T09:00:00Z");
        let days = |days: u64| start.plus(Duration::from_secs(days * 86_400));
        let mut rows = Vec::new();
        for (number, (fen, on, borrower, buyer, back, lost, later)) in loans.into_iter().enumerate()
        {
            let name = format!("l{number}");
            let mut add = |kind: &str, at, fact| {
                rows.push(Row {
                    id: slug(&format!("{kind}{number}")),
                    at,
                    fact,
                })
            };
            add(
                "d",
                days(on),
                lent(&name, &format!("b{borrower}"), &format!("x{buyer}"), fen),
            );
            let half = day("2026-12-20");
            add(
                "s",
                days(on),
                due(
                    &name,
                    &[(&half.to_string(), fen / 2), ("2027-01-15", fen - fen / 2)],
                ),
            );
            let back = fen * back / 100;
            add("r", days(on + later), repaid(&name, back));
            let amount = cny((fen - back) * lost / 100);
            add(
                "w",
                days(on + 2 * later),
                Fact::WrittenOff {
                    loan: slug(&name),
                    amount,
                },
            );
        }
        for (number, (kind, on, flag)) in others.into_iter().enumerate() {
            let (name, id) = (
                slug(&format!("n{}", number / 2)),
                slug(&format!("o{number}")),
            );
            let fact = match kind {
                0 => Fact::Applied { application: name },
                1 => Fact::Decided {
                    application: name,
                    offered: flag,
                },
                2 => Fact::Complained {
                    complaint: name,
                    privacy: flag,
                },
                3 => Fact::Answered { complaint: name },
                4 => Fact::Incident { privacy: flag },
                _ => Fact::Treated {
                    incident: slug(&format!("o{}", number / 2)),
                },
            };
            rows.push(Row {
                id,
                at: days(on),
                fact,
            });
        }
        rows
    })
}
