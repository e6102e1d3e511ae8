//! A retired key counts up to its last statement, and the chain to that shows it.

use schemas::hash::Hash;
use schemas::proof::{Bundle, Bytes, Class};
use schemas::registry::State;
use schemas::statement::{Message, Position};

use crate::world::World;
use crate::world::events::{commissioned, inspected};

fn seq(seq: u64) -> Position {
    Position { epoch: 0, seq }
}

/// Line 1 says five things, of which the platform has the first; then its key is retired at the
/// fourth (seq 3).
async fn retired() -> (World, Vec<Message>) {
    let mut world = World::with_line_1().await;
    let device = world.device("qinghe/line-1");
    let mut messages = vec![device.say(&[commissioned()])];
    messages.extend((1..=4).map(|n| device.say(&[inspected(n)])));
    world.deliver_message(&messages[0]).await;
    world.anchor().await;
    let last = Some((seq(3), messages[3].statement.id()));
    world
        .set_state("qinghe/line-1", State::Retired { last })
        .await;
    (world, messages)
}

#[tokio::test]
async fn statements_up_to_the_last_are_taken_and_later_ones_are_not() {
    let (mut world, messages) = retired().await;
    for message in &messages[1..4] {
        assert_eq!(world.deliver_message(message).await.word(), "stored");
    }
    assert_eq!(
        world.deliver_message(&messages[4]).await.word(),
        "key-state"
    );
    // Another one in the place of the last does not count either.
    let device = world.device("qinghe/line-1");
    (device.next, device.prev) = (seq(3), messages[2].statement.id());
    let other = device.say(&[inspected(9)]);
    assert_eq!(world.deliver_message(&other).await.word(), "key-state");
}

#[tokio::test]
async fn chain_to_the_last_statement_verifies_and_a_wrong_one_does_not() {
    let (mut world, messages) = retired().await;
    for message in &messages[1..4] {
        world.deliver_message(message).await;
    }
    world.anchor().await;
    let ids: Vec<Hash> = messages[..4].iter().map(|m| m.statement.id()).collect();
    let report = world.verify(&world.bundle(&ids).await).unwrap();
    assert_eq!(report.statements.len(), 4);

    let bytes = world.bundle(&[ids[1]]).await;
    world.verify(&bytes).unwrap();
    let good = Bundle::parse(&bytes).unwrap();
    let later = good.statements[0].later.clone().unwrap();
    assert_eq!(
        later,
        [&messages[2], &messages[3]].map(|m| Bytes(m.statement.bytes().to_vec()))
    );
    let class = |later: Option<Vec<Bytes>>| {
        let mut bundle = good.clone();
        bundle.statements[0].later = later;
        world.verify(&bundle.to_json().unwrap()).unwrap_err().class
    };
    let foreign = Bytes(messages[4].statement.bytes().to_vec());
    assert_eq!(class(None), Class::Record);
    assert_eq!(class(Some(Vec::new())), Class::Format);
    assert_eq!(class(Some(later[..1].to_vec())), Class::Record);
    assert_eq!(class(Some(later[1..].to_vec())), Class::Record);
    assert_eq!(
        class(Some(vec![later[1].clone(), later[0].clone()])),
        Class::Record
    );
    assert_eq!(
        class(Some([&later[..], &[foreign]].concat())),
        Class::Record
    );
    let mut broken = later.clone();
    *broken[0].0.last_mut().unwrap() ^= 1;
    assert_eq!(class(Some(broken)), Class::Record);

    // At the last one itself, and with an active key, there is no chain to show.
    for id in [ids[3], ids[0]] {
        let mut bundle = Bundle::parse(&world.bundle(&[id]).await).unwrap();
        assert_eq!(bundle.statements[0].later, None);
        bundle.statements[0].later = Some(later.clone());
        let refusal = world.verify(&bundle.to_json().unwrap()).unwrap_err();
        assert_eq!(refusal.class, Class::Record);
    }
}

/// An organisation that names a last place beyond the last statement: no chain reaches it, and the
/// statement's own id being named does not replace one.
#[tokio::test]
async fn last_that_names_the_statement_at_another_place_does_not_verify() {
    let mut world = World::with_line_1().await;
    let message = world.device("qinghe/line-1").say(&[commissioned()]);
    let id = message.statement.id();
    let last = Some((seq(7), id));
    world
        .set_state("qinghe/line-1", State::Retired { last })
        .await;
    assert_eq!(world.deliver_message(&message).await.word(), "stored");
    world.anchor().await;
    let choice = |id| {
        let mut choice = platform::bundle::Choice::default();
        choice.add_statement(id);
        choice
    };
    let made = world.bundler().make(&choice(id), |_| false).await.unwrap();
    let mut bundle: serde_json::Value = serde_json::from_slice(&made.bytes).unwrap();
    bundle["statements"][0]
        .as_object_mut()
        .unwrap()
        .shift_remove("later");
    let refusal = world.verify(bundle.to_string().as_bytes()).unwrap_err();
    assert_eq!(refusal.class, Class::Record);
}

/// What is shown of a retired key is what a reader can check: while the chain to its last statement
/// has a hole, the statement waits, and the rest of the product's history is not spoilt by it.
#[tokio::test]
async fn statement_whose_chain_to_the_last_has_a_hole_does_not_spoil_the_bundle() {
    let (mut world, messages) = retired().await;
    world.deliver_message(&messages[1]).await;
    world.deliver_message(&messages[3]).await;
    world.anchor().await;
    let ids = [0, 1, 3].map(|n: usize| messages[n].statement.id());
    let mut choice = platform::bundle::Choice::default();
    for id in ids {
        choice.add_statement(id);
    }
    let made = world.bundler().make(&choice, |_| false).await.unwrap();
    let report = world.verify(&made.bytes).unwrap();
    assert_eq!((report.statements.len(), made.waiting), (2, vec![ids[1]]));
}
