//! Who does something to a loan, and how two people are two.

use std::fmt;

use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

/// A person, and in whose name that person acts if not in the own one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Who.
    pub name: Slug,
    /// The colleague or machine account that is used; a stand-in is both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_the_name_of: Option<Slug>,
}

impl Person {
    /// A person who acts in the own name.
    #[must_use]
    pub const fn new(name: Slug) -> Self {
        Self {
            name,
            in_the_name_of: None,
        }
    }

    /// Whether this is that person, by name or by standing in.
    #[must_use]
    pub fn is(&self, name: &Slug) -> bool {
        self.name == *name || self.in_the_name_of.as_ref() == Some(name)
    }

    /// The name that two people have in common, by any route.
    fn shared(&self, other: &Self) -> Option<Slug> {
        let names = std::iter::once(&self.name).chain(&self.in_the_name_of);
        names.into_iter().find(|name| other.is(name)).cloned()
    }
}

/// Maker and checker are one person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is maker and checker: two people are needed")]
pub struct SamePerson(pub Slug);

/// Maker and checker. There is no value of this type in which they are one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct TwoPeople {
    maker: Person,
    checker: Person,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    maker: Person,
    checker: Person,
}

impl TwoPeople {
    /// Two people.
    ///
    /// # Errors
    /// [`SamePerson`] if they are one, or one stands in for the other, or both for a third.
    pub fn new(maker: Person, checker: Person) -> Result<Self, SamePerson> {
        match maker.shared(&checker) {
            Some(name) => Err(SamePerson(name)),
            None => Ok(Self { maker, checker }),
        }
    }

    /// Who proposed.
    #[must_use]
    pub const fn maker(&self) -> &Person {
        &self.maker
    }

    /// Who agreed.
    #[must_use]
    pub const fn checker(&self) -> &Person {
        &self.checker
    }
}

impl TryFrom<Written> for TwoPeople {
    type Error = SamePerson;
    fn try_from(written: Written) -> Result<Self, SamePerson> {
        Self::new(written.maker, written.checker)
    }
}

impl From<TwoPeople> for Written {
    fn from(two: TwoPeople) -> Self {
        Self {
            maker: two.maker,
            checker: two.checker,
        }
    }
}

/// Who does it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "actor", rename_all = "snake_case")]
pub enum Actor {
    /// The daily run, a monitor, a rule.
    Machine,
    /// The bank's core system, which knows what was paid.
    Bank,
    /// The borrower.
    Borrower {
        /// Which.
        supplier: Slug,
    },
    /// One person of the bank.
    One {
        /// Who.
        person: Person,
    },
    /// Two people of the bank.
    Two {
        /// Who.
        people: TwoPeople,
    },
}

impl Actor {
    /// The people in it: none, one or two.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        let (first, second) = match self {
            Self::One { person } => (Some(person), None),
            Self::Two { people } => (Some(&people.maker), Some(&people.checker)),
            Self::Machine | Self::Bank | Self::Borrower { .. } => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// What kind of actor it is.
    #[must_use]
    pub const fn kind(&self) -> ActorKind {
        match self {
            Self::Machine => ActorKind::Machine,
            Self::Bank => ActorKind::Bank,
            Self::Borrower { .. } => ActorKind::Borrower,
            Self::One { .. } => ActorKind::One,
            Self::Two { .. } => ActorKind::Two,
        }
    }
}

/// Kinds of actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// [`Actor::Machine`].
    Machine,
    /// [`Actor::Bank`].
    Bank,
    /// [`Actor::Borrower`].
    Borrower,
    /// [`Actor::One`].
    One,
    /// [`Actor::Two`].
    Two,
}

impl fmt::Display for ActorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "a machine",
            Self::Bank => "the bank's core system",
            Self::Borrower => "the borrower",
            Self::One => "one person of the bank",
            Self::Two => "two people of the bank",
        })
    }
}
