//! A gateway that catches up sends new statements beside its backlog (decision 0016): what is on its
//! way is no gap, and what does not come still is one.

use std::time::Duration;

use schemas::statement::Message;

use crate::world::World;
use crate::world::events::inspected;

const LINE: &str = "qinghe/line-1";

fn said(world: &mut World, count: u32) -> Vec<Message> {
    let device = world.device(LINE);
    (0..count)
        .map(|n| device.say(&[inspected(n + 1)]))
        .collect()
}

async fn gaps(world: &World) -> Vec<(String, u64, u64)> {
    let events = world.chain_events(LINE).await;
    let row = |one: platform::store::ChainEvent| (one.kind, one.from_seq, one.to_seq);
    events.into_iter().map(row).collect()
}

async fn later(world: &mut World, message: &Message, seconds: u64) {
    world.clock.advance(Duration::from_secs(seconds));
    world.deliver_message(message).await;
    world.anchor().await;
}

#[tokio::test]
async fn a_backlog_that_moves_on_is_no_gap_however_long_it_takes() {
    let mut world = World::with_line_1().await;
    let messages = said(&mut world, 12);
    let (newest, backlog) = messages.split_last().unwrap();
    later(&mut world, &backlog[0], 0).await;
    later(&mut world, newest, 0).await;
    for message in &backlog[1..] {
        assert_eq!(gaps(&world).await, []);
        // Eleven times most of the grace period.
        later(&mut world, message, 50).await;
    }
    assert_eq!(gaps(&world).await, []);
    assert_eq!(world.monitor().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_backlog_that_stands_still_is_a_gap_after_the_grace_and_closes_when_filled() {
    let mut world = World::with_line_1().await;
    let messages = said(&mut world, 5);
    later(&mut world, &messages[0], 0).await;
    later(&mut world, &messages[4], 0).await;
    later(&mut world, &messages[1], 50).await;
    world.clock.advance(Duration::from_secs(50));
    assert_eq!(gaps(&world).await, [], "the head moved 50 s ago");
    world.clock.advance(Duration::from_secs(15));
    let opened = ("gap-opened".to_owned(), 2, 3);
    assert_eq!(gaps(&world).await, std::slice::from_ref(&opened));
    later(&mut world, &messages[2], 1).await;
    later(&mut world, &messages[3], 1).await;
    let closed = ("gap-closed".to_owned(), 2, 3);
    assert_eq!(gaps(&world).await, [opened, closed]);
}

#[tokio::test]
async fn what_is_held_back_bit_by_bit_is_a_gap_after_an_hour() {
    let mut world = World::with_line_1().await;
    let messages = said(&mut world, 100);
    later(&mut world, &messages[0], 0).await;
    later(&mut world, &messages[99], 0).await;
    let mut at = 0;
    for message in &messages[1..] {
        at += 50;
        later(&mut world, message, 50).await;
        if !gaps(&world).await.is_empty() {
            break;
        }
    }
    assert!((3_500..3_700).contains(&at), "a gap after {at} s");
}
