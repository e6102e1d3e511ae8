//! `platform policy`: which policies the log had, what the configuration would make of the next
//! one, and the operator's word that it may follow.
//!
//! A policy follows at a start of the platform and nowhere else: its configuration says other
//! witnesses, another quorum, other registrars or another log key, and `activate` has named exactly
//! these terms after exactly the policy in force. Nothing here writes into the log.

use std::fmt::Write as _;

use schemas::hash::Hash;
use schemas::log::{Entry, EntryError, Party, Policy};

use crate::anchor::{Approval, SuccessionError, check_registry, terms};
use crate::config::Config;
use crate::keys::{self, KeyFileError, Keys};
use crate::policies::Reign;
use crate::registry::{AdmitError, Snapshot};
use crate::service::StartError;
use crate::service::policy::{approve, of};
use crate::store::{self, RegistryStore, Store, StoreError};

/// Entries read at once.
const PAGE: u32 = 1_000;

/// The policies cannot be read or the next one cannot follow.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The configuration makes no policy.
    #[error("the configuration makes no policy")]
    Start(#[from] Box<StartError>),
    /// A key file.
    #[error("a key cannot be used")]
    Keys(#[from] KeyFileError),
    /// The registry.
    #[error("the registry cannot be read")]
    Registry(#[from] AdmitError),
    /// It cannot follow.
    #[error("the next policy cannot follow")]
    Succession(#[from] SuccessionError),
    /// An entry of the log.
    #[error("an entry of the log cannot be read")]
    Entry(#[from] EntryError),
    /// The approval cannot be written.
    #[error("the approval cannot be written")]
    Io(#[from] std::io::Error),
    /// No policy yet.
    #[error("the log has no policy yet: start the platform once")]
    NoPolicy,
    /// The configuration says what is in force already.
    #[error("the configuration is that of the policy in force: nothing would follow")]
    Same,
    /// Other terms than those that were shown.
    #[error("the configuration's next policy is {0}; see `platform policy next`")]
    OtherTerms(Hash),
}

/// Every policy of the log, by index.
///
/// # Errors
/// [`PolicyError`].
pub async fn chain(store: &dyn Store) -> Result<Vec<Reign>, PolicyError> {
    let (mut chain, mut index) = (Vec::new(), 0);
    loop {
        let entries = store.entries(index, PAGE).await?;
        if entries.is_empty() {
            return Ok(chain);
        }
        for entry in entries {
            if let Entry::Policy(policy) = Entry::parse(&entry)? {
                let handover = store.handover(index).await?;
                chain.push(Reign {
                    index,
                    entry,
                    policy,
                    handover,
                });
            }
            index += 1;
        }
    }
}

/// The policies of the log, in words.
///
/// # Errors
/// [`PolicyError`].
pub async fn show(config: &Config) -> Result<String, PolicyError> {
    let store = store::open(config).await?;
    let mut text = String::new();
    for reign in chain(&*store).await? {
        let state = if reign.is_in_force() {
            "in force behind it"
        } else {
            "WAITS FOR ITS HAND-OVER"
        };
        let _ = writeln!(
            text,
            "policy {} at index {}, {state}",
            reign.hash(),
            reign.index
        );
        describe(&mut text, &reign.policy);
    }
    Ok(text)
}

fn describe(text: &mut String, policy: &Policy) {
    let key = |key: &schemas::key::PublicKey| hex::encode(key.to_bytes());
    let _ = writeln!(text, "  log key    {}", key(&policy.log_key));
    for witness in &policy.witnesses {
        let _ = writeln!(text, "  witness    {} {}", witness.name, key(&witness.key));
    }
    let _ = writeln!(text, "  quorum     {}", policy.quorum);
    for registrar in &policy.registrars {
        let _ = writeln!(
            text,
            "  registrar  {} {}",
            registrar.name,
            key(&registrar.key)
        );
    }
}

/// What would follow, and whether it may.
#[derive(Debug)]
pub struct Next {
    /// The policy in force.
    pub now: Reign,
    /// What the configuration says.
    pub next: Policy,
    /// What `activate` must name.
    pub terms: Hash,
}

/// The configuration's policy, checked against the registry.
///
/// # Errors
/// [`PolicyError::Same`] where nothing would follow; all others: it may not.
pub async fn next(config: &Config) -> Result<Next, PolicyError> {
    let store = store::open(config).await?;
    let chain = chain(&*store).await?;
    let now = chain.into_iter().rfind(Reign::is_in_force);
    let now = now.ok_or(PolicyError::NoPolicy)?;
    let keys = Keys::load_or_make(&config.data.join("keys"))?;
    let next = of(config, &keys, now.policy.time).map_err(Box::new)?;
    if terms(&next) == terms(&now.policy) {
        return Err(PolicyError::Same);
    }
    let registry = Snapshot::load(&*store as &dyn RegistryStore).await?;
    check_registry(&registry, &next)?;
    Ok(Next {
        terms: terms(&next),
        now,
        next,
    })
}

impl Next {
    /// The changes, and how to have them.
    #[must_use]
    pub fn words(&self) -> String {
        let (old, new) = (&self.now.policy, &self.next);
        let mut text = format!("after policy {}\n", self.now.hash());
        let mut line = |words: String| {
            let _ = writeln!(text, "  {words}");
        };
        changes("witness", &old.witnesses, &new.witnesses, &mut line);
        changes("registrar", &old.registrars, &new.registrars, &mut line);
        if old.quorum != new.quorum {
            line(format!("quorum {} instead of {}", new.quorum, old.quorum));
        }
        if old.log_key != new.log_key {
            let key = hex::encode(new.log_key.to_bytes());
            line(format!("another log key: {key}"));
            line("every witness must accept it first (--log ORIGIN=KEY once more)".into());
        }
        line("the witnesses of the policy in force must answer once more at the start".into());
        let _ = writeln!(text, "to have it: platform policy activate {}", self.terms);
        text
    }
}

fn changes(what: &str, old: &[Party], new: &[Party], line: &mut impl FnMut(String)) {
    for party in old.iter().filter(|party| !new.contains(party)) {
        line(format!("without {what} {}", party.name));
    }
    for party in new.iter().filter(|party| !old.contains(party)) {
        line(format!("with {what} {}", party.name));
    }
}

/// Writes the operator's word down, if it names what `next` shows.
///
/// # Errors
/// [`PolicyError`].
pub async fn activate(config: &Config, named: Hash) -> Result<(), PolicyError> {
    let next = next(config).await?;
    if next.terms != named {
        return Err(PolicyError::OtherTerms(next.terms));
    }
    let approval = Approval {
        after: next.now.hash(),
        terms: next.terms,
    };
    Ok(approve(&config.data, &approval)?)
}

/// Makes the file of a next log key; its name for the configuration and its public key.
///
/// # Errors
/// [`PolicyError`].
pub fn new_key(config: &Config) -> Result<(String, Hash), PolicyError> {
    let folder = config.data.join("keys");
    Keys::load_or_make(&folder)?;
    let free = |number: &u64| !keys::log_key_file(&folder, &format!("log-{number}")).exists();
    let number = (2..).find(free).unwrap_or(u64::MAX);
    let name = format!("log-{number}");
    let key = keys::load_or_make(&keys::log_key_file(&folder, &name))?;
    Ok((name, Hash(key.public_bytes())))
}
