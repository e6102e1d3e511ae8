//! One live look at a source without an outbox: for `edge-agent doctor` and `edge-agent preview`.
//!
//! Nothing is stored and nothing is said. A serial port that the running agent holds is reported as
//! taken.

use std::io::ErrorKind;
use std::path::Path;

use schemas::time::Clock;

use super::poll::{self, Device};
use super::{Last, Quality, Trouble, folder, gpsd, modbus, scanner, sysfs};
use crate::config::{LinesConfig, Sampling, SensorRule, SourceConfig};
use crate::source::remedy;

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
            self::lines(lines)?;
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

/// What lies at the path of a source of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinesFound {
    /// A file that can be read.
    File,
    /// A pipe, or something like it. It is not opened: that would wait for its writer, or take what
    /// is for the agent.
    Pipe,
    /// Nothing yet: whoever writes the first line makes it.
    NotYet,
}

/// Looks whether lines can be read, and bad ones put aside.
pub(crate) fn lines(config: &LinesConfig) -> Result<LinesFound, Trouble> {
    let rejects = folder_of(&config.rejects);
    if let Err(error) = std::fs::metadata(rejects) {
        let cause = format!("rejects: {}: {error}", rejects.display());
        let remedy = remedy::REJECTS_FOLDER;
        return Err(Trouble::new(cause, remedy));
    }
    let trouble = |path: &Path, error: std::io::Error| {
        let remedy = match error.kind() {
            ErrorKind::NotFound => remedy::LINES_FOLDER,
            _ => remedy::MAY_READ,
        };
        Trouble::new(format!("{}: {error}", path.display()), remedy)
    };
    let path = &*config.path;
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(Trouble::new(
            format!("{} is a folder", path.display()),
            remedy::NO_FILE,
        )),
        Ok(found) if found.is_file() => match std::fs::File::open(path) {
            Ok(_) => Ok(LinesFound::File),
            Err(error) => Err(trouble(path, error)),
        },
        Ok(_) => Ok(LinesFound::Pipe),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = folder_of(path);
            let looked = std::fs::read_dir(folder).map_err(|error| trouble(folder, error));
            looked.map(|_| LinesFound::NotYet)
        }
        Err(error) => Err(trouble(path, error)),
    }
}

/// The folder that a path lies in: the present one where it names none.
fn folder_of(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::config::Config;

    fn source(folder: &Path, text: &str) -> SourceConfig {
        let text = format!(
            "state = \"/nowhere\"\n[[source]]\nplace = \"(414)9521000000049\"\n{}",
            text.replace("HERE", &folder.display().to_string())
        );
        let config = Config::parse("edge-agent.toml", &text).expect("config");
        config.sources.into_iter().next().expect("a source")
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("folder");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry
                .expect("entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        };
        entries.map(name).collect()
    }

    #[tokio::test]
    async fn a_look_at_a_folder_makes_nothing() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("a.csv"), "x").expect("file");
        let columns = "format = \"csv\"\nstep = \"storing\"\n[source.columns]\nitem = \"c\"\n";
        let config = source(
            folder.path(),
            &format!("type = \"folder\"\npath = \"HERE\"\n{columns}"),
        );
        let probed = probe(&config, &SystemClock).await.expect("found");
        assert_eq!(probed.found[0].what, "a folder with 1 files");
        assert_eq!(names(folder.path()), ["a.csv"]);
        // Where `done` would have to be made inside a file, it cannot be.
        let config = source(
            folder.path(),
            &format!("type = \"folder\"\npath = \"HERE\"\ndone = \"HERE/a.csv/x\"\n{columns}"),
        );
        let trouble = probe(&config, &SystemClock).await.expect_err("a file");
        assert!(trouble.cause.contains("a.csv"), "{trouble}");
    }

    #[test]
    fn lines_are_found_as_they_are() {
        let folder = tempfile::tempdir().expect("folder");
        let look = |path: &str| {
            let text = format!("type = \"scan\"\npath = \"HERE/{path}\"\nrejects = \"HERE/r\"\n");
            let SourceConfig::Lines(config) = source(folder.path(), &text) else {
                panic!("lines");
            };
            lines(&config).map_err(|trouble| trouble.remedy)
        };
        assert_eq!(look("scans"), Ok(LinesFound::NotYet));
        assert!(names(folder.path()).is_empty(), "a look makes nothing");
        std::fs::write(folder.path().join("scans"), "").expect("file");
        assert_eq!(look("scans"), Ok(LinesFound::File));
        assert_eq!(look("gone/scans"), Err(remedy::LINES_FOLDER));
        std::fs::create_dir(folder.path().join("folder")).expect("folder");
        assert_eq!(look("folder"), Err(remedy::NO_FILE));
    }
}
