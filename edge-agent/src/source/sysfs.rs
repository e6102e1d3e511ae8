//! Sensors of the Linux kernel, read from `/sys`: industrial I/O, 1-Wire thermometers and hwmon
//! chips (`Documentation/ABI/testing/sysfs-bus-iio`, `w1/slaves/w1_therm.rst`,
//! `hwmon/sysfs-interface.rst` of the kernel).
//!
//! The root is configurable, so that recorded trees read like real ones.

mod hwmon;
mod iio;
mod one_wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use schemas::time::Instant;

use super::Trouble;
use super::judge::Sample;
use super::poll::{Device, Polled};
use crate::config::{Bus, SysfsConfig};
use crate::source::remedy;

/// Longest file that is read, in bytes; the kernel writes at most a page.
const FILE_MAX: u64 = 4_096;
/// Longest wait for the kernel: a 1-Wire conversion takes 750 ms, and a bus has several.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// One value of one device.
pub struct SysfsDevice {
    config: SysfsConfig,
    /// The newest value that was not doubted: tells 85 degrees from a sensor that has just started.
    known: Option<f64>,
}

/// A source that looks for its device when it first reads.
#[must_use]
pub fn source(config: &SysfsConfig) -> Polled<SysfsDevice> {
    let (rules, sampling) = (vec![config.rule.clone()], config.sampling);
    Polled::new(SysfsDevice::new(config), rules, sampling)
}

impl SysfsDevice {
    /// Looks for the device at each reading: it may be plugged in later and get another number.
    #[must_use]
    pub fn new(config: &SysfsConfig) -> Self {
        Self {
            config: config.clone(),
            known: None,
        }
    }
}

#[async_trait]
impl Device for SysfsDevice {
    async fn read(&mut self, _now: Instant) -> Result<Vec<Sample>, Trouble> {
        let (config, known) = (self.config.clone(), self.known);
        // The kernel answers when the bus has answered: no place for an async thread.
        let reading = tokio::task::spawn_blocking(move || read(&config, known));
        let sample = match tokio::time::timeout(READ_TIMEOUT, reading).await {
            Ok(Ok(sample)) => sample?,
            Ok(Err(error)) => return Err(Trouble::new(error.to_string(), remedy::RESTART)),
            Err(_) => {
                let cause = format!(
                    "the kernel does not answer within {}s",
                    READ_TIMEOUT.as_secs()
                );
                return Err(Trouble::new(cause, remedy::BUS));
            }
        };
        if sample.doubt.is_none() {
            self.known = sample.value;
        }
        Ok(vec![sample])
    }
}

fn read(config: &SysfsConfig, known: Option<f64>) -> Result<Sample, Trouble> {
    match &config.bus {
        Bus::Iio { channel } => iio::read(config, channel),
        Bus::OneWire => one_wire::read(config, known),
        Bus::Hwmon { channel } => hwmon::read(config, channel),
    }
}

/// A file of at most [`FILE_MAX`] bytes, without the white space around it.
fn text(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(FILE_MAX)
        .read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

/// A number in a file; `None` where the file is not there.
fn number(path: &Path) -> Result<Option<f64>, Trouble> {
    let text = match text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unread(path, &error)),
    };
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Some(number)),
        _ => {
            let cause = format!("{}: `{text:.40}` is no number", path.display());
            Err(Trouble::new(cause, remedy::CHANNEL))
        }
    }
}

fn unread(path: &Path, error: &std::io::Error) -> Trouble {
    let cause = format!("{}: {error}", path.display());
    let remedy = match error.kind() {
        std::io::ErrorKind::NotFound => remedy::DRIVER,
        std::io::ErrorKind::PermissionDenied => remedy::MAY_READ,
        // EIO, EREMOTEIO, ENODEV: the chip did not answer on its bus.
        _ => remedy::SENSOR,
    };
    Trouble::new(cause, remedy)
}

/// The folder of a device: by its own name (`iio:device0`), or by what its file `name` says
/// (`bme280`), which stays the same when the kernel counts otherwise.
fn folder(config: &SysfsConfig, parent: &str) -> Result<PathBuf, Trouble> {
    let parent = config.root.join(parent);
    let direct = parent.join(&config.device);
    if direct.is_dir() {
        return Ok(direct);
    }
    let entries = std::fs::read_dir(&parent).map_err(|error| unread(&parent, &error))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| text(&path.join("name")).is_ok_and(|name| name == config.device))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => {
            let cause = format!("several devices are named {}", config.device);
            Err(Trouble::new(cause, remedy::BY_FOLDER))
        }
        (None, _) => Err(unread(&direct, &std::io::ErrorKind::NotFound.into())),
    }
}

#[cfg(test)]
mod tests;
