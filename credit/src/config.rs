//! The service's configuration file: TOML, every error with file, line and field.

mod consent;
mod desk;
mod evidence;
mod sandbox;
mod trial;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kit::people::LogInSection;
use rust_decimal::Decimal;
use schemas::config::{self, ConfigError};
use schemas::ids::Slug;
use serde::Deserialize;

use crate::facts::Rules;
use crate::lending;
use crate::loan::{Product, ReviewRules};
use crate::money::{Currency, Money};
use crate::sandbox::Limits;
use crate::store::Database;
use crate::trials;

use desk::{RawDesk, RawMachine};
use evidence::RawEvidence;
use sandbox::RawSandbox;
use trial::RawTrial;

pub use consent::Consent;
use consent::{RawConsent, RawSupplier};
pub use evidence::EvidenceSource;

/// Where a leaf goes in [`Config::event_page`].
pub const LEAF: &str = "{leaf}";

/// Everything that the service is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
    /// Listener of `GET /metrics`, plain HTTP; without it nothing is counted.
    pub metrics: Option<SocketAddr>,
    /// Log lines on stderr: `human` or `json`.
    pub logs: kit::telemetry::Lines,
    /// A SQLite file, or `postgres://user:password@host:port/database`. The program's environment
    /// variable `DATABASE_URL` goes before it.
    pub database: Database,
    /// The policy file that the bank trusts.
    pub policy: PathBuf,
    /// The bank's own points table; the built-in one if there is none.
    pub scorecard: Option<PathBuf>,
    /// Address of the platform's page of an event, with [`LEAF`] where its leaf goes.
    pub event_page: Option<String>,
    /// Where evidence is asked for over HTTP; not needed when it comes from within the process.
    pub evidence: EvidenceSource,
    /// Whether suppliers must have signed a consent.
    pub consent: Consent,
    /// How facts are read.
    pub rules: Rules,
    /// The sandbox's limits where no trial is declared; all zero, with version 0, where one is.
    pub sandbox: Limits,
    /// The declared trial that loans are made in.
    pub trial: Option<trials::Terms>,
    /// What is lent, by name.
    pub products: BTreeMap<Slug, Product>,
    /// The desk of the bank's people.
    pub desk: crate::desk::Terms,
    /// The life of loans; without it there are only decisions.
    pub lending: Option<lending::Settings>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {file}")]
    File {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// Its content is wrong.
    #[error(transparent)]
    Content(#[from] ConfigError),
}

fn is_role(role: &Slug) -> bool {
    role.as_str() == crate::accounts::BORROWER
        || crate::desk::Role::of_word(role.as_str()).is_some()
}

impl Config {
    /// Reads a file; relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(file: &Path) -> Result<Self, LoadError> {
        let wrong = |source| LoadError::File {
            file: file.to_owned(),
            source,
        };
        let text = std::fs::read_to_string(file).map_err(wrong)?;
        let mut config = Self::parse(&file.display().to_string(), &text)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        if let Database::File(file) = &mut config.database {
            *file = folder.join(&*file);
        }
        config.policy = folder.join(&config.policy);
        if let Consent::Asked { issuers, .. } = &mut config.consent {
            *issuers = issuers.take().map(|file| folder.join(file));
        }
        if let Some(trial) = &mut config.trial {
            trial.declaration = folder.join(&trial.declaration);
        }
        let scorecard = config.scorecard.take();
        config.scorecard = scorecard.map(|file| folder.join(file));
        let key = config.desk.export_key.take();
        config.desk.export_key = key.map(|file| folder.join(file));
        if let Some(section) = &mut config.desk.log_in {
            section.found_from(folder);
        }
        let token = config.evidence.token_file.take();
        config.evidence.token_file = token.map(|file| folder.join(file));
        let lending = config.lending.take();
        config.lending = lending.map(|settings| settings.in_folder(folder));
        Ok(config)
    }

    /// Reads a configuration's text.
    ///
    /// # Errors
    /// [`ConfigError`] with file, line and field.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let mut raw: Raw = config::parse(file, text)?;
        let at = |field: &str, problem: String| ConfigError::at(file, text, field, problem);
        let sandbox = raw
            .sandbox
            .read(raw.trial.is_some())
            .map_err(|(field, problem)| at(&format!("sandbox.{field}"), problem))?;
        let mut products = BTreeMap::new();
        for product in &raw.products {
            let read = product.read(sandbox.outstanding.currency());
            let read =
                read.map_err(|(field, problem)| at(&format!("products.{field}"), problem))?;
            if products.insert(product.id.clone(), read).is_some() {
                return Err(at("products.id", format!("`{}` stands twice", product.id)));
            }
        }
        if raw
            .event_page
            .as_ref()
            .is_some_and(|page| !is_event_page(page))
        {
            let problem = format!("an http or https address with {LEAF} in it is needed");
            return Err(at("event_page", problem));
        }
        let consent = raw.consent.read(&raw.suppliers);
        let consent = consent.map_err(|(field, problem)| at(field, problem))?;
        let desk = raw
            .desk
            .read(sandbox.outstanding.currency(), raw.listen, &raw.machines);
        let mut desk = desk.map_err(|(field, problem)| at(field, problem))?;
        let straight = check_straight(products.values(), &desk.review);
        straight.map_err(|(field, problem)| at(field, problem))?;
        if let Some(section) = &raw.log_in {
            let checked = section.check(is_role);
            checked.map_err(|(field, problem)| at(field, problem))?;
            desk.log_in = Some(section.clone());
        }
        let lending = raw.lending.take().map(lending::settings::Raw::read);
        let lending = lending.transpose();
        let lending = lending.map_err(|(field, problem)| at(field, problem))?;
        let trial = raw.trial.take().map(|trial| trial.read(&sandbox));
        let trial = trial
            .transpose()
            .map_err(|(field, problem)| at(&format!("trial.{field}"), problem))?;
        Ok(Config {
            trial,
            ..raw.into_config(sandbox, products, (desk, consent), lending)
        })
    }
}

/// What goes without a person never goes beyond what one officer may accept.
fn check_straight<'p>(
    products: impl IntoIterator<Item = &'p Product>,
    rules: &ReviewRules,
) -> Result<(), Wrong> {
    let mut lines = products.into_iter().filter_map(|one| one.straight_up_to);
    if lines.any(|line| rules.needs_two(line)) {
        let problem = "it is above desk.second_officer_above, where two officers are needed";
        return Err(("products.straight_up_to", problem.to_owned()));
    }
    Ok(())
}

fn is_event_page(page: &str) -> bool {
    page.contains(LEAF) && (page.starts_with("http://") || page.starts_with("https://"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    listen: SocketAddr,
    #[serde(default)]
    metrics: Option<SocketAddr>,
    #[serde(default)]
    logs: kit::telemetry::Lines,
    database: Database,
    policy: PathBuf,
    scorecard: Option<PathBuf>,
    event_page: Option<String>,
    #[serde(default)]
    evidence: RawEvidence,
    #[serde(default)]
    consent: RawConsent,
    #[serde(default)]
    suppliers: Vec<RawSupplier>,
    #[serde(default)]
    facts: RawFacts,
    sandbox: RawSandbox,
    trial: Option<RawTrial>,
    products: Vec<RawProduct>,
    #[serde(default)]
    desk: RawDesk,
    #[serde(default)]
    machines: Vec<RawMachine>,
    log_in: Option<LogInSection>,
    lending: Option<lending::settings::Raw>,
}

impl Raw {
    fn into_config(
        self,
        sandbox: Limits,
        products: BTreeMap<Slug, Product>,
        (desk, consent): (crate::desk::Terms, Consent),
        lending: Option<lending::Settings>,
    ) -> Config {
        Config {
            listen: self.listen,
            metrics: self.metrics,
            logs: self.logs,
            database: self.database,
            policy: self.policy,
            scorecard: self.scorecard,
            event_page: self.event_page,
            evidence: self.evidence.read(),
            consent,
            rules: self.facts.read(),
            sandbox,
            trial: None,
            products,
            desk,
            lending,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFacts {
    late_after_h: Option<u32>,
    silence_grace_minutes: Option<u32>,
}

impl RawFacts {
    fn read(&self) -> Rules {
        let usual = Rules::default();
        let long = |number: Option<u32>, unit: u64, usual: Duration| {
            number.map_or(usual, |number| {
                Duration::from_secs(u64::from(number) * unit)
            })
        };
        Rules {
            late_after: long(self.late_after_h, 3600, usual.late_after),
            silence_grace: long(self.silence_grace_minutes, 60, usual.silence_grace),
            work_max: usual.work_max,
        }
    }
}

/// A field and what is wrong with it.
type Wrong = (&'static str, String);

fn money(field: &'static str, text: &str, currency: Currency) -> Result<Money, Wrong> {
    Money::parse(text, currency).map_err(|error| (field, error.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProduct {
    id: Slug,
    currency: Currency,
    minimum: String,
    cap: String,
    turnover_multiple: Decimal,
    straight_up_to: Option<String>,
}

impl RawProduct {
    /// Without a line nothing goes straight through.
    fn straight(&self, cap: Money) -> Result<Option<Money>, Wrong> {
        let field = "straight_up_to";
        let read = |text: &String| money(field, text, self.currency);
        let line = self.straight_up_to.as_ref().map(read).transpose()?;
        match line {
            Some(line) if line.fen() > cap.fen() => Err((field, "it is above the cap".to_owned())),
            line => Ok(line),
        }
    }

    fn read(&self, sandbox: Currency) -> Result<Product, Wrong> {
        if self.currency != sandbox {
            return Err(("currency", format!("the sandbox's currency is {sandbox}")));
        }
        let minimum = money("minimum", &self.minimum, self.currency)?;
        let cap = money("cap", &self.cap, self.currency)?;
        if minimum.fen() > cap.fen() {
            return Err(("minimum", "it is above the cap".to_owned()));
        }
        let multiple = self.turnover_multiple;
        if multiple.is_sign_negative() || multiple > Decimal::TEN {
            return Err(("turnover_multiple", "0 to 10 is possible".to_owned()));
        }
        Ok(Product {
            id: self.id.clone(),
            minimum,
            cap,
            turnover_multiple: multiple,
            straight_up_to: self.straight(cap)?,
        })
    }
}

#[cfg(test)]
mod tests;
