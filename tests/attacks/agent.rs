//! What the device itself notices when the operator does not do what its receipt promises.

use std::sync::Arc;
use std::time::Duration;

use edge_agent::follow::Followed;
use edge_agent::outbox::{self, Fault, Opening, Outbox};
use edge_agent::trust::Trust;
use platform::store::{LogStore as _, TraceStore as _};
use schemas::hash::Hash;
use schemas::merkle::Tree;
use schemas::receipt::{Included, Inclusion, Reply};
use schemas::statement::ClockState;
use schemas::time::Clock;

use crate::world::{World, receipt_key};

async fn outbox_of(world: &mut World) -> (Outbox, tokio::task::JoinHandle<()>) {
    let state = world.folder().join("agent");
    edge_agent::identity::make_state_directory(&state).unwrap();
    let (log, policy) = (world.policy.log, world.policy.clone());
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let device = world.device("qinghe/line-1");
    let trust = Trust {
        log,
        device: device.address.clone(),
        record: device.record.record.clone(),
        receipt_key: receipt_key().public(),
        policies: Followed::only(policy),
        broker: "mqtt://127.0.0.1:1".parse().unwrap(),
        former: Vec::new(),
        former_receipt_keys: Vec::new(),
    };
    let opening = Opening {
        state,
        key: Arc::new(device.key.clone()),
        trust,
        clock,
        clock_state: edge_agent::clock::fixed(ClockState::Synced),
        rules: Vec::new(),
        time_zone_minutes: 480,
        pages_max: None,
        paced: false,
        bytes_max: None,
        known: None,
    };
    outbox::open(opening).await.unwrap()
}

/// The inclusion of the newest batch, as the platform would tell it.
async fn newest_inclusion(world: &World) -> Inclusion {
    let (seq, _) = world.store.last_made(0).await.unwrap().unwrap();
    let batch = world.store.batch(0, seq).await.unwrap().unwrap();
    let covering = world.store.newest_checkpoint().await.unwrap().unwrap();
    let tree = Tree::new(&batch.statements).unwrap();
    let row = |(index, id): (usize, &Hash)| Included {
        id: *id,
        index: index as u64,
        path: tree.path(index).unwrap(),
    };
    let log_path = world
        .notary
        .tree
        .read(|tree| tree.inclusion(batch.log_index, covering.size));
    Inclusion {
        header: batch.header.clone(),
        log_index: batch.log_index,
        log_path: log_path.unwrap(),
        checkpoint: covering.note,
        statements: batch.statements.iter().enumerate().map(row).collect(),
    }
}

/// Caught by the device: the signed receipt promised a witnessed checkpoint, the deadline passes,
/// and no inclusion names the statement. The receipt is the evidence.
#[tokio::test]
async fn an_operator_who_drops_a_statement_misses_the_deadline_of_its_own_receipt() {
    let mut world = World::with_line_1().await;
    let (outbox, writer) = outbox_of(&mut world).await;
    for text in ["first", "second", "third"] {
        let fault = Fault {
            sensor: "cold-1".into(),
            text: text.into(),
            range: None,
        };
        outbox.fault(fault).await.unwrap();
    }
    let waiting = outbox.waiting(0, 10).await.unwrap();
    let address = world.device("qinghe/line-1").address.clone();
    for statement in &waiting {
        let sent = world.deliver(&address, &statement.message).await;
        let receipt = sent.receipts[0].sign(&receipt_key());
        outbox
            .reply(&Reply::Receipt(receipt).encode())
            .await
            .unwrap();
    }
    let dropped = waiting[1].id;
    sqlx::query("DELETE FROM batch_queue WHERE statement = $1")
        .bind(dropped.0.to_vec())
        .execute(&mut world.tamper().await)
        .await
        .unwrap();
    world.anchor().await;
    let inclusion = newest_inclusion(&world).await;
    assert!(inclusion.statements.iter().all(|row| row.id != dropped));
    outbox
        .reply(&Reply::Inclusion(inclusion.clone()).encode())
        .await
        .unwrap();
    let status = outbox.status().borrow().clone();
    assert_eq!((status.inclusions_waiting, status.alarms), (1, 0));

    world.clock.advance(Duration::from_secs(601));
    let mut status = outbox.status();
    let alarm = status.wait_for(|status| status.alarms == 1);
    tokio::time::timeout(Duration::from_secs(30), alarm)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(outbox.late(10).await.unwrap(), [dropped]);

    // An inclusion that names it without a path changes nothing but the alarms.
    let mut forged = inclusion;
    forged.statements[0].id = dropped;
    outbox
        .reply(&Reply::Inclusion(forged).encode())
        .await
        .unwrap();
    assert_eq!(outbox.late(10).await.unwrap(), [dropped]);
    assert_eq!(outbox.status().borrow().alarms, 2);
    assert!(world.store.statement(&dropped).await.unwrap().is_some());
    drop((outbox, status));
    writer.await.unwrap();
}
