//! What an applicant declares before a trial: one TOML file a version.
//!
//! [`Declaration::parse`] reads and checks it; every error names line and field. What is read has
//! canonical bytes (JSON without white space, members in the order of the type), and their SHA-256 is
//! the name of the version: comments and order in the file do not change it. A version names the
//! hash of the one before, so that a chain of versions in the log can be followed from its end;
//! [`Declaration::follow`] checks one link and says what changed.
//!
//! The form is in [`mod@file`], with an example in `credit/fixtures/declaration.toml`.

pub mod change;
pub mod file;
mod line;

use chrono::NaiveDate;
use schemas::config::ConfigError;
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use serde::Serialize;

pub use change::{Change, FollowError};

use super::codes::{CreditCode, Lei, RegionCode};
use crate::money::Money;

/// What is declared of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Declaration {
    /// Version of this layout: `sandbox-declaration/v1`.
    pub format: &'static str,
    /// The trial.
    pub project: Slug,
    /// From 1.
    pub version: u32,
    /// Hash of the version before; absent in the first.
    pub previous: Option<Hash>,
    /// What the project is called.
    pub name: String,
    /// What is offered, to whom, within what bounds.
    pub scope: String,
    /// When the trial begins.
    pub start: NaiveDate,
    /// When it ends, if that is said already; a trial may be open.
    pub end: Option<NaiveDate>,
    /// Where it takes place.
    pub regions: Vec<RegionCode>,
    /// What it is made with.
    pub technologies: Vec<Technology>,
    /// Who applies; the first one leads.
    pub applicants: Vec<Applicant>,
    /// Who answers for what.
    pub responsible: Vec<Responsible>,
    /// How it ends well, and how badly.
    pub exit: Exit,
    /// How anybody complains.
    pub complaints: Vec<Channel>,
    /// What users are compensated from.
    pub compensation: Vec<Compensation>,
}

/// A technology that the project rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Technology {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
}

/// An institution that applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Applicant {
    /// Its registered name.
    pub name: String,
    /// Its unified social credit code.
    pub credit_code: CreditCode,
    /// Its LEI, if it has one.
    pub lei: Option<Lei>,
    /// The financial licence that it holds; none for a technology company.
    pub licence: Option<String>,
    /// What it does in the trial.
    pub part: String,
}

/// Duties that somebody must answer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// The whole project.
    Project,
    /// Its risks.
    Risk,
    /// Personal and business data.
    Data,
    /// Complaints.
    Complaints,
}

impl Duty {
    /// Every duty; a declaration needs each once at least.
    pub const ALL: [Self; 4] = [Self::Project, Self::Risk, Self::Data, Self::Complaints];

    /// Its word in the file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Risk => "risk",
            Self::Data => "data",
            Self::Complaints => "complaints",
        }
    }
}

/// A person who answers for something. A declaration is public: no private number belongs here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Responsible {
    /// For what.
    pub duty: Duty,
    /// Who.
    pub name: String,
    /// Their post.
    pub post: String,
}

/// How the trial ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exit {
    /// What happens to open loans and to users.
    pub plan: String,
    /// What makes it end before its time.
    pub triggers: Vec<String>,
    /// So many days at most until the last loan is repaid.
    pub run_off_days: u32,
}

/// How a channel is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Medium {
    /// A telephone number of the institution.
    Telephone,
    /// An address of the institution for letters.
    Letter,
    /// An address for mail.
    Mail,
    /// A page.
    Page,
}

/// A way to complain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Channel {
    /// How.
    pub medium: Medium,
    /// Where.
    pub address: String,
    /// Within so many days there is an answer.
    pub answer_days: u32,
}

/// What users are compensated from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// A special fund.
    SpecialFund,
    /// A deposit for innovation.
    InnovationDeposit,
    /// Emergency compensation.
    EmergencyCompensation,
    /// An insurance.
    Insurance,
}

/// A source of compensation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compensation {
    /// Which.
    pub pool: Pool,
    /// Who holds it, or the insurer with its policy.
    pub holder: String,
    /// How much there is.
    pub amount: Money,
    /// With less than this nothing more is lent.
    pub floor: Money,
}

impl Declaration {
    /// Reads and checks a declaration; its form is that of [`mod@file`].
    ///
    /// # Errors
    /// [`ConfigError`] with line, field and what was expected.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        file::parse(file, text)
    }

    /// The canonical bytes: JSON without white space, members in the order of the type.
    ///
    /// # Errors
    /// Never in practice: the type has no map and no float.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// SHA-256 of [`Declaration::to_bytes`], the name of this version.
    ///
    /// # Errors
    /// As [`Declaration::to_bytes`].
    pub fn hash(&self) -> Result<Hash, serde_json::Error> {
        Ok(sha256(&self.to_bytes()?))
    }

    /// Whether this version follows another one, and what changed: in the order of the paths.
    ///
    /// # Errors
    /// [`FollowError`]; this version is not taken then.
    pub fn follow(&self, before: &Self) -> Result<Vec<Change>, FollowError> {
        change::follow(before, self)
    }

    /// The leading applicant. There is one: a file without is refused.
    #[must_use]
    pub fn lead(&self) -> Option<&Applicant> {
        self.applicants.first()
    }
}

#[cfg(test)]
mod tests;
