//! The use case of the bank's people: look at offers and their evidence, decide, keep the list of
//! reasons, read the trail.
//!
//! Rules that a person must not break are here and in [`crate::loan::review`]; the database says
//! the most important ones again. Every change is one transaction with its row in the trail.

pub mod compare;
pub mod deadline;
pub mod export;
pub mod exposure;
pub mod item;
pub mod pulse;
mod reasons;
mod role;
pub mod sealed;
pub mod work;

pub use role::Role;

use std::path::PathBuf;
use std::sync::Arc;

use kit::people::{LogInSection, StoreFailed, Token};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::key::SecretKey;
use schemas::time::Clock;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::deadline::Within;
use self::export::ExportError;
use self::work::WorkError;
use crate::audit::{Action, Entry};
use crate::evidence::kept::{self, OpenError, Opened};
use crate::loan::reason::{BadWords, REASONS_KEPT_MAX};
use crate::loan::review::{Act, Choice, NOTE_MAX, NoStage, Review, ReviewRules, Stage, Verdict};
use crate::loan::{Decision, Record, RefusalReason};
use crate::service::Credit;
use crate::store::StoreError;
use crate::store::reviews::{SHELF_MAX, Shelf, Step};

/// Kept bundles that are verified for people at once; one may have 32 MiB.
const OPENED_AT_ONCE: usize = 2;

/// Whose desk it is, and by which rules.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The bank.
    pub organisation: Slug,
    /// The origin that browsers know the desk by, if it is not plain HTTP on loopback.
    pub origin: Option<String>,
    /// By which rules offers are decided.
    pub review: ReviewRules,
    /// Within which time people look at an offer.
    pub within: Within,
    /// File of the key that exports are signed with; without one nothing is exported.
    pub export_key: Option<PathBuf>,
    /// Machines that may send applications and read decisions.
    pub machines: Vec<Token>,
    /// Second factors and log-in by a provider.
    pub log_in: Option<LogInSection>,
}

/// Who acts.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The account's name.
    pub name: Slug,
    /// What it may do.
    pub role: Role,
}

/// A decision as it comes from a form.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Which offer.
    pub decision_id: String,
    /// The stage that the person saw.
    pub version: Hash,
    /// Accept or refuse.
    pub choice: Choice,
    /// What the person wrote beside it.
    pub note: String,
}

/// Why something was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The role may not do this.
    #[error("this needs another role")]
    NotAllowed,
    /// There is no such decision.
    #[error("there is no decision with this id")]
    Unknown,
    /// The offer was decided on, by somebody else, meanwhile.
    #[error("the offer is settled")]
    Settled,
    /// The offer is not what it was when the form was shown.
    #[error("the offer has changed since the form was shown")]
    Stale,
    /// The offer's time is over.
    #[error("the offer has lapsed")]
    Lapsed,
    /// The person has taken part in this offer before. That it was tried is in the trail.
    #[error("a second officer has to be another person")]
    SamePerson,
    /// No active reason has this code.
    #[error("no active refusal reason is called `{0}`")]
    Reason(Slug),
    /// A reason was retired meanwhile.
    #[error("the reason `{0}` is retired already")]
    ReasonChanged(Slug),
    /// A reason's code is taken.
    #[error("there is a reason `{0}` already")]
    ReasonTaken(Slug),
    /// More reasons than the list may have.
    #[error("the list holds {REASONS_KEPT_MAX} reasons, retired ones included: no more fit")]
    ReasonsFull,
    /// A reason's words.
    #[error(transparent)]
    Words(#[from] BadWords),
    /// The note is too long or has control characters.
    #[error("note: at most {NOTE_MAX} characters are possible")]
    Note,
    /// The decision offers nothing, or its steps are broken.
    #[error(transparent)]
    NoStage(#[from] NoStage),
    /// What was to be kept beside a decision.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// What was to be taken out.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The evidence cannot be shown.
    #[error("the evidence cannot be shown")]
    Evidence(#[from] OpenError),
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
    /// The accounts cannot be read.
    #[error("the accounts cannot be read")]
    People(#[source] StoreFailed),
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// The desk of the bank's people.
pub struct Desk {
    credit: Arc<Credit>,
    terms: Terms,
    clock: Arc<dyn Clock>,
    opened: kept::Shelf,
    room: Semaphore,
    signer: Option<SecretKey>,
    closing: CancellationToken,
    watchers: Arc<Semaphore>,
}

impl Desk {
    /// A desk over the lending service and its clock.
    #[must_use]
    pub fn new(credit: Arc<Credit>, terms: Terms, clock: Arc<dyn Clock>) -> Self {
        Self {
            credit,
            terms,
            clock,
            opened: kept::Shelf::default(),
            room: Semaphore::new(OPENED_AT_ONCE),
            signer: None,
            closing: CancellationToken::new(),
            watchers: Arc::new(Semaphore::new(pulse::WATCHERS_MAX)),
        }
    }

    /// With the key that exports are signed with.
    #[must_use]
    pub fn signing_with(self, signer: Option<SecretKey>) -> Self {
        Self { signer, ..self }
    }

    /// Which ends what it keeps open for browsers once this is cancelled.
    #[must_use]
    pub fn ending_with(self, closing: CancellationToken) -> Self {
        Self { closing, ..self }
    }

    /// Within which time people look at an offer.
    #[must_use]
    pub fn within(&self) -> &Within {
        &self.terms.within
    }

    /// The lending service behind it.
    #[must_use]
    pub fn credit(&self) -> &Arc<Credit> {
        &self.credit
    }

    /// Machines that are let in.
    #[must_use]
    pub fn machines(&self) -> &[Token] {
        &self.terms.machines
    }

    /// By which rules offers are decided.
    #[must_use]
    pub fn rules(&self) -> &ReviewRules {
        &self.terms.review
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The record of a decision.
    ///
    /// # Errors
    /// [`DeskError::Unknown`], [`DeskError::Store`].
    pub async fn record(&self, decision_id: &str) -> Result<Record, DeskError> {
        let record = self.credit.store().lookup(decision_id).await?;
        record.ok_or(DeskError::Unknown)
    }

    /// Where an offer stands now: one whose time is over lapses first.
    ///
    /// # Errors
    /// [`DeskError::NoStage`] for a decline, [`DeskError::Store`].
    pub async fn stage(&self, decision: &Decision) -> Result<Stage, DeskError> {
        let stage = self.read(decision).await?;
        match stage.clone().lapse(self.clock.now()) {
            None => Ok(stage),
            Some(lapsed) => {
                self.keep(&lapsed, "service", Action::Lapse).await?;
                self.read(decision).await
            }
        }
    }

    /// Lets every offer lapse whose time is over, so that its room is free again. Called before
    /// room is asked for and before the queue is shown.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn lapse_due(&self) -> Result<(), DeskError> {
        let now = self.clock.now();
        for open in self.credit.store().shelf(Shelf::Open, SHELF_MAX).await? {
            let stage = Stage::read(&open.decision, open.history, &self.terms.review)?;
            if let Some(lapsed) = stage.lapse(now) {
                self.keep(&lapsed, "service", Action::Lapse).await?;
            }
        }
        Ok(())
    }

    async fn read(&self, decision: &Decision) -> Result<Stage, DeskError> {
        let history = self.credit.store().history(&decision.decision_id).await?;
        Ok(Stage::read(decision, history, &self.terms.review)?)
    }

    /// Decides on an offer. The same wish of the same person again changes nothing and is no error.
    ///
    /// # Errors
    /// [`DeskError`]; nothing was changed then.
    pub async fn review(&self, by: &Actor, wish: Wish) -> Result<(), DeskError> {
        if !by.role.decides() {
            return Err(DeskError::NotAllowed);
        }
        let record = self.record(&wish.decision_id).await?;
        let stage = self.stage(&record.decision).await?;
        if stage
            .offer()
            .history()
            .iter()
            .any(|one| is_again(one, by, &wish))
        {
            return Ok(());
        }
        let note = note(&wish.note)?;
        if let Some(reason) = wish.choice.reason() {
            self.check_reason(reason).await?;
        }
        self.check_person(by, &stage).await?;
        self.check_current(&wish, &stage)?;
        let verdict = Verdict {
            person: by.name.clone(),
            choice: wish.choice,
            note,
        };
        let now = self.clock.now();
        let review = match stage {
            Stage::Waiting(waiting) => waiting.review(verdict, now),
            Stage::Endorsed(endorsed) => match endorsed.review(verdict, now) {
                Ok(review) => review,
                Err(_) => return Err(self.same_person(by, &record).await?),
            },
            Stage::Settled(_) | Stage::Passed(_) => return Err(DeskError::Settled),
        };
        match self
            .keep(&review, by.name.as_str(), action(&review))
            .await?
        {
            Step::Kept => Ok(()),
            Step::Taken => Err(DeskError::Stale),
            Step::SamePerson => Err(self.same_person(by, &record).await?),
        }
    }

    /// Whoever has a step on the offer gets no second one, whatever they saw.
    async fn check_person(&self, by: &Actor, stage: &Stage) -> Result<(), DeskError> {
        let offer = stage.offer();
        let took_part = |one: &Review| one.person.as_ref() == Some(&by.name);
        if stage.is_settled() || !offer.history().iter().any(took_part) {
            return Ok(());
        }
        Err(self.note_same_person(by, &offer.decision_id).await?)
    }

    fn check_current(&self, wish: &Wish, stage: &Stage) -> Result<(), DeskError> {
        match stage {
            Stage::Settled(_)
                if stage
                    .offer()
                    .history()
                    .last()
                    .is_some_and(|one| one.act == Act::Lapse) =>
            {
                Err(DeskError::Lapsed)
            }
            Stage::Settled(_) | Stage::Passed(_) => Err(DeskError::Settled),
            _ if stage.version() != wish.version => Err(DeskError::Stale),
            _ => Ok(()),
        }
    }

    async fn check_reason(&self, code: &Slug) -> Result<(), DeskError> {
        let reasons = self.credit.store().reasons().await?;
        let active = |one: &RefusalReason| one.active && one.code == *code;
        if reasons.iter().any(active) {
            Ok(())
        } else {
            Err(DeskError::Reason(code.clone()))
        }
    }

    async fn same_person(&self, by: &Actor, record: &Record) -> Result<DeskError, DeskError> {
        self.note_same_person(by, &record.decision.decision_id)
            .await
    }

    async fn note_same_person(
        &self,
        by: &Actor,
        decision_id: &str,
    ) -> Result<DeskError, DeskError> {
        let entry = self.entry(by.name.as_str(), Action::SamePerson, decision_id, "");
        self.credit.store().note(&entry).await?;
        Ok(DeskError::SamePerson)
    }

    async fn keep(&self, review: &Review, actor: &str, action: Action) -> Result<Step, StoreError> {
        let reason = review.reason.as_ref().map_or("", Slug::as_str);
        let entry = Entry {
            at: review.at,
            ..self.entry(actor, action, &review.decision_id, reason)
        };
        self.credit.store().review(review, &entry).await
    }

    fn entry(&self, actor: &str, action: Action, subject: &str, detail: &str) -> Entry {
        Entry {
            at: self.clock.now(),
            actor: actor.to_owned(),
            action,
            subject: subject.to_owned(),
            detail: detail.to_owned(),
        }
    }

    /// The evidence that a decision rests on, verified by this process.
    ///
    /// # Errors
    /// [`DeskError::Evidence`], [`DeskError::Stopping`], [`DeskError::Store`].
    pub async fn evidence(&self, record: &Record) -> Result<Arc<Opened>, DeskError> {
        let hash = record.evidence().ok_or(OpenError::Unnamed)?;
        if let Some(opened) = self.opened.find(&hash) {
            return Ok(opened);
        }
        let _room = self.room.acquire().await.map_err(|_| DeskError::Stopping)?;
        if let Some(opened) = self.opened.find(&hash) {
            return Ok(opened);
        }
        let bundle = self.credit.store().evidence(&hash).await?;
        let bundle = bundle.ok_or(OpenError::Missing(hash))?;
        let (policy, now) = (self.credit.policy().clone(), self.clock.now());
        let work = tokio::task::spawn_blocking(move || Opened::new(hash, bundle, &policy, now));
        let opened = work.await.map_err(|_| DeskError::Stopping)??;
        let opened = Arc::new(opened);
        self.opened.put(hash, Arc::clone(&opened));
        Ok(opened)
    }
}

/// True if this very step was made by this person from this very form before.
fn is_again(kept: &Review, by: &Actor, wish: &Wish) -> bool {
    kept.person.as_ref() == Some(&by.name)
        && kept.version == wish.version
        && kept.act == wish.choice.act()
        && kept.reason.as_ref() == wish.choice.reason()
}

fn action(review: &Review) -> Action {
    match (review.act, review.settles) {
        (Act::Accept, true) => Action::Accept,
        (Act::Accept, false) => Action::Endorse,
        (Act::Refuse, _) => Action::Refuse,
        (Act::Lapse, _) => Action::Lapse,
        (Act::Pass, _) => Action::Pass,
    }
}

/// A note as it is kept: browsers end lines with CR LF, and control characters say nothing.
fn note(text: &str) -> Result<String, DeskError> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let plain = !text
        .chars()
        .any(|letter| letter.is_control() && letter != '\n');
    if plain && text.chars().count() <= NOTE_MAX {
        Ok(text.to_owned())
    } else {
        Err(DeskError::Note)
    }
}

#[cfg(test)]
mod tests;
