//! Money out: tokens, their use, and the instruction on its way to the bank.

use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;

use super::act::Beside;
use super::ports::{self, PortError};
use super::{Done, Lending, LendingError, Loaded, Request, TRIES};
use crate::ledger::LoanId;
use crate::loan::life::disbursement::{Answer, Outcome, Payout, Receipt, Step, payee};
use crate::loan::life::{Actor, Deed, Key, Loan, Refused, Span};
use crate::money::Money;
use crate::schedule::periods;
use crate::store::StoreError;
use crate::store::lending::{LOANS_MAX, Which};

/// Steps that one call takes towards the outcome of an instruction.
const STEPS: u32 = 4;

/// Longest account in characters.
pub const ACCOUNT_MAX: usize = 64;

/// A token that is to be issued.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The loan.
    pub loan: LoanId,
    /// SHA-256 of its secret, which the borrower alone has ([`Lending::new_secret`]).
    pub token: Hash,
    /// The account that it pays, at most 64 characters.
    pub account: String,
    /// The most that it draws.
    pub amount: Money,
    /// Not used at or after this instant; when the offer ends if none is said.
    pub expires: Option<Instant>,
}

/// A use of a token by the borrower.
#[derive(Clone, Debug)]
pub struct Draw {
    /// The loan.
    pub loan: LoanId,
    /// Who draws.
    pub supplier: Slug,
    /// SHA-256 of the secret that was shown.
    pub token: Hash,
    /// The account, as the borrower reads it on the token.
    pub account: String,
    /// How much.
    pub amount: Money,
}

/// What became of an instruction.
#[derive(Clone, Debug)]
pub enum Paid {
    /// The money is out, or the loan went on already.
    Out(Box<Loan>),
    /// The bank has refused: another token may be issued.
    Refused(Box<Loan>),
    /// Nobody knows yet, or something stands against it: it is asked again.
    Waiting,
}

/// What of a loan somebody has seen and must find again; nothing at all is asked by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The open token.
    pub token: Option<Hash>,
    /// How many acts it had.
    pub acts: Option<u32>,
}

impl Seen {
    /// Somebody saw this token as the open one.
    #[must_use]
    pub const fn token(token: Hash) -> Self {
        Self {
            token: Some(token),
            acts: None,
        }
    }

    fn beside(self) -> Beside {
        Beside {
            token: self.token,
            seen: self.acts,
            ..Beside::default()
        }
    }
}

/// A key with the first hex digits of a hash in it.
fn named(prefix: &str, hash: &Hash) -> Result<Key, LendingError> {
    let digits: String = hash.to_string().chars().take(22).collect();
    Ok(format!("{prefix}/{digits}")
        .parse()
        .map_err(Refused::from)?)
}

impl Lending {
    /// A new secret for a borrower: to be shown once, with what is kept of it.
    ///
    /// # Errors
    /// [`LendingError::Randomness`].
    pub fn new_secret() -> Result<(String, Hash), LendingError> {
        let bytes = schemas::random::bytes::<32>().map_err(|_| LendingError::Randomness)?;
        Ok((Hash(bytes).to_string(), sha256(&bytes)))
    }

    /// Issues a token in the name of a machine or of one person who did not accept the offer.
    ///
    /// # Errors
    /// [`LendingError`]; a refusal is kept.
    pub async fn issue(&self, token: &NewToken, by: Actor) -> Result<Done, LendingError> {
        self.issued(token, by, None).await
    }

    /// The same in the name of somebody who saw the loan with so many acts.
    ///
    /// # Errors
    /// [`LendingError`], [`LOAN_CHANGED`](super::LOAN_CHANGED) if it has others by now.
    pub async fn issue_as_seen(
        &self,
        token: &NewToken,
        by: Actor,
        seen: u32,
    ) -> Result<Done, LendingError> {
        self.issued(token, by, Some(seen)).await
    }

    async fn issued(
        &self,
        token: &NewToken,
        by: Actor,
        seen: Option<u32>,
    ) -> Result<Done, LendingError> {
        let loan = self.loan(&token.loan).await?.loan;
        let offer_ends = loan.file().opened().valid_until;
        let payee = payee(&token.loan, &token.account);
        let deed = Deed::TokenIssued {
            token: token.token,
            payee,
            amount: token.amount,
            expires: token.expires.unwrap_or(offer_ends),
        };
        let request = Request {
            loan: token.loan.clone(),
            key: named("token", &token.token)?,
            value: None,
            by,
            deed,
        };
        let length = token.account.chars().count();
        if !(1..=ACCOUNT_MAX).contains(&length) || token.account.chars().any(char::is_control) {
            let why = format!("account: 1 to {ACCOUNT_MAX} characters are needed");
            let error = LendingError::denied("account", why);
            self.keep_denial(&request, &error).await?;
            return Err(error);
        }
        let beside = Beside {
            payee: Some((payee, token.account.clone())),
            seen,
            ..Beside::default()
        };
        self.act_with(request, beside).await
    }

    /// Lowers what the open token draws, by its borrower; `seen` is what they saw of the loan, if it must
    /// still be so.
    ///
    /// # Errors
    /// [`LendingError`], [`TOKEN_CHANGED`](super::TOKEN_CHANGED) and [`LOAN_CHANGED`](super::LOAN_CHANGED)
    /// among them; a refusal is kept.
    pub async fn limit(
        &self,
        loan: &LoanId,
        key: Key,
        supplier: Slug,
        amount: Money,
        seen: Seen,
    ) -> Result<Done, LendingError> {
        let request = Request {
            loan: loan.clone(),
            key,
            value: None,
            by: Actor::Borrower { supplier },
            deed: Deed::TokenLimited { amount },
        };
        self.act_with(request, seen.beside()).await
    }

    /// Takes the open token back, by its borrower or by the bank's people; `seen` as for
    /// [`Lending::limit`].
    ///
    /// # Errors
    /// [`LendingError`], [`TOKEN_CHANGED`](super::TOKEN_CHANGED) and [`LOAN_CHANGED`](super::LOAN_CHANGED)
    /// among them; a refusal is kept.
    pub async fn revoke(
        &self,
        loan: &LoanId,
        key: Key,
        by: Actor,
        seen: Seen,
    ) -> Result<Done, LendingError> {
        let request = Request {
            loan: loan.clone(),
            key,
            value: None,
            by,
            deed: Deed::TokenRevoked,
        };
        self.act_with(request, seen.beside()).await
    }

    /// Uses a token: asks what stands behind it, keeps the intent, and pays. The same use again asks
    /// what became of it.
    ///
    /// # Errors
    /// [`LendingError`]; nothing was intended then, and a refusal is kept.
    pub async fn draw(&self, draw: &Draw) -> Result<Paid, LendingError> {
        let loaded = self.loan(&draw.loan).await?;
        let request = Request {
            loan: draw.loan.clone(),
            key: named("use", &draw.token)?,
            value: None,
            by: Actor::Borrower {
                supplier: draw.supplier.clone(),
            },
            deed: Deed::TokenUsed {
                token: draw.token,
                payee: payee(&draw.loan, &draw.account),
                amount: draw.amount,
            },
        };
        if matches!(loaded.loan, Loan::Drawable(_))
            && let Err(error) = self.drawable(&loaded, &request, draw.amount).await
        {
            self.keep_denial(&request, &error).await?;
            return Err(error);
        }
        let done = self.act(request).await?;
        match (&done.loan, done.is_new) {
            (Loan::Disbursing(disbursing), true) => {
                let payout = Payout::intended(disbursing.instruction().clone());
                self.pay_out(&draw.loan, payout).await
            }
            _ => self.resume(&draw.loan).await,
        }
    }

    /// Whether a draw may be intended. Only a token that may be used is a reason to ask others: what
    /// stands behind a draw is taken up by being asked.
    async fn drawable(
        &self,
        loaded: &Loaded,
        request: &Request,
        amount: Money,
    ) -> Result<(), LendingError> {
        let planned = self.plan(loaded, request, &Beside::default(), self.clock.now())?;
        if planned.is_none() {
            // It was drawn before: what became of it is asked, not whether it may be.
            return Ok(());
        }
        self.agreed(&loaded.loan, amount).await
    }

    /// Goes on with an instruction of which nobody knows how far it came.
    ///
    /// # Errors
    /// [`LendingError`].
    pub async fn resume(&self, id: &LoanId) -> Result<Paid, LendingError> {
        let loan = self.loan(id).await?.loan;
        match &loan {
            Loan::Disbursing(disbursing) => {
                let payout = Payout::resumed(disbursing.instruction().clone());
                self.pay_out(id, payout).await
            }
            Loan::Approved(_) | Loan::Drawable(_) => Ok(Paid::Refused(Box::new(loan))),
            _ => Ok(Paid::Out(Box::new(loan))),
        }
    }

    /// Goes on with every instruction that is not over. Called at the start and again and again. Gives
    /// how many are still not over.
    ///
    /// # Errors
    /// [`LendingError::Store`].
    pub async fn resume_all(&self) -> Result<usize, LendingError> {
        let (which, mut after, mut waiting) = (Which::In("disbursing".to_owned()), None, 0);
        loop {
            let heads = self.store.heads(&which, after.as_ref(), LOANS_MAX).await?;
            for head in &heads {
                match self.resume(&head.loan).await {
                    Ok(Paid::Waiting) => waiting += 1,
                    Ok(_) => {}
                    Err(error) => {
                        waiting += 1;
                        tracing::warn!(loan = %head.loan, %error, "a payment waits");
                    }
                }
            }
            let Some(last) = heads.last().filter(|_| heads.len() == LOANS_MAX as usize) else {
                return Ok(waiting);
            };
            after = Some(last.loan.clone());
        }
    }

    async fn pay_out(&self, id: &LoanId, payout: Payout) -> Result<Paid, LendingError> {
        let instruction = payout.instruction().clone();
        let account = self.store.payee(id, &instruction.payee()).await?;
        let account = account.ok_or(StoreError::Row { what: "payee" })?;
        let mut payout = payout;
        for _ in 0..STEPS {
            let answer = match payout.step() {
                Step::Send => {
                    if !self.may_send(id, instruction.amount()).await? {
                        return Ok(Paid::Waiting);
                    }
                    self.ports.bank.pay(&instruction, &account).await
                }
                Step::LookUp => self.ports.bank.look_up(&instruction.key()).await,
                Step::Record => break,
            };
            // Nothing is gained by asking at once somebody who does not answer.
            let is_unknown = answer == Answer::Unknown;
            payout = payout.heard(answer);
            if is_unknown {
                return Ok(Paid::Waiting);
            }
        }
        match payout.outcome() {
            None => Ok(Paid::Waiting),
            Some(Outcome::Paid(receipt)) => self.record_paid(id, &instruction.key(), receipt).await,
            Some(Outcome::NotPaid(reason)) => {
                let deed = Deed::DisbursementRefused {
                    reason: reason.clone(),
                };
                let done = self.of_bank(id, named("not-paid", &instruction.key())?, deed);
                Ok(Paid::Refused(Box::new(done.await?.loan)))
            }
        }
    }

    async fn record_paid(
        &self,
        id: &LoanId,
        instruction: &Hash,
        receipt: &Receipt,
    ) -> Result<Paid, LendingError> {
        let loan = self.loan(id).await?.loan;
        let file = loan.file();
        let product = &file.conditions().product;
        let terms = product
            .terms(file.opened().instalments)
            .map_err(Refused::from)?;
        let calendar = self.catalogue.calendar(product);
        let made = periods(&terms, receipt.on, &calendar).map_err(Refused::from)?;
        let request = Request {
            loan: id.clone(),
            key: named("paid", instruction)?,
            value: Some(receipt.on),
            by: Actor::Bank,
            deed: Deed::Disbursed {
                reference: receipt.reference.clone(),
                periods: made.into_iter().map(Span::from).collect(),
            },
        };
        match self.act(request).await {
            Ok(done) => Ok(Paid::Out(Box::new(done.loan))),
            // Another process heard the same and was quicker.
            Err(LendingError::Refused(Refused::State { .. })) => {
                Ok(Paid::Out(Box::new(self.loan(id).await?.loan)))
            }
            Err(error) => Err(error),
        }
    }

    async fn of_bank(&self, id: &LoanId, key: Key, deed: Deed) -> Result<Done, LendingError> {
        self.act(Request {
            loan: id.clone(),
            key,
            value: None,
            by: Actor::Bank,
            deed,
        })
        .await
    }

    /// Asked again before each time that something is sent: what was agreed may be old.
    async fn may_send(&self, id: &LoanId, amount: Money) -> Result<bool, LendingError> {
        let loan = self.loan(id).await?.loan;
        if !loan.file().frozen().is_empty() || !matches!(loan, Loan::Disbursing(_)) {
            return Ok(false);
        }
        match self.agreed(&loan, amount).await {
            Ok(()) => Ok(true),
            Err(error) => {
                tracing::warn!(loan = %id, %error, "a payment that was intended is not sent");
                Ok(false)
            }
        }
    }

    /// Whether cover and trial agree to a draw now.
    async fn agreed(&self, loan: &Loan, amount: Money) -> Result<(), LendingError> {
        let file = loan.file();
        let draw = ports::Draw {
            loan: file.id().clone(),
            supplier: file.opened().supplier.clone(),
            product: file.conditions().product.id.clone(),
            kind: file.conditions().product.kind.clone(),
            approved: file.opened().approved,
            amount,
            at: self.clock.now(),
        };
        let said = self.ports.cover.draw(&draw).await;
        said.map_err(|error| not_agreed("the cover", error))?;
        let said = self.ports.room.draw(&draw).await;
        said.map_err(|error| not_agreed("the trial", error))
    }

    /// Tells the trial every change of its room that it was not told of, those of a loan in their
    /// order. What cannot be told now is told later.
    pub(super) async fn tell_room(&self) -> Result<(), LendingError> {
        for _ in 0..TRIES {
            let untold = self.store.untold_room(LOANS_MAX).await?;
            let mut held_up: Option<LoanId> = None;
            let mut told = 0;
            for one in &untold {
                if held_up.as_ref() == Some(&one.loan) {
                    continue;
                }
                if self.tell(one).await? {
                    told += 1;
                } else {
                    held_up = Some(one.loan.clone());
                }
            }
            if told == 0 || untold.len() < LOANS_MAX as usize {
                break;
            }
        }
        Ok(())
    }

    async fn tell(&self, one: &crate::store::lending::Untold) -> Result<bool, LendingError> {
        let Some(head) = self.store.head(&one.loan).await? else {
            return Ok(false);
        };
        let currency = head.approved.currency();
        let amount = Money::from_fen(one.fen.saturating_abs(), currency).map_err(Refused::from)?;
        let change = if one.fen > 0 {
            ports::Change::GivenBack(amount)
        } else {
            ports::Change::TakenAgain(amount)
        };
        let moved = ports::Moved {
            loan: one.loan.clone(),
            act: one.act,
            change,
            at: one.at,
        };
        match self.ports.room.moved(&moved).await {
            Ok(()) => {
                self.store.room_told(&one.loan, one.act).await?;
                Ok(true)
            }
            Err(error) => {
                tracing::error!(loan = %one.loan, act = one.act, %error, "a trial did not take room");
                Ok(false)
            }
        }
    }
}

fn not_agreed(whom: &'static str, error: PortError) -> LendingError {
    match error {
        PortError::Refused { rule, reason } => LendingError::Denied { rule, reason },
        PortError::Unavailable(source) => LendingError::Unavailable(whom, source),
    }
}
