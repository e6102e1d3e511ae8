//! What every run begins with, made once: keys, a policy, a log with an organisation and its
//! devices in the registry, and what the witnesses remember of it. A run works on copies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use edge_agent::follow::Followed;
use edge_agent::trust::Trust;
use kit::serve::Served;
use platform::config::WitnessSection;
use platform::witness::{self, WitnessConfig};
use schemas::hash::{Hash, sha256};
use schemas::ids::{DeviceAddress, Origin};
use schemas::key::SecretKey;
use schemas::log::{Entry, Party, Policy};
use schemas::registry::{Record, Role, SignedRecord};
use schemas::time::Clock;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::operator::Operator;
use super::time::HandClock;
use crate::organisation::own_record;

/// Devices of every run.
pub const DEVICES: usize = 3;
/// Read point of all events.
pub const PLACE: &str = "https://id.gs1.org/414/9521001000017";
/// Business step of scans.
pub const SCAN_STEP: &str = "inspecting";
/// Business step of readings.
pub const SENSOR_STEP: &str = "sensor_reporting";

const WITNESSES: [&str; 4] = ["w1.example", "w2.example", "w3.example", "w4.example"];
const ORGANISATION: &str = "qinghe";
const REGISTRAR: &str = "association";

/// The key of whoever has this name; the same in every run.
fn key_of(name: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(format!("faults: key of {name}").as_bytes()).0)
}

/// A device as its gateway has it.
pub struct Device {
    /// `qinghe/line-1` and so on.
    pub address: DeviceAddress,
    /// Signs statements.
    pub key: SecretKey,
    /// Its record.
    pub record: SignedRecord,
}

/// The beginning of every run.
pub struct Ground {
    /// Policy of the log.
    pub policy: Policy,
    /// Signs checkpoints.
    pub log_key: SecretKey,
    /// Signs receipts.
    pub receipt_key: SecretKey,
    /// All devices.
    pub devices: Vec<Device>,
    folder: TempDir,
}

/// A folder in memory where the system has one: a run is about what was asked of a disk, not about
/// how fast one is.
///
/// # Errors
/// When none can be made.
pub fn folder() -> std::io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir())
}

impl Ground {
    /// Makes it.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn prepare() -> Result<Ground> {
        let clock = HandClock::morning();
        let origin: Origin = "log.example.org/faults".parse()?;
        let (log_key, receipt_key) = (key_of("log"), key_of("receipts"));
        let log = origin.log_id(&log_key.public_bytes());
        let party = |name: &str| Party {
            name: name.to_owned(),
            key: key_of(name).public(),
        };
        let policy = Policy {
            log,
            origin,
            log_key: log_key.public(),
            witnesses: WITNESSES.map(party).into(),
            quorum: 3,
            registrars: vec![party(REGISTRAR)],
            prev: None,
            time: clock.now(),
        };
        let names = (1..=DEVICES).map(|number| format!("{ORGANISATION}/line-{number}"));
        let devices = names.map(|name| Device::made(log, &name));
        let ground = Ground {
            policy,
            log_key,
            receipt_key,
            devices: devices.collect::<Result<_>>()?,
            folder: folder()?,
        };
        ground.fill(&clock).await?;
        Ok(ground)
    }

    /// A log that knows the organisation and its devices.
    async fn fill(&self, clock: &Arc<HandClock>) -> Result<()> {
        let witnesses = self.witnesses(self.folder.path(), clock).await?;
        let disk = super::disk::LogDisk::new(self.folder.path().join("log"));
        let mut operator =
            Operator::open(self, self.folder.path(), &disk, &witnesses, clock).await?;
        let key = key_of(ORGANISATION);
        let own = own_record(self.policy.log, &ORGANISATION.parse()?, &key);
        let own = SignedRecord::sign(&key_of(REGISTRAR), own);
        operator.admit(&own).await?;
        for device in &self.devices {
            operator.admit(&device.record).await?;
        }
        operator.turn().await?;
        operator.close().await;
        Ok(())
    }

    /// Copies the beginning for a run.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn copy_to(&self, folder: &Path) -> std::io::Result<()> {
        copy(self.folder.path(), folder)
    }

    /// What a device trusts.
    ///
    /// # Errors
    /// Never: the address of the broker is one.
    pub fn trust(&self, device: usize) -> Result<Trust> {
        let device = &self.devices[device];
        Ok(Trust {
            log: self.policy.log,
            device: device.address.clone(),
            record: device.record.record.clone(),
            receipt_key: self.receipt_key.public(),
            policies: Followed::only(self.policy.clone()),
            broker: "mqtt://127.0.0.1:1"
                .parse()
                .map_err(|problem| anyhow::anyhow!("{problem}"))?,
            former: Vec::new(),
            former_receipt_keys: Vec::new(),
        })
    }

    /// Log entry of the policy: what a reader of bundles trusts.
    #[must_use]
    pub fn policy_entry(&self) -> Vec<u8> {
        Entry::Policy(self.policy.clone()).encode()
    }

    /// Starts the witnesses on their memory in a folder.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn witnesses(&self, folder: &Path, clock: &Arc<HandClock>) -> Result<Witnesses> {
        let mut witnesses = Witnesses {
            sections: Vec::new(),
            running: Vec::new(),
            configs: Vec::new(),
            clock: Arc::clone(clock),
        };
        for name in WITNESSES {
            let config = WitnessConfig {
                name: name.into(),
                key: key_of(name),
                logs: vec![(self.policy.origin.clone(), self.log_key.public())],
                file: folder.join(format!("{name}.json")),
                listen: ([127, 0, 0, 1], 0).into(),
                tls: None,
            };
            witnesses.configs.push(config);
            let place = witnesses.configs.len() - 1;
            witnesses.start(place).await?;
            let config = &witnesses.configs[place];
            let section = WitnessSection {
                name: name.to_owned(),
                url: format!("http://{}", config.listen),
                key: Hash(config.key.public_bytes()),
                owner: None,
                own: true,
                ca: None,
                retiring: false,
            };
            witnesses.sections.push(section);
        }
        Ok(witnesses)
    }
}

impl Device {
    fn made(log: Hash, name: &str) -> Result<Device> {
        let (address, key): (DeviceAddress, _) = (name.parse()?, key_of(name));
        let record = Record {
            device: Some(address.device.clone()),
            places: vec![PLACE.to_owned()],
            steps: vec![SCAN_STEP.to_owned(), SENSOR_STEP.to_owned()],
            sources: vec![2, 3],
            ..Record::first(
                log,
                address.organisation.clone(),
                Role::Capture,
                key.public(),
            )
        };
        let record = SignedRecord::sign(&key_of(ORGANISATION), record.consented(&key));
        Ok(Device {
            address,
            key,
            record,
        })
    }
}

/// Four real witnesses; each can be stopped and started.
pub struct Witnesses {
    /// As the notary asks them.
    pub sections: Vec<WitnessSection>,
    running: Vec<Option<(CancellationToken, Served)>>,
    configs: Vec<WitnessConfig>,
    clock: Arc<HandClock>,
}

impl Witnesses {
    /// Stops one, if it runs.
    pub async fn stop(&mut self, place: usize) {
        if let Some((ends, served)) = self.running[place].take() {
            ends.cancel();
            // How it ended is of no consequence: what it had signed is in its memory.
            let _ = served.task.await;
        }
    }

    /// Starts one, if it does not run, where it was before.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(&mut self, place: usize) -> Result<()> {
        let ends = CancellationToken::new();
        if self.running.len() == place {
            self.running.push(None);
        }
        if self.running[place].is_some() {
            return Ok(());
        }
        let config = self.configs[place].clone();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let served = witness::run(config, clock, ends.clone()).await;
        let served = served.with_context(|| self.configs[place].name.clone())?;
        self.configs[place].listen = served.address;
        self.running[place] = Some((ends, served));
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.configs.len()
    }
}

impl Drop for Witnesses {
    fn drop(&mut self) {
        for (ends, _) in self.running.iter().flatten() {
            ends.cancel();
        }
    }
}

/// Copies a folder with everything in it.
///
/// # Errors
/// When the file system refuses.
pub fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to: PathBuf = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
