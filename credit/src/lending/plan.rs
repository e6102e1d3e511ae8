//! Every instalment that a loan ever had, with what became of it; and a loan at a glance, for lists.
//!
//! A position forgets what is paid. Here the acts are folded once more, and each instalment is followed
//! from the act that made it to the one by which nothing of it was left.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::view::{Line, Standing, line, standing};
use super::{Lending, LendingError, Loaded};
use crate::loan::life::slot::{Slot, SlotStage};
use crate::loan::life::{Act, Deed, Loan, Position, Refused};
use crate::money::Money;
use crate::store::StoreError;
use crate::store::lending::Head;

/// What became of an instalment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It is not due.
    Ahead,
    /// It is due, and something of it is unpaid.
    Due,
    /// Nothing of it is unpaid, since the value date of this act.
    Paid(NaiveDate),
    /// New terms took its place.
    Replaced(NaiveDate),
    /// The loan was written off.
    GivenUp(NaiveDate),
}

/// An instalment with what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instalment {
    /// From 1; 0 is what was due with the disbursement.
    pub number: u32,
    /// When it is due.
    pub due: NaiveDate,
    /// What it asks for, all penalty so far among it.
    pub asked: Line,
    /// What is unpaid of it; all of it while it is ahead, nothing once it is gone.
    pub unpaid: Money,
    /// What became of it.
    pub became: Became,
}

impl Loaded {
    /// Every instalment that there ever was, by number. Folds all acts once more.
    ///
    /// # Errors
    /// [`Refused`], never in practice: the acts were folded before.
    pub fn plan(&self) -> Result<Vec<Instalment>, Refused> {
        let file = self.loan.file();
        let mut acts = self.acts.iter().cloned();
        let Some(first) = acts.next() else {
            return Ok(Vec::new());
        };
        let mut loan = Loan::open(file.id().clone(), file.shared_conditions(), first)?;
        let mut plan = BTreeMap::new();
        for act in acts {
            loan = loan.apply(act.clone())?.loan;
            if let Some(position) = loan.position() {
                follow(&mut plan, position, &act)?;
            }
        }
        Ok(plan.into_values().map(|one| one.instalment).collect())
    }
}

/// An instalment on its way, with the penalty that it began with.
struct Followed {
    instalment: Instalment,
    carried: Money,
}

impl Followed {
    fn new(asked: Line) -> Self {
        let instalment = Instalment {
            number: asked.number,
            due: asked.due,
            unpaid: asked.total,
            became: Became::Ahead,
            asked,
        };
        Self {
            carried: instalment.asked.penalty,
            instalment,
        }
    }

    /// It is still there. What is ahead may be planned anew; what is due asks for what it asked for
    /// when it fell due, and for the penalty since.
    fn go_on(&mut self, slot: &Slot) -> Result<(), Refused> {
        let now = line(slot)?;
        let one = &mut self.instalment;
        one.due = now.due;
        one.unpaid = now.total;
        let SlotStage::Fallen(fallen) = &slot.stage else {
            self.carried = now.penalty;
            one.became = Became::Ahead;
            one.asked = now;
            return Ok(());
        };
        one.became = Became::Due;
        let asked = &mut one.asked;
        asked.is_due = true;
        asked.penalty = self.carried.plus(fallen.charged)?;
        let parts = asked.principal.plus(asked.interest)?.plus(asked.fees)?;
        asked.total = parts.plus(asked.penalty)?;
        Ok(())
    }
}

/// Follows every instalment through one act.
fn follow(
    plan: &mut BTreeMap<u32, Followed>,
    position: &Position,
    act: &Act,
) -> Result<(), Refused> {
    let numbers: BTreeSet<u32> = position.slots().iter().map(|slot| slot.number).collect();
    let gone = plan
        .values_mut()
        .map(|one| &mut one.instalment)
        .filter(|one| !numbers.contains(&one.number))
        .filter(|one| matches!(one.became, Became::Ahead | Became::Due));
    gone.for_each(|one| end(one, act));
    for slot in position.slots() {
        match plan.entry(slot.number) {
            Entry::Occupied(known) => known.into_mut().go_on(slot)?,
            Entry::Vacant(new) => new.insert(Followed::new(line(slot)?)).go_on(slot)?,
        }
    }
    Ok(())
}

/// It is gone by this act.
fn end(one: &mut Instalment, act: &Act) {
    one.unpaid = Money::zero(one.unpaid.currency());
    one.became = match act.deed {
        Deed::Restructured(_) => Became::Replaced(act.value),
        Deed::WrittenOff { .. } => Became::GivenUp(act.value),
        _ => Became::Paid(act.value),
    };
}

impl Lending {
    /// Where a loan of a list stands, from the copy in its row; nothing before money went out.
    ///
    /// # Errors
    /// [`LendingError::Store`] for a copy that cannot be read.
    pub async fn glance(&self, head: &Head) -> Result<Option<Standing>, LendingError> {
        let Some(kept) = &head.position else {
            return Ok(None);
        };
        let store = &*self.store;
        let conditions = self.catalogue.conditions(store, head.product, head.rules);
        let conditions = conditions.await?;
        let read = Position::of_kept(kept, &conditions, head.instalments);
        let position = read.map_err(|_| StoreError::Row { what: "position" })?;
        Ok(Some(standing(&position)?))
    }
}
