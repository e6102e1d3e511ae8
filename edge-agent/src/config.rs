//! The configuration file: TOML, checked whole before anything starts.
//!
//! A rule that cannot work (a place with a wrong check digit, an empty sensor, a scale of zero) is
//! refused here with file, line and field, not discovered at three in the morning.

mod check;
pub mod environment;
mod place;
mod raw;
mod rule;
mod source;
mod written;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use rule::{
    DeadBandRule, Ending, ExcursionRule, Figure, PARTS_MAX, PERCENTILES_MAX, Part, Party,
    READINGS_WAITING_MAX, RULES_MAX, SCANS_MAX, ScanKind, ScanRule, Telemetry, TransactionRule,
    WindowRule,
};
pub use schemas::config::ConfigError;
use schemas::ids::Slug;
use schemas::statement::ClockState;

use crate::identity::Algorithm;

pub use source::{
    Bus, Columns, FileFormat, FolderConfig, GpsdConfig, LinesConfig, ModbusConfig, ModbusLink,
    Parity, RegisterKind, RegisterTable, Sampling, ScanMeaning, ScannerConfig, ScannerInput,
    SensorRule, SerialLine, SourceConfig, SysfsConfig, WordOrder,
};

pub(crate) use source::{DeskTarget, RuleTarget};

/// The commented file that `edge-agent init` writes.
pub const TEMPLATE: &str = include_str!("config/template.toml");

/// Most sources that one agent reads.
pub const SOURCES_MAX: usize = 64;
/// Most readings in one event, so that an event with its goods stays below 64 KiB.
pub const READINGS_PER_EVENT_MAX: usize = 128;
/// Most other gateways that one compares with.
pub const PEERS_MAX: usize = 64;
/// Most further addresses of the platform, of either kind.
pub const BROKERS_MAX: usize = 4;
/// Longest configured text (assumption, unit, names) in bytes.
pub const TEXT_MAX: usize = 512;
/// Longest configuration file in bytes.
pub const FILE_MAX: u64 = 1024 * 1024;

/// Everything that the agent is told by its owner.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Folder of key, enrolment and outbox; made with mode 0700 if it is not there.
    pub state: PathBuf,
    /// Filter for the log, as `RUST_LOG` has it.
    pub log_level: String,
    /// `[device]`.
    pub device: DeviceConfig,
    /// `[outbox]`.
    pub outbox: OutboxConfig,
    /// `[uplink]`.
    pub uplink: UplinkConfig,
    /// `[peers]`: other gateways that this one compares with; none without the section.
    pub peers: Option<PeersConfig>,
    /// Where the status page and `GET /metrics` are answered, on loopback; nowhere without it.
    pub page: Option<SocketAddr>,
    /// A light that shows the state: a folder below `/sys/class/leds`.
    pub led: Option<PathBuf>,
    /// `[[source]]`, in the order of the file.
    pub sources: Vec<SourceConfig>,
}

/// `[outbox]`: what is kept until the platform has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxConfig {
    /// Most bytes of the database; before it is reached old readings are thinned, beyond it sources
    /// wait.
    pub bytes_max: u64,
}

/// `[peers]`: gateways compare what they have seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeersConfig {
    /// Address on the local network at which the others find this gateway.
    pub listen: SocketAddr,
    /// Where the others are, at most [`PEERS_MAX`].
    pub others: Vec<SocketAddr>,
    /// Time between rounds, in real time.
    pub interval: Duration,
}

/// `[device]`: what the device says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceConfig {
    /// Name asked for at enrolment, within its organisation.
    pub name: Option<Slug>,
    /// The device speaks at least this often; the shorter of this and the record's counts.
    pub heartbeat: Option<Duration>,
    /// Kind of the key that enrolment or rotation makes.
    pub key: Algorithm,
    /// How far the device's clock can be believed.
    pub clock: ClockSetting,
    /// Minutes east of UTC, -840 to 840: `eventTimeZoneOffset` of events that state none.
    pub time_zone_minutes: i32,
}

/// `device.clock`: what the owner says of the device's clock. One that was never set is unknown
/// whatever stands here ([`crate::clock`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSetting {
    /// The operating system's time service is asked.
    Auto,
    /// Something keeps it that the agent cannot see.
    Synced,
    /// Nothing keeps it.
    Unsynced,
}

impl ClockSetting {
    /// What statements say of a clock that is not a device's own, so that nobody can be asked.
    pub(crate) const fn stated(self) -> ClockState {
        match self {
            Self::Synced => ClockState::Synced,
            Self::Auto | Self::Unsynced => ClockState::Unsynced,
        }
    }
}

/// `[uplink]`: how statements travel.
#[derive(Clone, Debug, PartialEq)]
pub struct UplinkConfig {
    /// Where to connect instead of the address that enrolment brought.
    pub broker: Option<BrokerAddress>,
    /// Further addresses of the same platform, at most [`BROKERS_MAX`]: the next one is tried when
    /// the one before has failed three times in a row.
    pub brokers: Vec<BrokerAddress>,
    /// While another address than the first one works, the first one is looked at again after this.
    pub return_after: Duration,
    /// Further base URLs of the platform, asked for late inclusions where the first one fails.
    pub platforms: Vec<String>,
    /// Statements sent and not yet acknowledged by the broker, 1 to 1,024.
    pub in_flight: u16,
    /// First wait before a new connection.
    pub back_off_min: Duration,
    /// Longest wait before a new connection.
    pub back_off_max: Duration,
    /// A statement without a receipt is sent again after this.
    pub receipt_timeout: Duration,
}

/// Where the broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS under the CA that enrolment brought.
    pub tls: bool,
    /// MQTT over WebSocket at this path, beginning with a slash; plain MQTT without one.
    pub path: Option<String>,
}

/// Where the platform bridges MQTT over WebSocket, unless an address names another path.
pub const WEBSOCKET_PATH: &str = "/v1/mqtt";

impl std::str::FromStr for BrokerAddress {
    type Err = &'static str;

    /// Reads `mqtt://host:port`, `mqtts://host:port`, `ws://host[:80][/path]` or
    /// `wss://host[:443][/path]` (IPv6 hosts in brackets).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "expected mqtt://host:port, mqtts://host:port, ws://host or wss://host";
        let (tls, standard, rest) = match text.split_once("://") {
            Some(("mqtt", rest)) => (false, None, rest),
            Some(("mqtts", rest)) => (true, None, rest),
            Some(("ws", rest)) => (false, Some(80), rest),
            Some(("wss", rest)) => (true, Some(443), rest),
            _ => return Err(FORM),
        };
        let (authority, path) = match rest.split_once('/') {
            None | Some((_, "")) => (rest.trim_end_matches('/'), WEBSOCKET_PATH.to_owned()),
            Some((authority, path)) => (authority, format!("/{path}")),
        };
        let (host, port) = host_and_port(authority, standard).ok_or(FORM)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
        if path.len() > 255 || !path.chars().all(fits) {
            return Err(FORM);
        }
        let path = Some(path).filter(|_| standard.is_some());
        if path.is_none() && rest.trim_end_matches('/') != authority {
            return Err(FORM);
        }
        Ok(Self {
            host,
            port,
            tls,
            path,
        })
    }
}

/// Parts of `host:port`, or of `host` where there is a standard port.
fn host_and_port(authority: &str, standard: Option<u16>) -> Option<(String, u16)> {
    let is_bare = authority.ends_with(']') || !authority.contains(':');
    let (host, port) = match authority.rsplit_once(':').filter(|_| !is_bare) {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, standard?),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let is_host = !host.is_empty() && host.len() <= 255 && host.chars().all(right);
    (is_host && port != 0).then(|| (host.to_owned(), port))
}

impl std::fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match (&self.path, self.tls) {
            (None, false) => "mqtt",
            (None, true) => "mqtts",
            (Some(_), false) => "ws",
            (Some(_), true) => "wss",
        };
        let path = self.path.as_deref().unwrap_or_default();
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}{path}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}{path}", self.host, self.port)
        }
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and field.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let (name, text) = read(path)?;
        Self::parse(&name, &text)
    }

    /// Checks a text; `file` is only for the messages.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and field.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        check::parse(file, text, &[])
    }
}

/// A file's name and text.
fn read(path: &Path) -> Result<(String, String), ConfigError> {
    let name = path.display().to_string();
    let unread = |problem: String| ConfigError {
        file: name.clone(),
        line: 0,
        field: String::new(),
        problem,
    };
    let size = std::fs::metadata(path)
        .map_err(|error| unread(error.to_string()))?
        .len();
    if size > FILE_MAX {
        let problem = format!("{size} bytes, a configuration has at most {FILE_MAX}");
        return Err(unread(problem));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unread(error.to_string()))?;
    Ok((name, text))
}

#[cfg(test)]
mod tests;
