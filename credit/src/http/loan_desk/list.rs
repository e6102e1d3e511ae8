//! `GET /loans`: what is lent, to whom, and how late it is.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use chrono::NaiveDate;
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;
use kit::text::Text;
use schemas::ids::Slug;
use serde::Deserialize;

use super::motion::{Inbox, inbox};
use super::{problem, words};
use crate::http::App;
use crate::http::desk::format::money;
use crate::http::fields::wrong;
use crate::http::shell::{self, Shell};
use crate::law::acceptance::china_day;
use crate::ledger::LoanId;
use crate::lending::Lending;
use crate::loan::life::Bucket;
use crate::store::lending::{Head, LOANS_MAX, Which};

/// Loans of one page.
const SHOWN: u32 = 50;

/// Every state, in the order of a loan's life.
pub(super) const STATES: [&str; 10] = [
    "approved",
    "drawable",
    "disbursing",
    "active",
    "delinquent",
    "restructured",
    "written_off",
    "recovering",
    "settled",
    "closed",
];

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// One of [`STATES`], or nothing for all.
    state: String,
    /// A borrower, or nothing for all.
    supplier: String,
    /// `1` for what is late only.
    late: String,
    /// The last loan of the page before.
    after: String,
}

/// What is looked for: the store's own list, and what is left out of it here.
struct Filter {
    which: Which,
    state: Option<String>,
    supplier: Option<Slug>,
    late_before: Option<NaiveDate>,
}

impl Filter {
    fn of(asked: &Asked, today: NaiveDate) -> Result<Self, Problem> {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let state = some(&asked.state);
        if state
            .as_ref()
            .is_some_and(|one| !STATES.contains(&one.as_str()))
        {
            return Err(wrong("state", "it is not one of the list"));
        }
        let supplier = some(&asked.supplier).map(|text| text.parse::<Slug>());
        let supplier = supplier
            .transpose()
            .map_err(|error| wrong("supplier", error))?;
        let late_before = (asked.late == "1").then_some(today);
        let which = match (&supplier, late_before, &state) {
            (Some(supplier), ..) => Which::Of(supplier.clone()),
            (None, Some(day), _) => Which::DueBy(day.pred_opt().unwrap_or(day)),
            (None, None, Some(state)) => Which::In(state.clone()),
            (None, None, None) => Which::All,
        };
        Ok(Self {
            which,
            state,
            supplier,
            late_before,
        })
    }

    /// What the store's list alone does not say.
    fn has(&self, head: &Head) -> bool {
        let state = self.state.as_ref().is_none_or(|state| head.state == *state);
        let supplier = self.supplier.as_ref();
        let supplier = supplier.is_none_or(|supplier| head.supplier == *supplier);
        let late = |day| head.due_day.is_some_and(|due| due < day);
        state && supplier && self.late_before.is_none_or(late)
    }

    /// How many rows the store is asked for: one more than a page where its own list is the answer.
    fn take(&self) -> u32 {
        let asked = [
            self.state.is_some(),
            self.supplier.is_some(),
            self.late_before.is_some(),
        ];
        match asked.into_iter().filter(|one| *one).count() {
            0 | 1 => SHOWN + 1,
            _ => LOANS_MAX,
        }
    }

    fn is_empty(&self) -> bool {
        self.which == Which::All
    }
}

/// A loan in the table.
#[derive(Debug)]
struct Row {
    id: String,
    borrower: String,
    tone: &'static str,
    state: &'static str,
    approved: String,
    outstanding: Option<String>,
    due: String,
    days: u32,
    bucket: &'static str,
    grade: &'static str,
    day: String,
}

/// A state to choose.
#[derive(Debug)]
struct Choice {
    word: &'static str,
    label: &'static str,
    here: bool,
}

#[derive(Template)]
#[template(path = "loans.html")]
struct Page {
    shell: Shell,
    /// False where the bank keeps no loans here.
    lends: bool,
    motions: Vec<Inbox>,
    choices: Vec<Choice>,
    supplier: String,
    late: bool,
    filtered: bool,
    rows: Vec<Row>,
    /// The next page.
    next: Option<String>,
    /// The first page, unless this is it.
    first: Option<String>,
}

/// The list.
pub(super) async fn show(
    State(app): State<App>,
    person: Person,
    language: Language,
    uri: Uri,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let shell = Shell::new(&uri, language, &person, "loans")?;
    let (t, now) = (shell.t, app.desk.clock().now());
    let filter = Filter::of(&asked, china_day(now))?;
    let (mut rows, mut last) = (Vec::new(), None);
    if let Some(lending) = &app.lending {
        let (heads, more) = page(lending, &filter, &asked.after).await?;
        for head in &heads {
            rows.push(row(lending, head, t).await?);
        }
        last = more;
    }
    let motions = inbox(&app, &person.name, now, t).await?;
    let page = Page {
        lends: app.lending.is_some(),
        motions,
        choices: choices(&asked, t),
        supplier: asked.supplier.trim().to_owned(),
        late: asked.late == "1",
        filtered: !filter.is_empty(),
        rows,
        next: last.map(|last| address(&asked, last.as_str())),
        first: Some(address(&asked, "")).filter(|_| !asked.after.is_empty()),
        shell,
    };
    shell::page(&uri, StatusCode::OK, &page)
}

/// Loans of this page, and behind which one the next begins.
async fn page(
    lending: &Lending,
    filter: &Filter,
    after: &str,
) -> Result<(Vec<Head>, Option<LoanId>), Problem> {
    let after = Some(after).filter(|after| !after.is_empty());
    let after = after.map(crate::http::loans::name).transpose()?;
    let take = filter.take();
    let heads = lending.list(&filter.which, after.as_ref(), take).await;
    let heads = heads.map_err(|error| problem(&error))?;
    // Of a full list there may be more behind it, though nothing of it is shown.
    let end = heads.last().filter(|_| heads.len() == take as usize);
    let mut rest = end.map(|head| head.loan.clone());
    let mut found: Vec<Head> = heads.into_iter().filter(|head| filter.has(head)).collect();
    if found.len() > SHOWN as usize {
        found.truncate(SHOWN as usize);
        rest = found.last().map(|head| head.loan.clone());
    }
    Ok((found, rest))
}

async fn row(lending: &Lending, head: &Head, t: Text) -> Result<Row, Problem> {
    let standing = lending.glance(head).await;
    let standing = standing.map_err(|error| problem(&error))?;
    let (tone, state) = words::state(&head.state, t);
    let bucket = standing.as_ref().map_or(Bucket::Current, |one| one.bucket);
    Ok(Row {
        id: head.loan.to_string(),
        borrower: head.supplier.to_string(),
        tone,
        state,
        approved: money(head.approved, t.language),
        outstanding: standing
            .as_ref()
            .map(|one| money(one.principal, t.language)),
        due: head.due_day.map_or_else(String::new, |day| day.to_string()),
        days: standing.as_ref().map_or(0, |one| one.days_past_due),
        bucket: words::bucket(bucket, t),
        grade: standing
            .as_ref()
            .map_or("", |one| words::grade(one.grade, t)),
        day: head.run_day.map_or_else(String::new, |day| day.to_string()),
    })
}

fn choices(asked: &Asked, t: Text) -> Vec<Choice> {
    let choice = |word: &'static str| Choice {
        word,
        label: words::state(word, t).1,
        here: asked.state == word,
    };
    STATES.into_iter().map(choice).collect()
}

/// The address of the same list, behind a loan.
fn address(asked: &Asked, after: &str) -> String {
    let pairs = [
        ("state", asked.state.trim()),
        ("supplier", asked.supplier.trim()),
        ("late", asked.late.as_str()),
        ("after", after),
    ];
    let filled = pairs.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = filled
        .map(|(name, value)| format!("{name}={}", kit::page::query_value(value)))
        .collect();
    format!("/loans?{}", pairs.join("&"))
}
