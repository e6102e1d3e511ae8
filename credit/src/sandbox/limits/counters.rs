//! The counting itself, as a value: what a store must behave like.

use std::collections::{BTreeMap, BTreeSet};

use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

use super::{Charge, CounterKey, Exceeded, Limits, Request, charges};
use crate::money::{Money, MoneyError};

/// Room that a request has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// What was asked for.
    pub request: Request,
    /// What it added, in the order of the counters.
    pub charges: Vec<Charge>,
}

/// Why nothing is given back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// No such reservation.
    #[error("there is no reservation `{0}`")]
    Unknown(Slug),
    /// More than is still owed.
    #[error("{asked} is more than the {left} that is left of `{id}`")]
    TooMuch {
        /// Of which.
        id: Slug,
        /// What was to be given back.
        asked: Money,
        /// What is left.
        left: Money,
    },
    /// An amount in another currency.
    #[error("the amount is refused")]
    Money(#[from] MoneyError),
}

/// What is counted. The same reservations and releases give the same counts in whatever order they
/// were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    used: BTreeMap<CounterKey, i64>,
    borrowers: BTreeSet<Slug>,
    reservations: BTreeMap<Slug, Held>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    reservation: Reservation,
    left: Money,
}

/// Decides on a request; nothing is counted yet, [`Counters::add`] does. A request that was taken
/// before gives the same reservation again.
///
/// # Errors
/// [`Exceeded`] with the first limit in the order of the request's own limits and then of
/// [`CounterKey`].
pub fn decide(
    limits: &Limits,
    counters: &Counters,
    request: &Request,
) -> Result<Reservation, Exceeded> {
    if let Some(held) = counters.reservations.get(&request.id) {
        return if held.reservation.request == *request {
            Ok(held.reservation.clone())
        } else {
            Err(Exceeded::Id(request.id.clone()))
        };
    }
    let mut charges = charges(limits, request)?;
    let known = counters.borrowers.contains(&request.borrower);
    charges.retain(|charge| !known || charge.key != CounterKey::Users);
    for charge in &charges {
        counters.fits(charge, request.amount)?;
    }
    Ok(Reservation {
        request: request.clone(),
        charges,
    })
}

impl Counters {
    /// What is used of a counter: users, or fen.
    #[must_use]
    pub fn used(&self, key: &CounterKey) -> i64 {
        self.used.get(key).copied().unwrap_or(0)
    }

    /// Every counter that was ever charged.
    #[must_use]
    pub const fn all(&self) -> &BTreeMap<CounterKey, i64> {
        &self.used
    }

    /// Decides on a request and counts it.
    ///
    /// # Errors
    /// [`Exceeded`]; nothing was counted then.
    pub fn reserve(&mut self, limits: &Limits, request: &Request) -> Result<Reservation, Exceeded> {
        let reservation = decide(limits, self, request)?;
        self.add(&reservation);
        Ok(reservation)
    }

    /// Counts a reservation that was decided on these very counters. One that is counted already
    /// changes nothing.
    pub fn add(&mut self, reservation: &Reservation) {
        let request = &reservation.request;
        if self.reservations.contains_key(&request.id) {
            return;
        }
        for charge in &reservation.charges {
            *self.used.entry(charge.key.clone()).or_default() += charge.add;
        }
        self.borrowers.insert(request.borrower.clone());
        let held = Held {
            reservation: reservation.clone(),
            left: request.amount,
        };
        self.reservations.insert(request.id.clone(), held);
    }

    /// Gives back what was repaid of a reservation, or all of one that was not used.
    ///
    /// # Errors
    /// [`ReleaseError`]; nothing was given back then.
    pub fn release(&mut self, id: &Slug, amount: Money) -> Result<(), ReleaseError> {
        let held = self.reservations.get_mut(id);
        let held = held.ok_or_else(|| ReleaseError::Unknown(id.clone()))?;
        amount.common(held.left)?;
        held.left = match held.left.minus(amount) {
            Ok(left) => left,
            Err(_) => {
                let (id, asked, left) = (id.clone(), amount, held.left);
                return Err(ReleaseError::TooMuch { id, asked, left });
            }
        };
        let charged = held.reservation.charges.iter();
        for charge in charged.filter(|charge| charge.key.is_returned()) {
            *self.used.entry(charge.key.clone()).or_default() -= amount.fen();
        }
        Ok(())
    }

    /// What is left of a reservation.
    #[must_use]
    pub fn left(&self, id: &Slug) -> Option<Money> {
        self.reservations.get(id).map(|held| held.left)
    }

    fn fits(&self, charge: &Charge, asked: Money) -> Result<(), Exceeded> {
        let used = self.used(&charge.key);
        // A counter above its cap, which lower limits bring about, takes nothing more.
        if used
            .checked_add(charge.add)
            .is_some_and(|sum| sum <= charge.cap)
        {
            return Ok(());
        }
        let limit = charge.key.limit();
        if charge.key == CounterKey::Users {
            let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
            return Err(Exceeded::Number {
                limit,
                value: number(charge.cap),
                used: number(used),
                asked: number(charge.add),
            });
        }
        Err(Exceeded::Amount {
            limit,
            value: Money::from_fen(charge.cap, asked.currency())?,
            used: Money::from_fen(used, asked.currency())?,
            asked,
        })
    }
}
