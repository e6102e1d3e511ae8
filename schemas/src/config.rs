//! Configuration text to types, with the file, line and field of what is wrong.

use serde::de::DeserializeOwned;

/// A configuration that cannot work.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[error("{file}:{line}: {field}{problem}")]
pub struct ConfigError {
    /// Name of the file as given.
    pub file: String,
    /// Line, from 1; 0 if the whole file is meant.
    pub line: usize,
    /// Path of the field followed by `: `, empty if unknown.
    pub field: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl ConfigError {
    /// An error of the rule kind: `field` (its last part) is looked up in the text for its line.
    #[must_use]
    pub fn at(file: &str, text: &str, field: &str, problem: impl Into<String>) -> Self {
        let last = field.rsplit('.').next().unwrap_or(field);
        let names = |line: &&str| {
            line.trim_start()
                .strip_prefix(last)
                .is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        let line = text
            .lines()
            .position(|line| names(&line))
            .map_or(0, |index| index + 1);
        Self {
            file: file.into(),
            line,
            field: format!("{field}: "),
            problem: problem.into(),
        }
    }
}

/// Reads TOML into `T`.
///
/// # Errors
/// [`ConfigError`] with the line of the first thing that is wrong.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text[..start].matches('\n').count() + 1;
        let field = text
            .lines()
            .nth(line - 1)
            .and_then(|line| line.split_once('='))
            .map_or_else(String::new, |(name, _)| format!("{}: ", name.trim()));
        ConfigError {
            file: file.into(),
            line,
            field,
            problem: error.message().into(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only read through the parser")]
        port: u16,
    }

    #[test]
    fn an_error_names_file_line_and_field() {
        let error = parse::<Sample>("a.toml", "# c\nport = \"x\"\n").unwrap_err();
        assert_eq!((error.line, error.field.as_str()), (2, "port: "));
        let error = parse::<Sample>("a.toml", "port = 1\nprot = 2\n").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("a.toml:2: prot: unknown field `prot`"),
            "{error}"
        );
        assert_eq!(ConfigError::at("f", "a = 1\n  b = 2", "x.b", "no").line, 2);
    }
}
