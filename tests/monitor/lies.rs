//! A platform that alters, holds back, forks.

use super::proxy::Proxy;
use super::*;
use crate::world::events::commissioned;

/// A world behind a proxy, followed once without an alarm.
async fn followed() -> (
    World,
    crate::world::served::Served,
    Proxy,
    tempfile::TempDir,
    Monitor,
) {
    let mut world = World::with_line_1().await;
    world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;
    let served = world.serve().await;
    world.anchor().await;
    let proxy = Proxy::start(&served.url).await;
    let folder = tempfile::tempdir().unwrap();
    let mut monitor = open(&world, config(&world, &proxy.url, folder.path()));
    let round = monitor.round().await.unwrap();
    assert_eq!((codes(&round), &round.trouble), (vec![], &vec![]));
    (world, served, proxy, folder, monitor)
}

/// Even where three witnesses lie with the log.
#[tokio::test]
async fn monitor_sees_a_split_view() {
    let (world, _served, proxy, folder, mut monitor) = followed().await;
    let (honest, _) = histories(&world, 0, 0).await;
    // Another root at the size that was shown.
    let (_, same) = histories(&world, honest.len() - 1, 1).await;
    proxy.say("/log/checkpoint", checkpoint(&world, &same, 4).encode());
    let round = monitor.round().await.unwrap();
    assert_eq!(codes(&round), [Code::SplitView]);
    assert_eq!(round.alarms[0].alarm.notes.len(), 2);
    // A longer history that leaves the shown one before its end.
    let (_, longer) = histories(&world, honest.len() - 2, 5).await;
    proxy.say("/log/checkpoint", checkpoint(&world, &longer, 4).encode());
    let partial = format!("/log/tile/entries/000.p/{}", longer.len());
    proxy.say(&partial, bundle(&longer));
    let round = monitor.round().await.unwrap();
    assert_eq!(codes(&round), [Code::SplitView]);
    // A shorter one.
    let (_, shorter) = histories(&world, honest.len() - 3, 1).await;
    proxy.say("/log/checkpoint", checkpoint(&world, &shorter, 4).encode());
    assert_eq!(codes(&monitor.round().await.unwrap()), [Code::SplitView]);
    let kept = std::fs::read_dir(folder.path().join("evidence")).unwrap();
    assert_eq!(kept.count(), 3);
    // The truth goes on, and the alarms stay.
    proxy.stop_lying();
    let round = monitor.round().await.unwrap();
    assert_eq!((codes(&round), monitor.alarms().len()), (vec![], 3));
}

/// An alarm that could not be kept is found again: nothing moves on without it.
#[tokio::test]
async fn alarm_is_kept_before_the_log_is_taken() {
    let (world, _served, proxy, folder, mut monitor) = followed().await;
    let (_, mut longer) = histories(&world, 1_000, 0).await;
    longer.push(b"no entry at all".to_vec());
    proxy.say("/log/checkpoint", checkpoint(&world, &longer, 4).encode());
    let partial = format!("/log/tile/entries/000.p/{}", longer.len());
    proxy.say(&partial, bundle(&longer));
    let alarms = folder.path().join("alarms.jsonl");
    std::fs::create_dir(&alarms).unwrap();
    assert!(monitor.round().await.is_err(), "its folder fails");
    drop(monitor);
    std::fs::remove_dir(&alarms).unwrap();
    let mut monitor = open(&world, config(&world, &proxy.url, folder.path()));
    let round = monitor.round().await.unwrap();
    assert_eq!(codes(&round), [Code::Log]);
    assert_eq!(round.size, longer.len() as u64);
}

#[tokio::test]
async fn monitor_sees_a_log_that_went_back() {
    let (mut world, _served, proxy, _folder, mut monitor) = followed().await;
    let before = reqwest::get(format!("{}/log/checkpoint", proxy.url)).await;
    let before = before.unwrap().bytes().await.unwrap();
    world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;
    assert_eq!(codes(&monitor.round().await.unwrap()), []);
    proxy.say("/log/checkpoint", before.to_vec());
    assert_eq!(codes(&monitor.round().await.unwrap()), [Code::WentBack]);
}

#[tokio::test]
async fn monitor_sees_what_is_held_back_from_it() {
    let (mut world, _served, proxy, folder, monitor) = followed().await;
    drop(monitor);
    let witnesses = world.witnesses.sections().into_iter().map(|one| one.url);
    let config = MonitorConfig {
        witnesses: witnesses.collect(),
        ..config(&world, &proxy.url, folder.path())
    };
    let mut monitor = open(&world, config);
    assert_eq!(codes(&monitor.round().await.unwrap()), []);
    let pinned = reqwest::get(format!("{}/log/checkpoint", proxy.url)).await;
    proxy.say(
        "/log/checkpoint",
        pinned.unwrap().bytes().await.unwrap().to_vec(),
    );
    world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;
    // Once may be chance: the witness was asked a moment later than the log.
    assert_eq!(codes(&monitor.round().await.unwrap()), []);
    let round = monitor.round().await.unwrap();
    assert!(!round.alarms.is_empty());
    assert!(codes(&round).iter().all(|code| *code == Code::HeldBack));
}

#[tokio::test]
async fn monitor_asks_witnesses_for_forks() {
    let (world, _served, proxy, folder, monitor) = followed().await;
    drop(monitor);
    let (honest, _) = histories(&world, 0, 0).await;
    let (_, forked) = histories(&world, honest.len() - 1, 1).await;
    let mut tree = LogTree::new();
    for entry in &forked {
        tree.push(entry_hash(entry)).unwrap();
    }
    let (key, size) = (key_of(world.policy.origin.as_str()), tree.size());
    let answer = world
        .witnesses
        .ask(&key, &world.policy.origin, &tree, size, size);
    assert_eq!(answer.await.0, 409);
    let config = MonitorConfig {
        witnesses: vec![world.witnesses.sections().remove(0).url],
        ..config(&world, &proxy.url, folder.path())
    };
    let round = open(&world, config).round().await.unwrap();
    assert_eq!(codes(&round), [Code::WitnessFork]);
}

#[tokio::test]
async fn monitor_counts_signatures_itself() {
    let (world, _served, proxy, _folder, mut monitor) = followed().await;
    let (honest, longer) = histories(&world, 1_000, 2).await;
    assert_eq!(longer.len(), honest.len() + 2);
    let size = monitor.round().await.unwrap().size;
    proxy.say("/log/checkpoint", checkpoint(&world, &longer, 2).encode());
    let round = monitor.round().await.unwrap();
    assert_eq!((codes(&round), round.size), (vec![Code::Quorum], size));
    let mut foreign = checkpoint(&world, &longer, 4);
    foreign.lines.remove(0);
    proxy.say("/log/checkpoint", foreign.encode());
    let round = monitor.round().await.unwrap();
    assert_eq!((codes(&round), round.size), (vec![Code::Signature], size));
}

#[tokio::test]
async fn monitor_rebuilds_the_registry() {
    let mut world = World::with_line_1().await;
    world.anchor().await;
    let served = world.serve().await;
    let proxy = Proxy::start(&served.url).await;
    let version = world.gate.snapshot().head.unwrap().version;
    let path = format!("/v1/registry/list/{version}");
    let list: serde_json::Value = reqwest::get(format!("{}{path}", served.url))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let mut hidden = list;
    hidden["keys"].as_array_mut().unwrap().remove(0);
    proxy.say(&path, hidden.to_string());
    let folder = tempfile::tempdir().unwrap();
    let mut monitor = open(&world, config(&world, &proxy.url, folder.path()));
    let found = codes(&monitor.round().await.unwrap());
    assert!(found.contains(&Code::Registry), "{found:?}");
}

#[tokio::test]
async fn monitor_reads_within_limits() {
    let (_world, _served, proxy, _folder, mut monitor) = followed().await;
    proxy.say("/log/checkpoint", vec![b'a'; 20_000]);
    let round = monitor.round().await.unwrap();
    assert_eq!((codes(&round), round.trouble.len()), (vec![], 1));
    proxy.say("/log/checkpoint", "no checkpoint\n");
    assert_eq!(codes(&monitor.round().await.unwrap()), [Code::Log]);
}
