//! `[[source]]`: one module for each driver, with its configuration and its check.
//!
//! A driver takes the fields that it shares with others out of the table ([`rule::take`]) and reads
//! the rest as its own; what is then left over is refused with its line.

mod folder;
mod gpsd;
mod line;
mod lines;
mod modbus;
mod rule;
mod sampling;
mod scanner;
mod sysfs;

use std::ops::Range;

use schemas::event::Source;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::Place;
use super::{ConfigError, SOURCES_MAX, ScanRule, written};
use crate::names;

pub use folder::{Columns, FileFormat, FolderConfig};
pub use gpsd::GpsdConfig;
pub use line::{Parity, SerialLine};
pub use lines::LinesConfig;
pub use modbus::{ModbusConfig, ModbusLink, RegisterKind, RegisterTable, WordOrder};
pub use rule::SensorRule;
pub use sampling::Sampling;
pub use scanner::{ScanMeaning, ScannerConfig, ScannerInput};
pub use sysfs::{Bus, SysfsConfig};

/// What `type` may be.
const TYPES: [&str; 9] = [
    "modbus",
    "iio",
    "onewire",
    "hwmon",
    "gpsd",
    "serial",
    "evdev",
    "folder",
    "scan or file",
];

/// What rules can be put to.
pub(crate) enum RuleTarget<'a> {
    /// The rules of its series of readings: of a position, of latitude and longitude alike.
    Readings(&'a mut [SensorRule]),
    /// What scans of bare codes mean.
    Scans(DeskTarget<'a>),
    /// None: the source gives scans, and says their step itself.
    OwnStep,
    /// None: the files of the source say what their facts mean.
    Neither,
}

/// A source of scans: where it is, and its rules.
pub(crate) struct DeskTarget<'a> {
    pub place: &'a str,
    pub biz_location: Option<&'a str>,
    pub rules: &'a mut Vec<ScanRule>,
}

/// One `[[source]]`.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceConfig {
    /// A register of a Modbus device, read at an interval.
    Modbus(ModbusConfig),
    /// A sensor of the Linux kernel, read at an interval.
    Sysfs(SysfsConfig),
    /// A position by gpsd, read at an interval.
    Gpsd(GpsdConfig),
    /// A bar-code scanner.
    Scanner(ScannerConfig),
    /// A file or named pipe of lines, which a scanner or another system writes.
    Lines(LinesConfig),
    /// A folder into which a machine drops files.
    Folder(FolderConfig),
}

impl SourceConfig {
    /// Names the source: its series of readings, its port or its path.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Modbus(modbus) => modbus.rule.series(),
            Self::Sysfs(sysfs) => sysfs.rule.series(),
            // Latitude and longitude are of one receiver.
            Self::Gpsd(gpsd) => format!("{} position", gpsd.rules[0].sensor),
            Self::Scanner(scanner) => scanner.name(),
            Self::Lines(lines) => lines.path.display().to_string(),
            Self::Folder(folder) => folder.folder.display().to_string(),
        }
    }

    /// What a `[[rule]]` of this source is put to.
    pub(crate) fn target(&mut self) -> RuleTarget<'_> {
        match self {
            Self::Modbus(modbus) => RuleTarget::Readings(std::slice::from_mut(&mut modbus.rule)),
            Self::Sysfs(sysfs) => RuleTarget::Readings(std::slice::from_mut(&mut sysfs.rule)),
            Self::Lines(lines) => RuleTarget::Scans(DeskTarget {
                place: &lines.place,
                biz_location: lines.biz_location.as_deref(),
                rules: &mut lines.rules,
            }),
            Self::Gpsd(gpsd) => RuleTarget::Readings(&mut gpsd.rules[..]),
            Self::Scanner(scanner) => scanner.target(),
            Self::Folder(_) => RuleTarget::Neither,
        }
    }

    /// The field that [`SourceConfig::name`] is made of.
    const fn naming_field(&self) -> &'static str {
        match self {
            Self::Modbus(_) | Self::Sysfs(_) | Self::Gpsd(_) => "source.sensor",
            Self::Scanner(ScannerConfig {
                input: ScannerInput::Serial { .. },
                ..
            }) => "source.port",
            Self::Scanner(_) | Self::Lines(_) | Self::Folder(_) => "source.path",
        }
    }

    /// The `type` in the file.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Modbus(_) => "modbus",
            Self::Sysfs(sysfs) => match sysfs.bus {
                Bus::Iio { .. } => "iio",
                Bus::OneWire => "onewire",
                Bus::Hwmon { .. } => "hwmon",
            },
            Self::Gpsd(_) => "gpsd",
            Self::Scanner(scanner) => match scanner.input {
                ScannerInput::Serial { .. } | ScannerInput::Given { .. } => "serial",
                ScannerInput::Evdev { .. } => "evdev",
            },
            Self::Lines(lines) => match lines.source {
                Source::File => "file",
                _ => "scan",
            },
            Self::Folder(_) => "folder",
        }
    }

    /// What its events are worth.
    #[must_use]
    pub const fn origin(&self) -> Source {
        match self {
            Self::Modbus(_) | Self::Sysfs(_) | Self::Gpsd(_) => Source::Sensor,
            Self::Scanner(_) => Source::Scan,
            Self::Lines(lines) => lines.source,
            Self::Folder(_) => Source::File,
        }
    }

    /// By which rules its readings become events; none where it has no readings.
    #[must_use]
    pub fn rules(&self) -> &[SensorRule] {
        match self {
            Self::Modbus(modbus) => std::slice::from_ref(&modbus.rule),
            Self::Sysfs(sysfs) => std::slice::from_ref(&sysfs.rule),
            Self::Gpsd(gpsd) => &gpsd.rules[..],
            Self::Scanner(_) | Self::Lines(_) | Self::Folder(_) => &[],
        }
    }

    /// What scans of bare codes mean at it; none where it takes no such rules, or has none.
    #[must_use]
    pub fn scan_rules(&self) -> &[ScanRule] {
        match self {
            Self::Scanner(scanner) => scanner.rules(),
            Self::Lines(lines) => &lines.rules,
            Self::Modbus(_) | Self::Sysfs(_) | Self::Gpsd(_) | Self::Folder(_) => &[],
        }
    }

    /// Read point of its events.
    #[must_use]
    pub fn place(&self) -> &str {
        match self {
            Self::Modbus(modbus) => &modbus.rule.place,
            Self::Sysfs(sysfs) => &sysfs.rule.place,
            Self::Gpsd(gpsd) => &gpsd.rules[0].place,
            Self::Scanner(scanner) => &scanner.place,
            Self::Lines(lines) => &lines.place,
            Self::Folder(folder) => &folder.place,
        }
    }

    /// Business steps that the source itself says; rules of scans say theirs
    /// ([`SourceConfig::scan_rules`]), and lines and rows may.
    #[must_use]
    pub fn steps(&self) -> Vec<&str> {
        match self {
            Self::Modbus(_) | Self::Sysfs(_) | Self::Gpsd(_) => {
                let rules = self.rules().iter().take(1);
                rules.map(|rule| rule.step.as_str()).collect()
            }
            Self::Scanner(ScannerConfig {
                meaning: ScanMeaning::Step { step, .. },
                ..
            }) => vec![step],
            Self::Scanner(_) | Self::Lines(_) => Vec::new(),
            Self::Folder(folder) => {
                let steps = folder.step.iter().chain(folder.steps.values());
                steps.map(String::as_str).collect()
            }
        }
    }
}

/// Devices that share a serial line share its settings, and nobody else has it.
fn check_port<'a>(
    ports: &mut std::collections::BTreeMap<&'a std::path::Path, Option<SerialLine>>,
    source: &'a SourceConfig,
) -> Result<(), &'static str> {
    let (port, line) = match source {
        SourceConfig::Modbus(ModbusConfig {
            link: ModbusLink::Rtu { port, line },
            ..
        }) => (port.as_path(), Some(*line)),
        SourceConfig::Scanner(scanner) => (scanner.path(), None),
        _ => return Ok(()),
    };
    match ports.insert(port, line) {
        Some(before) if before != line || line.is_none() => {
            Err("another source has this port with other settings, or as a scanner")
        }
        _ => Ok(()),
    }
}

/// The fields of one source with their places in the text.
pub(super) struct Fields<'a> {
    table: DeTable<'a>,
    span: Range<usize>,
    type_name: String,
}

impl Fields<'_> {
    /// Takes the named fields out and reads them as `T`.
    fn take<T: DeserializeOwned>(
        &mut self,
        at: &Place<'_>,
        names: &[&str],
    ) -> Result<T, ConfigError> {
        let mut taken = DeTable::new();
        for name in names {
            if let Some((key, value)) = self.table.remove_entry(*name) {
                taken.insert(key, value);
            }
        }
        read(at, taken, self.span.clone(), &self.type_name)
    }

    /// Whether one of these fields is given.
    fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.table.contains_key(*name))
    }

    /// Refuses fields that this type has no use for.
    fn refuse(&self, at: &Place<'_>, names: &[&str]) -> Result<(), ConfigError> {
        let given = names
            .iter()
            .find_map(|name| Some((name, self.table.get_key_value(*name)?.0.span())));
        match given {
            Some((name, span)) => {
                let problem = format!("does not belong to type \"{}\"", self.type_name);
                Err(at.error(span, &format!("source.{name}"), problem))
            }
            None => Ok(()),
        }
    }

    /// [`Fields::refuse`] in a chain.
    fn without(self, at: &Place<'_>, names: &[&str]) -> Result<Self, ConfigError> {
        self.refuse(at, names)?;
        Ok(self)
    }

    /// Reads what is left as `T`, which refuses what it does not know.
    fn rest<T: DeserializeOwned>(self, at: &Place<'_>) -> Result<T, ConfigError> {
        read(at, self.table, self.span, &self.type_name)
    }
}

fn read<T: DeserializeOwned>(
    at: &Place<'_>,
    table: DeTable<'_>,
    span: Range<usize>,
    type_name: &str,
) -> Result<T, ConfigError> {
    written::read(table, span).map_err(|mistake| {
        let mut refused = at.refused("source.", &mistake);
        if refused.problem.starts_with("unknown field") {
            refused.problem = format!("does not belong to type \"{type_name}\"");
        }
        refused
    })
}

/// What rules call a source by, and what they may not stand beside.
pub(super) struct Written {
    /// Its name, path and sensor, as far as they are given.
    pub names: Vec<String>,
    /// Where `readings_per_event` is given.
    pub readings_per_event: Option<Range<usize>>,
    /// Where the step or the disposition of its events is given.
    pub step: Option<(&'static str, Range<usize>)>,
    /// Where it stands.
    pub table: Range<usize>,
}

impl Written {
    fn of(entry: &Spanned<DeValue<'_>>) -> Self {
        let value = |name: &str| entry.get_ref().as_table()?.get(name);
        let text = |name: &&str| Some(value(name)?.get_ref().as_str()?.to_owned());
        let given = |name: &str, field| Some((field, value(name)?.span()));
        let names = ["name", "path", "port", "sensor"];
        Self {
            names: names.iter().filter_map(text).collect(),
            readings_per_event: value("readings_per_event").map(Spanned::span),
            step: given("step", "source.step")
                .or_else(|| given("disposition", "source.disposition")),
            table: entry.span(),
        }
    }
}

/// Takes all sources out of the file's table and checks them.
pub(super) fn take(
    at: &Place<'_>,
    file: &mut DeTable<'_>,
) -> Result<(Vec<Written>, Vec<SourceConfig>), ConfigError> {
    let Some(list) = file.remove("source") else {
        return Ok((Vec::new(), Vec::new()));
    };
    let span = list.span();
    let DeValue::Array(list) = list.into_inner() else {
        return Err(at.error(span, "source", "is not written as [[source]]"));
    };
    if list.len() > SOURCES_MAX {
        return Err(at.error(0..0, "source", format!("more than {SOURCES_MAX} sources")));
    }
    let (mut sources, mut spans, mut written) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = std::collections::BTreeSet::new();
    for entry in list {
        let span = entry.span();
        written.push(Written::of(&entry));
        let source = check(at, entry)?;
        // Two sources that would share a series or a file would mix up their positions.
        if !seen.insert(source.name()) {
            let problem = "another source has the same sensor and measurement, or path";
            return Err(at.error(span, source.naming_field(), problem));
        }
        sources.push(source);
        spans.push(span);
    }
    let mut ports = std::collections::BTreeMap::new();
    for (source, span) in sources.iter().zip(spans) {
        check_port(&mut ports, source).map_err(|problem| at.error(span, "source.port", problem))?;
    }
    Ok((written, sources))
}

fn check(at: &Place<'_>, entry: Spanned<DeValue<'_>>) -> Result<SourceConfig, ConfigError> {
    let span = entry.span();
    let DeValue::Table(mut table) = entry.into_inner() else {
        return Err(at.error(span, "source", "is not written as [[source]]"));
    };
    let Some(written) = table.remove("type") else {
        return Err(at.error(span, "source.type", "is missing"));
    };
    let place = written.span();
    let DeValue::String(type_name) = written.into_inner() else {
        return Err(at.error(place, "source.type", "is no text"));
    };
    name(at, &mut table)?;
    let fields = Fields {
        table,
        span,
        type_name: type_name.into_owned(),
    };
    match fields.type_name.as_str() {
        "modbus" => modbus::check(at, fields).map(SourceConfig::Modbus),
        "iio" => sysfs::check(at, fields, |channel| Bus::Iio { channel }).map(SourceConfig::Sysfs),
        "onewire" => sysfs::check(at, fields, |_| Bus::OneWire).map(SourceConfig::Sysfs),
        "hwmon" => {
            sysfs::check(at, fields, |channel| Bus::Hwmon { channel }).map(SourceConfig::Sysfs)
        }
        "gpsd" => gpsd::check(at, fields).map(SourceConfig::Gpsd),
        "serial" => scanner::check_serial(at, fields).map(SourceConfig::Scanner),
        "evdev" => scanner::check_evdev(at, fields).map(SourceConfig::Scanner),
        "folder" => folder::check(at, fields).map(SourceConfig::Folder),
        "scan" => lines::check(at, fields, Source::Scan).map(SourceConfig::Lines),
        "file" => lines::check(at, fields, Source::File).map(SourceConfig::Lines),
        other => {
            let problem = format!("\"{other}\" is none of {}", TYPES.join(", "));
            Err(at.error(place, "source.type", problem))
        }
    }
}

/// `name` is for rules only, and of every type.
fn name(at: &Place<'_>, table: &mut DeTable<'_>) -> Result<(), ConfigError> {
    let Some(written) = table.remove("name") else {
        return Ok(());
    };
    let span = written.span();
    match written.into_inner() {
        DeValue::String(text) => {
            let text = Spanned::new(span, text.into_owned());
            at.text("source.name", &text).map(drop)
        }
        _ => Err(at.error(span, "source.name", "is no text")),
    }
}

/// Where events of a source take place: read point and business location.
fn places(
    at: &Place<'_>,
    table: &Range<usize>,
    place: &Option<Spanned<String>>,
    biz_location: Option<&Spanned<String>>,
) -> Result<(String, Option<String>), ConfigError> {
    let place = at.required(table, "source.place", place)?;
    Ok((
        at.key("source.place", place, names::place)?,
        at.optional_key("source.biz_location", biz_location, names::place)?,
    ))
}

/// `host:port`.
fn host_and_port(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').ok_or("is not host:port")?;
    let port_fits = port.parse::<u16>().is_ok_and(|port| port != 0);
    if host.is_empty() || !port_fits {
        Err("is not host:port".to_owned())
    } else {
        Ok(text.to_owned())
    }
}
