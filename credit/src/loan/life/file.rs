//! What every loan has whatever its state: its name, its conditions, its acts; and what is checked of
//! any act before its state is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemas::time::Instant;

use super::act::{Act, Deed, FreezeCause, Key, Opened};
use super::actor::Actor;
use super::books::Cause;
use super::conditions::Conditions;
use super::disbursement::Room;
use super::refused::Refused;
use crate::law::acceptance::china_day;
use crate::ledger::{EntryKind, LoanId};
use crate::money::{MAX_AMOUNT_FEN, Money, MoneyError};
use crate::product::ProductError;

/// The file of a loan.
#[derive(Clone, Debug)]
pub struct File {
    id: LoanId,
    conditions: Arc<Conditions>,
    opened: Opened,
    /// All acts but those of the daily run, in the order of booking.
    acts: Vec<Act>,
    last_booked: Instant,
    frozen: BTreeSet<FreezeCause>,
    /// Which act has booked what was booked again since, by its number in `acts` from 1.
    revised: BTreeMap<(Cause, EntryKind), u32>,
}

impl PartialEq for File {
    /// Conditions are compared by what the opening names of them.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.opened == other.opened
            && self.acts == other.acts
            && self.last_booked == other.last_booked
            && self.frozen == other.frozen
            && self.revised == other.revised
    }
}

/// Whether an act is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is there already.
    Already,
    /// It is not.
    New,
}

impl File {
    /// A file that begins with an opening.
    pub(super) fn open(id: LoanId, conditions: Arc<Conditions>, act: Act) -> Result<Self, Refused> {
        let Deed::Opened(opened) = act.deed.clone() else {
            return Err(Refused::Opening);
        };
        let named = [
            (opened.product, conditions.product.hash),
            (opened.rules, conditions.rules_hash()),
        ];
        if let Some((expected, found)) = named.into_iter().find(|(one, other)| one != other) {
            return Err(Refused::Conditions { expected, found });
        }
        conditions.product.terms(opened.instalments)?;
        let (least, most) = (conditions.product.minimum, conditions.product.maximum);
        opened.approved.common(most)?;
        if !(least.fen()..=most.fen()).contains(&opened.approved.fen()) {
            return Err(Refused::Product(ProductError::Amount {
                amount: opened.approved,
                minimum: least,
                maximum: most,
            }));
        }
        let file = Self {
            id,
            conditions,
            opened,
            acts: Vec::new(),
            last_booked: act.booked,
            frozen: BTreeSet::new(),
            revised: BTreeMap::new(),
        };
        file.admits_first(&act)?;
        Ok(file.with(act))
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> &LoanId {
        &self.id
    }

    /// How it began.
    #[must_use]
    pub const fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Its product and the bank's rules.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// The same, to fold the loan anew with.
    #[must_use]
    pub fn shared_conditions(&self) -> Arc<Conditions> {
        Arc::clone(&self.conditions)
    }

    /// All acts but those of the daily run, in the order of booking.
    #[must_use]
    pub fn acts(&self) -> &[Act] {
        &self.acts
    }

    /// When its last act was booked.
    #[must_use]
    pub const fn last_booked(&self) -> Instant {
        self.last_booked
    }

    /// Why it is frozen; empty if it is not.
    #[must_use]
    pub const fn frozen(&self) -> &BTreeSet<FreezeCause> {
        &self.frozen
    }

    /// What a token may be at most.
    pub(super) fn room(&self) -> Room {
        Room {
            least: self.conditions.product.minimum,
            most: self.opened.approved,
            until: self.opened.valid_until,
        }
    }

    /// What was revised, by which act.
    pub(super) const fn revised(&mut self) -> &mut BTreeMap<(Cause, EntryKind), u32> {
        &mut self.revised
    }

    /// The file with one act more.
    pub(super) fn with(mut self, act: Act) -> Self {
        self.last_booked = act.booked;
        match &act.deed {
            Deed::Frozen { cause } => {
                self.frozen.insert(*cause);
            }
            Deed::Thawed { cause } => {
                self.frozen.remove(cause);
            }
            _ => {}
        }
        self.acts.push(act);
        self
    }

    /// The file after an act of the daily run, which it does not keep: the position knows its day.
    pub(super) const fn after_run(mut self, booked: Instant) -> Self {
        self.last_booked = booked;
        self
    }

    /// Whether the act is known: the same key with the same content, however often it is sent.
    pub(super) fn known(&self, act: &Act) -> Result<Known, Refused> {
        let Some(kept) = self.acts.iter().find(|kept| kept.key == act.key) else {
            return Ok(Known::New);
        };
        let is_same = kept.value == act.value && kept.by == act.by && kept.deed == act.deed;
        if is_same {
            Ok(Known::Already)
        } else {
            Err(Refused::KeyReused(act.key.clone()))
        }
    }

    /// What is checked of every act but the first.
    pub(super) fn admits(&self, act: &Act) -> Result<(), Refused> {
        if matches!(act.deed, Deed::Opened(_)) {
            return Err(Refused::Opening);
        }
        self.admits_first(act)?;
        self.admits_frozen(act)
    }

    fn admits_first(&self, act: &Act) -> Result<(), Refused> {
        check_key(act)?;
        self.check_actor(act)?;
        if act.booked < self.last_booked {
            return Err(Refused::ClockBack {
                booked: act.booked,
                last: self.last_booked,
            });
        }
        let today = china_day(act.booked);
        if act.value > today {
            return Err(Refused::Future {
                value: act.value,
                day: today,
            });
        }
        check_content(&act.deed)?;
        match act.deed.amount() {
            Some(amount) => self.check_amount(amount),
            None => Ok(()),
        }
    }

    /// Above zero, no more than there is money, and in the loan's currency.
    fn check_amount(&self, amount: Money) -> Result<(), Refused> {
        amount.common(self.opened.approved)?;
        match amount.fen() {
            0 => Err(Refused::Nothing),
            1..=MAX_AMOUNT_FEN => Ok(()),
            _ => Err(MoneyError::Overflow.into()),
        }
    }

    fn check_actor(&self, act: &Act) -> Result<(), Refused> {
        let deed = act.deed.word();
        let actor = act.by.kind();
        if !act.deed.by().contains(&actor) {
            return Err(Refused::Actor { actor, deed });
        }
        let supplier = &self.opened.supplier;
        if let Actor::Borrower { supplier: other } = &act.by
            && other != supplier
        {
            return Err(Refused::Borrower);
        }
        if act.by.people().any(|person| person.is(supplier)) {
            return Err(Refused::OwnLoan(supplier.clone()));
        }
        if let Deed::TokenIssued { .. } = act.deed {
            self.check_release(&act.by)?;
        }
        Ok(())
    }

    /// Who accepted the offer does not release its money, in whoever's name.
    fn check_release(&self, by: &Actor) -> Result<(), Refused> {
        for officer in &self.opened.officers {
            let names = std::iter::once(&officer.name).chain(&officer.in_the_name_of);
            for name in names {
                if by.people().any(|person| person.is(name)) {
                    return Err(Refused::Officer(name.clone()));
                }
            }
        }
        Ok(())
    }

    /// A frozen loan is repaid, collected and given up, and nothing else.
    fn admits_frozen(&self, act: &Act) -> Result<(), Refused> {
        if let Deed::Thawed { cause } = act.deed
            && !self.frozen.contains(&cause)
        {
            return Err(Refused::NotFrozen);
        }
        let adds_risk = matches!(
            act.deed,
            Deed::TokenIssued { .. } | Deed::TokenUsed { .. } | Deed::Restructured(_)
        );
        match self.frozen.first() {
            Some(cause) if adds_risk => Err(Refused::Frozen(*cause)),
            _ => Ok(()),
        }
    }
}

/// The daily run has keys of its own, and nobody else uses them.
fn check_key(act: &Act) -> Result<(), Refused> {
    let of_the_run = match act.deed {
        Deed::DayOpened => Some(Key::day(act.value)),
        Deed::InstalmentDue { number } => Some(Key::due(number)),
        _ => None,
    };
    let is_right = match of_the_run {
        Some(key) => act.key == key,
        None => !act.key.is_of_the_run(),
    };
    if is_right {
        Ok(())
    } else {
        Err(Refused::RunKey(act.key.clone()))
    }
}

fn check_content(deed: &Deed) -> Result<(), Refused> {
    let given = |reason: &str| {
        if reason.trim().is_empty() {
            Err(Refused::Reason)
        } else {
            Ok(())
        }
    };
    match deed {
        Deed::Restructured(new) => given(&new.reason),
        Deed::PaymentReversed { reason, .. }
        | Deed::PaymentCorrected { reason, .. }
        | Deed::Graded { reason, .. }
        | Deed::WatchEnded { reason }
        | Deed::WrittenOff { reason }
        | Deed::DisbursementRefused { reason } => given(reason),
        Deed::Disbursed { reference, .. } => given(reference),
        Deed::Opened(opened) => given(&opened.decision_id),
        Deed::TokenIssued { .. }
        | Deed::TokenLimited { .. }
        | Deed::TokenRevoked
        | Deed::TokenUsed { .. }
        | Deed::DayOpened
        | Deed::InstalmentDue { .. }
        | Deed::Paid { .. }
        | Deed::RepaidEarly { .. }
        | Deed::Recovered { .. }
        | Deed::Refunded { .. }
        | Deed::Frozen { .. }
        | Deed::Thawed { .. }
        | Deed::Closed => Ok(()),
    }
}
