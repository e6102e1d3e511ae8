//! The trial's page, for the bank's people and for the regulator, and the same as JSON.

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;
use kit::text::Text;
use serde_json::{Value, json};

use super::problem::{of, office};
use super::words::{self, Pair, StepLine, pair};
use crate::desk::{Actor, Role};
use crate::http::desk::format::{exact, money, short};
use crate::http::pages::view;
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};
use crate::sandbox::indicators::{Fact, FigureId, Rows};
use crate::sandbox::limits::{LimitName, Limits};
use crate::trials::{Gauge, Office, State as Trial, rows, sheet};

/// From this part of a limit on, in percent, it is near.
const NEAR_PERCENT: i64 = 80;

/// Something that waits for a second person.
#[derive(Debug)]
struct Waiting {
    hash: String,
    short: String,
    title: String,
    reason: String,
    by: String,
    at: String,
    pairs: Vec<Pair>,
    /// Whether whoever looks may agree.
    agrees: bool,
    /// Whether whoever looks wants it.
    own: bool,
}

/// A problem with what was done about it.
#[derive(Debug)]
struct ProblemView {
    id: String,
    at: String,
    by: String,
    words: String,
    figure: String,
    treatments: Vec<(String, String, String)>,
    closed: Option<String>,
    treated: bool,
}

/// A complaint or an incident that nobody has answered.
#[derive(Debug)]
struct Open {
    id: String,
    kind: &'static str,
    what: String,
    at: String,
}

/// Values that the form of limits begins with.
#[derive(Debug)]
struct Before {
    users: String,
    regions: String,
    groups: String,
    per_loan: String,
    per_borrower: String,
    per_day: String,
    outstanding: String,
    concentration_bp: String,
    tenor_days: String,
}

#[derive(Template)]
#[template(path = "trial.html")]
struct Page {
    shell: Shell,
    regulator: bool,
    name: String,
    project: String,
    scope: String,
    tone: &'static str,
    verdict: String,
    verdict_words: String,
    trips: Vec<String>,
    tripped: bool,
    may_stop: bool,
    keeps: bool,
    writes: bool,
    about: Vec<Pair>,
    gauges: Vec<view::Gauge>,
    limits: Vec<Pair>,
    rule: Vec<Pair>,
    waiting: Vec<Waiting>,
    steps: Vec<StepLine>,
    reports: Vec<String>,
    problems: Vec<ProblemView>,
    open: Vec<Open>,
    figures: Vec<(String, &'static str)>,
    before: Before,
}

/// The page of the bank's people; the regulator's own for the regulator.
pub(super) async fn trial(
    state: State<App>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    show(state, person, language, uri, "trial").await
}

/// The regulator's page; the bank's people may look at it.
pub(super) async fn regulator(
    state: State<App>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    show(state, person, language, uri, "regulator").await
}

async fn show(
    State(app): State<App>,
    person: Person,
    language: Language,
    uri: Uri,
    here: &'static str,
) -> Result<Response, Problem> {
    let (office, actor) = (office(&app)?, shell::actor(&person)?);
    let state = office.state().await.map_err(|error| of(&error))?;
    let rows = office.written().await.map_err(|error| of(&error))?;
    let months = office.months().await.map_err(|error| of(&error))?;
    let shell = Shell::new(&uri, language, &person, here)?;
    let mut page = made(shell, language, (office, &state, &rows), &actor);
    page.regulator = here == "regulator";
    if page.regulator {
        (page.keeps, page.writes) = (false, false);
    }
    page.reports = months.iter().rev().map(ToString::to_string).collect();
    shell::page(&uri, StatusCode::OK, &page)
}

fn made(
    shell: Shell,
    language: Language,
    (office, state, rows): (&Office, &Trial, &Rows),
    actor: &Actor,
) -> Page {
    let t = shell.t;
    let declaration = state.declarations.last();
    let (tone, verdict, words) = verdict(state, t);
    let stage = state.footing.trial.stage().word();
    let running = matches!(stage, "testing" | "extended" | "suspended");
    let tripped = state.tripped();
    let trips = tripped.iter().flat_map(|(_, trips)| trips.iter());
    let limits = state.limits().map(|version| &version.proposal.limits);
    let rule = state.rule.as_ref().map(|rule| rule.rule());
    Page {
        regulator: false,
        name: declaration.map_or_else(String::new, |one| one.name.clone()),
        project: office.trial().to_string(),
        scope: declaration.map_or_else(String::new, |one| one.scope.clone()),
        tone,
        verdict,
        verdict_words: words,
        trips: trips.map(|trip| words::trip(trip, t, language)).collect(),
        tripped: tripped.is_some(),
        may_stop: actor.role == Role::Regulator && running,
        keeps: actor.role.keeps_trial(),
        writes: actor.role.writes_trial(),
        about: about(state, t),
        gauges: state
            .gauges
            .iter()
            .map(|one| gauge(one, t, language))
            .collect(),
        limits: limits.map_or_else(Vec::new, |limits| words::limits(limits, t, language)),
        rule: rule.map_or_else(Vec::new, |rule| words::rule(rule, t, language)),
        waiting: waiting(state, actor, t, language),
        steps: state
            .footing
            .trial
            .steps()
            .iter()
            .map(|one| words::step(one, t))
            .collect(),
        reports: Vec::new(),
        problems: problems(rows, language),
        open: open(rows, t, language),
        figures: figures(language),
        before: before(limits),
        shell,
    }
}

fn figures(language: Language) -> Vec<(String, &'static str)> {
    let figures = FigureId::ALL.iter();
    figures
        .map(|id| (id.word(), sheet::name(*id, language)))
        .collect()
}

fn verdict(state: &Trial, t: Text) -> (&'static str, String, String) {
    let stage = state.footing.trial.stage().word();
    if let Some((since, _)) = state.tripped() {
        let words = t.fill("trial.tripped-words", &[("since", &exact(since))]);
        return ("bad", t.get("trial.tripped").to_owned(), words);
    }
    let title = words::word(t, "stage", stage);
    let tone = match stage {
        "stopped" => "bad",
        "suspended" => "warn",
        "testing" | "extended" if state.lends() => "ok",
        _ => "info",
    };
    let words = if state.lends() {
        "trial.lends"
    } else {
        "trial.lends-not"
    };
    (tone, title, t.get(words).to_owned())
}

fn about(state: &Trial, t: Text) -> Vec<Pair> {
    let mut pairs = vec![pair(t, "trial.seen", exact(state.now))];
    if let Some(declaration) = state.declarations.last() {
        let hash = declaration.hash().map(|hash| short(&hash));
        let version = format!("{} · {}", declaration.version, hash.unwrap_or_default());
        pairs.push(pair(t, "trial.declaration", version));
        let end = declaration.end.map(|end| end.to_string());
        let end = end.unwrap_or_else(|| t.get("trial.open-end").to_owned());
        let time = format!("{} – {end}", declaration.start);
        pairs.push(pair(t, "trial.time", time));
        let applicants = declaration.applicants.iter().map(|one| one.name.clone());
        let applicants: Vec<String> = applicants.collect();
        pairs.push(pair(t, "trial.applicants", applicants.join(", ")));
    }
    if let Some(limits) = state.limits() {
        let hash = limits.hash().map(|hash| short(&hash)).unwrap_or_default();
        let people = format!("{} + {}", limits.proposal.proposer, limits.approver);
        let version = format!("{} · {people} · {hash}", limits.proposal.version);
        pairs.push(pair(t, "trial.limits-version", version));
    }
    pairs
}

fn gauge(one: &Gauge, t: Text, language: Language) -> view::Gauge {
    let (used, value) = one.numbers();
    let percent = if value == 0 {
        0
    } else {
        i64::try_from(i128::from(used) * 100 / i128::from(value)).unwrap_or(100)
    };
    let (used_words, value_words) = match one {
        Gauge::Number { value, used, .. } => (used.to_string(), value.to_string()),
        Gauge::Amount { value, used, .. } => (money(*used, language), money(*value, language)),
    };
    let tone = match percent {
        100.. => "bad",
        NEAR_PERCENT.. => "warn",
        _ => "ok",
    };
    let note = t.fill(
        "trial.used",
        &[("used", &used_words), ("percent", &percent.to_string())],
    );
    view::Gauge {
        label: label(one.limit(), t),
        amount: value_words,
        note,
        percent: u8::try_from(percent.clamp(0, 100)).unwrap_or(100),
        tone,
    }
}

fn label(limit: LimitName, t: Text) -> &'static str {
    let key = match limit {
        LimitName::Users => "gauge.users",
        LimitName::PerBorrower => "gauge.per_borrower",
        LimitName::PerDay => "gauge.per_day",
        LimitName::Concentration => "gauge.concentration",
        _ => "gauge.outstanding",
    };
    t.find(key).unwrap_or(key)
}

fn waiting(state: &Trial, actor: &Actor, t: Text, language: Language) -> Vec<Waiting> {
    let waiting = state.wanted.iter().map(|one| {
        let (title, reason, pairs) = words::motion(&one.motion, t, language);
        let own = one.motion.proposer() == &actor.name;
        Waiting {
            hash: one.hash.to_string(),
            short: short(&one.hash),
            title,
            reason,
            by: one.motion.proposer().to_string(),
            at: exact(one.at),
            pairs,
            agrees: actor.role.keeps_trial() && !own,
            own,
        }
    });
    waiting.collect()
}

fn problems(all: &Rows, language: Language) -> Vec<ProblemView> {
    let mut problems = rows::problems(all);
    problems.sort_by(|one, other| (other.found_at, &other.id).cmp(&(one.found_at, &one.id)));
    let problems = problems.into_iter().map(|one| ProblemView {
        id: one.id.to_string(),
        at: exact(one.found_at),
        by: one.found_by.to_string(),
        treated: !one.is_untreated(),
        words: one.words,
        figure: one
            .figure
            .map_or("", |id| sheet::name(id, language))
            .to_owned(),
        treatments: one
            .treatments
            .into_iter()
            .map(|done| (exact(done.at), done.by.to_string(), done.words))
            .collect(),
        closed: one.closed_at.map(exact),
    });
    problems.collect()
}

fn open(all: &Rows, t: Text, language: Language) -> Vec<Open> {
    let done = |id: &schemas::ids::Slug| {
        all.all().iter().any(|row| match &row.fact {
            Fact::Answered { complaint: of } | Fact::Treated { incident: of } => of == id,
            _ => false,
        })
    };
    let open = all.all().iter().filter_map(|row| {
        let kind = match &row.fact {
            Fact::Complained { .. } => "answer",
            Fact::Incident { .. } => "treated",
            _ => return None,
        };
        let (what, detail, _) = words::fact(row, t, language);
        (!done(&row.id)).then(|| Open {
            id: row.id.to_string(),
            kind,
            what: format!("{what} · {detail}"),
            at: exact(row.at),
        })
    });
    open.collect()
}

fn before(limits: Option<&Limits>) -> Before {
    let text = |read: fn(&Limits) -> String| limits.map(read).unwrap_or_default();
    let list = |items: Vec<String>| items.join(", ");
    Before {
        users: text(|one| one.users.to_string()),
        regions: list(limits.map_or_else(Vec::new, |one| {
            one.regions.iter().map(ToString::to_string).collect()
        })),
        groups: list(limits.map_or_else(Vec::new, |one| {
            one.groups.iter().map(ToString::to_string).collect()
        })),
        per_loan: text(|one| plain(one.per_loan)),
        per_borrower: text(|one| plain(one.per_borrower)),
        per_day: text(|one| plain(one.per_day)),
        outstanding: text(|one| plain(one.outstanding)),
        concentration_bp: text(|one| one.concentration_bp.to_string()),
        tenor_days: text(|one| one.tenor_days.to_string()),
    }
}

/// An amount as a form takes it.
fn plain(amount: crate::money::Money) -> String {
    format!("{}.{:02}", amount.fen() / 100, amount.fen() % 100)
}

/// The same for programs; the token is that of the session that asks, for its next write.
pub(super) async fn json(
    State(app): State<App>,
    person: Option<axum::Extension<Person>>,
) -> Result<Json<Value>, Problem> {
    let office = office(&app)?;
    let state = office.state().await.map_err(|error| of(&error))?;
    let months = office.months().await.map_err(|error| of(&error))?;
    let declarations = state.declarations.iter().map(|one| {
        let hash = one.hash().map_err(|error| internal(&error))?;
        Ok(json!({"version": one.version, "hash": hash, "start": one.start, "end": one.end}))
    });
    let declarations: Vec<Value> = declarations.collect::<Result<_, Problem>>()?;
    let gauges = state.gauges.iter().map(|one| {
        let (used, value) = one.numbers();
        json!({"limit": one.limit(), "used": used, "value": value})
    });
    let gauges: Vec<Value> = gauges.collect();
    let waiting = state
        .wanted
        .iter()
        .map(|one| json!({"hash": one.hash, "motion": one.motion, "at": one.at.to_rfc3339()}));
    let waiting: Vec<Value> = waiting.collect();
    Ok(Json(json!({
        "trial": office.trial(),
        "at": state.now.to_rfc3339(),
        "stage": state.footing.trial.stage(),
        "lends": state.lends(),
        "stop_loss": state.footing.stop_loss,
        "declarations": declarations,
        "limits": state.limits(),
        "rule": state.rule,
        "use": gauges,
        "waiting": waiting,
        "steps": state.footing.trial.steps(),
        "reports": months,
        "csrf": person.map(|person| person.csrf.to_string()),
    })))
}

/// Hashes of the trial's documents; of each that is proven to be in the log its place there.
pub(super) async fn log(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let office = office(&app)?;
    let entries = office.trials().log_entries(office.trial()).await;
    let entries = entries.map_err(|error| of(&error.into()))?;
    let entries = entries.iter().map(|entry| {
        let place = office.logged().and_then(|logged| logged.place(&entry.hash));
        json!({
            "kind": entry.kind,
            "hash": entry.hash,
            "time": entry.time.to_rfc3339(),
            "log_index": place.map(|place| place.index),
            "anchored": place.map(|place| place.anchored.to_rfc3339()),
        })
    });
    let entries: Vec<Value> = entries.collect();
    Ok(Json(json!({ "trial": office.trial(), "entries": entries })))
}
