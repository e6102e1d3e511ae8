//! Memory: what is reserved follows what has been read, never what a stranger announces.
//!
//! Measured from outside the parsers: a process of its own reads every hostile input, and the
//! kernel says how far its address space (`VmPeak`, which counts what is reserved and never touched)
//! and its memory (`VmHWM`) grew.

use std::fmt::Write as _;
use std::process::Command;

use super::{ALL, Read, good, refused};

/// Set for the process that is measured.
const CHILD: &str = "TRACEBOND_HOSTILE_CHILD";
/// How much may be reserved, in KiB, for inputs of at most 1 MiB: room for an input, its copy and
/// what is built of it.
const RESERVED_KIB_MAX: u64 = 16 * 1024;
/// Length of the long bundles: a part of the longest, which a debug build reads in good time.
const BUNDLE_BYTES: usize = schemas::proof::BUNDLE_MAX / 32;
/// What they may take in KiB: their text, and rows that are less than sixteen times it.
const BUNDLE_KIB_MAX: u64 = 17 * (BUNDLE_BYTES as u64 / 1024);

/// A figure of this process in KiB.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// By how much KiB the peaks grew over the work: (reserved, touched).
fn grown(work: impl FnOnce()) -> (u64, u64) {
    // The peaks may be above what is held now (a thread's arena is cut from a greater reservation):
    // filled up first, so that what the work takes is seen from its first page on.
    let kib = |kib: u64| usize::try_from(kib * 1024).unwrap();
    let touched = vec![1_u8; kib(status("VmHWM").saturating_sub(status("VmRSS")))];
    let reserved = Vec::<u8>::with_capacity(kib(status("VmPeak").saturating_sub(status("VmSize"))));
    let before = (status("VmPeak"), status("VmHWM"));
    work();
    let after = (status("VmPeak"), status("VmHWM"));
    std::hint::black_box((touched, reserved));
    (after.0 - before.0, after.1 - before.1)
}

/// Heads that announce very much and bring nothing.
fn announced() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for major in [2_u8, 3, 4, 5] {
        for value in [
            1_u64 << 16,
            1 << 20,
            (1 << 32) - 1,
            1 << 40,
            (1 << 53) - 1,
            u64::MAX,
        ] {
            let head = super::cbor::head(major, value, if value >> 32 == 0 { 4 } else { 8 });
            for before in [
                &[][..],
                &[0x82],
                &[0x82, 1, 0xa5, 0],
                &[0xd2, 0x84],
                &[1],
                &[2],
                &[0xd2, 0x84, 0x41, 0xa0, 0xa0],
            ] {
                inputs.push([before, &head].concat());
                inputs.push([before, &head, &[0x81; 64]].concat());
            }
        }
    }
    inputs
}

fn read_hostile() {
    for input in announced() {
        for read in ALL {
            refused(read, &input, "a head without its content");
        }
    }
    // Good objects in which each head in turn announces the most that it can.
    for (read, _, bytes) in good() {
        for at in 0..bytes.len().min(2_000) {
            let mut broken = bytes.clone();
            broken.splice(at..=at, [(bytes[at] & 0xe0) | 27, 0, 0, 0, 1, 0, 0, 0, 0]);
            let _ = super::refusal(read, &broken);
        }
    }
}

/// Long bundles of very many small rows.
fn read_long_bundles() {
    let long = |open: &str, row: &str, close: &str| {
        let mut text = String::with_capacity(BUNDLE_BYTES);
        text.push_str(open);
        while text.len() + row.len() + close.len() + 1 < BUNDLE_BYTES {
            text.push_str(row);
        }
        let _ = write!(text, "{close}");
        text
    };
    let head = r#"{"tracebond":"bundle/v1","#;
    let members = format!(r#"[{}{{"name":"a"}}]"#, r#"{"name":"a"},"#.repeat(63));
    let event = format!(r#"{{"statement":0,"index":0,"path":[],"members":{members}}},"#);
    let later = format!(r#"[{}""]"#, r#""","#.repeat(4_095));
    let statement = format!(
        r#"{{"statement":"","header":0,"index":0,"path":[],"device":0,"organisation":0,"later":{later}}},"#
    );
    for (open, row, close) in [
        (r#""checkpoints":["#, r#""","#, r#"""]}"#),
        (
            r#""headers":["#,
            r#"{"entry":"","index":0,"checkpoint":0,"path":[]},"#,
            "{}]}",
        ),
        (
            r#""keys":["#,
            r#"{"record":"","salt":"AAAAAAAAAAAAAAAAAAAAAA==","header":0,"index":0,"path":[]},"#,
            "{}]}",
        ),
        (r#""statements":["#, &statement, "{}]}"),
        (r#""events":["#, &event, "{}]}"),
        (
            r#""events":[{"statement":0,"index":0,"path":[],"members":["#,
            r#"{"name":"a"},"#,
            r#"{"name":"a"}]}]}"#,
        ),
        (
            r#""events":[{"statement":0,"index":0,"path":["#,
            r#""AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","#,
            r#"""]}]}"#,
        ),
    ] {
        let text = long(&format!("{head}{open}"), row, close);
        refused(Read::Bundle, text.as_bytes(), "a long bundle");
    }
}

/// Measures one kind of work in a process of its own.
fn measured(work: &str) -> (u64, u64) {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program);
    child.args(["--exact", "memory::in_a_process_of_its_own", "--nocapture"]);
    let output = child.env(CHILD, work).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = text.lines().find_map(|line| line.split_once("grown "));
    let (reserved, touched) = line.unwrap().1.split_once(' ').unwrap();
    (
        reserved.trim().parse().unwrap(),
        touched.trim().parse().unwrap(),
    )
}

/// Does what the parent asks for; nothing when it is run by itself.
#[test]
fn in_a_process_of_its_own() {
    let Ok(work) = std::env::var(CHILD) else {
        return;
    };
    let (reserved, touched) = grown(|| match work.as_str() {
        "hostile" => read_hostile(),
        "bundles" => read_long_bundles(),
        "reserve" => drop(std::hint::black_box(Vec::<u8>::with_capacity(64 << 20))),
        _ => drop(std::hint::black_box(vec![1_u8; 64 << 20])),
    });
    println!("grown {reserved} {touched}");
}

#[test]
fn huge_counts_reserve_nothing() {
    let (reserved, touched) = measured("hostile");
    assert!(
        reserved <= RESERVED_KIB_MAX && touched <= RESERVED_KIB_MAX,
        "{reserved} {touched} KiB"
    );
}

#[test]
fn long_bundles_of_too_many_rows_are_refused_in_bounded_memory() {
    let (reserved, touched) = measured("bundles");
    assert!(
        reserved <= BUNDLE_KIB_MAX && touched <= BUNDLE_KIB_MAX,
        "{reserved} {touched} KiB"
    );
}

/// The measure sees what it is there for.
#[test]
fn reservations_and_use_are_seen() {
    let (reserved, touched) = measured("reserve");
    assert!(
        reserved >= 60 << 10 && touched < 8 << 10,
        "{reserved} {touched} KiB"
    );
    let (reserved, touched) = measured("use");
    assert!(
        reserved >= 60 << 10 && touched >= 60 << 10,
        "{reserved} {touched} KiB"
    );
}
