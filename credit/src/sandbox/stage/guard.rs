//! What stands against a step. Everything is said at once, so that nobody is sent back twice.

use chrono::NaiveDate;
use schemas::hash::Hash;

use super::{Act, Capacity, End, Ready, Stage, Step, Trial};
use crate::law::acceptance::china_day;

/// Something that a step needs and does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The trial stands elsewhere.
    #[error("the trial is in a stage that this follows: {0}")]
    Stage(&'static str),
    /// Somebody else may do it.
    #[error("somebody who may: one of {0:?}")]
    Capacity(&'static [Capacity]),
    /// A second person.
    #[error("a second person who agrees")]
    SecondPerson,
    /// A second person who is not the first.
    #[error("another person than the first one")]
    OtherPerson,
    /// A time after the step before.
    #[error("a time not before the step before")]
    Order,
    /// The version of the declaration that is in force.
    #[error("the declaration that is in force")]
    Declaration,
    /// A new version of the declaration.
    #[error("a new version of the declaration")]
    NewDeclaration,
    /// The time of the trial as it was registered.
    #[error("the same beginning and end: only an extension changes them")]
    SameTime,
    /// A day for comments that is not over.
    #[error("time to comment, until after today")]
    CommentTime,
    /// The time for comments is not over.
    #[error("the end of the time to comment, {0}")]
    CommentsOver(NaiveDate),
    /// Answers to comments.
    #[error("answers to {0} comments")]
    Answers(u32),
    /// The number that the authority gave.
    #[error("the authority's number")]
    Number,
    /// The authority's document.
    #[error("the authority's document")]
    Document,
    /// The day on which it begins.
    #[error("the declared beginning, {0}")]
    Start(NaiveDate),
    /// Its last day is over.
    #[error("a last day that is not over, {0}")]
    End(NaiveDate),
    /// A later last day.
    #[error("a last day after the one before")]
    LaterEnd,
    /// Limits in force.
    #[error("limits that two people answer for")]
    Limits,
    /// A rule of the stop-loss.
    #[error("a rule of the stop-loss")]
    StopLoss,
    /// Monitoring.
    #[error("monitoring")]
    Monitoring,
    /// Ways to complain that work.
    #[error("ways to complain that were tried")]
    Complaints,
    /// Compensation at its floor.
    #[error("compensation at its floor")]
    Compensation,
    /// A reason, or what was done.
    #[error("words: why, or what was done")]
    Words,
    /// The stop-loss is tripped.
    #[error("the release of the stop-loss by two people")]
    Released,
    /// An evaluation.
    #[error("the evaluation")]
    Evaluation,
    /// Everything repaid or written off.
    #[error("the settlement of {0} fen that are owed")]
    Settled(i64),
    /// Complaints answered.
    #[error("the end of {0} complaints")]
    ComplaintsClosed(u32),
    /// A licence of the operator.
    #[error("the licence of the operator")]
    Licence,
}

/// A step that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What was to be done.
    pub act: &'static str,
    /// Where the trial stands.
    pub stage: &'static str,
    /// Everything that is missing; one thing at least.
    pub missing: Vec<Missing>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let missing: Vec<_> = self.missing.iter().map(ToString::to_string).collect();
        let (act, stage, missing) = (self.act, self.stage, missing.join("; "));
        write!(f, "`{act}` while {stage} needs: {missing}")
    }
}

impl std::error::Error for Refused {}

/// Everything that a step lacks.
pub(super) fn missing(trial: &Trial, step: &Step) -> Vec<Missing> {
    let mut missing = Vec::new();
    if let Some(wrong) = stage(trial, &step.act) {
        missing.push(wrong);
    }
    people(trial, step, &mut missing);
    let today = china_day(step.at);
    let found = match &step.act {
        Act::Publish {
            declaration,
            comments_until,
        } => need([
            (*declaration == trial.declaration, Missing::Declaration),
            (*comments_until > today, Missing::CommentTime),
        ]),
        Act::Amend {
            declaration,
            start,
            end,
            document,
        } => amend(trial, *declaration, (*start, *end), document.is_some()),
        Act::Register {
            number,
            document,
            comments_open,
        } => need([
            (comments_over(trial, today), comments_end(trial, today)),
            (*comments_open == 0, Missing::Answers(*comments_open)),
            (says(number), Missing::Number),
            (document.is_some(), Missing::Document),
        ]),
        Act::Begin(ready) => begin(trial, ready, today),
        Act::Extend {
            until,
            declaration,
            document,
        } => need([
            (*declaration != trial.declaration, Missing::NewDeclaration),
            (document.is_some(), Missing::Document),
            (later(trial, *until, today), Missing::LaterEnd),
        ]),
        Act::Resume { remedy, tripped } => resume(trial, remedy, *tripped, today),
        Act::Suspend { reason } | Act::Stop { reason } | Act::Withdraw { reason } => {
            need([(says(reason), Missing::Words)])
        }
        Act::Exit {
            end,
            evaluation,
            outstanding_fen,
            complaints_open,
        } => exit(
            end,
            evaluation.is_some(),
            *outstanding_fen,
            *complaints_open,
        ),
    };
    missing.extend(found);
    missing
}

fn need<const N: usize>(rules: [(bool, Missing); N]) -> Vec<Missing> {
    let broken = rules.into_iter().filter(|(holds, _)| !holds);
    broken.map(|(_, missing)| missing).collect()
}

fn says(text: &str) -> bool {
    !text.trim().is_empty()
}

/// Whether the act may follow the stage; what it follows if not.
fn stage(trial: &Trial, act: &Act) -> Option<Missing> {
    let stage = &trial.stage;
    let running = matches!(stage, Stage::Testing { .. } | Stage::Extended { .. });
    let suspended = matches!(stage, Stage::Suspended { .. });
    let (follows, stages) = match act {
        Act::Publish { .. } => (*stage == Stage::Declared, "declared"),
        Act::Amend { .. } => (
            !matches!(
                stage,
                Stage::Stopped | Stage::Exited { .. } | Stage::Withdrawn
            ),
            "declared to suspended",
        ),
        Act::Register { .. } => (matches!(stage, Stage::Published { .. }), "published"),
        Act::Begin(_) => (matches!(stage, Stage::Registered { .. }), "registered"),
        // Something without an end needs no extension.
        Act::Extend { .. } => (
            running && !matches!(stage, Stage::Testing { until: None }),
            "testing with a last day, extended",
        ),
        Act::Suspend { .. } => (running, "testing, extended"),
        Act::Resume { .. } => (suspended, "suspended"),
        Act::Stop { .. } => (running || suspended, "testing, extended, suspended"),
        Act::Exit { .. } => (
            running || *stage == Stage::Stopped,
            "testing, extended, stopped",
        ),
        Act::Withdraw { .. } => (
            matches!(
                stage,
                Stage::Declared | Stage::Published { .. } | Stage::Registered { .. }
            ),
            "declared, published, registered",
        ),
    };
    (!follows).then_some(Missing::Stage(stages))
}

fn people(trial: &Trial, step: &Step, missing: &mut Vec<Missing>) {
    let may = step.act.may();
    if !may.contains(&step.capacity) {
        missing.push(Missing::Capacity(may));
    }
    match &step.second {
        None if step.act.needs_two() => missing.push(Missing::SecondPerson),
        Some(second) if *second == step.by => missing.push(Missing::OtherPerson),
        _ => {}
    }
    if trial.steps.last().is_some_and(|last| step.at < last.at) {
        missing.push(Missing::Order);
    }
}

fn amend(
    trial: &Trial,
    declaration: Hash,
    time: (NaiveDate, Option<NaiveDate>),
    document: bool,
) -> Vec<Missing> {
    let before = matches!(trial.stage, Stage::Declared | Stage::Published { .. });
    let same_time = time == (trial.start, trial.end);
    need([
        (declaration != trial.declaration, Missing::NewDeclaration),
        (before || document, Missing::Document),
        (before || same_time, Missing::SameTime),
    ])
}

fn comments_over(trial: &Trial, today: NaiveDate) -> bool {
    match &trial.stage {
        Stage::Published { comments_until } => today > *comments_until,
        // The stage is wrong already; that is said once.
        _ => true,
    }
}

fn comments_end(trial: &Trial, today: NaiveDate) -> Missing {
    match &trial.stage {
        Stage::Published { comments_until } => Missing::CommentsOver(*comments_until),
        _ => Missing::CommentsOver(today),
    }
}

fn begin(trial: &Trial, ready: &Ready, today: NaiveDate) -> Vec<Missing> {
    let end = trial.end.unwrap_or(NaiveDate::MAX);
    need([
        (today >= trial.start, Missing::Start(trial.start)),
        (today <= end, Missing::End(end)),
        (ready.limits.is_some(), Missing::Limits),
        (ready.stop_loss.is_some(), Missing::StopLoss),
        (ready.monitoring, Missing::Monitoring),
        (ready.complaints, Missing::Complaints),
        (ready.compensation, Missing::Compensation),
    ])
}

/// What is extended is not over, and ends later than before.
fn later(trial: &Trial, until: NaiveDate, today: NaiveDate) -> bool {
    match last_day(&trial.stage) {
        Some(before) => today <= before && until > before,
        None => true,
    }
}

fn resume(trial: &Trial, remedy: &str, tripped: bool, today: NaiveDate) -> Vec<Missing> {
    let last = last_day(&trial.stage).unwrap_or(NaiveDate::MAX);
    need([
        (says(remedy), Missing::Words),
        (!tripped, Missing::Released),
        (today <= last, Missing::End(last)),
    ])
}

fn last_day(stage: &Stage) -> Option<NaiveDate> {
    match stage {
        Stage::Testing { until } => *until,
        Stage::Extended { until } => Some(*until),
        Stage::Suspended { from } => last_day(from),
        _ => None,
    }
}

/// A run-off ends with nothing owed; a promotion takes open loans with it.
fn exit(end: &End, evaluated: bool, owed: i64, complaints: u32) -> Vec<Missing> {
    let (settled, licensed) = match end {
        End::RunOff => (owed == 0, true),
        End::Promoted { licence, .. } => (true, says(licence)),
    };
    need([
        (evaluated, Missing::Evaluation),
        (settled, Missing::Settled(owed)),
        (licensed, Missing::Licence),
        (complaints == 0, Missing::ComplaintsClosed(complaints)),
    ])
}
