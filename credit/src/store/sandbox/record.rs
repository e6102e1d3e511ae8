//! Documents of a trial, each once.

use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreError;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A version of the declaration: the bytes of its file.
    Declaration,
    /// Something that one person wants and another one must agree to.
    Motion,
    /// A version of the limits.
    Limits,
    /// A version of the rule of the stop-loss.
    Rule,
    /// A step from stage to stage.
    Step,
    /// The stop-loss was tripped.
    Trip,
    /// The stop-loss was released.
    Lift,
    /// A row that indicators are made of.
    Row,
    /// The report of a month.
    Report,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Declaration,
        Self::Motion,
        Self::Limits,
        Self::Rule,
        Self::Step,
        Self::Trip,
        Self::Lift,
        Self::Row,
        Self::Report,
    ];

    /// Its word in the tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Declaration => "declaration",
            Self::Motion => "motion",
            Self::Limits => "limits",
            Self::Rule => "rule",
            Self::Step => "step",
            Self::Trip => "trip",
            Self::Lift => "lift",
            Self::Row => "row",
            Self::Report => "report",
        }
    }
}

/// A document of a trial with who answers for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub kind: Kind,
    /// Its name, once a kind: six digits where they are numbered from 1, else the id, month or hash.
    pub name: String,
    /// Its name in the log: SHA-256 of the body, for a declaration that of its canonical bytes.
    pub hash: Hash,
    /// The bytes.
    pub body: Vec<u8>,
    /// Who made it; `rule` where the program did.
    pub made_by: Slug,
    /// Who agreed: somebody else.
    pub agreed_by: Option<Slug>,
    /// When.
    pub made_at: Instant,
}

/// The name of the nth record of a kind, from 1; sorts by number up to 999,999.
#[must_use]
pub fn numbered(number: i64) -> String {
    format!("{number:06}")
}

impl Record {
    /// A record of a value; its body is JSON.
    ///
    /// # Errors
    /// [`StoreError::Row`] for what has no JSON; none of the types here.
    pub fn of(
        kind: Kind,
        name: String,
        value: &impl Serialize,
        (made_by, agreed_by): (Slug, Option<Slug>),
        made_at: Instant,
    ) -> Result<Self, StoreError> {
        let what = kind.word();
        let body = serde_json::to_vec(value).map_err(|_| StoreError::Row { what })?;
        Ok(Self {
            kind,
            name,
            hash: sha256(&body),
            body,
            made_by,
            agreed_by,
            made_at,
        })
    }

    /// The value of a body that is JSON, if its bytes still have the hash that is kept.
    ///
    /// # Errors
    /// [`StoreError::Row`]: the row was not made by this program.
    pub fn value<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        let what = self.kind.word();
        let value = serde_json::from_slice(&self.body).ok();
        let kept = value.filter(|_| sha256(&self.body) == self.hash);
        kept.ok_or(StoreError::Row { what })
    }
}
