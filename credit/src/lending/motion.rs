//! What needs two people: one proposes, another one agrees, refuses, or the first withdraws.

use chrono::NaiveDate;
use schemas::hash::{Hash, sha256_parts};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::act::Beside;
use super::{Done, Lending, LendingError, Request};
use crate::audit::{self, Action};
use crate::law::acceptance::china_day;
use crate::ledger::LoanId;
use crate::loan::life::{
    Actor, Deed, FreezeCause, Key, NewTerms, Person, Refused, Repaid, Span, TwoPeople,
};
use crate::schedule::{self, Frequency, Rate, Terms, Unit};
use crate::store::StoreError;
use crate::store::lending::{Ended, LOANS_MAX, Motion};

/// What is proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// A deed as it stands.
    Deed {
        /// The deed.
        deed: Deed,
    },
    /// New terms, whose periods begin on the day of the agreement.
    NewTerms {
        /// In how many instalments.
        instalments: u32,
        /// Every so many months.
        months: u32,
        /// New interest of a year in percent.
        annual_rate_percent: String,
        /// How the principal is repaid.
        repaid: Repaid,
        /// Why the borrower is in difficulty, and what was agreed.
        reason: String,
    },
}

/// A proposal: what, and the day that it counts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The day that it counts from; the day of the agreement if none is given.
    pub value: Option<NaiveDate>,
    /// What.
    pub what: What,
}

/// Motions of a loan that one list hands out.
const MOTIONS_SHOWN: u32 = 50;

impl Proposal {
    /// A word for what is proposed: that of the deed.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match &self.what {
            What::Deed { deed } => deed.word(),
            What::NewTerms { .. } => "restructured",
        }
    }

    /// A motion's body, read again.
    ///
    /// # Errors
    /// [`StoreError::Row`] for one that this build does not know.
    pub fn of(motion: &Motion) -> Result<Self, StoreError> {
        serde_json::from_str(&motion.body).map_err(|_| StoreError::Row { what: "motion" })
    }

    fn body(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|_| StoreError::Row { what: "motion" })
    }

    fn check(&self) -> Result<(), LendingError> {
        match &self.what {
            What::Deed { deed } if !deed.is_of_two() => {
                let why = format!("{}: this is not for two people to decide", deed.word());
                Err(LendingError::denied("not-of-two", why))
            }
            _ => Ok(()),
        }
    }
}

fn motion(loan: &LoanId, id: Hash, by: &Slug, at: Instant, body: String) -> Motion {
    Motion {
        loan: loan.clone(),
        id,
        by: by.clone(),
        at,
        body,
        ended: None,
    }
}

/// What was proposed under a form's key before, if it is the same.
fn again(kept: Motion, motion: &Motion, form: &Key) -> Result<Motion, LendingError> {
    if kept.body == motion.body {
        Ok(kept)
    } else {
        Err(Refused::KeyReused(form.clone()).into())
    }
}

/// Its maker and anybody else, to try what two people could do.
fn with_somebody(maker: &Slug) -> Result<TwoPeople, LendingError> {
    let names = ["somebody-else", "another-one"];
    let mut others = names.iter().filter_map(|name| name.parse::<Slug>().ok());
    let other = others.find(|name| name != maker);
    let other = other.ok_or(LendingError::NoMotion)?;
    let people = TwoPeople::new(Person::new(maker.clone()), Person::new(other));
    Ok(people.map_err(Refused::from)?)
}

impl Lending {
    /// Proposes something that a second person has to agree to. The same proposal of the same person
    /// at the same instant is one.
    ///
    /// # Errors
    /// [`LendingError::Unknown`], [`LendingError::Denied`] for a deed that two people do not do.
    pub async fn propose(
        &self,
        loan: &LoanId,
        by: &Slug,
        proposal: &Proposal,
    ) -> Result<Motion, LendingError> {
        self.loan(loan).await?;
        proposal.check()?;
        let at = self.clock.now();
        let body = proposal.body()?;
        let id = sha256_parts(&[
            b"loan motion\n",
            loan.as_str().as_bytes(),
            b"\n",
            by.as_str().as_bytes(),
            b"\n",
            at.to_rfc3339().as_bytes(),
            b"\n",
            body.as_bytes(),
        ]);
        let motion = motion(loan, id, by, at, body);
        self.keep_motion(&motion).await?;
        Ok(motion)
    }

    async fn keep_motion(&self, motion: &Motion) -> Result<(), StoreError> {
        let note = motion_note(&motion.loan, &motion.by, "proposed", &motion.id, motion.at);
        self.store.propose(motion, &note).await
    }

    /// Proposes by a form that has a key of its own: the same form of the same person is one motion,
    /// whenever it comes. `seen` is how many acts the loan had when it was shown. What two people could
    /// not do today is not even proposed.
    ///
    /// # Errors
    /// [`LendingError::Unknown`]; [`LendingError::Denied`], [`LOAN_CHANGED`](super::LOAN_CHANGED) among
    /// them; [`LendingError::Refused`] where the life of the loan does not allow it. A refusal is kept.
    pub async fn propose_by_form(
        &self,
        loan: &LoanId,
        by: &Slug,
        proposal: &Proposal,
        (form, seen): (&Key, u32),
    ) -> Result<Motion, LendingError> {
        let id = sha256_parts(&[
            b"loan motion by form\n",
            loan.as_str().as_bytes(),
            b"\n",
            by.as_str().as_bytes(),
            b"\n",
            form.as_str().as_bytes(),
        ]);
        let motion = motion(loan, id, by, self.clock.now(), proposal.body()?);
        if let Some(before) = self.store.motion(loan, &id).await? {
            return again(before, &motion, form);
        }
        if let Err(error) = self.check_motion(&motion, proposal, seen).await {
            let person = Person::new(by.clone());
            let asked = (proposal.word(), form.as_str());
            self.keep_refusal(loan, &Actor::One { person }, asked, &error)
                .await?;
            return Err(error);
        }
        self.keep_motion(&motion).await?;
        let kept = self.store.motion(loan, &id).await?;
        again(kept.ok_or(LendingError::NoMotion)?, &motion, form)
    }

    /// Whether two people could do today what is proposed.
    async fn check_motion(
        &self,
        motion: &Motion,
        proposal: &Proposal,
        seen: u32,
    ) -> Result<(), LendingError> {
        proposal.check()?;
        let loaded = self.loan(&motion.loan).await?;
        let beside = Beside {
            seen: Some(seen),
            ..Beside::default()
        };
        let request = self.of_motion(motion, motion.at).await?;
        let by = Actor::Two {
            people: with_somebody(&motion.by)?,
        };
        self.plan(&loaded, &Request { by, ..request }, &beside, motion.at)?;
        Ok(())
    }

    /// Motions about a loan, open and ended, newest first.
    ///
    /// # Errors
    /// [`LendingError::Store`].
    pub async fn motions_of(&self, loan: &LoanId) -> Result<Vec<Motion>, LendingError> {
        Ok(self.store.motions_of(loan, MOTIONS_SHOWN).await?)
    }

    /// Motions that wait for a second person, oldest first.
    ///
    /// # Errors
    /// [`LendingError::Store`].
    pub async fn motions(&self) -> Result<Vec<Motion>, LendingError> {
        Ok(self.store.open_motions(LOANS_MAX).await?)
    }

    /// Agrees to a motion, which does what it proposes. Agreeing again changes nothing.
    ///
    /// # Errors
    /// [`LendingError::NoMotion`]; [`LendingError::Refused`] above all for the person who proposed it:
    /// the motion stays open, and the refusal is kept.
    pub async fn agree(&self, loan: &LoanId, id: &Hash, by: &Slug) -> Result<Done, LendingError> {
        self.agreed_to(loan, id, by, None).await
    }

    /// The same by somebody who saw the loan with so many acts.
    ///
    /// # Errors
    /// As [`Lending::agree`], and [`LOAN_CHANGED`](super::LOAN_CHANGED) if it has others by now.
    pub async fn agree_as_seen(
        &self,
        loan: &LoanId,
        id: &Hash,
        by: &Slug,
        seen: u32,
    ) -> Result<Done, LendingError> {
        self.agreed_to(loan, id, by, Some(seen)).await
    }

    async fn agreed_to(
        &self,
        loan: &LoanId,
        id: &Hash,
        by: &Slug,
        seen: Option<u32>,
    ) -> Result<Done, LendingError> {
        let motion = self
            .store
            .motion(loan, id)
            .await?
            .ok_or(LendingError::NoMotion)?;
        match &motion.ended {
            Some(end) if end.how != "agreed" => return Err(LendingError::NoMotion),
            Some(_) => {
                let loan = self.loan(loan).await?.loan;
                return Ok(Done {
                    loan,
                    is_new: false,
                });
            }
            None => {}
        }
        let at = self.clock.now();
        let request = self.of_motion(&motion, at).await?;
        let people = TwoPeople::new(Person::new(motion.by.clone()), Person::new(by.clone()));
        let people = match people {
            Ok(people) => people,
            Err(same) => {
                let error = Refused::from(same).into();
                self.keep_denial(&one(request, by), &error).await?;
                return Err(error);
            }
        };
        let end = Ended {
            motion: *id,
            how: "agreed".to_owned(),
            by: by.clone(),
            at,
        };
        let beside = Beside {
            ends: Some(end),
            seen,
            ..Beside::default()
        };
        let by = Actor::Two { people };
        self.act_with(Request { by, ..request }, beside).await
    }

    /// Ends a motion without doing it: its maker withdraws it, anybody else refuses it.
    ///
    /// # Errors
    /// [`LendingError::NoMotion`] if it ended before.
    pub async fn end_motion(
        &self,
        loan: &LoanId,
        id: &Hash,
        by: &Slug,
    ) -> Result<(), LendingError> {
        let motion = self
            .store
            .motion(loan, id)
            .await?
            .ok_or(LendingError::NoMotion)?;
        let at = self.clock.now();
        let how = if motion.by == *by {
            "withdrawn"
        } else {
            "refused"
        };
        let end = Ended {
            motion: *id,
            how: how.to_owned(),
            by: by.clone(),
            at,
        };
        let note = motion_note(loan, by, how, id, at);
        if self.store.end_motion(loan, &end, &note).await? {
            Ok(())
        } else {
            Err(LendingError::NoMotion)
        }
    }

    /// Freezes a loan, or does nothing if this cause holds it already. `key` names the alarm.
    ///
    /// # Errors
    /// [`LendingError`].
    pub async fn freeze(
        &self,
        loan: &LoanId,
        key: Key,
        cause: FreezeCause,
        by: Actor,
    ) -> Result<Done, LendingError> {
        self.act(Request {
            loan: loan.clone(),
            key,
            value: None,
            by,
            deed: Deed::Frozen { cause },
        })
        .await
    }

    async fn of_motion(&self, motion: &Motion, at: Instant) -> Result<Request, LendingError> {
        let proposal = Proposal::of(motion)?;
        let digits: String = motion.id.to_string().chars().take(28).collect();
        let (deed, value) = match proposal.what {
            What::Deed { deed } => (deed, proposal.value),
            new => {
                let today = china_day(at);
                let deed = self.new_terms(&motion.loan, new, today).await?;
                (deed, Some(today))
            }
        };
        Ok(Request {
            loan: motion.loan.clone(),
            key: format!("m/{digits}").parse().map_err(Refused::from)?,
            value,
            by: Actor::Machine,
            deed,
        })
    }

    async fn new_terms(
        &self,
        loan: &LoanId,
        what: What,
        today: NaiveDate,
    ) -> Result<Deed, LendingError> {
        let What::NewTerms {
            instalments,
            months,
            annual_rate_percent,
            repaid,
            reason,
        } = what
        else {
            return Err(LendingError::NoMotion);
        };
        let rate = Rate::from_percent(&annual_rate_percent);
        let annual_rate = rate.map_err(|error| {
            LendingError::denied("rate", format!("annual_rate_percent: {error}"))
        })?;
        let loan = self.loan(loan).await?.loan;
        let product = &loan.file().conditions().product;
        let terms = Terms {
            instalments,
            annual_rate,
            amortisation: repaid.into(),
            frequency: Frequency {
                every: months,
                unit: Unit::Months,
                month_end: false,
            },
            grace: schedule::Grace::default(),
            ..product.longest.clone()
        };
        let made = schedule::periods(&terms, today, &self.catalogue.calendar(product));
        let made = made.map_err(Refused::from)?;
        Ok(Deed::Restructured(NewTerms {
            periods: made.into_iter().map(Span::from).collect(),
            annual_rate,
            repaid,
            reason,
        }))
    }
}

/// The request as one person made it.
fn one(request: Request, by: &Slug) -> Request {
    let person = Person::new(by.clone());
    Request {
        by: Actor::One { person },
        ..request
    }
}

fn motion_note(loan: &LoanId, by: &Slug, how: &str, id: &Hash, at: Instant) -> audit::Entry {
    audit::Entry {
        at,
        actor: by.to_string(),
        action: Action::LoanMotion,
        subject: loan.to_string(),
        detail: format!("{how} {id}"),
    }
}
