//! The life of a pledge as types. Each transition consumes the stage that it starts from, so what a
//! stage has no method for cannot be done: only [`Pledged`] draws, and nothing follows [`Ended`].
//!
//! [`Stage::next`] is the one place that says what follows from what. It judges a new step and reads
//! the kept ones again, so that no row does what could not have been done.

use schemas::ids::Slug;

use super::watch::Alarm;
use crate::money::Money;

pub use super::act::{Act, Denied, Offer, Said, Settled, State, WHY_MAX, Way, Worth};

/// What all stages know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// What was offered.
    pub offer: Offer,
    /// Who offered it.
    pub offered_by: Slug,
    /// What was drawn on it, and what it took over.
    pub drawn: Money,
    /// Alarms since a person last thawed it, oldest first.
    pub alarms: Vec<Alarm>,
    /// How somebody wants to end it, and who.
    pub proposal: Option<(Way, Slug)>,
}

impl Life {
    /// What may still be drawn.
    #[must_use]
    pub fn room(&self) -> Money {
        let zero = Money::zero(self.offer.lending_value.currency());
        self.offer.lending_value.minus(self.drawn).unwrap_or(zero)
    }

    fn take_up(mut self, amount: Money) -> Result<Self, Denied> {
        let room = self.room();
        self.drawn = self.drawn.plus(amount)?;
        if amount.fen() == 0 || amount.fen() > room.fen() {
            return Err(Denied::NotCovered {
                wanted: amount,
                room,
            });
        }
        self.proposal = None;
        Ok(self)
    }

    fn alarmed(mut self, alarm: Alarm) -> Self {
        self.alarms.push(alarm);
        self
    }

    /// Notes that somebody wants to end it.
    fn propose(mut self, way: Way, person: Slug) -> Result<Self, Denied> {
        if let Way::Paid(settled) = &way
            && *settled.loan() != self.offer.loan
        {
            return Err(Denied::OtherLoan);
        }
        self.proposal = Some((way, person));
        Ok(self)
    }

    fn retract(mut self) -> Result<Self, Denied> {
        self.proposal.take().ok_or(Denied::NotProposed)?;
        Ok(self)
    }

    /// Ends it as another person has proposed.
    fn confirm(self, way: &Way, person: &Slug) -> Result<Ended, Denied> {
        let state = match way {
            Way::Paid(_) | Way::Substituted { .. } => State::Released,
            Way::Realised { .. } => State::Realised,
        };
        match &self.proposal {
            Some((_, first)) if first == person => Err(Denied::SamePerson),
            Some((proposed, _)) if proposed == way => Ok(Ended { life: self, state }),
            _ => Err(Denied::NotProposed),
        }
    }
}

/// Its claims are taken, nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered(Life);

/// In force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pledged(Life);

/// In force, and nothing is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen(Life);

/// To be turned into money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called(Life);

/// Over; nothing follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    life: Life,
    state: State,
}

impl Offered {
    /// Puts it in force.
    ///
    /// # Errors
    /// [`Denied::SamePerson`] for whoever offered it.
    pub fn accept(self, person: &Slug) -> Result<Pledged, Denied> {
        if *person == self.0.offered_by {
            return Err(Denied::SamePerson);
        }
        Ok(Pledged(self.0))
    }

    /// Gives it up.
    #[must_use]
    pub fn withdraw(self) -> Ended {
        let state = State::Withdrawn;
        Ended {
            life: self.0,
            state,
        }
    }
}

impl Pledged {
    /// Draws on it.
    ///
    /// # Errors
    /// [`Denied::NotCovered`] beyond its room, [`Denied::Money`] in another currency.
    pub fn draw(self, amount: Money) -> Result<Self, Denied> {
        self.0.take_up(amount).map(Self)
    }

    /// Freezes draws.
    #[must_use]
    pub fn freeze(self, alarm: Alarm) -> Frozen {
        Frozen(self.0.alarmed(alarm))
    }

    /// Calls the loan.
    #[must_use]
    pub fn call(self) -> Called {
        Called(self.0)
    }

    /// Whether it can stand in for another pledge: of the same loan and borrower, with room for what
    /// was drawn there. That amount.
    ///
    /// # Errors
    /// [`Denied::OtherLoan`], [`Denied::NotCovered`], [`Denied::Money`].
    pub fn covers(&self, other: &Life) -> Result<Money, Denied> {
        let own = &self.0.offer;
        if own.loan != other.offer.loan || own.borrower != other.offer.borrower {
            return Err(Denied::OtherLoan);
        }
        let (wanted, room) = (other.drawn, self.0.room());
        wanted.common(room)?;
        if wanted.fen() > room.fen() {
            return Err(Denied::NotCovered { wanted, room });
        }
        Ok(wanted)
    }

    /// Takes over what was drawn on another one; nothing may have been drawn there.
    ///
    /// # Errors
    /// As [`Pledged::draw`].
    pub fn cover(self, drawn: Money) -> Result<Self, Denied> {
        if drawn.fen() == 0 {
            return Ok(self);
        }
        self.0.take_up(drawn).map(Self)
    }
}

impl Frozen {
    /// Adds an alarm.
    #[must_use]
    pub fn alarmed(self, alarm: Alarm) -> Self {
        Self(self.0.alarmed(alarm))
    }

    /// Lets it be drawn on again.
    #[must_use]
    pub fn thaw(mut self) -> Pledged {
        self.0.alarms.clear();
        Pledged(self.0)
    }

    /// Calls the loan.
    #[must_use]
    pub fn call(self) -> Called {
        Called(self.0)
    }
}

/// Where a pledge stands, with what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waits for a second person.
    Offered(Offered),
    /// In force.
    Pledged(Pledged),
    /// In force and frozen.
    Frozen(Frozen),
    /// To be turned into money.
    Called(Called),
    /// Over.
    Ended(Ended),
}

impl Stage {
    /// The stage after an offer.
    ///
    /// # Errors
    /// [`Denied`] for anything but an offer by a person.
    pub fn first(said: &Said) -> Result<Self, Denied> {
        let Act::Offer(offer) = &said.act else {
            return Err(Denied::Stage(State::Withdrawn));
        };
        checked(&offer.what)?;
        Ok(Self::Offered(Offered(Life {
            offer: Offer::clone(offer),
            offered_by: said.person.clone().ok_or(Denied::Nobody)?,
            drawn: Money::zero(offer.lending_value.currency()),
            alarms: Vec::new(),
            proposal: None,
        })))
    }

    /// The stage after something was said.
    ///
    /// # Errors
    /// [`Denied`]: it does not follow.
    pub fn next(self, said: &Said) -> Result<Self, Denied> {
        let state = self.state();
        if let Act::Withdraw(why) | Act::Thaw(why) | Act::Call(why) | Act::Retract(why) = &said.act
        {
            checked(why)?;
        }
        match (&said.act, &said.person) {
            (Act::Alarm(alarm), None) => self.alarm(alarm).ok_or(Denied::Stage(state)),
            (Act::Alarm(_), Some(_)) => Err(Denied::NotTheWatch),
            (_, None) => Err(Denied::Nobody),
            (_, Some(person)) => self.by(person, &said.act),
        }
    }

    fn alarm(self, alarm: &Alarm) -> Option<Self> {
        match self {
            Self::Pledged(stage) => Some(Self::Frozen(stage.freeze(alarm.clone()))),
            Self::Frozen(stage) => Some(Self::Frozen(stage.alarmed(alarm.clone()))),
            Self::Called(Called(life)) => Some(Self::Called(Called(life.alarmed(alarm.clone())))),
            Self::Offered(_) | Self::Ended(_) => None,
        }
    }

    fn by(self, person: &Slug, act: &Act) -> Result<Self, Denied> {
        let state = self.state();
        match (self, act) {
            (Self::Offered(stage), Act::Accept) => stage.accept(person).map(Self::Pledged),
            (Self::Offered(stage), Act::Withdraw(_)) => Ok(Self::Ended(stage.withdraw())),
            (Self::Pledged(stage), Act::Draw { amount, .. }) => {
                stage.draw(*amount).map(Self::Pledged)
            }
            (Self::Pledged(stage), Act::Cover { drawn, .. }) => {
                stage.cover(*drawn).map(Self::Pledged)
            }
            (Self::Pledged(stage), Act::Call(_)) => Ok(Self::Called(stage.call())),
            (Self::Frozen(stage), Act::Call(_)) => Ok(Self::Called(stage.call())),
            (Self::Frozen(stage), Act::Thaw(_)) => Ok(Self::Pledged(stage.thaw())),
            (stage, Act::Propose(way)) => stage.propose(way, person),
            (stage, Act::Retract(_)) => stage.map(Life::retract),
            (stage, Act::Confirm(way)) if stage.is_in_force() => {
                let life = stage.into_life();
                life.confirm(way, person).map(Self::Ended)
            }
            _ => Err(Denied::Stage(state)),
        }
    }

    /// Goods are turned into money only once the loan was called.
    fn propose(self, way: &Way, person: &Slug) -> Result<Self, Denied> {
        let realised = matches!(way, Way::Realised { .. });
        if realised && !matches!(self, Self::Called(_)) {
            return Err(Denied::Stage(self.state()));
        }
        self.map(|life| life.propose(way.clone(), person.clone()))
    }

    /// The same stage with another life, while it is in force.
    fn map(self, change: impl FnOnce(Life) -> Result<Life, Denied>) -> Result<Self, Denied> {
        match self {
            Self::Pledged(Pledged(life)) => Ok(Self::Pledged(Pledged(change(life)?))),
            Self::Frozen(Frozen(life)) => Ok(Self::Frozen(Frozen(change(life)?))),
            Self::Called(Called(life)) => Ok(Self::Called(Called(change(life)?))),
            Self::Offered(_) | Self::Ended(_) => Err(Denied::Stage(self.state())),
        }
    }

    /// Whether it secures the loan: accepted, and not over.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        !matches!(self, Self::Offered(_) | Self::Ended(_))
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> State {
        match self {
            Self::Offered(_) => State::Offered,
            Self::Pledged(_) => State::Pledged,
            Self::Frozen(_) => State::Frozen,
            Self::Called(_) => State::Called,
            Self::Ended(ended) => ended.state,
        }
    }

    /// What is known of it.
    #[must_use]
    pub fn life(&self) -> &Life {
        match self {
            Self::Offered(Offered(life))
            | Self::Pledged(Pledged(life))
            | Self::Frozen(Frozen(life))
            | Self::Called(Called(life))
            | Self::Ended(Ended { life, .. }) => life,
        }
    }

    fn into_life(self) -> Life {
        match self {
            Self::Offered(Offered(life))
            | Self::Pledged(Pledged(life))
            | Self::Frozen(Frozen(life))
            | Self::Called(Called(life))
            | Self::Ended(Ended { life, .. }) => life,
        }
    }
}

/// A person's text.
fn checked(text: &str) -> Result<(), Denied> {
    if text.trim().is_empty() || text.len() > WHY_MAX || text.contains('\0') {
        Err(Denied::Text)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
