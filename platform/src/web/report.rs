//! Pages of a report: the form, what became of it, and the field for its number.

use askama::Template;

use super::format::{iso, local, percent};
use super::pages::Shell;
use super::text::{self, Text, choose};
use super::view::ByLanguage;
use super::{Lang, RenderError};
use crate::report::{
    CONTACT_MAX_CHARS, Fault, KeptReport, Kind, NumberError, Sent, State, TEXT_MAX_CHARS,
};
use crate::trace::event::clip;
use crate::trace::{Item, Stated};

/// Why the form is shown again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trouble {
    /// It is shown for the first time.
    #[default]
    None,
    /// Fields that cannot be taken.
    Faults(Vec<Fault>),
    /// Too many reports for the moment.
    TooMany,
}

/// What the form shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormView {
    /// What the report is about.
    pub item: Item,
    /// What that is called; may be empty.
    pub names: ByLanguage,
    /// What was entered, and the form's secret.
    pub sent: Sent,
    /// Why it is shown again.
    pub trouble: Trouble,
    /// The log runs on a replayed clock.
    pub is_replay: bool,
}

/// What the page of a number shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportView {
    /// The report; neither its words nor its contact are shown.
    pub report: KeptReport,
    /// What it is about.
    pub item: Item,
    /// Local offset in minutes of its times.
    pub offset_minutes: i32,
    /// The log runs on a replayed clock.
    pub is_replay: bool,
}

/// What the field for a number shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookUpView {
    /// What was entered and led nowhere.
    pub entered: Option<String>,
    /// Why it is no number; `None` for one that nobody has.
    pub problem: Option<NumberError>,
    /// The log runs on a replayed clock.
    pub is_replay: bool,
}

struct Choice {
    word: &'static str,
    label: &'static str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "report_form.html", config = "web/askama.toml")]
struct FormPage<'v> {
    shell: Shell,
    t: Text,
    name: &'v str,
    item: &'v Item,
    sent: &'v Sent,
    alerts: Vec<String>,
    choices: Vec<Choice>,
    kind_bad: bool,
    text_bad: bool,
    contact_bad: bool,
    text_hint: String,
    text_most: usize,
    contact_most: usize,
}

#[derive(Template)]
#[template(path = "report.html", config = "web/askama.toml")]
struct ReportPage<'v> {
    shell: Shell,
    t: Text,
    number: String,
    digits: &'v str,
    item: &'v Item,
    kind: &'static str,
    state: &'static str,
    tone: &'static str,
    next: &'static str,
    moments: Vec<(&'static str, String, String)>,
    has_contact: bool,
}

#[derive(Template)]
#[template(path = "report_look_up.html", config = "web/askama.toml")]
struct LookUpPage {
    shell: Shell,
    t: Text,
    entered: String,
    problem: &'static str,
}

/// Writes the form.
///
/// # Errors
/// Only when the template cannot be written, which is a fault of ours.
pub fn render_form(view: &FormView, lang: Lang) -> Result<String, RenderError> {
    let t = text::of(lang);
    let has = |wanted: fn(&Fault) -> bool| match &view.trouble {
        Trouble::Faults(faults) => faults.iter().any(wanted),
        _ => false,
    };
    let choices = Kind::ALL.map(|kind| Choice {
        word: kind.as_str(),
        label: kind_word(t, kind),
        is_chosen: view.sent.kind == kind.as_str(),
    });
    let most = TEXT_MAX_CHARS.to_string();
    let page = FormPage {
        shell: Shell {
            query: format!("&code={}", percent(view.item.key())),
            ..Shell::new(t, t.get("report.title"), view.is_replay)
        },
        t,
        name: choose(&view.names, lang).unwrap_or(t.get("product.unnamed")),
        item: &view.item,
        sent: &view.sent,
        alerts: alerts(t, &view.trouble),
        choices: choices.into(),
        kind_bad: has(|fault| matches!(fault, Fault::Kind)),
        text_bad: has(|fault| matches!(fault, Fault::Text(_) | Fault::Words)),
        contact_bad: has(|fault| matches!(fault, Fault::Contact(_))),
        text_hint: t.fill("report.text.hint", &[("most", &most)]),
        text_most: TEXT_MAX_CHARS,
        contact_most: CONTACT_MAX_CHARS,
    };
    Ok(page.render()?)
}

fn alerts(t: Text, trouble: &Trouble) -> Vec<String> {
    let over = |key, by: &usize| t.fill(key, &[("by", &by.to_string())]);
    let say = |fault: &Fault| match fault {
        Fault::Kind => t.get("report.fault.kind").to_owned(),
        Fault::Text(by) => over("report.fault.text", by),
        Fault::Contact(by) => over("report.fault.contact", by),
        Fault::Words => t.get("report.fault.words").to_owned(),
        Fault::Form => t.get("report.fault.form").to_owned(),
    };
    match trouble {
        Trouble::None => Vec::new(),
        Trouble::Faults(faults) => faults.iter().map(say).collect(),
        Trouble::TooMany => vec![t.get("report.fault.many").to_owned()],
    }
}

fn kind_word(t: Text, kind: Kind) -> &'static str {
    let key = match kind {
        Kind::SealBroken => "report.kind.seal_broken",
        Kind::LooksCopied => "report.kind.looks_copied",
        Kind::WrongGoods => "report.kind.wrong_goods",
        Kind::Unsafe => "report.kind.unsafe",
        Kind::Other => "report.kind.other",
    };
    t.get(key)
}

fn state_word(t: Text, state: State) -> &'static str {
    let key = match state {
        State::Received => "report.state.received",
        State::Read => "report.state.read",
        State::Closed => "report.state.closed",
    };
    t.get(key)
}

/// Writes the page of a number.
///
/// # Errors
/// Only when the template cannot be written, which is a fault of ours.
pub fn render_report(view: &ReportView, lang: Lang) -> Result<String, RenderError> {
    let t = text::of(lang);
    let report = &view.report;
    let at = |instant| {
        let shown = local(Stated {
            instant,
            offset_minutes: view.offset_minutes,
        });
        (shown, iso(instant))
    };
    let (first, first_iso) = at(report.received);
    let mut moments = vec![(state_word(t, State::Received), first, first_iso)];
    moments.extend(report.steps.iter().map(|step| {
        let (shown, iso) = at(step.at);
        (state_word(t, step.state), shown, iso)
    }));
    let (tone, next) = match (report.state(), &report.organisation) {
        (State::Closed, _) => ("ok", "report.next.closed"),
        (_, None) => ("none", "report.next.nobody"),
        (_, Some(_)) => ("none", "report.next.open"),
    };
    let page = ReportPage {
        shell: Shell::new(t, t.get("report.page"), view.is_replay),
        t,
        number: report.number.to_string(),
        digits: report.number.as_str(),
        item: &view.item,
        kind: kind_word(t, report.kind),
        state: state_word(t, report.state()),
        tone,
        next: t.get(next),
        moments,
        has_contact: report.has_contact,
    };
    Ok(page.render()?)
}

/// Writes the page with the field for a number.
///
/// # Errors
/// Only when the template cannot be written, which is a fault of ours.
pub fn render_look_up(view: &LookUpView, lang: Lang) -> Result<String, RenderError> {
    let t = text::of(lang);
    let problem = match (&view.entered, view.problem) {
        (None, _) => "",
        (Some(_), Some(NumberError::Form)) => t.get("report.number.form"),
        (Some(_), Some(NumberError::Check)) => t.get("report.number.check"),
        (Some(_), None) => t.get("report.number.unknown"),
    };
    let page = LookUpPage {
        shell: Shell::new(t, t.get("report.look_up"), view.is_replay),
        t,
        entered: view.entered.as_deref().map(clip).unwrap_or_default(),
        problem,
    };
    Ok(page.render()?)
}
