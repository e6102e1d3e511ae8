//! The provider over HTTP: `GET /login/provider` and `GET /login/provider/back`.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemas::causes::causes;
use schemas::hash::sha256;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use super::super::door::{Door, append, cookie_of, safe_next};
use super::super::factor::view::{self, Framed};
use super::super::form::same;
use super::super::gate::{self, internal};
use super::super::{Settings, StoreFailed};
use super::{ASKED_LONGEST, Provider, ProviderError};
use crate::negotiate::Language;
use crate::page::query_value;
use crate::problem::Problem;
use crate::routes::{Routes, get};

/// Where people go to the provider.
const FORTH: &str = "/login/provider";
/// Where they come back.
pub(super) const BACK: &str = "/login/provider/back";
/// Cookie of the question, behind the service's own name.
const COOKIE: &str = "-provider";
/// What the question is sealed for.
const PURPOSE: &str = "question to a provider";

/// What was asked, as the browser keeps it, sealed.
#[derive(Serialize, Deserialize)]
struct Question {
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    at: Instant,
}

pub(in super::super) fn routes<S: Clone + Send + Sync + 'static>(door: Door) -> Routes<S> {
    Routes::new()
        .route(FORTH, get(forth))
        .route(BACK, get(back))
        .with_state(door)
}

#[derive(Deserialize)]
struct Asked {
    next: Option<String>,
}

async fn forth(
    State(door): State<Door>,
    language: Language,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let provider = door.people.0.provider.as_ref().ok_or_else(nothing)?;
    let now = door.people.0.clock.now();
    let known = match provider.known(now).await {
        Ok(known) => known,
        Err(error) => return Ok(door.failed(language, &error)),
    };
    let next = asked.ok().and_then(|Query(asked)| asked.next);
    let question = Question::new(safe_next(next.as_deref()), now);
    let question = question.map_err(|error| internal(&error))?;
    let to = provider.question(&known.authorization_endpoint, &question);
    let mut response = Redirect::to(&to).into_response();
    gate::keep_nowhere(&mut response);
    let sealed = provider.sealed(&question);
    let sealed = sealed.map_err(|error| internal(&error))?;
    append(
        &mut response,
        &cookie(door.people.settings(), &sealed, ASKED_LONGEST.as_secs()),
    );
    Ok(response)
}

fn nothing() -> Problem {
    Problem::not_found("This service has no log-in provider.")
}

impl Question {
    fn new(next: &str, at: Instant) -> Result<Self, StoreFailed> {
        let random = || schemas::random::bytes::<32>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let random = || random().map_err(|error| StoreFailed(Box::new(error)));
        Ok(Self {
            state: random()?,
            nonce: random()?,
            verifier: random()?,
            next: next.to_owned(),
            at,
        })
    }
}

impl Provider {
    /// The address that people are sent to (OpenID Connect Core 1.0 section 3.1.2.1).
    fn question(&self, endpoint: &str, question: &Question) -> String {
        let value = |text: &str| query_value(text).replace('/', "%2F");
        let join = if endpoint.contains('?') { '&' } else { '?' };
        let challenge = sha256(question.verifier.as_bytes());
        format!(
            "{endpoint}{join}response_type=code&scope=openid&client_id={}&redirect_uri={}&state={}\
             &nonce={}&code_challenge={}&code_challenge_method=S256",
            value(&self.settings.client_id),
            value(&self.way_back()),
            question.state,
            question.nonce,
            URL_SAFE_NO_PAD.encode(challenge.as_bytes()),
        )
    }

    fn sealed(&self, question: &Question) -> Result<String, StoreFailed> {
        let text = serde_json::to_vec(question);
        let text = text.map_err(|error| StoreFailed(Box::new(error)))?;
        Ok(URL_SAFE_NO_PAD.encode(self.seal.seal(PURPOSE, &text)?))
    }

    /// The question that this browser has asked, if it is young enough.
    fn opened(&self, settings: &Settings, headers: &HeaderMap, now: Instant) -> Option<Question> {
        let sealed = cookie_of(settings, COOKIE, headers)?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let text = self.seal.open(PURPOSE, &sealed).ok()?;
        let question: Question = serde_json::from_slice(&text).ok()?;
        let is_young = question.at <= now && now.since(question.at) < ASKED_LONGEST;
        Some(question).filter(|_| is_young)
    }
}

/// `Lax`: it must come along on the way back, which begins at the provider.
fn cookie(settings: &Settings, value: &str, seconds: u64) -> String {
    let name = settings.cookie_name(COOKIE);
    let secure = if settings.is_secure() { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}; Max-Age={seconds}")
}

#[derive(Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

async fn back(
    State(door): State<Door>,
    session: Session,
    language: Language,
    headers: HeaderMap,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Result<Response, Problem> {
    let provider = door.people.0.provider.as_ref().ok_or_else(nothing)?;
    let now = door.people.0.clock.now();
    let question = provider.opened(door.people.settings(), &headers, now);
    let answer = answer.ok().map(|Query(answer)| answer);
    let redeemed = match question.as_ref().zip(answer) {
        Some((question, answer)) => redeem(provider, question, answer, now).await,
        None => Err(ProviderError::Answer("nobody has asked from this browser")),
    };
    let subject = match redeemed {
        Ok(subject) => subject,
        Err(error) => return Ok(door.failed(language, &error)),
    };
    let linked = door.people.linked(provider, &subject).await;
    let Some(account) = linked.map_err(|error| internal(&error))? else {
        tracing::warn!("a provider's subject is linked to no open account");
        return Ok(door.refused(language, "provider.unknown"));
    };
    let next = question.map_or_else(|| "/".to_owned(), |question| question.next);
    let people = &door.people;
    let onward = people
        .proceed(&session, &account, &next, &headers, 0)
        .await?;
    Ok(door.onward(language, onward))
}

async fn redeem(
    provider: &Provider,
    question: &Question,
    answer: Answer,
    now: Instant,
) -> Result<String, ProviderError> {
    let refused = ProviderError::Answer;
    let state = answer.state.unwrap_or_default();
    if !same(state.as_bytes(), question.state.as_bytes()) {
        return Err(refused("another state"));
    }
    if answer.error.is_some() {
        return Err(refused("the provider says no"));
    }
    let known = provider.known(now).await?;
    match answer.iss {
        Some(issuer) if issuer != provider.settings.issuer => {
            return Err(refused("another issuer"));
        }
        None if known.names_itself => return Err(refused("no issuer")),
        _ => {}
    }
    let code = answer.code.ok_or(refused("no code"))?;
    let (verifier, nonce) = (&question.verifier, &question.nonce);
    provider.redeem(&code, verifier, nonce, now).await
}

impl Door {
    fn failed(&self, language: Language, error: &ProviderError) -> Response {
        tracing::warn!(error = causes(error), "a log-in by a provider failed");
        self.refused(language, "provider.failed")
    }

    fn refused(&self, language: Language, key: &str) -> Response {
        let t = view::text(language);
        let main = format!(
            "<h1>{}</h1>\n<p class=\"bad\" role=\"alert\"><svg class=\"i\" aria-hidden=\"true\"><use href=\"#bad\"/></svg>{}</p>\n<p><a href=\"/login\">{}</a></p>\n",
            t.get("provider.title"),
            t.get(key),
            t.get("provider.back"),
        );
        self.framed(language, main, StatusCode::FORBIDDEN, None)
    }

    /// A page that goes on where the answer of a log-in leads, with the cookies of that answer.
    fn onward(&self, language: Language, answer: Response) -> Response {
        let location = answer.headers().get(header::LOCATION);
        let to = location.and_then(|to| to.to_str().ok()).unwrap_or("/");
        let t = view::text(language);
        let main = format!(
            "<h1>{}</h1>\n<p>{}</p>\n<p><a href=\"{}\">{}</a></p>\n",
            t.get("provider.title"),
            t.get("provider.on"),
            view::escaped(to),
            t.get("provider.go"),
        );
        let mut page = self.framed(language, main, StatusCode::OK, Some(to.to_owned()));
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            page.headers_mut()
                .append(header::SET_COOKIE, cookie.clone());
        }
        page
    }

    /// One of these pages; the question is forgotten with it.
    fn framed(
        &self,
        language: Language,
        main: String,
        status: StatusCode,
        onward: Option<String>,
    ) -> Response {
        let title = view::text(language).find("provider.title");
        let framed = Framed {
            language,
            title: title.unwrap_or_default(),
            main,
            status,
            onward,
        };
        let mut response = self.page.framed(&framed);
        *response.status_mut() = status;
        gate::keep_nowhere(&mut response);
        append(&mut response, &cookie(self.people.settings(), "", 0));
        response
    }
}
