//! What cases used and what was said about their parties, as a trait beside [`Store`](super::Store).
//! Rows are written with a decision ([`crate::loan::Beside`]) and nowhere else; none is ever changed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::StoreError;
use crate::loan::beside::{KeptUse, Used};
use crate::loan::review::{Act, Review};
use crate::loan::warning::{Identifier, IdentifierKind, Link, ROWS_MAX};

/// Most rows that one read hands out: one more than a rule looks at.
pub const CASE_ROWS_MAX: usize = ROWS_MAX + 1;

/// Uses, identifiers and links.
#[async_trait]
pub trait CaseStore: Send + Sync {
    /// The last place that each of these names has; a name without a use is not in it.
    async fn last_places(&self, names: &[Hash]) -> Result<BTreeMap<Hash, i64>, StoreError>;

    /// Uses of these names, by name and place, the newest [`CASE_ROWS_MAX`] of them.
    async fn uses(&self, names: &[Hash]) -> Result<Vec<KeptUse>, StoreError>;

    /// Identifiers of these parties that `by`, or the party itself, declared, in order, at most
    /// [`CASE_ROWS_MAX`].
    async fn identifiers(&self, parties: &[Slug], by: &Slug)
    -> Result<Vec<Identifier>, StoreError>;

    /// Links of a party that one of these declared, in order, at most [`CASE_ROWS_MAX`].
    async fn links(&self, party: &Slug, said_by: &[Slug]) -> Result<Vec<Link>, StoreError>;
}

/// The step of a row of `passages`.
pub(super) struct PassageRow {
    pub(super) decision_id: String,
    pub(super) rule: String,
    pub(super) version: Vec<u8>,
    pub(super) inputs: Vec<u8>,
    pub(super) model: Vec<u8>,
    pub(super) at: Instant,
}

impl PassageRow {
    pub(super) fn review(self) -> Result<Review, StoreError> {
        let wrong = || StoreError::Row { what: "passage" };
        let hash = |bytes: &[u8]| Hash::from_slice(bytes).ok_or_else(wrong);
        Ok(Review {
            decision_id: self.decision_id,
            step: 1,
            act: Act::Pass,
            person: None,
            reason: Some(self.rule.parse().map_err(|_| wrong())?),
            note: String::new(),
            version: hash(&self.version)?,
            inputs: hash(&self.inputs)?,
            model: hash(&self.model)?,
            settles: true,
            at: self.at,
        })
    }
}

/// What a row says was used.
pub(super) fn used(body: &[u8]) -> Result<Used, StoreError> {
    serde_json::from_slice(body).map_err(|_| broken())
}

/// How a row says what was used.
pub(super) fn body(used: &Used) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(used).map_err(|_| broken())
}

pub(super) const fn broken() -> StoreError {
    StoreError::Row { what: "case" }
}

pub(super) const fn kind_word(kind: IdentifierKind) -> &'static str {
    match kind {
        IdentifierKind::BankAccount => "bank_account",
        IdentifierKind::Representative => "representative",
        IdentifierKind::Telephone => "telephone",
        IdentifierKind::Address => "address",
    }
}

pub(super) fn kind_of(word: &str) -> Result<IdentifierKind, StoreError> {
    use IdentifierKind::{Address, BankAccount, Representative, Telephone};
    let all = [BankAccount, Representative, Telephone, Address];
    let found = all.into_iter().find(|kind| kind_word(*kind) == word);
    found.ok_or_else(broken)
}

pub(super) fn identifier(party: &str, kind: &str, value: &[u8]) -> Result<Identifier, StoreError> {
    Ok(Identifier {
        party: party.parse().map_err(|_| broken())?,
        kind: kind_of(kind)?,
        value: Hash::from_slice(value).ok_or_else(broken)?,
    })
}

/// A link by each of its ends, in order.
pub(super) fn both_ends(links: &[Link]) -> Vec<(&Slug, &Slug, &str)> {
    let ends = |link| {
        let Link { one, other, kind }: &Link = link;
        [(one, other, kind.as_str()), (other, one, kind.as_str())]
    };
    let mut all: Vec<_> = links.iter().flat_map(ends).collect();
    all.sort();
    all.dedup();
    all
}
