//! Position by gpsd's JSON protocol over TCP (gpsd_json(5), protocol 3): classes VERSION, TPV, POLL.
//!
//! One fix makes two readings, latitude and longitude in degrees (`Angle` with `component` and
//! `coordinateReferenceSystem`, CBV 2.0 section 7.6), both with the receiver's own time. A fix that
//! is missing or does not move on in time is a fault, never the last known place.

use std::time::Duration;

use async_trait::async_trait;
use schemas::time::Instant;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::Trouble;
use super::judge::{Doubt, Sample};
use super::poll::{Device, Polled};
use crate::config::GpsdConfig;
use crate::source::remedy;

/// Longest wait for a connection, in real time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for a fix after connecting, and for an answer later, in real time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a fix that is newer than the one before, and how often it is asked for, in real
/// time.
const NEW_FIX_TIMEOUT: Duration = Duration::from_secs(2);
const NEW_FIX_POLL: Duration = Duration::from_millis(100);
/// Longest line that is read, in bytes; gpsd's own limit is about 10,000.
const LINE_MAX: u64 = 32 * 1024;

/// Watches all receivers and speaks by itself.
const WATCH: &[u8] = b"?WATCH={\"enable\":true,\"json\":true};\n";
/// Keeps the receivers on and speaks when it is asked.
const QUIET: &[u8] = b"?WATCH={\"enable\":true,\"json\":false};\n";
const POLL: &[u8] = b"?POLL;\n";

/// A receiver behind gpsd.
pub struct GpsdDevice {
    config: GpsdConfig,
    connection: Option<Connection>,
    /// Time of the fix before: the same once more is no new one.
    before: Option<Instant>,
}

struct Connection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

/// A source that connects when it first reads.
#[must_use]
pub fn source(config: &GpsdConfig) -> Polled<GpsdDevice> {
    let rules = config.rules.to_vec();
    Polled::new(GpsdDevice::new(config), rules, config.sampling)
}

impl GpsdDevice {
    /// A receiver that is connected when it is first read.
    #[must_use]
    pub fn new(config: &GpsdConfig) -> Self {
        Self {
            config: config.clone(),
            connection: None,
            before: None,
        }
    }
}

/// What gpsd says, as far as it matters here.
#[derive(Deserialize)]
#[serde(tag = "class")]
enum Message {
    #[serde(rename = "TPV")]
    Tpv(Box<Tpv>),
    #[serde(rename = "POLL")]
    Poll {
        #[serde(default)]
        tpv: Vec<Tpv>,
    },
    #[serde(rename = "ERROR")]
    Error { message: String },
    #[serde(other)]
    Other,
}

/// Time, position, velocity.
#[derive(Deserialize)]
struct Tpv {
    device: Option<String>,
    /// 0 and 1: no fix; 2: latitude and longitude; 3: and altitude.
    #[serde(default)]
    mode: u8,
    time: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
    /// Horizontal error of 95 % in metres.
    eph: Option<f64>,
}

/// A usable fix.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fix {
    time: Instant,
    latitude: f64,
    longitude: f64,
    error_m: Option<f64>,
}

#[async_trait]
impl Device for GpsdDevice {
    async fn read(&mut self, _now: Instant) -> Result<Vec<Sample>, Trouble> {
        let was_connected = self.connection.is_some();
        let mut answer = self.fix().await;
        if answer.is_err() && was_connected && self.connection.is_none() {
            // gpsd was restarted in between.
            answer = self.fix().await;
        }
        let fix = self.newer(answer?).await?;
        self.before = Some(fix.time);
        let sample = |value: f64| Sample {
            time: Some(fix.time),
            value: Some(degrees(value)),
            doubt: self.doubt(&fix),
            unit: String::new(),
        };
        Ok(vec![sample(fix.latitude), sample(fix.longitude)])
    }
}

impl GpsdDevice {
    fn doubt(&self, fix: &Fix) -> Option<Doubt> {
        let (error, most) = (fix.error_m?, self.config.error_max_m?);
        (error > most).then(|| {
            Doubt::Device(format!(
                "the fix may be wrong by {error} m, more than {most}"
            ))
        })
    }

    /// A fix that was not read before: receivers make one a second.
    async fn newer(&mut self, mut fix: Fix) -> Result<Fix, Trouble> {
        let asked = tokio::time::Instant::now();
        while self.before == Some(fix.time) {
            if asked.elapsed() > NEW_FIX_TIMEOUT {
                let cause = format!("no new fix since {}", fix.time);
                return Err(Trouble::new(cause, remedy::RECEIVER));
            }
            tokio::time::sleep(NEW_FIX_POLL).await;
            fix = self.fix().await?;
        }
        Ok(fix)
    }

    async fn fix(&mut self) -> Result<Fix, Trouble> {
        let device = self.config.device.clone();
        let result = match &mut self.connection {
            Some(connection) => connection.poll(device.as_deref()).await,
            None => {
                let connection = connect(&self.config.address).await?;
                let connection = self.connection.insert(connection);
                connection.first(device.as_deref()).await
            }
        };
        match result {
            Ok(Some(fix)) => Ok(fix),
            Ok(None) => Err(Trouble::new("the receiver has no fix", remedy::RECEIVER)),
            Err(error) => {
                self.connection = None;
                Err(Trouble::new(format!("gpsd: {error}"), remedy::GPSD))
            }
        }
    }
}

async fn connect(address: &str) -> Result<Connection, Trouble> {
    let trouble =
        |problem: String| Trouble::new(format!("gpsd at {address}: {problem}"), remedy::GPSD);
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
        .await
        .map_err(|_| trouble("no connection in time".to_owned()))?
        .map_err(|error| trouble(error.to_string()))?;
    let (reader, writer) = stream.into_split();
    Ok(Connection {
        reader: BufReader::new(reader),
        writer,
    })
}

impl Connection {
    /// The first fix that comes; `None` where none comes in time. gpsd speaks when asked from then
    /// on.
    async fn first(&mut self, device: Option<&str>) -> std::io::Result<Option<Fix>> {
        self.writer.write_all(WATCH).await?;
        let wait = async {
            loop {
                if let Message::Tpv(tpv) = self.message().await?
                    && let Some(fix) = fix(&tpv, device)
                {
                    return Ok::<_, std::io::Error>(fix);
                }
            }
        };
        let found = tokio::time::timeout(ANSWER_TIMEOUT, wait).await;
        let found = match found {
            Ok(found) => Some(found?),
            Err(_) => None,
        };
        self.writer.write_all(QUIET).await?;
        Ok(found)
    }

    async fn poll(&mut self, device: Option<&str>) -> std::io::Result<Option<Fix>> {
        self.writer.write_all(POLL).await?;
        let wait = async {
            loop {
                if let Message::Poll { tpv } = self.message().await? {
                    return Ok(tpv.iter().filter_map(|tpv| fix(tpv, device)).next_back());
                }
            }
        };
        tokio::time::timeout(ANSWER_TIMEOUT, wait)
            .await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }

    async fn message(&mut self) -> std::io::Result<Message> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.reader).take(LINE_MAX);
        bounded.read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if !line.ends_with(b"\n") {
            return Err(std::io::Error::other("a line without end"));
        }
        match serde_json::from_slice(&line)? {
            Message::Error { message } => Err(std::io::Error::other(message)),
            message => Ok(message),
        }
    }
}

/// A fix of the right receiver with everything that a reading needs.
fn fix(tpv: &Tpv, device: Option<&str>) -> Option<Fix> {
    if tpv.mode < 2 || device.is_some_and(|wanted| tpv.device.as_deref() != Some(wanted)) {
        return None;
    }
    Some(Fix {
        time: Instant::parse_rfc3339(tpv.time.as_deref()?)?,
        latitude: tpv.lat.filter(|lat| lat.abs() <= 90.0)?,
        longitude: tpv.lon.filter(|lon| lon.abs() <= 180.0)?,
        error_m: tpv.eph,
    })
}

/// To seven decimals: a centimetre.
fn degrees(value: f64) -> f64 {
    (value * 1e7).round() / 1e7 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tpv(text: &str) -> Option<Fix> {
        match serde_json::from_str(text).expect("a message of gpsd") {
            Message::Tpv(tpv) => fix(&tpv, Some("/dev/ttyUSB0")),
            _ => None,
        }
    }

    #[test]
    fn only_a_whole_fix_of_the_right_receiver_counts() {
        // As gpsd 3.22 writes it.
        let whole = r#"{"class":"TPV","device":"/dev/ttyUSB0","mode":3,"time":"2005-06-08T10:34:48.283Z","ept":0.005,"lat":46.498293369,"lon":7.567411672,"altHAE":1392.6,"eph":36.000,"sep":50.1}"#;
        let fix = tpv(whole).expect("a fix");
        assert_eq!(degrees(fix.latitude), 46.498_293_4);
        assert_eq!(fix.error_m, Some(36.0));
        for (from, to) in [
            ("\"mode\":3", "\"mode\":1"),
            ("ttyUSB0", "ttyUSB1"),
            ("\"lat\":46.4", "\"lat\":146.4"),
            ("\"time\":\"2005-06-08T10:34:48.283Z\",", ""),
            ("\"lon\":7.567411672,", ""),
        ] {
            assert_eq!(tpv(&whole.replacen(from, to, 1)), None, "{to}");
        }
        assert_eq!(tpv(r#"{"class":"SKY","satellites":[]}"#), None);
    }
}
