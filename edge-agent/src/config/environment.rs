//! Single fields of the configuration from the environment: `TRACEBOND_EDGE_UPLINK_BROKER` goes
//! before `broker` in `[uplink]`. For containers and for a trial; what stays belongs into the file.
//!
//! Every variable of this name that is not in the table is refused: a field that is misspelt in a
//! unit file would otherwise be a field that nobody set. Sources are told in the file only.

use std::path::Path;

use toml::{Table, Value};

use super::{Config, ConfigError, check};

/// What all of them begin with.
pub const PREFIX: &str = "TRACEBOND_EDGE_";
/// Longest value in bytes.
const VALUE_MAX: usize = 4_096;

/// What a value is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As it is.
    Text,
    /// A whole number.
    Number,
    /// Texts with commas between them.
    List,
}

/// Variable without its prefix, section (empty for the file's beginning), field, kind.
pub const VARIABLES: &[(&str, &str, &str, Kind)] = &[
    ("STATE", "", "state", Kind::Text),
    ("LOG_LEVEL", "", "log_level", Kind::Text),
    ("PAGE", "", "page", Kind::Text),
    ("DEVICE_NAME", "device", "name", Kind::Text),
    ("DEVICE_HEARTBEAT_S", "device", "heartbeat_s", Kind::Number),
    ("DEVICE_KEY", "device", "key", Kind::Text),
    ("DEVICE_CLOCK", "device", "clock", Kind::Text),
    ("DEVICE_TIME_ZONE", "device", "time_zone", Kind::Text),
    ("OUTBOX_MAX_MIB", "outbox", "max_mib", Kind::Number),
    ("UPLINK_BROKER", "uplink", "broker", Kind::Text),
    ("UPLINK_BROKERS", "uplink", "brokers", Kind::List),
    (
        "UPLINK_RETURN_AFTER_S",
        "uplink",
        "return_after_s",
        Kind::Number,
    ),
    ("UPLINK_PLATFORMS", "uplink", "platforms", Kind::List),
    ("UPLINK_IN_FLIGHT", "uplink", "in_flight", Kind::Number),
    (
        "UPLINK_BACK_OFF_MIN_MS",
        "uplink",
        "back_off_min_ms",
        Kind::Number,
    ),
    (
        "UPLINK_BACK_OFF_MAX_MS",
        "uplink",
        "back_off_max_ms",
        Kind::Number,
    ),
    (
        "UPLINK_RECEIPT_TIMEOUT_MS",
        "uplink",
        "receipt_timeout_ms",
        Kind::Number,
    ),
    ("LED_PATH", "led", "path", Kind::Text),
    ("PEERS_LISTEN", "peers", "listen", Kind::Text),
    ("PEERS_OTHERS", "peers", "others", Kind::List),
    ("PEERS_INTERVAL_S", "peers", "interval_s", Kind::Number),
];

/// A value that goes before the file's.
struct Override {
    name: String,
    section: &'static str,
    field: &'static str,
    value: Value,
}

impl Config {
    /// Reads a file, with what the environment says before it.
    ///
    /// # Errors
    /// The first thing that is wrong: in the file with file, line and field; in the environment
    /// with the variable and field.
    pub fn load_with(
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let (name, text) = super::read(path)?;
        Self::parse_with(&name, &text, variables)
    }

    /// The same for a text; `file` is only for the messages.
    ///
    /// # Errors
    /// As [`Config::load_with`].
    pub fn parse_with(
        file: &str,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let overrides = overrides(variables)?;
        if overrides.is_empty() {
            return Self::parse(file, text);
        }
        let mut table: Table = schemas::config::parse(file, text)?;
        let names: Vec<&str> = overrides.iter().map(|one| &*one.name).collect();
        let from = format!("{file} with {}", names.join(", "));
        for one in &overrides {
            put(&mut table, one);
        }
        let merged = toml::to_string(&table).map_err(|error| wrong(&from, error.to_string()))?;
        // What is wrong in the file alone is named with its line there.
        check::parse(&from, &merged).map_err(|error| match Self::parse(file, text) {
            Err(own) if own.field == error.field && own.problem == error.problem => own,
            _ => ConfigError { line: 0, ..error },
        })
    }
}

fn put(table: &mut Table, one: &Override) {
    let (field, value) = (one.field.to_owned(), one.value.clone());
    if one.section.is_empty() {
        table.insert(field, value);
        return;
    }
    let section = table.entry(one.section.to_owned());
    // What is no table there is the file's mistake, which its own check names.
    if let Value::Table(section) = section.or_insert_with(|| Value::Table(Table::new())) {
        section.insert(field, value);
    }
}

fn overrides(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Override>, ConfigError> {
    let ours = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX));
    let mut read = ours
        .map(|(name, text)| read_one(name, &text))
        .collect::<Result<Vec<_>, _>>()?;
    read.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(read)
}

fn read_one(name: String, text: &str) -> Result<Override, ConfigError> {
    let short = name.strip_prefix(PREFIX).unwrap_or_default();
    let known = VARIABLES.iter().find(|(variable, ..)| *variable == short);
    let Some((_, section, field, kind)) = known else {
        let names: Vec<String> = VARIABLES
            .iter()
            .map(|(variable, ..)| format!("{PREFIX}{variable}"))
            .collect();
        let problem = format!(
            "is no variable of this program; there are {}",
            names.join(", ")
        );
        return Err(wrong(&name, problem));
    };
    if text.len() > VALUE_MAX {
        return Err(wrong(&name, format!("is longer than {VALUE_MAX} bytes")));
    }
    let value = match kind {
        Kind::Text => Value::String(text.to_owned()),
        Kind::Number => match text.trim().parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => return Err(wrong(&name, "is no whole number".to_owned())),
        },
        Kind::List => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
        }
    };
    Ok(Override {
        name,
        section,
        field,
        value,
    })
}

fn wrong(name: &str, problem: String) -> ConfigError {
    ConfigError {
        file: name.to_owned(),
        line: 0,
        field: String::new(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "state = \"/tmp/x\"\n[uplink]\nin_flight = 8\n";

    fn with(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Config::parse_with("a.toml", FILE, variables.iter().map(owned))
    }

    #[test]
    fn a_variable_goes_before_the_file_and_others_are_not_ours() {
        let config = with(&[
            ("PATH", "/bin"),
            ("TRACEBOND_EDGE_UPLINK_IN_FLIGHT", "64"),
            ("TRACEBOND_EDGE_UPLINK_BROKERS", "mqtts://a:1, wss://b"),
            ("TRACEBOND_EDGE_PAGE", "127.0.0.1:1"),
        ]);
        let config = config.expect("config");
        assert_eq!(config.uplink.in_flight, 64);
        assert_eq!(config.uplink.brokers.len(), 2);
        assert!(config.page.is_some());
        assert_eq!(with(&[]).expect("config").uplink.in_flight, 8);
    }

    #[test]
    fn unknown_and_wrong_variables_are_named() {
        for (name, value, part) in [
            (
                "TRACEBOND_EDGE_UPLINK_BROKRE",
                "mqtt://a:1",
                "is no variable",
            ),
            ("TRACEBOND_EDGE_UPLINK_IN_FLIGHT", "many", "no whole number"),
            ("TRACEBOND_EDGE_UPLINK_IN_FLIGHT", "5000", "not between"),
            (
                "TRACEBOND_EDGE_UPLINK_BROKER",
                "http://a",
                "expected mqtt://",
            ),
            ("TRACEBOND_EDGE_PAGE", "0.0.0.0:1", "loopback"),
        ] {
            let error = with(&[(name, value)]).expect_err("refused");
            let text = error.to_string();
            assert!(text.contains(name) && text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_mistake_of_the_file_keeps_its_line() {
        let text = "state = \"/tmp/x\"\n[uplink]\nin_flight = 0\n";
        let variables = [("TRACEBOND_EDGE_DEVICE_NAME".to_owned(), "a".to_owned())];
        let error = Config::parse_with("a.toml", text, variables).expect_err("refused");
        assert_eq!((error.file.as_str(), error.line), ("a.toml", 3));
    }

    #[test]
    fn every_variable_is_in_the_readme_and_sets_a_field_that_there_is() {
        let readme = include_str!("../../README.md");
        for (variable, section, field, kind) in VARIABLES {
            let row = format!("`{PREFIX}{variable}`");
            assert!(readme.contains(&row), "{row} is not in the README");
            let value = match kind {
                Kind::Number => "1",
                Kind::Text | Kind::List => "x",
            };
            let name = format!("{PREFIX}{variable}");
            let outcome = with(&[(&*name, value)]);
            // Whatever is wrong with the value, the field is known.
            if let Err(error) = outcome {
                assert!(
                    !error.problem.contains("unknown field"),
                    "{section}.{field}: {error}"
                );
            }
        }
    }
}
