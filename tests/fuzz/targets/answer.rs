//! libFuzzer's entry into what the gateway reads of an HTTP answer. The edge agent is a program, so
//! its module is taken by its path; `edge-agent` replays the corpus in its own tests.
#![no_main]

#[path = "../../../edge-agent/src/http/message.rs"]
#[expect(dead_code, reason = "what callers ask of an answer")]
mod message;

use tokio::io::{BufReader, join, sink};

/// Named by the module.
const OK: u16 = 200;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let mut open = BufReader::new(join(bytes, sink()));
    let read = message::exchange(&mut open, b"");
    let Ok((answer, _)) = runtime.expect("a runtime").block_on(read) else {
        return;
    };
    assert!((100..=999).contains(&answer.status), "three digits");
    assert!(answer.body.len() <= message::BODY_MAX.min(bytes.len()));
});
