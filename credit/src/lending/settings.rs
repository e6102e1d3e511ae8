//! The part `[lending]` of the service's configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{Catalogue, CatalogueError, SourceFile};
use crate::loan::life::Rules;

/// How long after its acceptance the money of a loan can be drawn where nothing is said: a week.
const DRAWN_WITHIN_H: u32 = 7 * 24;

/// How long an answer of the bank's core may take where nothing is said, in seconds.
const BANK_TIMEOUT_S: u32 = 10;

/// By what is lent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Products' files, see [`crate::product`].
    pub products: Vec<PathBuf>,
    /// Files of holidays.
    pub calendars: Vec<PathBuf>,
    /// How long after its acceptance the money of a loan can be drawn.
    pub drawn_within: Duration,
    /// The bank's rules for a loan's life; the usual ones if none are written.
    pub rules: Option<Rules>,
    /// The bank's core system; without it nothing is paid out.
    pub bank: Option<BankSource>,
}

/// Where the bank's core system is.
#[derive(Clone, Debug)]
pub struct BankSource {
    /// Its base address.
    pub base: String,
    /// File with the bearer token of this service, if the core system wants one.
    pub token_file: Option<PathBuf>,
    /// How long a whole answer may take.
    pub timeout: Duration,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    products: Vec<PathBuf>,
    #[serde(default)]
    calendars: Vec<PathBuf>,
    drawn_within_h: Option<u32>,
    rules: Option<Rules>,
    bank: Option<RawBank>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBank {
    base: String,
    token_file: Option<PathBuf>,
    timeout_s: Option<u32>,
}

impl Raw {
    /// A field and what is wrong with it, or the settings.
    pub(crate) fn read(self) -> Result<Settings, (&'static str, String)> {
        if let Some(rules) = &self.rules {
            let checked = rules.check();
            checked.map_err(|error| ("lending.rules", error.to_string()))?;
        }
        let hours = self.drawn_within_h.unwrap_or(DRAWN_WITHIN_H);
        if hours == 0 {
            return Err(("lending.drawn_within_h", "an hour at least".to_owned()));
        }
        let bank = self.bank.map(RawBank::read).transpose()?;
        Ok(Settings {
            products: self.products,
            calendars: self.calendars,
            drawn_within: Duration::from_secs(u64::from(hours) * 3600),
            rules: self.rules,
            bank,
        })
    }
}

impl RawBank {
    fn read(self) -> Result<BankSource, (&'static str, String)> {
        if !(self.base.starts_with("http://") || self.base.starts_with("https://")) {
            let problem = "an http or https address is needed".to_owned();
            return Err(("lending.bank.base", problem));
        }
        let timeout = Duration::from_secs(self.timeout_s.unwrap_or(BANK_TIMEOUT_S).into());
        Ok(BankSource {
            base: self.base,
            token_file: self.token_file,
            timeout,
        })
    }
}

impl Settings {
    /// The same with files that are relative to a folder.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        for file in self.products.iter_mut().chain(&mut self.calendars) {
            *file = folder.join(&*file);
        }
        if let Some(bank) = &mut self.bank {
            let file = bank.token_file.take();
            bank.token_file = file.map(|file| folder.join(file));
        }
        self
    }

    /// Reads the files.
    ///
    /// # Errors
    /// [`CatalogueError`], naming file or field.
    pub fn catalogue(&self) -> Result<Catalogue, CatalogueError> {
        let rules = self.rules.clone().map_or_else(Rules::usual, Ok)?;
        let read = |files: &[PathBuf]| -> Result<Vec<_>, _> { files.iter().map(source).collect() };
        Catalogue::read(&read(&self.products)?, &read(&self.calendars)?, &rules)
    }
}

fn source(file: &PathBuf) -> Result<SourceFile, CatalogueError> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|source| CatalogueError::File {
        file: file.clone(),
        source,
    })?;
    let name = file.display().to_string();
    Ok(SourceFile { name, text })
}
