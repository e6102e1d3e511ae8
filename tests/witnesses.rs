//! Witnesses that are down, and what the log does meanwhile.

use std::sync::Arc;

use platform::anchor::Cosigner;
use platform::bundle::Choice;
use platform::store::LogStore as _;
use schemas::tlog::LogTree;
use tokio_util::sync::CancellationToken;

use crate::log_faults::recorder::Way::{Open, Shut};
use crate::log_faults::recorder::{Doors, Seen};
use crate::world::World;
use crate::world::events::commissioned;

/// The log's size, the size that is witnessed, and how many witnesses did not cosign.
async fn standing(world: &World) -> (u64, u64, usize) {
    let size = world.notary.tree.read(LogTree::size);
    let newest = world.store.newest_checkpoint().await.unwrap().unwrap();
    let states = world.notary.cosigner.states();
    let down = states.iter().filter(|state| !state.problem.is_empty());
    (size, newest.size, down.count())
}

#[tokio::test]
async fn two_witnesses_down_hold_up_what_is_new_and_nothing_else() {
    let mut world = World::with_line_1().await;
    let (seen, ends) = (Arc::<Seen>::default(), CancellationToken::new());
    let doors = Doors::in_front_of(&world.witnesses.sections(), &seen, &ends).await;
    let cosigner = Cosigner::new(doors.sections.clone())
        .unwrap()
        .with_quorum(3);
    world.notary.cosigner = Arc::new(cosigner);
    let before = world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;

    // One down: the log goes on.
    doors.are([Shut, Open, Open, Open]);
    world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;
    let (size, witnessed, down) = standing(&world).await;
    assert_eq!((witnessed, down), (size, 1));

    // Two down: what is new waits, what was there still verifies, and the state says so.
    doors.are([Shut, Shut, Open, Open]);
    let after = world.send("qinghe/line-1", &[commissioned()]).await;
    world.notary.turn().await.unwrap();
    let (grown, still, down) = standing(&world).await;
    assert!(grown > size);
    assert_eq!((still, down), (witnessed, 2));
    assert!(world.verify(&world.bundle(&[before.id()]).await).is_ok());
    let mut choice = Choice::default();
    choice.add_statement(after.id());
    assert!(world.bundler().make(&choice, |_| false).await.is_err());

    // Both back: the next round catches up, without a restart.
    doors.are([Open; 4]);
    world.anchor().await;
    let (size, witnessed, down) = standing(&world).await;
    // Three are enough; the fourth may have come a moment too late.
    assert!(witnessed == size && down <= 1);
    assert!(world.verify(&world.bundle(&[after.id()]).await).is_ok());
    ends.cancel();
}
