//! `GET /`: what waits, what was decided, what was declined, and what could not be read.
//!
//! A read that was refused has a place of its own above the table: it never looks as if nothing
//! had been sent.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;
use kit::text::Text;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::Deserialize;

use super::format::{When, exact, money, when};
use super::queue_filter::{Part, Place, Show, TaskLine, task_lines};
use super::stage::standing;
use crate::desk::deadline::{Waits, Within};
use crate::evidence::consent::{NO_CONSENT, is_consent_class};
use crate::http::loan_desk::{Inbox, inbox};
use crate::http::pages::view::{Gauge, sandbox_gauges};
use crate::http::pages::words;
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};
use crate::loan::{Outcome, ReviewRules, Stage};
use crate::service::{NO_FACTS, NOT_PERMITTED, UNREACHABLE};
use crate::store::reviews::{Reviewed, SHELF_MAX, Shelf};
use crate::store::{Fate, Refusal};

/// Refused reads that the page lists.
const REFUSED_SHOWN: u32 = 50;

/// Longest text to look for, in bytes.
const LOOK_FOR_MAX: usize = 64;

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// `open`, `settled` or `declined`.
    #[serde(default)]
    state: String,
    /// One of [`SORTS`].
    #[serde(default)]
    sort: String,
    /// `asc` or `desc`.
    #[serde(default)]
    dir: String,
    /// A part of the waiting offers, a word of [`Show`].
    #[serde(default)]
    show: String,
    /// Part of an application's id or a supplier.
    #[serde(default)]
    q: String,
}

/// What a table can be sorted by.
const SORTS: [&str; 7] = [
    "due",
    "age",
    "application",
    "supplier",
    "amount",
    "points",
    "stage",
];

/// One offer in the table.
#[derive(Debug)]
struct Row {
    id: String,
    application: String,
    supplier: String,
    requested: String,
    amount: String,
    points: i32,
    grade: String,
    age: When,
    lapses: Option<When>,
    place: Place,
    soon: bool,
    tone: &'static str,
    stage: String,
    mine: bool,
    replay: bool,
    order: Order,
}

/// What rows are compared by.
#[derive(Debug)]
struct Order {
    at: Instant,
    fen: (String, i64),
    stage: u8,
    due: Option<Instant>,
}

/// A column's heading, which sorts.
#[derive(Debug)]
struct Column {
    label: String,
    href: String,
    /// `ascending`, `descending` or `none`.
    sorted: &'static str,
    figure: bool,
}

#[derive(Debug)]
struct Tab {
    label: String,
    href: String,
    here: bool,
}

/// A read that was refused.
#[derive(Debug)]
struct RefusedRow {
    application: String,
    supplier: String,
    what: String,
    class: String,
    at: String,
}

#[derive(Template)]
#[template(path = "queue.html")]
struct Page {
    shell: Shell,
    tabs: Vec<Tab>,
    parts: Vec<Part>,
    tasks: Vec<TaskLine>,
    /// What others propose about loans, for whoever may agree.
    motions: Vec<Inbox>,
    asked: Asked,
    open: bool,
    exports: bool,
    head: Hash,
    columns: Vec<Column>,
    rows: Vec<Row>,
    hidden: usize,
    cut: bool,
    refused: Vec<RefusedRow>,
    gauges: Vec<Gauge>,
    /// Whether there is a trial with a page of its own.
    trial: bool,
}

/// The queue.
pub(crate) async fn show(
    State(app): State<App>,
    person: Person,
    language: Language,
    uri: Uri,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let shell = Shell::new(&uri, language, &person, "queue")?;
    app.desk
        .lapse_due()
        .await
        .map_err(|error| super::problem(&error))?;
    let failed = |error| internal(&error);
    let (shelf, store) = (shelf_of(&asked.state), app.desk.credit().store());
    // Before anything else is read: a change meanwhile is told of, never missed.
    let head = app.desk.head().await.map_err(failed)?;
    let found = store
        .shelf(shelf, SHELF_MAX)
        .await
        .map_err(|error| internal(&error))?;
    let refused = store
        .undecided(REFUSED_SHOWN)
        .await
        .map_err(|error| internal(&error))?;
    let sandbox = app
        .desk
        .credit()
        .sandbox()
        .await
        .map_err(|error| internal(&error))?;
    let ids: Vec<&str> = found.iter().map(|one| &*one.decision.decision_id).collect();
    let officers = store.assigned(&ids).await.map_err(failed)?;
    let fates = store.fates(&ids).await.map_err(failed)?;
    let tasks = app.desk.tasks_of(&person.name).await;
    let tasks = tasks.map_err(|error| super::problem(&error))?;
    let now = app.desk.clock().now();
    let mut motions = Vec::new();
    if shell.decides() {
        motions = inbox(&app, &person.name, now, shell.t).await?;
        motions.retain(|one| !one.mine);
    }
    let view = View {
        t: shell.t,
        now,
        rules: app.desk.rules(),
        within: app.desk.within(),
        officers: &officers,
        fates: &fates,
        me: &person.name,
        decides: shell.decides(),
    };
    let (all, cut) = (found.len(), found.len() >= SHELF_MAX as usize);
    let mut rows: Vec<Row> = found
        .into_iter()
        .filter(|one| fits(one, &asked.q))
        .filter_map(|one| view.row(one))
        .collect();
    let show = Show::of_word(&asked.show);
    let parts = parts(&asked, &rows, motions.len(), shell.t);
    if shelf == Shelf::Open {
        rows.retain(|row| show.has(&row.place));
    }
    sort(&mut rows, &asked);
    let page = Page {
        tabs: tabs(&asked, shell.t),
        parts,
        tasks: task_lines(tasks, now, shell.t),
        motions,
        open: shelf == Shelf::Open,
        exports: app.desk.exports(),
        head,
        columns: columns(&asked, shell.t),
        hidden: all - rows.len(),
        rows,
        cut,
        refused: refused
            .iter()
            .map(|one| refused_row(one, shell.t))
            .collect(),
        gauges: sandbox_gauges(&sandbox, words::of(language)),
        trial: app.desk.credit().office().is_some(),
        asked,
        shell,
    };
    shell::page(&uri, StatusCode::OK, &page)
}

fn shelf_of(state: &str) -> Shelf {
    match state {
        "settled" => Shelf::Settled,
        "declined" => Shelf::Declined,
        _ => Shelf::Open,
    }
}

fn fits(one: &Reviewed, q: &str) -> bool {
    let application = &one.decision.application;
    let found = |text: &str| text.to_lowercase().contains(&q.trim().to_lowercase());
    q.len() > LOOK_FOR_MAX
        || found(application.application_id.as_str())
        || found(application.supplier.as_str())
}

struct View<'v> {
    t: Text,
    now: Instant,
    rules: &'v ReviewRules,
    within: &'v Within,
    officers: &'v BTreeMap<String, Slug>,
    fates: &'v BTreeMap<String, Fate>,
    me: &'v Slug,
    decides: bool,
}

impl View<'_> {
    /// The row of a decision; none for one whose kept steps cannot be read, which its own page says.
    fn row(&self, one: Reviewed) -> Option<Row> {
        let Reviewed { decision, history } = one;
        let language = self.t.language;
        let application = &decision.application;
        let amount = match decision.outcome {
            Outcome::Offer { amount } => Some(amount),
            Outcome::Decline => None,
        };
        let mine = history
            .iter()
            .any(|step| step.person.as_ref().is_some_and(|person| person == self.me));
        let stage = amount.and_then(|_| Stage::read(&decision, history, self.rules).ok());
        let fate = self.fates.get(&decision.decision_id).copied();
        let (tone, word, order) = standing(stage.as_ref(), fate);
        let open = stage.as_ref().filter(|stage| !stage.is_settled());
        let waits = open.and_then(|stage| Waits::of(stage, decision.decided_at, self.within));
        let lapses = waits.as_ref().map(|waits| waits.lapses);
        let officer = self.officers.get(&decision.decision_id);
        let who = (self.me, self.decides);
        let place = Place::of(waits.as_ref(), officer, who, self.now, self.t);
        let shown = amount.unwrap_or(application.requested);
        Some(Row {
            id: decision.decision_id.clone(),
            application: application.application_id.to_string(),
            supplier: application.supplier.to_string(),
            requested: money(application.requested, language),
            amount: amount.map_or_else(String::new, |amount| money(amount, language)),
            points: decision.score.total,
            grade: decision.score.grade.clone(),
            age: when(decision.decided_at, self.now, self.t),
            lapses: lapses.map(|at| when(at, self.now, self.t)),
            soon: lapses.is_some_and(|at| at.since(self.now).as_secs() < 24 * 3600),
            tone,
            stage: self.t.get(word).to_owned(),
            mine: mine && open.is_some(),
            replay: decision.replay,
            order: Order {
                at: decision.decided_at,
                fen: (shown.currency().to_string(), shown.fen()),
                stage: order,
                due: place.due_at,
            },
            place,
        })
    }
}

fn sort(rows: &mut [Row], asked: &Asked) {
    let by: fn(&Row, &Row) -> Ordering = match asked.sort.as_str() {
        "application" => |a, b| a.application.cmp(&b.application),
        "supplier" => |a, b| a.supplier.cmp(&b.supplier),
        "amount" => |a, b| a.order.fen.cmp(&b.order.fen),
        "points" => |a, b| a.points.cmp(&b.points),
        "stage" => |a, b| a.order.stage.cmp(&b.order.stage),
        "age" => |a, b| a.order.at.cmp(&b.order.at),
        "due" => by_due,
        // What is due first stands first.
        _ if shelf_of(&asked.state) == Shelf::Open => by_due,
        // As the shelf has it.
        _ => return,
    };
    rows.sort_by(by);
    if asked.dir == "desc" {
        rows.reverse();
    }
}

fn by_due(a: &Row, b: &Row) -> Ordering {
    let key = |row: &Row| (row.order.due.is_none(), row.order.due);
    key(a).cmp(&key(b))
}

/// The address of the same page with something else.
fn address(asked: &Asked, show: &str, state: &str, (sort, dir): (&str, &str)) -> String {
    let pairs = [
        ("state", state),
        ("show", show),
        ("sort", sort),
        ("dir", dir),
        ("q", asked.q.as_str()),
    ];
    let filled = pairs.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = filled
        .map(|(name, value)| format!("{name}={}", kit::page::query_value(value)))
        .collect();
    format!("/?{}", pairs.join("&"))
}

/// Parts of the waiting offers, each with how many there are.
fn parts(asked: &Asked, rows: &[Row], motions: usize, t: Text) -> Vec<Part> {
    // What others propose about loans waits for a second person too.
    let more = |show| if show == Show::Second { motions } else { 0 };
    let part = |show: Show| Part {
        label: t.get(show_key(show)).to_owned(),
        href: address(asked, show.word(), &asked.state, (&asked.sort, &asked.dir)),
        here: Show::of_word(&asked.show) == show,
        count: rows.iter().filter(|row| show.has(&row.place)).count() + more(show),
        key: if show == Show::Second { "i" } else { "" },
    };
    Show::ALL.into_iter().map(part).collect()
}

fn show_key(show: Show) -> &'static str {
    match show {
        Show::All => "show.all",
        Show::Mine => "show.mine",
        Show::Unassigned => "show.unassigned",
        Show::Second => "show.second",
        Show::Overdue => "show.overdue",
    }
}

fn tabs(asked: &Asked, t: Text) -> Vec<Tab> {
    let shelf = shelf_of(&asked.state);
    let tab = |(state, one): (&str, Shelf)| Tab {
        label: t.get(&format!("queue.{state}")).to_owned(),
        href: address(asked, "", state, ("", "")),
        here: shelf == one,
    };
    [
        ("open", Shelf::Open),
        ("settled", Shelf::Settled),
        ("declined", Shelf::Declined),
    ]
    .into_iter()
    .map(tab)
    .collect()
}

fn columns(asked: &Asked, t: Text) -> Vec<Column> {
    let column = |name: &&str| {
        let here = asked.sort == *name;
        let dir = if here && asked.dir != "desc" {
            "desc"
        } else {
            "asc"
        };
        Column {
            label: t.get(&format!("column.{name}")).to_owned(),
            href: address(asked, &asked.show, &asked.state, (name, dir)),
            sorted: match (here, asked.dir.as_str()) {
                (false, _) => "none",
                (true, "desc") => "descending",
                (true, _) => "ascending",
            },
            figure: matches!(*name, "amount" | "points"),
        }
    };
    SORTS.iter().map(column).collect()
}

fn refused_row(one: &Refusal, t: Text) -> RefusedRow {
    let what = match one.class.as_str() {
        NOT_PERMITTED => "refused.not-permitted",
        UNREACHABLE => "refused.unreachable",
        NO_FACTS => "refused.facts",
        "stale" => "refused.stale",
        NO_CONSENT => "refused.no-consent",
        "consent-withdrawn" => "refused.consent-withdrawn",
        "consent-expired" => "refused.consent-expired",
        class if is_consent_class(class) => "refused.consent",
        _ => "refused.proof",
    };
    RefusedRow {
        application: one.application_id.to_string(),
        supplier: one.supplier.to_string(),
        what: t.get(what).to_owned(),
        class: one.class.clone(),
        at: exact(one.refused_at),
    }
}
