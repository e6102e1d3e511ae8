//! Real bundles of a small world, by name.

use std::collections::BTreeMap;
use std::time::Duration;

use platform::bundle::Choice;
use platform::store::TraceStore as _;
use schemas::hash::Hash;
use schemas::registry::State;
use schemas::statement::Position;
use serde_json::json;

use crate::world::World;
use crate::world::events::{commissioned, inspected, measured, shipped};

/// Bundles and the policy file that readers trust.
pub struct Samples {
    /// By name.
    pub bundles: BTreeMap<&'static str, Vec<u8>>,
    /// Log entry of the trusted policy.
    pub policy: Vec<u8>,
}

/// A world in which much has happened, over several batches, checkpoints and registries.
pub async fn samples() -> Samples {
    let mut world = World::with_line_1().await;
    let mut ids = vec![world.send("qinghe/line-1", &[commissioned()]).await.id()];
    world.anchor().await;
    let mut single = Choice::default();
    single.add_event(ids[0], 0);
    let single = world
        .bundler()
        .make(&single, |_| false)
        .await
        .unwrap()
        .bytes;

    world.admit("northroad").await;
    world.enrol("northroad/truck-7").await;
    ids.push(
        world
            .send("qinghe/line-1", &[inspected(1), inspected(2), shipped()])
            .await
            .id(),
    );
    ids.push(
        world
            .send("northroad/truck-7", &[measured(4.5), measured(5.5)])
            .await
            .id(),
    );
    world.anchor().await;
    let product = world.bundle(&ids).await;
    let public = world
        .bundle_without(&ids, &["tb:invoiceAmount", "tb:invoiceCurrency"])
        .await;
    let partly = world
        .bundle_without(&ids[1..2], &["quantityList", "bizStep"])
        .await;

    let mut wrong = inspected(3);
    wrong["action"] = json!("UPDATE");
    let refused = world
        .send("qinghe/line-1", &[wrong.clone(), inspected(4), wrong])
        .await
        .id();
    let note = world.device("qinghe/line-1").note("still here");
    world.deliver_message(&note).await;
    world.anchor().await;
    let refused_events = world.bundle(&[refused]).await;
    retire_line_1(&mut world).await;
    let chain = world
        .store
        .chain(&"qinghe/line-1".parse().unwrap())
        .await
        .unwrap();
    let whole = world.bundle(&chain).await;
    let count = chain.len();
    let retired = world.bundle(&chain[count - 3..count - 1]).await;
    Samples {
        bundles: BTreeMap::from([
            ("single", single),
            ("product", product),
            ("public", public),
            ("partly", partly),
            ("refused-events", refused_events),
            ("whole-chain", whole),
            ("retired", retired),
        ]),
        policy: world.policy_entry(),
    }
}

/// The last three statements come only after the key was retired; a fork stands between.
async fn retire_line_1(world: &mut World) {
    let device = world.device("qinghe/line-1");
    let Position { epoch, seq } = device.next;
    let late: Vec<_> = (10..13).map(|n| device.say(&[inspected(n)])).collect();
    let last = Position {
        epoch,
        seq: seq + 2,
    };
    let last = Some((last, late[2].statement.id()));
    world.clock.advance(Duration::from_secs(5));
    world
        .set_state("qinghe/line-1", State::Retired { last })
        .await;
    for message in &late {
        world.deliver_message(message).await;
        world.anchor().await;
    }
}

/// The smallest bundle: one statement with one short event.
pub async fn smallest() -> (World, Vec<u8>, Hash) {
    let mut world = World::with_line_1().await;
    let id = world.send("qinghe/line-1", &[inspected(1)]).await.id();
    world.anchor().await;
    let bundle = world.bundle(&[id]).await;
    (world, bundle, id)
}
