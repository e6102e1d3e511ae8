//! The states of a loan, each a type of its own; a transition consumes the state that it leaves.
//!
//! ```text
//! Approved <--revoke, refusal-- Drawable --use--> Disbursing --paid--> Active
//!    |  ---issue token--->                                              |  ^
//!    +--close--> Closed          late: Delinquent, new terms: Restructured
//!                   ^               |        |           |
//!                   +--close-- Settled <-----+--- WrittenOff --recover--> Recovering --> Settled
//! ```
//!
//! Which of Active, Delinquent, Restructured and Settled a loan is follows from its position alone, so
//! a reversed payment brings a settled loan back.

mod lent;

use super::act::{Act, Deed};
use super::disbursement::{Instruction, Spent, Token};
use super::file::File;
use super::grading::{Bucket, Watch};
use super::position::Position;
use super::refold;
use super::refused::Refused;
use crate::ledger::Entry;

pub(super) use lent::Lent;

/// A loan and what its last act booked.
pub(super) type Moved = (Loan, Vec<Entry>);

/// A loan.
#[derive(Clone, Debug, PartialEq)]
pub enum Loan {
    /// Its offer was accepted.
    Approved(Approved),
    /// A token to draw the money is out.
    Drawable(Drawable),
    /// The bank was told to pay, or is about to be.
    Disbursing(Disbursing),
    /// Money is lent and nothing is late.
    Active(Active),
    /// Something is late.
    Delinquent(Delinquent),
    /// It has new terms and is watched.
    Restructured(Restructured),
    /// It was given up and is still owed.
    WrittenOff(WrittenOff),
    /// Something of what was given up came back.
    Recovering(Recovering),
    /// Nothing is owed.
    Settled(Settled),
    /// Its file is closed.
    Closed(Closed),
}

/// A loan whose offer was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Approved(pub(super) File);

/// A loan with a token.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawable {
    file: File,
    token: Token,
}

/// A loan whose token was used.
#[derive(Clone, Debug, PartialEq)]
pub struct Disbursing {
    file: File,
    instruction: Instruction,
}

/// A loan of which nothing is late.
#[derive(Clone, Debug, PartialEq)]
pub struct Active(Lent);

/// A loan of which something is late.
#[derive(Clone, Debug, PartialEq)]
pub struct Delinquent(Lent);

/// A loan with new terms, which is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Restructured {
    lent: Lent,
    watch: Watch,
}

/// A loan that was given up.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenOff(Lent);

/// A loan that was given up and of which something came back.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovering(Lent);

/// A loan of which nothing is owed.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled(Lent);

/// A loan whose file is closed.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    file: File,
    position: Option<Position>,
}

impl Approved {
    /// Issues a token.
    pub(super) fn issue(self, act: Act) -> Result<Moved, Refused> {
        let Deed::TokenIssued {
            token,
            payee,
            amount,
            expires,
        } = act.deed
        else {
            return Err(self.no(&act));
        };
        let room = self.0.room();
        let token = Token::issue(token, payee, amount, expires, &room, act.booked)?;
        let file = self.0.with(act);
        Ok((Loan::Drawable(Drawable { file, token }), Vec::new()))
    }

    fn no(&self, act: &Act) -> Refused {
        Refused::State {
            state: "approved",
            deed: act.deed.word(),
        }
    }
}

impl Drawable {
    /// The token, as the borrower sees it.
    #[must_use]
    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// Lowers what it draws.
    pub(super) fn limit(self, act: Act) -> Result<Moved, Refused> {
        let Deed::TokenLimited { amount } = act.deed else {
            return Err(self.no(&act));
        };
        let token = self.token.limit(amount, &self.file.room())?;
        let file = self.file.with(act);
        Ok((Loan::Drawable(Self { file, token }), Vec::new()))
    }

    /// Takes it back.
    pub(super) fn revoke(self, act: Act) -> Moved {
        (Loan::Approved(Approved(self.file.with(act))), Vec::new())
    }

    /// Issues another one, once this one has expired.
    pub(super) fn issue(self, act: Act) -> Result<Moved, Refused> {
        let expires = self.token.expires();
        if act.booked < expires {
            return Err(super::disbursement::TokenError::Open(expires).into());
        }
        Approved(self.file).issue(act)
    }

    /// Closes the file of a loan that was not drawn, once its token has expired.
    pub(super) fn close(self, act: Act) -> Result<Moved, Refused> {
        let expires = self.token.expires();
        if act.booked < expires {
            return Err(super::disbursement::TokenError::Open(expires).into());
        }
        Ok(Approved(self.file).close(act))
    }

    /// Uses it: the intent to pay.
    pub(super) fn draw(self, act: Act) -> Result<Moved, Refused> {
        let Deed::TokenUsed {
            token,
            payee,
            amount,
        } = act.deed
        else {
            return Err(self.no(&act));
        };
        let spent = Spent {
            token,
            payee,
            amount,
        };
        let room = self.file.room();
        let instruction = self
            .token
            .spend(self.file.id(), &spent, &room, act.booked)?;
        let file = self.file.with(act);
        let disbursing = Disbursing { file, instruction };
        Ok((Loan::Disbursing(disbursing), Vec::new()))
    }

    fn no(&self, act: &Act) -> Refused {
        Refused::State {
            state: "drawable",
            deed: act.deed.word(),
        }
    }
}

impl Disbursing {
    /// What the bank is told.
    #[must_use]
    pub const fn instruction(&self) -> &Instruction {
        &self.instruction
    }

    /// The bank has paid: the loan begins.
    pub(super) fn paid(self, act: Act) -> Result<Moved, Refused> {
        let opened_on = self.file.acts().first().map(|first| first.value);
        if let Some(day) = opened_on.filter(|day| act.value < *day) {
            return Err(Refused::Past {
                value: act.value,
                day,
            });
        }
        let file = self.file.with(act);
        let (position, bookings) = refold::simulate(&file, None)?;
        let entries = refold::entries(&file, &bookings)?;
        Ok((Lent { file, position }.classed(), entries))
    }

    /// The bank has not paid: another token may be issued.
    pub(super) fn refused(self, act: Act) -> Moved {
        (Loan::Approved(Approved(self.file.with(act))), Vec::new())
    }
}

impl Delinquent {
    /// How late it is.
    #[must_use]
    pub const fn bucket(&self) -> Bucket {
        self.0.position.bucket()
    }
}

impl Restructured {
    /// Its watch.
    #[must_use]
    pub const fn watch(&self) -> Watch {
        self.watch
    }
}

impl Settled {
    /// Closes the file, once the borrower has its money back.
    pub(super) fn close(self, act: Act) -> Result<Moved, Refused> {
        let credit = self.0.position.credit()?;
        if credit.fen() > 0 {
            return Err(Refused::CreditLeft(credit));
        }
        let closed = Closed {
            file: self.0.file.with(act),
            position: Some(self.0.position),
        };
        Ok((Loan::Closed(closed), Vec::new()))
    }
}

impl Loan {
    /// Its file.
    #[must_use]
    pub const fn file(&self) -> &File {
        match self {
            Self::Approved(Approved(file))
            | Self::Drawable(Drawable { file, .. })
            | Self::Disbursing(Disbursing { file, .. })
            | Self::Closed(Closed { file, .. }) => file,
            Self::Active(Active(lent))
            | Self::Delinquent(Delinquent(lent))
            | Self::Restructured(Restructured { lent, .. })
            | Self::WrittenOff(WrittenOff(lent))
            | Self::Recovering(Recovering(lent))
            | Self::Settled(Settled(lent)) => &lent.file,
        }
    }

    /// Where it stands, if money was paid out.
    #[must_use]
    pub const fn position(&self) -> Option<&Position> {
        match self {
            Self::Approved(_) | Self::Drawable(_) | Self::Disbursing(_) => None,
            Self::Closed(closed) => closed.position.as_ref(),
            Self::Active(Active(lent))
            | Self::Delinquent(Delinquent(lent))
            | Self::Restructured(Restructured { lent, .. })
            | Self::WrittenOff(WrittenOff(lent))
            | Self::Recovering(Recovering(lent))
            | Self::Settled(Settled(lent)) => Some(&lent.position),
        }
    }

    /// Word of its state, as pages and rows have it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Approved(_) => "approved",
            Self::Drawable(_) => "drawable",
            Self::Disbursing(_) => "disbursing",
            Self::Active(_) => "active",
            Self::Delinquent(_) => "delinquent",
            Self::Restructured(_) => "restructured",
            Self::WrittenOff(_) => "written_off",
            Self::Recovering(_) => "recovering",
            Self::Settled(_) => "settled",
            Self::Closed(_) => "closed",
        }
    }

    /// Takes the loan through an act that was admitted.
    pub(super) fn step(self, act: Act) -> Result<Moved, Refused> {
        use Deed as D;
        let no = Refused::State {
            state: self.word(),
            deed: act.deed.word(),
        };
        match (self, &act.deed) {
            (Self::Closed(_), _) => Err(no),
            (loan, D::Frozen { .. } | D::Thawed { .. }) => Ok((loan.noted(act), Vec::new())),
            (Self::Approved(loan), D::TokenIssued { .. }) => loan.issue(act),
            (Self::Approved(loan), D::Closed) => Ok(loan.close(act)),
            (Self::Drawable(loan), D::TokenIssued { .. }) => loan.issue(act),
            (Self::Drawable(loan), D::TokenLimited { .. }) => loan.limit(act),
            (Self::Drawable(loan), D::TokenRevoked) => Ok(loan.revoke(act)),
            (Self::Drawable(loan), D::TokenUsed { .. }) => loan.draw(act),
            (Self::Drawable(loan), D::Closed) => loan.close(act),
            (Self::Disbursing(loan), D::Disbursed { .. }) => loan.paid(act),
            (Self::Disbursing(loan), D::DisbursementRefused { .. }) => Ok(loan.refused(act)),
            (Self::Settled(loan), D::Closed) => loan.close(act),
            (
                Self::Active(Active(lent))
                | Self::Delinquent(Delinquent(lent))
                | Self::Restructured(Restructured { lent, .. }),
                D::DayOpened | D::InstalmentDue { .. },
            ) => lent.run(&act),
            (
                Self::Active(Active(lent)) | Self::Delinquent(Delinquent(lent)),
                D::Paid { .. }
                | D::RepaidEarly { .. }
                | D::Restructured(_)
                | D::Graded { .. }
                | D::WrittenOff { .. }
                | D::Refunded { .. },
            ) => lent.act(act),
            (
                Self::Restructured(Restructured { lent, .. }),
                D::Paid { .. }
                | D::RepaidEarly { .. }
                | D::Restructured(_)
                | D::Graded { .. }
                | D::WatchEnded { .. }
                | D::WrittenOff { .. }
                | D::Refunded { .. },
            ) => lent.act(act),
            (
                Self::WrittenOff(WrittenOff(lent)) | Self::Recovering(Recovering(lent)),
                D::Recovered { .. } | D::Paid { .. } | D::RepaidEarly { .. },
            ) => lent.act_or_back_dated(act, no),
            (
                Self::Settled(Settled(lent)),
                D::Paid { .. } | D::RepaidEarly { .. } | D::Recovered { .. } | D::Refunded { .. },
            ) => lent.act(act),
            (
                Self::Active(Active(lent))
                | Self::Delinquent(Delinquent(lent))
                | Self::Restructured(Restructured { lent, .. })
                | Self::WrittenOff(WrittenOff(lent))
                | Self::Recovering(Recovering(lent))
                | Self::Settled(Settled(lent)),
                D::PaymentReversed { .. } | D::PaymentCorrected { .. },
            ) => lent.act(act),
            _ => Err(no),
        }
    }

    /// The loan with an act that changes no state.
    fn noted(self, act: Act) -> Self {
        match self {
            Self::Approved(Approved(file)) => Self::Approved(Approved(file.with(act))),
            Self::Drawable(Drawable { file, token }) => {
                let file = file.with(act);
                Self::Drawable(Drawable { file, token })
            }
            Self::Disbursing(Disbursing { file, instruction }) => {
                let file = file.with(act);
                Self::Disbursing(Disbursing { file, instruction })
            }
            Self::Closed(Closed { file, position }) => {
                let file = file.with(act);
                Self::Closed(Closed { file, position })
            }
            Self::Active(Active(lent))
            | Self::Delinquent(Delinquent(lent))
            | Self::Restructured(Restructured { lent, .. })
            | Self::WrittenOff(WrittenOff(lent))
            | Self::Recovering(Recovering(lent))
            | Self::Settled(Settled(lent)) => {
                let Lent { file, position } = lent;
                let file = file.with(act);
                Lent { file, position }.classed()
            }
        }
    }
}

impl Approved {
    /// Closes the file of a loan that was never drawn.
    fn close(self, act: Act) -> Moved {
        let closed = Closed {
            file: self.0.with(act),
            position: None,
        };
        (Loan::Closed(closed), Vec::new())
    }
}
