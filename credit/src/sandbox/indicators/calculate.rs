//! From rows to figures.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{Days, NaiveDate};
use schemas::ids::Slug;
use schemas::time::Instant;

use super::figure::{Figure, FigureId, Value};
use super::month::Month;
use super::row::{Fact, Principal, Row, Rows};
use super::tally::net;
use crate::law::acceptance::china_day;
use crate::money::{Currency, Money, MoneyError};
use crate::sandbox::stop_loss::Readings;

/// A decision within this time of its application was quick.
const QUICK: Duration = Duration::from_secs(24 * 3600);
/// Above so many days late a loan is bad by the usual measure.
const BAD_DAYS: u64 = 90;

/// Every figure of a month, in the order of [`FigureId::ALL`].
///
/// # Errors
/// [`MoneyError::Overflow`] if amounts together do not fit.
pub fn calculate(month: Month, rows: &Rows) -> Result<Vec<Figure>, MoneyError> {
    let known: Vec<&Row> = rows
        .all()
        .iter()
        .filter(|row| month.knows(row.at))
        .collect();
    figures(month, rows.currency(), &known)
}

/// What the stop-loss reads at an instant: debts as of that day, complaints and incidents of its month
/// so far, and what there is to compensate users from.
///
/// # Errors
/// [`MoneyError::Overflow`] if amounts together do not fit.
pub fn readings(now: Instant, rows: &Rows, compensation: Money) -> Result<Readings, MoneyError> {
    let today = china_day(now);
    let known: Vec<&Row> = rows.all().iter().filter(|row| row.at <= now).collect();
    let view = View {
        month: Month::of(today),
        currency: rows.currency(),
        known: &known,
        loans: Loan::read(&known),
    };
    let amount = |value| match value {
        Value::Amount(amount) => amount,
        _ => Money::zero(rows.currency()),
    };
    let count = |id| -> Result<u32, MoneyError> {
        Ok(match view.figure(id)?.0 {
            Value::Count(count) => u32::try_from(count).unwrap_or(u32::MAX),
            _ => 0,
        })
    };
    Ok(Readings {
        outstanding: amount(view.figure(FigureId::Outstanding)?.0),
        overdue: amount(view.overdue(today)?.0),
        loss: amount(view.figure(FigureId::Loss)?.0),
        complaints: count(FigureId::Complaints)?,
        privacy_incidents: count(FigureId::PrivacyIncidents)?,
        compensation,
    })
}

/// The figures of rows that need not fit together: a figure's own rows give its value again.
pub(super) fn figures(
    month: Month,
    currency: Currency,
    known: &[&Row],
) -> Result<Vec<Figure>, MoneyError> {
    let view = View {
        month,
        currency,
        known,
        loans: Loan::read(known),
    };
    let figure = |id: &FigureId| {
        let (value, rows) = view.figure(*id)?;
        Ok(Figure {
            id: *id,
            group: id.group(),
            value,
            rows,
        })
    };
    FigureId::ALL.iter().map(figure).collect()
}

type Made = (Value, BTreeSet<Slug>);

/// One loan, added up.
#[derive(Default)]
struct Loan<'a> {
    buyer: Option<&'a Slug>,
    lent: i64,
    settled: i64,
    due: &'a [Principal],
    written_off: i64,
    recovered: i64,
    /// Rows of what was given up and of what came back of it.
    losing: BTreeSet<Slug>,
    /// Rows of what was lent and settled.
    moved: BTreeSet<Slug>,
    settling: BTreeSet<Slug>,
    scheduled: Option<&'a Slug>,
}

impl<'a> Loan<'a> {
    fn read(known: &[&'a Row]) -> BTreeMap<&'a Slug, Self> {
        let mut loans: BTreeMap<&Slug, Self> = BTreeMap::new();
        for row in known {
            match &row.fact {
                Fact::Disbursed {
                    loan,
                    buyer,
                    amount,
                    ..
                } => {
                    let one = loans.entry(loan).or_default();
                    one.buyer = Some(buyer);
                    one.lent = one.lent.saturating_add(amount.fen());
                    one.moved.insert(row.id.clone());
                }
                Fact::Repaid { loan, amount } => {
                    let one = loans.entry(loan).or_default();
                    one.settle(amount.fen(), row);
                }
                Fact::Unpaid { loan, amount } => {
                    let one = loans.entry(loan).or_default();
                    one.settle(-amount.fen(), row);
                }
                Fact::WrittenOff { loan, amount } => {
                    let one = loans.entry(loan).or_default();
                    one.settle(amount.fen(), row);
                    one.written_off = one.written_off.saturating_add(amount.fen());
                    one.losing.insert(row.id.clone());
                }
                Fact::Recovered { loan, amount } => {
                    let one = loans.entry(loan).or_default();
                    one.recovered = one.recovered.saturating_add(amount.fen());
                    one.losing.insert(row.id.clone());
                }
                Fact::Unrecovered { loan, amount } => {
                    let one = loans.entry(loan).or_default();
                    one.recovered = one.recovered.saturating_sub(amount.fen());
                    one.losing.insert(row.id.clone());
                }
                // Rows come by time: the last one stays.
                Fact::Scheduled { loan, due } => {
                    let one = loans.entry(loan).or_default();
                    (one.due, one.scheduled) = (due, Some(&row.id));
                }
                _ => {}
            }
        }
        loans
    }

    fn settle(&mut self, fen: i64, row: &Row) {
        self.settled = self.settled.saturating_add(fen);
        self.moved.insert(row.id.clone());
        self.settling.insert(row.id.clone());
    }

    const fn owed(&self) -> i64 {
        self.lent.saturating_sub(self.settled)
    }

    /// What was due before a day and is not settled.
    fn overdue(&self, before: NaiveDate) -> i64 {
        let due = self.due.iter().filter(|principal| principal.on < before);
        let due = due.fold(0i64, |sum, one| sum.saturating_add(one.amount.fen()));
        due.saturating_sub(self.settled).max(0)
    }
}

struct View<'a> {
    month: Month,
    currency: Currency,
    known: &'a [&'a Row],
    loans: BTreeMap<&'a Slug, Loan<'a>>,
}

impl View<'_> {
    fn figure(&self, id: FigureId) -> Result<Made, MoneyError> {
        use FigureId as F;
        let last = self.month.last();
        Ok(match id {
            F::PrivacyIncidents => {
                self.count(|fact| matches!(fact, Fact::Incident { privacy: true }))
            }
            F::PrivacyComplaints => {
                self.count(|fact| matches!(fact, Fact::Complained { privacy: true, .. }))
            }
            F::Loans => self.count(|fact| matches!(fact, Fact::Disbursed { .. })),
            F::Lent => return self.sum(lent),
            F::Borrowers => self.borrowers(),
            F::Repaid => return self.repaid(),
            F::Outstanding => return self.outstanding(),
            F::Overdue => return self.overdue(last),
            F::OverdueAbove90 => return self.overdue(days_before(last, BAD_DAYS)),
            F::OverdueShare => return self.overdue_share(),
            F::LargestBuyer => return self.largest_buyer(),
            F::WrittenOff => return self.sum(written_off),
            F::Loss => return self.loss(),
            F::Applications => self.count(|fact| matches!(fact, Fact::Applied { .. })),
            F::Decisions => self.count(|fact| matches!(fact, Fact::Decided { .. })),
            F::Offers => self.count(|fact| matches!(fact, Fact::Decided { offered: true, .. })),
            F::DecidedInADay => self.decided_in_a_day(),
            F::Complaints => self.count(|fact| matches!(fact, Fact::Complained { .. })),
            F::ComplaintsAnswered => self.count(|fact| matches!(fact, Fact::Answered { .. })),
            F::ComplaintsOpen => self.complaints_open(),
            F::Incidents => self.count(|fact| matches!(fact, Fact::Incident { .. })),
            F::IncidentsTreated => self.count(|fact| matches!(fact, Fact::Treated { .. })),
            F::IncidentsOpen => self.incidents_open(),
        })
    }

    fn of_month(&self) -> impl Iterator<Item = &&Row> {
        self.known.iter().filter(|row| self.month.holds(row.at))
    }

    fn count(&self, counts: impl Fn(&Fact) -> bool) -> Made {
        let rows = self.of_month().filter(|row| counts(&row.fact));
        counted(rows.map(|row| row.id.clone()).collect())
    }

    /// The sum of what rows of the month name.
    fn sum(&self, amount: fn(&Fact) -> Option<Money>) -> Result<Made, MoneyError> {
        let (mut sum, mut ids) = (Money::zero(self.currency), BTreeSet::new());
        for row in self.of_month() {
            if let Some(amount) = amount(&row.fact) {
                sum = sum.plus(amount)?;
                ids.insert(row.id.clone());
            }
        }
        Ok((Value::Amount(sum), ids))
    }

    /// What came back in the month less what in it turned out not to have come: never less than
    /// nothing, as where payments of earlier months were none.
    fn repaid(&self) -> Result<Made, MoneyError> {
        let (back, mut ids) = self.sum(repaid)?;
        let (none, more) = self.sum(unpaid)?;
        ids.extend(more);
        let (Value::Amount(back), Value::Amount(none)) = (back, none) else {
            return Ok((Value::Nothing, ids));
        };
        let left = back.fen().saturating_sub(none.fen()).max(0);
        Ok((Value::Amount(Money::from_fen(left, self.currency)?), ids))
    }

    /// What was given up of each loan less what came back of it.
    fn loss(&self) -> Result<Made, MoneyError> {
        let (mut sum, mut ids) = (Money::zero(self.currency), BTreeSet::new());
        for loan in self.loans.values() {
            let lost = net(loan.written_off, loan.recovered);
            sum = sum.plus(Money::from_fen(lost, self.currency)?)?;
            ids.extend(loan.losing.iter().cloned());
        }
        Ok((Value::Amount(sum), ids))
    }

    fn borrowers(&self) -> Made {
        let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for row in self.known {
            if let Fact::Disbursed { borrower, .. } = &row.fact {
                names.insert(borrower);
                ids.insert(row.id.clone());
            }
        }
        (Value::Count(names.len() as u64), ids)
    }

    fn outstanding(&self) -> Result<Made, MoneyError> {
        let (mut sum, mut ids) = (Money::zero(self.currency), BTreeSet::new());
        for loan in self.loans.values().filter(|loan| loan.owed() > 0) {
            sum = sum.plus(Money::from_fen(loan.owed(), self.currency)?)?;
            ids.extend(loan.moved.iter().cloned());
        }
        Ok((Value::Amount(sum), ids))
    }

    fn overdue(&self, before: NaiveDate) -> Result<Made, MoneyError> {
        let (mut sum, mut ids) = (Money::zero(self.currency), BTreeSet::new());
        for loan in self.loans.values() {
            let overdue = loan.overdue(before);
            if overdue > 0 {
                sum = sum.plus(Money::from_fen(overdue, self.currency)?)?;
                ids.extend(loan.settling.iter().cloned());
                ids.extend(loan.scheduled.cloned());
            }
        }
        Ok((Value::Amount(sum), ids))
    }

    fn overdue_share(&self) -> Result<Made, MoneyError> {
        let (overdue, mut ids) = self.overdue(self.month.last())?;
        let (outstanding, more) = self.outstanding()?;
        ids.extend(more);
        Ok((share(overdue, outstanding), ids))
    }

    fn largest_buyer(&self) -> Result<Made, MoneyError> {
        let mut buyers: BTreeMap<_, Money> = BTreeMap::new();
        for loan in self.loans.values().filter(|loan| loan.owed() > 0) {
            let nothing = Money::zero(self.currency);
            let buyer = buyers.entry(loan.buyer).or_insert(nothing);
            *buyer = buyer.plus(Money::from_fen(loan.owed(), self.currency)?)?;
        }
        let largest = buyers.values().max_by_key(|money| money.fen());
        let largest = largest.copied().unwrap_or(Money::zero(self.currency));
        let (outstanding, ids) = self.outstanding()?;
        Ok((share(Value::Amount(largest), outstanding), ids))
    }

    fn decided_in_a_day(&self) -> Made {
        let mut applied = BTreeMap::new();
        for row in self.known {
            if let Fact::Applied { application } = &row.fact {
                applied.entry(application).or_insert(row);
            }
        }
        let (mut count, mut ids) = (0, BTreeSet::new());
        for row in self.of_month() {
            let Fact::Decided { application, .. } = &row.fact else {
                continue;
            };
            let before = applied.get(application);
            if let Some(before) = before.filter(|before| row.at.since(before.at) <= QUICK) {
                count += 1;
                ids.extend([before.id.clone(), row.id.clone()]);
            }
        }
        (Value::Count(count), ids)
    }

    fn complaints_open(&self) -> Made {
        let answer = |fact: &Fact| match fact {
            Fact::Answered { complaint } => Some(complaint.clone()),
            _ => None,
        };
        let answered: BTreeSet<_> = self
            .known
            .iter()
            .filter_map(|row| answer(&row.fact))
            .collect();
        let open = |row: &&&Row| match &row.fact {
            Fact::Complained { complaint, .. } => !answered.contains(complaint),
            _ => false,
        };
        let rows = self.known.iter().filter(open);
        counted(rows.map(|row| row.id.clone()).collect())
    }

    fn incidents_open(&self) -> Made {
        let treatment = |fact: &Fact| match fact {
            Fact::Treated { incident } => Some(incident.clone()),
            _ => None,
        };
        let known = self.known.iter();
        let treated: BTreeSet<_> = known.filter_map(|row| treatment(&row.fact)).collect();
        let open =
            |row: &&&Row| matches!(row.fact, Fact::Incident { .. }) && !treated.contains(&row.id);
        let rows = self.known.iter().filter(open);
        counted(rows.map(|row| row.id.clone()).collect())
    }
}

fn counted(ids: BTreeSet<Slug>) -> Made {
    (Value::Count(ids.len() as u64), ids)
}

fn lent(fact: &Fact) -> Option<Money> {
    match fact {
        Fact::Disbursed { amount, .. } => Some(*amount),
        _ => None,
    }
}

fn repaid(fact: &Fact) -> Option<Money> {
    match fact {
        Fact::Repaid { amount, .. } => Some(*amount),
        _ => None,
    }
}

fn unpaid(fact: &Fact) -> Option<Money> {
    match fact {
        Fact::Unpaid { amount, .. } => Some(*amount),
        _ => None,
    }
}

fn written_off(fact: &Fact) -> Option<Money> {
    match fact {
        Fact::WrittenOff { amount, .. } => Some(*amount),
        _ => None,
    }
}

/// A part of a whole in basis points, rounded up.
fn share(part: Value, whole: Value) -> Value {
    let (Value::Amount(part), Value::Amount(whole)) = (part, whole) else {
        return Value::Nothing;
    };
    if whole.fen() == 0 {
        return Value::Nothing;
    }
    let (part, whole) = (i128::from(part.fen()), i128::from(whole.fen()));
    let up = (part * 10_000 + whole - 1) / whole;
    Value::BasisPoints(u64::try_from(up).unwrap_or(u64::MAX))
}

fn days_before(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(day)
}
