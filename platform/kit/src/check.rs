//! Testing a configuration before the start: one finding a line, with what to do.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use schemas::time::Instant;
use serde::Serialize;

/// Days before its end from which a certificate is worth a warning.
const SOON_DAYS: i64 = 30;
/// Where systemd-timesyncd says that the clock was synchronised.
const TIMESYNC: &str = "/run/systemd/timesync/synchronized";
/// Before this program existed: a clock that says so is not set.
const PAST: Instant = Instant::from_seconds(1_767_225_600);

/// Free KiB without which nothing works.
const SPACE_LEAST_KIB: u64 = 64 * 1024;
/// Free KiB below which it is time to act.
const SPACE_SCARCE_KIB: u64 = 1024 * 1024;

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// The service starts; look at it.
    Warn,
    /// The service would not start, or not work.
    Fail,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What: a setting or a file.
    pub what: String,
    /// How it stands.
    pub state: State,
    /// What was seen.
    pub seen: String,
    /// What to do about it, empty where nothing is to be done.
    pub todo: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:4}  {}: {}", self.state, self.what, self.seen)?;
        if self.todo.is_empty() {
            Ok(())
        } else {
            write!(f, " -> {}", self.todo)
        }
    }
}

/// Everything that was looked at, in order.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Report(pub Vec<Finding>);

impl Report {
    fn push(&mut self, what: impl Into<String>, state: State, seen: String, todo: &str) {
        self.0.push(Finding {
            what: what.into(),
            state,
            seen,
            todo: todo.to_owned(),
        });
    }

    /// A thing as it should be.
    pub fn ok(&mut self, what: impl Into<String>, seen: impl Into<String>) {
        self.push(what, State::Ok, seen.into(), "");
    }

    /// A thing that does not keep the service from starting.
    pub fn warn(&mut self, what: impl Into<String>, seen: impl Into<String>, todo: &str) {
        self.push(what, State::Warn, seen.into(), todo);
    }

    /// A thing that must be mended.
    pub fn fail(&mut self, what: impl Into<String>, seen: impl Into<String>, todo: &str) {
        self.push(what, State::Fail, seen.into(), todo);
    }

    /// True if nothing must be mended.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.0.iter().all(|finding| finding.state != State::Fail)
    }

    /// One line for each finding, or one JSON array.
    #[must_use]
    pub fn text(&self, json: bool) -> String {
        if json {
            let list = serde_json::to_string_pretty(self).unwrap_or_default();
            return format!("{list}\n");
        }
        let line = |finding: &Finding| format!("{finding}\n");
        self.0.iter().map(line).collect()
    }
}

/// A folder that the service writes into: there or makeable, writable by this user.
pub fn folder(report: &mut Report, what: &str, path: &Path) {
    let shown = path.display();
    if !path.exists() {
        let parent = path.parent().unwrap_or(Path::new("."));
        return match try_write(parent) {
            Ok(()) => report.ok(what, format!("{shown} is not there yet and will be made")),
            Err(error) => report.fail(
                what,
                format!("{shown} is not there and cannot be made: {error}"),
                "make it, owned by the user of the service",
            ),
        };
    }
    if let Err(error) = try_write(path) {
        let todo = "give it to the user of the service (chown)";
        return report.fail(what, format!("{shown} cannot be written: {error}"), todo);
    }
    match mode(path) {
        Ok(mode) if mode & 0o002 != 0 => report.fail(
            what,
            format!("everybody may write into {shown}"),
            "chmod o-w",
        ),
        _ => report.ok(what, format!("{shown} is writable")),
    }
}

/// Room on the disk under a folder, as `df` tells it.
pub fn space(report: &mut Report, what: &str, path: &Path) {
    let here = Path::new(".");
    let there = path.ancestors().find(|one| one.exists()).or(Some(here));
    let Some((free, percent)) = there.and_then(free_kib) else {
        let todo = "look at it with `df`";
        return report.warn(what, "its free space cannot be read", todo);
    };
    let seen = format!("{} MiB free, {percent} % used", free / 1024);
    let todo = "make room; statements are not taken without";
    match free {
        ..SPACE_LEAST_KIB => report.fail(what, seen, todo),
        _ if free < SPACE_SCARCE_KIB || percent >= 95 => report.warn(what, seen, todo),
        _ => report.ok(what, seen),
    }
}

/// Free KiB and used percents of the file system that a path is on.
fn free_kib(path: &Path) -> Option<(u64, u64)> {
    let output = std::process::Command::new("df")
        .arg("-Pk")
        .arg(path)
        .output();
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    let mut words = text.lines().nth(1)?.split_whitespace().skip(3);
    let free = words.next()?.parse().ok()?;
    let percent = words.next()?.strip_suffix('%')?.parse().ok()?;
    Some((free, percent))
}

fn try_write(folder: &Path) -> io::Result<()> {
    let probe = folder.join(format!(".check-{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)?;
    let written = file.write_all(b"x");
    fs::remove_file(&probe)?;
    written
}

fn mode(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode())
}

/// A file that only its owner may read.
pub fn secret(report: &mut Report, what: &str, path: &Path) {
    let shown = path.display();
    match mode(path) {
        Ok(mode) if mode & 0o077 != 0 => report.fail(
            what,
            format!("{shown} can be read by others (mode {:o})", mode & 0o777),
            "chmod 600",
        ),
        Ok(_) => match fs::read(path) {
            Ok(_) => report.ok(what, format!("{shown} is its owner's only")),
            Err(error) => {
                let todo = "give it to the user of the service (chown)";
                report.fail(what, format!("{shown} cannot be read: {error}"), todo);
            }
        },
        Err(error) => report.fail(what, format!("{shown}: {error}"), "put it there"),
    }
}

/// An address that the service listens on.
pub fn port(report: &mut Report, what: &str, address: SocketAddr) {
    match TcpListener::bind(address) {
        Ok(_) if address.port() == 0 => {
            report.warn(
                what,
                format!("{address}: any free port"),
                "choose a fixed one",
            );
        }
        Ok(_) => report.ok(what, format!("{address} is free")),
        Err(error) => report.fail(
            what,
            format!("{address} cannot be taken: {error}"),
            "stop what listens there, or choose another",
        ),
    }
}

/// The system's clock: set, and kept by somebody.
pub fn clock(report: &mut Report, now: Instant) {
    let what = "clock";
    if now < PAST {
        let todo = "set it; anchored times and certificates depend on it";
        return report.fail(what, format!("it says {now}"), todo);
    }
    if Path::new(TIMESYNC).exists() {
        return report.ok(what, format!("{now}, synchronised"));
    }
    report.warn(
        what,
        format!("{now}; nobody says that it is synchronised"),
        "run systemd-timesyncd or chrony",
    );
}

/// A certificate that ends at some time.
pub fn certificate(report: &mut Report, what: &str, until: Option<Instant>, now: Instant) {
    let Some(until) = until else {
        return report.fail(what, "its end cannot be read", "issue it again");
    };
    let days = (until.as_seconds() - now.as_seconds()) / 86_400;
    let seen = format!("valid until {until} ({days} days)");
    match days {
        ..0 => report.fail(what, seen, "issue it again"),
        0..SOON_DAYS => report.warn(what, seen, "issue it again soon"),
        _ => report.ok(what, seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_secrets_are_judged_by_their_modes() {
        let root = tempfile::tempdir().unwrap();
        let key = root.path().join("a.key");
        fs::write(&key, "x").unwrap();
        let mut report = Report::default();
        folder(&mut report, "data", root.path());
        folder(&mut report, "data", &root.path().join("later"));
        folder(&mut report, "data", Path::new("/proc/none/such"));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        secret(&mut report, "key", &key);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        secret(&mut report, "key", &key);
        let states: Vec<State> = report.0.iter().map(|one| one.state).collect();
        use State::{Fail, Ok};
        assert_eq!(states, [Ok, Ok, Fail, Fail, Ok], "{}", report.text(false));
        assert!(report.text(false).contains("fail  key: ") && !report.holds());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_room_on_a_disk_is_told() {
        let mut report = Report::default();
        space(&mut report, "disk", Path::new("/proc"));
        space(&mut report, "disk", &std::env::temp_dir().join("not/there"));
        let text = report.text(false);
        assert_eq!(
            text.matches("MiB free").count() + text.matches("cannot be read").count(),
            2
        );
        assert!(text.lines().nth(1).unwrap().contains("MiB free"), "{text}");
    }

    #[test]
    fn a_taken_port_and_an_old_certificate_fail() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut report = Report::default();
        port(&mut report, "listen", taken.local_addr().unwrap());
        let now = Instant::from_seconds(1_800_000_000);
        let day = std::time::Duration::from_secs(86_400);
        for until in [now - day, now + day, now + day * 100] {
            certificate(&mut report, "certificate", Some(until), now);
        }
        clock(&mut report, Instant::from_seconds(0));
        let states: Vec<State> = report.0.iter().map(|one| one.state).collect();
        use State::{Fail, Ok, Warn};
        assert_eq!(states, [Fail, Fail, Warn, Ok, Fail]);
        assert!(report.text(true).contains("\"state\": \"warn\""));
    }
}
