//! Bar-code scanners.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{DeskTarget, Fields, RuleTarget, SerialLine, line, places};
use crate::config::place::Place;
use crate::config::{ConfigError, ScanRule};
use crate::names;

/// A scanner.
#[derive(Clone, Debug, PartialEq)]
pub struct ScannerConfig {
    /// How it is connected.
    pub input: ScannerInput,
    /// What becomes of its codes.
    pub meaning: ScanMeaning,
    /// Canonical Digital Link of the read point.
    pub place: String,
    /// Canonical Digital Link of the business location.
    pub biz_location: Option<String>,
    /// The same code within this time is one scan.
    pub repeat: Duration,
    /// What the scanner sends for FNC1 where it cannot send 0x1D.
    pub separator: Option<char>,
    /// Where bad codes go; `STATE/rejects/` where it is not said.
    pub rejects: Option<PathBuf>,
}

/// What a code of a scanner means.
#[derive(Clone, Debug, PartialEq)]
pub enum ScanMeaning {
    /// Each code is an ObjectEvent.
    Step {
        /// CBV business step, bare.
        step: String,
        /// CBV disposition.
        disposition: Option<String>,
    },
    /// What these rules say, at least one, in the order of the file.
    Rules(Vec<ScanRule>),
}

impl ScannerConfig {
    /// Its rules; none where each code is an event of the scanner's own step.
    #[must_use]
    pub fn rules(&self) -> &[ScanRule] {
        match &self.meaning {
            ScanMeaning::Step { .. } => &[],
            ScanMeaning::Rules(rules) => rules,
        }
    }

    /// Where its rules go, unless it says its own step.
    pub(super) fn target(&mut self) -> RuleTarget<'_> {
        match &mut self.meaning {
            ScanMeaning::Step { .. } => RuleTarget::OwnStep,
            ScanMeaning::Rules(rules) => RuleTarget::Scans(DeskTarget {
                place: &self.place,
                biz_location: self.biz_location.as_deref(),
                rules,
            }),
        }
    }

    /// The device file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.input {
            ScannerInput::Serial { port, .. } => port,
            ScannerInput::Evdev { path, .. } | ScannerInput::Given { path } => path,
        }
    }

    /// The device file as text.
    #[must_use]
    pub fn name(&self) -> String {
        self.path().display().to_string()
    }
}

/// How a scanner is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScannerInput {
    /// By a serial line or as USB serial: it sends lines.
    Serial {
        /// `/dev/ttyUSB0`, better `/dev/serial/by-id/...`.
        port: PathBuf,
        /// How the line is set.
        line: SerialLine,
    },
    /// As a keyboard.
    Evdev {
        /// `/dev/input/by-id/...-event-kbd`, or a file or pipe of recorded events.
        path: PathBuf,
        /// Takes it for the agent alone.
        grab: bool,
    },
    /// Not connected: a preview was given what it would send, one code a line.
    Given {
        /// The file of codes.
        path: PathBuf,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScanner {
    port: Option<Spanned<String>>,
    path: Option<Spanned<String>>,
    grab: Option<Spanned<bool>>,
    step: Option<Spanned<String>>,
    disposition: Option<Spanned<String>>,
    place: Option<Spanned<String>>,
    biz_location: Option<Spanned<String>>,
    repeat_ms: Option<Spanned<u64>>,
    separator: Option<Spanned<String>>,
    rejects: Option<Spanned<String>>,
}

/// Reads type `serial`.
pub(super) fn check_serial(
    at: &Place<'_>,
    mut fields: Fields<'_>,
) -> Result<ScannerConfig, ConfigError> {
    let line = line::take(at, &mut fields)?.unwrap_or_default();
    let fields = fields.without(at, &["path", "grab"])?;
    let table = fields.span.clone();
    let raw: RawScanner = fields.rest(at)?;
    let port = at.required(&table, "source.port", &raw.port)?;
    let port = at.text("source.port", port)?.into();
    check(at, &table, &raw, ScannerInput::Serial { port, line })
}

/// Reads type `evdev`.
pub(super) fn check_evdev(
    at: &Place<'_>,
    fields: Fields<'_>,
) -> Result<ScannerConfig, ConfigError> {
    let fields = fields.without(at, &["port"])?;
    let table = fields.span.clone();
    let raw: RawScanner = fields.rest(at)?;
    let path = at.required(&table, "source.path", &raw.path)?;
    let path = at.text("source.path", path)?.into();
    let grab = raw.grab.as_ref().is_none_or(|grab| *grab.get_ref());
    check(at, &table, &raw, ScannerInput::Evdev { path, grab })
}

fn check(
    at: &Place<'_>,
    table: &std::ops::Range<usize>,
    raw: &RawScanner,
    input: ScannerInput,
) -> Result<ScannerConfig, ConfigError> {
    let (place, biz_location) = places(at, table, &raw.place, raw.biz_location.as_ref())?;
    let text = |field: &str, value: &Option<Spanned<String>>| {
        let value = value.as_ref();
        value.map(|value| at.text(field, value)).transpose()
    };
    Ok(ScannerConfig {
        input,
        meaning: match &raw.step {
            Some(step) => ScanMeaning::Step {
                step: at.key("source.step", step, names::step)?,
                disposition: text("source.disposition", &raw.disposition)?,
            },
            // Rules are put to it afterwards, and that there is one is looked at then.
            None => ScanMeaning::Rules(Vec::new()),
        },
        place,
        biz_location,
        repeat: match raw.repeat_ms.as_ref() {
            // 0: each code is a scan.
            Some(value) => {
                Duration::from_millis(at.within("source.repeat_ms", value, 0..=60_000)?)
            }
            None => Duration::from_millis(1_500),
        },
        separator: at.optional_key("source.separator", raw.separator.as_ref(), separator)?,
        rejects: text("source.rejects", &raw.rejects)?.map(PathBuf::from),
    })
}

fn separator(text: &str) -> Result<char, String> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) if !one.is_ascii_alphanumeric() => Ok(one),
        _ => Err("is not one character that is neither letter nor digit".to_owned()),
    }
}
