//! Registers of a Modbus device (Modbus Application Protocol V1.1b3, functions 3 and 4), over TCP or
//! as RTU on a serial line.
//!
//! A failure becomes a note about the sensor, never a value that nobody measured.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::time::Instant;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_modbus::client::{Context, Reader, rtu, tcp};
use tokio_modbus::slave::{Slave, SlaveContext};

use super::judge::{Doubt, Sample};
use super::poll::{Device, Polled};
use super::{Trouble, serial};
use crate::compose::figures::rounded;
use crate::config::{ModbusConfig, ModbusLink, RegisterKind, RegisterTable, SerialLine, WordOrder};
use crate::source::remedy;
use crate::state::Text;

/// Longest wait for a connection, in real time: the device is not on the domain's clock.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a value is read again because the device moved on between value and time.
const TEAR_RETRIES: usize = 5;

/// One register of one device.
pub struct ModbusDevice {
    config: ModbusConfig,
    bus: Arc<Mutex<Bus>>,
}

/// What a device hangs on. Devices on one serial line share it and take turns.
struct Bus {
    link: ModbusLink,
    connection: Option<Context>,
}

impl Bus {
    fn new(link: &ModbusLink) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            link: link.clone(),
            connection: None,
        }))
    }
}

/// The serial lines that the sources of one agent share.
#[derive(Default)]
pub struct Ports(BTreeMap<PathBuf, Arc<Mutex<Bus>>>);

impl Ports {
    fn bus(&mut self, link: &ModbusLink) -> Arc<Mutex<Bus>> {
        match link {
            ModbusLink::Tcp(_) => Bus::new(link),
            ModbusLink::Rtu { port, .. } => self
                .0
                .entry(port.clone())
                .or_insert_with(|| Bus::new(link))
                .clone(),
        }
    }
}

/// A source that connects when it first reads.
#[must_use]
pub fn source(config: &ModbusConfig, ports: &mut Ports) -> Polled<ModbusDevice> {
    let (rules, sampling) = (vec![config.rule.clone()], config.sampling);
    Polled::new(ModbusDevice::new(config, ports), rules, sampling)
}

/// Why there is no reading.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    #[error("{port}: {source}")]
    Port {
        port: String,
        source: std::io::Error,
    },
    #[error("no answer within {}s", .0.as_secs())]
    Timeout(Duration),
    #[error("{0}")]
    Protocol(#[from] tokio_modbus::Error),
    #[error("the device refused: {0}")]
    Refused(tokio_modbus::ExceptionCode),
    #[error("the answer has {0} registers")]
    Short(usize),
    #[error("value and time never stood still together")]
    Torn,
}

impl ReadError {
    /// True if a new connection may help.
    const fn is_of_connection(&self) -> bool {
        matches!(
            self,
            Self::Connect(_) | Self::Port { .. } | Self::Timeout(_) | Self::Protocol(_)
        )
    }

    const fn remedy(&self) -> Text {
        match self {
            Self::Connect(_) => remedy::MODBUS_ADDRESS,
            Self::Port { .. } => remedy::SERIAL,
            Self::Timeout(_) | Self::Protocol(_) => remedy::MODBUS_UNIT,
            Self::Refused(_) | Self::Short(_) => remedy::MODBUS_REGISTER,
            Self::Torn => remedy::MODBUS_TIME,
        }
    }
}

#[async_trait]
impl Device for ModbusDevice {
    /// Reads once; a connection that has gone stale is made anew within the same reading.
    async fn read(&mut self, now: Instant) -> Result<Vec<Sample>, Trouble> {
        let mut bus = self.bus.lock().await;
        let was_connected = bus.connection.is_some();
        let sample = match read_connected(&self.config, &mut bus, now).await {
            Err(error) if error.is_of_connection() => {
                bus.connection = None;
                if was_connected {
                    let again = read_connected(&self.config, &mut bus, now).await;
                    // What comes late must not be taken for the next answer.
                    if again.as_ref().is_err_and(ReadError::is_of_connection) {
                        bus.connection = None;
                    }
                    again
                } else {
                    Err(error)
                }
            }
            other => other,
        };
        match sample {
            Ok(sample) => Ok(vec![sample]),
            Err(error) => Err(Trouble::new(error.to_string(), error.remedy())),
        }
    }
}

impl ModbusDevice {
    /// A device that is connected when it is first read.
    #[must_use]
    pub fn new(config: &ModbusConfig, ports: &mut Ports) -> Self {
        Self {
            config: config.clone(),
            bus: ports.bus(&config.link),
        }
    }
}

async fn read_connected(
    config: &ModbusConfig,
    bus: &mut Bus,
    now: Instant,
) -> Result<Sample, ReadError> {
    let (table, width) = (config.table, config.kind.width());
    let device = connected(bus, config.unit).await?;
    let (words, time) = match config.time_register {
        None => (registers(device, table, config.register, width).await?, now),
        Some(at) => read_with_time(device, table, (config.register, width), at).await?,
    };
    let unit = match config.uom_code {
        Some((register, code)) => {
            let words = registers(device, table, register, 1).await?;
            unit_doubt(code, words.first().copied().unwrap_or(0))
        }
        None => None,
    };
    let (value, doubt) = scaled(config.kind, &ordered(words, config.order), config.scale);
    Ok(Sample {
        time: Some(time),
        value,
        doubt: unit.or(doubt),
        unit: String::new(),
    })
}

/// The device says by a code in which unit it measures.
fn unit_doubt(expected: u16, found: u16) -> Option<Doubt> {
    (expected != found).then(|| Doubt::Unit {
        was: format!("code {expected}"),
        is: format!("code {found}"),
    })
}

/// The connection, with the unit that is meant.
async fn connected(bus: &mut Bus, unit: u8) -> Result<&mut Context, ReadError> {
    if let ModbusLink::Rtu { line, .. } = &bus.link {
        // Units tell frames apart by silence on the line (Modbus over Serial Line 2.5.1.1).
        tokio::time::sleep(silence(line)).await;
    }
    let connection = match bus.connection.take() {
        Some(connection) => connection,
        None => connect(&bus.link).await?,
    };
    let connection = bus.connection.insert(connection);
    connection.set_slave(Slave(unit));
    Ok(connection)
}

async fn connect(link: &ModbusLink) -> Result<Context, ReadError> {
    match link {
        ModbusLink::Tcp(address) => {
            let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
                .await
                .map_err(|_| ReadError::Timeout(CONNECT_TIMEOUT))?
                .map_err(ReadError::Connect)?;
            // Small requests, each waited for: Nagle would only delay them.
            stream.set_nodelay(true).map_err(ReadError::Connect)?;
            Ok(tcp::attach(stream))
        }
        ModbusLink::Rtu { port, line } => {
            let open = serial::Port::open(port, line);
            let open = open.map_err(|source| ReadError::Port {
                port: port.display().to_string(),
                source,
            })?;
            Ok(rtu::attach_slave(open, Slave(1)))
        }
    }
}

/// Three and a half characters of eleven bits, 1.75 ms at least.
fn silence(line: &SerialLine) -> Duration {
    let micros = 38_500_000 / u64::from(line.baud.max(1));
    Duration::from_micros(micros.max(1_750))
}

/// The words, the high one first.
fn ordered(mut words: Vec<u16>, order: WordOrder) -> Vec<u16> {
    if order == WordOrder::LowFirst {
        words.reverse();
    }
    words
}

async fn registers(
    device: &mut Context,
    table: RegisterTable,
    first: u16,
    count: u16,
) -> Result<Vec<u16>, ReadError> {
    let answer = async {
        match table {
            RegisterTable::Holding => device.read_holding_registers(first, count).await,
            RegisterTable::Input => device.read_input_registers(first, count).await,
        }
    };
    let words = tokio::time::timeout(ANSWER_TIMEOUT, answer)
        .await
        .map_err(|_| ReadError::Timeout(ANSWER_TIMEOUT))??
        .map_err(ReadError::Refused)?;
    if words.len() == usize::from(count) {
        Ok(words)
    } else {
        Err(ReadError::Short(words.len()))
    }
}

/// Value and time of one instant: in one request where they lie together, else the time is read
/// before and after, so that no value gets its neighbour's time.
async fn read_with_time(
    device: &mut Context,
    table: RegisterTable,
    (register, width): (u16, u16),
    time_register: u16,
) -> Result<(Vec<u16>, Instant), ReadError> {
    if register.checked_add(width) == Some(time_register) {
        let mut words = registers(device, table, register, width + 2).await?;
        let time = seconds(&words.split_off(usize::from(width)));
        return Ok((words, time));
    }
    if time_register.checked_add(2) == Some(register) {
        let mut words = registers(device, table, time_register, width + 2).await?;
        let value = words.split_off(2);
        return Ok((value, seconds(&words)));
    }
    for _ in 0..TEAR_RETRIES {
        let before = registers(device, table, time_register, 2).await?;
        let value = registers(device, table, register, width).await?;
        let after = registers(device, table, time_register, 2).await?;
        if before == after {
            return Ok((value, seconds(&after)));
        }
    }
    Err(ReadError::Torn)
}

/// Unix seconds in two registers, high word first.
fn seconds(words: &[u16]) -> Instant {
    let word = |index: usize| i64::from(words.get(index).copied().unwrap_or(0));
    Instant::from_seconds(word(0) << 16 | word(1))
}

/// What the ends of an integer's range mean.
const BROKEN_WIRE: &str = "the end of the register's range, as for a broken wire";

/// The value in its unit, and what is to be doubted: the ends of an integer's range are what
/// devices answer for a broken wire, and a float may be no number at all.
fn scaled(kind: RegisterKind, words: &[u16], scale: f64) -> (Option<f64>, Option<Doubt>) {
    let word = |index: usize| words.get(index).copied().unwrap_or(0);
    let both = u32::from(word(0)) << 16 | u32::from(word(1));
    let integer = |raw: f64, is_end: bool| {
        let doubt = is_end.then(|| Doubt::Device(BROKEN_WIRE.to_owned()));
        (Some(rounded(raw * scale)), doubt)
    };
    match kind {
        RegisterKind::U16 => integer(f64::from(word(0)), word(0) == u16::MAX),
        RegisterKind::I16 => {
            let raw = word(0).cast_signed();
            integer(f64::from(raw), raw == i16::MIN || raw == i16::MAX)
        }
        RegisterKind::U32 => integer(f64::from(both), both == u32::MAX),
        RegisterKind::I32 => {
            let raw = both.cast_signed();
            integer(f64::from(raw), raw == i32::MIN || raw == i32::MAX)
        }
        RegisterKind::F32 => {
            // The shortest decimal that names this single, not its expansion to a double.
            let value = f32::from_bits(both)
                .to_string()
                .parse::<f64>()
                .ok()
                .filter(|value| value.is_finite());
            (value.map(|value| rounded(value * scale)), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, words and scale; value and doubt.
    type Case = (
        RegisterKind,
        &'static [u16],
        f64,
        Option<f64>,
        Option<Doubt>,
    );

    fn broken() -> Option<Doubt> {
        Some(Doubt::Device(BROKEN_WIRE.to_owned()))
    }

    #[test]
    fn registers_are_scaled_without_binary_noise() {
        let cases: [Case; 9] = [
            (RegisterKind::I16, &[42], 0.1, Some(4.2), None),
            (RegisterKind::I16, &[0xffff], 0.1, Some(-0.1), None),
            (RegisterKind::I16, &[0x8000], 1.0, Some(-32768.0), broken()),
            (RegisterKind::U16, &[0xffff], 1.0, Some(65535.0), broken()),
            (RegisterKind::U32, &[1, 2], 0.5, Some(32769.0), None),
            (RegisterKind::I32, &[0xffff, 0xfffe], 1.0, Some(-2.0), None),
            (
                RegisterKind::I32,
                &[0x7fff, 0xffff],
                1.0,
                Some(2_147_483_647.0),
                broken(),
            ),
            (RegisterKind::F32, &[0x7fc0, 0], 1.0, None, None),
            (RegisterKind::F32, &[0x7f80, 0], 1.0, None, None),
        ];
        for (kind, words, scale, value, doubt) in cases {
            assert_eq!(
                scaled(kind, words, scale),
                (value, doubt),
                "{kind:?} {words:x?}"
            );
        }
        let bits = 73.967_32_f32.to_bits();
        let words = [(bits >> 16) as u16, bits as u16];
        assert_eq!(
            scaled(RegisterKind::F32, &words, 1.0),
            (Some(73.96732), None)
        );
        let low_first = ordered(vec![words[1], words[0]], WordOrder::LowFirst);
        assert_eq!(low_first, words);
    }

    #[test]
    fn time_is_read_high_word_first() {
        assert_eq!(
            seconds(&[0x6afd, 0x0001]),
            Instant::from_seconds(0x6afd_0001)
        );
    }

    #[test]
    fn units_on_a_line_are_told_apart_by_silence() {
        let at = |baud| {
            silence(&SerialLine {
                baud,
                ..SerialLine::default()
            })
        };
        assert_eq!(at(9_600), Duration::from_micros(4_010));
        assert_eq!(at(115_200), Duration::from_micros(1_750));
    }
}
