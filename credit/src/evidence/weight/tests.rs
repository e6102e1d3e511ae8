use std::collections::BTreeSet;

use super::*;
use crate::evidence::verify;
use crate::facts::event::observe;
use crate::facts::{Facts, Rules};
use crate::testing::*;

const ALL: [Source; 4] = [Source::Declared, Source::File, Source::Scan, Source::Sensor];

fn weights() -> Weights {
    Weights::built_in().unwrap()
}

fn event(organisation: &Slug, source: Source) -> Weighed<'_> {
    Weighed {
        organisation,
        source,
        late: false,
        compromised: false,
        confirmation: None,
    }
}

#[test]
fn sources_weigh_in_their_order_and_say_why() {
    let own = slug("qinghe");
    let weigh = |source| weights().weigh(&event(&own, source));
    let all = ALL.map(|source| weigh(source).thousandths);
    assert_eq!(all, [200, 400, 600, 800]);
    let sensor = weigh(Source::Sensor);
    assert_eq!(sensor.counted_as, "sensor");
    assert_eq!(sensor.reasons, [Reason::OwnSource]);
}

#[test]
fn late_or_compromised_weighs_as_declared() {
    let own = slug("qinghe");
    for source in ALL {
        for (late, compromised, reasons) in [
            (true, false, &[Reason::Late][..]),
            (false, true, &[Reason::Compromised]),
            (true, true, &[Reason::Late, Reason::Compromised]),
        ] {
            let weight = weights().weigh(&Weighed {
                late,
                compromised,
                ..event(&own, source)
            });
            assert_eq!((weight.thousandths, &*weight.counted_as), (200, "declared"));
            assert_eq!(weight.reasons, reasons);
        }
    }
}

#[test]
fn a_counterpartys_confirmation_weighs_more_than_either_alone_and_ones_own_adds_nothing() {
    let (own, other) = (slug("qinghe"), slug("market"));
    let weights = weights();
    for source in ALL {
        for confirming in ALL {
            let confirmed = |by| {
                weights.weigh(&Weighed {
                    confirmation: Some(Confirmation {
                        by,
                        source: confirming,
                    }),
                    ..event(&own, source)
                })
            };
            let by_other = confirmed(&other);
            let alone = weights.of(source).max(weights.of(confirming));
            assert!(by_other.thousandths > alone && by_other.thousandths <= WHOLE);
            assert_eq!(by_other.reasons, [Reason::OwnSource, Reason::Confirmed]);
            let by_own = confirmed(&own);
            assert_eq!(by_own.thousandths, weights.of(source));
            assert_eq!(by_own.reasons, [Reason::OwnSource, Reason::OwnConfirmation]);
        }
    }
}

#[test]
fn a_table_that_breaks_a_rule_is_refused_and_the_field_named() {
    let cases = [
        ("sensor = 800", "sensor = 600", "source: "),
        ("scan = 600", "scan = 400", "source: "),
        ("file = 400", "file = 200", "source: "),
        ("confirmation = 200", "confirmation = 0", "confirmation: "),
        ("confirmation = 200", "confirmation = 201", "confirmation: "),
        (
            "confirmation = 200",
            "confirmation = 65535",
            "confirmation: ",
        ),
        (
            "measured_from = 600",
            "measured_from = 801",
            "measured_from: ",
        ),
        (
            "measured_from = 600",
            "measured_from = 199",
            "measured_from: ",
        ),
        ("version = 1", "version = 0", "version: "),
        ("evidence-weights/v1", "evidence-weights/v2", "format: "),
        ("declared = 200", "declared = 200\nrumour = 1", ""),
        ("declared = 200", "declared = -1", ""),
    ];
    for (from, to, said) in cases {
        let text = FILE.1.replace(from, to);
        assert_ne!(text, FILE.1, "{from}");
        let error = Weights::parse("weights.toml", &text).unwrap_err();
        assert!(error.to_string().starts_with(said), "{to}: {error}");
        if said.is_empty() {
            assert!(matches!(error, WeightsError::Form(_)), "{to}");
        }
    }
    assert_eq!(weights().hash, sha256(FILE.1.as_bytes()));
}

/// Declared, from a file, and two days too late.
fn mixed() -> World {
    let mut world = World::new(&DEVICES);
    tell_journey(&mut world, &WARM);
    let lot = "https://id.gs1.org/01/09521001000017/10/L2";
    for (minute, source) in [(0, Source::Declared), (1, Source::File)] {
        let told = inspecting(at(3, minute), lot, "conformant");
        world.say("qinghe/line-1", at(7, minute), &[(source, told)]);
    }
    let late = reading(at(4, 0), PALLET, "4.0");
    world.say_later(
        "qinghe/cold-1",
        at(8, 0),
        at(60, 0),
        &[(Source::Sensor, late)],
    );
    world
}

/// The built-in table says of each event what facts say by their own rules, and so the facts' bytes
/// are what they were.
#[test]
fn built_in_table_and_facts_say_the_same_of_every_event() {
    let mut world = mixed();
    let bundle = world.pack(at(72, 0));
    let evidence = verify(&bundle, &world.trusted()).unwrap();
    let (supplier, rules) = (slug("qinghe"), Rules::default());
    let as_of = at(72, 0);
    let facts = Facts::read(&evidence, &supplier, as_of, rules).unwrap();
    let (mut measured, mut counted) = (BTreeSet::new(), [0_u64; 4]);
    let observed = observe(&evidence, as_of, rules.late_after);
    for seen in observed.iter().filter(|seen| seen.is_of(&supplier)) {
        let event_of = evidence.events.iter().find(|one| one.leaf == seen.leaf);
        let event_of = event_of.unwrap();
        let weight = weights().weigh(&Weighed {
            late: seen.late,
            compromised: event_of.compromised,
            ..event(&supplier, event_of.source.unwrap())
        });
        assert_eq!(weight.counted_as, seen.source.word());
        counted[seen.source as usize] += 1;
        if weights().is_measured(seen.source) {
            measured.insert(seen.leaf);
        }
    }
    assert_eq!(facts.measured.leaves, measured);
    let of = |source: Source| facts.sources[source.word()].part;
    assert_eq!(ALL.map(of), ALL.map(|source| counted[source as usize]));
    assert_eq!(counted, [2, 1, 4, 12], "late counts as declared");
    // Reading twice is reading the same: nothing here is wired into facts.
    let again = Facts::read(&evidence, &supplier, as_of, rules).unwrap();
    assert_eq!(facts.to_bytes().unwrap(), again.to_bytes().unwrap());
}
