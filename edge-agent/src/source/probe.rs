//! One live look at a source without an outbox: for `edge-agent doctor` and `edge-agent preview`.
//!
//! Nothing is stored and nothing is said. A serial port that the running agent holds is reported as
//! taken.

use std::path::Path;

use schemas::time::Clock;

use super::poll::{self, Device};
use super::{Last, Quality, Trouble, folder, gpsd, modbus, scanner, sysfs};
use crate::config::{Sampling, SensorRule, SourceConfig};

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Probed {
    /// The source, by [`SourceConfig::name`].
    pub name: String,
    /// The readings, judged; for what speaks by itself one entry without a value that says in
    /// `what` what is there.
    pub found: Vec<Last>,
}

/// Reads a sensor once, or looks whether scanner, file or folder are there.
///
/// # Errors
/// [`Trouble`] with its cause and what to do about it.
pub async fn probe(config: &SourceConfig, clock: &dyn Clock) -> Result<Probed, Trouble> {
    let found = match config {
        SourceConfig::Modbus(modbus) => {
            let device = modbus::ModbusDevice::new(modbus, &mut modbus::Ports::default());
            read(
                device,
                std::slice::from_ref(&modbus.rule),
                modbus.sampling,
                clock,
            )
            .await?
        }
        SourceConfig::Sysfs(sysfs) => {
            let device = sysfs::SysfsDevice::new(sysfs);
            read(
                device,
                std::slice::from_ref(&sysfs.rule),
                sysfs.sampling,
                clock,
            )
            .await?
        }
        SourceConfig::Gpsd(gpsd) => {
            let device = gpsd::GpsdDevice::new(gpsd);
            read(device, &gpsd.rules[..], gpsd.sampling, clock).await?
        }
        SourceConfig::Scanner(scanner) => {
            scanner::is_there(scanner)?;
            vec![there("a scanner", clock)]
        }
        SourceConfig::Lines(lines) => {
            lines_are_there(&lines.path)?;
            vec![there("a file of lines", clock)]
        }
        SourceConfig::Folder(folder) => {
            let waiting = folder::waiting(folder)?;
            vec![there(&format!("a folder with {waiting} files"), clock)]
        }
    };
    Ok(Probed {
        name: config.name(),
        found,
    })
}

async fn read(
    mut device: impl Device,
    rules: &[SensorRule],
    sampling: Sampling,
    clock: &dyn Clock,
) -> Result<Vec<Last>, Trouble> {
    let now = clock.now();
    let samples = device.read(now).await?;
    let mut judges = poll::judges(rules, sampling.limits);
    let parts = rules.iter().zip(&mut judges).zip(&samples);
    Ok(parts
        .map(|((rule, judge), sample)| poll::last(now, rule, sample, &judge.judge(now, sample)))
        .collect())
}

fn there(what: &str, clock: &dyn Clock) -> Last {
    Last {
        time: clock.now(),
        value: None,
        uom: String::new(),
        what: what.to_owned(),
        quality: Quality::Good,
    }
}

/// A file that is not there yet is made by whoever writes it; its folder must be there.
fn lines_are_there(path: &Path) -> Result<(), Trouble> {
    let trouble = |path: &Path, error: std::io::Error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::PermissionDenied => "let the agent's user read it",
            _ => "make the folder that `path` is in, or correct `path`",
        };
        Trouble::new(format!("{}: {error}", path.display()), remedy)
    };
    match std::fs::metadata(path) {
        // A pipe is not opened: that would wait for its writer.
        Ok(found) if found.is_file() => std::fs::File::open(path)
            .map(drop)
            .map_err(|error| trouble(path, error)),
        Ok(_) => Ok(()),
        Err(_) => {
            let folder = path.parent().unwrap_or(Path::new("."));
            std::fs::read_dir(folder)
                .map(drop)
                .map_err(|error| trouble(folder, error))
        }
    }
}
