//! The configuration file: TOML, checked whole before anything starts.
//!
//! A rule that cannot work (a place with a wrong check digit, an empty sensor, a scale of zero) is
//! refused here with file, line and field, not discovered at three in the morning.

mod check;
mod raw;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use schemas::config::ConfigError;
use schemas::event::Source;
use schemas::ids::Slug;
use schemas::statement::ClockState;

/// The commented file that `edge-agent init` writes.
pub const TEMPLATE: &str = include_str!("config/template.toml");

/// Most sources that one agent reads.
pub const SOURCES_MAX: usize = 64;
/// Most readings in one event, so that an event with its goods stays below 64 KiB.
pub const READINGS_PER_EVENT_MAX: usize = 128;
/// Most other gateways that one compares with.
pub const PEERS_MAX: usize = 64;
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
    /// `[uplink]`.
    pub uplink: UplinkConfig,
    /// `[peers]`: other gateways that this one compares with; none without the section.
    pub peers: Option<PeersConfig>,
    /// `[[source]]`, in the order of the file.
    pub sources: Vec<SourceConfig>,
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
    /// How far the device's clock can be believed.
    pub clock: ClockState,
    /// Minutes east of UTC, -840 to 840: `eventTimeZoneOffset` of events that state none.
    pub time_zone_minutes: i32,
}

/// `[uplink]`: how statements travel.
#[derive(Clone, Debug, PartialEq)]
pub struct UplinkConfig {
    /// `mqtt://host:port` or `mqtts://host:port` instead of the address that enrolment brought.
    pub broker: Option<BrokerAddress>,
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
}

impl std::str::FromStr for BrokerAddress {
    type Err = &'static str;

    /// Reads `mqtt://host:port` or `mqtts://host:port` (IPv6 hosts in brackets).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "expected mqtt://host:port or mqtts://host:port";
        let (tls, rest) = match text.split_once("://") {
            Some(("mqtt", rest)) => (false, rest),
            Some(("mqtts", rest)) => (true, rest),
            _ => return Err(FORM),
        };
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or(FORM)?;
        let port = port.parse().ok().filter(|&port| port != 0).ok_or(FORM)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || host.len() > 255 || !host.chars().all(right) {
            return Err(FORM);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
        })
    }
}

impl std::fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// One `[[source]]`.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceConfig {
    /// A register of a Modbus TCP device, read at an interval.
    Modbus(ModbusConfig),
    /// A file or named pipe of lines, which a scanner or another system writes.
    Lines(LinesConfig),
}

/// A Modbus source.
#[derive(Clone, Debug, PartialEq)]
pub struct ModbusConfig {
    /// `host:port`.
    pub address: String,
    /// Unit id (slave), 0 to 255.
    pub unit: u8,
    /// Which table the registers are in.
    pub table: RegisterTable,
    /// First register of the value, counted from 0.
    pub register: u16,
    /// How the register is read.
    pub kind: RegisterKind,
    /// What the raw value is multiplied by.
    pub scale: f64,
    /// First of two registers that hold the reading's time in unix seconds, high word first.
    pub time_register: Option<u16>,
    /// Time between readings; readings fall on whole multiples of it since 1970.
    pub interval: Duration,
    /// What the readings mean and where they are taken.
    pub rule: SensorRule,
}

/// How readings of one sensor become events.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorRule {
    /// Canonical GIAI Digital Link of the sensor: `deviceID`.
    pub sensor: String,
    /// GS1 measurement type, for example `Temperature`.
    pub measurement: String,
    /// UN/ECE unit code, for example `CEL`.
    pub uom: String,
    /// A value below it is an alarm condition.
    pub alarm_min: Option<f64>,
    /// A value above it is an alarm condition.
    pub alarm_max: Option<f64>,
    /// Readings that make one event, 1 to [`READINGS_PER_EVENT_MAX`].
    pub readings_per_event: usize,
    /// Canonical Digital Link of the read point.
    pub place: String,
    /// Canonical Digital Link of the business location.
    pub biz_location: Option<String>,
    /// CBV business step, bare.
    pub step: String,
    /// What the data does not state and this file assumes: `tb:assumption`.
    pub assumption: Option<String>,
}

impl SensorRule {
    /// Names the sensor's series in the outbox: it survives a change of address.
    #[must_use]
    pub fn series(&self) -> String {
        format!("{} {}", self.sensor, self.measurement)
    }
}

/// Modbus tables that hold 16-bit registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterTable {
    /// Function 3.
    Holding,
    /// Function 4.
    Input,
}

/// How a value lies in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterKind {
    /// One register, unsigned.
    U16,
    /// One register, two's complement.
    I16,
    /// Two registers, IEEE 754 single, high word first.
    F32,
}

impl RegisterKind {
    /// Registers that a value takes.
    #[must_use]
    pub const fn width(self) -> u16 {
        match self {
            Self::U16 | Self::I16 => 1,
            Self::F32 => 2,
        }
    }
}

/// A source of lines.
#[derive(Clone, Debug, PartialEq)]
pub struct LinesConfig {
    /// What the lines are worth: [`Source::Scan`] for type `scan`, [`Source::File`] for type
    /// `file`.
    pub source: Source,
    /// File that lines are appended to, or a named pipe.
    pub path: PathBuf,
    /// Where bad lines are copied to.
    pub rejects: PathBuf,
    /// Canonical Digital Link of the read point.
    pub place: String,
    /// Canonical Digital Link of the business location.
    pub biz_location: Option<String>,
    /// How often the file is looked at, in real time: waiting for somebody else's file is not
    /// domain time.
    pub poll: Duration,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and field.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
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
            return Err(unread(format!(
                "{size} bytes, a configuration has at most {FILE_MAX}"
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unread(error.to_string()))?;
        Self::parse(&name, &text)
    }

    /// Checks a text; `file` is only for the messages.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and field.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        check::parse(file, text)
    }
}

#[cfg(test)]
mod tests;
