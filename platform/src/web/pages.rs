//! The frame of every page, and the small pages: start, unknown code, error.

use askama::Template;

use super::assets::CSS_HREF;
use super::text::{Text, choose};
use super::view::ByLanguage;
use super::{Lang, RenderError};
use crate::trace::Item;
use crate::trace::event::clip;

/// What every page shares.
pub(super) struct Shell {
    pub(super) lang: &'static str,
    pub(super) other: &'static str,
    pub(super) title: String,
    pub(super) css: &'static str,
    pub(super) is_replay: bool,
}

impl Shell {
    pub(super) fn new(text: Text, title: &str, is_replay: bool) -> Self {
        Self {
            lang: text.lang.tag(),
            other: text.lang.other().tag(),
            title: title.to_owned(),
            css: &CSS_HREF,
            is_replay,
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
struct UnknownPage {
    shell: Shell,
    t: Text,
    code: String,
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
    let t = Text::of(lang);
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
    let t = Text::of(lang);
    let shell = Shell::new(t, t.get("state.unknown"), view.is_replay);
    Ok(UnknownPage {
        shell,
        t,
        code: clip(&view.code),
    }
    .render()?)
}

/// Writes the error page.
///
/// # Errors
/// Only when the template cannot be written, which is a fault of ours.
pub fn render_error(view: &ErrorView, lang: Lang) -> Result<String, RenderError> {
    let t = Text::of(lang);
    let (what, next) = match view.kind {
        ErrorKind::BadRequest => (t.get("error.bad_request"), t.get("error.bad_request.next")),
        ErrorKind::Forbidden => (t.get("error.forbidden"), t.get("error.forbidden.next")),
        ErrorKind::NotFound => (t.get("error.not_found"), t.get("error.not_found.next")),
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
