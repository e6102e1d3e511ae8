//! A folder into which a machine drops files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{Fields, places};
use crate::config::ConfigError;
use crate::config::place::Place;
use crate::names;

/// A folder of files.
#[derive(Clone, Debug, PartialEq)]
pub struct FolderConfig {
    /// Where the machine drops its files.
    pub folder: PathBuf,
    /// Where files go that have been read.
    pub done: PathBuf,
    /// Where files go that cannot be read.
    pub refused: PathBuf,
    /// Where bad rows are copied to.
    pub rejects: PathBuf,
    /// What the files are.
    pub format: FileFormat,
    /// Which column means what.
    pub columns: Columns,
    /// CBV business step of rows that name none, bare.
    pub step: Option<String>,
    /// The machine's words for CBV business steps.
    pub steps: BTreeMap<String, String>,
    /// Form of the machine's time in the device's time zone (`%d.%m.%Y %H:%M:%S`); an instant with
    /// offset where there is none.
    pub time_format: Option<String>,
    /// Quantities have a comma for their point.
    pub decimal_comma: bool,
    /// Canonical Digital Link of the read point.
    pub place: String,
    /// Canonical Digital Link of the business location.
    pub biz_location: Option<String>,
    /// A file whose size and time have stood still for so long, in real time, is whole.
    pub stable: Duration,
    /// How often the folder is looked at, in real time.
    pub poll: Duration,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// RFC 4180.
    Csv {
        /// Between columns.
        delimiter: u8,
        /// The first row names the columns; else they are named 1, 2, 3.
        header: bool,
    },
    /// One JSON object, or a list of them.
    Json,
    /// One JSON object a line.
    Lines,
}

/// Names of columns of a CSV file, of members of a JSON object, or JSON pointers into it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// The thing: an identifier as a scanner or a person writes it.
    pub item: String,
    /// How much of a class.
    pub quantity: Option<String>,
    /// UN/ECE unit code of the quantity.
    pub uom: Option<String>,
    /// What it was put into.
    pub parent: Option<String>,
    /// When.
    pub time: Option<String>,
    /// Business step.
    pub step: Option<String>,
    /// ADD, OBSERVE or DELETE.
    pub action: Option<String>,
    /// CBV disposition.
    pub disposition: Option<String>,
    /// Further members of the event, by their names.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

impl Columns {
    /// All columns that are named.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [
            Some(&self.item),
            self.quantity.as_ref(),
            self.uom.as_ref(),
            self.parent.as_ref(),
            self.time.as_ref(),
            self.step.as_ref(),
            self.action.as_ref(),
            self.disposition.as_ref(),
        ]
        .into_iter()
        .flatten()
        .chain(self.extra.values())
        .map(String::as_str)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFolder {
    path: Option<Spanned<String>>,
    done: Option<Spanned<String>>,
    refused: Option<Spanned<String>>,
    rejects: Option<Spanned<String>>,
    format: Option<Spanned<String>>,
    delimiter: Option<Spanned<String>>,
    header: Option<Spanned<bool>>,
    columns: Option<Spanned<Columns>>,
    step: Option<Spanned<String>>,
    steps: Option<Spanned<BTreeMap<String, String>>>,
    time_format: Option<Spanned<String>>,
    #[serde(default)]
    decimal_comma: bool,
    place: Option<Spanned<String>>,
    biz_location: Option<Spanned<String>>,
    stable_ms: Option<Spanned<u64>>,
    poll_ms: Option<Spanned<u64>>,
}

pub(super) fn check(at: &Place<'_>, fields: Fields<'_>) -> Result<FolderConfig, ConfigError> {
    let table = fields.span.clone();
    let raw: RawFolder = fields.rest(at)?;
    let path = at.required(&table, "source.path", &raw.path)?;
    let folder = PathBuf::from(at.text("source.path", path)?);
    let beside = |field: &str, value: &Option<Spanned<String>>, name: &str| match value {
        Some(value) => at.text(field, value).map(PathBuf::from),
        None => Ok(folder.join(name)),
    };
    let columns = at.required(&table, "source.columns", &raw.columns)?;
    if columns.get_ref().names().any(|name| name.trim().is_empty()) {
        return Err(at.error(columns.span(), "source.columns", "names an empty column"));
    }
    let step = at.optional_key("source.step", raw.step.as_ref(), names::step)?;
    if step.is_none() && columns.get_ref().step.is_none() {
        let problem = "is missing, and no column says it";
        return Err(at.error(table.clone(), "source.step", problem));
    }
    let (place, biz_location) = places(at, &table, &raw.place, raw.biz_location.as_ref())?;
    Ok(FolderConfig {
        done: beside("source.done", &raw.done, "done")?,
        refused: beside("source.refused", &raw.refused, "refused")?,
        rejects: beside("source.rejects", &raw.rejects, "rejects.jsonl")?,
        format: format(at, &table, &raw)?,
        columns: columns.get_ref().clone(),
        step,
        steps: steps(at, raw.steps.as_ref())?,
        time_format: at.optional_key(
            "source.time_format",
            raw.time_format.as_ref(),
            time_format,
        )?,
        decimal_comma: raw.decimal_comma,
        place,
        biz_location,
        stable: at.milliseconds("source.stable_ms", raw.stable_ms.as_ref(), 2_000)?,
        poll: at.milliseconds("source.poll_ms", raw.poll_ms.as_ref(), 1_000)?,
        folder,
    })
}

fn format(
    at: &Place<'_>,
    table: &std::ops::Range<usize>,
    raw: &RawFolder,
) -> Result<FileFormat, ConfigError> {
    let value = at.required(table, "source.format", &raw.format)?;
    let delimiter = at.optional_key("source.delimiter", raw.delimiter.as_ref(), delimiter)?;
    let header = raw.header.as_ref().is_none_or(|header| *header.get_ref());
    at.key("source.format", value, |text| match text {
        "csv" => Ok(FileFormat::Csv {
            delimiter: delimiter.unwrap_or(b','),
            header,
        }),
        "json" => Ok(FileFormat::Json),
        "lines" => Ok(FileFormat::Lines),
        _ => Err("is none of \"csv\", \"json\", \"lines\"".to_owned()),
    })
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        // `\t` in TOML's own spelling is a control character, which texts may not have.
        b"tab" => Ok(b'\t'),
        [one] if !one.is_ascii_alphanumeric() && *one != b'"' => Ok(*one),
        _ => Err("is not \"tab\" or one character between columns".to_owned()),
    }
}

/// The machine's words, each with a step that exists.
fn steps(
    at: &Place<'_>,
    raw: Option<&Spanned<BTreeMap<String, String>>>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let Some(raw) = raw else {
        return Ok(BTreeMap::new());
    };
    let one = |(word, step): (&String, &String)| {
        let step = names::step(step);
        let step = step.map_err(|problem| at.error(raw.span(), "source.steps", problem))?;
        Ok((word.clone(), step))
    };
    raw.get_ref().iter().map(one).collect()
}

/// A form that can be read at all: an instant written by it reads back.
fn time_format(text: &str) -> Result<String, String> {
    use chrono::format::{Item, StrftimeItems};
    if StrftimeItems::new(text).any(|item| matches!(item, Item::Error)) {
        return Err("is no form of a time, for example %d.%m.%Y %H:%M:%S".to_owned());
    }
    let moment = chrono::DateTime::UNIX_EPOCH.naive_utc();
    let written = moment.format(text).to_string();
    match chrono::NaiveDateTime::parse_from_str(&written, text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("does not say date and time of day".to_owned()),
    }
}
