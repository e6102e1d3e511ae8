//! Two platforms, their database, their witnesses, one device, and somebody who writes down every
//! checkpoint that either of them serves.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kit::postgres::DatabaseUrl;
use platform::keys::Keys;
use platform::store::postgres::PostgresStore;
use platform::store::{LogStore as _, TraceStore as _};
use reqwest::{Client, StatusCode};
use schemas::hash::Hash;
use schemas::ids::Origin;
use schemas::log::entry_hash;
use schemas::note::{Checkpoint, Note};
use schemas::registry::SignedRecord;
use schemas::tlog::LogTree;
use serde_json::Value;
use simulators::parts::postgres::Postgres;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::kill::operator::{ORIGIN, WITNESSES, copy, free_address, start_witness};
use crate::kill::process::{DEADLINE, Process, until};
use crate::world::events::inspected;
use crate::world::people::{Device, device_record, key_of, organisation_record, party};

/// The shortest that is allowed.
pub const LEASE: Duration = Duration::from_secs(6);
/// How long one answer may take; a paused process gives none.
const ANSWER: Duration = Duration::from_secs(3);
/// Names of the two.
const NAMES: [&str; 2] = ["a", "b"];

/// What a platform says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Leader,
    Worker,
}

impl Role {
    const fn word(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Worker => "worker",
        }
    }
}

struct One {
    address: SocketAddr,
    process: Option<Process>,
}

/// Everything.
pub struct Pair {
    folder: PathBuf,
    database: DatabaseUrl,
    both: [One; 2],
    http: Client,
    log: Hash,
    device: Device,
    devices: u32,
    said: u64,
    unsaid: Vec<Vec<u8>>,
    seen: Arc<Mutex<Vec<(usize, Checkpoint)>>>,
    _witnesses: Vec<Process>,
    _watching: DropGuard,
    _postgres: Postgres,
}

impl Pair {
    /// Database and witnesses run; two configurations are written, with the same keys.
    pub async fn prepare(folder: &Path) -> Result<Self> {
        platform::tls::install_provider();
        let logs = folder.join("logs");
        std::fs::create_dir_all(&logs)?;
        let keys = Keys::load_or_make(&folder.join("a/data/keys"))?;
        copy(&folder.join("a/data/keys"), &folder.join("b/data/keys"))?;
        let (mut witnesses, mut sections) = (Vec::new(), String::new());
        for name in WITNESSES {
            let (process, section) = start_witness(folder, &logs, name, &keys).await?;
            witnesses.push(process);
            sections.push_str(&section);
        }
        let postgres = Postgres::start()?;
        let url = postgres.database("platform")?;
        let origin: Origin = ORIGIN.parse()?;
        let log = origin.log_id(&keys.log.public_bytes());
        let mut both = Vec::new();
        for name in NAMES {
            let address = free_address()?;
            let text = config(&folder.join(name), address, &url, &sections)?;
            std::fs::write(folder.join(name).join("platform.toml"), text)?;
            both.push(One {
                address,
                process: None,
            });
        }
        let key = key_of("qinghe/line-1");
        let record = device_record(log, "qinghe/line-1", &key, |_| ());
        let watching = CancellationToken::new();
        let pair = Self {
            folder: folder.to_owned(),
            database: url.parse()?,
            both: both.try_into().ok().context("two platforms")?,
            http: Client::builder().timeout(ANSWER).no_proxy().build()?,
            log,
            device: Device::new(key, SignedRecord::sign(&key_of("qinghe"), record)),
            devices: 1,
            said: 0,
            unsaid: Vec::new(),
            seen: Arc::default(),
            _witnesses: witnesses,
            _watching: watching.clone().drop_guard(),
            _postgres: postgres,
        };
        for place in [0, 1] {
            tokio::spawn(watching.clone().run_until_cancelled_owned(watch(
                place,
                pair.url(place, "/log/checkpoint"),
                pair.http.clone(),
                Arc::clone(&pair.seen),
            )));
        }
        Ok(pair)
    }

    fn url(&self, place: usize, path: &str) -> String {
        format!("http://{}{path}", self.both[place].address)
    }

    /// Starts one and waits until it listens.
    pub async fn start(&mut self, place: usize) -> Result<()> {
        let name = NAMES[place];
        let config = self.folder.join(name).join("platform.toml");
        let arguments = ["serve".as_ref(), "--config".as_ref(), config.as_os_str()];
        let logs = self.folder.join("logs");
        let mut process = Process::start(&logs, name, "platform", &arguments)?;
        process.first_line().await?;
        self.both[place].process = Some(process);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self, place: usize) -> Result<()> {
        let process = self.both[place].process.take();
        process.context("it does not run")?.kill()
    }

    /// SIGTERM; returns when the process has ended, and has ended well.
    pub async fn stop(&mut self, place: usize) -> Result<()> {
        let process = self.both[place].process.take();
        process
            .context("it does not run")?
            .terminate(DEADLINE)
            .await
    }

    /// Another signal.
    pub fn signal(&self, place: usize, signal: &str) -> Result<()> {
        let process = self.both[place].process.as_ref();
        process.context("it does not run")?.signal(signal)
    }

    async fn health(&self, place: usize) -> Result<Value> {
        let answer = self.http.get(self.url(place, "/health")).send().await?;
        Ok(answer.json().await?)
    }

    /// Waits until it says that it is this.
    pub async fn becomes(&self, place: usize, role: Role) -> Result<()> {
        let what = format!("{} is {}", NAMES[place], role.word());
        until(&what, DEADLINE, async || {
            let health = self.health(place).await.unwrap_or_default();
            Ok((health["role"] == role.word()).then_some(()))
        })
        .await
    }

    /// It says so now.
    pub async fn still(&self, place: usize, role: Role) -> Result<()> {
        let health = self.health(place).await?;
        ensure!(health["role"] == role.word(), "{}: {health}", NAMES[place]);
        Ok(())
    }

    async fn hand_over(&self, place: usize, record: &SignedRecord) -> Result<()> {
        let url = self.url(place, "/v1/registry/records");
        let answer = self
            .http
            .post(url)
            .body(record.bytes().to_vec())
            .send()
            .await?;
        let status = answer.status();
        ensure!(
            status == StatusCode::CREATED,
            "{status} {}",
            answer.text().await?
        );
        Ok(())
    }

    /// The registrar admits the organisation, and this its device.
    pub async fn admit_organisation(&self, place: usize) -> Result<()> {
        let record = organisation_record(self.log, "qinghe", &key_of("qinghe"));
        let signed = SignedRecord::sign(&key_of("association"), record);
        self.hand_over(place, &signed).await?;
        self.hand_over(place, &self.device.record).await
    }

    /// The organisation adds a device, so that the registry has a new head.
    pub async fn admit_device(&mut self, place: usize) -> Result<()> {
        self.devices += 1;
        let address = format!("qinghe/line-{}", self.devices);
        let record = device_record(self.log, &address, &key_of(&address), |_| ());
        let signed = SignedRecord::sign(&key_of("qinghe"), record);
        self.hand_over(place, &signed).await
    }

    async fn say(&self, place: usize, message: Vec<u8>) -> reqwest::Result<StatusCode> {
        let url = self.url(place, "/v1/statements");
        Ok(self.http.post(url).body(message).send().await?.status())
    }

    /// The device says something and gets a receipt.
    pub async fn say_through(&mut self, place: usize, statements: u32) -> Result<()> {
        for _ in 0..statements {
            let message = self.device.say(&[inspected(1)]).encode();
            let status = self.say(place, message).await?;
            ensure!(status == StatusCode::OK, "{status}");
            self.said += 1;
        }
        Ok(())
    }

    /// It takes statements, admits nobody and says when to try again, shows pages, and has what the
    /// leader has.
    pub async fn works_well(&mut self, place: usize) -> Result<()> {
        // It stores what it is given, and the leader knows it.
        self.say_through(place, 1).await?;
        let record = self.http.post(self.url(place, "/v1/registry/records"));
        let answer = record.body(vec![0xa0]).send().await?;
        let again = answer.headers().get("retry-after").cloned();
        let status = answer.status();
        ensure!(status == StatusCode::SERVICE_UNAVAILABLE, "{status}");
        ensure!(again.is_some_and(|again| again == "10"), "no Retry-After");
        let ready = self
            .http
            .get(self.url(place, "/health/ready"))
            .send()
            .await?;
        ensure!(ready.status() == StatusCode::OK, "{}", ready.text().await?);
        let page = self.http.get(self.url(place, "/")).send().await?;
        ensure!(page.status() == StatusCode::OK, "{}", page.status());
        until(
            "the worker serves the newest checkpoint",
            DEADLINE,
            async || {
                let mut sizes = Vec::new();
                for place in [0, 1] {
                    let url = self.url(place, "/log/checkpoint");
                    let answer = self.http.get(url).send().await?;
                    let note = Note::parse(&answer.bytes().await?);
                    sizes.push(note.map_or(0, |note| note.checkpoint.size));
                }
                Ok((sizes[0] == sizes[1] && sizes[0] > 0).then_some(()))
            },
        )
        .await
    }

    /// Statements come in without a pause while the leader is stopped; when that was.
    pub async fn pause_while_it_works(&mut self, place: usize, round: u64) -> Result<Instant> {
        let (mut device, url) = (self.device.clone(), self.url(place, "/v1/statements"));
        let http = self.http.clone();
        let (taken, mut answered) = tokio::sync::watch::channel(0_u64);
        let working = tokio::spawn(async move {
            let mut said = Vec::new();
            loop {
                let message = device.say(&[inspected(2)]).encode();
                said.push(message.clone());
                match http.post(&url).body(message).send().await {
                    Ok(answer) if answer.status() == StatusCode::OK => {
                        taken.send_modify(|count| *count += 1);
                    }
                    // It is paused, or it does not lead, which is found out below.
                    _ => return (device, said),
                }
            }
        });
        // The point differs from round to round and on each machine.
        let enough = 12 + 17 * round;
        let come = answered.wait_for(|count| *count >= enough).await;
        come.with_context(|| format!("{} takes nothing more", NAMES[place]))?;
        let paused = Instant::now();
        self.signal(place, "STOP")?;
        (self.device, self.unsaid) = working.await?;
        Ok(paused)
    }

    /// The device says again what a leader may not have heard.
    pub async fn say_again(&mut self, place: usize) -> Result<()> {
        for message in std::mem::take(&mut self.unsaid) {
            let status = self.say(place, message).await?;
            ensure!(status == StatusCode::OK, "{status}");
            self.said += 1;
        }
        Ok(())
    }

    /// In the end: everything that was said stands in one log, once, and every checkpoint that
    /// anybody was ever shown is of it and none went back.
    pub async fn one_log(&self) -> Result<()> {
        let store = PostgresStore::open(&self.database).await?;
        until("everything is anchored", DEADLINE, async || {
            let totals = store.totals().await?;
            let all = (totals.events, totals.anchored, totals.quarantined);
            Ok((all == (self.said, self.said, 0)).then_some(()))
        })
        .await?;
        let mut tree = LogTree::new();
        for entry in store.entries(0, 1_000_000).await? {
            tree.push(entry_hash(&entry))?;
        }
        let seen = self.seen.lock().unwrap().clone();
        for place in [0, 1] {
            let (mut count, mut before) = (0, 0);
            for (_, checkpoint) in seen.iter().filter(|(at, _)| *at == place) {
                let (size, root) = (checkpoint.size, Some(checkpoint.root));
                ensure!(tree.root(size) == root, "another history of size {size}");
                ensure!(
                    size >= before,
                    "{} went from {before} to {size}",
                    NAMES[place]
                );
                before = size;
                count += 1;
            }
            ensure!(count > 1, "{count} checkpoints of {}", NAMES[place]);
        }
        println!(
            "{} checkpoints of one log of {} entries",
            seen.len(),
            tree.size()
        );
        for name in NAMES {
            let config = self.folder.join(name).join("platform.toml");
            let arguments = [
                "log".as_ref(),
                "fsck".as_ref(),
                "--config".as_ref(),
                config.as_os_str(),
            ];
            let logs = self.folder.join("logs");
            let found = Process::run(&logs, "fsck", "platform", &arguments).await?;
            ensure!(found.success, "{name}: {found:?}");
        }
        Ok(())
    }
}

/// Reads what is served, again and again.
async fn watch(
    place: usize,
    url: String,
    http: Client,
    seen: Arc<Mutex<Vec<(usize, Checkpoint)>>>,
) {
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let Ok(answer) = http.get(&url).send().await else {
            continue;
        };
        let Ok(bytes) = answer.bytes().await else {
            continue;
        };
        if let Ok(note) = Note::parse(&bytes) {
            let one = (place, note.checkpoint);
            let mut seen = seen.lock().unwrap();
            if seen.iter().rev().find(|(at, _)| *at == place) != Some(&one) {
                seen.push(one);
            }
        }
    }
}

fn config(folder: &Path, address: SocketAddr, database: &str, witnesses: &str) -> Result<String> {
    let registrar = party("association");
    let key = registrar.key.ed25519_bytes().context("no Ed25519 key")?;
    let broker = free_address()?;
    Ok(format!(
        "origin = \"{ORIGIN}\"
data = \"{data}\"
organisation = \"operator\"
listen = \"{address}\"
database = \"{database}\"
quorum = 3
[broker]
listen = \"{broker}\"
[anchor]
batch_ms = 50
lease_s = {lease}
{witnesses}
[[registrar]]
name = \"association\"
key = \"{key}\"
",
        data = folder.join("data").display(),
        lease = LEASE.as_secs(),
        key = hex::encode(key),
    ))
}
