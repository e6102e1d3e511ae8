//! Asking the witnesses whether this database is the log that they know, before anything new is
//! signed. A database that was put back from a backup does not know what is missing in it; whoever
//! has cosigned more does.
//!
//! With n witnesses and quorum q, whatever was witnessed before was cosigned by q of them, so that
//! among any n - q + 1 at least one knows it. That many must confirm the head of this database, and
//! none may contradict. Where the policy is made for liars (n - q of them), one that contradicts
//! may be lying: then q must confirm, since of these at least one is honest and has cosigned
//! whatever was witnessed. More than n - q that contradict cannot all be lying: the log must not go
//! on. Everything in between is not known yet, and is asked again.

use std::sync::Arc;

use schemas::log::Policy;
use schemas::note::Note;
use tokio::sync::mpsc;

use super::cosign::{Cosigner, Refusal};
use super::{NotaryError, SharedTree};

/// Answers that wait to be counted.
const AT_ONCE: usize = 32;

/// How many witnesses and what quorum the policy in force has.
#[derive(Clone, Copy, Debug)]
struct Rule {
    witnesses: u64,
    quorum: u64,
}

impl Rule {
    fn of(policy: &Policy) -> Self {
        Self {
            witnesses: policy.witnesses.len() as u64,
            quorum: policy.quorum,
        }
    }

    /// How many must confirm where nobody contradicts.
    const fn needed(self) -> u64 {
        self.witnesses - self.quorum + 1
    }
}

/// What one witness says of a head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// It knows this history and nothing beyond.
    Confirmed,
    /// It knows this size, which is beyond the head or of another history.
    Contradicts(u64),
    /// Nothing of use.
    Silent,
}

impl Says {
    pub(super) fn of<T>(answer: &Result<T, Refusal>) -> Self {
        match answer {
            Ok(_) => Self::Confirmed,
            Err(Refusal::Knows(size)) => Self::Contradicts(*size),
            // Its own history does not lead to ours.
            Err(Refusal::Refused(422)) => Self::Contradicts(0),
            Err(_) => Self::Silent,
        }
    }
}

/// What is known so far.
#[derive(Debug, Default)]
struct Tally {
    confirmed: u64,
    against: Vec<(String, u64)>,
}

impl Tally {
    fn count(&mut self, witness: String, says: &Says) {
        match says {
            Says::Confirmed => self.confirmed += 1,
            Says::Contradicts(size) => self.against.push((witness, *size)),
            Says::Silent => {}
        }
    }

    /// Whether the log may go on, as far as is known now.
    fn outcome(&self, rule: Rule, ours: u64) -> Outcome {
        let liars = rule.witnesses - rule.quorum;
        if self.against.len() as u64 > liars {
            let most = self.against.iter().max_by_key(|(_, size)| *size);
            let (witness, witnessed) = most.cloned().unwrap_or_default();
            return Outcome::Refused(behind(witness, witnessed, ours));
        }
        let needed = if self.against.is_empty() {
            rule.needed()
        } else {
            rule.quorum
        };
        if self.confirmed >= needed {
            return Outcome::Confirmed;
        }
        Outcome::Open {
            confirmed: self.confirmed,
            needed,
        }
    }
}

fn behind(witness: String, witnessed: u64, ours: u64) -> NotaryError {
    if witnessed > ours {
        NotaryError::Behind {
            witness,
            witnessed,
            ours,
        }
    } else {
        NotaryError::OtherHistory { witness, ours }
    }
}

/// Where the tally stands.
#[derive(Debug)]
enum Outcome {
    /// The log may go on.
    Confirmed,
    /// It must not.
    Refused(NotaryError),
    /// Not known yet.
    Open {
        /// How many have confirmed.
        confirmed: u64,
        /// How many must.
        needed: u64,
    },
}

/// Asks all witnesses about a head; those of the policy in force count. Returns as soon as the
/// answers so far decide; the others are still heard, for the health page.
///
/// # Errors
/// [`NotaryError::Behind`], [`NotaryError::OtherHistory`], [`NotaryError::Unconfirmed`].
pub(super) async fn confirm(
    cosigner: &Arc<Cosigner>,
    in_force: &Policy,
    note: Note,
    tree: &SharedTree,
) -> Result<(), NotaryError> {
    let (said, mut hear) = mpsc::channel(AT_ONCE);
    let (asking, tree, ours) = (Arc::clone(cosigner), tree.clone(), note.checkpoint.size);
    tokio::spawn(async move { asking.ask_each(&note, &tree, &said).await });
    decide(in_force, ours, &mut hear).await
}

/// The same for a log that has no entry yet, so that there is nothing to show: asks each witness
/// what it knows.
///
/// # Errors
/// As [`confirm`].
pub(super) async fn confirm_empty(
    cosigner: &Arc<Cosigner>,
    first: &Policy,
) -> Result<(), NotaryError> {
    let (said, mut hear) = mpsc::channel(AT_ONCE);
    let (asking, origin) = (Arc::clone(cosigner), first.origin.to_string());
    tokio::spawn(async move { asking.ask_what_is_known(&origin, &said).await });
    decide(first, 0, &mut hear).await
}

async fn decide(
    policy: &Policy,
    ours: u64,
    hear: &mut mpsc::Receiver<(String, Says)>,
) -> Result<(), NotaryError> {
    let (rule, mut tally) = (Rule::of(policy), Tally::default());
    while let Some((witness, says)) = hear.recv().await {
        if !policy.witnesses.iter().any(|party| party.name == witness) {
            continue;
        }
        if let Says::Contradicts(size) = says {
            tracing::error!(witness, size, ours, "a witness knows another history");
        }
        tally.count(witness, &says);
        match tally.outcome(rule, ours) {
            // One that contradicts may still be among those who have not answered.
            Outcome::Confirmed if tally.confirmed >= rule.quorum => return Ok(()),
            Outcome::Refused(error) => return Err(error),
            _ => {}
        }
    }
    match tally.outcome(rule, ours) {
        Outcome::Confirmed => Ok(()),
        Outcome::Refused(error) => Err(error),
        Outcome::Open { confirmed, needed } => Err(NotaryError::Unconfirmed { confirmed, needed }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE_OF_FOUR: Rule = Rule {
        witnesses: 4,
        quorum: 3,
    };

    fn after(rule: Rule, said: &[Says]) -> Outcome {
        let mut tally = Tally::default();
        for (place, says) in said.iter().enumerate() {
            tally.count(format!("w{place}"), says);
        }
        tally.outcome(rule, 9)
    }

    #[test]
    fn as_many_must_confirm_as_meet_every_earlier_quorum() {
        use Says::{Confirmed, Silent};
        let one = after(THREE_OF_FOUR, &[Confirmed, Silent, Silent, Silent]);
        assert!(
            matches!(
                one,
                Outcome::Open {
                    confirmed: 1,
                    needed: 2
                }
            ),
            "{one:?}"
        );
        let two = after(THREE_OF_FOUR, &[Confirmed, Silent, Confirmed, Silent]);
        assert!(matches!(two, Outcome::Confirmed), "{two:?}");
        let all = Rule {
            witnesses: 4,
            quorum: 4,
        };
        let one = after(all, &[Silent, Silent, Silent, Confirmed]);
        assert!(matches!(one, Outcome::Confirmed), "{one:?}");
        let alone = Rule {
            witnesses: 1,
            quorum: 1,
        };
        let none = after(alone, &[Silent]);
        assert!(
            matches!(
                none,
                Outcome::Open {
                    confirmed: 0,
                    needed: 1
                }
            ),
            "{none:?}"
        );
    }

    #[test]
    fn one_liar_neither_stops_the_log_nor_lets_it_go_on() {
        use Says::{Confirmed, Contradicts, Silent};
        let overruled = after(
            THREE_OF_FOUR,
            &[Contradicts(99), Confirmed, Confirmed, Confirmed],
        );
        assert!(matches!(overruled, Outcome::Confirmed), "{overruled:?}");
        let open = after(
            THREE_OF_FOUR,
            &[Contradicts(99), Confirmed, Confirmed, Silent],
        );
        assert!(
            matches!(
                open,
                Outcome::Open {
                    confirmed: 2,
                    needed: 3
                }
            ),
            "{open:?}"
        );
        let behind = after(
            THREE_OF_FOUR,
            &[Contradicts(99), Confirmed, Contradicts(12)],
        );
        let Outcome::Refused(NotaryError::Behind {
            witness,
            witnessed,
            ours,
        }) = behind
        else {
            panic!("{behind:?}");
        };
        assert_eq!((&*witness, witnessed, ours), ("w0", 99, 9));
        let fork = after(THREE_OF_FOUR, &[Contradicts(9), Contradicts(0)]);
        let refused = matches!(fork, Outcome::Refused(NotaryError::OtherHistory { .. }));
        assert!(refused, "{fork:?}");
    }
}
