//! `GET /decisions/{id}`: facts left, evidence right, the decision at the end.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;
use kit::text::Text;
use schemas::hash::Hash;
use schemas::time::Instant;
use serde::Deserialize;

use super::event::{EventLine, lines};
use super::format::{When, exact, money, when};
use super::look::{self, BesideView, Compared, Limit, People};
use super::rules::{Rules, rules};
use super::stage::standing;
use super::trail::{TrailRow, trail_row};
use crate::desk::DeskError;
use crate::desk::compare::Comparison;
use crate::desk::deadline::Waits;
use crate::desk::exposure::Exposure as _;
use crate::facts::Facts;
use crate::http::models::{ShadowLine, shadow_line};
use crate::http::pages::view::{self, DecisionView, leaves_of};
use crate::http::pages::words::{self, Words};
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};
use crate::loan::review::{Act, NoStage, Review};
use crate::loan::{Decision, Record, RefusalReason, Stage};
use crate::score::FactName;
use crate::store::Fate;

/// Rows of the trail that an offer's page shows.
const TRAIL_SHOWN: u32 = 50;

/// Which fact is open.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    fact: String,
}

/// A reason to choose from.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) code: String,
    pub(super) words: String,
}

/// What can be done with an offer now, by this person.
#[derive(Debug)]
enum Move {
    /// Decide: the stage's version, and what happens then.
    Decide { version: Hash, accept_next: String },
    /// Nothing, for this reason.
    None(String),
}

/// A step that people made.
#[derive(Debug)]
struct StepView {
    tone: &'static str,
    words: String,
    reason: Option<String>,
    note: String,
    at: When,
}

/// The evidence column.
#[derive(Debug)]
enum Evidence {
    /// Events of the open fact, and how many more there are.
    Events {
        lines: Vec<EventLine>,
        more: usize,
        checked: String,
    },
    /// It cannot be shown: a refusal, not an empty list.
    Refused { words: String, detail: String },
}

#[derive(Template)]
#[template(path = "offer.html")]
struct Page {
    shell: Shell,
    words: &'static Words,
    view: DecisionView,
    stage_tone: &'static str,
    stage: String,
    amount: Option<String>,
    requested: String,
    deadline: Option<When>,
    line: Option<String>,
    open: &'static str,
    open_label: &'static str,
    open_value: String,
    evidence: Evidence,
    steps: Vec<StepView>,
    what: Option<Move>,
    choices: Vec<Choice>,
    refuse_next: String,
    trail: Vec<TrailRow>,
    around: Around,
    /// The stage that the page shows: another one is told of.
    version: String,
    head: Hash,
}

/// What stands around facts and evidence.
#[derive(Debug)]
struct Around {
    limits: Vec<Limit>,
    /// The application names somebody who pays.
    has_buyer: bool,
    compared: Option<Compared>,
    beside: BesideView,
    due: Option<When>,
    overdue: bool,
    rules: Rules,
    shadows: Vec<ShadowLine>,
}

/// An offer, or an application that was declined.
pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    language: Language,
    uri: Uri,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let shell = Shell::new(&uri, language, &person, "offer")?;
    // Before anything else is read: a change meanwhile is told of, never missed.
    let head = app.desk.head().await.map_err(|error| internal(&error))?;
    let record = app
        .desk
        .record(&id)
        .await
        .map_err(|error| super::problem(&error))?;
    let stage = match app.desk.stage(&record.decision).await {
        Ok(stage) => Some(stage),
        Err(DeskError::NoStage(NoStage::NoOffer)) => None,
        Err(error) => return Err(super::problem(&error)),
    };
    let store = app.desk.credit().store();
    let reasons = store.reasons().await.map_err(|error| internal(&error))?;
    let fates = store.fates(&[&id]).await;
    let fates = fates.map_err(|error| internal(&error))?;
    let trail = store
        .newest(None, Some(&id), TRAIL_SHOWN)
        .await
        .map_err(|error| internal(&error))?;
    let facts: Facts = serde_json::from_slice(&record.facts).map_err(|error| internal(&error))?;
    let open = asked.map_or(None, |Query(asked)| open_fact(&asked.fact));
    let open = open.unwrap_or_else(|| first_fact(&record.decision, &facts));
    let evidence = evidence(&app, &record, &facts, open, shell.t).await?;
    let around = around(&app, &record, stage.as_ref(), person.name.as_str(), shell.t).await?;
    let page = Parts {
        app: &app,
        shell,
        record: &record,
        facts: &facts,
        stage: stage.as_ref(),
        fate: fates.get(&id).copied(),
        reasons: &reasons,
    };
    let trail = trail
        .iter()
        .map(|row| trail_row(row, page.shell.t))
        .collect();
    let (me, around) = (person.name.as_str(), (around, head));
    let page = page.page(me, open, evidence, trail, around);
    shell::page(&uri, StatusCode::OK, &page)
}

fn open_fact(name: &str) -> Option<FactName> {
    FactName::ALL
        .into_iter()
        .find(|fact| view::fact_key(*fact) == name)
}

/// The fact that costs the most points among those that events speak of; else the first.
fn first_fact(decision: &Decision, facts: &Facts) -> FactName {
    let spoken_of = |name: FactName| !leaves_of(name, facts).is_empty();
    let points = decision.score.points.iter();
    let costly = points
        .filter(|one| spoken_of(one.fact))
        .max_by_key(|one| (one.best - one.points, std::cmp::Reverse(one.fact)));
    costly.map_or(FactName::OnTimeShare, |one| one.fact)
}

/// Events that a page lists of one fact; all of them are in the JSON.
const EVENTS_SHOWN: usize = 200;

async fn evidence(
    app: &App,
    record: &Record,
    facts: &Facts,
    open: FactName,
    t: Text,
) -> Result<Evidence, Problem> {
    let opened = match app.desk.evidence(record).await {
        Ok(opened) => opened,
        Err(DeskError::Evidence(error)) => {
            tracing::warn!(
                error = schemas::causes::causes(&error),
                "kept evidence cannot be shown"
            );
            return Ok(Evidence::Refused {
                words: t.get(super::event::refusal_key(&error)).to_owned(),
                detail: schemas::causes::causes(&error),
            });
        }
        Err(error) => return Err(super::problem(&error)),
    };
    let leaves = leaves_of(open, facts);
    let shown = leaves.iter().take(EVENTS_SHOWN);
    Ok(Evidence::Events {
        lines: lines(&opened, shown, t),
        more: leaves.len().saturating_sub(EVENTS_SHOWN),
        checked: t.fill("evidence.checked", &[("time", &exact(opened.checked_at))]),
    })
}

/// Limits, the last score, and what people keep beside the decision.
async fn around(
    app: &App,
    record: &Record,
    stage: Option<&Stage>,
    me: &str,
    t: Text,
) -> Result<Around, Problem> {
    let (desk, decision, now) = (&app.desk, &record.decision, app.desk.clock().now());
    let told = |error: DeskError| super::problem(&error);
    let readings = desk.credit().around(decision, now).await;
    let readings = readings.map_err(|error| internal(&error))?;
    let store = desk.credit().store();
    let before = store.decision_before(decision).await;
    let before = before.map_err(|error| internal(&error))?;
    let before = before.map(|before| Comparison::of(decision, &before));
    let officers = desk.colleagues(true).await.map_err(told)?;
    let colleagues = desk.colleagues(false).await.map_err(told)?;
    let beside = desk.beside(&decision.decision_id).await.map_err(told)?;
    let shadows = store.shadows_beside(&decision.decision_id).await;
    let shadows = shadows.map_err(|error| internal(&error))?;
    let people = People {
        officers: &officers,
        colleagues: &colleagues,
        me,
    };
    let waits = stage.and_then(|stage| Waits::of(stage, decision.decided_at, desk.within()));
    Ok(Around {
        limits: look::limits(&readings, t),
        has_buyer: decision.application.declared.payer().is_some(),
        compared: before.map(|one| look::compared(&one, now, t)),
        beside: look::beside(&beside, &people, [key()?, key()?], now, t),
        due: waits.as_ref().map(|waits| when(waits.due, now, t)),
        overdue: waits.is_some_and(|waits| waits.is_overdue(now)),
        rules: rules(decision, now, t),
        shadows: shadows.iter().map(|row| shadow_line(row, t)).collect(),
    })
}

/// A key of a form: the form sent twice adds one row.
fn key() -> Result<String, Problem> {
    let bytes = schemas::random::bytes::<16>().map_err(|error| internal(&error))?;
    Ok(hex::encode(bytes))
}

/// What a page is made from.
struct Parts<'p> {
    app: &'p App,
    shell: Shell,
    record: &'p Record,
    facts: &'p Facts,
    stage: Option<&'p Stage>,
    fate: Option<Fate>,
    reasons: &'p [RefusalReason],
}

impl Parts<'_> {
    fn page(
        self,
        me: &str,
        open: FactName,
        evidence: Evidence,
        trail: Vec<TrailRow>,
        (around, head): (Around, Hash),
    ) -> Page {
        let (t, decision) = (self.shell.t, &self.record.decision);
        let (language, now) = (t.language, self.app.desk.clock().now());
        let words = words::of(language);
        let view = view::decision(decision, self.facts, words);
        let offer = self.stage.map(Stage::offer);
        let (stage_tone, stage, _) = standing(self.stage, self.fate);
        let line = self.app.desk.rules().second_officer_above;
        let waits = self.stage.filter(|stage| !stage.is_settled());
        Page {
            words,
            stage_tone,
            stage: t.get(stage).to_owned(),
            amount: offer.map(|offer| money(offer.amount, language)),
            requested: money(decision.application.requested, language),
            deadline: waits.map(|stage| when(stage.offer().lapses_at, now, t)),
            line: offer
                .filter(|offer| offer.needs_two)
                .map(|_| t.fill("offer.two", &[("line", &money(line, language))])),
            open: view::fact_key(open),
            open_label: words::fact(open, language),
            open_value: view
                .facts
                .iter()
                .find(|one| one.anchor == view::fact_key(open))
                .map_or_else(String::new, |one| one.value.clone()),
            evidence,
            steps: offer.map_or_else(Vec::new, |offer| {
                offer
                    .history()
                    .iter()
                    .map(|step| self.step(step, now))
                    .collect()
            }),
            what: self.stage.map(|stage| self.possible(stage, me)),
            choices: choices(self.reasons, language),
            refuse_next: offer.map_or_else(String::new, |offer| {
                t.fill("next.refuse", &[("amount", &money(offer.amount, language))])
            }),
            trail,
            around,
            version: self
                .stage
                .map_or_else(String::new, |stage| stage.version().to_string()),
            head,
            view,
            shell: self.shell,
        }
    }

    fn step(&self, step: &Review, now: Instant) -> StepView {
        let t = self.shell.t;
        let person = step.person.as_ref().map_or("", |person| person.as_str());
        let (tone, key) = match (step.act, step.settles) {
            (Act::Accept, true) => ("ok", "step.accept"),
            (Act::Accept, false) => ("warn", "step.endorse"),
            (Act::Refuse, _) => ("bad", "step.refuse"),
            (Act::Lapse, _) => ("none", "step.lapse"),
            (Act::Pass, _) => ("ok", "step.pass"),
        };
        let words = |code: &schemas::ids::Slug| {
            let known = self.reasons.iter().find(|reason| reason.code == *code);
            known.map_or_else(
                || code.to_string(),
                |reason| in_words(reason, t.language).to_owned(),
            )
        };
        StepView {
            tone,
            words: t.fill(key, &[("person", person)]),
            reason: step.reason.as_ref().map(words),
            note: step.note.clone(),
            at: when(step.at, now, t),
        }
    }

    fn possible(&self, stage: &Stage, me: &str) -> Move {
        let t = self.shell.t;
        let none = |key: &str| Move::None(t.get(key).to_owned());
        let amount = money(stage.offer().amount, t.language);
        let accept_next = match stage {
            Stage::Settled(_) => return none("move.settled"),
            Stage::Passed(_) => return none("move.passed"),
            _ if !self.shell.decides() => return none("move.role"),
            Stage::Endorsed(endorsed) if endorsed.first.as_str() == me => return none("move.same"),
            Stage::Waiting(_) if stage.offer().needs_two => t.get("next.endorse").to_owned(),
            Stage::Waiting(_) | Stage::Endorsed(_) => t.fill("next.accept", &[("amount", &amount)]),
        };
        Move::Decide {
            version: stage.version(),
            accept_next,
        }
    }
}

fn choices(reasons: &[RefusalReason], language: Language) -> Vec<Choice> {
    let choice = |reason: &RefusalReason| Choice {
        code: reason.code.to_string(),
        words: in_words(reason, language).to_owned(),
    };
    reasons
        .iter()
        .filter(|reason| reason.active)
        .map(choice)
        .collect()
}

fn in_words(reason: &RefusalReason, language: Language) -> &str {
    match language {
        Language::En => &reason.en,
        Language::ZhCn => &reason.zh,
    }
}
