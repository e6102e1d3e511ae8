//! What evidence costs: trees beside the limit of SHA-256 and beside other libraries, the bundle of
//! one event in a large log, its verification, and the bytes of the public log.
//!
//! Everything is built in this process from fixed keys, at the sizes that the figures name. Ratios
//! are of one run: what is compared takes turns, so that a busy machine slows both, and the median
//! of the turns counts.

mod bundle;
mod log;
mod trees;

use std::fmt;
use std::time::Instant;

use schemas::epcis;
use serde::Serialize;

use crate::progress::Progress;

/// Turns of each comparison; the median counts.
const TURNS: usize = 31;
/// How often an event is hashed for one time.
const HASHES: u32 = 500;
/// How the verification in a browser is measured: it needs one, and its driver.
const BROWSER: &str = "cargo nextest run -p tests --run-ignored only --no-capture measure";

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Hashing of a tree's blocks alone as a share of building the tree, 2^14 leaves: 1 is the
    /// limit.
    pub tree_ratio_2_14: f64,
    /// The same for 2^17 leaves.
    pub tree_ratio_2_17: f64,
    /// Nanoseconds a leaf, 2^17 leaves.
    pub tree_ns_per_leaf: f64,
    /// How many times as long `rs_merkle` takes for the proof of one leaf of 2^14.
    pub proof_ratio_rs_merkle: f64,
    /// The same for `ct-merkle`.
    pub proof_ratio_ct_merkle: f64,
    /// Bytes of the JSON of one event's bundle without the event's members and the policy: 1,000
    /// devices, 64 events a statement, 1,000 statements a batch, 1,000,000 log entries.
    pub bundle_bytes: u64,
    /// The same, compressed by gzip.
    pub bundle_bytes_gzip: u64,
    /// Bytes of that bundle whole.
    pub bundle_bytes_whole: u64,
    /// Microseconds to verify that bundle of one event.
    pub verify_native_us: f64,
    /// Microseconds an event to verify the bundle of all 64 events of the statement.
    pub verify_native_us_of_64: f64,
    /// Microseconds for the CBV event hash of an event that is parsed.
    pub event_hash_us: f64,
    /// Not measured here: [`Measured::verify_browser_by`] does.
    pub verify_browser_ms_p50: Option<f64>,
    /// The command that measures it in Chromium.
    pub verify_browser_by: &'static str,
    /// Bytes of the verifier's core as it is served, compressed by gzip.
    pub verifier_script_bytes: u64,
    /// The same of the fallback for browsers without WebCrypto, which others never fetch.
    pub verifier_fallback_bytes: u64,
    /// Bytes of the published log (tiles, entry bundles, checkpoint) an event, batches of 1,000.
    pub log_bytes_per_event: f64,
    /// Entries of that log.
    pub log_entries: u64,
    /// How often what is compared took turns.
    pub turns: usize,
    /// Processor, how many of them, and what else it had to do.
    pub machine: String,
}

/// Measures everything.
///
/// # Errors
/// When something that was built does not verify, or a file cannot be written.
pub fn measure(progress: &mut Progress) -> anyhow::Result<Measured> {
    let machine = machine();
    progress.done("measuring trees");
    let small = trees::build_ratio(14)?;
    let large = trees::build_ratio(17)?;
    progress.done("measuring proofs");
    let proofs = trees::proof_ratios(14)?;
    progress.done("building a log of a million entries");
    let bundle = bundle::measure()?;
    progress.done("writing a log");
    let log = log::measure()?;
    let script = kit::verifier::sizes();
    Ok(Measured {
        tree_ratio_2_14: small.ratio,
        tree_ratio_2_17: large.ratio,
        tree_ns_per_leaf: large.ns_per_leaf,
        proof_ratio_rs_merkle: proofs.rs_merkle,
        proof_ratio_ct_merkle: proofs.ct_merkle,
        bundle_bytes: bundle.bytes,
        bundle_bytes_gzip: bundle.gzip,
        bundle_bytes_whole: bundle.whole,
        verify_native_us: bundle.verify_us,
        verify_native_us_of_64: bundle.verify_us_of_64,
        event_hash_us: event_hash_us()?,
        verify_browser_ms_p50: None,
        verify_browser_by: BROWSER,
        verifier_script_bytes: script.core as u64,
        verifier_fallback_bytes: script.fallback as u64,
        log_bytes_per_event: log.bytes_per_event,
        log_entries: log.entries,
        turns: TURNS,
        machine,
    })
}

/// Seconds that the work takes.
fn seconds<T>(work: impl FnOnce() -> T) -> f64 {
    let started = Instant::now();
    std::hint::black_box(work());
    started.elapsed().as_secs_f64()
}

/// The value in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Length after compression as the services do it.
fn gzip(bytes: &[u8]) -> anyhow::Result<u64> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len() as u64)
}

fn event_hash_us() -> anyhow::Result<f64> {
    let event: serde_json::Value = serde_json::from_str(&bundle::event_text(1))?;
    let turn = |_| {
        let once = || {
            (0..HASHES)
                .map(|_| epcis::cbv_hash(&event).len())
                .sum::<usize>()
        };
        seconds(once) * 1e6 / f64::from(HASHES)
    };
    Ok(median((0..TURNS).map(turn).collect()))
}

/// What this was measured on.
pub(crate) fn machine() -> String {
    let read = |file| std::fs::read_to_string(file).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |line| {
        line.trim_start_matches([' ', '\t', ':'])
    });
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?");
    format!("{model}, {count} processors, load {load} when it began")
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "on        {} (median of {} turns)",
            self.machine, self.turns
        )?;
        writeln!(
            f,
            "trees     {:.2} of SHA-256's block limit at 2^14 leaves, {:.2} at 2^17 ({:.0} ns a leaf)",
            self.tree_ratio_2_14, self.tree_ratio_2_17, self.tree_ns_per_leaf
        )?;
        writeln!(
            f,
            "proofs    rs_merkle takes {:.1} times as long, ct-merkle {:.1}",
            self.proof_ratio_rs_merkle, self.proof_ratio_ct_merkle
        )?;
        writeln!(
            f,
            "bundle    {} bytes without event and policy ({} compressed), {} whole",
            self.bundle_bytes, self.bundle_bytes_gzip, self.bundle_bytes_whole
        )?;
        writeln!(
            f,
            "verify    {:.0} us a bundle of one event, {:.1} us an event of 64",
            self.verify_native_us, self.verify_native_us_of_64
        )?;
        writeln!(
            f,
            "hash      {:.1} us an event (CBV 2.0)",
            self.event_hash_us
        )?;
        writeln!(
            f,
            "script    {} bytes compressed, fallback {}",
            self.verifier_script_bytes, self.verifier_fallback_bytes
        )?;
        writeln!(
            f,
            "log       {:.3} bytes an event ({} batches of 1,000)",
            self.log_bytes_per_event, self.log_entries
        )?;
        write!(f, "browser   {}", self.verify_browser_by)
    }
}
