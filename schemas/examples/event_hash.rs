//! `cargo run --release -p schemas --example event_hash`: what the CBV event hash of one event
//! costs, here and in crate `epcis-hash`, over the generated events of the tests.

#[path = "../tests/event_hash/generate.rs"]
mod generate;

use std::time::Instant;

use schemas::epcis;
use serde_json::{Value, json};

/// The event of `CRATES.md`: 11 members, about 768 bytes, as a gateway signs it.
fn usual() -> Value {
    json!({
        "type": "ObjectEvent", "eventTime": "2026-11-22T08:00:00+08:00",
        "eventTimeZoneOffset": "+08:00", "action": "OBSERVE", "bizStep": "storing",
        "disposition": "in_progress",
        "epcList": [
            "https://id.gs1.org/01/09521001000017/21/S1", "https://id.gs1.org/01/09521001000017/21/S2",
            "https://id.gs1.org/01/09521001000017/21/S3",
        ],
        "readPoint": {"id": "https://id.gs1.org/414/9521001000000"},
        "bizLocation": {"id": "https://id.gs1.org/414/9521001000000/254/A1"},
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
            {"tb": "https://ns.tracebond.example/epcis/"}],
        "sensorElementList": [{
            "sensorMetadata": {"deviceID": "https://id.gs1.org/8004/9521001PROBE1"},
            "sensorReport": [{"type": "Temperature", "value": 4.5, "uom": "CEL",
                "time": "2026-11-22T00:00:00.000000Z"}],
        }],
    })
}

/// Time of this thread on a processor, so that others on the machine do not count; Linux only.
fn on_processor() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn elapsed(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn main() {
    println!("generated events have {} members", generate::MEMBERS.len());
    let began = Instant::now();
    let nanoseconds = || on_processor().unwrap_or_else(|| elapsed(began));
    let generated: Vec<Value> = (0..1_000)
        .map(|seed| generate::event(&mut generate::Random::new(seed)))
        .collect();
    for (name, events, rounds) in [
        ("usual", vec![usual()], 20_000),
        ("generated", generated, 20),
    ] {
        let bytes: usize = events.iter().map(|event| event.to_string().len()).sum();
        let ours = epcis::hash_cost_us(&events, rounds, nanoseconds);
        // The first call builds its expressions.
        let _ = epcis_hash::canonicalize_json(&events[0], true);
        let started = nanoseconds();
        for event in events.iter().take(200) {
            let text = epcis_hash::canonicalize_json(event, true).expect("an event");
            std::hint::black_box(epcis_hash::compute_hash_from_prehash(&text));
        }
        let theirs = (nanoseconds() - started) as f64 / 1_000.0 / events.len().min(200) as f64;
        let mean = bytes / events.len();
        println!("{name}: {mean} bytes an event, {ours:.2} us, epcis-hash {theirs:.1} us");
    }
}
