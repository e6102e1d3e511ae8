//! One row of a machine's file, as the scan line that it stands for.

use chrono::{FixedOffset, NaiveDateTime, TimeZone};
use serde_json::{Map, Value, json};

use crate::config::FolderConfig;
use crate::source::scanner::read_code;

/// Longest excerpt of a row that is kept, in bytes.
const EXCERPT_MAX: usize = 4 * 1024;

/// A row as it was read.
#[derive(Debug)]
pub(super) enum Row {
    /// Of a CSV file: names and values.
    Fields(Vec<(String, String)>),
    /// Of a JSON file.
    Object(Value),
    /// What cannot be read: the reason, and what there was.
    Bad(String, String),
}

impl Row {
    pub fn bad(reason: String, bytes: &[u8]) -> Self {
        let excerpt = &bytes[..bytes.len().min(EXCERPT_MAX)];
        Self::Bad(reason, String::from_utf8_lossy(excerpt).into_owned())
    }

    /// The row as text, for the rejects file.
    pub fn text(&self) -> String {
        match self {
            Self::Fields(fields) => {
                let values: Vec<&str> = fields.iter().map(|(_, value)| value.as_str()).collect();
                values.join(";")
            }
            Self::Object(value) => value.to_string(),
            Self::Bad(_, text) => text.clone(),
        }
    }

    /// A value by the name of its column, of a member of a JSON object, or by a JSON pointer
    /// (`/data/code`); an empty one is none.
    fn get(&self, name: &str) -> Option<String> {
        let found = match self {
            Self::Fields(fields) => {
                let found = fields.iter().find(|(column, _)| column == name);
                found.map(|(_, value)| value.trim().to_owned())
            }
            Self::Object(value) => {
                let found = if name.starts_with('/') {
                    value.pointer(name)
                } else {
                    value.get(name)
                };
                found.and_then(|value| match value {
                    Value::String(text) => Some(text.trim().to_owned()),
                    Value::Number(number) => Some(number.to_string()),
                    Value::Bool(truth) => Some(truth.to_string()),
                    _ => None,
                })
            }
            Self::Bad(..) => None,
        };
        found.filter(|value| !value.is_empty())
    }

    /// The scan line that this row stands for (the format is in the crate's README).
    pub fn line(&self, config: &FolderConfig, time_zone_minutes: i32) -> Result<String, String> {
        if let Self::Bad(reason, _) = self {
            return Err(reason.clone());
        }
        let columns = &config.columns;
        let get = |column: &Option<String>| column.as_deref().and_then(|name| self.get(name));
        let mut line = Map::new();
        line.insert("step".to_owned(), self.step(config)?.into());
        let item = self
            .get(&columns.item)
            .ok_or_else(|| format!("`{}` is empty", columns.item))?;
        let item = read_code(item.as_bytes(), None)?.uri;
        let items = match get(&columns.quantity) {
            Some(text) => {
                let mut amount = json!({ "id": item, "quantity": quantity(&text, config)? });
                if let Some(uom) = get(&columns.uom) {
                    amount["uom"] = uom.into();
                }
                json!([amount])
            }
            None => json!([item]),
        };
        if let Some(parent) = get(&columns.parent) {
            let parent = read_code(parent.as_bytes(), None)?.uri;
            line.insert("parent".to_owned(), parent.into());
        }
        line.insert("items".to_owned(), items);
        if let Some(text) = get(&columns.time) {
            let time = time(&text, config.time_format.as_deref(), time_zone_minutes)?;
            line.insert("time".to_owned(), time.into());
        }
        for (member, column) in [
            ("action", &columns.action),
            ("disposition", &columns.disposition),
        ] {
            if let Some(value) = get(column) {
                line.insert(member.to_owned(), value.into());
            }
        }
        let extra: Map<String, Value> = columns
            .extra
            .iter()
            .filter_map(|(member, column)| Some((member.clone(), self.get(column)?.into())))
            .collect();
        if !extra.is_empty() {
            line.insert("extra".to_owned(), Value::Object(extra));
        }
        Ok(Value::Object(line).to_string())
    }

    /// The step by its column, in the machine's words where the configuration translates them.
    fn step(&self, config: &FolderConfig) -> Result<String, String> {
        let said = config
            .columns
            .step
            .as_deref()
            .and_then(|name| self.get(name));
        match said {
            Some(word) => Ok(config.steps.get(&word).cloned().unwrap_or(word)),
            None => config
                .step
                .clone()
                .ok_or_else(|| "names no step".to_owned()),
        }
    }
}

fn quantity(text: &str, config: &FolderConfig) -> Result<serde_json::Number, String> {
    let number = if config.decimal_comma {
        text.replace(',', ".")
    } else {
        text.to_owned()
    };
    serde_json::from_str(&number).map_err(|_| format!("quantity `{text:.40}` is no number"))
}

/// A machine's time as an instant with offset: as it stands, or by the format in the device's zone.
fn time(text: &str, format: Option<&str>, time_zone_minutes: i32) -> Result<String, String> {
    let Some(format) = format else {
        return Ok(text.to_owned());
    };
    let refuse = || format!("time `{text:.40}` is not of the form {format}");
    let naive = NaiveDateTime::parse_from_str(text, format).map_err(|_| refuse())?;
    let zone = FixedOffset::east_opt(time_zone_minutes * 60).ok_or_else(refuse)?;
    let time = zone
        .from_local_datetime(&naive)
        .single()
        .ok_or_else(refuse)?;
    Ok(time.to_rfc3339())
}
