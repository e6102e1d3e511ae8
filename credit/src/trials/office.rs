//! What people decide about the trial. Supervisors propose, and another supervisor agrees; whoever
//! looks after the trial writes down complaints, incidents, problems; the regulator reads, and may
//! stop the trial with a reason. Each act is in the trail, and so is each try of one person to agree
//! with themselves.

use std::sync::Arc;

use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::{Clock, Instant};

use super::act::{Known, StepWish, said};
use super::rows::{Loans, Source, problems};
use super::state::State;
use super::{ActError, Lender, Terms};
use crate::audit::{Action, Entry};
use crate::desk::{Actor, Role};
use crate::logged::Logged;
use crate::sandbox::indicators::{Fact, FigureId, Row, Rows};
use crate::sandbox::stage::{Act, Capacity, Step};
use crate::sandbox::stop_loss::Trip;
use crate::store::sandbox::{Motion, OfficeError, StepProposal, Trials};
use crate::store::{StoreError, Tables};

/// What an act has become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is done.
    Done,
    /// It waits for another person, who agrees to this hash.
    Waits(Hash),
}

/// Something that people write down about the trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Somebody complained.
    Complaint {
        /// Whether it is about personal data.
        privacy: bool,
    },
    /// A complaint was answered.
    Answer {
        /// Its row.
        of: Slug,
    },
    /// Something went wrong.
    Incident {
        /// Whether personal data were touched.
        privacy: bool,
    },
    /// What went wrong was treated.
    Treated {
        /// Its row.
        of: Slug,
    },
    /// Something is wrong with the trial.
    Problem {
        /// The figure that shows it.
        figure: Option<FigureId>,
        /// What.
        words: String,
    },
    /// Something was done about a problem.
    Treatment {
        /// Its row.
        of: Slug,
        /// What.
        words: String,
    },
    /// A problem is over.
    Close {
        /// Its row.
        of: Slug,
    },
}

/// The office of a trial. Cheap to clone.
#[derive(Clone)]
pub struct Office {
    pub(super) trials: Trials,
    pub(super) store: Arc<dyn Tables>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) terms: Arc<Terms>,
    pub(super) source: Source,
    pub(super) logged: Option<Logged>,
}

impl Office {
    /// Of the trial that these terms name.
    #[must_use]
    pub fn new(
        trials: Trials,
        store: Arc<dyn Tables>,
        loans: Arc<dyn Loans>,
        clock: Arc<dyn Clock>,
        terms: Arc<Terms>,
    ) -> Self {
        let source = Source::new(
            trials.clone(),
            Arc::clone(&store),
            loans,
            Arc::clone(&terms),
        );
        Self {
            trials,
            store,
            clock,
            terms,
            source,
            logged: None,
        }
    }

    /// The same that hands hashes of the trial's documents over for the log.
    #[must_use]
    pub fn logging(self, logged: Logged) -> Self {
        Self {
            logged: Some(logged),
            ..self
        }
    }

    /// Where documents are proven to stand in the log, if they are handed over at all.
    #[must_use]
    pub const fn logged(&self) -> Option<&Logged> {
        self.logged.as_ref()
    }

    /// The trial's name.
    #[must_use]
    pub fn trial(&self) -> &Slug {
        &self.terms.trial
    }

    /// What lends in this trial.
    #[must_use]
    pub fn lender(&self) -> Lender {
        Lender::new(self.trials.clone(), Arc::clone(&self.terms))
    }

    /// Everything that is done with trials.
    #[must_use]
    pub const fn trials(&self) -> &Trials {
        &self.trials
    }

    /// Its terms.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The trial as it stands.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn state(&self) -> Result<State, ActError> {
        State::read(&self.trials, &self.terms, self.clock.now()).await
    }

    /// Every row that figures are counted from.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn rows(&self) -> Result<Rows, ActError> {
        self.source.all().await
    }

    /// Rows that people wrote: complaints, incidents, problems. Reads no loan and no decision.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn written(&self) -> Result<Rows, ActError> {
        self.source.written().await
    }

    /// Keeps what one person wants: limits, a rule, the lifting of a stop-loss.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn propose(&self, by: &Actor, motion: Motion) -> Result<Hash, ActError> {
        if !by.role.keeps_trial() || motion.proposer() != &by.name {
            return Err(ActError::NotAllowed);
        }
        let now = self.clock.now();
        let hash = self.trials.propose(self.trial(), &motion, now).await?;
        let detail = format!("propose {} {hash}", word(&motion));
        self.note(by.name.as_str(), Action::Trial, &detail).await?;
        Ok(hash)
    }

    /// A second person agrees to what is kept under a hash.
    ///
    /// # Errors
    /// [`ActError`]; that one person tried to agree with themselves is kept in the trail.
    pub async fn approve(&self, by: &Actor, motion: Hash) -> Result<(), ActError> {
        if !by.role.keeps_trial() {
            return Err(ActError::NotAllowed);
        }
        let agreed = self.agree(&by.name, motion).await;
        let (action, what) = match &agreed {
            Ok(what) => (Action::Trial, *what),
            Err(error) if error.is_same_person() => (Action::SamePerson, "approve"),
            Err(_) => return agreed.map(drop),
        };
        let detail = format!("approve {what} {motion}");
        self.note(by.name.as_str(), action, &detail).await?;
        agreed.map(drop)
    }

    async fn agree(&self, approver: &Slug, hash: Hash) -> Result<&'static str, ActError> {
        let (trial, now) = (self.trial(), self.clock.now());
        let motion = self.trials.motion(trial, hash).await?;
        // Said here too, so that it is said first: whatever else may be missing.
        if motion.proposer() == approver {
            return Err(OfficeError::SamePerson.into());
        }
        let trials = &self.trials;
        match &motion {
            Motion::Limits(_) => {
                trials.approve_limits(trial, hash, approver, now).await?;
            }
            Motion::Rule(_) => {
                trials.approve_rule(trial, hash, approver, now).await?;
            }
            Motion::Lift(_) => {
                let trips = self.trips().await?;
                let lifted = trials.approve_lift(trial, hash, approver, &trips, now);
                lifted.await?;
            }
            Motion::Step(_) => {
                trials.approve_step(trial, hash, approver, now).await?;
            }
        }
        Ok(word(&motion))
    }

    /// A step: taken at once where one person may, else kept until a second one agrees.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn step(&self, by: &Actor, wish: &StepWish) -> Result<Done, ActError> {
        let capacity = capacity(by, wish)?;
        let state = self.state().await?;
        let act = wish.read(&known(&state)?)?;
        if by.role == Role::Regulator && !matches!(act, Act::Stop { .. }) {
            return Err(ActError::NotAllowed);
        }
        if act.needs_two() {
            return self.propose_step(by, act, capacity, &state).await;
        }
        let step = Step {
            act,
            by: by.name.clone(),
            capacity,
            second: None,
            at: self.clock.now(),
        };
        self.trials.take_step(self.trial(), &step).await?;
        let detail = format!("step {}", step.act.word());
        self.note(by.name.as_str(), Action::Trial, &detail).await?;
        Ok(Done::Done)
    }

    /// What could not be taken with a second person is refused at once, with everything missing.
    async fn propose_step(
        &self,
        by: &Actor,
        act: Act,
        capacity: Capacity,
        state: &State,
    ) -> Result<Done, ActError> {
        let proposal = StepProposal {
            act,
            capacity,
            proposer: by.name.clone(),
        };
        let somebody: Slug = format!("{}-2", by.name.as_str().get(..24).unwrap_or("x"))
            .parse()
            .unwrap_or_else(|_| self.trial().clone());
        let tried = proposal.clone().agreed(somebody, state.now);
        let trial = state.footing.trial.clone();
        let tried = trial.take(tried);
        tried.map_err(crate::store::sandbox::StepError::from)?;
        let hash = self.propose(by, Motion::Step(proposal)).await?;
        Ok(Done::Waits(hash))
    }

    /// What would trip the stop-loss now.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn trips(&self) -> Result<Vec<Trip>, ActError> {
        let Some(rule) = self.trials.rule(self.trial()).await? else {
            return Ok(Vec::new());
        };
        let compensation = self.compensation().await?;
        let readings = self.source.readings(self.clock.now(), compensation).await?;
        let trips = rule.rule().trips(&readings);
        Ok(trips.map_err(crate::sandbox::report::ReportError::from)?)
    }

    /// What the newest declaration says there is to compensate users from.
    async fn compensation(&self) -> Result<crate::money::Money, ActError> {
        let declarations = self.trials.declarations(self.trial()).await?;
        let pools = declarations.last().into_iter();
        let pools = pools.flat_map(|last| last.compensation.iter());
        let mut sum = crate::money::Money::zero(self.terms.currency);
        for pool in pools {
            let added = sum.plus(pool.amount);
            sum = added.map_err(crate::sandbox::report::ReportError::from)?;
        }
        Ok(sum)
    }

    /// Writes something down; its row's id.
    ///
    /// # Errors
    /// [`ActError`] for what is about nothing, or says nothing.
    pub async fn write(&self, by: &Actor, note: Note) -> Result<Slug, ActError> {
        if !by.role.writes_trial() {
            return Err(ActError::NotAllowed);
        }
        let rows = self.source.written().await?;
        let at = self.clock.now();
        let row = row(&by.name, note, at, &rows)?;
        self.trials.keep_row(self.trial(), &row, &by.name).await?;
        let detail = format!("write {} {}", row.fact.word(), row.id);
        self.note(by.name.as_str(), Action::Trial, &detail).await?;
        Ok(row.id)
    }

    pub(super) async fn note(
        &self,
        actor: &str,
        action: Action,
        detail: &str,
    ) -> Result<(), StoreError> {
        let entry = Entry {
            at: self.clock.now(),
            actor: actor.to_owned(),
            action,
            subject: self.trial().to_string(),
            detail: detail.to_owned(),
        };
        self.store.note(&entry).await
    }
}

fn word(motion: &Motion) -> &'static str {
    match motion {
        Motion::Limits(_) => "limits",
        Motion::Rule(_) => "rule",
        Motion::Lift(_) => "lift",
        Motion::Step(step) => step.act.word(),
    }
}

/// The regulator acts as the authority and as nothing else.
fn capacity(by: &Actor, wish: &StepWish) -> Result<Capacity, ActError> {
    if by.role == Role::Regulator {
        return Ok(Capacity::Authority);
    }
    if !by.role.keeps_trial() {
        return Err(ActError::NotAllowed);
    }
    wish.capacity()
}

fn known(state: &State) -> Result<Known<'_>, ActError> {
    let what = StoreError::Row {
        what: "declaration",
    };
    let declaration = state.declarations.last().ok_or(what)?;
    let broken = |_| StoreError::Row { what: "document" };
    let limits = state.limits().map(|limits| limits.hash()).transpose();
    let rule = state.rule.as_ref().map(|rule| rule.rule().hash());
    Ok(Known {
        declaration,
        declared: declaration.hash().map_err(broken)?,
        limits: limits.map_err(broken)?,
        rule: rule.transpose().map_err(broken)?,
        tripped: state.footing.guard.is_tripped(),
        outstanding_fen: state.outstanding_fen,
    })
}

fn row(by: &Slug, note: Note, at: Instant, rows: &Rows) -> Result<Row, ActError> {
    let named = id(by, &note, at)?;
    let there = |of: &Slug, what: &'static str, is: fn(&Fact) -> bool| {
        let found = rows.all().iter().any(|row| row.id == *of && is(&row.fact));
        found.then_some(()).ok_or(ActError::Unknown(what))
    };
    let fact = match note {
        Note::Complaint { privacy } => Fact::Complained {
            complaint: named.clone(),
            privacy,
        },
        Note::Answer { of } => {
            there(&of, "complaint", |fact| {
                matches!(fact, Fact::Complained { .. })
            })?;
            Fact::Answered { complaint: of }
        }
        Note::Incident { privacy } => Fact::Incident { privacy },
        Note::Treated { of } => {
            there(&of, "incident", |fact| {
                matches!(fact, Fact::Incident { .. })
            })?;
            Fact::Treated { incident: of }
        }
        Note::Problem { figure, words } => Fact::Problem {
            by: by.clone(),
            figure,
            words: said("words", &words)?,
        },
        Note::Treatment { of, words } => {
            open_problem(rows, &of)?;
            Fact::Treatment {
                problem: of,
                by: by.clone(),
                words: said("words", &words)?,
            }
        }
        Note::Close { of } => {
            if open_problem(rows, &of)? {
                let problem = "nothing was done about the problem: say what was done first";
                return Err(ActError::field("problem", problem));
            }
            let by = by.clone();
            Fact::Closed { problem: of, by }
        }
    };
    Ok(Row {
        id: named,
        at,
        fact,
    })
}

/// Whether nothing was done about a problem that is open.
fn open_problem(rows: &Rows, id: &Slug) -> Result<bool, ActError> {
    let found = problems(rows).into_iter().find(|one| one.id == *id);
    let found = found.filter(|one| one.closed_at.is_none());
    let found = found.ok_or(ActError::Unknown("open problem"))?;
    Ok(found.is_untreated())
}

/// The same words of the same person at the same instant are one row.
fn id(by: &Slug, note: &Note, at: Instant) -> Result<Slug, ActError> {
    let name = sha256(format!("{by}\n{at}\n{note:?}").as_bytes()).to_string();
    let id = format!("n-{}", name.get(..24).unwrap_or_default()).parse();
    Ok(id.map_err(|_| StoreError::Row { what: "row" })?)
}
