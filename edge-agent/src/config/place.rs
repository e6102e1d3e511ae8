//! A value of the file, or why it is refused and where it stands.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::environment::Override;
use super::written::Mistake;
use super::{ConfigError, TEXT_MAX};

/// Longest wait that can be configured, in milliseconds: an hour.
const WAIT_MAX_MS: u64 = 3_600_000;

/// Turns places in the text into messages.
pub(in crate::config) struct Place<'a> {
    pub(in crate::config) file: &'a str,
    pub(in crate::config) text: &'a str,
    /// What goes before the text; it stands behind it ([`Place::beyond`]).
    pub(in crate::config) overrides: &'a [Override],
}

impl Place<'_> {
    /// Where the overrides stand, one after the other.
    pub(in crate::config) fn beyond(&self) -> impl Iterator<Item = Range<usize>> {
        (self.text.len() + 1..).map(|start| start..start + 1)
    }

    /// The override that stands there.
    fn overriding(&self, start: usize) -> Option<&Override> {
        self.overrides.get(start.checked_sub(self.text.len() + 1)?)
    }

    pub(in crate::config) fn error(
        &self,
        span: Range<usize>,
        field: &str,
        problem: impl Into<String>,
    ) -> ConfigError {
        if let Some(one) = self.overriding(span.start) {
            return one.wrong(problem.into());
        }
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        ConfigError {
            file: self.file.to_owned(),
            line,
            field: format!("{field}: "),
            problem: problem.into(),
        }
    }

    /// What cannot be read: `section` stands before the name of the line's field.
    pub(in crate::config) fn refused(&self, section: &str, mistake: &Mistake) -> ConfigError {
        let start = mistake.place.as_ref().map_or(0, |place| place.start);
        if let Some(one) = self.overriding(start) {
            return one.wrong(mistake.problem.clone());
        }
        let start = start.min(self.text.len());
        let line = self.text[..start].matches('\n').count();
        let written = self.text.lines().nth(line).unwrap_or_default();
        ConfigError {
            file: self.file.to_owned(),
            line: line + 1,
            field: written
                .split_once('=')
                .map_or_else(String::new, |(name, _)| {
                    format!("{section}{}: ", name.trim())
                }),
            problem: mistake.problem.clone(),
        }
    }

    pub(in crate::config) fn required<'v, T>(
        &self,
        table: &Range<usize>,
        field: &str,
        value: &'v Option<Spanned<T>>,
    ) -> Result<&'v Spanned<T>, ConfigError> {
        let missing = || self.error(table.clone(), field, "is missing");
        value.as_ref().ok_or_else(missing)
    }

    /// A text of 1 to [`TEXT_MAX`] bytes without control characters.
    pub(in crate::config) fn text(
        &self,
        field: &str,
        value: &Spanned<String>,
    ) -> Result<String, ConfigError> {
        let text = value.get_ref();
        let refuse = |problem: &str| Err(self.error(value.span(), field, problem));
        match text {
            _ if text.trim().is_empty() => refuse("is empty"),
            _ if text.len() > TEXT_MAX => refuse("is longer than 512 bytes"),
            _ if text.chars().any(char::is_control) => refuse("has a control character"),
            _ => Ok(text.clone()),
        }
    }

    pub(in crate::config) fn within(
        &self,
        field: &str,
        value: &Spanned<u64>,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        let number = *value.get_ref();
        if range.contains(&number) {
            return Ok(number);
        }
        let problem = format!(
            "{number} is not between {} and {}",
            range.start(),
            range.end()
        );
        Err(self.error(value.span(), field, problem))
    }

    pub(in crate::config) fn milliseconds(
        &self,
        field: &str,
        value: Option<&Spanned<u64>>,
        default: u64,
    ) -> Result<Duration, ConfigError> {
        let number = match value {
            Some(value) => self.within(field, value, 1..=WAIT_MAX_MS)?,
            None => default,
        };
        Ok(Duration::from_millis(number))
    }

    pub(in crate::config) fn finite(
        &self,
        field: &str,
        value: &Spanned<f64>,
    ) -> Result<f64, ConfigError> {
        let number = *value.get_ref();
        if number.is_finite() {
            Ok(number)
        } else {
            Err(self.error(value.span(), field, "is not a finite number"))
        }
    }

    /// What a raw value is multiplied by.
    pub(in crate::config) fn scale(
        &self,
        field: &str,
        value: &Spanned<f64>,
    ) -> Result<f64, ConfigError> {
        let scale = self.finite(field, value)?;
        if scale == 0.0 || scale.abs() > 1e9 {
            return Err(self.error(value.span(), field, "is zero or beyond 1e9"));
        }
        Ok(scale)
    }

    pub(in crate::config) fn key<T>(
        &self,
        field: &str,
        value: &Spanned<String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        let text = self.text(field, value)?;
        parse(&text).map_err(|problem| self.error(value.span(), field, problem))
    }

    pub(in crate::config) fn optional_key<T>(
        &self,
        field: &str,
        value: Option<&Spanned<String>>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        value.map(|value| self.key(field, value, parse)).transpose()
    }
}
