//! What systemd wants to hear: `sd_notify(3)` and journald's priorities, without its library.
//!
//! Both are a line of text: a datagram to the socket that `NOTIFY_SOCKET` names, and `<4>` before a
//! line on standard error (`sd-daemon(3)`) where that is the journal's (`JOURNAL_STREAM`).

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Where to tell systemd how the service does; silent where nothing started it so.
#[derive(Debug, Default)]
pub struct Notify {
    to: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// By the environment: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, and `WATCHDOG_PID` where it is set.
    #[must_use]
    pub fn from_environment() -> Self {
        let get = |name: &str| std::env::var(name).ok();
        Self::from_variables(get, std::process::id())
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>, process: u32) -> Self {
        let to = get("NOTIFY_SOCKET").and_then(|name| {
            let opened = address(&name).and_then(|to| Ok((UnixDatagram::unbound()?, to)));
            opened
                .inspect_err(|error| tracing::warn!(%error, "systemd cannot be told anything"))
                .ok()
        });
        let is_ours = get("WATCHDOG_PID").is_none_or(|pid| pid == process.to_string());
        let microseconds = get("WATCHDOG_USEC").and_then(|text| text.parse().ok());
        let microseconds = microseconds.filter(|&time| is_ours && time > 0);
        Self {
            watchdog: microseconds
                .map(Duration::from_micros)
                .filter(|_| to.is_some()),
            to,
        }
    }

    /// How often the watchdog wants to hear something: half of what it waits.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog.map(|time| time / 2)
    }

    /// The service works; `words` stand in `systemctl status`.
    pub fn ready(&self, words: &str) {
        self.send(&format!("READY=1\nSTATUS={}", one_line(words)));
    }

    /// What it does now.
    pub fn status(&self, words: &str) {
        self.send(&format!("STATUS={}", one_line(words)));
    }

    /// It is alive.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// It is starting still, and needs up to `time` more.
    pub fn starting(&self, time: Duration) {
        self.send(&format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()));
    }

    /// It ends, within `time`.
    pub fn stopping(&self, time: Duration) {
        self.send(&format!(
            "STOPPING=1\nEXTEND_TIMEOUT_USEC={}",
            time.as_micros()
        ));
    }

    fn send(&self, text: &str) {
        let Some((socket, to)) = &self.to else {
            return;
        };
        if let Err(error) = socket.send_to_addr(text.as_bytes(), to) {
            tracing::debug!(%error, "systemd was not told");
        }
    }
}

/// A path, or a name beside the file system that begins with `@`.
fn address(name: &str) -> io::Result<SocketAddr> {
    match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notify(variables: &[(&str, &str)]) -> Notify {
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Notify::from_variables(get, 77)
    }

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 512];
        let count = socket.recv(&mut bytes).expect("received");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    #[test]
    fn systemd_hears_what_it_waits_for() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        let timeout = Some(Duration::from_secs(10));
        socket.set_read_timeout(timeout).expect("timeout");
        let name = path.display().to_string();
        let notify = notify(&[
            ("NOTIFY_SOCKET", &name),
            ("WATCHDOG_USEC", "30000000"),
            ("WATCHDOG_PID", "77"),
        ]);
        assert_eq!(notify.watchdog(), Some(Duration::from_secs(15)));
        notify.starting(Duration::from_secs(30));
        assert_eq!(heard(&socket), "EXTEND_TIMEOUT_USEC=30000000");
        notify.ready("All is\nwell.");
        assert_eq!(heard(&socket), "READY=1\nSTATUS=All is well.");
        notify.alive();
        assert_eq!(heard(&socket), "WATCHDOG=1");
        notify.stopping(Duration::from_secs(20));
        assert_eq!(heard(&socket), "STOPPING=1\nEXTEND_TIMEOUT_USEC=20000000");
    }

    #[test]
    fn a_name_beside_the_file_system_is_heard_too() {
        let name = format!("tracebond-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("name");
        let socket = UnixDatagram::bind_addr(&address).expect("bound");
        let name = format!("@{name}");
        notify(&[("NOTIFY_SOCKET", &name)]).status("x");
        assert_eq!(heard(&socket), "STATUS=x");
    }

    #[test]
    fn without_systemd_nothing_is_said_and_a_watchdog_of_another_is_not_ours() {
        let silent = notify(&[]);
        silent.ready("nobody hears this");
        assert_eq!(silent.watchdog(), None);
        let other = notify(&[
            ("NOTIFY_SOCKET", "/nowhere"),
            ("WATCHDOG_USEC", "30000000"),
            ("WATCHDOG_PID", "78"),
        ]);
        assert_eq!(other.watchdog(), None);
    }
}
