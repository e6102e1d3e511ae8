//! Single fields of the configuration from the environment: `TRACEBOND_EDGE_UPLINK_BROKER` goes
//! before `broker` in `[uplink]`. For containers and for a trial; what stays belongs into the file.
//!
//! Every variable of this name that is not in the table is refused: a field that is misspelt in a
//! unit file would otherwise be a field that nobody set. Sources are told in the file only.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

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
pub(super) struct Override {
    name: String,
    section: &'static str,
    field: &'static str,
    value: Given,
}

/// A value as the environment has it.
enum Given {
    Text(String),
    /// A whole number in decimal digits.
    Number(String),
    List(Vec<String>),
}

impl Given {
    /// As it would stand in a file at `place`.
    fn written(&self, place: &Range<usize>) -> DeValue<'_> {
        let text = |text| DeValue::String(DeString::Borrowed(text));
        match self {
            Self::Text(value) => text(value),
            // A number is only made by reading one.
            Self::Number(digits) => {
                DeValue::parse(digits).map_or_else(|_| text(digits), Spanned::into_inner)
            }
            Self::List(parts) => {
                let parts = parts.iter().map(|part| text(part));
                let parts = parts.map(|part| Spanned::new(place.clone(), part));
                DeValue::Array(parts.collect())
            }
        }
    }
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
        check::parse(file, text, &overrides(variables)?)
    }
}

impl Override {
    /// Puts the value into the file's table; from then on it stands at `place`.
    pub(super) fn put<'f>(&'f self, file: &mut DeTable<'f>, place: Range<usize>) {
        let value = Spanned::new(place.clone(), self.value.written(&place));
        let name = |name| Spanned::new(place.clone(), DeString::Borrowed(name));
        let section = match self.section {
            "" => file,
            section => {
                let section = file.entry(name(section));
                let empty = || Spanned::new(place.clone(), DeValue::Table(DeTable::new()));
                match section.or_insert_with(empty).get_mut() {
                    DeValue::Table(section) => section,
                    // What is no table there is the file's mistake, which its own check names.
                    _ => return,
                }
            }
        };
        section.insert(name(self.field), value);
    }

    /// A value that cannot be used.
    pub(super) fn wrong(&self, problem: String) -> ConfigError {
        let field = match self.section {
            "" => format!("{}: ", self.field),
            // Only this field of the section is given: another is missing.
            section if problem.starts_with("missing field") => format!("{section}: "),
            section => format!("{section}.{}: ", self.field),
        };
        ConfigError {
            field,
            ..wrong(&self.name, problem)
        }
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
        Kind::Text => Given::Text(text.to_owned()),
        Kind::Number => match text.trim().parse::<i64>() {
            Ok(number) => Given::Number(number.to_string()),
            Err(_) => return Err(wrong(&name, "is no whole number".to_owned())),
        },
        Kind::List => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Given::List(parts.map(str::to_owned).collect())
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
    fn a_section_of_variables_alone_lacks_what_no_variable_says() {
        let error = with(&[("TRACEBOND_EDGE_PEERS_LISTEN", "127.0.0.1:1")]);
        let error = error.expect_err("refused").to_string();
        let part = "TRACEBOND_EDGE_PEERS_LISTEN:0: peers: missing field `others`";
        assert!(error.contains(part), "{error}");
        let text = "state = \"/tmp/x\"\nuplink = 5\n";
        let variables = [("TRACEBOND_EDGE_UPLINK_IN_FLIGHT".to_owned(), "8".to_owned())];
        let error = Config::parse_with("a.toml", text, variables).expect_err("refused");
        assert_eq!((error.file.as_str(), error.line), ("a.toml", 2));
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
