//! An append whose answer is lost: it was committed, and the notary does not know. It reads what
//! is there and goes on.

use platform::registry::AdmitError;
use platform::store::{Append, LogStore as _, RegistryStore as _};
use schemas::log::{Entry, entry_hash};
use schemas::registry::SignedRecord;
use schemas::time::Clock as _;

use crate::world::World;
use crate::world::events::inspected;
use crate::world::people::{device_record, key_of};

/// Commits what the notary would have appended, behind its back: its own append then fails as it
/// does when it is tried again.
async fn committed_unnoticed(world: &World, mut append: Append) {
    let tree = &world.notary.tree;
    append.fence = world.notary.lease.fence();
    append.first = tree.read(|tree| tree.size());
    let hashes = append.entries.iter().map(|entry| entry_hash(entry));
    append.root = tree.read(|tree| tree.root_with(hashes)).unwrap();
    world.store.append(&append).await.unwrap();
}

#[tokio::test]
async fn notary_goes_on_after_an_append_that_it_did_not_see() {
    let mut world = World::with_line_1().await;
    let now = world.clock.now();
    let entry = Entry::Registry {
        head: world.store.registry_head().await.unwrap().unwrap(),
        time: now,
    };
    let entries = vec![entry.encode()];
    let append = Append {
        entries,
        ..Append::default()
    };
    committed_unnoticed(&world, append).await;
    world.send("qinghe/line-1", &[inspected(1)]).await;
    assert!(world.notary.turn().await.is_err(), "the place is taken");
    world.anchor().await;
    let size = world.notary.tree.read(|tree| tree.size());
    let head = world.store.log_head().await.unwrap().unwrap();
    assert_eq!(head.0, size);
    let totals = platform::store::TraceStore::totals(&*world.store)
        .await
        .unwrap();
    assert_eq!((totals.events, totals.anchored), (1, 1));
}

#[tokio::test]
async fn record_admitted_unnoticed_counts() {
    let mut world = World::with_line_1().await;
    let (address, log) = ("qinghe/line-2", world.policy.log);
    let record = device_record(log, address, &key_of(address), |_| ());
    let signed = SignedRecord::sign(&key_of("qinghe"), record);
    // What admitting would have appended, made by a notary on the same state.
    let mut next = (*world.gate.snapshot()).clone();
    let kept = next.admit(signed.bytes().to_vec(), &world.policy).unwrap();
    let head = next.next_head().unwrap();
    let made = world.clock.now();
    let append = Append {
        entries: vec![Entry::Registry { head, time: made }.encode()],
        registry: Some((vec![kept.unwrap()], head, made)),
        ..Append::default()
    };
    committed_unnoticed(&world, append).await;
    // The organisation tries once more and is told to do so again: its record's place is taken.
    let (reply, answer) = tokio::sync::oneshot::channel();
    let waiting = vec![(signed.bytes().to_vec(), reply)];
    world.notary.admit(waiting).await.unwrap();
    assert!(matches!(answer.await, Ok(Err(AdmitError::Again))));
    // Then what was committed is in force: the same record changes nothing more.
    let version = world.admit_record(signed.bytes()).await.unwrap();
    assert_eq!(version, head.version);
    let snapshot = world.gate.snapshot();
    assert_eq!(snapshot.head, Some(head));
    assert!(snapshot.active_capture(&address.parse().unwrap()).is_some());
    world.anchor().await;
    assert_eq!(world.monitor().await, Vec::<String>::new());
}
