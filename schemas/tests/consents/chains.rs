//! Chains of consent documents and whether they are in force.

use std::collections::BTreeSet;

use schemas::attestation::Kind;
use schemas::consent::{
    Act, Consent, Consents, Grant, Mark, Moment, Need, Purpose, Reach, SignedConsent,
};
use schemas::registry::{Record, State};
use serde::Serialize;

use super::documents::{after, first, grant, record};
use super::{DAY, at, key, log, slug};

/// One question about one chain, and its answer.
#[derive(Serialize)]
struct Case {
    name: &'static str,
    documents: Vec<String>,
    logged: Vec<bool>,
    known: Option<Mark>,
    /// State of the signer's record, null if it is not shown.
    signer: Option<&'static str>,
    need: Asked,
    /// Microseconds.
    clock: i64,
    seen: Option<i64>,
    answer: &'static str,
}

/// Null is all.
#[derive(Clone, Serialize)]
struct Asked {
    purpose: u64,
    devices: Option<Vec<&'static str>>,
    steps: Option<Vec<&'static str>>,
    members: Vec<&'static str>,
    attestations: Vec<u64>,
}

/// All cases, with the key that signs.
#[derive(Serialize)]
pub struct Vectors {
    key: String,
    log: String,
    supplier: &'static str,
    bank: &'static str,
    cases: Vec<Case>,
}

const WHOLE: Asked = Asked {
    purpose: 0,
    devices: None,
    steps: None,
    members: vec![],
    attestations: vec![],
};

struct Told<'d> {
    documents: Vec<&'d SignedConsent>,
    logged: bool,
    known: Option<Mark>,
    signer: Option<State>,
    need: Asked,
    clock: i64,
    seen: Option<i64>,
}

fn told<'d>(documents: &[&'d SignedConsent], clock: i64) -> Told<'d> {
    Told {
        documents: documents.to_vec(),
        logged: true,
        known: None,
        signer: Some(State::Active),
        need: WHOLE,
        clock,
        seen: None,
    }
}

fn only(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn need(asked: &Asked) -> Need {
    let slugs = |names: &Vec<&str>| Reach::Only(names.iter().map(|name| slug(name)).collect());
    Need {
        purpose: Purpose::from_number(asked.purpose).unwrap(),
        devices: asked.devices.as_ref().map_or(Reach::All, slugs),
        steps: asked
            .steps
            .as_ref()
            .map_or(Reach::All, |names| Reach::Only(only(names))),
        members: only(&asked.members),
        attestations: asked
            .attestations
            .iter()
            .map(|number| Kind::from_number(*number).unwrap())
            .collect(),
    }
}

/// Every document is shown as it stands; what may not be taken is left out, as a reader would.
fn case(name: &'static str, told: Told<'_>) -> Case {
    let mut chain = Consents::new(log(), slug("qinghe"), slug("first-bank"), told.known);
    for signed in &told.documents {
        let _ = chain.take((*signed).clone(), &record(), at(400 * DAY));
        if told.logged {
            chain.prove_logged(&signed.hash());
        }
    }
    let shown = told.signer.map(|state| Record { state, ..record() });
    let moment = Moment::new(at(told.clock), told.seen.map(at));
    let answer = chain.in_force(&need(&told.need), moment, |_| shown.as_ref());
    Case {
        name,
        documents: told
            .documents
            .iter()
            .map(|d| hex::encode(d.bytes()))
            .collect(),
        logged: vec![told.logged; told.documents.len()],
        known: told.known,
        signer: told.signer.map(|state| state.word()),
        need: told.need,
        clock: at(told.clock).as_micros(),
        seen: told.seen.map(|seen| at(seen).as_micros()),
        answer: answer.map_or_else(|refused| refused.reason.code(), |_| "granted"),
    }
}

fn mark(signed: &SignedConsent) -> Option<Mark> {
    Some(Mark {
        number: signed.consent.number,
        id: signed.id(),
    })
}

fn times() -> Vec<Case> {
    let one = SignedConsent::sign(&key(3), &first()).unwrap();
    let later = |seconds: i64| {
        let grant = Grant {
            from: at(seconds),
            ..grant()
        };
        SignedConsent::sign(
            &key(3),
            &Consent {
                act: Act::Grant(grant),
                ..first()
            },
        )
        .unwrap()
    };
    let tomorrow = later(DAY);
    let end = 30 + 90 * DAY;
    vec![
        case("in force", told(&[&one], DAY)),
        case("nothing shown", told(&[], DAY)),
        case("at its beginning", told(&[&tomorrow], DAY)),
        case("before its beginning", told(&[&tomorrow], DAY - 1)),
        case("before its end", told(&[&one], end - 1)),
        case("at its end", told(&[&one], end)),
        case(
            "the clock was moved back",
            Told {
                seen: Some(end),
                ..told(&[&one], DAY)
            },
        ),
        case(
            "what was seen is older than the clock",
            Told {
                seen: Some(DAY),
                ..told(&[&one], 2 * DAY)
            },
        ),
        case(
            "not logged",
            Told {
                logged: false,
                ..told(&[&one], DAY)
            },
        ),
    ]
}

fn histories() -> Vec<Case> {
    let one = SignedConsent::sign(&key(3), &first()).unwrap();
    let two = after(&one, DAY, Act::Withdrawal);
    let anew = |from: i64| {
        Act::Grant(Grant {
            from: at(from),
            ..grant()
        })
    };
    let three = after(&two, 2 * DAY, anew(2 * DAY));
    let other = after(&one, DAY, anew(DAY));
    let narrow = after(&one, DAY, anew(5 * DAY));
    vec![
        case("withdrawn", told(&[&one, &two], 2 * DAY)),
        case(
            "withdrawn and not logged",
            Told {
                logged: false,
                ..told(&[&one, &two], 2 * DAY)
            },
        ),
        case("granted again", told(&[&one, &two, &three], 3 * DAY)),
        case("replaced by a later one", told(&[&one, &narrow], 2 * DAY)),
        case("two with one number", told(&[&one, &two, &other], 2 * DAY)),
        case(
            "the withdrawal is held back",
            Told {
                known: mark(&two),
                ..told(&[&one], 2 * DAY)
            },
        ),
        case(
            "everything is held back",
            Told {
                known: mark(&one),
                ..told(&[], DAY)
            },
        ),
        case(
            "another document at the known number",
            Told {
                known: mark(&two),
                ..told(&[&one, &other], 2 * DAY)
            },
        ),
        case(
            "more than was known",
            Told {
                known: mark(&one),
                ..told(&[&one, &two, &three], 3 * DAY)
            },
        ),
        case("the first is missing", told(&[&two, &three], 3 * DAY)),
    ]
}

fn signers() -> Vec<Case> {
    let one = SignedConsent::sign(&key(3), &first()).unwrap();
    let two = after(&one, DAY, Act::Withdrawal);
    let revoked = || State::Revoked {
        compromised_since: None,
    };
    let retired = || State::Retired { last: None };
    let of = |name, signer, known| {
        case(
            name,
            Told {
                signer,
                known,
                ..told(&[&one], DAY)
            },
        )
    };
    vec![
        of("its key is retired", Some(retired()), mark(&one)),
        of("its key is retired and it is new", Some(retired()), None),
        of("its key is suspended", Some(State::Suspended), mark(&one)),
        of("its key is revoked", Some(revoked()), mark(&one)),
        of("its key is not shown", None, None),
        case(
            "withdrawn by a key that is revoked",
            Told {
                signer: Some(revoked()),
                ..told(&[&one, &two], 2 * DAY)
            },
        ),
    ]
}

fn scopes() -> Vec<Case> {
    let narrow = Grant {
        devices: vec![slug("line-1"), slug("store-1")],
        steps: vec!["shipping".into(), "storing".into()],
        ..grant()
    };
    let act = Act::Grant(narrow);
    let wide = SignedConsent::sign(&key(3), &first()).unwrap();
    let one = SignedConsent::sign(&key(3), &Consent { act, ..first() }).unwrap();
    let fits = Asked {
        devices: Some(vec!["line-1"]),
        steps: Some(vec!["storing"]),
        members: vec!["epcList"],
        attestations: vec![2],
        ..WHOLE
    };
    let asked = |name, signed, need| {
        case(
            name,
            Told {
                need,
                ..told(&[signed], DAY)
            },
        )
    };
    let with = |change: fn(&mut Asked)| {
        let mut need = fits.clone();
        change(&mut need);
        need
    };
    vec![
        asked("fits", &one, fits.clone()),
        asked("everything of all", &wide, WHOLE),
        asked("one device of all", &wide, fits.clone()),
        asked("another purpose", &one, with(|n| n.purpose = 2)),
        asked("all devices", &one, with(|n| n.devices = None)),
        asked(
            "another device",
            &one,
            with(|n| n.devices = Some(vec!["line-1", "x"])),
        ),
        asked("all steps", &one, with(|n| n.steps = None)),
        asked(
            "another step",
            &one,
            with(|n| n.steps = Some(vec!["packing"])),
        ),
        asked(
            "a member",
            &one,
            with(|n| n.members = vec!["tb:invoiceAmount"]),
        ),
        asked("an attestation", &one, with(|n| n.attestations = vec![1])),
    ]
}

pub fn vectors() -> Vectors {
    let cases = [times(), histories(), signers(), scopes()];
    Vectors {
        key: hex::encode(key(3).public_bytes()),
        log: log().to_string(),
        supplier: "qinghe",
        bank: "first-bank",
        cases: cases.into_iter().flatten().collect(),
    }
}
