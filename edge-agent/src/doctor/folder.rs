//! The state directory: key, enrolment, permissions, room, and whether the disk keeps its word.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Check, Device, Patient, machine, secrets_of};
use crate::enrol::PENDING_FILE;
use crate::enrol::rotate::ROTATION_FILE;
use crate::identity::{self, KEY_FILE, NEXT_KEY_FILE};
use crate::outbox::LOCK_FILE;
use crate::trust::{ENROLMENT_FILE, Enrolment};

/// Less room than this is doubtful, in bytes: a day of telemetry of one sensor.
const ROOM_MIN: u64 = 256 * 1024 * 1024;
/// Less than this is bad.
const ROOM_LEAST: u64 = 32 * 1024 * 1024;
/// A disk that takes longer to store a few bytes cannot keep up with sensors.
const SYNC_MAX: Duration = Duration::from_millis(500);
/// A disk that takes less than this has stored nothing: no medium is that fast.
const SYNC_LEAST: Duration = Duration::from_micros(3);
/// Files that hold secrets.
const SECRET_FILES: [&str; 5] = [
    KEY_FILE,
    NEXT_KEY_FILE,
    ENROLMENT_FILE,
    PENDING_FILE,
    ROTATION_FILE,
];
const ENROL: &str = "run `edge-agent enrol CLAIM --config FILE` with a claim of the organisation";

/// Key and enrolment, and the texts that must not leave the device.
pub(super) fn identity(state: &Path, checks: &mut Vec<Check>) -> (Option<Device>, Vec<String>) {
    let key = identity::load(state);
    let enrolment = Enrolment::load(state);
    let known = enrolment.as_ref().ok().and_then(Option::as_ref);
    let secrets = secrets_of(known, &secret_files(state));
    checks.push(match &key {
        Ok(Some(key)) => Check::good("device key", format!("kid {}", key.kid())),
        Ok(None) => Check::bad("device key", "there is none", ENROL),
        Err(error) => Check::bad(
            "device key",
            error.to_string(),
            "a key that others could read is no proof any more: let the organisation revoke it \
             and enrol anew, or restore the permissions if nobody else was on this machine",
        ),
    });
    let trust = match (&key, &enrolment) {
        (Ok(Some(key)), Ok(Some(enrolment))) => Some(enrolment.trust(&key.public())),
        _ => None,
    };
    checks.push(match (&enrolment, &trust) {
        (Ok(None), _) => Check::bad("enrolment", "this device is not enrolled", ENROL),
        (Err(error), _) => Check::bad("enrolment", error.to_string(), ENROL),
        (_, Some(Err(error))) => Check::bad(
            "enrolment",
            error.to_string(),
            "the files do not belong together: restore the whole state directory, or enrol anew",
        ),
        (_, Some(Ok(trust))) => Check::good(
            "enrolment",
            format!("{}, every signature verified", trust.device),
        ),
        (_, None) => Check::skipped("enrolment", "without a key nothing can be verified"),
    });
    let device = match (enrolment, trust) {
        (Ok(Some(enrolment)), Some(Ok(trust))) => Some(Device { enrolment, trust }),
        _ => None,
    };
    (device, secrets)
}

/// What stands in the files that hold secrets, but for the enrolment.
fn secret_files(state: &Path) -> Vec<String> {
    let files = SECRET_FILES.iter().filter(|file| **file != ENROLMENT_FILE);
    files
        .filter_map(|file| std::fs::read_to_string(state.join(file)).ok())
        .collect()
}

/// True while an agent runs there. Only looks: the lock is given back at once.
pub(super) fn is_locked(state: &Path) -> bool {
    let file = std::fs::File::open(state.join(LOCK_FILE));
    file.is_ok_and(|file| {
        matches!(
            file.try_lock_shared(),
            Err(std::fs::TryLockError::WouldBlock)
        )
    })
}

pub(super) async fn look(patient: &Patient<'_>, checks: &mut Vec<Check>) {
    let state = &patient.config.state;
    checks.push(permissions(state));
    checks.push(private_files(state));
    checks.push(room(state).await);
    checks.push(sync(state));
    checks.push(if patient.is_running {
        Check::good("agent", "an agent runs on this state directory")
    } else {
        Check::doubtful(
            "agent",
            "no agent runs on this state directory",
            "start it: systemctl enable --now tracebond-edge",
        )
    });
}

fn permissions(state: &Path) -> Check {
    let name = "state directory";
    let remedy = format!(
        "chmod 700 {0} and chown it to the agent's user",
        state.display()
    );
    match std::fs::metadata(state) {
        Err(error) => Check::bad(name, format!("{}: {error}", state.display()), remedy),
        Ok(folder) if !folder.is_dir() => Check::bad(name, "is no folder", remedy),
        Ok(folder) if folder.mode() & 0o077 != 0 => {
            let found = format!("mode {:o}: others may look into it", folder.mode() & 0o777);
            Check::doubtful(name, found, remedy)
        }
        Ok(folder) => Check::good(name, format!("mode {:o}", folder.mode() & 0o777)),
    }
}

/// Everything in it that holds a secret is for its owner, and of one owner.
fn private_files(state: &Path) -> Check {
    let name = "secret files";
    let mut found = Vec::new();
    let owner = std::fs::metadata(state).map(|folder| folder.uid()).ok();
    for file in SECRET_FILES {
        let Ok(metadata) = std::fs::metadata(state.join(file)) else {
            continue;
        };
        if metadata.mode() & 0o077 != 0 {
            found.push(format!("{file} has mode {:o}", metadata.mode() & 0o777));
        }
        if Some(metadata.uid()) != owner {
            found.push(format!("{file} belongs to another user than its folder"));
        }
    }
    if found.is_empty() {
        Check::good(name, "for their owner only")
    } else {
        let remedy = "chmod 600 them and chown them to the agent's user";
        Check::bad(name, found.join("; "), remedy)
    }
}

async fn room(state: &Path) -> Check {
    let name = "disk space";
    let folder = state.display().to_string();
    let said = machine::output("df", &["--output=avail", "-B1", "--", &folder]).await;
    let avail = said.as_ref().ok().and_then(|text| {
        let number = text.lines().nth(1)?;
        number.trim().parse::<u64>().ok()
    });
    let remedy = "free some, or move the state directory to a larger disk";
    match avail {
        None => Check::skipped(name, "df does not say"),
        Some(bytes) => {
            let found = format!("{} MiB free", bytes / (1024 * 1024));
            match bytes {
                ..ROOM_LEAST => Check::bad(name, found, remedy),
                ROOM_LEAST..ROOM_MIN => Check::doubtful(name, found, remedy),
                _ => Check::good(name, found),
            }
        }
    }
}

/// Writes and syncs a few bytes three times: the outbox does nothing else all day.
fn sync(state: &Path) -> Check {
    let name = "disk sync";
    let path = state.join(format!(".doctor-{}", std::process::id()));
    let write = || -> std::io::Result<Duration> {
        let mut file = std::fs::File::create(&path)?;
        let mut longest = Duration::ZERO;
        for _ in 0..3 {
            let began = Instant::now();
            file.write_all(&[0; 512])?;
            file.sync_all()?;
            longest = longest.max(began.elapsed());
        }
        Ok(longest)
    };
    let outcome = write();
    let _ = std::fs::remove_file(&path);
    match outcome {
        Err(error) => Check::bad(
            name,
            error.to_string(),
            "the disk is full, read-only or broken, or this is another user than the agent's: \
             run doctor as that user",
        ),
        Ok(time) if time > SYNC_MAX => Check::doubtful(
            name,
            format!("512 bytes took {} ms", time.as_millis()),
            "a worn or slow card: replace it by one for continuous recording",
        ),
        Ok(time) if time < SYNC_LEAST => Check::doubtful(
            name,
            "stored in no time: this disk forgets everything when the power fails",
            "keep the state directory on a disk, not in memory",
        ),
        Ok(time) => Check::good(name, format!("512 bytes in {} us", time.as_micros())),
    }
}
