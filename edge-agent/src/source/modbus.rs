//! Registers of a Modbus TCP device (Modbus Application Protocol V1.1b3, functions 3 and 4).
//!
//! A failure becomes a note about the sensor, never a value that nobody measured.

use std::time::Duration;

use async_trait::async_trait;
use schemas::time::Instant;
use tokio::net::TcpStream;
use tokio_modbus::client::{Context, Reader, tcp};
use tokio_modbus::slave::Slave;

use super::{Source, SourceContext, until_stored};
use crate::compose::sensor::Reading;
use crate::config::{ModbusConfig, RegisterKind, RegisterTable};
use crate::outbox::Fault;

/// Longest wait for a connection, in real time: the device is not on the domain's clock.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a value is read again because the device moved on between value and time.
const TEAR_RETRIES: usize = 5;

/// One register of one device.
pub struct ModbusSource {
    config: ModbusConfig,
    connection: Option<Context>,
    /// Since when there is no usable reading.
    fault_since: Option<Instant>,
}

/// Why there is no reading.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("no connection: {0}")]
    Connect(std::io::Error),
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
            Self::Connect(_) | Self::Timeout(_) | Self::Protocol(_)
        )
    }
}

#[async_trait]
impl Source for ModbusSource {
    async fn run(mut self: Box<Self>, mut context: SourceContext) {
        let mut next = aligned(context.started, self.config.interval);
        loop {
            tokio::select! {
                biased;
                () = context.shutdown.cancelled() => return,
                () = context.clock.sleep_until(next) => {
                    self.take(&context).await;
                    let after = Instant::from_micros(context.clock.now().max(next).as_micros() + 1);
                    next = aligned(after, self.config.interval);
                }
                Some(done) = context.catch_up.recv() => drop(done.send(())),
            }
        }
    }
}

/// The first whole multiple of the interval since 1970 that is not before `now`. Restarts keep to
/// the same instants; instants that have passed unread are not made up.
fn aligned(now: Instant, interval: Duration) -> Instant {
    let step = i64::try_from(interval.as_micros())
        .unwrap_or(i64::MAX)
        .max(1);
    let (micros, rest) = (now.as_micros(), now.as_micros().rem_euclid(step));
    Instant::from_micros(if rest == 0 {
        micros
    } else {
        micros.saturating_add(step - rest)
    })
}

impl ModbusSource {
    /// A source that connects when it first reads.
    #[must_use]
    pub const fn new(config: ModbusConfig) -> Self {
        Self {
            config,
            connection: None,
            fault_since: None,
        }
    }

    /// One reading, or one fault, into the outbox.
    async fn take(&mut self, context: &SourceContext) {
        let now = context.clock.now();
        match self.read(now).await {
            Ok(reading) => {
                if let Some(since) = self.fault_since.take() {
                    self.say(context, "readings again", Some((since, now)))
                        .await;
                }
                let series = self.config.rule.series();
                until_stored(&context.shutdown, || {
                    context.outbox.reading(&series, reading.clone())
                })
                .await;
            }
            Err(error) if self.fault_since.is_none() => {
                tracing::warn!(sensor = self.config.rule.sensor, %error, "no reading");
                self.fault_since = Some(now);
                self.say(context, &error.to_string(), None).await;
            }
            Err(error) => tracing::debug!(sensor = self.config.rule.sensor, %error, "no reading"),
        }
    }

    async fn say(
        &mut self,
        context: &SourceContext,
        text: &str,
        range: Option<(Instant, Instant)>,
    ) {
        let fault = Fault {
            sensor: self.config.rule.sensor.clone(),
            text: text.to_owned(),
            range,
        };
        until_stored(&context.shutdown, || context.outbox.fault(fault.clone())).await;
    }

    /// Reads once; a connection that has gone stale is made anew within the same reading.
    async fn read(&mut self, now: Instant) -> Result<Reading, ReadError> {
        let was_connected = self.connection.is_some();
        match self.read_connected(now).await {
            Err(error) if error.is_of_connection() => {
                self.connection = None;
                if was_connected {
                    self.read_connected(now).await
                } else {
                    Err(error)
                }
            }
            other => other,
        }
    }

    async fn read_connected(&mut self, now: Instant) -> Result<Reading, ReadError> {
        let (table, kind) = (self.config.table, self.config.kind);
        let (register, time_register) = (self.config.register, self.config.time_register);
        let scale = self.config.scale;
        let device = self.device().await?;
        let (value, time) = match time_register {
            None => (registers(device, table, register, kind.width()).await?, now),
            Some(at) => read_with_time(device, table, (register, kind.width()), at).await?,
        };
        let (value, suspect) = scaled(kind, &value, scale);
        Ok(Reading {
            time,
            value,
            suspect,
        })
    }

    async fn device(&mut self) -> Result<&mut Context, ReadError> {
        match self.connection {
            Some(ref mut device) => Ok(device),
            None => {
                let connecting = TcpStream::connect(&self.config.address);
                let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
                    .await
                    .map_err(|_| ReadError::Timeout(CONNECT_TIMEOUT))?
                    .map_err(ReadError::Connect)?;
                // Small requests, each waited for: Nagle would only delay them.
                stream.set_nodelay(true).map_err(ReadError::Connect)?;
                Ok(self
                    .connection
                    .insert(tcp::attach_slave(stream, Slave(self.config.unit))))
            }
        }
    }
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

/// The value in its unit, and whether it is to be doubted: the ends of an integer's range are what
/// devices answer for a broken wire, and a float may be no number at all.
fn scaled(kind: RegisterKind, words: &[u16], scale: f64) -> (Option<f64>, bool) {
    let word = |index: usize| words.get(index).copied().unwrap_or(0);
    match kind {
        RegisterKind::U16 => (
            Some(rounded(f64::from(word(0)) * scale)),
            word(0) == u16::MAX,
        ),
        RegisterKind::I16 => {
            let raw = word(0).cast_signed();
            (
                Some(rounded(f64::from(raw) * scale)),
                raw == i16::MIN || raw == i16::MAX,
            )
        }
        RegisterKind::F32 => {
            let raw = f32::from_bits(u32::from(word(0)) << 16 | u32::from(word(1)));
            // The shortest decimal that names this single, not its expansion to a double.
            let value = raw
                .to_string()
                .parse::<f64>()
                .ok()
                .filter(|value| value.is_finite());
            (value.map(|value| rounded(value * scale)), value.is_none())
        }
    }
}

/// To six decimals, so that 42 tenths are 4.2 and not 4.2000000000000002.
fn rounded(value: f64) -> f64 {
    const MILLIONTHS: f64 = 1e6;
    if value.abs() < 1e9 {
        (value * MILLIONTHS).round() / MILLIONTHS + 0.0
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_multiples_of_the_interval() {
        let minute = Duration::from_secs(60);
        assert_eq!(
            aligned(Instant::from_seconds(120), minute),
            Instant::from_seconds(120)
        );
        assert_eq!(
            aligned(Instant::from_seconds(121), minute),
            Instant::from_seconds(180)
        );
        assert_eq!(
            aligned(Instant::from_seconds(-1), minute),
            Instant::from_seconds(0)
        );
    }

    #[test]
    fn registers_are_scaled_without_binary_noise() {
        assert_eq!(scaled(RegisterKind::I16, &[42], 0.1), (Some(4.2), false));
        assert_eq!(
            scaled(RegisterKind::I16, &[0xffff], 0.1),
            (Some(-0.1), false)
        );
        assert_eq!(
            scaled(RegisterKind::I16, &[0x8000], 1.0),
            (Some(-32768.0), true)
        );
        assert_eq!(
            scaled(RegisterKind::U16, &[0xffff], 1.0),
            (Some(65535.0), true)
        );
        let bits = 73.967_32_f32.to_bits();
        let words = [(bits >> 16) as u16, bits as u16];
        assert_eq!(
            scaled(RegisterKind::F32, &words, 1.0),
            (Some(73.96732), false)
        );
        assert_eq!(scaled(RegisterKind::F32, &[0x7fc0, 0], 1.0), (None, true));
        assert_eq!(scaled(RegisterKind::F32, &[0x7f80, 0], 1.0), (None, true));
    }

    #[test]
    fn time_is_read_high_word_first() {
        assert_eq!(
            seconds(&[0x6afd, 0x0001]),
            Instant::from_seconds(0x6afd_0001)
        );
    }
}
