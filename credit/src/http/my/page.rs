//! The pages: all that is a supplier's, and one of it.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;
use kit::text::Text;
use schemas::ids::Slug;
use serde::Deserialize;

use super::view::{self, Lent, Offer, Token};
use super::{loan, own, supplier};
use crate::desk::DeskError;
use crate::facts::Facts;
use crate::http::desk::format::{exact, money};
use crate::http::pages::view::{self as shared, DecisionView};
use crate::http::pages::words::{self, Words};
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};
use crate::loan::review::NoStage;
use crate::loan::taking::How;
use crate::loan::{Decision, Record, Stage};
use crate::store::borrowers::OF_SUPPLIER_MAX;

/// A line of the list.
#[derive(Debug)]
struct Row {
    id: String,
    application: String,
    amount: String,
    tone: &'static str,
    state: String,
    at: String,
}

#[derive(Template)]
#[template(path = "my.html")]
struct Home {
    shell: Shell,
    rows: Vec<Row>,
}

/// What was refused, and when.
#[derive(Debug)]
struct Denied {
    at: String,
    /// What was asked for.
    deed: String,
    rule: String,
    /// Why, and what would help, if the rule has words.
    why: Option<&'static str>,
    reason: String,
}

#[derive(Template)]
#[template(path = "my_loan.html")]
struct One {
    shell: Shell,
    words: &'static Words,
    id: String,
    application: String,
    tone: &'static str,
    state: String,
    amount: Option<String>,
    requested: String,
    refused: Option<String>,
    offer: Option<Offer>,
    lent: Option<Lent>,
    tokens: Vec<Token>,
    /// Whether an open token may be used now.
    draws: bool,
    view: DecisionView,
    denied: Vec<Denied>,
}

async fn stage(app: &App, decision: &Decision) -> Result<Option<Stage>, Problem> {
    match app.desk.stage(decision).await {
        Ok(stage) => Ok(Some(stage)),
        Err(DeskError::NoStage(NoStage::NoOffer)) => Ok(None),
        Err(error) => Err(crate::http::desk::problem(&error)),
    }
}

/// All of it.
pub(crate) async fn home(
    State(app): State<App>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    let supplier = supplier(&app, &person).await?;
    let shell = Shell::of_borrower(&uri, language, &person, supplier.as_str());
    let store = app.desk.credit().store();
    let decisions = store.decisions_of(&supplier, OF_SUPPLIER_MAX).await;
    let states = states(&app, &supplier).await?;
    let mut rows = Vec::new();
    for decision in decisions.map_err(|error| internal(&error))? {
        let word = states.get(&decision.decision_id).map(String::as_str);
        rows.push(row(&app, &decision, word, &shell).await?);
    }
    shell::page(&uri, StatusCode::OK, &Home { shell, rows })
}

/// Words of the states of a supplier's loans, by the decisions that they are named as.
async fn states(app: &App, supplier: &Slug) -> Result<BTreeMap<String, String>, Problem> {
    let Some(lending) = &app.lending else {
        return Ok(BTreeMap::new());
    };
    let heads = lending.loans_of(supplier).await;
    let heads = heads.map_err(|error| crate::http::loans::problem(&error))?;
    let heads = heads.into_iter();
    Ok(heads
        .map(|head| (head.loan.to_string(), head.state))
        .collect())
}

async fn row(
    app: &App,
    decision: &Decision,
    word: Option<&str>,
    shell: &Shell,
) -> Result<Row, Problem> {
    let stage = stage(app, decision).await?;
    let until = view::until(stage.as_ref(), app.desk.rules().offer_valid);
    let now = app.desk.clock().now();
    let end = ended(app, decision).await?;
    let (tone, key) = view::standing(stage.as_ref(), (word, end), until, now);
    let amount = stage
        .as_ref()
        .map_or(decision.application.requested, |one| one.offer().amount);
    Ok(Row {
        id: decision.decision_id.clone(),
        application: decision.application.application_id.to_string(),
        amount: money(amount, shell.t.language),
        tone,
        state: shell.t.get(&key).to_owned(),
        at: exact(decision.decided_at),
    })
}

/// In how many instalments the schedule is shown.
#[derive(Deserialize)]
pub(crate) struct Asked {
    instalments: Option<u32>,
}

/// One application with what became of it.
pub(crate) async fn one(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    language: Language,
    uri: Uri,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let supplier = supplier(&app, &person).await?;
    let record = own(&app, &supplier, &id).await?;
    let shell = Shell::of_borrower(&uri, language, &person, supplier.as_str());
    let wanted = asked.ok().and_then(|Query(asked)| asked.instalments);
    let page = read(&app, record, shell, wanted).await?;
    shell::page(&uri, StatusCode::OK, &page)
}

async fn read(
    app: &App,
    record: Record,
    shell: Shell,
    wanted: Option<u32>,
) -> Result<One, Problem> {
    let (t, now) = (shell.t, app.desk.clock().now());
    let decision = &record.decision;
    let words = words::of(t.language);
    let facts: Facts = serde_json::from_slice(&record.facts).map_err(|error| internal(&error))?;
    let stage = stage(app, decision).await?;
    let loan = loan(app, &decision.decision_id).await?;
    let until = view::until(stage.as_ref(), app.desk.rules().offer_valid);
    let word = loan.as_ref().map(|(loaded, _)| loaded.loan.word());
    let end = ended(app, decision).await?;
    let (tone, key) = view::standing(stage.as_ref(), (word, end), until, now);
    // What has ended is no offer any more.
    let until = until.filter(|_| end.is_none());
    let (mut tokens, mut denied, mut offer) = (Vec::new(), Vec::new(), None);
    if let Some(lending) = &app.lending {
        if let Some((loaded, _)) = &loan {
            let kept = lending.tokens_of(loaded).await;
            let kept = kept.map_err(|error| crate::http::loans::problem(&error))?;
            tokens = kept.iter().map(|one| view::token(one, t)).collect();
        } else if let (Some(stage), Some(until)) = (&stage, until.filter(|until| now < *until)) {
            offer = view::offer(lending, &record, stage, until, (wanted, now), t);
        }
        denied = denials(lending, decision, t).await?;
    }
    Ok(One {
        words,
        id: decision.decision_id.clone(),
        application: decision.application.application_id.to_string(),
        tone,
        state: t.get(&key).to_owned(),
        amount: stage
            .as_ref()
            .map(|one| money(one.offer().amount, t.language)),
        requested: money(decision.application.requested, t.language),
        refused: reason(app, stage.as_ref(), t.language).await?,
        offer,
        draws: loan
            .as_ref()
            .is_some_and(|(loaded, _)| loaded.loan.file().frozen().is_empty()),
        lent: loan.as_ref().map(|(loaded, _)| view::lent(loaded, t)),
        tokens,
        view: shared::decision(decision, &facts, words),
        denied,
        shell,
    })
}

/// How an offer ended without a loan, if it did.
async fn ended(app: &App, decision: &Decision) -> Result<Option<How>, Problem> {
    let store = app.desk.credit().store();
    let end = store.offer_end(&decision.decision_id).await;
    let end = end.map_err(|error| internal(&error))?;
    Ok(end.map(|end| end.how))
}

async fn denials(
    lending: &crate::lending::Lending,
    decision: &Decision,
    t: Text,
) -> Result<Vec<Denied>, Problem> {
    let Ok(id) = decision.decision_id.parse() else {
        return Ok(Vec::new());
    };
    let found = lending.denials(&id).await;
    let found = found.map_err(|error| crate::http::loans::problem(&error))?;
    // What others asked for is the bank's own matter, or another borrower's, and may name people.
    let who = format!("borrower {}", decision.application.supplier);
    let own = found.into_iter().filter(|one| one.who == who);
    let shown = own.map(|one| Denied {
        at: exact(one.at),
        deed: t
            .find(&format!("my.deed.{}", one.deed))
            .unwrap_or(&one.deed)
            .to_owned(),
        why: t.find(&format!("denied.{}", one.rule)),
        rule: one.rule,
        reason: one.reason,
    });
    Ok(shown.collect())
}

/// Why people refused, in the bank's words.
async fn reason(
    app: &App,
    stage: Option<&Stage>,
    language: Language,
) -> Result<Option<String>, Problem> {
    let Some(Stage::Settled(settled)) = stage else {
        return Ok(None);
    };
    let Some(code): Option<&Slug> = settled.last.reason.as_ref() else {
        return Ok(None);
    };
    let reasons = app.desk.credit().store().reasons().await;
    let reasons = reasons.map_err(|error| internal(&error))?;
    let known = reasons.into_iter().find(|one| one.code == *code);
    Ok(known.map(|one| match language {
        Language::En => one.en,
        Language::ZhCn => one.zh,
    }))
}
