//! A long bundle is checked by two threads. What they say is what one would have said: the first
//! failure in the order of the rows, whichever half it is in.

use schemas::event::Source;
use schemas::proof::{Bundle, MemberRow};

use super::*;
use crate::testing::*;

/// Statements of one event each: both halves are long enough for a thread of their own.
const ROWS: usize = 130;

fn long() -> (World, Bundle) {
    let mut world = World::new(&DEVICES);
    for row in 0..ROWS {
        let time = at(1, i64::try_from(row).unwrap());
        let told = inspecting(time, LOT, "conformant");
        world.say("qinghe/line-1", time, &[(Source::Scan, told)]);
    }
    let bundle = world.bundle(at(24, 0), &HoldBack::default());
    assert_eq!((bundle.statements.len(), bundle.events.len()), (ROWS, ROWS));
    (world, bundle)
}

/// What is wrong with a row.
#[derive(Clone, Copy)]
enum Wrong {
    /// The signature of a statement.
    Signature(usize),
    /// The place of a statement in its batch.
    Place(usize),
    /// A statement is another one again.
    Twice(usize, usize),
    /// The bytes of a statement.
    Bytes(usize),
    /// The place of an event in its statement.
    Event(usize),
    /// A member of an event.
    Member(usize),
}

impl Wrong {
    fn put(self, bundle: &mut Bundle) {
        match self {
            Self::Signature(row) => {
                *bundle.statements[row].statement.0.last_mut().unwrap() ^= 1;
            }
            Self::Place(row) => bundle.statements[row].index = 5,
            Self::Twice(row, of) => bundle.statements[row] = bundle.statements[of].clone(),
            Self::Bytes(row) => bundle.statements[row].statement.0.clear(),
            Self::Event(row) => bundle.events[row].index = 5,
            Self::Member(row) => {
                let members: &mut Vec<MemberRow> = bundle.events[row].members.as_mut().unwrap();
                members[0].name = "changed".to_owned();
            }
        }
    }
}

#[test]
fn first_failure_in_the_order_of_the_rows_is_named_whichever_half_it_is_in() {
    let (world, honest) = long();
    let (trusted, bytes) = (world.trusted(), honest.to_json().unwrap());
    assert_eq!(verify(&bytes, &trusted).unwrap().events.len(), ROWS);
    let class = |wrong: &[Wrong]| {
        let mut bundle = honest.clone();
        wrong.iter().for_each(|one| one.put(&mut bundle));
        let refused = verify(&bundle.to_json().unwrap(), &trusted).unwrap_err();
        (refused.class, refused.detail)
    };
    use Wrong::{Bytes, Event, Member, Place, Signature, Twice};
    let signature = class(&[Signature(10)]);
    let place = class(&[Place(10)]);
    let twice = class(&[Twice(10, 3)]);
    let bytes = class(&[Bytes(10)]);
    assert_eq!(signature.0, "statement");
    assert_eq!(place.0, "batch-path");
    // One that stands twice is out of order, which is looked at before everything else.
    assert!(twice.1.contains("not in order"), "{}", twice.1);
    for (wrong, first) in [
        (&[Place(100)][..], &place),
        (&[Signature(100)], &signature),
        (&[Place(10), Signature(100)], &place),
        (&[Signature(10), Place(100)], &signature),
        (&[Place(64), Signature(65)], &place),
        (&[Signature(65), Place(66)], &signature),
        (&[Bytes(10), Signature(100)], &bytes),
        (&[Twice(100, 3)], &twice),
        (&[Twice(100, 90)], &twice),
        (&[Twice(100, 3), Signature(120)], &twice),
        (&[Twice(100, 3), Signature(90)], &twice),
        // Statements come before events.
        (&[Event(0), Place(129)], &place),
    ] {
        assert_eq!(class(wrong), *first);
    }
    let event = class(&[Event(10)]);
    let member = class(&[Member(10)]);
    assert_ne!(event, member);
    for (wrong, first) in [
        (&[Event(100)][..], &event),
        (&[Member(100)], &member),
        (&[Event(10), Member(100)], &event),
        (&[Member(10), Event(100)], &member),
        (&[Event(64), Member(65)], &event),
        (&[Member(65), Event(66)], &member),
    ] {
        assert_eq!(class(wrong), *first);
    }
}
