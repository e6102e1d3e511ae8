//! What credit keeps of scorecards and points tables, as a trait beside [`Store`](super::Store).
//!
//! No method updates or deletes a row. A step, its card and its row in the trail are one transaction.

use async_trait::async_trait;
use schemas::hash::{Hash, sha256};
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::sandbox::LogEntry;
use crate::audit::Entry;
use crate::logged::Place;
use crate::models::life::ModelStep;
use crate::scorecard::card::{CardError, ModelCard};

/// Most scorecards that a bank keeps.
pub const MODELS_MAX: u32 = 500;

/// Most shadow scores that one read hands out.
pub const SHADOWS_MAX: u32 = 2_000;

/// A text by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptText {
    /// SHA-256 of the text.
    pub sha256: Hash,
    /// The text.
    pub text: String,
}

impl KeptText {
    /// Of a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        let sha256 = sha256(text.as_bytes());
        Self { sha256, text }
    }
}

/// A scorecard as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptModel {
    /// SHA-256 of its bytes.
    pub artefact: Hash,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// The settings file that it was made with.
    pub settings: String,
    /// SHA-256 of the file of rows.
    pub rows_sha256: Hash,
    /// The points table that it gives.
    pub table: Option<KeptText>,
    /// When it was made.
    pub made_at: Instant,
}

/// A card as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCard {
    /// Of which scorecard.
    pub artefact: Hash,
    /// True once it carries a review.
    pub reviewed: bool,
    /// SHA-256 of its canonical JSON.
    pub sha256: Hash,
    /// The canonical JSON.
    pub bytes: Vec<u8>,
}

impl KeptCard {
    /// Of a card.
    ///
    /// # Errors
    /// [`CardError`] if it cannot be written.
    pub fn of(card: &ModelCard) -> Result<Self, CardError> {
        let bytes = card.to_bytes()?;
        Ok(Self {
            artefact: card.artefact,
            reviewed: card.review.is_some(),
            sha256: sha256(&bytes),
            bytes,
        })
    }

    /// The word of its stage in the database.
    pub(super) const fn stage(&self) -> &'static str {
        if self.reviewed { "reviewed" } else { "draft" }
    }
}

/// A scorecard in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelHead {
    /// Its hash.
    pub artefact: Hash,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it was made.
    pub made_at: Instant,
    /// Its steps in their order.
    pub steps: Vec<ModelStep>,
}

/// Where a points table came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program has it built in.
    BuiltIn,
    /// The configuration names a file that people wrote.
    File,
    /// A promoted scorecard gave it.
    Promoted,
}

impl Origin {
    /// Every origin.
    pub const ALL: [Self; 3] = [Self::BuiltIn, Self::File, Self::Promoted];

    /// Its word in rows and texts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::File => "file",
            Self::Promoted => "promoted",
        }
    }

    pub(super) fn of(word: &str) -> Result<Self, StoreError> {
        let found = Self::ALL.into_iter().find(|one| one.word() == word);
        found.ok_or(StoreError::Row {
            what: "points table",
        })
    }
}

/// A points table that scores from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableUse {
    /// The table and its text.
    pub table: KeptText,
    /// From when on.
    pub since: Instant,
    /// Where it came from.
    pub origin: Origin,
    /// The scorecard that gave it.
    pub artefact: Option<Hash>,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What a scorecard said beside a decision, as it is kept: JSON of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowRow {
    /// The decision.
    pub decision_id: String,
    /// The scorecard.
    pub artefact: Hash,
    /// When was decided.
    pub decided_at: Instant,
    /// What it said.
    pub body: ShadowBody,
}

/// What was said beside a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowBody {
    /// The table that decided.
    pub table: Hash,
    /// Its total.
    pub total: i32,
    /// Whether its grade may be offered something.
    pub offerable: bool,
    /// What the scorecard says, or why it could not.
    pub said: Result<crate::scorecard::Assessment, String>,
}

/// A card that the log must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardToLog {
    /// Of which scorecard.
    pub artefact: Hash,
    /// Kind and hash of the reviewed card, and when the model was promoted.
    pub entry: LogEntry,
    /// Where it stands, once a proof of that was verified.
    pub place: Option<Place>,
}

/// What became of something that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKept {
    /// It is kept, with its row in the trail.
    New,
    /// Another step took its number, or the scorecard is there already. Nothing was changed.
    Taken,
    /// This person has made, reviewed or promoted the model before. Nothing was changed.
    SamePerson,
    /// [`MODELS_MAX`] are kept. Nothing was changed.
    Full,
}

/// Scorecards, their steps, tables in use, and what was said beside decisions.
#[async_trait]
pub trait ModelStore: Send + Sync {
    /// Keeps a draft with its card and its first step.
    async fn add_model(
        &self,
        model: &KeptModel,
        card: &KeptCard,
        step: &ModelStep,
        entry: &Entry,
    ) -> Result<ModelKept, StoreError>;

    /// Keeps a step, and the card that it makes.
    async fn step_model(
        &self,
        step: &ModelStep,
        card: Option<&KeptCard>,
        entry: &Entry,
    ) -> Result<ModelKept, StoreError>;

    /// Every scorecard with its steps, newest first.
    async fn models(&self) -> Result<Vec<ModelHead>, StoreError>;

    /// Every step of every scorecard, by scorecard and number; with `artefact` those of that one.
    async fn model_steps(&self, artefact: Option<&Hash>) -> Result<Vec<ModelStep>, StoreError>;

    /// A scorecard.
    async fn model(&self, artefact: &Hash) -> Result<Option<KeptModel>, StoreError>;

    /// Its cards: that of the draft, then the reviewed one.
    async fn model_cards(&self, artefact: &Hash) -> Result<Vec<KeptCard>, StoreError>;

    /// Which tables scored, newest first; with `points_table` the uses of that one.
    async fn table_uses(&self, points_table: Option<&Hash>) -> Result<Vec<TableUse>, StoreError>;

    /// Keeps that a table scores from now on.
    async fn use_table(&self, taken: &TableUse, entry: &Entry) -> Result<(), StoreError>;

    /// Keeps what was said beside a decision; what is there stays as it is.
    async fn keep_shadow(&self, row: &ShadowRow) -> Result<(), StoreError>;

    /// What was said beside a decision, by scorecard.
    async fn shadows_beside(&self, decision_id: &str) -> Result<Vec<ShadowRow>, StoreError>;

    /// What a scorecard said, newest first, at most `take` (at most [`SHADOWS_MAX`]).
    async fn shadows_of(&self, artefact: &Hash, take: u32) -> Result<Vec<ShadowRow>, StoreError>;

    /// What the log must hold: the reviewed card of every model that was promoted, in the order of
    /// promotion.
    async fn cards_to_log(&self) -> Result<Vec<CardToLog>, StoreError>;

    /// Keeps where the log holds the card of a promoted model, as a verified proof says; the first
    /// place that is kept stays.
    async fn keep_place(
        &self,
        artefact: &Hash,
        card: &Hash,
        place: &Place,
    ) -> Result<(), StoreError>;
}

/// Puts steps, which stand by scorecard and number, to their heads.
pub(super) fn with_steps(mut heads: Vec<ModelHead>, steps: Vec<ModelStep>) -> Vec<ModelHead> {
    for step in steps {
        let head = heads.iter_mut().find(|head| head.artefact == step.artefact);
        if let Some(head) = head {
            head.steps.push(step);
        }
    }
    heads
}
