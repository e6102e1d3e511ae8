//! `GET /loans/{id}`: one loan as it stands, and what may be done with it.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;
use serde::Deserialize;

use super::fields::REASON_MAX;
use super::look::{self, Event, May, Planned, Token};
use super::motion::{self, Shown};
use super::words::Pair;
use super::{problem, words};
use crate::http::desk::format::{exact, money};
use crate::http::fields::form_key;
use crate::http::loans::{lending, name};
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};
use crate::law::acceptance::china_day;
use crate::ledger::LoanId;
use crate::lending::{ACCOUNT_MAX, Lending, Loaded};
use crate::store::lending::Denial;

/// Refusals that the page shows.
const DENIALS_SHOWN: usize = 20;

/// What was refused.
#[derive(Debug)]
struct Denied {
    at: String,
    who: String,
    deed: &'static str,
    why: Option<&'static str>,
    reason: String,
    rule: String,
}

/// What the address asks for.
#[derive(Default, Deserialize)]
pub(super) struct Asked {
    /// `all` for the acts of the daily run too.
    #[serde(default)]
    acts: String,
}

#[derive(Template)]
#[template(path = "loan.html")]
struct Page {
    shell: Shell,
    id: String,
    borrower: String,
    product: String,
    approved: String,
    tone: &'static str,
    state: &'static str,
    /// How late, if it is.
    late: Option<String>,
    frozen: Vec<&'static str>,
    about: Vec<Pair>,
    standing: Vec<Pair>,
    class: Vec<Pair>,
    payoff: Vec<Pair>,
    plan: Vec<Planned>,
    accounts: Vec<Pair>,
    tokens: Vec<Token>,
    open: Vec<Shown>,
    ended: Vec<Shown>,
    events: Vec<Event>,
    /// Acts of the daily run that are left out.
    hidden: usize,
    /// Acts that do not fit on the page.
    cut: usize,
    denied: Vec<Denied>,
    may: May,
    /// Payments that can be corrected: key and words.
    payments: Vec<(String, String)>,
    grades: Vec<(&'static str, &'static str)>,
    causes: Vec<(&'static str, &'static str)>,
    repaid: Vec<(&'static str, &'static str)>,
    request: String,
    seen: u32,
    reason_max: usize,
    account_max: usize,
    /// The day today, the last one of a payment.
    today: String,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    language: Language,
    uri: Uri,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let shell = Shell::new(&uri, language, &person, "loans")?;
    let (lending, id) = (lending(&app)?, name(&id)?);
    let loaded = lending.loan(&id).await.map_err(|error| problem(&error))?;
    let asked = asked.map_or_else(|_| Asked::default(), |Query(asked)| asked);
    let page = Parts {
        lending,
        loaded,
        id,
        shell,
        all: asked.acts == "all",
    };
    shell::page(&uri, StatusCode::OK, &page.page(&person).await?)
}

/// What a page is made from.
struct Parts<'p> {
    lending: &'p Lending,
    loaded: Loaded,
    id: LoanId,
    shell: Shell,
    all: bool,
}

impl Parts<'_> {
    async fn page(self, person: &Person) -> Result<Page, Problem> {
        let (t, loaded, now) = (self.shell.t, &self.loaded, self.lending.clock().now());
        let told = |error: crate::lending::LendingError| problem(&error);
        let broken = |error: crate::loan::life::Refused| problem(&error.into());
        let file = loaded.loan.file();
        let motions = self.lending.motions_of(&self.id).await.map_err(told)?;
        let shown = motion::shown(&motions, &person.name, t);
        let (open, ended) = shown.into_iter().partition(|one| one.ended.is_none());
        let tokens = self.lending.tokens_of(loaded).await.map_err(told)?;
        let denials = self.lending.denials(&self.id).await.map_err(told)?;
        let standing = loaded.standing().map_err(broken)?;
        let (events, hidden, cut) = look::events(&loaded.acts, self.all, t);
        let (tone, state) = words::state(loaded.loan.word(), t);
        let payoff = loaded.payoff().map_err(broken)?;
        Ok(Page {
            id: self.id.to_string(),
            borrower: file.opened().supplier.to_string(),
            product: file.conditions().product.id.to_string(),
            approved: money(file.opened().approved, t.language),
            tone,
            state,
            late: look::late(standing.as_ref(), t),
            frozen: look::frozen(&loaded.loan, t),
            about: look::about(loaded, t),
            class: look::class(&loaded.loan, standing.as_ref(), t),
            standing: look::standing(standing.as_ref(), t),
            payoff: look::payoff(payoff.as_ref(), t),
            plan: look::plan(&loaded.plan().map_err(broken)?, t),
            accounts: self.accounts().await?,
            tokens: look::tokens(&tokens, t),
            open,
            ended,
            events,
            hidden,
            cut,
            denied: self.denied(&denials),
            may: May::of(&loaded.loan, now),
            payments: look::payments(&loaded.acts, t),
            grades: look::grades(t),
            causes: look::causes(&loaded.loan, t),
            repaid: look::repaid(t),
            request: form_key()?,
            seen: loaded.head.acts,
            reason_max: REASON_MAX,
            account_max: ACCOUNT_MAX,
            today: china_day(now).to_string(),
            shell: self.shell,
        })
    }

    /// Balances of the loan's own accounts in the ledger.
    async fn accounts(&self) -> Result<Vec<Pair>, Problem> {
        let today = china_day(self.lending.clock().now());
        let store = self.lending.store();
        let balances = store
            .balances_of(self.lending.book(), &self.id, today)
            .await;
        let balances = balances.map_err(|error| internal(&error))?;
        Ok(look::accounts(&balances, self.shell.t))
    }

    fn denied(&self, denials: &[Denial]) -> Vec<Denied> {
        let t = self.shell.t;
        let line = |one: &Denial| Denied {
            at: exact(one.at),
            who: one.who.clone(),
            deed: words::deed(&one.deed, t),
            why: t.find(&format!("denied.{}", one.rule)),
            reason: one.reason.clone(),
            rule: one.rule.clone(),
        };
        denials.iter().take(DENIALS_SHOWN).map(line).collect()
    }
}
