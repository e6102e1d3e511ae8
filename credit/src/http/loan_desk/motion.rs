//! What takes two people: the form that proposes, the one that agrees, the one that ends, and the inbox
//! of the second person.

use axum::extract::{Path, State};
use axum::response::Response;
use kit::people::{Checked, Form, Person};
use kit::problem::Problem;
use kit::text::Text;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::Deserialize;

use super::fields::Fields;
use super::words::{self, Said};
use super::{back, officer, problem};
use crate::http::App;
use crate::http::desk::format::{When, when};
use crate::http::fields::read_form_key;
use crate::http::loans::{lending, name};
use crate::lending::Proposal;
use crate::store::lending::Motion;

/// Proposes; the same form again is the same motion.
pub(super) async fn propose(
    State(app): State<App>,
    Path(loan): Path<String>,
    person: Person,
    Checked(fields): Checked<Fields>,
) -> Result<Response, Problem> {
    let (lending, officer, loan) = (lending(&app)?, officer(&person)?, name(&loan)?);
    let loaded = lending.loan(&loan).await.map_err(|error| problem(&error))?;
    let proposal = fields.read(loaded.loan.file().opened().approved.currency())?;
    let form = read_form_key(&fields.request)?;
    let made = lending
        .propose_by_form(&loan, &officer, &proposal, (&form, fields.seen))
        .await;
    made.map_err(|error| problem(&error))?;
    Ok(back(&loan))
}

/// The form of the second person: the loan as they saw it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agree {
    #[serde(default)]
    csrf: String,
    seen: u32,
}

impl Form for Agree {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Agrees, which does what was proposed; the same form again changes nothing.
pub(super) async fn agree(
    State(app): State<App>,
    Path((loan, motion)): Path<(String, String)>,
    person: Person,
    Checked(fields): Checked<Agree>,
) -> Result<Response, Problem> {
    let (lending, officer, loan) = (lending(&app)?, officer(&person)?, name(&loan)?);
    let done = lending
        .agree_as_seen(&loan, &id(&motion)?, &officer, fields.seen)
        .await;
    done.map_err(|error| problem(&error))?;
    Ok(back(&loan))
}

/// The form that ends a motion.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    #[serde(default)]
    csrf: String,
}

impl Form for End {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Ends it without doing it: refused by another person, withdrawn by its maker.
pub(super) async fn end(
    State(app): State<App>,
    Path((loan, motion)): Path<(String, String)>,
    person: Person,
    Checked(_): Checked<End>,
) -> Result<Response, Problem> {
    let (lending, officer, loan) = (lending(&app)?, officer(&person)?, name(&loan)?);
    let ended = lending.end_motion(&loan, &id(&motion)?, &officer).await;
    ended.map_err(|error| problem(&error))?;
    Ok(back(&loan))
}

fn id(text: &str) -> Result<Hash, Problem> {
    let none = |_| Problem::not_found("There is no motion with this id.");
    text.parse().map_err(none)
}

/// A motion that waits, as lists have it.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// The loan.
    pub(crate) loan: String,
    /// What is proposed.
    pub(crate) title: String,
    /// By whom.
    pub(crate) by: String,
    /// When.
    pub(crate) at: When,
    /// True if the reader proposed it and therefore cannot agree.
    pub(crate) mine: bool,
}

/// Motions that wait for a second person, oldest first.
pub(crate) async fn inbox(
    app: &App,
    me: &Slug,
    now: Instant,
    t: Text,
) -> Result<Vec<Inbox>, Problem> {
    let Some(lending) = &app.lending else {
        return Ok(Vec::new());
    };
    let motions = lending.motions().await.map_err(|error| problem(&error))?;
    let line = |one: &Motion| Inbox {
        loan: one.loan.to_string(),
        title: title(one, t).to_owned(),
        by: one.by.to_string(),
        at: when(one.at, now, t),
        mine: one.by == *me,
    };
    Ok(motions.iter().map(line).collect())
}

fn title(motion: &Motion, t: Text) -> &'static str {
    let known = Proposal::of(motion).ok();
    known.map_or_else(
        || words::fixed(t, "loan.motion.unknown"),
        |one| words::deed(one.word(), t),
    )
}

/// A motion about a loan, with how it ended.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) said: Said,
    pub(super) by: String,
    pub(super) at: String,
    pub(super) mine: bool,
    /// How it ended, if it did.
    pub(super) ended: Option<String>,
}

/// Motions of one loan, the newest first.
pub(super) fn shown(motions: &[Motion], me: &Slug, t: Text) -> Vec<Shown> {
    motions.iter().map(|one| show(one, me, t)).collect()
}

fn show(one: &Motion, me: &Slug, t: Text) -> Shown {
    let ended = one.ended.as_ref().map(|end| {
        let key = match end.how.as_str() {
            "agreed" => "loan.motion.agreed",
            "refused" => "loan.motion.refused",
            _ => "loan.motion.withdrawn",
        };
        let at = crate::http::desk::format::exact(end.at);
        t.fill(key, &[("person", end.by.as_str()), ("at", &at)])
    });
    Shown {
        id: one.id.to_string(),
        said: words::proposal(one, t),
        by: one.by.to_string(),
        at: crate::http::desk::format::exact(one.at),
        mine: one.by == *me,
        ended,
    }
}
