//! A gateway's folder: what its owner would put on the disk of a real one.
//!
//! | file | content |
//! |---|---|
//! | `edge-agent.toml` | configuration, the same that a real gateway has |
//! | `claim.json` | the organisation's one-time claim |
//! | `scans.jsonl` | what its scanner writes, a line a scan |
//! | `scans.rejects` | bad lines, written by the agent |
//! | `state/` | key, enrolment and outbox, the agent's own |

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use schemas::ids::DeviceAddress;

use crate::device::{REGISTER_CENTI, REGISTER_FLOAT, REGISTER_TIME};
use crate::scenario::{Gateway, Input};
use crate::stack::operator::Broker;

/// Seconds between two readings of a simulated sensor.
pub const READING_SECONDS: u64 = 600;

/// Readings that one event of a simulated sensor holds.
pub const READINGS_PER_EVENT: u32 = 3;

/// How often an agent looks into its scan file, in milliseconds of real time.
const POLL_MILLISECONDS: u32 = 20;

/// The same where another system writes the file: whoever plays that system asks the agent to look.
const FILE_POLL_MILLISECONDS: u32 = 60_000;

/// How a sensor is to be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Its identifier, a GIAI.
    pub giai: String,
    /// UN/ECE unit code.
    pub uom: &'static str,
    /// Values outside are marked.
    pub alarm: Option<(f64, f64)>,
    /// Seconds between readings.
    pub interval_seconds: u64,
    /// Readings in one event.
    pub readings_per_event: u32,
    /// Reads the value as a float and the time from the device, instead of hundredths and the
    /// agent's own time.
    pub exact: bool,
    /// What the data does not state.
    pub assumption: Option<&'static str>,
}

/// The folder of one gateway.
#[derive(Debug, Clone)]
pub struct GatewayFolder {
    path: PathBuf,
    address: DeviceAddress,
}

impl GatewayFolder {
    /// Makes the folder below `root`.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(root: &Path, address: DeviceAddress) -> io::Result<GatewayFolder> {
        let path = root.join(format!("{}-{}", address.organisation, address.device));
        std::fs::create_dir_all(&path)?;
        std::fs::write(path.join("scans.jsonl"), "")?;
        Ok(GatewayFolder { path, address })
    }

    /// Whose it is.
    pub fn address(&self) -> &DeviceAddress {
        &self.address
    }

    /// The configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.path.join("edge-agent.toml")
    }

    /// The claim.
    pub fn claim(&self) -> PathBuf {
        self.path.join("claim.json")
    }

    /// The agent's own folder.
    pub fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// The file that the scanner writes.
    pub fn scans(&self) -> PathBuf {
        self.path.join("scans.jsonl")
    }

    /// A scan: one line at the end of the scan file.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn scan(&self, line: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.scans())?;
        file.write_all(format!("{line}\n").as_bytes())
    }

    /// An export: lines at the end of the same file, which another system writes.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn export(&self, lines: &[String]) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.scans())?;
        let mut text = lines.join("\n");
        text.push('\n');
        file.write_all(text.as_bytes())
    }

    /// Writes the configuration file.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn configure(
        &self,
        gateway: &Gateway,
        broker: &Broker,
        probe: Option<(&Probe, SocketAddr)>,
    ) -> io::Result<()> {
        std::fs::write(self.configuration(), self.text(gateway, broker, probe))
    }

    fn text(
        &self,
        gateway: &Gateway,
        broker: &Broker,
        probe: Option<(&Probe, SocketAddr)>,
    ) -> String {
        let (state, scans) = (quoted(&self.state()), quoted(&self.scans()));
        let rejects = quoted(&self.path.join("scans.rejects"));
        let (name, place) = (&self.address.device, &gateway.place);
        let (kind, poll) = match gateway.input {
            Input::Scanner => ("scan", POLL_MILLISECONDS),
            Input::File => ("file", FILE_POLL_MILLISECONDS),
        };
        let mut text = format!(
            "# Written by the simulator for {address}.
state = {state}
log_level = \"warn\"

[device]
name = \"{name}\"
clock = \"synced\"
time_zone = \"+08:00\"

[uplink]
broker = \"{scheme}://{broker}\"
in_flight = 64
back_off_min_ms = 20
back_off_max_ms = 200

[[source]]
type = \"{kind}\"
path = {scans}
rejects = {rejects}
place = \"{place}\"
biz_location = \"{place}\"
poll_ms = {poll}
",
            address = self.address,
            scheme = broker.scheme,
            broker = broker.address,
        );
        if let Some((probe, device)) = probe {
            text.push_str(&probe.text(place, device));
        }
        text
    }
}

impl Probe {
    fn text(&self, place: &str, device: SocketAddr) -> String {
        let (register, kind, scale) = match self.exact {
            true => (REGISTER_FLOAT, "f32", "1.0"),
            false => (REGISTER_CENTI, "i16", "0.01"),
        };
        let mut text = format!(
            "
[[source]]
type = \"modbus\"
address = \"{device}\"
unit = 1
table = \"holding\"
register = {register}
kind = \"{kind}\"
scale = {scale}
interval_s = {interval}
sensor = \"{giai}\"
measurement = \"Temperature\"
uom = \"{uom}\"
readings_per_event = {readings}
place = \"{place}\"
biz_location = \"{place}\"
step = \"sensor_reporting\"
",
            interval = self.interval_seconds,
            giai = self.giai,
            uom = self.uom,
            readings = self.readings_per_event,
        );
        if self.exact {
            let _ = writeln!(text, "time_register = {REGISTER_TIME}");
        }
        if let Some((min, max)) = self.alarm {
            let _ = writeln!(text, "alarm_min = {min:?}\nalarm_max = {max:?}");
        }
        if let Some(assumption) = self.assumption {
            let _ = writeln!(text, "assumption = \"{assumption}\"");
        }
        text
    }
}

/// A path as a TOML string.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}

#[cfg(test)]
mod tests {
    use edge_agent::Config;

    use super::*;
    use crate::scenario::{DEFAULT_SEED, Scenario};
    use crate::series::ASSUMPTION;

    fn probe(exact: bool) -> Probe {
        Probe {
            giai: "https://id.gs1.org/8004/9521001COLD1".to_owned(),
            uom: "CEL",
            alarm: (!exact).then_some((-2.0, 6.0)),
            interval_seconds: READING_SECONDS,
            readings_per_event: READINGS_PER_EVENT,
            exact,
            assumption: exact.then_some(ASSUMPTION),
        }
    }

    #[test]
    fn agents_accept_the_configuration_of_every_gateway() {
        let root = tempfile::tempdir().unwrap();
        for (address, gateway) in Scenario::from_seed(DEFAULT_SEED).gateways() {
            let folder = GatewayFolder::create(root.path(), address).unwrap();
            for exact in [false, true] {
                let probe = gateway.sensor.is_some().then(|| probe(exact));
                let broker = Broker {
                    scheme: if exact { "mqtts" } else { "mqtt" }.to_owned(),
                    address: ([127, 0, 0, 1], 1_883).into(),
                };
                let device = ([127, 0, 0, 1], 5_020).into();
                let probe = probe.as_ref().map(|probe| (probe, device));
                folder.configure(gateway, &broker, probe).unwrap();
                let config = Config::load(&folder.configuration()).unwrap();
                assert_eq!(
                    config.sources.len(),
                    1 + usize::from(gateway.sensor.is_some())
                );
            }
        }
    }
}
