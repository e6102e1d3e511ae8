//! Log-in and log-out over HTTP: `GET /login`, `POST /login`, `POST /logout`.
//!
//! The log-in form belongs to no session yet. Its token is derived from a cookie of its own, so
//! that another site cannot log somebody in as somebody else.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use schemas::hash::{Hash, sha256_parts};
use schemas::ids::Slug;
use serde::Deserialize;
use tower_sessions::Session;

use super::factor::door as second;
use super::factor::view::Framed;
use super::form::{self, Checked, Csrf, check_origin};
use super::gate::{self, Person, enter, internal};
use super::limit::Who;
use super::password::PasswordError;
use super::{Account, Noted, People, Settings, StoreFailed, oidc};
use crate::negotiate::Language;
use crate::page::query_value;
use crate::problem::Problem;
use crate::routes::{Routes, get, post};

/// The longest address that log-in leads on to, in bytes.
const NEXT_MAX: usize = 1024;
/// Cookie of the log-in form, behind the service's own name.
const FORM_COOKIE: &str = "-form";
/// Cookie of a browser that was logged in before, behind the service's own name.
const BROWSER_COOKIE: &str = "-browser";
/// How long a browser stays known, in seconds: ninety days.
const BROWSER_SECONDS: u32 = 90 * 24 * 3600;

/// Why somebody is still at the log-in page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogInProblem {
    /// Unknown name, wrong password or closed account: nobody learns which.
    Wrong,
    /// Too many tries; come back in a quarter of an hour.
    TooMany,
    /// Too many people log in at this moment.
    Busy,
    /// The form is not of this browser, or too old.
    Form,
}

/// What a log-in page shows.
#[derive(Clone, Debug)]
pub struct LogInView {
    /// In which language.
    pub language: Language,
    /// Hidden field `csrf`.
    pub csrf: Csrf,
    /// Hidden field `next`: where to go then; a path of this service.
    pub next: String,
    /// What went wrong, if something did.
    pub problem: Option<LogInProblem>,
    /// Whether the page offers log-in by a provider too ([`Self::provider`]).
    pub has_provider: bool,
    /// Whether people may set up a second factor here, at [`FACTOR_AFTERWARDS`].
    pub has_factors: bool,
}

/// Log-in that leads on to setting up a second factor.
pub const FACTOR_AFTERWARDS: &str = "/login?next=%2Flogin%2Ffactor";

impl LogInView {
    /// Where the page's link to the provider leads.
    #[must_use]
    pub fn provider(&self) -> String {
        format!("/login/provider?next={}", query_value(&self.next))
    }
}

/// A service's log-in page: a form that posts `csrf`, `next`, `name` and `password` to `/login`.
pub trait LogInPage: Send + Sync + 'static {
    /// The page. Status and cookies are set by the caller.
    fn render(&self, view: &LogInView) -> Response;

    /// A page behind it (second factor, provider) in the service's frame: `main` of [`Framed`] is
    /// finished markup of this crate. The default is a page without a frame.
    fn framed(&self, page: &Framed) -> Response {
        page.bare()
    }
}

/// What the routes for everybody work with.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) people: People,
    pub(super) page: Arc<dyn LogInPage>,
}

/// Routes for everybody.
pub(super) fn outside<S: Clone + Send + Sync + 'static>(
    people: People,
    page: Arc<dyn LogInPage>,
) -> Routes<S> {
    let door = Door { people, page };
    let router = Routes::new()
        .route("/login", get(show).post(log_in))
        .with_state(door.clone());
    let router = match &door.people.0.factors {
        Some(_) => router.merge(second::routes(door.clone())),
        None => router,
    };
    match &door.people.0.provider {
        Some(_) => router.merge(oidc::routes(door)),
        None => router,
    }
}

/// Routes for people who are logged in.
pub(super) fn inside<S: Clone + Send + Sync + 'static>(people: People) -> Routes<S> {
    Routes::new()
        .route("/logout", post(log_out))
        .with_state(people)
}

#[derive(Deserialize)]
struct Asked {
    next: Option<String>,
}

async fn show(
    State(door): State<Door>,
    language: Language,
    uri: Uri,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let next = asked.ok().and_then(|Query(asked)| asked.next);
    let mut response = door.answer(language, &headers, next.as_deref(), None);
    // The pages that follow speak the language that was chosen here.
    if let Some(chosen) = Language::asked(&uri) {
        append(&mut response, &chosen.cookie());
    }
    response
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogIn {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    next: String,
    name: String,
    password: String,
}

async fn log_in(
    State(door): State<Door>,
    session: Session,
    uri: Uri,
    headers: HeaderMap,
    form: Result<Form<LogIn>, FormRejection>,
) -> Result<Response, Problem> {
    let settings = &door.people.0.settings;
    check_origin(settings, &headers)?;
    let Form(form) = form.map_err(form::malformed)?;
    let language = Language::of(&uri, &headers);
    let next = Some(form.next.as_str());
    let own = form_cookie(settings, &headers).map(|own| form_token(&own));
    if !own.is_some_and(|token| token.fits(&form.csrf)) {
        if gate::wants_page(&headers) {
            let problem = Some(LogInProblem::Form);
            return Ok(door.answer(language, &headers, next, problem));
        }
        return Err(form::forged(
            "The form's token is not that of this browser.",
        ));
    }
    let (name, password) = (form.name.parse(), form.password);
    let found = door.people.recognise(name.ok(), password, &headers).await;
    match found.map_err(|error| internal(&error))? {
        Ok(account) => {
            let people = &door.people;
            people
                .proceed(&session, &account, &form.next, &headers, 1)
                .await
        }
        Err(problem) => Ok(door.answer(language, &headers, next, Some(problem))),
    }
}

/// The form of the log-out button.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogOut {
    #[serde(default)]
    csrf: String,
}

impl form::Form for LogOut {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

async fn log_out(
    State(people): State<People>,
    person: Person,
    session: Session,
    _: Checked<LogOut>,
) -> Result<Response, Problem> {
    let ended = session.flush().await;
    ended.map_err(|error| internal(&StoreFailed(Box::new(error))))?;
    people.note(&person.name, Noted::LoggedOut).await?;
    Ok(Redirect::to("/login").into_response())
}

impl Door {
    /// The log-in page with its cookie.
    fn answer(
        &self,
        language: Language,
        headers: &HeaderMap,
        next: Option<&str>,
        problem: Option<LogInProblem>,
    ) -> Response {
        let own = match self.own(headers) {
            Ok(own) => own,
            Err(problem) => return problem.into_response(),
        };
        let view = LogInView {
            language,
            csrf: self.token(&own),
            next: safe_next(next).to_owned(),
            problem,
            has_provider: self.people.has_provider(),
            has_factors: self.people.0.factors.is_some(),
        };
        self.finish(self.page.render(&view), status(problem), &own)
    }

    /// What the browser's forms before the log-in are bound to: its cookie, or a new one.
    pub(super) fn own(&self, headers: &HeaderMap) -> Result<[u8; 32], Problem> {
        let kept = form_cookie(&self.people.0.settings, headers);
        let own = kept.map_or_else(schemas::random::bytes, Ok);
        own.map_err(|error| internal(&StoreFailed(Box::new(error))))
    }

    /// The token of those forms.
    pub(super) fn token(&self, own: &[u8; 32]) -> Csrf {
        form_token(own)
    }

    /// A page with its status and its cookie, kept nowhere.
    pub(super) fn finish(
        &self,
        mut response: Response,
        status: StatusCode,
        own: &[u8; 32],
    ) -> Response {
        *response.status_mut() = status;
        let settings = &self.people.0.settings;
        let cookie = cookie(settings, FORM_COOKIE, &Hash(*own).to_string(), None);
        append(&mut response, &cookie);
        gate::keep_nowhere(&mut response);
        response
    }
}

fn status(problem: Option<LogInProblem>) -> StatusCode {
    match problem {
        None => StatusCode::OK,
        Some(LogInProblem::Wrong) => StatusCode::UNAUTHORIZED,
        Some(LogInProblem::TooMany) => StatusCode::TOO_MANY_REQUESTS,
        Some(LogInProblem::Busy) => StatusCode::SERVICE_UNAVAILABLE,
        Some(LogInProblem::Form) => StatusCode::FORBIDDEN,
    }
}

impl People {
    /// The account of this name and password, or what to say. The try stays counted until
    /// [`Self::complete`].
    pub(super) async fn recognise(
        &self,
        name: Option<Slug>,
        password: String,
        headers: &HeaderMap,
    ) -> Result<Result<Account, LogInProblem>, StoreFailed> {
        let Some(name) = name else {
            // Nobody can have such a name: it needs no hiding.
            return Ok(Err(LogInProblem::Wrong));
        };
        if !self.counts(&name, headers) {
            return Ok(Err(LogInProblem::TooMany));
        }
        let account = self
            .0
            .store
            .account(&self.0.settings.organisation, &name)
            .await?;
        let hash = match &account {
            Some(account) => account.password_hash.clone(),
            None => self.0.nobody.clone(),
        };
        match (self.0.hasher.fits(password, hash).await, account) {
            (Ok(true), Some(account)) if account.disabled.is_none() => Ok(Ok(account)),
            (Ok(_), _) => Ok(Err(LogInProblem::Wrong)),
            (Err(PasswordError::Busy), _) => Ok(Err(LogInProblem::Busy)),
            (Err(error), _) => Err(StoreFailed(Box::new(error))),
        }
    }

    /// Counts a try of a password or a code; false if there were too many.
    pub(super) fn counts(&self, name: &Slug, headers: &HeaderMap) -> bool {
        let who = self.who(name, headers);
        let free = self.0.limiter.try_once(&who, self.0.clock.now());
        if !free {
            tracing::warn!("log-in is tried too often");
        }
        free
    }

    /// Logs in whoever has shown all that the account asks for; takes back the tries that it took.
    pub(super) async fn complete(
        &self,
        session: &Session,
        account: &Account,
        headers: &HeaderMap,
        tries: usize,
    ) -> Result<(), Problem> {
        let factor = self.factor_since(account).await;
        let factor = factor.map_err(|error| internal(&error))?;
        let entered = enter(session, account, factor).await;
        entered.map_err(|error| internal(&error))?;
        self.0
            .limiter
            .forgive(&self.who(&account.name, headers), tries);
        self.note(&account.name, Noted::LoggedIn).await
    }

    /// Whom a try counts against.
    fn who(&self, name: &Slug, headers: &HeaderMap) -> Who {
        let known = cookie_of(&self.0.settings, BROWSER_COOKIE, headers);
        let number = known.and_then(|text| self.browser_number(name, text));
        number.map_or_else(|| Who::Stranger(name.clone()), Who::Browser)
    }

    /// The number in a browser's cookie if this process has made it for this account.
    fn browser_number(&self, name: &Slug, cookie: &str) -> Option<[u8; 16]> {
        let (number, seal) = (cookie.get(..32)?, cookie.get(32..)?);
        let number = u128::from_str_radix(number, 16).ok()?.to_be_bytes();
        let right = self.browser_seal(name, number).to_string();
        form::same(right.as_bytes(), seal.as_bytes()).then_some(number)
    }

    fn browser_seal(&self, name: &Slug, number: [u8; 16]) -> Hash {
        let inner = sha256_parts(&[&self.0.device_key, &number, name.as_str().as_bytes()]);
        sha256_parts(&[&self.0.device_key, inner.as_bytes()])
    }

    /// Leads on after log-in, and makes the browser a known one.
    pub(super) fn welcome(&self, account: &Account, next: &str) -> Response {
        let mut response = Redirect::to(safe_next(Some(next))).into_response();
        gate::keep_nowhere(&mut response);
        self.make_known(account, &mut response);
        response
    }

    /// Gives the browser the cookie by which it is known to have been logged in to this account.
    pub(super) fn make_known(&self, account: &Account, response: &mut Response) {
        if let Ok(number) = schemas::random::bytes::<16>() {
            let seal = self.browser_seal(&account.name, number);
            let value = format!("{:032x}{seal}", u128::from_be_bytes(number));
            let age = Some(BROWSER_SECONDS);
            let cookie = cookie(&self.0.settings, BROWSER_COOKIE, &value, age);
            append(response, &cookie);
        }
    }

    async fn note(&self, name: &Slug, what: Noted) -> Result<(), Problem> {
        let (inner, at) = (&self.0, self.0.clock.now());
        let noted = inner
            .store
            .noted(&inner.settings.organisation, name, what, at);
        noted.await.map_err(|error| internal(&error))
    }
}

/// A path of this service, or its first page.
pub(super) fn safe_next(next: Option<&str>) -> &str {
    let fits = |next: &&str| {
        let plain = next
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        next.starts_with('/') && !next.starts_with("//") && plain && next.len() <= NEXT_MAX
    };
    next.filter(fits).unwrap_or("/")
}

fn form_cookie(settings: &Settings, headers: &HeaderMap) -> Option<[u8; 32]> {
    let text = cookie_of(settings, FORM_COOKIE, headers)?;
    text.parse::<Hash>().ok().map(|hash| hash.0)
}

fn form_token(own: &[u8; 32]) -> Csrf {
    Csrf::of(sha256_parts(&[b"log-in form\n", own]))
}

pub(super) fn cookie_of<'h>(
    settings: &Settings,
    suffix: &str,
    headers: &'h HeaderMap,
) -> Option<&'h str> {
    let wanted = settings.cookie_name(suffix);
    let all = headers.get_all(header::COOKIE).into_iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

fn cookie(settings: &Settings, suffix: &str, value: &str, age: Option<u32>) -> String {
    let name = settings.cookie_name(suffix);
    let secure = if settings.is_secure() { "; Secure" } else { "" };
    let age = age.map_or_else(String::new, |age| format!("; Max-Age={age}"));
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{age}")
}

pub(super) fn append(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_in_leads_on_within_this_service_only() {
        for (next, place) in [
            ("/offers?sort=amount", "/offers?sort=amount"),
            ("//evil.example/", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example/", "/"),
            ("javascript:alert(1)", "/"),
            ("/a b", "/"),
            ("", "/"),
        ] {
            assert_eq!(safe_next(Some(next)), place, "{next}");
        }
        assert_eq!(safe_next(Some(&format!("/{}", "x".repeat(NEXT_MAX)))), "/");
    }
}
