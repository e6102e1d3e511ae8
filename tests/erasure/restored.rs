//! What a restored backup brings back, and what an order names, in a small world of one process.

use platform::erase::{self, ErasureError, Order, What};
use platform::store::erasure::ErasureStore as _;
use platform::store::{Store, TraceStore as _};
use schemas::hash::Hash;
use schemas::time::Clock as _;

use crate::world::World;
use crate::world::events::{LOT, inspected};

/// Content of events.
const TABLES: [&str; 2] = ["event_contents", "event_items"];

/// Puts the old copies back, after something else.
async fn restore(world: &World, first: &str) {
    let mut sql = first.to_owned();
    for table in TABLES {
        sql.push_str(&format!(
            "INSERT OR IGNORE INTO {table} SELECT * FROM old_{table};"
        ));
    }
    let mut operator = world.tamper().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut operator)
        .await
        .unwrap();
}

/// A world in whose log is one statement with two events.
async fn two_inspections() -> (World, Hash) {
    let mut world = World::with_line_1().await;
    let events = [inspected(1), inspected(2)];
    let id = world.send("qinghe/line-1", &events).await.id();
    world.anchor().await;
    (world, id)
}

/// Whether the first event is gone, the second is there, and how many events name the lot.
async fn is_gone(world: &World, id: &Hash) -> (bool, bool, usize) {
    let events = world.store.events_of_statement(id).await.unwrap();
    let named = world.store.events_of_items(&[LOT.into()], 9).await;
    (
        events[0].content.is_none(),
        events[1].content.is_some(),
        named.unwrap().len(),
    )
}

/// An old copy of the content tables is put back, and then the tombstones are lost, too: at its
/// start a platform erases again, by the lists that the log names; without a list it does not start.
#[tokio::test]
async fn restored_backup_is_erased_again_before_anything_is_served() {
    let (mut world, id) = two_inspections().await;
    for table in TABLES {
        let copy = format!("CREATE TABLE old_{table} AS SELECT * FROM {table}");
        let mut operator = world.tamper().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(copy))
            .execute(&mut operator)
            .await
            .unwrap();
    }
    let leaves = world.store.events_of_statement(&id).await.unwrap();
    let order = Order {
        what: What::Leaves([leaves[0].leaf].into()),
        reason: "court-order".into(),
        by: None,
        dry_run: false,
    };
    let (config, tiles) = (world.config(), world.notary.tiles.clone());
    let mut eraser = world.eraser().await;
    let now = world.clock.now();
    let store = &*world.store as &dyn Store;
    let done = erase::erase(&mut eraser, store, &order, now).await.unwrap();
    assert_eq!((done.removed.events, done.lists.len()), (1, 1));
    assert_eq!(is_gone(&world, &id).await, (true, true, 1));
    // Even before the list is in the log.
    restore(&world, "").await;
    assert!(!is_gone(&world, &id).await.0);
    erase::settle(&config, store, &tiles).await.unwrap();
    assert_eq!(is_gone(&world, &id).await, (true, true, 1));
    world.notary.turn().await.unwrap();
    let lists = world.store.tombstone_lists().await.unwrap();
    assert_eq!(lists.len(), 1);
    // The tables of tombstones come from the old copy, too: the file beside the log leads.
    let lost = "DELETE FROM tombstones; DELETE FROM tombstone_lists; DELETE FROM logged_documents \
                WHERE kind = 'tombstones';";
    restore(&world, lost).await;
    assert_eq!(is_gone(&world, &id).await, (false, true, 2));
    erase::settle(&config, store, &tiles).await.unwrap();
    assert_eq!(is_gone(&world, &id).await, (true, true, 1));
    assert_eq!(world.store.tombstone_lists().await.unwrap(), lists);
    assert_eq!(world.store.returned().await.unwrap(), 0);
    // Without table and file nobody knows what was erased.
    restore(&world, lost).await;
    let list = world
        .folder()
        .join(format!("log/tombstones/{}", lists[0].hash));
    std::fs::remove_file(&list).unwrap();
    let refused = erase::settle(&config, store, &tiles).await.unwrap_err();
    assert!(
        matches!(refused, ErasureError::ListMissing { .. }),
        "{refused}"
    );
    // A file with another content is no list of this hash.
    std::fs::write(&list, b"something else").unwrap();
    let refused = erase::settle(&config, store, &tiles).await.unwrap_err();
    assert!(
        matches!(refused, ErasureError::ListMissing { .. }),
        "{refused}"
    );
}

/// By what names it and by device and time; what is not there is said.
#[tokio::test]
async fn events_are_found_by_item_and_by_device_and_time() {
    let (world, id) = two_inspections().await;
    let mut eraser = world.eraser().await;
    let now = world.clock.now();
    let order = |what| Order {
        what,
        reason: "r".into(),
        by: Some("somebody".into()),
        dry_run: false,
    };
    let other = order(What::Item(
        "https://id.gs1.org/01/09521001000017/10/NONE"
            .parse()
            .unwrap(),
    ));
    let store = &*world.store as &dyn Store;
    let nothing = erase::erase(&mut eraser, store, &other, now)
        .await
        .unwrap_err();
    assert!(
        nothing.to_string().contains("names https://id.gs1.org/01"),
        "{nothing}"
    );
    let at = |text: &str| schemas::time::Instant::parse_rfc3339(text).unwrap();
    let time = |from: &str, to: &str| What::Device {
        device: "qinghe/line-1".parse().unwrap(),
        from: at(from),
        to: at(to),
    };
    let before = order(time("2026-07-01T00:00:00Z", "2026-07-10T21:59:59Z"));
    let nothing = erase::erase(&mut eraser, store, &before, now)
        .await
        .unwrap_err();
    assert!(
        nothing.to_string().contains("is of qinghe/line-1"),
        "{nothing}"
    );
    let during = Order {
        dry_run: true,
        ..order(time("2026-07-10T22:00:00Z", "2026-07-10T22:00:00Z"))
    };
    let dry = erase::erase(&mut eraser, store, &during, now)
        .await
        .unwrap();
    assert_eq!((dry.places.len(), dry.lists.len()), (2, 0));
    let item = order(What::Item(LOT.parse().unwrap()));
    let done = erase::erase(&mut eraser, store, &item, now).await.unwrap();
    assert_eq!((done.removed.events, done.lists.len()), (2, 1));
    let events = world.store.events_of_statement(&id).await.unwrap();
    assert!(events.iter().all(|event| event.content.is_none()));
    let bytes = world
        .store
        .tombstone_list(&done.lists[0])
        .await
        .unwrap()
        .unwrap();
    let list = schemas::tombstone::TombstoneList::parse(&bytes).unwrap();
    assert_eq!((list.by.as_str(), list.leaves.len()), ("somebody", 2));
}
