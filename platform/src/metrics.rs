//! What the platform counts. The same list is in `docs/metrics.md`; a test compares both with the
//! sources.

use std::sync::Arc;
use std::time::Duration;

use kit::metrics::{HTTP, Kind, Series};
use schemas::time::Clock;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::anchor::Cosigner;
use crate::store::Store;

/// How often gauges are read.
const EVERY: Duration = Duration::from_secs(5);

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Series {
    let kind = Kind::Counter;
    Series {
        name,
        kind,
        labels,
        help,
    }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Series {
    let kind = Kind::Gauge;
    Series {
        name,
        kind,
        labels,
        help,
    }
}

const fn times(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Series {
    let kind = Kind::Histogram;
    Series {
        name,
        kind,
        labels,
        help,
    }
}

/// Every series.
pub const ALL: &[Series] = &[
    counter(
        "tracebond_statements_total",
        &[],
        "New statements and notes stored",
    ),
    counter(
        "tracebond_redeliveries_total",
        &[],
        "Statements that were known already",
    ),
    counter(
        "tracebond_events_total",
        &["outcome"],
        "Events of new statements, `accepted` or `refused`",
    ),
    counter(
        "tracebond_quarantined_total",
        &["code"],
        "Messages put into quarantine by reason",
    ),
    times(
        "tracebond_event_age_seconds",
        &[],
        "From a statement's oldest event to its arrival",
    ),
    counter(
        "tracebond_receipts_total",
        &[],
        "Receipts handed to the broker",
    ),
    counter(
        "tracebond_inclusions_total",
        &[],
        "Inclusions handed to the broker",
    ),
    counter(
        "tracebond_captures_total",
        &["outcome"],
        "Documents of the capture interface: `captured`, `partly`, `rejected`",
    ),
    counter(
        "tracebond_captured_events_total",
        &[],
        "Events captured from documents",
    ),
    counter("tracebond_batches_total", &[], "Batches anchored"),
    counter(
        "tracebond_events_anchored_total",
        &[],
        "Accepted events in anchored batches",
    ),
    gauge(
        "tracebond_queue_statements",
        &[],
        "Statements that wait for a batch",
    ),
    gauge(
        "tracebond_queue_oldest_seconds",
        &[],
        "Age of the oldest of them, 0 without one",
    ),
    gauge(
        "tracebond_log_leader",
        &[],
        "1 while this process writes the log, 0 while it stands by",
    ),
    gauge("tracebond_log_size", &[], "Entries of the log"),
    gauge(
        "tracebond_witnessed_size",
        &[],
        "Size of the newest witnessed checkpoint; what is between the two waits for witnesses",
    ),
    gauge(
        "tracebond_witness_up",
        &["witness"],
        "1 if the witness cosigned when it was last asked",
    ),
    gauge(
        "tracebond_witness_size",
        &["witness"],
        "Size that the witness cosigned last",
    ),
    counter(
        "tracebond_witness_answers_total",
        &["witness", "outcome"],
        "Answers of a witness in this process: `cosigned`, or why it refused",
    ),
    gauge(
        "tracebond_witness_forks",
        &["witness"],
        "Forks of logs that a witness in this process has refused and keeps",
    ),
    gauge(
        "tracebond_monitor_size",
        &[],
        "Entries of the log that `platform monitor` has read and found whole",
    ),
    gauge(
        "tracebond_monitor_trouble",
        &[],
        "What the monitor could not read in its last round",
    ),
    counter(
        "tracebond_monitor_alarms_total",
        &["code"],
        "Alarms of the monitor by code",
    ),
    counter(
        "tracebond_gaps_total",
        &[],
        "Gaps opened in chains of devices",
    ),
    gauge("tracebond_gaps_open", &[], "Gaps that are not filled"),
    gauge(
        "tracebond_followed_size",
        &[],
        "Entries of the log whose statements have been followed; what is left to `tracebond_log_size` waits",
    ),
    gauge(
        "tracebond_devices_waited_for",
        &[],
        "Devices of which a statement is missing and may still come",
    ),
    gauge(
        "tracebond_ingest_groups",
        &[],
        "Groups of messages on their way; at `[ingest] workers` the broker holds the rest back",
    ),
    times(
        "tracebond_database_seconds",
        &["call"],
        "Time of a store call: `commit`, `append`, `capture`, `probe` (read every 5 s), or `follow`: a round of the follower through all chains, which is as far as it lags behind",
    ),
    counter(
        "tracebond_database_failures_total",
        &["call"],
        "Store calls that failed",
    ),
    counter(
        "tracebond_database_retries_total",
        &[],
        "Transactions that PostgreSQL asked to try again",
    ),
    gauge(
        "tracebond_broker_connections",
        &[],
        "Connections of the embedded broker, that of the ingest too",
    ),
    gauge(
        "tracebond_link_up",
        &[],
        "1 while the ingest is connected to the broker",
    ),
    counter(
        "tracebond_broker_captures_put_back_total",
        &[],
        "Messages that the embedded broker delivered again after it had dropped them",
    ),
    counter(
        "tracebond_broker_receipts_dropped_total",
        &[],
        "Receipts that the embedded broker dropped; devices ask again",
    ),
    times(
        "tracebond_check_seconds",
        &[],
        "Decoding and verifying one group of messages",
    ),
    times(
        "tracebond_ingest_group_messages",
        &[],
        "Messages of one group that was taken from the broker",
    ),
    gauge(
        "tracebond_adopted_sessions",
        &[],
        "Sessions at the broker taken over from processes that are gone",
    ),
    counter(
        "tracebond_broker_refusals_total",
        &["reason"],
        "What the embedded broker refused at its doors: log-ins (`login`, `version`, `client-id`, `will`, `sessions-of-device`), connections (`connections`, `connections-of-address`, `pending`, `pending-of-address`, `handshake`, `silent`, `slow-reader`), messages (`publish`, `not-whole`, `no-room`), subscriptions (`subscribe`)",
    ),
    counter(
        "tracebond_broker_held_back_total",
        &["reason"],
        "Messages whose connection the embedded broker did not read on for a while: its device's `rate` or `share`, or `room` for all",
    ),
    counter(
        "tracebond_broker_expelled_total",
        &[],
        "Connections that the embedded broker ended because their key counts no more",
    ),
    gauge(
        "tracebond_broker_backlog_bytes",
        &[],
        "Room that captures between publisher and ingest take in the embedded broker",
    ),
    gauge(
        "tracebond_broker_receipts_bytes",
        &[],
        "Room that receipts between ingest and devices take in the embedded broker",
    ),
    gauge("tracebond_stopping", &[], "1 while the platform drains"),
    HTTP[0],
    HTTP[1],
    HTTP[2],
];

/// Measures a store call.
pub(crate) async fn timed<T, E>(
    call: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let began = std::time::Instant::now();
    let outcome = work.await;
    metrics::histogram!("tracebond_database_seconds", "call" => call)
        .record(began.elapsed().as_secs_f64());
    if outcome.is_err() {
        metrics::counter!("tracebond_database_failures_total", "call" => call).increment(1);
    }
    outcome
}

/// Reads what no code path changes step by step.
pub(crate) struct Sampler {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) cosigner: Arc<Cosigner>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) link: watch::Receiver<bool>,
}

impl Sampler {
    /// Runs until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        loop {
            self.sample().await;
            if tokio::time::timeout(EVERY, shutdown.cancelled())
                .await
                .is_ok()
            {
                metrics::gauge!("tracebond_stopping").set(1.0);
                return;
            }
        }
    }

    async fn sample(&self) {
        metrics::gauge!("tracebond_link_up").set(f64::from(u8::from(*self.link.borrow())));
        for witness in self.cosigner.states() {
            let up = f64::from(u8::from(witness.problem.is_empty()));
            metrics::gauge!("tracebond_witness_up", "witness" => witness.name.clone()).set(up);
            metrics::gauge!("tracebond_witness_size", "witness" => witness.name)
                .set(witness.size as f64);
        }
        if let Ok(Some((size, _))) = timed("probe", self.store.log_head()).await {
            metrics::gauge!("tracebond_log_size").set(size as f64);
        }
        let Ok(waiting) = self.store.waiting().await else {
            return;
        };
        let now = self.clock.now();
        let age = waiting
            .oldest
            .map_or(0.0, |oldest| now.since(oldest).as_secs_f64());
        metrics::gauge!("tracebond_queue_statements").set(waiting.statements as f64);
        metrics::gauge!("tracebond_queue_oldest_seconds").set(age);
        metrics::gauge!("tracebond_gaps_open").set(waiting.gaps as f64);
    }
}

#[cfg(test)]
mod package;
#[cfg(test)]
mod tests;
