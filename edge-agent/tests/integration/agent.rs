//! The whole agent: from a register or a line to a receipt and a verified inclusion.

use std::io::Write;

use edge_agent::{RunError, State};
use schemas::statement::Note;
use schemas::time::{Clock, Instant};
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Faults};
use crate::modbus::{self, Registers};
use crate::site::{START, Site, stop, storing, taken_over, until};
use crate::world::{SENSOR, World};

#[tokio::test]
async fn a_register_becomes_witnessed_events_under_moved_time() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    let registers = Registers::default();
    registers.set_f32(0, 4.25);
    registers.set(2, &[0x6afd, 0x0001]);
    let (address, _device) = modbus::serve(registers.clone(), ([127, 0, 0, 1], 0).into()).await;
    site.add_modbus(
        address,
        "register = 0\nkind = \"f32\"\ntime_register = 2\nreadings_per_event = 2",
    );
    let (handle, shutdown) = site.start().await;
    for (step, value) in [4.25, 9.5, f32::NAN].into_iter().enumerate() {
        registers.set_f32(0, value);
        registers.set(2, &[0x6afd, u16::try_from(step).expect("small")]);
        site.clock.advance(60);
        handle.flush().await.expect("flush");
        assert_eq!(handle.snapshot().readings, step as u64 + 1);
    }
    handle.drain().await.expect("drain");
    taken_over(&handle).await;
    assert_eq!(handle.snapshot().readings_beyond_limits, 1);
    stop(handle, shutdown).await;
    let events = site.broker.with(|shared| shared.platform.events());
    assert_eq!(events.len(), 2);
    let reports = &events[0]["sensorElementList"][0]["sensorReport"];
    assert_eq!(reports[0]["value"], 4.25);
    assert_eq!(
        reports[0]["time"],
        Instant::from_seconds(0x6afd_0000)
            .to_rfc3339()
            .replace(".000000", "")
    );
    assert_eq!(reports[1]["exception"], "ALARM_CONDITION");
    let doubtful = &events[1]["sensorElementList"][0]["sensorReport"][0];
    assert_eq!(doubtful["tb:quality"], "suspect");
    assert!(doubtful.get("value").is_none());
}

#[tokio::test]
async fn a_silent_device_is_a_fault_note_and_no_value() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    let registers = Registers::default();
    let (address, device) = modbus::serve(registers.clone(), ([127, 0, 0, 1], 0).into()).await;
    site.add_modbus(address, "register = 7\nkind = \"i16\"\nscale = 0.1");
    let (handle, shutdown) = site.start().await;
    let step = async |site: &Site| {
        site.clock.advance(60);
        handle.flush().await.expect("flush");
        handle.snapshot()
    };
    // The register is not there, twice: one note.
    step(&site).await;
    assert_eq!(step(&site).await.notes_made, 1);
    registers.set(7, &[42]);
    let after = step(&site).await;
    assert_eq!((after.notes_made, after.readings), (2, 1));
    device.abort();
    let _ = device.await;
    assert_eq!(step(&site).await.notes_made, 3);
    let (_, _device) = modbus::serve(registers, address).await;
    let after = step(&site).await;
    assert_eq!((after.notes_made, after.readings), (4, 2));
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    site.broker.with(|shared| {
        shared.platform.check_chain();
        let notes: Vec<_> = shared
            .platform
            .messages
            .values()
            .filter_map(|message| message.statement.payload.note.clone())
            .collect();
        assert!(
            matches!(&notes[0], Note::SensorFault { sensor, range: None, .. } if sensor == SENSOR)
        );
        assert!(matches!(
            &notes[1],
            Note::SensorFault { range: Some(_), .. }
        ));
    });
}

#[tokio::test]
async fn scan_lines_are_neither_lost_nor_doubled_by_cuts_losses_and_restarts() {
    let faults = Faults {
        cut_every: Some(7),
        lose: 3,
        withhold: 3,
        ..Faults::default()
    };
    let mut site = Site::new(World::new(), faults).await;
    site.add_scan();
    let mut serial = 0;
    for _ in 0..3 {
        let (handle, shutdown) = site.start().await;
        for _ in 0..10 {
            let lines: Vec<String> = (serial..serial + 5).map(storing).collect();
            serial += 5;
            site.append(&lines.iter().map(String::as_str).collect::<Vec<_>>());
            handle.flush().await.expect("flush");
        }
        stop(handle, shutdown).await;
    }
    let (handle, shutdown) = site.start().await;
    taken_over(&handle).await;
    assert_eq!(handle.snapshot().events_made, 150);
    stop(handle, shutdown).await;
    site.broker.with(|shared| {
        shared.platform.check_chain();
        let found: Vec<_> = shared
            .platform
            .events()
            .iter()
            .map(|event| event["epcList"][0].as_str().expect("item").to_owned())
            .collect();
        let made: Vec<_> = (0..150)
            .map(|n| format!("https://id.gs1.org/01/09521001000017/21/S{n}"))
            .collect();
        assert_eq!(found, made);
        assert!(shared.connections > 4, "the connection was cut");
        assert!(shared.platform.deliveries >= 30);
    });
}

#[tokio::test]
async fn bad_lines_are_counted_kept_aside_and_skipped() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    site.add_scan();
    let long = format!(r#"{{"step":"storing","x":"{}"}}"#, "y".repeat(600_000));
    let (first, last) = (storing(1), storing(2));
    site.append(&[&first, "not json", &long, "", &last]);
    let (handle, shutdown) = site.start().await;
    handle.flush().await.expect("flush");
    let status = handle.snapshot();
    assert_eq!((status.events_made, status.bad_lines), (2, 2));
    // A line without its end waits for it.
    std::fs::OpenOptions::new()
        .append(true)
        .open(site.scans())
        .expect("file")
        .write_all(storing(3).as_bytes())
        .expect("written");
    handle.flush().await.expect("flush");
    assert_eq!(handle.snapshot().events_made, 2);
    site.append(&[""]);
    handle.flush().await.expect("flush");
    assert_eq!(handle.snapshot().events_made, 3);
    // Another file of this name is read from its start.
    std::fs::remove_file(site.scans()).expect("removed");
    site.append(&[&storing(4)]);
    handle.flush().await.expect("flush");
    assert_eq!(handle.snapshot().events_made, 4);
    stop(handle, shutdown).await;
    let rejects =
        std::fs::read_to_string(site.scans().with_extension("jsonl.rejects")).expect("file");
    let rejects: Vec<serde_json::Value> = rejects
        .lines()
        .map(|line| serde_json::from_str(line).expect("json"))
        .collect();
    assert_eq!(rejects.len(), 2);
    assert_eq!(
        (&rejects[0]["line"], &rejects[1]["line"]),
        (&2.into(), &3.into())
    );
}

#[tokio::test]
async fn a_named_pipe_is_followed() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    let made = std::process::Command::new("mkfifo")
        .arg(site.scans())
        .status()
        .expect("mkfifo");
    assert!(made.success());
    site.add_scan();
    let (handle, shutdown) = site.start().await;
    for serial in 0..3 {
        let (path, line) = (site.scans(), storing(serial));
        let write = move || std::fs::write(path, format!("{line}\n"));
        tokio::task::spawn_blocking(write)
            .await
            .expect("task")
            .expect("written");
        until(&handle, |status| {
            status.events_made == u64::from(serial) + 1
        })
        .await;
    }
    stop(handle, shutdown).await;
}

#[tokio::test]
async fn silence_is_broken_by_heartbeats_on_the_clock() {
    let world = World {
        heartbeat: 600,
        ..World::new()
    };
    let site = Site::new(world, Faults::default()).await;
    let (handle, shutdown) = site.start().await;
    assert_eq!(
        handle.clock().now(),
        site.clock.now(),
        "what the page counts by"
    );
    for beat in 1..=3 {
        site.clock.advance(301);
        until(&handle, |status| status.notes_made == beat).await;
    }
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    site.broker.with(|shared| shared.platform.check_chain());
}

#[tokio::test]
async fn a_clock_that_is_set_back_silences_nobody() {
    const MINUTE: i64 = 1_795_000_080;
    let world = World {
        heartbeat: 600,
        ..World::new()
    };
    let mut site = Site::new(world, Faults::default()).await;
    let registers = Registers::default();
    registers.set(7, &[42]);
    let (address, _device) = modbus::serve(registers, ([127, 0, 0, 1], 0).into()).await;
    site.add_modbus(address, "register = 7\nkind = \"i16\"\nscale = 0.1");
    let (handle, shutdown) = site.start().await;
    for (reading, seconds) in [(1, MINUTE), (2, MINUTE + 36_000), (3, MINUTE)] {
        site.clock.set(seconds);
        until(&handle, |status| status.readings == reading).await;
    }
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    site.broker.with(|shared| shared.platform.check_chain());
}

#[tokio::test]
async fn heartbeats_go_on_when_the_clock_is_set_back() {
    let world = World {
        heartbeat: 600,
        ..World::new()
    };
    let site = Site::new(world, Faults::default()).await;
    let (handle, shutdown) = site.start().await;
    let beats = [(1, 36_000), (2, 0), (3, 301), (4, 602)];
    for (beat, later) in beats {
        site.clock.set(START + later);
        until(&handle, |status| status.notes_made == beat).await;
    }
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    site.broker.with(|shared| shared.platform.check_chain());
}

#[tokio::test]
async fn what_the_record_does_not_allow_is_refused_at_the_start() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    site.add_scan();
    site.sources = site.sources.replace("9521001000024", "9521001000017");
    let refused =
        edge_agent::run(site.config(), site.clock.clone(), CancellationToken::new()).await;
    assert!(matches!(
        refused.err(),
        Some(RunError::NotAllowed { number: 1, .. })
    ));
    // Its record allows scans and sensors, not what another system's file says.
    site.sources = String::new();
    site.add_scan();
    site.sources = site.sources.replace("\"scan\"", "\"file\"");
    let refused =
        edge_agent::run(site.config(), site.clock.clone(), CancellationToken::new()).await;
    match refused.err() {
        Some(RunError::NotAllowed { what, .. }) => assert_eq!(what, "the source file"),
        other => panic!("{other:?}"),
    }
    std::fs::remove_file(site.folder.path().join("state/enrolment.json")).expect("removed");
    let refused =
        edge_agent::run(site.config(), site.clock.clone(), CancellationToken::new()).await;
    assert!(matches!(refused.err(), Some(RunError::NotEnrolled)));
}

#[tokio::test]
async fn an_inclusion_that_never_came_is_asked_for_after_its_deadline() {
    use axum::extract::{Path, State};
    use axum::routing::get;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bind");
    let address = listener.local_addr().expect("address");
    let world = World {
        platform_url: format!("http://{address}"),
        ..World::new()
    };
    let faults = Faults {
        withhold_inclusions: true,
        ..Faults::default()
    };
    let mut site = Site::new(world, faults).await;
    site.broker
        .with(|shared| shared.platform.deadline = Instant::from_seconds(START));
    let answer = async |State(broker): State<Broker>, Path(id): Path<schemas::hash::Hash>| {
        broker.with(|shared| shared.platform.include(&[id], 3))
    };
    let router = axum::Router::new()
        .route("/v1/inclusions/{id}", get(answer))
        .with_state(site.broker.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    site.add_scan();
    site.append(&[&storing(1)]);
    let (handle, shutdown) = site.start().await;
    handle.flush().await.expect("flush");
    until(&handle, |status| status.receipts_waiting == 0).await;
    assert_eq!(handle.snapshot().inclusions_waiting, 1);
    site.clock.advance(60);
    taken_over(&handle).await;
    assert_eq!(handle.snapshot().alarms, 0);
    stop(handle, shutdown).await;
}

#[tokio::test]
async fn a_session_that_somebody_takes_over_is_shown_and_nothing_is_lost() {
    let faults = Faults {
        take_over: 2,
        ..Faults::default()
    };
    let mut site = Site::new(World::new(), faults).await;
    site.add_scan();
    let (handle, shutdown) = site.start().await;
    let lines: Vec<String> = (0..4).map(storing).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    site.append(&lines);
    until(&handle, |status| {
        status.strangers == 2 && status.alarms == 2
    })
    .await;
    let states = edge_agent::state::states(&handle.snapshot());
    assert_eq!(states[0], State::CopiedKey);
    assert!(!states.contains(&State::Unverified), "{states:?}");
    until(&handle, |status| status.events_made == 4).await;
    handle.flush().await.expect("flush");
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    assert_eq!(site.broker.with(|shared| shared.platform.events().len()), 4);
}
