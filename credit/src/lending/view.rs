//! What is shown of a loan: schedule, what ends it, tokens. For pages and machines.

use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::time::Instant;
use serde::Serialize;

use super::{Lending, LendingError, Loaded};
use crate::ledger::LoanId;
use crate::loan::life::slot::{Slot, SlotStage};
use crate::loan::life::{Bucket, Deed, Grade, Loan, Payoff, Position, Refused};
use crate::money::Money;

/// An instalment that is not paid in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// From 1; 0 is what was due with the disbursement.
    pub number: u32,
    /// When it is due.
    pub due: NaiveDate,
    /// Whether it is due: amounts are then what is unpaid.
    pub is_due: bool,
    /// Principal.
    pub principal: Money,
    /// Interest, all of it.
    pub interest: Money,
    /// Fees.
    pub fees: Money,
    /// Penalty so far.
    pub penalty: Money,
    /// All of it.
    pub total: Money,
}

/// Where a loan that was paid out stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its business day.
    pub day: NaiveDate,
    /// When the money went.
    pub disbursed: NaiveDate,
    /// Principal that is owed.
    pub principal: Money,
    /// Due and unpaid.
    pub due: Money,
    /// The borrower's money that nothing was due for.
    pub credit: Money,
    /// What the bank would lose.
    pub exposure: Money,
    /// Days past due.
    pub days_past_due: u32,
    /// The bucket of these days.
    pub bucket: Bucket,
    /// Its class.
    pub grade: Grade,
    /// Whether its interest is counted as earned no more.
    pub suspended: bool,
}

/// What ends a loan today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PayoffView {
    /// Due and unpaid.
    pub due: Money,
    /// Earned and not due.
    pub earned: Money,
    /// Principal that is not due.
    pub principal: Money,
    /// Fee on that principal.
    pub fee: Money,
    /// All of it.
    pub total: Money,
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// It may be used.
    Open,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
    /// It was used.
    Used,
}

/// A token as its borrower sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenView {
    /// SHA-256 of its secret.
    pub token: Hash,
    /// SHA-256 of loan and payee's account.
    pub payee: Hash,
    /// The account itself.
    pub account: Option<String>,
    /// The most that it draws, as it was lowered since.
    pub amount: Money,
    /// When it ends.
    pub expires: Instant,
    /// What became of it.
    pub state: TokenState,
}

impl Loaded {
    /// Instalments that are not paid in full, the oldest first.
    ///
    /// # Errors
    /// [`Refused::Money`], never in practice.
    pub fn schedule(&self) -> Result<Vec<Line>, Refused> {
        let slots = self
            .loan
            .position()
            .map_or(&[][..], |position| position.slots());
        slots.iter().map(line).collect()
    }

    /// Where it stands, if money was paid out.
    ///
    /// # Errors
    /// [`Refused::Money`], never in practice.
    pub fn standing(&self) -> Result<Option<Standing>, Refused> {
        self.loan.position().map(standing).transpose()
    }

    /// What ends it on its business day, if something is owed.
    ///
    /// # Errors
    /// [`Refused::Money`], never in practice.
    pub fn payoff(&self) -> Result<Option<PayoffView>, Refused> {
        let position = self.loan.position().filter(|one| !one.is_settled());
        let Some(position) = position else {
            return Ok(None);
        };
        let Payoff {
            due,
            earned,
            principal,
            fee,
            total,
        } = position.payoff(self.loan.file().conditions())?;
        Ok(Some(PayoffView {
            due: due.total()?,
            earned: earned.total()?,
            principal,
            fee,
            total,
        }))
    }

    /// Its tokens, the newest first, without accounts.
    #[must_use]
    pub fn tokens(&self, now: Instant) -> Vec<TokenView> {
        let mut tokens: Vec<TokenView> = Vec::new();
        for act in &self.acts {
            match &act.deed {
                Deed::TokenIssued {
                    token,
                    payee,
                    amount,
                    expires,
                } => tokens.push(TokenView {
                    token: *token,
                    payee: *payee,
                    account: None,
                    amount: *amount,
                    expires: *expires,
                    state: TokenState::Expired,
                }),
                Deed::TokenLimited { amount } => {
                    if let Some(last) = tokens.last_mut() {
                        last.amount = *amount;
                    }
                }
                Deed::TokenRevoked => set(&mut tokens, TokenState::Revoked),
                Deed::TokenUsed { .. } => set(&mut tokens, TokenState::Used),
                _ => {}
            }
        }
        if let (Loan::Drawable(drawable), Some(last)) = (&self.loan, tokens.last_mut())
            && now < drawable.token().expires()
        {
            last.state = TokenState::Open;
        }
        tokens.reverse();
        tokens
    }
}

/// Where a position stands.
pub(super) fn standing(position: &Position) -> Result<Standing, Refused> {
    let books = position.books();
    Ok(Standing {
        day: position.day(),
        disbursed: position.disbursed(),
        principal: books.amount(crate::ledger::Class::Principal)?,
        due: position.due()?.total()?,
        credit: position.credit()?,
        exposure: position.exposure()?,
        days_past_due: position.grading().days,
        bucket: position.bucket(),
        grade: position.grading().grade,
        suspended: position.is_suspended(),
    })
}

fn set(tokens: &mut [TokenView], state: TokenState) {
    if let Some(last) = tokens.last_mut() {
        last.state = state;
    }
}

pub(super) fn line(slot: &Slot) -> Result<Line, Refused> {
    let (principal, interest, fees, penalty) = match &slot.stage {
        SlotStage::Ahead(ahead) => (
            ahead.principal.plus(ahead.carried.principal)?,
            ahead.interest.plus(ahead.carried.interest)?,
            ahead.fees.plus(ahead.carried.fees)?,
            ahead.carried.penalty,
        ),
        SlotStage::Fallen(fallen) => {
            let due = &fallen.unpaid;
            (due.principal, due.interest, due.fees, due.penalty)
        }
    };
    let total = principal.plus(interest)?.plus(fees)?.plus(penalty)?;
    Ok(Line {
        number: slot.number,
        due: slot.due,
        is_due: matches!(slot.stage, SlotStage::Fallen(_)),
        principal,
        interest,
        fees,
        penalty,
        total,
    })
}

impl Lending {
    /// Instalments of a loan that are not paid in full.
    ///
    /// # Errors
    /// [`LendingError`].
    pub async fn schedule(&self, loan: &LoanId) -> Result<Vec<Line>, LendingError> {
        Ok(self.loan(loan).await?.schedule()?)
    }

    /// What ends a loan on its business day; nothing if nothing is owed.
    ///
    /// # Errors
    /// [`LendingError`].
    pub async fn payoff(&self, loan: &LoanId) -> Result<Option<PayoffView>, LendingError> {
        Ok(self.loan(loan).await?.payoff()?)
    }

    /// Tokens of a loan, the newest first, with their accounts.
    ///
    /// # Errors
    /// [`LendingError`].
    pub async fn tokens(&self, loan: &LoanId) -> Result<Vec<TokenView>, LendingError> {
        self.tokens_of(&self.loan(loan).await?).await
    }

    /// The same of a loan that was read already.
    ///
    /// # Errors
    /// [`LendingError`].
    pub async fn tokens_of(&self, loaded: &Loaded) -> Result<Vec<TokenView>, LendingError> {
        let loan = loaded.loan.file().id();
        let mut tokens = loaded.tokens(self.clock().now());
        for token in &mut tokens {
            token.account = self.store().payee(loan, &token.payee).await?;
        }
        Ok(tokens)
    }
}
