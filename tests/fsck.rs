//! `platform log fsck`: an honest log is clean, and whatever the operator changes in it is found.

use platform::anchor::tiles::Tiles;
use platform::command::fsck;

use crate::world::World;
use crate::world::events::{commissioned, inspected};

async fn honest() -> World {
    let mut world = World::with_line_1().await;
    world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;
    world.enrol("qinghe/line-2").await;
    world.send("qinghe/line-2", &[inspected(1)]).await;
    world.anchor().await;
    world
}

/// Changes the database and reads the log again.
async fn after(change: &'static str) -> Vec<String> {
    let world = honest().await;
    let changed = sqlx::query(change)
        .execute(&mut world.tamper().await)
        .await
        .unwrap();
    assert!(changed.rows_affected() > 0, "{change}");
    world.monitor().await
}

#[tokio::test]
async fn honest_log_is_clean() {
    let world = honest().await;
    let tiles = Tiles::new(world.folder().join("log"));
    let findings = fsck::check(&*world.store, &tiles).await.unwrap();
    assert_eq!(
        (findings.size, findings.roots, findings.problems),
        (6, 6, vec![])
    );
}

#[tokio::test]
async fn changed_entry_is_found() {
    let found =
        after("UPDATE log_entries SET bytes = CAST(bytes || x'00' AS BLOB) WHERE position = 3")
            .await;
    assert!(
        found
            .iter()
            .any(|problem| problem.contains("entry 3 does not parse")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|problem| problem.contains("the root at size 4")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|problem| problem.contains("published checkpoint")),
        "{found:?}"
    );
}

#[tokio::test]
async fn swapped_entries_are_found() {
    let found = after(
        "UPDATE log_entries SET bytes = (SELECT bytes FROM log_entries AS other
         WHERE other.position = 9 - log_entries.position) WHERE position IN (4, 5)",
    )
    .await;
    assert!(
        found
            .iter()
            .any(|problem| problem.contains("the root at size 5")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|problem| problem.contains("published checkpoint")),
        "{found:?}"
    );
}

#[tokio::test]
async fn changed_root_is_found() {
    let found = after("UPDATE log_heads SET root = zeroblob(32) WHERE size = 2").await;
    assert_eq!(found, ["the root at size 2 is another"]);
}

#[tokio::test]
async fn changed_list_is_found() {
    let found =
        after("UPDATE registry_records SET hash = zeroblob(32) WHERE device = 'line-1'").await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].contains("the list of registry version 2"),
        "{found:?}"
    );
}

#[tokio::test]
async fn hidden_key_is_found() {
    let found = after("DELETE FROM registry_records WHERE device = 'line-1'").await;
    assert!(
        found
            .iter()
            .any(|problem| problem.contains("the list of registry version 2")),
        "{found:?}"
    );
}

#[tokio::test]
async fn dropped_end_of_the_log_is_found() {
    let found = after("DELETE FROM log_entries WHERE position = 5").await;
    assert!(
        found
            .iter()
            .any(|problem| problem.contains("published checkpoint")),
        "{found:?}"
    );
}
