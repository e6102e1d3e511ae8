//! What a payment pays.

use serde::Deserialize;

use crate::money::{Currency, Money, MoneyError};

/// What an instalment consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// Penalty interest.
    Penalty,
    /// Fees.
    Fees,
    /// Interest.
    Interest,
    /// Principal.
    Principal,
}

/// An order that lacks a component or names one twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("penalty, fees, interest and principal are each needed once, in the order of payment")]
pub struct AllocationOrderError;

/// Each component once, the first one paid first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Component>")]
pub struct AllocationOrder([Component; 4]);

impl Default for AllocationOrder {
    /// Penalty, fees, interest, principal.
    fn default() -> Self {
        Self([
            Component::Penalty,
            Component::Fees,
            Component::Interest,
            Component::Principal,
        ])
    }
}

impl AllocationOrder {
    /// The components in order.
    #[must_use]
    pub const fn components(&self) -> [Component; 4] {
        self.0
    }
}

impl TryFrom<Vec<Component>> for AllocationOrder {
    type Error = AllocationOrderError;
    fn try_from(components: Vec<Component>) -> Result<Self, AllocationOrderError> {
        let order = <[Component; 4]>::try_from(components).map_err(|_| AllocationOrderError)?;
        let mut sorted = order;
        sorted.sort_unstable();
        let distinct = sorted.windows(2).all(|pair| pair[0] != pair[1]);
        distinct.then_some(Self(order)).ok_or(AllocationOrderError)
    }
}

/// Which goes first where several instalments are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Across {
    /// The oldest instalment with all its components, then the next one.
    #[default]
    OldestInstalment,
    /// The first component of all instalments, oldest first, then the next component.
    Component,
}

/// How payments are allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllocationRule {
    /// Order of components.
    pub order: AllocationOrder,
    /// Order of instalments.
    pub across: Across,
}

/// Amounts of one instalment: what is due, or what a payment paid of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Penalty interest.
    pub penalty: Money,
    /// Fees.
    pub fees: Money,
    /// Interest.
    pub interest: Money,
    /// Principal.
    pub principal: Money,
}

impl Due {
    /// Nothing, in a currency.
    #[must_use]
    pub const fn nothing(currency: Currency) -> Self {
        let zero = Money::zero(currency);
        Self {
            penalty: zero,
            fees: zero,
            interest: zero,
            principal: zero,
        }
    }

    /// One component.
    #[must_use]
    pub const fn get(&self, component: Component) -> Money {
        match component {
            Component::Penalty => self.penalty,
            Component::Fees => self.fees,
            Component::Interest => self.interest,
            Component::Principal => self.principal,
        }
    }

    fn get_mut(&mut self, component: Component) -> &mut Money {
        match component {
            Component::Penalty => &mut self.penalty,
            Component::Fees => &mut self.fees,
            Component::Interest => &mut self.interest,
            Component::Principal => &mut self.principal,
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// [`MoneyError`] for two currencies and an overflow.
    pub fn total(&self) -> Result<Money, MoneyError> {
        self.penalty
            .plus(self.fees)?
            .plus(self.interest)?
            .plus(self.principal)
    }
}

/// Where a payment went. All parts and the rest sum to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// What was paid of each instalment, in the order they were given.
    pub paid: Vec<Due>,
    /// What was not needed.
    pub rest: Money,
}

/// Allocates a payment to what is unpaid of instalments, the oldest first.
///
/// # Errors
/// [`MoneyError::CurrencyMismatch`] if anything is in another currency than the payment.
pub fn allocate(
    rule: AllocationRule,
    payment: Money,
    unpaid: &[Due],
) -> Result<Allocation, MoneyError> {
    let mut paid = vec![Due::nothing(payment.currency()); unpaid.len()];
    let mut rest = payment;
    let mut pay = |number: usize, component: Component| {
        let part = rest.min(unpaid[number].get(component))?;
        *paid[number].get_mut(component) = part;
        rest = rest.minus(part)?;
        Ok::<_, MoneyError>(())
    };
    let components = rule.order.components();
    match rule.across {
        Across::OldestInstalment => {
            for number in 0..unpaid.len() {
                components.iter().try_for_each(|one| pay(number, *one))?;
            }
        }
        Across::Component => {
            for component in components {
                (0..unpaid.len()).try_for_each(|number| pay(number, component))?;
            }
        }
    }
    Ok(Allocation { paid, rest })
}
