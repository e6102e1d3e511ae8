//! The page of an organisation's own people: its devices, what happened to their chains, what of
//! theirs could not be verified. And the log-in page in front of it.

use askama::Template;
use kit::people::door::FACTOR_AFTERWARDS;
use kit::people::{Framed, LogInProblem, LogInView};
use schemas::time::Instant;

use super::format::{iso, utc};
use super::pages::Shell;
use super::text::{self, Text, choose};
use super::{Lang, Names, RenderError};
use crate::report::{KeptReport, State};
use crate::store::{ChainEvent, Quarantined};
use crate::trace::Item;

/// Rows of a table that are shown; the rest is counted.
pub const ROWS_MAX: usize = 500;
/// Reports that are shown.
pub const REPORTS_MAX: u32 = 200;

/// A device of the organisation.
#[derive(Clone, Debug)]
pub struct DeviceView {
    /// `organisation/device`.
    pub address: String,
    /// `active`, `suspended`, `retired` or `revoked`.
    pub state: &'static str,
    /// When it was last heard.
    pub heard: Option<Instant>,
}

/// A report of a reader about what the organisation has made.
#[derive(Clone, Debug)]
pub struct ReportedView {
    /// As kept.
    pub report: KeptReport,
    /// How to reach the reporter, if that was given and not erased.
    pub contact: Option<String>,
}

/// What the page shows.
#[derive(Clone, Debug)]
pub struct OrganisationView {
    /// Slug of the organisation.
    pub organisation: schemas::ids::Slug,
    /// Who reads.
    pub person: String,
    /// Token of the log-out form.
    pub csrf: String,
    /// Reports of readers, newest first.
    pub reports: Vec<ReportedView>,
    /// Devices, by address.
    pub devices: Vec<DeviceView>,
    /// What happened to their chains, newest first.
    pub chains: Vec<ChainEvent>,
    /// Messages in quarantine, newest first.
    pub quarantine: Vec<Quarantined>,
    /// Names on pages.
    pub names: Names,
    /// The log runs on a replayed clock.
    pub is_replay: bool,
}

struct Row {
    tone: &'static str,
    when: String,
    iso: String,
    subject: String,
    what: String,
    todo: String,
    detail: String,
    id: String,
}

/// A report on the page.
struct Reported {
    tone: &'static str,
    number: String,
    /// Its digits alone.
    id: String,
    /// Path of the product page.
    path: String,
    code: String,
    kind: &'static str,
    state: &'static str,
    when: String,
    iso: String,
    text: String,
    contact: String,
    /// What was done: time, state, who.
    steps: Vec<(String, &'static str, String)>,
    /// Words of the states that a person may set next, with the button's label.
    next: Vec<(&'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "organisation.html", config = "web/askama.toml")]
struct OrganisationPage<'v> {
    shell: Shell,
    t: Text,
    name: String,
    view: &'v OrganisationView,
    reports: Vec<Reported>,
    devices: Vec<Row>,
    chains: Vec<Row>,
    quarantine: Vec<Row>,
}

#[derive(Template)]
#[template(path = "login.html", config = "web/askama.toml")]
struct LogInPage<'v> {
    shell: Shell,
    t: Text,
    view: &'v LogInView,
    csrf: String,
    problem: Option<&'static str>,
    factor: &'static str,
}

#[derive(Template)]
#[template(path = "framed.html", config = "web/askama.toml")]
struct FramedPage<'v> {
    shell: Shell,
    t: Text,
    framed: &'v Framed,
}

/// Puts a page behind the log-in form (second factor, provider) into this service's frame.
///
/// # Errors
/// Only when the template cannot be written, which is a fault of ours.
pub fn render_framed(framed: &Framed) -> Result<String, RenderError> {
    let t = text::of(framed.language);
    let page = FramedPage {
        shell: Shell::new(t, framed.title, false),
        t,
        framed,
    };
    Ok(page.render()?)
}

/// Writes the page of an organisation.
///
/// # Errors
/// Only when the template cannot be written, which is a fault of ours.
pub fn render_organisation(view: &OrganisationView, lang: Lang) -> Result<String, RenderError> {
    let t = text::of(lang);
    let named = view.names.organisations.get(&view.organisation);
    let name = named.and_then(|names| choose(names, lang));
    let page = OrganisationPage {
        shell: Shell::new(t, t.get("organisation.title"), view.is_replay),
        t,
        name: name.unwrap_or(view.organisation.as_str()).to_owned(),
        reports: view.reports.iter().map(|one| reported(t, one)).collect(),
        devices: view.devices.iter().map(|one| device(t, one)).collect(),
        chains: view
            .chains
            .iter()
            .take(ROWS_MAX)
            .map(|one| chain(t, one))
            .collect(),
        quarantine: view
            .quarantine
            .iter()
            .map(|one| quarantined(t, one))
            .collect(),
        view,
    };
    Ok(page.render()?)
}

fn reported(t: Text, one: &ReportedView) -> Reported {
    let report = &one.report;
    let state = report.state();
    let word = |state: State| {
        t.find(&format!("report.state.{}", state.as_str()))
            .unwrap_or_default()
    };
    let next = match state {
        State::Received => &[State::Read, State::Closed][..],
        State::Read => &[State::Closed],
        State::Closed => &[State::Read],
    };
    let button = |next: &State| {
        let verb = if state == State::Closed {
            "again"
        } else {
            next.as_str()
        };
        let label = t
            .find(&format!("organisation.report.{verb}"))
            .unwrap_or_default();
        (next.as_str(), label)
    };
    Reported {
        tone: if state == State::Closed { "ok" } else { "warn" },
        number: report.number.to_string(),
        id: report.number.as_str().to_owned(),
        path: Item::parse(&report.item).map_or_else(String::new, |item| item.path().to_owned()),
        code: report.item.clone(),
        kind: t
            .find(&format!("report.kind.{}", report.kind.as_str()))
            .unwrap_or_default(),
        state: word(state),
        when: utc(report.received),
        iso: iso(report.received),
        text: report.text.clone(),
        contact: one.contact.clone().unwrap_or_default(),
        steps: report
            .steps
            .iter()
            .map(|step| (utc(step.at), word(step.state), step.person.to_string()))
            .collect(),
        next: next.iter().map(button).collect(),
    }
}

fn device(t: Text, one: &DeviceView) -> Row {
    let tone = if one.state == "active" { "ok" } else { "warn" };
    Row {
        tone,
        when: one
            .heard
            .map_or_else(|| t.get("organisation.never").to_owned(), utc),
        iso: one.heard.map(iso).unwrap_or_default(),
        subject: one.address.clone(),
        what: t
            .get(&format!("organisation.state.{}", one.state))
            .to_owned(),
        todo: String::new(),
        detail: String::new(),
        id: String::new(),
    }
}

fn chain(t: Text, one: &ChainEvent) -> Row {
    let known = [
        "gap-opened",
        "gap-closed",
        "fork",
        "silent",
        "silence-ended",
        "seen-another",
    ];
    let kind = known
        .into_iter()
        .find(|kind| *kind == one.kind)
        .unwrap_or("other");
    let place = if one.from_seq == one.to_seq {
        format!("{}:{}", one.epoch, one.from_seq)
    } else {
        format!("{}:{}–{}", one.epoch, one.from_seq, one.to_seq)
    };
    Row {
        tone: match kind {
            "gap-closed" | "silence-ended" => "ok",
            "fork" | "seen-another" => "bad",
            _ => "warn",
        },
        when: utc(one.at),
        iso: iso(one.at),
        subject: one.device.to_string(),
        what: t.get(&format!("chain.{kind}")).to_owned(),
        todo: t.get(&format!("chain.{kind}.todo")).to_owned(),
        detail: place,
        id: String::new(),
    }
}

fn quarantined(t: Text, one: &Quarantined) -> Row {
    let key = format!("quarantine.{}", one.code);
    Row {
        tone: "bad",
        when: utc(one.received),
        iso: iso(one.received),
        subject: one.topic.clone(),
        what: t.find(&key).unwrap_or(&one.code).to_owned(),
        todo: format!("{} ({})", one.detail, one.code),
        detail: t.fill("organisation.bytes", &[("count", &one.size.to_string())]),
        id: one.id.to_string(),
    }
}

/// Writes the log-in page.
///
/// # Errors
/// Only when the template cannot be written, which is a fault of ours.
pub fn render_log_in(view: &LogInView) -> Result<String, RenderError> {
    let t = text::of(view.language);
    let problem = view.problem.map(|problem| {
        t.get(match problem {
            LogInProblem::Wrong => "login.wrong",
            LogInProblem::TooMany => "login.too_many",
            LogInProblem::Busy => "login.busy",
            LogInProblem::Form => "login.form",
        })
    });
    let page = LogInPage {
        shell: Shell::new(t, t.get("login.title"), false),
        t,
        csrf: view.csrf.to_string(),
        problem,
        factor: FACTOR_AFTERWARDS,
        view,
    };
    Ok(page.render()?)
}
