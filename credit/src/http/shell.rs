//! What every page of the desk has around it, and the words of all of them.

use std::sync::LazyLock;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use kit::negotiate::{self, Language};
use kit::people::{Csrf, Person};
use kit::problem::Problem;
use kit::text::{Text, Texts};

use super::internal;
use crate::desk::{Actor, Role};

static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(
        include_str!("../../web/i18n/en.txt"),
        include_str!("../../web/i18n/zh-CN.txt"),
    )
});

/// The texts of a language.
#[must_use]
pub fn text(language: Language) -> Text {
    TEXTS.of(language)
}

/// Keys that stand in one language only; none.
#[must_use]
pub fn text_differences() -> Vec<&'static str> {
    TEXTS.differences()
}

/// An entry of the navigation bar.
#[derive(Debug)]
pub struct Entry {
    /// What [`Shell::here`] is on its pages; its words are the text `nav.NAME`.
    pub name: &'static str,
    /// Where it leads.
    pub href: &'static str,
    /// Who sees it.
    pub seen_by: fn(Role) -> bool,
}

/// The navigation bar from left to right. Pages of their own add one line here and `nav.NAME` to
/// both files of texts.
pub const NAVIGATION: &[Entry] = &[
    entry("queue", "/", Role::reads_desk),
    entry("loans", "/loans", Role::reads_desk),
    entry("pledges", "/pledges", Role::reads_desk),
    entry("reasons", "/reasons", Role::reads_desk),
    entry("models", "/models", Role::reads_desk),
    entry("regulator", "/regulator", |role| !role.reads_desk()),
    entry("audit", "/audit", Role::reads_trail),
];

const fn entry(name: &'static str, href: &'static str, seen_by: fn(Role) -> bool) -> Entry {
    Entry {
        name,
        href,
        seen_by,
    }
}

/// Head, navigation and foot of a page.
#[derive(Debug)]
pub struct Shell {
    /// Its texts.
    pub t: Text,
    /// The same page in the other language.
    pub switch: String,
    /// The other language.
    pub other: Language,
    /// Who looks, unless nobody is logged in.
    pub person: Option<Who>,
    /// Which entry of the navigation is here.
    pub here: &'static str,
}

/// Who looks at a page.
#[derive(Debug)]
pub struct Who {
    /// The account's name.
    pub name: String,
    /// What it may do at the desk; nothing for a borrower.
    pub role: Option<Role>,
    /// The role in words.
    pub role_words: String,
    /// The token of its forms.
    pub csrf: Csrf,
}

impl Shell {
    /// The shell of a page for a person.
    ///
    /// # Errors
    /// 403 for an account with a role that this service does not know.
    pub fn new(
        uri: &Uri,
        language: Language,
        person: &Person,
        here: &'static str,
    ) -> Result<Self, Problem> {
        let actor = actor(person)?;
        let t = text(language);
        let who = Who {
            name: actor.name.to_string(),
            role: Some(actor.role),
            role_words: t.get(role_key(actor.role)).to_owned(),
            csrf: person.csrf.clone(),
        };
        Ok(Self {
            person: Some(who),
            here,
            ..Self::plain(uri, language)
        })
    }

    /// The shell of a borrower's page.
    #[must_use]
    pub fn of_borrower(uri: &Uri, language: Language, person: &Person, supplier: &str) -> Self {
        let who = Who {
            name: person.name.to_string(),
            role: None,
            role_words: supplier.to_owned(),
            csrf: person.csrf.clone(),
        };
        Self {
            person: Some(who),
            here: "my",
            ..Self::plain(uri, language)
        }
    }

    /// Name of what the person is at: the desk, or the own loans.
    #[must_use]
    pub fn title(&self) -> &'static str {
        let key = if self.here == "my" {
            "my.title"
        } else {
            "shell.title"
        };
        self.t.get(key)
    }

    fn role(&self) -> Option<Role> {
        self.person.as_ref().and_then(|who| who.role)
    }

    /// The shell of a page for whoever comes.
    #[must_use]
    pub fn plain(uri: &Uri, language: Language) -> Self {
        let other = language.other();
        Self {
            t: text(language),
            switch: switch(uri, other),
            other,
            person: None,
            here: "",
        }
    }

    /// What the person's role sees of [`NAVIGATION`], with its words; nothing for a stranger.
    #[must_use]
    pub fn navigation(&self) -> Vec<(&'static Entry, &'static str)> {
        let Some(role) = self.person.as_ref().and_then(|who| who.role) else {
            return Vec::new();
        };
        let seen = NAVIGATION.iter().filter(|one| (one.seen_by)(role));
        seen.map(|one| {
            let words = self.t.find(&format!("nav.{}", one.name));
            (one, words.unwrap_or(one.name))
        })
        .collect()
    }

    /// The token for forms of this page; empty where nobody is logged in.
    #[must_use]
    pub fn csrf(&self) -> String {
        self.person
            .as_ref()
            .map_or_else(String::new, |who| who.csrf.to_string())
    }

    /// True if the person's role decides on offers.
    #[must_use]
    pub fn decides(&self) -> bool {
        self.role().is_some_and(Role::decides)
    }

    /// True if the person's role works beside decisions.
    #[must_use]
    pub fn works(&self) -> bool {
        self.role().is_some_and(Role::works)
    }

    /// True if the person's role keeps the list of reasons.
    #[must_use]
    pub fn keeps_reasons(&self) -> bool {
        self.role().is_some_and(Role::keeps_reasons)
    }

    /// True if the person's role reads the whole trail.
    #[must_use]
    pub fn reads_trail(&self) -> bool {
        self.role().is_some_and(Role::reads_trail)
    }
}

/// Text key of a role.
#[must_use]
pub fn role_key(role: Role) -> &'static str {
    match role {
        Role::Officer => "role.officer",
        Role::Supervisor => "role.supervisor",
        Role::Auditor => "role.auditor",
        Role::Regulator => "role.regulator",
    }
}

/// The person as someone who acts here.
///
/// # Errors
/// 403 for an unknown role.
pub(crate) fn actor(person: &Person) -> Result<Actor, Problem> {
    let role = Role::of_word(person.role.as_str());
    let role = role.ok_or_else(|| {
        let title = "Your role may not do this";
        Problem::new(StatusCode::FORBIDDEN, "not-allowed", title)
    })?;
    Ok(Actor {
        name: person.name.clone(),
        role,
    })
}

/// This address with another language and everything else as it is.
fn switch(uri: &Uri, other: Language) -> String {
    let kept = uri.query().into_iter().flat_map(|query| query.split('&'));
    let own = format!("{}=", negotiate::NAME);
    let kept: Vec<&str> = kept
        .filter(|pair| !pair.is_empty() && !pair.starts_with(&own))
        .collect();
    let more = kept
        .iter()
        .fold(String::new(), |more, pair| format!("{more}&{pair}"));
    format!("?{own}{other}{more}")
}

/// A page; a language that was chosen in the address is kept in a cookie.
pub(crate) fn page(
    uri: &Uri,
    status: StatusCode,
    template: &impl Template,
) -> Result<Response, Problem> {
    let body = template.render().map_err(|error| internal(&error))?;
    let mut response = (status, Html(body)).into_response();
    let headers = response.headers_mut();
    let vary = HeaderValue::from_static("accept-language, cookie");
    headers.insert(header::VARY, vary);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let chosen = Language::asked(uri).and_then(|language| language.cookie().parse().ok());
    if let Some(cookie) = chosen {
        headers.append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
