//! An operator who lies about what was when.

use std::time::Duration;

use credit::evidence::chain::{Gap, Missing, gaps};
use credit::evidence::verify::TrustedPolicy;
use platform::anchor::NotaryError;
use platform::bundle::{BundleError, Choice};
use platform::ingest::check;
use platform::store::{Append, IngestStore as _, LogStore as _, RegistryStore as _};
use schemas::audit::{Alarm, check_list};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::log::{Entry, PolicyFile, entry_hash};
use schemas::proof::{Bundle, Class};
use schemas::registry::State;
use schemas::statement::Message;
use schemas::time::Clock as _;
use schemas::tlog::LogTree;

use crate::world::World;
use crate::world::events::{commissioned, inspected};
use crate::world::people::key_of;

const REVOKED: State = State::Revoked {
    compromised_since: None,
};

/// Stores a message as if it had come while `snapshot` was in force.
async fn smuggle(world: &World, message: &Message, snapshot: &platform::registry::Snapshot) {
    let now = world.clock.now();
    let log = &world.policy.log;
    let statement = check::check(&message.encode(), None, log, snapshot, now).unwrap();
    world.store.commit(&[statement], &[]).await.unwrap();
}

/// Caught by the monitor, since versions never fall in log order, and by every reader of a bundle
/// that shows both headers.
#[tokio::test]
async fn an_operator_who_rolls_the_registry_back_to_revive_a_key_is_caught() {
    let mut world = World::with_line_1().await;
    world.enrol("qinghe/line-2").await;
    let before = world.gate.snapshot();
    world.set_state("qinghe/line-1", REVOKED).await;
    let honest = world.send("qinghe/line-2", &[inspected(1)]).await;
    world.anchor().await;
    assert_eq!(world.monitor().await, Vec::<String>::new());

    let message = world.device("qinghe/line-1").say(&[commissioned()]);
    assert_eq!(world.deliver_message(&message).await.word(), "key-state");
    smuggle(&world, &message, &before).await;
    world.anchor().await;
    let index = world.notary.tree.read(LogTree::size) - 1;
    assert_eq!(
        world.monitor().await,
        [Alarm::RolledBack(index).to_string()]
    );
    let bundle = world.bundle(&[honest.id(), message.statement.id()]).await;
    assert_eq!(world.verify(&bundle).unwrap_err().class, Class::Header);
}

/// Caught by the monitor: a batch may lag behind a newer head for ten minutes, not longer.
#[tokio::test]
async fn an_operator_who_sits_on_a_revocation_is_caught() {
    let mut world = World::with_line_1().await;
    let before = world.gate.snapshot();
    world.set_state("qinghe/line-1", REVOKED).await;
    world.clock.advance(Duration::from_secs(601));
    let message = world.device("qinghe/line-1").say(&[commissioned()]);
    smuggle(&world, &message, &before).await;
    world.anchor().await;
    let index = world.notary.tree.read(LogTree::size) - 1;
    assert_eq!(world.monitor().await, [Alarm::Stale(index).to_string()]);
}

/// Caught by whoever reads the chain (here the bank): seq and `prev` of the next statement name
/// what is missing. What the device itself does is in `attacks/agent.rs`.
#[tokio::test]
async fn an_operator_who_drops_a_statement_is_caught() {
    let mut world = World::with_line_1().await;
    for kilograms in 1..=3 {
        world.send("qinghe/line-1", &[inspected(kilograms)]).await;
    }
    for table in ["batch_queue", "statements", "event_leaves"] {
        let column = if table == "statements" {
            "id"
        } else {
            "statement"
        };
        let delete = format!(
            "DELETE FROM {table} WHERE {column} = (SELECT id FROM statements WHERE seq = 1)"
        );
        let delete = if table == "event_leaves" {
            "DELETE FROM event_leaves WHERE statement NOT IN (SELECT id FROM statements)".to_owned()
        } else {
            delete
        };
        sqlx::query(sqlx::AssertSqlSafe(delete))
            .execute(&mut world.tamper().await)
            .await
            .unwrap();
    }
    world.anchor().await;
    assert_eq!(world.monitor().await, Vec::<String>::new());
    let slug: Slug = "qinghe".parse().unwrap();
    let bundle = world.bundler().evidence(&slug).await.unwrap().bytes;
    let file = serde_json::to_vec(&PolicyFile::new(world.policy_entry())).unwrap();
    let trusted = TrustedPolicy::parse(&file).unwrap();
    let evidence = credit::evidence::verify(&bundle, &trusted).unwrap();
    let found = gaps(&evidence, &slug, world.clock.now(), Duration::ZERO);
    let missing = Missing::Seqs {
        epoch: 0,
        from: 1,
        to: 1,
    };
    let device = "qinghe/line-1".parse().unwrap();
    assert_eq!(found, [Gap { device, missing }]);
}

/// Caught by the witnesses: each remembers the last history that it cosigned, so the second one
/// gets no quorum, and without a quorum nothing of it can be shown.
#[tokio::test]
async fn an_operator_who_forks_the_log_is_caught() {
    let mut world = World::with_line_1().await;
    world.anchor().await;
    world.copy_database("fork").await;
    let first = world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;

    // The copy is behind what witnesses know: it may not even start.
    let mut second = world.notary_on_copy("fork").await;
    let size = world.notary.tree.read(LogTree::size);
    match second.open().await {
        Err(NotaryError::Behind {
            witnessed, ours, ..
        }) => assert_eq!((witnessed, ours), (size, size - 1)),
        other => panic!("{other:?}"),
    }

    // Grown beyond it with other entries, it may not either, and no witness signs.
    let (old, _) = second.store.log_head().await.unwrap().unwrap();
    let mut tree = LogTree::new();
    for entry in second.store.entries(0, 1_000).await.unwrap() {
        tree.push(entry_hash(&entry)).unwrap();
    }
    let other = |n: u8| Entry::Document {
        kind: "another history".into(),
        hash: Hash([n; 32]),
        time: world.clock.now(),
    };
    let entries: Vec<Vec<u8>> = (0..3).map(|n| other(n).encode()).collect();
    for entry in &entries {
        tree.push(entry_hash(entry)).unwrap();
    }
    let now = world.clock.now();
    let taken = second.store.take_lease("log", "second", now, now);
    let append = Append {
        fence: taken.await.unwrap().unwrap(),
        first: old,
        root: tree.root(old + 3).unwrap(),
        entries,
        ..Append::default()
    };
    second.store.append(&append).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    let mut second = world.notary_on_copy("fork").await;
    let refused = second.open().await;
    let other_history = matches!(refused, Err(NotaryError::OtherHistory { .. }));
    assert!(other_history, "{refused:?}");
    let newest = second.store.newest_checkpoint().await.unwrap().unwrap();
    assert!(
        newest.size < size,
        "a fork of size {} was witnessed",
        newest.size
    );

    // Asked directly: another root at the size that it knows, and a successor of it, are refused.
    let (key, origin) = (key_of(world.policy.origin.as_str()), &world.policy.origin);
    let (status, known) = world.witnesses.ask(&key, origin, &tree, size, size).await;
    assert_eq!((status, known), (409, format!("{size}\n")));
    let (status, _) = world
        .witnesses
        .ask(&key, origin, &tree, size, size + 2)
        .await;
    assert_eq!(status, 422);
    let report = world.verify(&world.bundle(&[first.id()]).await).unwrap();
    assert_eq!(report.head().unwrap().checkpoint.size, size);
}

/// Caught by the monitor, whose copy of the older list has another root; by every reader, since the
/// later record has no path to the head that the statement was anchored under; and by the
/// witnesses, who refuse a log in which the revocation stands earlier.
#[tokio::test]
async fn an_operator_who_backdates_a_revocation_is_caught() {
    let mut world = World::with_line_1().await;
    let sent = world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;
    let honest = world.bundle(&[sent.id()]).await;
    let anchored = world.gate.snapshot().head.unwrap();
    world.set_state("qinghe/line-1", REVOKED).await;
    world.anchor().await;

    // The statement stays what it was: signed by a key that counted then.
    let again = world.bundle(&[sent.id()]).await;
    assert_eq!(
        world.verify(&again).unwrap().statements[0].record.state,
        State::Active
    );
    assert_eq!(
        world.verify(&honest).unwrap().statements[0].registry_version,
        anchored.version
    );

    // The list of the older version with the newer record in it.
    let before = world.store.registry_list(anchored.version).await.unwrap();
    let after = world
        .store
        .registry_list(anchored.version + 1)
        .await
        .unwrap();
    assert_eq!(check_list(&anchored, &before, &[]), Ok(()));
    assert_eq!(
        check_list(&anchored, &after, &[]),
        Err(Alarm::List(anchored.version))
    );

    // The newer record in the place of the older one.
    let mut bundle = Bundle::parse(&honest).unwrap();
    let device = bundle.statements[0].device;
    bundle.keys[device].record.0 = world.device("qinghe/line-1").record.bytes().to_vec();
    let refusal = world.verify(&bundle.to_json().unwrap()).unwrap_err();
    assert_eq!(refusal.class, Class::RegistryPath);

    // A log in which the revocation came before the statement.
    let mut entries = world.store.entries(0, 1_000).await.unwrap();
    let size = entries.len() as u64;
    let last = entries.len() - 1;
    entries.swap(last, last - 1);
    let mut tree = LogTree::new();
    for entry in &entries {
        tree.push(entry_hash(entry)).unwrap();
    }
    let (key, origin) = (key_of(world.policy.origin.as_str()), &world.policy.origin);
    let (status, _) = world.witnesses.ask(&key, origin, &tree, size, size).await;
    assert_eq!(status, 409);
}

/// Caught by every reader: nothing is proven before a quorum has cosigned.
#[tokio::test]
async fn an_operator_who_shows_what_is_not_witnessed_has_no_bundle() {
    let mut world = World::with_line_1().await;
    let sent = world.send("qinghe/line-1", &[commissioned()]).await;
    let mut choice = Choice::default();
    choice.add_statement(sent.id());
    let made = world.bundler().make(&choice, |_| false).await;
    assert!(matches!(made, Err(BundleError::NotWitnessed)), "{made:?}");
}
