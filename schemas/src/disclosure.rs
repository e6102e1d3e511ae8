//! The disclosure document (`disclosure.md`): which members of its events an organisation
//! withholds from whom, signed by the organisation's own key.

mod signed;

pub use signed::SignedDisclosure;

use crate::cbor::{CborError, Reader, Writer};
use crate::event::{NAME_MAX, is_member_name};
use crate::hash::Hash;
use crate::ids::Slug;
use crate::key::KeyError;
use crate::statement::instant;
use crate::time::Instant;

/// Media type of a disclosure document.
pub const TYP_DISCLOSURE: &str = "application/vnd.tracebond.disclosure.v1+cbor";
/// Longest document in bytes.
pub const DISCLOSURE_MAX: usize = 65_536;
/// Kind of its log entry (type 3).
pub const KIND: &str = "disclosure";
/// Most rules of a document.
pub const RULES_MAX: usize = 256;
/// Most members that a rule names.
pub const NAMES_MAX: usize = 256;
/// Longest business step in bytes.
pub const STEP_MAX: usize = 64;

/// Who reads.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Anybody: product pages and public bundles.
    Consumer = 0,
    /// Another organisation of the same chain.
    Partner = 1,
    /// A bank that the organisation has consented to.
    Bank = 2,
    /// An authority.
    Regulator = 3,
}

impl Audience {
    /// All of them, by number.
    pub const ALL: [Self; 4] = [Self::Consumer, Self::Partner, Self::Bank, Self::Regulator];

    /// Its number in a document.
    #[must_use]
    pub const fn number(self) -> u64 {
        self as u64
    }

    /// From its number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }

    /// Its word, in configurations and addresses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Partner => "partner",
            Self::Bank => "bank",
            Self::Regulator => "regulator",
        }
    }
}

/// What is withheld from an audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// From whom.
    pub audience: Audience,
    /// In events of which business step, by its bare name; empty: in all events.
    pub step: String,
    /// Names of the members, strictly increasing.
    pub withheld: Vec<String>,
}

/// What an organisation withholds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// Log id.
    pub log: Hash,
    /// Whose events it is about.
    pub organisation: Slug,
    /// 1 for the first document, then one more each time.
    pub version: u64,
    /// [`SignedDisclosure::id`] of the document before; zero at version 1.
    pub prev: Hash,
    /// When it was made, as the organisation says.
    pub made: Instant,
    /// Strictly increasing by audience and step; each audience has one for all events.
    pub rules: Vec<Rule>,
}

/// A document that is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum DisclosureError {
    /// The form is broken.
    #[error("not the form of a disclosure document")]
    Form(#[from] CborError),
    /// Another kind of signed object.
    #[error("the object is of type `{0}`")]
    Typ(String),
    /// A rule is broken.
    #[error("{0}")]
    Rule(&'static str),
    /// The signature.
    #[error("the signature does not count")]
    Key(#[from] KeyError),
}

const fn holds(holds: bool, rule: &'static str) -> Result<(), DisclosureError> {
    if holds {
        Ok(())
    } else {
        Err(DisclosureError::Rule(rule))
    }
}

impl Disclosure {
    /// True if the document withholds a member of an event of this business step (bare name, if it
    /// has one) from an audience: the audience's rule for all events or that for the step names it.
    #[must_use]
    pub fn withholds(&self, audience: Audience, step: Option<&str>, member: &str) -> bool {
        let of_event = |rule: &&Rule| {
            rule.audience == audience && (rule.step.is_empty() || Some(&*rule.step) == step)
        };
        let names = |rule: &Rule| rule.withheld.iter().any(|name| name == member);
        self.rules.iter().filter(of_event).any(names)
    }

    /// Deterministic CBOR.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(6).uint(0).bytes(&self.log.0);
        w.uint(1).text(self.organisation.as_str());
        w.uint(2).uint(self.version).uint(3).bytes(&self.prev.0);
        w.uint(4).uint(self.made.as_unsigned());
        w.uint(5).array(self.rules.len());
        for rule in &self.rules {
            w.array(3).uint(rule.audience.number()).text(&rule.step);
            w.array(rule.withheld.len());
            for name in &rule.withheld {
                w.text(name);
            }
        }
        w.finish()
    }

    fn read(bytes: &[u8]) -> Result<Self, DisclosureError> {
        let mut r = Reader::new(bytes);
        let mut keys = r.map("disclosure")?;
        keys.required(&mut r, 0)?;
        let log = r.hash("log")?;
        keys.required(&mut r, 1)?;
        let organisation = r.text("org", crate::ids::SLUG_MAX)?;
        let organisation = organisation.parse().map_err(|_| CborError::Limit("org"))?;
        keys.required(&mut r, 2)?;
        let version = r.uint("version")?;
        keys.required(&mut r, 3)?;
        let prev = r.hash("prev")?;
        keys.required(&mut r, 4)?;
        let made = instant(&mut r, "made")?;
        keys.required(&mut r, 5)?;
        let rules = (0..r.array("rules", RULES_MAX)?)
            .map(|_| read_rule(&mut r))
            .collect::<Result<_, _>>()?;
        keys.end()?;
        r.end()?;
        Ok(Self {
            log,
            organisation,
            version,
            prev,
            made,
            rules,
        })
    }

    /// Everything that one document alone must obey.
    ///
    /// # Errors
    /// [`DisclosureError::Rule`].
    pub fn check(&self) -> Result<(), DisclosureError> {
        holds(self.version >= 1, "version is at least 1")?;
        holds(
            self.prev.is_zero() == (self.version == 1),
            "prev is 32 zero bytes exactly at version 1",
        )?;
        let key = |rule: &Rule| (rule.audience, rule.step.clone());
        holds(
            self.rules.windows(2).all(|two| key(&two[0]) < key(&two[1])),
            "rules strictly increase by audience and step",
        )?;
        for audience in Audience::ALL {
            let general = |rule: &Rule| rule.audience == audience && rule.step.is_empty();
            holds(
                self.rules.iter().any(general),
                "each audience has a rule for all events, be it empty",
            )?;
        }
        self.rules.iter().try_for_each(Rule::check)
    }
}

impl Rule {
    fn check(&self) -> Result<(), DisclosureError> {
        let printable = self.step.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        holds(
            self.step.len() <= STEP_MAX && printable,
            "a step is at most 64 printable ASCII characters without space",
        )?;
        holds(
            self.withheld.len() <= NAMES_MAX,
            "a rule names at most 256 members",
        )?;
        holds(
            self.withheld.iter().all(|name| is_member_name(name)),
            "a rule names members as an event may have them",
        )?;
        holds(
            self.withheld.windows(2).all(|pair| pair[0] < pair[1]),
            "names strictly increase",
        )
    }
}

fn read_rule(r: &mut Reader<'_>) -> Result<Rule, CborError> {
    r.array_of("rule", 3)?;
    let audience = r.uint("audience")?;
    let audience = Audience::from_number(audience).ok_or(CborError::Limit("audience"))?;
    let step = r.text("step", STEP_MAX)?.to_owned();
    let names = r.array("names", NAMES_MAX)?;
    let name = |r: &mut Reader<'_>| r.text("name", NAME_MAX).map(str::to_owned);
    let withheld = (0..names).map(|_| name(r)).collect::<Result<_, _>>()?;
    Ok(Rule {
        audience,
        step,
        withheld,
    })
}

#[cfg(test)]
mod tests;
