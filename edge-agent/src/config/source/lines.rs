//! A file or named pipe of lines.

use std::path::PathBuf;
use std::time::Duration;

use schemas::event::Source;
use serde::Deserialize;
use toml::Spanned;

use super::{Fields, places};
use crate::config::place::Place;
use crate::config::{ConfigError, ScanRule};

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
    /// What scans of bare codes mean, in the order of the file; none: each line is JSON.
    pub rules: Vec<ScanRule>,
    /// How often the file is looked at, in real time: waiting for somebody else's file is not
    /// domain time.
    pub poll: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLines {
    path: Option<Spanned<String>>,
    rejects: Option<Spanned<String>>,
    place: Option<Spanned<String>>,
    biz_location: Option<Spanned<String>>,
    poll_ms: Option<Spanned<u64>>,
}

pub(super) fn check(
    at: &Place<'_>,
    fields: Fields<'_>,
    source: Source,
) -> Result<LinesConfig, ConfigError> {
    let table = fields.span.clone();
    let raw: RawLines = fields.rest(at)?;
    let path = at.text(
        "source.path",
        at.required(&table, "source.path", &raw.path)?,
    )?;
    let rejects = match &raw.rejects {
        Some(value) => at.text("source.rejects", value)?,
        None => format!("{path}.rejects"),
    };
    if rejects == path {
        let span = raw.rejects.as_ref().map_or(0..0, Spanned::span);
        return Err(at.error(span, "source.rejects", "is the file of lines itself"));
    }
    let (place, biz_location) = places(at, &table, &raw.place, raw.biz_location.as_ref())?;
    Ok(LinesConfig {
        source,
        path: path.into(),
        rejects: rejects.into(),
        place,
        biz_location,
        rules: Vec::new(),
        poll: at.milliseconds("source.poll_ms", raw.poll_ms.as_ref(), 200)?,
    })
}
