//! Scanners on serial lines and such that type, through the whole agent.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use edge_agent::{Handle, SystemClock, source};

use crate::broker::Faults;
use crate::programs::no_socat;
use crate::site::{DEADLINE, Site, stop, taken_over};
use crate::sources::{serial_line, states, until_state};
use crate::world::{PLACE, World};

#[tokio::test]
async fn a_scanner_on_a_serial_line_is_read_and_missed() {
    if no_socat() {
        return;
    }
    let mut site = Site::new(World::new(), Faults::default()).await;
    let (line, near, far) = serial_line(site.folder.path());
    site.sources = format!(
        "[[source]]\ntype = \"serial\"\nport = \"{near}\"\nbaud = 115200\nstep = \"storing\"\n\
         place = \"{PLACE}\"\nrepeat_ms = 60000\n"
    );
    let (handle, shutdown) = site.start().await;
    // Opening throws away what was sent before: the scanner speaks when it is listened to.
    let config = site.config();
    let taken = async |handle: &Handle| {
        let started = std::time::Instant::now();
        while source::probe(&config.sources[0], &SystemClock)
            .await
            .is_ok()
        {
            assert!(started.elapsed() < DEADLINE, "{:#?}", states(handle));
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    taken(&handle).await;
    let say = |text: &str| {
        let mut scanner = std::fs::OpenOptions::new()
            .write(true)
            .open(&far)
            .expect("far end");
        scanner.write_all(text.as_bytes()).expect("sent");
    };
    say("]C1010952100100001710L1\u{1d}21S1\r\n");
    say("]C1010952100100001710L1\u{1d}21S1\r\n");
    say("9521001000017\r9521001000018\r");
    let state = until_state(&handle, |state| state.counts.rejected == 1).await;
    assert_eq!((state.counts.scans, state.counts.repeated), (2, 1));
    assert_eq!(state.last[0].what, "https://id.gs1.org/01/09521001000017");
    let rejects = site.folder.path().join("state/rejects/near.jsonl");
    let rejects = std::fs::read_to_string(rejects).expect("rejects");
    assert!(
        rejects.contains("check digit") && rejects.contains("9521001000018"),
        "{rejects}"
    );
    drop(line);
    until_state(&handle, |state| state.fault.is_some()).await;
    let (_line, _, far_again) = serial_line(site.folder.path());
    assert_eq!(far_again, far);
    until_state(&handle, |state| state.fault.is_none()).await;
    say("(01)09521001000017(21)S2\n");
    until_state(&handle, |state| state.counts.scans == 3).await;
    handle.flush().await.expect("flush");
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    let events = site.broker.with(|shared| {
        shared.platform.check_chain();
        shared.platform.events()
    });
    let names: Vec<_> = events
        .iter()
        .map(|event| {
            let one = event["epcList"][0].as_str();
            one.or_else(|| event["quantityList"][0]["epcClass"].as_str())
                .expect("a thing")
        })
        .collect();
    assert_eq!(
        names,
        [
            "https://id.gs1.org/01/09521001000017/21/S1",
            "https://id.gs1.org/01/09521001000017",
            "https://id.gs1.org/01/09521001000017/21/S2",
        ]
    );
    assert!(events.iter().all(|event| event["bizStep"] == "storing"));
}

/// Bytes of a scanner that types `text` and Enter, as the kernel writes them.
pub fn typed(text: &str, seconds: usize) -> Vec<u8> {
    let rows: [(u16, &str); 4] = [
        (2, "1234567890-="),
        (16, "qwertyuiop[]"),
        (30, "asdfghjkl;'`"),
        (43, "\\zxcvbnm,./"),
    ];
    let mut bytes = Vec::new();
    let mut event = |kind: u16, code: u16, value: i32| {
        bytes.extend(seconds.to_ne_bytes());
        bytes.extend(0_usize.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(code.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
        if kind == 1 {
            bytes.extend([0; 2 * size_of::<usize>() + 8]);
        }
    };
    let code = |letter: char| {
        let plain = letter.to_ascii_lowercase();
        let found = rows
            .iter()
            .find_map(|(first, row)| Some((*first, row.find(plain)?)));
        let (first, at) = found.expect("a key");
        first + u16::try_from(at).expect("small")
    };
    for letter in text.chars() {
        if letter.is_ascii_uppercase() {
            event(1, 42, 1);
        }
        event(1, code(letter), 1);
        event(1, code(letter), 0);
        if letter.is_ascii_uppercase() {
            event(1, 42, 0);
        }
    }
    event(1, 28, 1);
    event(1, 28, 0);
    bytes
}

#[tokio::test]
async fn recorded_keys_of_a_scanner_are_events_once_through_restarts() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    let recording = site.folder.path().join("keys.bin");
    let second = 1_795_000_000;
    let mut bytes = typed("010952100100001721S1", second);
    bytes.extend(typed("010952100100001721S1", second + 1));
    bytes.extend(typed("9521001000018", second + 2));
    std::fs::write(&recording, &bytes).expect("written");
    site.sources = format!(
        "[[source]]\ntype = \"evdev\"\npath = \"{}\"\nstep = \"storing\"\nplace = \"{PLACE}\"\n",
        recording.display()
    );
    let (handle, shutdown) = site.start().await;
    let state = until_state(&handle, |state| state.counts.rejected == 1).await;
    assert_eq!((state.counts.scans, state.counts.repeated), (1, 1));
    stop(handle, shutdown).await;
    bytes.extend(typed("010952100100001721S2", second + 60));
    std::fs::write(&recording, &bytes).expect("written");
    let (handle, shutdown) = site.start().await;
    until_state(&handle, |state| state.counts.scans == 1).await;
    handle.flush().await.expect("flush");
    let status = handle.snapshot();
    assert_eq!((status.events_made, status.bad_lines), (2, 1));
    taken_over(&handle).await;
    stop(handle, shutdown).await;
}

#[tokio::test]
async fn a_scanner_in_a_pipe_is_handed_on_when_the_agent_is_asked() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    let pipe = site.folder.path().join("keys");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    site.sources = format!(
        "[[source]]\ntype = \"evdev\"\npath = \"{}\"\nstep = \"storing\"\nplace = \"{PLACE}\"\n",
        pipe.display()
    );
    let (handle, shutdown) = site.start().await;
    for serial in 1..=3_u32 {
        let (path, bytes) = (
            pipe.clone(),
            typed(&format!("010952100100001721S{serial}"), 9),
        );
        tokio::task::spawn_blocking(move || std::fs::write(path, bytes))
            .await
            .expect("task")
            .expect("written");
        handle.flush().await.expect("flush");
        assert_eq!(handle.snapshot().events_made, u64::from(serial));
    }
    stop(handle, shutdown).await;
}
