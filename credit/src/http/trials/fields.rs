//! What people send about the trial, field by field.

use std::collections::BTreeSet;
use std::str::FromStr;

use axum::extract::{Path, State};
use axum::response::Response;
use kit::people::{Form, Person};
use kit::problem::Problem;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::Deserialize;

use super::problem::{of, office};
use super::sent::Sent;
use crate::desk::Actor;
use crate::http::{App, shell};
use crate::money::{Currency, Money};
use crate::sandbox::indicators::FigureId;
use crate::sandbox::limits::{Limits, Proposal};
use crate::sandbox::stop_loss::Rule;
use crate::store::sandbox::{LiftProposal, Motion, RuleProposal};
use crate::trials::ActError;
use crate::trials::act::{StepWish, said};
use crate::trials::office::{Done, Note};
use crate::written;

/// Where a form comes back to.
const BACK: &str = "/trial";

macro_rules! form {
    ($($name:ident)*) => {$(
        impl Form for $name {
            fn csrf(&self) -> &str {
                &self.csrf
            }
        }
    )*};
}

form!(LimitsFields RuleFields LiftFields StepFields ApproveFields NoteFields);

/// Limits that somebody wants; amounts such as `500000.00`, lists with commas.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsFields {
    #[serde(default)]
    csrf: String,
    users: String,
    regions: String,
    groups: String,
    per_loan: String,
    per_borrower: String,
    per_day: String,
    outstanding: String,
    concentration_bp: String,
    tenor_days: String,
    valid_from: String,
    reason: String,
}

/// A rule of the stop-loss that somebody wants.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleFields {
    #[serde(default)]
    csrf: String,
    overdue_bp_max: String,
    loss_max: String,
    complaints_max: String,
    privacy_incidents_max: String,
    compensation_min: String,
    reason: String,
}

/// The lifting of a stop-loss that somebody wants.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LiftFields {
    #[serde(default)]
    csrf: String,
    reason: String,
}

/// A step, see [`StepWish`].
#[derive(Deserialize)]
pub(super) struct StepFields {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    wish: StepWish,
}

/// An agreement.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApproveFields {
    #[serde(default)]
    csrf: String,
}

/// Something that is written down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteFields {
    #[serde(default)]
    csrf: String,
    kind: String,
    /// The row that it is about.
    #[serde(default)]
    of: String,
    /// `on` if personal data are touched.
    #[serde(default)]
    privacy: String,
    #[serde(default)]
    figure: String,
    #[serde(default)]
    words: String,
}

fn number<T: FromStr>(field: &'static str, text: &str) -> Result<T, ActError> {
    let wrong = |_| ActError::field(field, "a whole number is expected");
    text.trim().parse().map_err(wrong)
}

fn money(field: &'static str, text: &str, currency: Currency) -> Result<Money, ActError> {
    let read = written::amount_or_nothing(field, text, currency);
    read.map_err(|error| ActError::field(field, error.problem))
}

fn list<T: FromStr<Err: std::fmt::Display> + Ord>(
    field: &'static str,
    text: &str,
) -> Result<BTreeSet<T>, ActError> {
    let items = text.split([',', '，', ' ', '\n']);
    let items = items.map(str::trim).filter(|item| !item.is_empty());
    let read = |item: &str| {
        let read = item.parse();
        read.map_err(|error: T::Err| ActError::field(field, error.to_string()))
    };
    items.map(read).collect()
}

fn instant(field: &'static str, text: &str) -> Result<Instant, ActError> {
    let text = text.trim();
    // A day begins at midnight in China.
    let day = text.parse::<chrono::NaiveDate>();
    let text = day.map_or_else(|_| text.to_owned(), |day| format!("{day}T00:00:00+08:00"));
    let problem = "a day such as 2026-12-31 or an RFC 3339 instant is expected";
    Instant::parse_rfc3339(&text).ok_or_else(|| ActError::field(field, problem))
}

impl LimitsFields {
    fn limits(&self, currency: Currency) -> Result<Limits, ActError> {
        Ok(Limits {
            users: number("users", &self.users)?,
            regions: list("regions", &self.regions)?,
            groups: list("groups", &self.groups)?,
            per_loan: money("per_loan", &self.per_loan, currency)?,
            per_borrower: money("per_borrower", &self.per_borrower, currency)?,
            per_day: money("per_day", &self.per_day, currency)?,
            outstanding: money("outstanding", &self.outstanding, currency)?,
            concentration_bp: number("concentration_bp", &self.concentration_bp)?,
            tenor_days: number("tenor_days", &self.tenor_days)?,
        })
    }
}

/// Who may not propose learns nothing of what is wrong with the fields.
fn keeps(actor: &Actor) -> Result<(), ActError> {
    if actor.role.keeps_trial() {
        Ok(())
    } else {
        Err(ActError::NotAllowed)
    }
}

/// Proposes limits.
pub(super) async fn limits(
    State(app): State<App>,
    person: Person,
    sent: Sent<LimitsFields>,
) -> Result<Response, Problem> {
    let (office, actor) = (office(&app)?, shell::actor(&person)?);
    let fields = &sent.fields;
    let act = async || {
        keeps(&actor)?;
        let kept = office.state().await?.footing.limits.last().cloned();
        let version = kept.map_or(0, |kept| kept.proposal.version) + 1;
        let proposal = Proposal {
            version,
            limits: fields.limits(office.terms().currency)?,
            valid_from: instant("valid_from", &fields.valid_from)?,
            proposer: actor.name.clone(),
            reason: said("reason", &fields.reason)?,
        };
        office.propose(&actor, Motion::Limits(proposal)).await
    };
    let hash = act().await.map_err(|error| of(&error))?;
    Ok(sent.answer(&Done::Waits(hash), BACK))
}

/// Proposes a rule of the stop-loss.
pub(super) async fn rule(
    State(app): State<App>,
    person: Person,
    sent: Sent<RuleFields>,
) -> Result<Response, Problem> {
    let (office, actor) = (office(&app)?, shell::actor(&person)?);
    let (fields, currency) = (&sent.fields, office.terms().currency);
    let act = async || {
        keeps(&actor)?;
        let kept = office.state().await?.rule;
        let version = kept.map_or(0, |kept| kept.proposal().version) + 1;
        let incidents = &fields.privacy_incidents_max;
        let rule = Rule {
            overdue_bp_max: number("overdue_bp_max", &fields.overdue_bp_max)?,
            loss_max: money("loss_max", &fields.loss_max, currency)?,
            complaints_max: number("complaints_max", &fields.complaints_max)?,
            privacy_incidents_max: number("privacy_incidents_max", incidents)?,
            compensation_min: money("compensation_min", &fields.compensation_min, currency)?,
        };
        let proposal = RuleProposal {
            version,
            rule,
            proposer: actor.name.clone(),
            reason: said("reason", &fields.reason)?,
        };
        office.propose(&actor, Motion::Rule(proposal)).await
    };
    let hash = act().await.map_err(|error| of(&error))?;
    Ok(sent.answer(&Done::Waits(hash), BACK))
}

/// Proposes to lift the stop-loss.
pub(super) async fn lift(
    State(app): State<App>,
    person: Person,
    sent: Sent<LiftFields>,
) -> Result<Response, Problem> {
    let (office, actor) = (office(&app)?, shell::actor(&person)?);
    let act = async || {
        keeps(&actor)?;
        let trips = office.state().await?.footing.guard.trips;
        let proposal = LiftProposal {
            trip: u32::try_from(trips).unwrap_or(u32::MAX),
            proposer: actor.name.clone(),
            reason: said("reason", &sent.fields.reason)?,
        };
        office.propose(&actor, Motion::Lift(proposal)).await
    };
    let hash = act().await.map_err(|error| of(&error))?;
    Ok(sent.answer(&Done::Waits(hash), BACK))
}

/// Takes a step, or proposes one.
pub(super) async fn step(
    State(app): State<App>,
    person: Person,
    sent: Sent<StepFields>,
) -> Result<Response, Problem> {
    let (office, actor) = (office(&app)?, shell::actor(&person)?);
    let done = office.step(&actor, &sent.fields.wish).await;
    let done = done.map_err(|error| of(&error))?;
    let back = if actor.role.keeps_trial() {
        BACK
    } else {
        "/regulator"
    };
    Ok(sent.answer(&done, back))
}

/// Agrees.
pub(super) async fn approve(
    State(app): State<App>,
    Path(hash): Path<String>,
    person: Person,
    sent: Sent<ApproveFields>,
) -> Result<Response, Problem> {
    let (office, actor) = (office(&app)?, shell::actor(&person)?);
    let hash: Hash = hash
        .parse()
        .map_err(|_| Problem::bad_request("64 hex digits of SHA-256 are expected"))?;
    let agreed = office.approve(&actor, hash).await;
    agreed.map_err(|error| of(&error))?;
    Ok(sent.answer(&Done::Done, BACK))
}

/// Writes something down.
pub(super) async fn note(
    State(app): State<App>,
    person: Person,
    sent: Sent<NoteFields>,
) -> Result<Response, Problem> {
    let (office, actor) = (office(&app)?, shell::actor(&person)?);
    let act = async || {
        if !actor.role.writes_trial() {
            return Err(ActError::NotAllowed);
        }
        office.write(&actor, sent.fields.note()?).await
    };
    act().await.map_err(|error| of(&error))?;
    Ok(sent.answer(&Done::Done, "/trial#problems"))
}

impl NoteFields {
    fn note(&self) -> Result<Note, ActError> {
        let of = || -> Result<Slug, ActError> {
            let wrong = |_| ActError::field("of", "the id of a row is expected");
            self.of.trim().parse().map_err(wrong)
        };
        let privacy = self.privacy == "on";
        let words = self.words.clone();
        Ok(match self.kind.as_str() {
            "complaint" => Note::Complaint { privacy },
            "answer" => Note::Answer { of: of()? },
            "incident" => Note::Incident { privacy },
            "treated" => Note::Treated { of: of()? },
            "problem" => Note::Problem {
                figure: self.figure()?,
                words,
            },
            "treatment" => Note::Treatment { of: of()?, words },
            "close" => Note::Close { of: of()? },
            _ => return Err(ActError::field("kind", "no note is called so")),
        })
    }

    fn figure(&self) -> Result<Option<FigureId>, ActError> {
        let word = self.figure.trim();
        if word.is_empty() {
            return Ok(None);
        }
        let figure = FigureId::of_word(word).map(Some);
        figure.ok_or_else(|| ActError::field("figure", "no figure is called so"))
    }
}
