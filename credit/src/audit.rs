//! The trail of what people did: rows that can only be added, each carrying the hash of the one
//! before, so that a change, a gap or a swap in the middle shows. A trail that was cut at its end is
//! shorter than a head that somebody wrote down: `credit audit` prints the head for that.

mod pledged;

pub use pledged::PledgeAction;

use kit::people::{FactorNoted, Noted};
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::Serialize;

use crate::pledge::step::Step;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Logged in.
    LogIn,
    /// Logged out.
    LogOut,
    /// Accepted an offer, which settled it.
    Accept,
    /// Accepted an offer by rule, without a person; the detail names the rule.
    Pass,
    /// Accepted an offer that a second officer has to decide.
    Endorse,
    /// Refused an offer.
    Refuse,
    /// An offer ran out undecided.
    Lapse,
    /// Tried to decide a second time on the same offer.
    SamePerson,
    /// Added a refusal reason.
    AddReason,
    /// Retired a refusal reason.
    RetireReason,
    /// Made an account.
    AddAccount,
    /// Gave an account another password.
    ChangePassword,
    /// Closed an account.
    CloseAccount,
    /// Opened an account again.
    OpenAccount,
    /// Set up a second factor.
    AddFactor,
    /// Logged in by a recovery code in place of the second factor.
    UseRecoveryCode,
    /// Removed somebody's second factor.
    ResetFactor,
    /// Gave a decision to somebody to look after, or took it from them.
    Assign,
    /// Wrote a note beside a decision.
    AddNote,
    /// Put a document beside a decision.
    AddDocument,
    /// Set a task beside a decision.
    AddTask,
    /// Said that a task is done.
    FinishTask,
    /// Took out the queue, the decisions or this trail as signed files.
    Export,
    /// Linked a provider's subject to an account.
    LinkIdentity,
    /// Removed the links of an account.
    UnlinkIdentity,
    /// Made a client of machines.
    AddClient,
    /// Closed a client.
    CloseClient,
    /// Opened a client again.
    OpenClient,
    /// Declined an offer, for the supplier who borrows.
    DeclineOffer,
    /// Nobody took an offer while it was valid.
    OfferUntaken,
    /// Did something with a loan.
    LoanAct,
    /// Proposed something that a second person has to agree to, or ended that.
    LoanMotion,
    /// Brought loans to a day.
    DailyRun,
    /// Did something with the trial of the sandbox; the detail says what.
    Trial,
    /// Did something with a scorecard, or another points table scores from now on.
    Model,
    /// Did something with a pledge, or the watch did.
    Pledge(PledgeAction),
}

impl Action {
    /// Every action, for texts and tests.
    pub const ALL: [Self; 47] = [
        Self::LogIn,
        Self::LogOut,
        Self::Accept,
        Self::Pass,
        Self::Endorse,
        Self::Refuse,
        Self::Lapse,
        Self::SamePerson,
        Self::AddReason,
        Self::RetireReason,
        Self::AddAccount,
        Self::ChangePassword,
        Self::CloseAccount,
        Self::OpenAccount,
        Self::AddFactor,
        Self::UseRecoveryCode,
        Self::ResetFactor,
        Self::Assign,
        Self::AddNote,
        Self::AddDocument,
        Self::AddTask,
        Self::FinishTask,
        Self::Export,
        Self::LinkIdentity,
        Self::UnlinkIdentity,
        Self::AddClient,
        Self::CloseClient,
        Self::OpenClient,
        Self::DeclineOffer,
        Self::OfferUntaken,
        Self::LoanAct,
        Self::LoanMotion,
        Self::DailyRun,
        Self::Trial,
        Self::Model,
        Self::Pledge(PledgeAction::Offer),
        Self::Pledge(PledgeAction::Accept),
        Self::Pledge(PledgeAction::Withdraw),
        Self::Pledge(PledgeAction::Draw),
        Self::Pledge(PledgeAction::Freeze),
        Self::Pledge(PledgeAction::Thaw),
        Self::Pledge(PledgeAction::Call),
        Self::Pledge(PledgeAction::Propose),
        Self::Pledge(PledgeAction::Retract),
        Self::Pledge(PledgeAction::Release),
        Self::Pledge(PledgeAction::Realise),
        Self::Pledge(PledgeAction::Cover),
    ];

    /// Its word in rows and texts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::LogIn => "log-in",
            Self::LogOut => "log-out",
            Self::Accept => "accept",
            Self::Pass => "pass",
            Self::Endorse => "endorse",
            Self::Refuse => "refuse",
            Self::Lapse => "lapse",
            Self::SamePerson => "same-person",
            Self::AddReason => "add-reason",
            Self::RetireReason => "retire-reason",
            Self::AddAccount => "add-account",
            Self::ChangePassword => "change-password",
            Self::CloseAccount => "close-account",
            Self::OpenAccount => "open-account",
            Self::AddFactor => "add-factor",
            Self::UseRecoveryCode => "use-recovery-code",
            Self::ResetFactor => "reset-factor",
            Self::Assign => "assign",
            Self::AddNote => "add-note",
            Self::AddDocument => "add-document",
            Self::AddTask => "add-task",
            Self::FinishTask => "finish-task",
            Self::Export => "export",
            Self::LinkIdentity => "link-identity",
            Self::UnlinkIdentity => "unlink-identity",
            Self::AddClient => "add-client",
            Self::CloseClient => "close-client",
            Self::OpenClient => "open-client",
            Self::DeclineOffer => "decline-offer",
            Self::OfferUntaken => "offer-untaken",
            Self::LoanAct => "loan-act",
            Self::LoanMotion => "loan-motion",
            Self::DailyRun => "daily-run",
            Self::Trial => "trial",
            Self::Model => "model",
            Self::Pledge(action) => action.word(),
        }
    }
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// Who: an account's name, `command-line` or `service`.
    pub actor: String,
    /// What.
    pub action: Action,
    /// To what: a decision's id, an account's name, a reason's code.
    pub subject: String,
    /// In which words or numbers, if that needs saying.
    pub detail: String,
}

impl Entry {
    /// The entry of a log-in or log-out.
    #[must_use]
    pub fn at_the_door(name: &Slug, what: &Noted, at: Instant) -> Self {
        Self {
            at,
            actor: name.to_string(),
            action: match what {
                Noted::LoggedIn => Action::LogIn,
                Noted::LoggedOut => Action::LogOut,
            },
            subject: name.to_string(),
            detail: String::new(),
        }
    }

    /// The entry of what happened to a second factor.
    #[must_use]
    pub fn of_factor(name: &Slug, what: &FactorNoted, at: Instant) -> Self {
        let (actor, action) = match what {
            FactorNoted::Added => (name, Action::AddFactor),
            FactorNoted::RecoveryUsed => (name, Action::UseRecoveryCode),
            FactorNoted::Reset { by } => (by, Action::ResetFactor),
        };
        Self {
            at,
            actor: actor.to_string(),
            action,
            subject: name.to_string(),
            detail: String::new(),
        }
    }

    /// The entry of a pledge's step.
    #[must_use]
    pub fn of_pledge(step: &Step) -> Self {
        let actor = step.said.person.as_ref();
        Self {
            at: step.at,
            actor: actor.map_or_else(|| "service".to_owned(), ToString::to_string),
            action: Action::Pledge(PledgeAction::of(&step.said.act)),
            subject: step.pledge.to_string(),
            detail: step.said.act.in_words(),
        }
    }
}

/// A row of the trail, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// From 1, without a gap.
    pub seq: i64,
    /// When.
    pub at: Instant,
    /// Who.
    pub actor: String,
    /// The word of an [`Action`].
    pub action: String,
    /// To what.
    pub subject: String,
    /// In which words.
    pub detail: String,
    /// Hash of the row before; zero in the first.
    pub prev: Hash,
}

/// What is hashed of a row: this type's JSON, members in this order.
#[derive(Serialize)]
struct Hashed<'r> {
    seq: i64,
    at: String,
    actor: &'r str,
    action: &'r str,
    subject: &'r str,
    detail: &'r str,
    prev: Hash,
}

impl Row {
    /// The row of an entry behind another row, or the first.
    #[must_use]
    pub fn after(before: Option<&Self>, entry: &Entry) -> Self {
        Self {
            seq: before.map_or(1, |before| before.seq.saturating_add(1)),
            at: entry.at,
            actor: entry.actor.clone(),
            action: entry.action.word().to_owned(),
            subject: entry.subject.clone(),
            detail: entry.detail.clone(),
            prev: before.map_or(Hash::ZERO, Self::hash),
        }
    }

    /// SHA-256 of the row, which the next one carries.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let hashed = Hashed {
            seq: self.seq,
            at: self.at.to_rfc3339(),
            actor: &self.actor,
            action: &self.action,
            subject: &self.subject,
            detail: &self.detail,
            prev: self.prev,
        };
        // Texts and numbers always have a JSON form.
        sha256(&serde_json::to_vec(&hashed).unwrap_or_default())
    }
}

/// Where a trail does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A number is missing or stands twice.
    #[error("row {expected} is missing; row {found} stands there")]
    Gap {
        /// The number that should stand here.
        expected: i64,
        /// The number that does.
        found: i64,
    },
    /// A row before this one was changed after this one was written.
    #[error("row {0} does not carry the hash of the row before it")]
    Link(i64),
}

/// Reads a trail row by row, in order.
#[derive(Debug, Default)]
pub struct Check {
    last: Option<Row>,
}

impl Check {
    /// Takes the next row.
    ///
    /// # Errors
    /// [`Broken`] where it does not follow.
    pub fn take(&mut self, row: Row) -> Result<(), Broken> {
        let expected = self.last.as_ref().map_or(1, |last| last.seq + 1);
        let found = row.seq;
        if found != expected {
            return Err(Broken::Gap { expected, found });
        }
        if row.prev != self.last.as_ref().map_or(Hash::ZERO, Row::hash) {
            return Err(Broken::Link(row.seq));
        }
        self.last = Some(row);
        Ok(())
    }

    /// The last row's number and hash: write them down elsewhere.
    #[must_use]
    pub fn head(&self) -> Option<(i64, Hash)> {
        self.last.as_ref().map(|last| (last.seq, last.hash()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail() -> Vec<Row> {
        let entry = |n: i64| Entry {
            at: Instant::from_seconds(n),
            actor: "li-wei".to_owned(),
            action: Action::Accept,
            subject: format!("offer {n}"),
            detail: String::new(),
        };
        let mut rows: Vec<Row> = Vec::new();
        for n in 1..6 {
            rows.push(Row::after(rows.last(), &entry(n)));
        }
        rows
    }

    fn check(rows: Vec<Row>) -> Result<Option<(i64, Hash)>, Broken> {
        let mut check = Check::default();
        rows.into_iter().try_for_each(|row| check.take(row))?;
        Ok(check.head())
    }

    #[test]
    fn a_whole_trail_holds_and_names_its_head() {
        let rows = trail();
        let head = (5, rows[4].hash());
        assert_eq!(check(rows), Ok(Some(head)));
        assert_eq!(check(Vec::new()), Ok(None));
    }

    #[test]
    fn any_change_in_the_middle_shows() {
        for at in 0..4 {
            let changes: [fn(&mut Row); 5] = [
                |row| row.actor.push('x'),
                |row| row.action = "refuse".to_owned(),
                |row| row.subject.clear(),
                |row| row.detail.push(' '),
                |row| row.at = Instant::from_seconds(99),
            ];
            for change in changes {
                let mut rows = trail();
                change(&mut rows[at]);
                assert_eq!(check(rows), Err(Broken::Link(at as i64 + 2)));
            }
            let mut rows = trail();
            rows.remove(at);
            assert!(matches!(check(rows), Err(Broken::Gap { .. })));
            let mut rows = trail();
            rows.swap(at, at + 1);
            assert!(check(rows).is_err());
        }
    }

    #[test]
    fn a_cut_end_gives_another_head() {
        let mut rows = trail();
        let head = check(rows.clone()).unwrap();
        rows.pop();
        assert_ne!(check(rows).unwrap(), head);
    }
}
