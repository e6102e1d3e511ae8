//! What an event weighs, by rule and with its reasons: sensor before scan before file before
//! declared; an event anchored too late, or when its key was compromised, weighs as declared; a
//! counterparty's confirmation adds to the stronger of the two.
//!
//! The table is a versioned file ([`Weights::parse`]); [`Weights::weigh`] is pure. Facts hold the mean
//! weight of a supplier's own events (`crate::facts::sources`). What of them counts as measured is
//! still read by the rules of `crate::facts`, which the built-in table repeats: the source that an event
//! is [`counted as`](Weight::counted_as) is that of its observation, and it counts as
//! [`measured`](Weights::is_measured) exactly where facts say so. A test holds the two together.

use schemas::config::{self, ConfigError};
use schemas::event::Source;
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

/// The whole: nothing weighs more. Weights are thousandths of it.
pub const WHOLE: u16 = 1_000;
/// Value of `format`.
const FORMAT: &str = "evidence-weights/v1";
/// The table in use. A new one is a new file.
const FILE: (&str, &str) = (
    "credit/models/evidence-weights-1.toml",
    include_str!("../../models/evidence-weights-1.toml"),
);

/// A table that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// The file does not have the form of a table.
    #[error(transparent)]
    Form(#[from] ConfigError),
    /// Another format than this program reads.
    #[error("format: `{0}` is not `{FORMAT}`")]
    Format(String),
    /// A rule between the weights is broken.
    #[error("{0}")]
    Rule(&'static str),
}

/// Weight of each source, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    sensor: u16,
    scan: u16,
    file: u16,
    declared: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u32,
    confirmation: u16,
    measured_from: u16,
    source: Table,
}

/// A table of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Its version.
    pub version: u32,
    /// SHA-256 of the file.
    pub hash: Hash,
    confirmation: u16,
    measured_from: u16,
    source: Table,
}

/// What is known of an event when it is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighed<'e> {
    /// Whose device signed it.
    pub organisation: &'e Slug,
    /// The source that it was signed with.
    pub source: Source,
    /// It was anchored too long after its own time.
    pub late: bool,
    /// It was anchored when its key was compromised.
    pub compromised: bool,
    /// The strongest confirmation that was found, if any.
    pub confirmation: Option<Confirmation<'e>>,
}

/// Somebody confirms an event: by an event of its own, or by an attestation, which is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmation<'e> {
    /// Who.
    pub by: &'e Slug,
    /// How; what is late or compromised is declared here too.
    pub source: Source,
}

/// One step from an event to its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The weight of the source that it was signed with.
    OwnSource,
    /// Anchored too late: as declared.
    Late,
    /// Its key was compromised: as declared.
    Compromised,
    /// Another organisation confirms it.
    Confirmed,
    /// The confirmation is of the same organisation: it adds nothing.
    OwnConfirmation,
}

impl Reason {
    /// Its word, in facts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::OwnSource => "own-source",
            Self::Late => "late",
            Self::Compromised => "compromised",
            Self::Confirmed => "confirmed",
            Self::OwnConfirmation => "own-confirmation",
        }
    }
}

/// What an event weighs, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// Thousandths, at most [`WHOLE`].
    pub thousandths: u16,
    /// The source that it counts as, by its word.
    pub counted_as: String,
    /// Why, in order; never empty.
    pub reasons: Vec<Reason>,
}

impl Weights {
    /// The table that is built in.
    ///
    /// # Errors
    /// None: a test reads it.
    pub fn built_in() -> Result<Self, WeightsError> {
        Self::parse(FILE.0, FILE.1)
    }

    /// Reads a table.
    ///
    /// # Errors
    /// [`WeightsError`], naming the field.
    pub fn parse(file: &str, text: &str) -> Result<Self, WeightsError> {
        let read: File = config::parse(file, text)?;
        if read.format != FORMAT {
            return Err(WeightsError::Format(read.format.chars().take(64).collect()));
        }
        let weights = Self {
            version: read.version,
            hash: sha256(text.as_bytes()),
            confirmation: read.confirmation,
            measured_from: read.measured_from,
            source: read.source,
        };
        weights.check()?;
        Ok(weights)
    }

    fn check(&self) -> Result<(), WeightsError> {
        let rule = |holds, text| {
            if holds {
                Ok(())
            } else {
                Err(WeightsError::Rule(text))
            }
        };
        let Table {
            sensor,
            scan,
            file,
            declared,
        } = self.source;
        rule(self.version >= 1, "version: it is at least 1")?;
        rule(
            sensor > scan && scan > file && file > declared,
            "source: sensor weighs more than scan, scan than file, file than declared",
        )?;
        rule(self.confirmation >= 1, "confirmation: it is at least 1")?;
        rule(
            sensor
                .checked_add(self.confirmation)
                .is_some_and(|most| most <= WHOLE),
            "confirmation: a confirmed sensor reading weighs at most 1000",
        )?;
        rule(
            (declared..=sensor).contains(&self.measured_from),
            "measured_from: it is between declared and sensor",
        )
    }

    /// What an event weighs, with the reason for each step.
    #[must_use]
    pub fn weigh(&self, event: &Weighed<'_>) -> Weight {
        let mut reasons = Vec::new();
        let counted = counted_as(event, &mut reasons);
        let own = self.of(counted);
        let thousandths = match event.confirmation {
            Some(confirmation) if confirmation.by != event.organisation => {
                reasons.push(Reason::Confirmed);
                let stronger = own.max(self.of(confirmation.source));
                stronger.saturating_add(self.confirmation)
            }
            Some(_) => {
                reasons.push(Reason::OwnConfirmation);
                own
            }
            None => own,
        };
        Weight {
            thousandths,
            counted_as: counted.word().to_owned(),
            reasons,
        }
    }

    /// True for a source that counts as measured.
    #[must_use]
    pub const fn is_measured(&self, counted: Source) -> bool {
        self.of(counted) >= self.measured_from
    }

    /// Thousandths of a source alone.
    #[must_use]
    pub const fn of(&self, source: Source) -> u16 {
        match source {
            Source::Sensor => self.source.sensor,
            Source::Scan => self.source.scan,
            Source::File => self.source.file,
            Source::Declared => self.source.declared,
        }
    }
}

fn counted_as(event: &Weighed<'_>, reasons: &mut Vec<Reason>) -> Source {
    if event.late {
        reasons.push(Reason::Late);
    }
    if event.compromised {
        reasons.push(Reason::Compromised);
    }
    if reasons.is_empty() {
        reasons.push(Reason::OwnSource);
        event.source
    } else {
        Source::Declared
    }
}

#[cfg(test)]
mod tests;
