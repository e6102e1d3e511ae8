//! The start under a declared trial: its file is read, checked and kept as a version; what was open
//! under the limits of the configuration before is counted in the trial.

use std::path::PathBuf;

use schemas::config::ConfigError;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::Terms;
use crate::law::acceptance::china_day;
use crate::money::Currency;
use crate::sandbox::declaration::Declaration;
use crate::store::StoreError;
use crate::store::sandbox::{Carried, OfficeError, Trials};

/// Who keeps a declaration that the configuration names.
const CONFIGURATION: &str = "configuration";

/// Why the service does not start in its trial.
#[derive(Debug, thiserror::Error)]
pub enum StartTrialError {
    /// The declaration's file cannot be read.
    #[error("trial.declaration: cannot read {file}")]
    File {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The file is no declaration.
    #[error("trial.declaration: the file is refused")]
    Declaration(#[from] ConfigError),
    /// It declares something else than the configuration says.
    #[error("trial.declaration: `{field}` is {declared}, the configuration's is {configured}")]
    Other {
        /// Which field.
        field: &'static str,
        /// As declared.
        declared: String,
        /// As configured.
        configured: String,
    },
    /// The version cannot be kept.
    #[error("trial.declaration: the version is not kept")]
    Kept(#[from] OfficeError),
    /// Loans were made in a declared trial under this name, and the configuration names none.
    #[error("`{0}` is a declared trial: the configuration must name its declaration ([trial])")]
    Undeclared(Slug),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads and checks the file of a declaration.
///
/// # Errors
/// [`StartTrialError`] naming file and field.
pub fn read(terms: &Terms) -> Result<(String, Declaration), StartTrialError> {
    let file = &terms.declaration;
    let text = std::fs::read_to_string(file).map_err(|source| StartTrialError::File {
        file: file.clone(),
        source,
    })?;
    let declaration = Declaration::parse(&file.display().to_string(), &text)?;
    let other = |field, declared: String, configured: String| {
        Err(StartTrialError::Other {
            field,
            declared,
            configured,
        })
    };
    if declaration.project != terms.trial {
        let (declared, configured) = (&declaration.project, &terms.trial);
        return other("project", declared.to_string(), configured.to_string());
    }
    let currency = declaration.compensation.first();
    let currency = currency.map_or(terms.currency, |one| one.amount.currency());
    if currency != terms.currency {
        let configured: Currency = terms.currency;
        return other("currency", currency.to_string(), configured.to_string());
    }
    Ok((text, declaration))
}

/// Declares the trial and carries over what was open before; the hash of the version.
///
/// # Errors
/// [`StartTrialError`]; the service must not start then.
pub async fn start(trials: &Trials, terms: &Terms, now: Instant) -> Result<Hash, StartTrialError> {
    let (text, _) = read(terms)?;
    let file = terms.declaration.display().to_string();
    let by = CONFIGURATION.parse();
    let by: Slug = by.map_err(|_| StoreError::Row { what: "person" })?;
    let kept = trials.declare(&file, &text, &by, now).await?;
    let request = |offer: &Carried| {
        let day = china_day(offer.decided_at);
        let id = offer.decision.clone();
        terms.request(id, &offer.supplier, offer.amount, day)
    };
    let carried = trials.carry_over(&terms.trial, &request, now).await?;
    tracing::info!(trial = %terms.trial, declaration = %kept.hash, carried, "the trial is declared");
    Ok(kept.hash)
}
