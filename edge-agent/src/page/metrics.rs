//! `GET /metrics`: the agent's figures as Prometheus text, described in `edge-agent/docs/metrics.md`.
//! Counters are of the state directory since enrolment unless their text says "since the start".

use std::fmt::Write as _;

use schemas::statement::ClockState;

use crate::state::{State, states};
use crate::status::{Status, Trouble};

/// One figure.
pub struct Metric {
    /// Name.
    pub name: &'static str,
    /// `counter` or `gauge`.
    pub kind: &'static str,
    /// What it counts.
    pub help: &'static str,
    rows: Rows,
}

/// How a figure is read off.
enum Rows {
    One(fn(&Status) -> u64),
    /// Label (empty or `name="value"`) and number.
    Many(fn(&Status) -> Vec<(String, f64)>),
}

const fn one(
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    read: fn(&Status) -> u64,
) -> Metric {
    Metric {
        name,
        kind,
        help,
        rows: Rows::One(read),
    }
}

/// Every figure, in the order of the document.
pub const METRICS: &[Metric] = &[
    one(
        "tracebond_edge_events_total",
        "counter",
        "Events that are durable in the outbox.",
        |s| s.events_made,
    ),
    one(
        "tracebond_edge_statements_total",
        "counter",
        "Statements signed, notes not counted.",
        |s| s.statements_made,
    ),
    one(
        "tracebond_edge_notes_total",
        "counter",
        "Notes signed: heartbeats, faults, epochs.",
        |s| s.notes_made,
    ),
    one(
        "tracebond_edge_readings_total",
        "counter",
        "Readings taken, good and suspect.",
        |s| s.readings,
    ),
    one(
        "tracebond_edge_readings_beyond_limits_total",
        "counter",
        "Readings beyond their alarm limits.",
        |s| s.readings_beyond_limits,
    ),
    one(
        "tracebond_edge_bad_lines_total",
        "counter",
        "Lines that were refused and copied to the rejects file.",
        |s| s.bad_lines,
    ),
    one(
        "tracebond_edge_events_refused_total",
        "counter",
        "Events that the platform's receipts name as refused.",
        |s| s.events_refused,
    ),
    one(
        "tracebond_edge_events_thinned_total",
        "counter",
        "Readings that were dropped for room; signed notes say when.",
        |s| s.events_thinned,
    ),
    one(
        "tracebond_edge_events_damaged_total",
        "counter",
        "Events that the disk has damaged before the platform had them.",
        |s| s.events_damaged,
    ),
    one(
        "tracebond_edge_bodies_waiting",
        "gauge",
        "Events that no receipt covers yet.",
        |s| s.bodies_waiting,
    ),
    one(
        "tracebond_edge_receipts_waiting",
        "gauge",
        "Statements and notes that no receipt covers yet.",
        |s| s.receipts_waiting,
    ),
    one(
        "tracebond_edge_inclusions_waiting",
        "gauge",
        "Statements and notes not yet proven to be in a witnessed checkpoint.",
        |s| s.inclusions_waiting,
    ),
    one(
        "tracebond_edge_outbox_bytes",
        "gauge",
        "Bytes of the outbox that hold something: what the quota counts.",
        |s| s.outbox_bytes,
    ),
    Metric {
        name: "tracebond_edge_outbox_quota_bytes",
        kind: "gauge",
        help: "Most bytes that the outbox may have; absent without a quota.",
        rows: Rows::Many(|s| s.outbox_quota.map(number).into_iter().map(plain).collect()),
    },
    one(
        "tracebond_edge_alarms",
        "gauge",
        "What needs a person: late statements, and replies that do not verify.",
        |s| s.alarms,
    ),
    one(
        "tracebond_edge_unverified",
        "gauge",
        "Of the alarms: what came as the platform's word and does not verify.",
        |s| s.unverified,
    ),
    one(
        "tracebond_edge_late_statements",
        "gauge",
        "Statements past the anchor deadline that the platform signed.",
        |s| s.late,
    ),
    one(
        "tracebond_edge_strangers",
        "gauge",
        "Signs that somebody else speaks with this device's key.",
        |s| s.strangers,
    ),
    one(
        "tracebond_edge_other_logs",
        "gauge",
        "Contradictions with what other gateways have seen of the log.",
        |s| s.other_logs,
    ),
    one(
        "tracebond_edge_connected",
        "gauge",
        "1 while the broker has this client.",
        |s| u64::from(s.connected),
    ),
    one(
        "tracebond_edge_connections_total",
        "counter",
        "Connections made since the start.",
        |s| s.link.connections,
    ),
    one(
        "tracebond_edge_connection_failures_total",
        "counter",
        "Attempts that failed and connections that ended since the start.",
        |s| s.link.failures,
    ),
    one(
        "tracebond_edge_statements_not_taken_total",
        "counter",
        "Statements that the broker refused in its acknowledgement since the start.",
        |s| s.link.not_taken,
    ),
    Metric {
        name: "tracebond_edge_link_trouble",
        kind: "gauge",
        help: "1 for what stands in the way to the broker, by `trouble`.",
        rows: Rows::Many(|s| {
            labelled(
                "trouble",
                TROUBLES
                    .iter()
                    .map(|t| (t.word(), s.link.trouble == Some(*t))),
            )
        }),
    },
    Metric {
        name: "tracebond_edge_last_receipt_seconds",
        kind: "gauge",
        help: "Time of the newest verified receipt, in seconds since 1970; absent before the first.",
        rows: Rows::Many(|s| s.last_receipt.map(seconds).into_iter().map(plain).collect()),
    },
    Metric {
        name: "tracebond_edge_last_signed_seconds",
        kind: "gauge",
        help: "When something was signed last, by the device's clock, in seconds since 1970; absent before.",
        rows: Rows::Many(|s| s.last_said.map(seconds).into_iter().map(plain).collect()),
    },
    one(
        "tracebond_edge_epoch",
        "gauge",
        "Epoch of the device's chain: each new one is a gap.",
        |s| s.head.map_or(0, |head| head.epoch),
    ),
    one(
        "tracebond_edge_faulty_sources",
        "gauge",
        "Sources without usable readings.",
        |s| s.faulty_sources,
    ),
    Metric {
        name: "tracebond_edge_clock",
        kind: "gauge",
        help: "1 for what the device knows of its clock, by `state`.",
        rows: Rows::Many(|s| {
            labelled(
                "state",
                CLOCKS
                    .iter()
                    .map(|(word, state)| (*word, s.clock == *state)),
            )
        }),
    },
    one(
        "tracebond_edge_clock_steps_total",
        "counter",
        "How often the device's clock was set since the start.",
        |s| s.clock_steps,
    ),
    Metric {
        name: "tracebond_edge_state",
        kind: "gauge",
        help: "1 for each state that the agent is in, by `state`; the names are those of the README.",
        rows: Rows::Many(|s| {
            let now = states(s);
            labelled(
                "state",
                State::ALL
                    .iter()
                    .map(|state| (state.word(), now.contains(state))),
            )
        }),
    },
];

const TROUBLES: [Trouble; 7] = [
    Trouble::Network,
    Trouble::Certificate,
    Trouble::LogIn,
    Trouble::Topic,
    Trouble::Limit,
    Trouble::Busy,
    Trouble::TakenOver,
];

const CLOCKS: [(&str, ClockState); 3] = [
    ("synced", ClockState::Synced),
    ("unsynced", ClockState::Unsynced),
    ("unknown", ClockState::Unknown),
];

/// The text of all figures.
#[must_use]
pub fn text(status: &Status) -> String {
    let mut text = String::with_capacity(4_096);
    for metric in METRICS {
        let Metric {
            name,
            kind,
            help,
            rows,
        } = metric;
        let rows = match rows {
            Rows::One(read) => vec![plain(number(read(status)))],
            Rows::Many(read) => read(status),
        };
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (label, value) in rows {
            let label = if label.is_empty() {
                label
            } else {
                format!("{{{label}}}")
            };
            let _ = writeln!(text, "{name}{label} {value}");
        }
    }
    text
}

fn plain(value: f64) -> (String, f64) {
    (String::new(), value)
}

fn labelled<'w>(label: &str, rows: impl Iterator<Item = (&'w str, bool)>) -> Vec<(String, f64)> {
    let row = |(word, holds)| (format!("{label}=\"{word}\""), f64::from(u8::from(holds)));
    rows.map(row).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus knows floats only; counts stay far below 2^53"
)]
const fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "as above")]
fn seconds(at: schemas::time::Instant) -> f64 {
    at.as_micros() as f64 / 1e6
}
