//! How a request becomes acts: fold, bring to today, try, write, and look again if overtaken.

use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::rows::Named;
use super::{Lending, LendingError, Loaded, TRIES};
use crate::audit::{self, Action};
use crate::law::acceptance::china_day;
use crate::ledger::{Class, Entry, LoanId};
use crate::loan::life::{self, Act, Actor, Deed, Key, Loan};
use crate::sandbox::indicators::Row;
use crate::store::StoreError;
use crate::store::lending::{ACTS_MAX, Change, Denial, Ended, Head, Write, Wrote};

/// Rule that refuses an act about a token that is not the open one any more.
pub const TOKEN_CHANGED: &str = "token-changed";

/// Rule that refuses what somebody asked for who saw another state of the loan.
pub const LOAN_CHANGED: &str = "loan-changed";

/// Something that somebody wants done with a loan.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which loan.
    pub loan: LoanId,
    /// Its name within the loan: the same one again changes nothing.
    pub key: Key,
    /// The day that it counts from; today if none is given.
    pub value: Option<NaiveDate>,
    /// Who.
    pub by: Actor,
    /// What.
    pub deed: Deed,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Done {
    /// The loan after it.
    pub loan: Loan,
    /// False if it had been done before: nothing was changed.
    pub is_new: bool,
}

/// What is written with an act beside what follows from it.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    /// The token that the act is about: it must be the open one, whoever is quicker.
    pub(super) token: Option<Hash>,
    /// How many acts the loan had when it was shown to whoever asks, if it must be so many still.
    pub(super) seen: Option<u32>,
    /// Who pays in the end, where the act says that money went out.
    pub(super) buyer: Option<Slug>,
    pub(super) payee: Option<(Hash, String)>,
    pub(super) ends: Option<Ended>,
}

/// A loan on its way through several acts of one transaction.
struct Moving<'l> {
    named: &'l Named,
    /// How many acts it had.
    before: u32,
    loan: Loan,
    acts: Vec<Act>,
    entries: Vec<Entry>,
    rows: Vec<Row>,
}

impl<'l> Moving<'l> {
    fn begin(named: &'l Named, loaded: &Loaded) -> Self {
        Self {
            named,
            before: loaded.head.acts,
            loan: loaded.loan.clone(),
            acts: Vec::new(),
            entries: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Brings the loan to a day.
    fn run(self, day: NaiveDate, now: Instant) -> Result<Self, LendingError> {
        let (loan, done) = life::day(self.loan.clone(), day, now)?;
        let (mut acts, mut entries) = (Vec::new(), Vec::new());
        for (act, booked) in done {
            acts.push(act);
            entries.extend(booked);
        }
        self.on(loan, acts, entries, now)
    }

    /// Goes on to the loan after these acts; what lies between is told.
    fn on(
        mut self,
        loan: Loan,
        acts: Vec<Act>,
        entries: Vec<Entry>,
        now: Instant,
    ) -> Result<Self, LendingError> {
        if acts.is_empty() {
            return Ok(self);
        }
        self.acts.extend(acts);
        self.entries.extend(entries);
        let added = u32::try_from(self.acts.len()).unwrap_or(u32::MAX);
        let number = self.before.saturating_add(added);
        let named = self.named.clone().with_file(&loan);
        let between = (self.loan.position(), loan.position());
        self.rows.extend(named.rows(between, number, now)?);
        self.loan = loan;
        Ok(self)
    }
}

/// Who is named in rows.
pub(super) fn who(by: &Actor) -> String {
    match by {
        Actor::Machine => "machine".to_owned(),
        Actor::Bank => "bank".to_owned(),
        Actor::Borrower { supplier } => format!("borrower {supplier}"),
        Actor::One { person } => person.name.to_string(),
        Actor::Two { people } => format!("{}, {}", people.maker().name, people.checker().name),
    }
}

/// Fen of the room that a loan holds of a trial: what was approved until the money is out, then the
/// principal; none where that says nothing: what was written off keeps its room.
fn held(loan: &Loan) -> Option<i64> {
    match loan.position() {
        Some(position) if position.is_written_off() => None,
        Some(position) => Some(position.books().fen(Class::Principal)),
        None if matches!(loan, Loan::Closed(_)) => Some(0),
        None => Some(loan.file().opened().approved.fen()),
    }
}

/// The row that lists have of a loan after so many acts.
///
/// # Errors
/// [`LendingError::Store`] for a position that its product cannot have; never in practice.
pub fn row_of(loan: &Loan, acts: u32) -> Result<Head, LendingError> {
    let file = loan.file();
    let opened = file.opened();
    let position = loan.position();
    let kept = position.map(|position| position.keep(file.conditions(), opened.instalments));
    let kept = kept
        .transpose()
        .map_err(|_| StoreError::Row { what: "position" })?;
    Ok(Head {
        loan: file.id().clone(),
        acts,
        state: loan.word().to_owned(),
        supplier: opened.supplier.clone(),
        product: opened.product,
        rules: opened.rules,
        instalments: opened.instalments,
        approved: opened.approved,
        run_day: life::run_day(loan),
        due_day: position
            .and_then(|one| one.slots().first())
            .map(|slot| slot.due),
        last_booked: file.last_booked(),
        position: kept,
    })
}

impl Lending {
    /// Does what is asked for, or answers that it was done before.
    ///
    /// # Errors
    /// [`LendingError`]; nothing was changed then, and a refusal is kept.
    pub async fn act(&self, request: Request) -> Result<Done, LendingError> {
        self.act_with(request, Beside::default()).await
    }

    /// Does what is asked for by somebody who saw the loan with so many acts.
    ///
    /// # Errors
    /// [`LendingError`], [`LOAN_CHANGED`] if it has others by now.
    pub async fn act_as_seen(&self, request: Request, seen: u32) -> Result<Done, LendingError> {
        let beside = Beside {
            seen: Some(seen),
            ..Beside::default()
        };
        self.act_with(request, beside).await
    }

    pub(super) async fn act_with(
        &self,
        request: Request,
        beside: Beside,
    ) -> Result<Done, LendingError> {
        let done = self.with_buyer(&request, beside).await;
        let done = match done {
            Ok(beside) => self.tried(&request, &beside).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &done {
            self.keep_denial(&request, error).await?;
        }
        let done = done?;
        if done.is_new {
            self.tell_room().await?;
        }
        Ok(done)
    }

    /// Money went out: who pays for it in the end is asked for.
    async fn with_buyer(
        &self,
        request: &Request,
        mut beside: Beside,
    ) -> Result<Beside, LendingError> {
        if !matches!(request.deed, Deed::Disbursed { .. }) {
            return Ok(beside);
        }
        if let Some(head) = self.store.head(&request.loan).await? {
            let asked = self.ports.room.buyer(&head.loan, &head.supplier).await;
            let asked = asked.map_err(|error| LendingError::Unavailable("the trial", error.into()));
            beside.buyer = Some(asked?);
        }
        Ok(beside)
    }

    async fn tried(&self, request: &Request, beside: &Beside) -> Result<Done, LendingError> {
        for _ in 0..TRIES {
            let loaded = self.loan(&request.loan).await?;
            let now = self.clock.now();
            let Some(write) = self.plan(&loaded, request, beside, now)? else {
                let loan = loaded.loan;
                return Ok(Done {
                    loan,
                    is_new: false,
                });
            };
            let (loan, write) = write;
            match self.store.write_loans(&write).await? {
                Wrote::Kept => return Ok(Done { loan, is_new: true }),
                Wrote::Overtaken => {}
            }
        }
        Err(LendingError::Busy)
    }

    /// What a request writes; nothing if it was done before.
    pub(super) fn plan(
        &self,
        loaded: &Loaded,
        request: &Request,
        beside: &Beside,
        now: Instant,
    ) -> Result<Option<(Loan, Write)>, LendingError> {
        let today = china_day(now);
        let kept = loaded.acts.iter().find(|act| act.key == request.key);
        let known_day = kept.map(|act| act.value);
        let act = Act {
            key: request.key.clone(),
            value: request.value.or(known_day).unwrap_or(today),
            booked: now,
            by: request.by.clone(),
            deed: request.deed.clone(),
        };
        let borrower = &loaded.head.supplier;
        let named = Named::of(&loaded.head.loan, borrower, beside.buyer.as_ref())?;
        let mut moving = Moving::begin(&named, loaded);
        if kept.is_none() {
            check_seen(loaded, beside.seen)?;
            moving = moving.run(today, now)?;
            check_token(&moving.loan, beside.token)?;
        }
        let applied = moving.loan.clone().apply(act.clone())?;
        if !applied.is_new {
            return Ok(None);
        }
        let moving = moving.on(applied.loan, vec![act], applied.entries, now)?;
        // The fee of the disbursement is due on its day, and the bank may have paid yesterday.
        let moving = moving.run(today, now)?;
        let change = change(loaded, &moving, beside)?;
        let note = note(request, now);
        let write = Write {
            book: self.rules.book.clone(),
            changes: vec![change],
            entries: moving.entries,
            note,
        };
        Ok(Some((moving.loan, write)))
    }

    /// The loan of a name, if there is one.
    pub(super) async fn load(&self, id: &LoanId) -> Result<Option<Loaded>, LendingError> {
        for _ in 0..TRIES {
            let Some(head) = self.store.head(id).await? else {
                return Ok(None);
            };
            let acts = self.store.acts(id, 0, ACTS_MAX).await?;
            if acts.len() != head.acts as usize {
                // Something was added between the two.
                continue;
            }
            let acts: Vec<Act> = acts.into_iter().map(|one| one.act).collect();
            let store = &*self.store;
            let conditions = self.catalogue.conditions(store, head.product, head.rules);
            let folded = Loan::replay(id.clone(), conditions.await?, acts.iter().cloned());
            let (loan, _) = folded.map_err(|error| {
                tracing::error!(loan = %id, %error, "the acts of a loan do not follow");
                StoreError::Row { what: "loan" }
            })?;
            return Ok(Some(Loaded { loan, head, acts }));
        }
        Err(LendingError::Busy)
    }

    /// A refusal is kept with who asked; other errors are none.
    pub(super) async fn keep_denial(
        &self,
        request: &Request,
        error: &LendingError,
    ) -> Result<(), StoreError> {
        let asked = (request.deed.word(), request.key.as_str());
        self.keep_refusal(&request.loan, &request.by, asked, error)
            .await
    }

    /// The same for what never became a request; `asked` is a word of what, and its key.
    pub(super) async fn keep_refusal(
        &self,
        loan: &LoanId,
        by: &Actor,
        (deed, key): (&str, &str),
        error: &LendingError,
    ) -> Result<(), StoreError> {
        let Some((rule, reason)) = error.refusal() else {
            return Ok(());
        };
        let denial = Denial {
            loan: loan.clone(),
            at: self.clock.now(),
            who: who(by),
            deed: deed.to_owned(),
            key: key.to_owned(),
            rule: rule.to_owned(),
            reason,
        };
        tracing::warn!(%loan, deed, rule, "a loan refused an act");
        self.store.deny(&denial).await
    }
}

/// The loan is still as somebody saw it, if they say how it was.
pub(super) fn check_seen(loaded: &Loaded, seen: Option<u32>) -> Result<(), LendingError> {
    match seen {
        Some(seen) if seen != loaded.head.acts => {
            let why = "something has happened to the loan since it was shown";
            Err(LendingError::denied(LOAN_CHANGED, why))
        }
        _ => Ok(()),
    }
}

/// The open token is still the one that somebody has seen, if they name one.
fn check_token(loan: &Loan, seen: Option<Hash>) -> Result<(), LendingError> {
    let open = match loan {
        Loan::Drawable(drawable) => Some(drawable.token().secret()),
        _ => None,
    };
    match seen {
        Some(seen) if open != Some(seen) => {
            let why = "the token that was shown is not the open one any more";
            Err(LendingError::denied(TOKEN_CHANGED, why))
        }
        _ => Ok(()),
    }
}

/// What the acts of one loan write.
fn change(loaded: &Loaded, moving: &Moving<'_>, beside: &Beside) -> Result<Change, LendingError> {
    let before = loaded.head.acts;
    let added = u32::try_from(moving.acts.len()).unwrap_or(u32::MAX);
    let acts = before.saturating_add(added);
    let given = match (held(&loaded.loan), held(&moving.loan)) {
        (Some(was), Some(is)) => was.saturating_sub(is),
        _ => 0,
    };
    Ok(Change {
        before,
        head: row_of(&moving.loan, acts)?,
        acts: moving.acts.clone(),
        room: Some((acts, given))
            .filter(|(_, fen)| *fen != 0)
            .into_iter()
            .collect(),
        rows: moving.rows.clone(),
        payee: beside.payee.clone(),
        ends: beside.ends.clone(),
    })
}

fn note(request: &Request, at: Instant) -> audit::Entry {
    let amount = request.deed.amount();
    let amount = amount.map_or_else(String::new, |amount| format!(" {amount}"));
    audit::Entry {
        at,
        actor: who(&request.by),
        action: Action::LoanAct,
        subject: request.loan.to_string(),
        detail: format!("{} {}{amount}", request.deed.word(), request.key),
    }
}
