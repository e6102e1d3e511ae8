//! How long a registry of very many devices takes from a change to its next root: `bench -- registry`.
//!
//! The records are signed as real ones are and stand in a SQLite file; what is measured is what the
//! platform does with them, through its own functions: read everything at a start, admit a record,
//! make the root and write it down, follow from another process, find the path of an older version
//! for a bundle.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant as Moment;

use anyhow::Context as _;
use platform::registry::{Gate, Registries, Snapshot};
use platform::store::sqlite::SqliteStore;
use platform::store::{Append, KeptRecord, LogStore, Store};
use schemas::event::Salt;
use schemas::hash::{Hash, sha256, sha256_parts};
use schemas::ids::Origin;
use schemas::key::SecretKey;
use schemas::log::{Party, Policy};
use schemas::registry::{Head, Record, Role, SignedRecord, State, root_of_list};
use schemas::time::Instant;
use serde::Serialize;

use crate::progress::Progress;

/// Devices of one organisation.
const FLEET: u64 = 1_000;
/// Records written in one transaction while the registry is made.
const ROWS: usize = 20_000;
/// Seconds within which a device speaks.
const HEARTBEAT: u64 = 3_600;
/// Changes of each kind that are measured; the median counts.
const TURNS: u64 = 5;

/// What was measured; times in milliseconds.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// Devices in the registry.
    pub devices: u64,
    /// Reading the registry at a start.
    pub load_ms: f64,
    /// What it takes in memory, in MiB.
    pub memory_mib: f64,
    /// From a new device's record to the root that holds it.
    pub new_device_root_ms: f64,
    /// From a new device's record to the snapshot in force, its head in the log of the database.
    pub new_device_in_force_ms: f64,
    /// From a revocation to the root that holds it.
    pub revocation_root_ms: f64,
    /// From a revocation to the snapshot in force.
    pub revocation_in_force_ms: f64,
    /// Until another process has read a new device's record and compared the root.
    pub new_device_followed_ms: f64,
    /// Until another process has read a revocation and compared the root.
    pub revocation_followed_ms: f64,
    /// The first path under the registry of five changes ago, for a bundle.
    pub older_version_ms: f64,
    /// A device's active key by its address, in microseconds.
    pub device_lookup_us: f64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "registry of {} devices", self.devices)?;
        writeln!(f, "  read at a start       {:9.0} ms", self.load_ms)?;
        writeln!(f, "  memory                {:9.0} MiB", self.memory_mib)?;
        for (what, root, force, followed) in [
            (
                "new device",
                self.new_device_root_ms,
                self.new_device_in_force_ms,
                self.new_device_followed_ms,
            ),
            (
                "revocation",
                self.revocation_root_ms,
                self.revocation_in_force_ms,
                self.revocation_followed_ms,
            ),
        ] {
            writeln!(
                f,
                "  {what}: root {root:.1} ms, in force {force:.1} ms, in another process {followed:.1} ms more"
            )?;
        }
        writeln!(
            f,
            "  path, older version   {:9.1} ms",
            self.older_version_ms
        )?;
        write!(
            f,
            "  device by address     {:9.1} us",
            self.device_lookup_us
        )
    }
}

fn key(name: &str, number: u64) -> SecretKey {
    let parts = [name.as_bytes(), &number.to_be_bytes()];
    SecretKey::from_seed(&sha256_parts(&parts).0)
}

pub(crate) fn policy() -> anyhow::Result<Policy> {
    let origin: Origin = "log.example/registry".parse()?;
    let log_key = key("log", 0).public();
    let party = |name: &str| Party {
        name: name.into(),
        key: key(name, 0).public(),
    };
    Ok(Policy {
        log: origin.log_id(&log_key.ed25519_bytes().context("the log key")?),
        origin,
        log_key,
        witnesses: vec![party("witness")],
        quorum: 1,
        registrars: vec![party("registrar")],
        prev: None,
        time: Instant::from_micros(0),
    })
}

/// The first record of an organisation's own key, or of its device.
pub(crate) fn first(
    log: Hash,
    organisation: u64,
    device: Option<u64>,
    heartbeat: u64,
) -> anyhow::Result<SignedRecord> {
    let (own, signer) = match device {
        None => (key("organisation", organisation), key("registrar", 0)),
        Some(device) => (key("device", device), key("organisation", organisation)),
    };
    let role = device.map_or(Role::Organisation, |_| Role::Capture);
    let organisation = format!("maker-{organisation}").parse()?;
    let mut record = Record::first(log, organisation, role, own.public());
    if let Some(device) = device {
        record.device = Some(format!("line-{device}").parse()?);
        record.places = vec!["https://id.gs1.org/414/9521001000015".into()];
        record.steps = ["commissioning", "inspecting", "packing"]
            .map(str::to_owned)
            .into();
        record.sources = vec![2, 3];
        record.heartbeat = heartbeat;
    }
    Ok(SignedRecord::sign(&signer, record.consented(&own)))
}

fn revoked(before: &SignedRecord, organisation: u64) -> SignedRecord {
    let record = before.next(State::Revoked {
        compromised_since: None,
    });
    SignedRecord::sign(&key("organisation", organisation), record)
}

fn kept(signed: &SignedRecord, number: u64) -> KeptRecord {
    let record = &signed.record;
    let mut salt = Salt([0; 16]);
    salt.0
        .copy_from_slice(&sha256(&number.to_be_bytes()).0[..16]);
    KeptRecord {
        kid: record.kid(),
        version: record.version,
        organisation: record.organisation.clone(),
        device: record
            .device
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        role: record.role as u64,
        bytes: signed.bytes().to_vec(),
        salt,
        hash: signed.hash(&salt),
        head: 1,
    }
}

/// The store with its registry, and who writes its log.
struct Ground {
    store: Arc<SqliteStore>,
    policy: Policy,
    fence: u64,
    size: u64,
}

impl Ground {
    async fn open(file: &Path) -> anyhow::Result<Self> {
        let store = Arc::new(SqliteStore::open(file).await?);
        let (now, until) = (
            Instant::from_micros(0),
            Instant::from_seconds(4_000_000_000),
        );
        let lease = store.take_lease("log", "bench", now, until).await?;
        let size = store.log_head().await?.map_or(0, |(size, _)| size);
        Ok(Self {
            store,
            policy: policy()?,
            fence: lease.context("the lease")?,
            size,
        })
    }

    async fn append(&mut self, records: Vec<KeptRecord>, head: Head) -> anyhow::Result<()> {
        let append = Append {
            fence: self.fence,
            first: self.size,
            entries: vec![b"registry head".to_vec()],
            root: head.root,
            registry: Some((records, head, Instant::from_micros(0))),
            ..Append::default()
        };
        self.store.append(&append).await?;
        self.size += 1;
        Ok(())
    }

    /// All organisations and devices; every version but the last is only a part of the way there.
    async fn fill(&mut self, devices: u64, progress: &mut Progress) -> anyhow::Result<()> {
        let mut list = Vec::new();
        let log = self.policy.log;
        let organisations = devices.div_ceil(FLEET);
        let all: Vec<(u64, Option<u64>)> = (0..organisations)
            .map(|organisation| (organisation, None))
            .chain((0..devices).map(|device| (device / FLEET, Some(device))))
            .collect();
        let mut version = 0;
        for part in all.chunks(ROWS) {
            let half = part.len().div_ceil(2);
            let made = std::thread::scope(|scope| {
                let sign = |some: &[(u64, Option<u64>)]| -> anyhow::Result<Vec<KeptRecord>> {
                    let record = |(organisation, device): &(u64, Option<u64>)| {
                        let signed = first(log, *organisation, *device, HEARTBEAT)?;
                        Ok(kept(
                            &signed,
                            device.map_or(u64::MAX - organisation, |device| device),
                        ))
                    };
                    some.iter().map(record).collect()
                };
                let other = scope.spawn(move || sign(&part[half.min(part.len())..]));
                let mut made = sign(&part[..half])?;
                let rest = other
                    .join()
                    .map_err(|_| anyhow::anyhow!("a signer panicked"))??;
                made.extend(rest);
                anyhow::Ok(made)
            })?;
            version += 1;
            list.extend(made.iter().map(|record| (record.kid, record.hash)));
            let is_last = list.len() == all.len();
            let root = if is_last {
                list.sort_unstable();
                root_of_list(&list).context("the list")?
            } else {
                Hash::ZERO
            };
            let mut made = made;
            for record in &mut made {
                record.head = version;
            }
            let count = list.len() as u64;
            self.append(
                made,
                Head {
                    version,
                    count,
                    root,
                },
            )
            .await?;
            progress.step(|| format!("{count} of {} records", all.len()));
        }
        Ok(())
    }

    /// Admits a record as the platform does: (root made, snapshot in force) in milliseconds.
    async fn admit(
        &mut self,
        gate: &mut Arc<Snapshot>,
        signed: &SignedRecord,
    ) -> anyhow::Result<(f64, f64)> {
        let started = Moment::now();
        let mut next = (**gate).clone();
        let admitted = next.admit(signed.bytes().to_vec(), &self.policy)?;
        let head = next.next_head().context("an empty registry")?;
        let root = ms(started);
        self.append(admitted.into_iter().collect(), head).await?;
        next.head = Some(head);
        *gate = Arc::new(next);
        Ok((root, ms(started)))
    }
}

fn ms(started: Moment) -> f64 {
    started.elapsed().as_secs_f64() * 1_000.0
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Resident memory of this process in KiB.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// Makes a registry of so many devices in a file.
///
/// # Errors
/// When the disk or the platform's functions fail.
pub async fn make(devices: u64, file: &Path, progress: &mut Progress) -> anyhow::Result<()> {
    let mut ground = Ground::open(file).await?;
    ground.fill(devices, progress).await?;
    ground.store.close().await;
    Ok(())
}

/// Measures a registry of so many devices. `apart` makes it in a process of its own, by calling
/// this program again, so that what that took of memory is not in what is measured.
///
/// # Errors
/// When the disk or the platform's functions fail.
pub async fn measure(
    devices: u64,
    apart: bool,
    progress: &mut Progress,
) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("platform.db");
    if apart {
        let made = tokio::process::Command::new(std::env::current_exe()?)
            .args(["registry", "--devices", &devices.to_string(), "--make"])
            .arg(&file)
            .status()
            .await?;
        anyhow::ensure!(made.success(), "the registry was not made");
    } else {
        make(devices, &file, progress).await?;
    }
    let mut ground = Ground::open(&file).await?;
    let store = Arc::clone(&ground.store);
    let before = resident();
    let started = Moment::now();
    let loaded = Snapshot::load(&*store).await?;
    let load_ms = ms(started);
    let after = resident();
    progress.done("the registry is read");
    let mut in_force = Arc::new(loaded);
    let mut follows = Arc::clone(&in_force);
    let older = in_force.head.context("a head")?;
    let mut times: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for turn in 0..TURNS {
        let organisation = turn % devices.div_ceil(FLEET);
        let new = first(
            ground.policy.log,
            organisation,
            Some(devices + turn),
            HEARTBEAT,
        )?;
        let gone = first(
            ground.policy.log,
            organisation,
            Some(organisation * FLEET),
            HEARTBEAT,
        )?;
        let gone = match in_force.key(&gone.record.kid()) {
            Some(newest) => revoked(newest, organisation),
            None => continue,
        };
        for (what, signed) in [("new", new), ("revoked", gone)] {
            let (root, force) = ground.admit(&mut in_force, &signed).await?;
            let started = Moment::now();
            follows = Arc::new(follows.advanced(&*store).await?);
            times.entry((what, "root")).or_default().push(root);
            times.entry((what, "force")).or_default().push(force);
            times.entry((what, "follow")).or_default().push(ms(started));
            anyhow::ensure!(
                follows.head == in_force.head,
                "two processes, two registries"
            );
        }
        progress.step(|| format!("change {turn}"));
    }
    let kid = key("device", 0).kid();
    let registries = Registries::new(Arc::new(Gate::new((*in_force).clone())));
    let started = Moment::now();
    let past = registries.at(&*store as &dyn Store, &older).await?;
    let path = past.context("the older registry")?.path(&kid);
    let older_version_ms = ms(started);
    path.context("a path")?;
    let started = Moment::now();
    for device in 0..1_000.min(devices) {
        let address = format!("maker-{}/line-{device}", device / FLEET).parse()?;
        std::hint::black_box(in_force.is_active(&address));
    }
    let device_lookup_us = ms(started);
    let mut of = |what, which| median(times.remove(&(what, which)).unwrap_or_default());
    let grown = after
        .zip(before)
        .map_or(0, |(after, before)| after.saturating_sub(before));
    Ok(Measured {
        devices,
        load_ms,
        memory_mib: grown as f64 / 1_024.0,
        new_device_root_ms: of("new", "root"),
        new_device_in_force_ms: of("new", "force"),
        revocation_root_ms: of("revoked", "root"),
        revocation_in_force_ms: of("revoked", "force"),
        new_device_followed_ms: of("new", "follow"),
        revocation_followed_ms: of("revoked", "follow"),
        older_version_ms,
        device_lookup_us,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_change_has_its_root_here_and_in_another_process() {
        let measured = measure(1_500, false, &mut Progress::new(true))
            .await
            .unwrap();
        assert_eq!(measured.devices, 1_500);
        for time in [
            measured.new_device_in_force_ms,
            measured.revocation_in_force_ms,
            measured.older_version_ms,
        ] {
            assert!(time > 0.0 && time < 60_000.0, "{measured:?}");
        }
    }
}
