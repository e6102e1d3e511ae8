//! What loans that were paid out have in common.

use chrono::NaiveDate;

use super::{Active, Delinquent, Loan, Moved, Recovering, Restructured, Settled, WrittenOff};
use crate::law::acceptance::china_day;
use crate::ledger::Class;
use crate::loan::life::act::{Act, Deed};
use crate::loan::life::file::File;
use crate::loan::life::position::Position;
use crate::loan::life::refold;
use crate::loan::life::refused::Refused;

/// A loan that was paid out.
#[derive(Clone, Debug, PartialEq)]
pub struct Lent {
    pub(in crate::loan::life) file: File,
    pub(in crate::loan::life) position: Position,
}

impl Lent {
    /// The loan in the state that its position says.
    pub(in crate::loan::life) fn classed(self) -> Loan {
        let position = &self.position;
        let recovered = position.books().fen(Class::RecoveryIncome) != 0;
        if position.is_settled() {
            Loan::Settled(Settled(self))
        } else if position.is_written_off() && recovered {
            Loan::Recovering(Recovering(self))
        } else if position.is_written_off() {
            Loan::WrittenOff(WrittenOff(self))
        } else if let Some(watch) = position.grading().watch {
            Loan::Restructured(Restructured { lent: self, watch })
        } else if position.grading().days > 0 {
            Loan::Delinquent(Delinquent(self))
        } else {
            Loan::Active(Active(self))
        }
    }

    /// Does an act that is about money; the daily run's own come by [`Lent::run`].
    pub(in crate::loan::life) fn act(self, act: Act) -> Result<Moved, Refused> {
        let day = self.position.day();
        self.in_order(act.value)?;
        if let Deed::PaymentCorrected { on, .. } = act.deed {
            self.in_order(on)?;
            if on > china_day(act.booked) {
                let value = on;
                return Err(Refused::Future { value, day });
            }
        }
        if self.position.next_step(day).is_some() {
            return Err(Refused::RunUnfinished(day));
        }
        match act.deed {
            Deed::PaymentReversed { .. } | Deed::PaymentCorrected { .. } => {
                if act.value < day {
                    return Err(Refused::Past {
                        value: act.value,
                        day,
                    });
                }
                refold::correct(self, act)
            }
            Deed::Paid { .. } | Deed::RepaidEarly { .. } | Deed::Recovered { .. }
                if act.value < day =>
            {
                refold::correct(self, act)
            }
            _ if act.value < day => Err(Refused::Past {
                value: act.value,
                day,
            }),
            _ => self.perform(act),
        }
    }

    /// Nothing counts from before the money, nor from a day that did not begin.
    fn in_order(&self, value: NaiveDate) -> Result<(), Refused> {
        let day = self.position.day();
        let disbursed = self.position.disbursed();
        if value < disbursed {
            return Err(Refused::BeforeDisbursement { value, disbursed });
        }
        if value > day && !self.position.is_dormant() {
            return Err(Refused::Future { value, day });
        }
        Ok(())
    }

    fn perform(self, act: Act) -> Result<Moved, Refused> {
        let Self { file, mut position } = self;
        let mut bookings = Vec::new();
        position.pass_until(act.value);
        position.perform(&act, file.conditions(), &mut bookings)?;
        let file = file.with(act);
        let entries = refold::entries(&file, &bookings)?;
        Ok((Self { file, position }.classed(), entries))
    }

    /// Does the next act of the daily run.
    pub(in crate::loan::life) fn run(self, act: &Act) -> Result<Moved, Refused> {
        let Self { file, mut position } = self;
        let step = position.next_step(act.value).ok_or(Refused::RunOrder)?;
        if !refold::is_step(&step, act) {
            return Err(Refused::RunOrder);
        }
        let mut bookings = Vec::new();
        position.run(step, file.conditions(), &mut bookings)?;
        let file = file.after_run(act.booked);
        let entries = refold::entries(&file, &bookings)?;
        Ok((Self { file, position }.classed(), entries))
    }

    /// Money for a loan that was written off is a recovery, unless it came before that.
    pub(in crate::loan::life) fn act_or_back_dated(
        self,
        act: Act,
        no: Refused,
    ) -> Result<Moved, Refused> {
        let is_recovery = matches!(act.deed, Deed::Recovered { .. });
        if is_recovery || act.value < self.position.day() {
            self.act(act)
        } else {
            Err(no)
        }
    }
}
