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

/// Names of the served log's files that stand below its folder.
fn served(world: &World, name: &str) -> std::path::PathBuf {
    world.folder().join("log").join(name)
}

#[tokio::test]
async fn wrong_missing_and_strange_files_of_the_served_log_are_named_and_tiles_written_anew() {
    let world = honest().await;
    let tiles = Tiles::new(world.folder().join("log"));
    let checkpoint = std::fs::read(served(&world, "checkpoint")).unwrap();
    std::fs::remove_file(served(&world, "tile/0/000.p/6")).unwrap();
    std::fs::write(served(&world, "tile/entries/000.p/6"), b"other").unwrap();
    std::fs::write(served(&world, "tile/0/000.p/9"), [0; 288]).unwrap();
    std::fs::write(served(&world, "tile/0/notes.txt"), b"").unwrap();
    std::fs::write(served(&world, "tile/0/000.new"), b"half").unwrap();
    let strange = [
        "tile/0/000.p/9 holds more than the log in the database has",
        "tile/0/notes.txt is no file of a log",
    ];
    let found = fsck::check(&*world.store, &tiles).await.unwrap();
    assert_eq!(
        found.problems,
        [
            "tile/0/000.p/6 is missing, and the published checkpoint needs it",
            "tile/entries/000.p/6 is not what the log in the database says",
            strange[0],
            strange[1],
        ]
    );
    let repaired = fsck::repair(&*world.store, &tiles).await.unwrap();
    assert_eq!(
        repaired.repaired,
        ["tile/0/000.p/6", "tile/entries/000.p/6"]
    );
    assert_eq!(repaired.problems, strange);
    let again = fsck::check(&*world.store, &tiles).await.unwrap();
    assert_eq!(again.problems, strange);
    assert_eq!(
        std::fs::read(served(&world, "checkpoint")).unwrap(),
        checkpoint
    );
}

#[tokio::test]
async fn nothing_is_repaired_from_a_database_that_is_wrong() {
    let world = honest().await;
    let tiles = Tiles::new(world.folder().join("log"));
    sqlx::query("DELETE FROM log_entries WHERE position = 5")
        .execute(&mut world.tamper().await)
        .await
        .unwrap();
    std::fs::write(served(&world, "tile/0/000.p/4"), b"other").unwrap();
    let found = fsck::repair(&*world.store, &tiles).await.unwrap();
    assert!(found.repaired.is_empty());
    let said = found.problems.join("\n");
    for part in [
        "5 entries, but the newest head is of size 6",
        "the checkpoint of size 6 in the database is not of this log",
        "the published checkpoint is of size 6, the log in the database ends at 5",
        "nothing was repaired",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}
