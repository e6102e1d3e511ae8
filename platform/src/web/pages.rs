//! The frame of every page, and the small pages: start, unknown code, error.

use askama::Template;

use super::assets::{CSS_HREF, ICON_HREF, css};
use super::format::{iso, local};
use super::text::{self, Text, choose};
use super::view::{Archived, ByLanguage, Scans};
use super::{Lang, RenderError};
use crate::trace::event::clip;
use crate::trace::{Item, Stated};

/// What every page shares.
pub(super) struct Shell {
    pub(super) lang: &'static str,
    pub(super) other: &'static str,
    /// What the address needs beside the language, from `&` on.
    pub(super) query: String,
    pub(super) title: String,
    pub(super) css: &'static str,
    /// The style sheet itself, where a page must not wait for another answer.
    pub(super) style: Option<&'static str>,
    pub(super) icon: &'static str,
    pub(super) is_replay: bool,
}

impl Shell {
    pub(super) fn new(text: Text, title: &str, is_replay: bool) -> Self {
        Self {
            lang: text.language.tag(),
            other: text.language.other().tag(),
            query: String::new(),
            title: title.to_owned(),
            css: &CSS_HREF,
            style: None,
            icon: &ICON_HREF,
            is_replay,
        }
    }

    /// Carries its style sheet: who scans a code sees one page, over a slow line. Its answer needs
    /// [`super::assets::POLICY`].
    pub(super) fn with_its_style(self) -> Self {
        Self {
            style: Some(css()),
            ..self
        }
    }
}

/// How often a code was looked up, as it is shown.
pub(super) struct ScanLine {
    pub(super) total: String,
    /// Shown and machine-readable.
    pub(super) first: Option<(String, String)>,
    pub(super) is_first: bool,
}

impl ScanLine {
    pub(super) fn new(text: &Text, scans: Option<Scans>, offset_minutes: i32) -> Self {
        let total = scans.map_or_else(
            || text.get("product.scans.none").to_owned(),
            |scans| text.fill("product.scans.once", &[("count", &scans.total.to_string())]),
        );
        let first = scans.map(|scans| {
            let shown = local(Stated {
                instant: scans.first,
                offset_minutes,
            });
            (shown, iso(scans.first))
        });
        Self {
            total,
            first,
            is_first: scans.is_some_and(|scans| scans.is_first),
        }
    }
}

/// A product that the start page links to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The item.
    pub item: Item,
    /// Its name; may be empty.
    pub names: ByLanguage,
}

/// What the start page shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HomeView {
    /// Products on record; may be empty.
    pub examples: Vec<Example>,
    /// A code that was entered (`?code=`) and cannot be read. A readable one is answered with a
    /// redirect to [`Item::path`].
    pub bad_code: Option<String>,
    /// The log runs on a replayed clock.
    pub is_replay: bool,
}

/// What the page of an unknown code shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnknownView {
    /// The code as it was asked for.
    pub code: String,
    /// Address of the form for a report; none for what is no product code at all.
    pub report: Option<String>,
    /// Look-ups of the code.
    pub scans: Option<Scans>,
    /// Records that name the code and are in archives: then it is not unknown, but nothing is shown.
    pub archived: Option<Archived>,
    /// The log runs on a replayed clock.
    pub is_replay: bool,
}

/// What went wrong, as a reader needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// 400.
    BadRequest,
    /// 403.
    Forbidden,
    /// 404, but for product codes (see [`UnknownView`]).
    NotFound,
    /// 412: somebody else was faster.
    Changed,
    /// 503.
    Unavailable,
    /// 500.
    Internal,
}

/// What the error page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorView {
    /// What went wrong.
    pub kind: ErrorKind,
    /// Id under which the fault was logged; none when empty.
    pub reference: String,
}

#[derive(Template)]
#[template(path = "home.html", config = "web/askama.toml")]
struct HomePage<'v> {
    shell: Shell,
    t: Text,
    bad_code: Option<String>,
    examples: Vec<(&'v str, &'v Item)>,
}

#[derive(Template)]
#[template(path = "unknown.html", config = "web/askama.toml")]
struct UnknownPage<'v> {
    shell: Shell,
    t: Text,
    code: String,
    report: Option<&'v str>,
    scans: ScanLine,
    archived: Option<String>,
}

#[derive(Template)]
#[template(path = "error.html", config = "web/askama.toml")]
struct ErrorPage<'v> {
    shell: Shell,
    t: Text,
    what: &'static str,
    next: &'static str,
    reference: &'v str,
}

/// Writes the start page.
///
/// # Errors
/// Only when the template cannot be written, which is a fault of ours.
pub fn render_home(view: &HomeView, lang: Lang) -> Result<String, RenderError> {
    let t = text::of(lang);
    let named = |one: &'_ Example| {
        choose(&one.names, lang)
            .map(str::to_owned)
            .unwrap_or(t.get("product.unnamed").to_owned())
    };
    let names: Vec<String> = view.examples.iter().map(named).collect();
    let examples = names
        .iter()
        .zip(&view.examples)
        .map(|(name, one)| (name.as_str(), &one.item));
    let page = HomePage {
        shell: Shell::new(t, "Tracebond", view.is_replay),
        t,
        bad_code: view.bad_code.as_deref().map(clip),
        examples: examples.collect(),
    };
    Ok(page.render()?)
}

/// Writes the page of a code that no accepted event names (status 404).
///
/// # Errors
/// Only when the template cannot be written, which is a fault of ours.
pub fn render_unknown(view: &UnknownView, lang: Lang) -> Result<String, RenderError> {
    let t = text::of(lang);
    let word = match &view.archived {
        Some(_) => t.get("archived.title"),
        None => t.get("state.unknown"),
    };
    let shell = Shell::new(t, word, view.is_replay);
    Ok(UnknownPage {
        shell,
        t,
        code: clip(&view.code),
        report: view.report.as_deref(),
        scans: ScanLine::new(&t, view.scans, 0),
        archived: view
            .archived
            .as_ref()
            .map(|some| some.words(&t, "unknown.archived")),
    }
    .render()?)
}

/// Writes the error page.
///
/// # Errors
/// Only when the template cannot be written, which is a fault of ours.
pub fn render_error(view: &ErrorView, lang: Lang) -> Result<String, RenderError> {
    let t = text::of(lang);
    let (what, next) = match view.kind {
        ErrorKind::BadRequest => (t.get("error.bad_request"), t.get("error.bad_request.next")),
        ErrorKind::Forbidden => (t.get("error.forbidden"), t.get("error.forbidden.next")),
        ErrorKind::NotFound => (t.get("error.not_found"), t.get("error.not_found.next")),
        ErrorKind::Changed => (t.get("error.changed"), t.get("error.changed.next")),
        ErrorKind::Unavailable => (t.get("error.unavailable"), t.get("error.unavailable.next")),
        ErrorKind::Internal => (t.get("error.internal"), t.get("error.internal.next")),
    };
    let shell = Shell::new(t, t.get("error.title"), false);
    Ok(ErrorPage {
        shell,
        t,
        what,
        next,
        reference: &view.reference,
    }
    .render()?)
}
