//! The table of `proof-bundle-v2.md` section 7, each row a bundle.

use schemas::event;
use schemas::hash::{Hash, sha256};
use schemas::proof::{Bundle, Bytes, CheckpointRow};
use schemas::registry::State;

use super::bundle::Shown;
use super::log::{FIRST, Past, Terms};

/// A row of the table.
pub struct Case {
    /// What happened, in the document's words.
    pub name: &'static str,
    pub bundle: Bundle,
    /// Policy that the reader trusts.
    pub trusted: Vec<u8>,
    /// `verified`, or the class of the refusal.
    pub expected: &'static str,
    /// Marks of the first event.
    pub marks: &'static [&'static str],
}

const TIME: &str = "2026-11-22T08:00:00+08:00";
const LONG_AGO: &str = "2026-11-19T08:00:00+08:00";
const STORE: &str = "qinghe/store-1";
const FRESH: Shown = Shown {
    fresh: true,
    seen: false,
};
const PLAIN: Shown = Shown {
    fresh: false,
    seen: false,
};

/// Terms under which a witness was removed.
pub const FEWER: Terms = Terms {
    witnesses: &["witness-2", "witness-4"],
    ..FIRST
};

/// Terms with another log key.
pub const OTHER_KEY: Terms = Terms {
    log: "log-2",
    ..FEWER
};

fn verified(
    name: &'static str,
    past: &Past,
    bundle: Bundle,
    marks: &'static [&'static str],
) -> Case {
    Case {
        name,
        bundle,
        trusted: past.policy_entry(past.reigns.len() - 1),
        expected: "verified",
        marks,
    }
}

fn refused(name: &'static str, past: &Past, bundle: Bundle, class: &'static str) -> Case {
    Case {
        expected: class,
        ..verified(name, past, bundle, &[])
    }
}

/// Every row, in the document's order.
pub fn all() -> Vec<Case> {
    let mut cases = plain();
    cases.extend(retired());
    cases.extend(revoked());
    cases.extend(successions());
    cases
}

fn plain() -> Vec<Case> {
    let mut past = Past::new();
    let id = past.event(TIME);
    let fresh = past.bundle(&[id], FRESH);
    let mut late = Past::new();
    let id = late.event(LONG_AGO);
    let mut suspended = Past::new();
    suspended.set_state("qinghe", State::Suspended, "association");
    let of_suspended = suspended.event(TIME);
    vec![
        verified("event anchored, key active, head fresh", &past, fresh, &[]),
        verified(
            "anchored more than two days after its event time",
            &late,
            late.bundle(&[id], PLAIN),
            &["late"],
        ),
        refused(
            "organisation suspended at the header's registry",
            &suspended,
            suspended.bundle(&[of_suspended], PLAIN),
            "organisation",
        ),
    ]
}

/// A statement, and two after it of which the second is the last that counts; then the retirement.
fn retire(past: &mut Past, before: impl Fn(&mut Past)) -> [Hash; 3] {
    let first = past.say(STORE, TIME, None);
    before(past);
    let second = past.say(STORE, TIME, None);
    let third = past.say(STORE, TIME, None);
    let last = Some(past.last_of(STORE));
    past.wait(60);
    past.set_state(STORE, State::Retired { last }, "qinghe");
    [first, second, third]
}

fn retired() -> Vec<Case> {
    let mut old = Past::new();
    let [id, ..] = retire(&mut old, |past| {
        past.anchor();
        past.witness();
    });
    old.anchor();
    old.witness();
    let mut held = Past::new();
    let ids = retire(&mut held, |_| ());
    let after = held.say(STORE, TIME, None);
    held.anchor();
    held.witness();
    let good = held.bundle(&ids[..1], PLAIN);
    let mut without = good.clone();
    without.statements[0].later = None;
    let mut gap = good.clone();
    gap.statements[0].later.as_mut().unwrap().remove(0);
    vec![
        verified(
            "key rotated after the event, header older than the retirement",
            &old,
            old.bundle(&[id], FRESH),
            &["retired"],
        ),
        verified(
            "header's registry already holds the retirement, chain later given",
            &held,
            good,
            &["retired"],
        ),
        refused("the same without later", &held, without, "record"),
        refused("the same with a gap in later", &held, gap, "record"),
        refused(
            "an event after last of a retired key",
            &held,
            held.bundle(&[after], PLAIN),
            "record",
        ),
    ]
}

/// An event of this time, and a revocation after it was anchored; the compromise is said to have
/// begun so many seconds after the anchoring.
fn revoke(time: &str, since: Option<i64>) -> (Past, Bundle) {
    let mut past = Past::new();
    let id = past.event(time);
    // The second of two witnesses of the quorum signs a second later.
    let anchored = past.now.as_seconds() + 1;
    past.wait(600);
    let compromised_since =
        since.map(|after| schemas::time::Instant::from_seconds(anchored + after));
    past.set_state(STORE, State::Revoked { compromised_since }, "qinghe");
    past.witness();
    let bundle = past.bundle(&[id], FRESH);
    (past, bundle)
}

fn revoked() -> Vec<Case> {
    let (plain, of_plain) = revoke(TIME, None);
    let (before, of_before) = revoke(TIME, Some(0));
    let (after, of_after) = revoke(TIME, Some(1));
    let (both, of_both) = revoke(LONG_AGO, Some(-5));
    let mut held = Past::new();
    let id = held.say(STORE, TIME, None);
    let compromised_since = None;
    held.set_state(STORE, State::Revoked { compromised_since }, "qinghe");
    held.anchor();
    held.witness();
    vec![
        verified(
            "key revoked after the event was anchored",
            &plain,
            of_plain,
            &["revoked"],
        ),
        refused(
            "header's registry already holds the revocation, whatever made says",
            &held,
            held.bundle(&[id], PLAIN),
            "record",
        ),
        verified(
            "revoked with compromised_since before the anchored time",
            &before,
            of_before,
            &["compromised", "revoked"],
        ),
        verified(
            "revoked with compromised_since after the anchored time",
            &after,
            of_after,
            &["revoked"],
        ),
        verified(
            "late, and revoked with compromised_since before the anchored time",
            &both,
            of_both,
            &["late", "compromised", "revoked"],
        ),
    ]
}

/// An event under the first policy, one under the second, and a checkpoint under it.
pub fn succeeded(terms: Terms) -> (Past, Hash, Hash) {
    let mut past = Past::new();
    let old = past.event(TIME);
    past.wait(3600);
    past.succeed(terms);
    past.wait(60);
    let new = past.event(TIME);
    past.wait(60);
    past.admit("northroad", terms.registrars[0]);
    past.witness();
    (past, old, new)
}

fn successions() -> Vec<Case> {
    let (past, old, new) = succeeded(FEWER);
    let both = past.bundle(&[old, new], FRESH);
    let (above, below) = (signed_above(&past, new), signed_below(&past, old));
    let (keyed, old_keyed, new_keyed) = succeeded(OTHER_KEY);
    let of_keyed = keyed.bundle(&[old_keyed, new_keyed], FRESH);
    let (dropped, _, unadmitted) = succeeded(Terms {
        registrars: &["chamber"],
        ..FEWER
    });
    let led = Case {
        trusted: keyed.policy_entry(0),
        ..verified(
            "a reader whose trusted policy is older than the bundle's newest, hand-over given",
            &keyed,
            of_keyed.clone(),
            &[],
        )
    };
    vec![
        verified(
            "header under an older policy, checkpoint of that policy with its prefix",
            &past,
            both,
            &[],
        ),
        refused(
            "checkpoint signed by removed witnesses above the old policy's end",
            &past,
            above,
            "checkpoint",
        ),
        refused(
            "checkpoint signed by removed witnesses below that end, of another history",
            &past,
            below,
            "log-path",
        ),
        refused(
            "organisation admitted by a registrar that the policy at the header's index no longer names",
            &dropped,
            dropped.bundle(&[unadmitted], PLAIN),
            "organisation",
        ),
        verified(
            "log key succeeded, hand-over signed by the old key",
            &keyed,
            of_keyed,
            &[],
        ),
        led,
    ]
}

/// The header of the new event, shown at a checkpoint that the old witnesses still sign.
fn signed_above(past: &Past, new: Hash) -> Bundle {
    let mut bundle = past.bundle(&[new], PLAIN);
    let size = bundle.headers[0].index + 1;
    bundle.checkpoints[0] = CheckpointRow {
        note: Bytes(past.sign(0, size).encode()),
        policy: 0,
        prefix: Vec::new().into(),
    };
    bundle
}

/// The old event's checkpoint as the old witnesses sign it over a history that never was.
fn signed_below(past: &Past, old: Hash) -> Bundle {
    let mut bundle = past.bundle(&[old], PLAIN);
    let size = past.notes[0].note.checkpoint.size;
    let forged = past.sign_root(0, size, sha256(b"another history"));
    bundle.checkpoints[0].note = Bytes(forged.encode());
    bundle
}

/// The leaf of the event of a row.
pub fn leaf(bundle: &Bundle, row: usize) -> Hash {
    let row = &bundle.events[row];
    let field = |member: &schemas::proof::MemberRow| {
        let salt = event::Salt(member.salt.unwrap().0);
        let value = &member.value.as_ref().unwrap().0;
        event::field_hash(&member.name, &event::value_hash(&salt, value))
    };
    let fields: Vec<Hash> = row.members.iter().flatten().map(field).collect();
    event::leaf_of_fields(event::Source::Scan, &fields).unwrap()
}
