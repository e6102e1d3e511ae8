//! The way to the broker: every no is a state, a second address, new statements before the backlog,
//! and a device that does not know the time.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use edge_agent::clock::Machine;
use edge_agent::state::{State, states};
use edge_agent::status::Trouble;
use edge_agent::uplink::sending::Sending;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode, PubAckReason};
use schemas::statement::ClockState;
use schemas::time::Instant;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, close, scan_batch};
use crate::broker::Faults;
use crate::site::{Site, stop, storing, taken_over, until};
use crate::world::World;

async fn site(faults: Faults) -> Site {
    let mut site = Site::new(World::new(), faults).await;
    site.add_scan();
    site
}

#[tokio::test]
async fn a_refused_log_in_is_a_state_with_a_reason_and_heals() {
    for (code, state) in [
        (
            ConnectReturnCode::BadUserNamePassword,
            State::RefusedByBroker,
        ),
        (ConnectReturnCode::ServerBusy, State::BrokerBusy),
        (ConnectReturnCode::QuotaExceeded, State::BrokerLimit),
    ] {
        let faults = Faults {
            refuse: Some(code),
            ..Faults::default()
        };
        let site = site(faults).await;
        site.append(&[&storing(1)]);
        let (handle, shutdown) = site.start().await;
        let status = until(&handle, |status| states(status).contains(&state)).await;
        assert!(!status.connected && status.link.detail.contains(&format!("{code:?}")));
        site.broker.with(|shared| shared.faults.refuse = None);
        taken_over(&handle).await;
        let status = until(&handle, |status| status.link.trouble.is_none()).await;
        assert!(status.connected && status.link.failures > 0);
        stop(handle, shutdown).await;
    }
}

#[tokio::test]
async fn refused_topics_are_a_state() {
    let faults = Faults {
        refuse_topic: true,
        ..Faults::default()
    };
    let site = site(faults).await;
    let (handle, shutdown) = site.start().await;
    until(&handle, |status| {
        status.link.trouble == Some(Trouble::Topic)
    })
    .await;
    site.broker
        .with(|shared| shared.faults.refuse_topic = false);
    until(&handle, |status| {
        status.connected && status.link.trouble.is_none()
    })
    .await;
    stop(handle, shutdown).await;
}

#[tokio::test]
async fn a_statement_that_the_broker_refuses_is_kept_and_sent_again() {
    let faults = Faults {
        puback: Some(PubAckReason::NotAuthorized),
        ..Faults::default()
    };
    let site = site(faults).await;
    site.append(&[&storing(1)]);
    let (handle, shutdown) = site.start().await;
    let status = until(&handle, |status| status.link.not_taken >= 2).await;
    assert_eq!(states(&status)[0], State::TopicRefused);
    assert_eq!((status.receipts_waiting, status.link.connections), (1, 1));
    site.broker.with(|shared| shared.faults.puback = None);
    taken_over(&handle).await;
    until(&handle, |status| status.link.trouble.is_none()).await;
    stop(handle, shutdown).await;
}

#[tokio::test]
async fn a_session_that_somebody_else_takes_over_is_a_copied_key() {
    let faults = Faults {
        disconnect: Some((1, DisconnectReasonCode::SessionTakenOver)),
        ..Faults::default()
    };
    let mut site = site(faults).await;
    site.uplink = "return_after_s = 1\n".to_owned();
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let (handle, shutdown) = site.start().await;
    let note = seen.clone();
    until(&handle, move |status| {
        note.lock().expect("lock").extend(states(status));
        status.link.connections >= 2 && status.link.trouble.is_none()
    })
    .await;
    assert!(seen.lock().expect("lock").contains(&State::CopiedKey));
    stop(handle, shutdown).await;
}

/// An address at which nothing answers, until it is opened.
async fn closed() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    listener.local_addr().expect("address")
}

/// Passes connections on to `to`.
async fn open(at: SocketAddr, to: SocketAddr) {
    let listener = TcpListener::bind(at).await.expect("still free");
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await.expect("broker");
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
}

#[tokio::test]
async fn a_second_address_carries_everything_until_the_first_one_answers_again() {
    let mut site = site(Faults::default()).await;
    let first = closed().await;
    site.uplink = format!(
        "broker = \"mqtt://{first}\"\nbrokers = [\"{}\"]\nreturn_after_s = 1\n",
        site.broker.url()
    );
    site.append(&[&storing(1)]);
    let (handle, shutdown) = site.start().await;
    taken_over(&handle).await;
    let status = until(&handle, |status| status.link.is_second).await;
    assert!(states(&status).contains(&State::OtherAddress));
    open(first, site.broker.address).await;
    let home = |status: &edge_agent::Status| status.connected && !status.link.is_second;
    let status = until(&handle, home).await;
    assert_eq!(status.link.broker, format!("mqtt://{first}"));
    site.append(&[&storing(2)]);
    handle.flush().await.expect("flush");
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    site.broker.with(|shared| shared.platform.check_chain());
}

#[tokio::test]
async fn a_statement_that_is_too_large_for_the_broker_does_not_hold_the_others_back() {
    let faults = Faults {
        packet_max: Some(4_000),
        ..Faults::default()
    };
    let site = site(faults).await;
    let large = format!(
        r#"{{"step":"storing","items":["(01)09521001000017(21)S1"],"extra":{{"tb:remark":"{}"}}}}"#,
        "x".repeat(5_000)
    );
    site.append(&[&large]);
    let (handle, shutdown) = site.start().await;
    handle.flush().await.expect("flush");
    site.append(&[&storing(2)]);
    handle.flush().await.expect("flush");
    let status = until(&handle, |status| {
        status.last_receipt.is_some() && status.receipts_waiting == 1
    })
    .await;
    assert_eq!(states(&status)[0], State::BrokerLimit);
    assert_eq!(site.broker.with(|shared| shared.platform.messages.len()), 1);
    stop(handle, shutdown).await;
}

#[tokio::test]
async fn a_platform_without_receipts_is_silent_not_away() {
    let faults = Faults {
        withhold: u64::MAX,
        ..Faults::default()
    };
    let site = site(faults).await;
    site.append(&[&storing(1)]);
    let (handle, shutdown) = site.start().await;
    until(&handle, |status| {
        states(status).contains(&State::PlatformSilent)
    })
    .await;
    site.broker.with(|shared| shared.faults.withhold = 0);
    taken_over(&handle).await;
    until(&handle, |status| states(status) == [State::Running]).await;
    stop(handle, shutdown).await;
}

/// An outbox with this many statements, and the position of the newest.
async fn filled(outbox: &edge_agent::outbox::Outbox, count: u32) -> i64 {
    for serial in 0..count {
        let from = outbox.scan_position("/scans").expect("position");
        let batch = scan_batch(&from, &[&storing(serial)]);
        outbox.scan(batch).await.expect("stored");
        outbox.flush().await.expect("flush");
    }
    *outbox.newest().borrow()
}

#[tokio::test]
async fn new_statements_leave_before_the_backlog_and_neither_starves() {
    const BACKLOG: usize = 20;
    let bench = Bench::new();
    let opened = bench.open().await;
    let outbox = &opened.0;
    let horizon = filled(outbox, 20).await;
    let now = tokio::time::Instant::now();
    let mut sending = Sending::behind(4, horizon);
    let (mut left, mut packet) = (Vec::new(), 0);
    while sending.is_catching_up() {
        let before = left.len();
        for waiting in sending.next(outbox, now).await.expect("next") {
            packet += 1;
            sending.left(packet);
            left.push(waiting.position);
        }
        // Each round meets more new statements than the line can carry.
        filled(outbox, 5).await;
        for packet in before..left.len() {
            sending.acknowledged(u16::try_from(packet + 1).expect("few"));
        }
    }
    let once: BTreeSet<i64> = left.iter().copied().collect();
    assert_eq!(once.len(), left.len(), "each leaves once");
    let (old, new): (Vec<i64>, Vec<i64>) = left.iter().partition(|at| **at <= horizon);
    assert!(
        old.is_sorted() && new.is_sorted(),
        "each queue in its order"
    );
    assert_eq!(old.len(), BACKLOG, "the backlog ends");
    let first = left.iter().position(|at| *at > horizon).expect("new ones");
    assert!(first <= 4, "new ones do not wait for the backlog: {left:?}");
    for part in left[first..].chunks_exact(4) {
        let old = part.iter().filter(|at| **at <= horizon).count();
        assert_eq!(old, 1, "one of four places is the backlog's: {left:?}");
    }
    close(opened).await;
}

#[tokio::test]
async fn what_is_overdue_is_sent_again_once_and_keeps_nothing_new_waiting() {
    let bench = Bench::new();
    let opened = bench.open().await;
    let outbox = &opened.0;
    let old = filled(outbox, 6).await;
    let now = tokio::time::Instant::now();
    let mut sending = Sending::new(64);
    let (mut left, mut packet, mut answered) = (Vec::new(), 0, 0);
    while left.len() < 6 {
        for waiting in sending.next(outbox, now).await.expect("next") {
            packet += 1;
            sending.left(packet);
            left.push(waiting.position);
        }
        while answered < packet && left.len() < 6 {
            answered += 1;
            sending.acknowledged(answered);
        }
    }
    left.clear();
    // The broker takes its time, and no receipt comes: two looks find the same six.
    let timeout = Duration::from_secs(60);
    for minutes in [1, 2] {
        let later = now + timeout * minutes;
        let look = sending.find_overdue(outbox, timeout, later);
        look.await.expect("looked");
    }
    filled(outbox, 6).await;
    for packet in answered..packet {
        sending.acknowledged(packet + 1);
    }
    let later = now + timeout * 2;
    loop {
        let next = sending.next(outbox, later).await.expect("next");
        if next.is_empty() {
            break;
        }
        for waiting in next {
            packet += 1;
            sending.left(packet);
            sending.acknowledged(packet);
            left.push(waiting.position);
        }
    }
    let once: BTreeSet<i64> = left.iter().copied().collect();
    assert_eq!((once.len(), left.len()), (12, 12), "each once: {left:?}");
    let first = left.iter().take(4).filter(|at| **at > old).count();
    assert_eq!(first, 3, "new ones do not wait: {left:?}");
    close(opened).await;
}

/// A machine without a battery-backed clock, whose time comes later.
struct Pi(Mutex<(Instant, Duration)>);

impl Machine for Pi {
    fn wall(&self) -> Instant {
        self.0.lock().expect("lock").0
    }
    fn since_start(&self) -> Duration {
        self.0.lock().expect("lock").1
    }
    fn is_kept(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_device_without_a_clock_says_so_and_learns_the_time_later() {
    let mut site = site(Faults::default()).await;
    let state = site.folder.path().join("state").display().to_string();
    site.sources += "";
    let text = format!(
        "state = \"{state}\"\n[device]\nclock = \"auto\"\n[uplink]\nback_off_min_ms = 5\n{}",
        site.sources
    );
    let config = edge_agent::Config::parse("a.toml", &text).expect("config");
    let pi = Arc::new(Pi(Mutex::new((
        Instant::from_seconds(90),
        Duration::from_secs(33),
    ))));
    site.append(&[&storing(1)]);
    let shutdown = CancellationToken::new();
    let run = edge_agent::run_on_device(config, pi.clone(), shutdown.clone());
    let handle = run.await.expect("running");
    until(&handle, |status| status.statements_made == 1).await;
    taken_over(&handle).await;
    let status = until(&handle, |status| states(status) == [State::ClockUnknown]).await;
    assert!(status.connected);
    let set = Instant::from_seconds(1_795_000_500);
    *pi.0.lock().expect("lock") = (set, Duration::from_secs(40));
    until(&handle, |status| status.clock == ClockState::Synced).await;
    site.append(&[&storing(2)]);
    handle.flush().await.expect("flush");
    taken_over(&handle).await;
    assert_eq!(handle.snapshot().clock_steps, 1);
    stop(handle, shutdown).await;
    let made: Vec<(ClockState, Instant)> = site.broker.with(|shared| {
        shared.platform.check_chain();
        let of = |message: &schemas::statement::Message| {
            let payload = &message.statement.payload;
            (payload.clock, payload.made)
        };
        shared.platform.messages.values().map(of).collect()
    });
    assert_eq!(
        made,
        [
            (ClockState::Unknown, Instant::from_seconds(33)),
            (ClockState::Synced, set)
        ]
    );
}

#[tokio::test]
async fn a_clock_that_is_set_back_stops_nothing() {
    let mut site = Site::new(
        World {
            heartbeat: 2,
            ..World::new()
        },
        Faults::default(),
    )
    .await;
    site.add_scan();
    let state = site.folder.path().join("state").display().to_string();
    let text = format!("state = \"{state}\"\n{}", site.sources)
        .replace("[[source]]", "[uplink]\nback_off_min_ms = 5\n[[source]]");
    let config = edge_agent::Config::parse("a.toml", &text).expect("config");
    let start = 1_795_400_000;
    let up = Duration::from_secs(500);
    let pi = Arc::new(Pi(Mutex::new((Instant::from_seconds(start), up))));
    let shutdown = CancellationToken::new();
    let run = edge_agent::run_on_device(config, pi.clone(), shutdown.clone());
    let handle = run.await.expect("running");
    site.append(&[&storing(1)]);
    handle.flush().await.expect("flush");
    // An hour back: the next heartbeat must not wait for an hour.
    *pi.0.lock().expect("lock") = (Instant::from_seconds(start - 3_600), up);
    until(&handle, |status| {
        status.clock_steps == 1 && status.notes_made >= 1
    })
    .await;
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    site.broker.with(|shared| shared.platform.check_chain());
}
