//! An honest platform, and what happens to one's own devices.

use schemas::registry::State;
use schemas::tlog_policy::TlogPolicy;

use super::*;
use crate::world::events::commissioned;

#[tokio::test]
async fn a_monitor_follows_an_honest_log_and_goes_on_where_it_stood() {
    let mut world = World::with_line_1().await;
    world.anchor().await;
    let served = world.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let mut monitor = open(&world, config(&world, &served.url, folder.path()));
    let first = monitor.round().await.unwrap();
    assert_eq!((codes(&first), &first.trouble), (vec![], &vec![]));
    assert!(first.size > 2);
    world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;
    drop(monitor);
    let mut again = open(&world, config(&world, &served.url, folder.path()));
    let second = again.round().await.unwrap();
    assert_eq!((codes(&second), &second.trouble), (vec![], &vec![]));
    assert!(second.size > first.size);
    assert_eq!(again.round().await.unwrap().size, second.size);
}

#[tokio::test]
async fn a_monitor_catches_up_with_a_log_of_any_length() {
    let mut world = World::with_line_1().await;
    for _ in 0..4 {
        world.send("qinghe/line-1", &[commissioned()]).await;
        world.anchor().await;
    }
    let served = world.serve().await;
    world.anchor().await;
    let size = world.notary.tree.read(LogTree::size);
    assert!(size > 6);
    let folder = tempfile::tempdir().unwrap();
    let config = MonitorConfig {
        at_once: 2,
        ..config(&world, &served.url, folder.path())
    };
    let mut monitor = open(&world, config.clone());
    for read in [2, 4] {
        let round = monitor.round().await.unwrap();
        assert_eq!((codes(&round), &round.trouble), (vec![], &vec![]));
        assert_eq!((round.size, round.behind), (0, size - read));
    }
    // What leads to no checkpoint yet is read again after a restart; what does is not.
    let mut monitor = open(&world, config.clone());
    let mut rounds = 1;
    while monitor.round().await.unwrap().behind > 0 {
        rounds += 1;
    }
    assert_eq!(rounds, size.div_ceil(2));
    let mut monitor = open(&world, config);
    let round = monitor.round().await.unwrap();
    assert_eq!((codes(&round), round.size, round.behind), (vec![], size, 0));
}

#[tokio::test]
async fn a_monitor_needs_no_more_than_a_tlog_policy() {
    let mut world = World::with_line_1().await;
    world.anchor().await;
    let served = world.serve().await;
    let url = format!("{}/v1/policy.txt", served.url);
    let text = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    let read = TlogPolicy::parse(&text).unwrap();
    assert_eq!((read.flat(), read.witnesses().len()), (Some(3), 4));
    let folder = tempfile::tempdir().unwrap();
    let witnesses = read.witnesses().iter().filter_map(|one| one.url.as_ref());
    let config = MonitorConfig {
        trust: Trust::parse(&text).unwrap(),
        witnesses: witnesses.map(ToString::to_string).collect(),
        ..config(&world, &served.url, folder.path())
    };
    assert_eq!(config.witnesses.len(), 4);
    let mut monitor = open(&world, config);
    let round = monitor.round().await.unwrap();
    assert_eq!((codes(&round), &round.trouble), (vec![], &vec![]));
    assert!(round.size > 2);
}

#[tokio::test]
async fn an_unknown_organisation_is_an_alarm_once() {
    let mut world = World::with_line_1().await;
    world.anchor().await;
    let served = world.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let mut monitor = open(&world, config(&world, &served.url, folder.path()));
    assert_eq!(codes(&monitor.round().await.unwrap()), []);
    world.admit("stranger").await;
    world.anchor().await;
    let round = monitor.round().await.unwrap();
    assert_eq!(codes(&round), [Code::UnknownOrganisation]);
    assert!(round.alarms[0].alarm.words.contains("stranger"));
    assert_eq!(codes(&monitor.round().await.unwrap()), []);
}

#[tokio::test]
async fn a_new_or_changed_key_of_an_own_device_is_an_alarm() {
    let mut world = World::with_line_1().await;
    world.anchor().await;
    let served = world.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let mut monitor = open(&world, config(&world, &served.url, folder.path()));
    assert_eq!(codes(&monitor.round().await.unwrap()), []);
    // Whoever has the organisation's key enrols a device and suspends another: all of it is
    // properly signed, and still not what the organisation knows.
    world.enrol("qinghe/line-2").await;
    world.set_state("qinghe/line-1", State::Suspended).await;
    world.anchor().await;
    let round = monitor.round().await.unwrap();
    assert_eq!(codes(&round), [Code::OwnRecord, Code::ForeignKey]);
    assert!(round.alarms[1].alarm.words.contains("qinghe/line-2"));
    // A list of one's own with another key for the device.
    let other = tempfile::tempdir().unwrap();
    let wrong = format!("qinghe/line-1={}", key_of("another").kid());
    let mut monitor = open(
        &world,
        MonitorConfig {
            own: Own::parse(&wrong).unwrap(),
            ..config(&world, &served.url, other.path())
        },
    );
    let found: BTreeSet<Code> = codes(&monitor.round().await.unwrap()).into_iter().collect();
    assert_eq!(
        found,
        BTreeSet::from([Code::OwnKeyMissing, Code::ForeignKey])
    );
}

#[tokio::test]
async fn a_silent_device_and_an_old_checkpoint_are_alarms() {
    let mut world = World::with_line_1().await;
    world.send("qinghe/line-1", &[commissioned()]).await;
    world.anchor().await;
    let served = world.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let mut monitor = open(&world, config(&world, &served.url, folder.path()));
    assert_eq!(codes(&monitor.round().await.unwrap()), []);
    world.clock.advance(Duration::from_secs(90_000));
    assert!(!world.chain_events("qinghe/line-1").await.is_empty());
    let found: BTreeSet<Code> = codes(&monitor.round().await.unwrap()).into_iter().collect();
    assert_eq!(found, BTreeSet::from([Code::Silent, Code::Stale]));
}

#[tokio::test]
async fn records_are_shown_to_the_organisations_own_reader_only() {
    let world = World::with_line_1().await;
    let served = world.serve().await;
    let ask = |token: &'static str, organisation: &'static str| {
        let url = format!("{}/v1/registry/records/{organisation}", served.url);
        let asked = reqwest::Client::new().get(url).bearer_auth(token);
        async move { asked.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(ask(READER_TOKEN, "qinghe").await, 200);
    assert_eq!(ask(READER_TOKEN, "northroad").await, 403);
    assert_eq!(ask("guessed", "qinghe").await, 403);
}

/// The checkpoint that a device says it has verified is compared with the log, and what does not
/// fit is a row of its chain that nobody takes back; the monitor of its organisation sees it.
#[tokio::test]
async fn device_that_has_seen_another_log_is_a_row_of_its_chain() {
    let mut world = World::with_line_1().await;
    world.anchor().await;
    let (size, root) = {
        let tree = &world.notary.tree;
        tree.read(|tree| (tree.size(), tree.root(tree.size()).unwrap()))
    };
    for (seen, rows) in [(root, 0), (Hash([7; 32]), 1)] {
        let device = world.device("qinghe/line-1");
        let mut payload = device.payload();
        let text = "still here".to_owned();
        payload.note = Some(schemas::statement::Note::Heartbeat { text });
        payload.seen = Some((size, seen));
        let message = schemas::statement::Message {
            statement: device.sign(payload),
            events: Vec::new(),
        };
        assert_eq!(world.deliver_message(&message).await.word(), "stored");
        let found = world.chain_events("qinghe/line-1").await;
        let another = found.iter().filter(|event| event.kind == "seen-another");
        assert_eq!(another.count(), rows);
    }
    world.anchor().await;
    let served = world.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let mut monitor = open(&world, config(&world, &served.url, folder.path()));
    assert_eq!(codes(&monitor.round().await.unwrap()), [Code::SeenAnother]);
}
