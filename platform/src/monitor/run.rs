//! Rounds: read, judge, keep, tell.

mod log;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kit::metrics::MetricsError;
use kit::serve::Served;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::note::Note;
use schemas::time::{Clock, Instant};
use tokio_util::sync::CancellationToken;

use super::alarm::{Alarm, Code};
use super::core::{Core, check_list};
use super::fetch::{FetchError, Fetcher};
use super::kept::{Kept, List, Raised};
use super::own::Own;
use super::registry;
use super::series::{Shared, Status, routes};
use super::trust::Trust;

/// Entries that one round reads, where nothing else is said.
pub const AT_ONCE: u64 = 262_144;
/// Most lists that one round reads.
const LISTS_MAX: usize = 1_000;

/// Whom a monitor follows, and what it looks for.
#[derive(Clone)]
pub struct MonitorConfig {
    /// Address of the platform; the log is below `/log`.
    pub log: String,
    /// Authority behind its HTTPS certificate, PEM, where that is no public one.
    pub ca: Option<String>,
    /// Who must have signed.
    pub trust: Trust,
    /// Its folder.
    pub state: PathBuf,
    /// One's own devices.
    pub own: Own,
    /// Organisations that are known; none where any is fine.
    pub organisations: Option<BTreeSet<Slug>>,
    /// Token of a reader to whom one's own organisation is open, to read its own records.
    pub token: Option<String>,
    /// Witnesses that are asked what they have cosigned.
    pub witnesses: Vec<String>,
    /// A checkpoint that is older is an alarm.
    pub stale: Duration,
    /// Entries that one round reads, above 0; the next one goes on.
    pub at_once: u64,
}

/// The monitor itself cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// Its folder.
    #[error("the monitor's folder {0} cannot be used")]
    State(PathBuf, #[source] io::Error),
    /// No client.
    #[error("no HTTP client can be made")]
    Client(#[source] FetchError),
    /// It cannot listen.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// It cannot listen.
    #[error(transparent)]
    Serve(#[from] kit::serve::ServeError),
}

/// What one round found.
#[derive(Debug, Default)]
pub struct Round {
    /// New alarms.
    pub alarms: Vec<Raised>,
    /// What could not be read; the next round tries again.
    pub trouble: Vec<String>,
    /// Entries that were read and found whole so far.
    pub size: u64,
    /// Entries of the newest checkpoint that are still to be read: the next round need not wait.
    pub behind: u64,
}

/// A monitor of one log.
pub struct Monitor {
    config: MonitorConfig,
    fetcher: Fetcher,
    kept: Kept,
    core: Core,
    list: List,
    clock: Arc<dyn Clock>,
    anchored: Option<Instant>,
    /// Leaves of the entries behind those of the accepted checkpoint, which are in the file already.
    ahead: Vec<Hash>,
    /// Sizes that witnesses had and the log had not shown, in the last round.
    witnessed_ahead: BTreeSet<(String, u64)>,
    shared: Shared,
}

impl Monitor {
    /// Opens the folder and goes on where it stands.
    ///
    /// # Errors
    /// [`MonitorError`].
    pub fn open(config: MonitorConfig, clock: Arc<dyn Clock>) -> Result<Self, MonitorError> {
        let state = |error| MonitorError::State(config.state.clone(), error);
        let mut kept = Kept::open(&config.state).map_err(state)?;
        let core = kept.core().map_err(state)?;
        let list = kept.list().map_err(state)?;
        let fetcher = Fetcher::new(&config.log, config.ca.as_deref(), config.token.clone());
        Ok(Self {
            fetcher: fetcher.map_err(MonitorError::Client)?,
            config,
            kept,
            core,
            list,
            clock,
            anchored: None,
            ahead: Vec::new(),
            witnessed_ahead: BTreeSet::new(),
            shared: Shared::default(),
        })
    }

    /// Every alarm ever raised in this folder, oldest first.
    #[must_use]
    pub fn alarms(&self) -> &[Raised] {
        self.kept.all()
    }

    /// What `/status` shows.
    #[must_use]
    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// Reads everything once.
    ///
    /// # Errors
    /// [`MonitorError::State`] when its own folder fails; what the log does wrong is in the round.
    pub async fn round(&mut self) -> Result<Round, MonitorError> {
        let mut found = Found::default();
        self.follow_log(&mut found).await?;
        self.follow_lists(&mut found).await?;
        self.follow_records(&mut found).await;
        self.follow_chains(&mut found).await;
        self.follow_witnesses(&mut found).await;
        self.raise(&mut found)?;
        let round = Round {
            alarms: found.raised,
            trouble: found.trouble,
            size: self.core.size(),
            behind: found.behind,
        };
        self.shared.set(Status {
            origin: self.config.trust.origin().to_owned(),
            size: round.size,
            anchored: self.anchored.map_or(String::new(), Instant::to_rfc3339),
            last_round: self.clock.now().to_rfc3339(),
            trouble: round.trouble.clone(),
            alarms: self.kept.all().to_vec(),
        });
        Ok(round)
    }

    /// Keeps what was found so far; new alarms are told at the end of the round.
    fn raise(&mut self, found: &mut Found) -> Result<(), MonitorError> {
        let now = self.clock.now();
        for alarm in std::mem::take(&mut found.alarms) {
            let code = alarm.code.word();
            let raised = self.kept.raise(alarm, now);
            if let Some(raised) = raised.map_err(|error| self.failed(error))? {
                metrics::counter!("tracebond_monitor_alarms_total", "code" => code).increment(1);
                found.raised.push(raised);
            }
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> MonitorError {
        MonitorError::State(self.config.state.clone(), error)
    }

    /// Reads the lists behind registry heads that are new.
    async fn follow_lists(&mut self, found: &mut Found) -> Result<(), MonitorError> {
        let heads = self.core.heads();
        let after = self.list.version;
        let new = heads.iter().filter(|head| head.version > after);
        for head in new.take(LISTS_MAX) {
            let list = self.fetcher.list(head.version, head.count).await;
            let Some(keys) = found.take(list) else {
                return Ok(());
            };
            found
                .alarms
                .extend(check_list(head, &keys, &self.list.keys));
            let own = &self.config.own;
            let changes = own.compare_lists(head.version, &keys, &self.list.keys);
            found.alarms.extend(changes);
            self.list = List {
                version: head.version,
                keys,
            };
        }
        if heads
            .last()
            .is_some_and(|head| head.version == self.list.version)
        {
            found
                .alarms
                .extend(self.config.own.missing(&self.list.keys));
        }
        if self.list.version > after {
            self.raise(found)?;
            let written = self.kept.put_list(&self.list);
            written.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Reads the records of organisations, and one's own where there is a token.
    async fn follow_records(&self, found: &mut Found) {
        let policy = match &self.config.trust {
            Trust::Policy(policy) => Some(policy.as_ref()),
            Trust::Tlog(_) => self.core.policy(),
        };
        let Some(policy) = policy else {
            return;
        };
        let Some(shown) = found.take(self.fetcher.organisations().await) else {
            return;
        };
        // A newer version than the list that was checked: the next round has both.
        if shown.version != self.list.version {
            return;
        }
        let known = self.config.organisations.as_ref();
        let (keys, alarms) = registry::organisations(&shown, &self.list.keys, policy, known);
        found.alarms.extend(alarms);
        if self.config.token.is_none() {
            return;
        }
        for slug in self.config.own.organisations() {
            let records = self.fetcher.records(slug.as_str()).await;
            let Some(shown) = found.take(records) else {
                continue;
            };
            if shown.version == self.list.version {
                let (list, own) = (&self.list.keys, &self.config.own);
                let alarms = registry::own_records(&shown, list, &slug, &keys, own);
                found.alarms.extend(alarms);
            }
        }
    }

    /// What the platform says of the chains of one's own devices.
    async fn follow_chains(&self, found: &mut Found) {
        if self.config.own.is_empty() {
            return;
        }
        let Some(rows) = found.take(self.fetcher.chains().await) else {
            return;
        };
        for row in rows.iter().filter(|row| self.config.own.names(&row.device)) {
            let code = match row.kind.as_str() {
                "silent" => Code::Silent,
                "gap-opened" => Code::Gap,
                "fork" => Code::DeviceFork,
                "seen-another" => Code::SeenAnother,
                _ => continue,
            };
            let (device, epoch) = (&row.device, row.epoch);
            let (from, to) = (row.from_seq, row.to_seq);
            let subject = format!("{device} {epoch} {from} {to}");
            let words = format!("{device}, epoch {epoch}, {from} to {to}: {}", row.detail);
            found.alarms.push(Alarm::new(code, subject, words));
        }
    }

    /// Compares what witnesses have cosigned with what the log shows.
    async fn follow_witnesses(&mut self, found: &mut Found) {
        let mut ahead = BTreeSet::new();
        for url in self.config.witnesses.clone() {
            let Some(text) = found.take(self.fetcher.about_witness(&url).await) else {
                continue;
            };
            let origin = self.config.trust.origin();
            for line in text.lines() {
                let words: Vec<&str> = line.split(' ').collect();
                match words[..] {
                    ["fork", of, size, ..] if of == origin => {
                        let told = format!("the witness at {url} keeps a fork of size {size}");
                        found.alarms.push(Alarm::new(Code::WitnessFork, line, told));
                    }
                    [of, size, root] if of == origin => {
                        let size = size.parse().unwrap_or(0);
                        if let Some(alarm) = self.against(&url, size, root) {
                            found.alarms.push(alarm);
                        } else if size > self.core.size() {
                            ahead.insert((url.clone(), size));
                        }
                    }
                    _ => {}
                }
            }
        }
        for (url, size) in ahead.iter().filter(|one| self.was_ahead(one)) {
            let words = format!(
                "the witness at {url} has cosigned size {size}, and the log shows {}",
                self.core.size()
            );
            let subject = format!("{url} {}", self.core.size());
            found
                .alarms
                .push(Alarm::new(Code::HeldBack, subject, words));
        }
        self.witnessed_ahead = ahead;
    }

    /// True if the witness was ahead of what is shown in the round before, too.
    fn was_ahead(&self, (url, _): &(String, u64)) -> bool {
        let size = self.core.size();
        self.witnessed_ahead
            .iter()
            .any(|(before, then)| before == url && *then > size)
    }

    /// A root that a witness has cosigned and that is not ours at this size.
    fn against(&self, url: &str, size: u64, root: &str) -> Option<Alarm> {
        let ours = self.core.root(size)?;
        if schemas::b64::encode(&ours.0) == root {
            return None;
        }
        let words =
            format!("SPLIT VIEW: the witness at {url} has cosigned another root of size {size}");
        let subject = format!("{url} {size} {root}");
        let note = self.core.note().map(Note::encode).unwrap_or_default();
        let witness = format!("{} {size} {root}\n", self.config.trust.origin());
        let alarm = Alarm::new(Code::SplitView, subject, words);
        Some(alarm.with_notes(&[&note, witness.as_bytes()]))
    }
}

/// What a round finds as it goes.
#[derive(Default)]
struct Found {
    /// Not kept yet.
    alarms: Vec<Alarm>,
    /// New ones, kept.
    raised: Vec<Raised>,
    trouble: Vec<String>,
    behind: u64,
}

impl Found {
    fn take<T>(&mut self, outcome: Result<T, FetchError>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                self.trouble.push(error.to_string());
                None
            }
        }
    }
}

/// Answers `GET /status`, `/metrics` and `/health/live` until `shutdown`.
///
/// # Errors
/// [`MonitorError::Metrics`], [`MonitorError::Serve`].
pub async fn listen(
    address: SocketAddr,
    shared: Shared,
    shutdown: CancellationToken,
) -> Result<Served, MonitorError> {
    let handle = kit::metrics::install(crate::metrics::ALL)?;
    let router = routes(shared, move || handle.render());
    Ok(kit::serve::serve(router, address, None, shutdown).await?)
}
