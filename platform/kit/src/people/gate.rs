//! Who asks: the middleware in front of everything that needs a person, and the [`Person`] that
//! handlers are given.

use axum::extract::{FromRequestParts, OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use schemas::hash::sha256;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use super::{Account, Csrf, Machine, People, StoreFailed, form};
use crate::problem::Problem;

/// Where a session keeps who it is.
const WHO: &str = "who";
/// Where a session keeps the token of its forms.
const CSRF: &str = "csrf";

/// A person who is logged in, with the role that the account has now.
#[derive(Clone, Debug)]
pub struct Person {
    /// Whom the person works for.
    pub organisation: Slug,
    /// The account's name.
    pub name: Slug,
    /// What the person may do.
    pub role: Slug,
    /// The token that every form of this session carries.
    pub csrf: Csrf,
}

impl<S: Send + Sync> FromRequestParts<S> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unknown)
    }
}

/// What a session keeps of a person.
#[derive(Serialize, Deserialize)]
struct Who {
    name: Slug,
    /// SHA-256 of the password's hash at log-in: another password ends the session.
    stamp: schemas::hash::Hash,
    /// Since when the account had its second factor: another one, or none, ends the session.
    #[serde(default)]
    factor: Option<Instant>,
}

/// Makes a session that of an account, under a new token. `factor`: since when the account has the
/// second factor that was shown.
pub(super) async fn enter(
    session: &Session,
    account: &Account,
    factor: Option<Instant>,
) -> Result<(), StoreFailed> {
    let who = Who {
        name: account.name.clone(),
        stamp: sha256(account.password_hash.as_bytes()),
        factor,
    };
    let csrf = Csrf::new().map_err(failed)?;
    session.clear().await;
    session.cycle_id().await.map_err(failed)?;
    session.insert(WHO, who).await.map_err(failed)?;
    session.insert(CSRF, csrf).await.map_err(failed)
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> StoreFailed {
    StoreFailed(Box::new(error))
}

impl People {
    /// The account of a session; none if it has none, or if the account was closed or has another
    /// password or another second factor since, or must have one and was entered without.
    pub(super) async fn account_of(
        &self,
        session: &Session,
    ) -> Result<Option<Account>, StoreFailed> {
        let who: Option<Who> = session.get(WHO).await.map_err(failed)?;
        let Some(who) = who else {
            return Ok(None);
        };
        let organisation = &self.0.settings.organisation;
        let account = self.0.store.account(organisation, &who.name).await?;
        if let Some(account) = account
            && account.disabled.is_none()
            && sha256(account.password_hash.as_bytes()) == who.stamp
            && self.is_enough(&account, who.factor)
            && self.factor_since(&account).await? == who.factor
        {
            return Ok(Some(account));
        }
        session.flush().await.map_err(failed)?;
        Ok(None)
    }

    /// The person of a session, see [`Self::account_of`].
    async fn person(&self, session: &Session) -> Result<Option<Person>, StoreFailed> {
        let csrf: Option<Csrf> = session.get(CSRF).await.map_err(failed)?;
        let Some(csrf) = csrf else {
            return Ok(None);
        };
        let Some(account) = self.account_of(session).await? else {
            return Ok(None);
        };
        Ok(Some(Person {
            organisation: account.organisation,
            name: account.name,
            role: account.role,
            csrf,
        }))
    }
}

/// Lets people (and machines that were recognised) in: pages of strangers go to log-in, machines get 401, forms of other origins 403.
pub(super) async fn gate(
    State(people): State<People>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    if request.extensions().get::<Machine>().is_some() {
        return next.run(request).await;
    }
    let person = match people.person(&session).await {
        Ok(Some(person)) => person,
        Ok(None) => return stranger(&request),
        Err(error) => return internal(&error).into_response(),
    };
    if changes(request.method()) {
        let checked = form::check_origin(&people.0.settings, request.headers());
        if let Err(problem) = checked {
            return problem.into_response();
        }
    }
    request.extensions_mut().insert(person);
    let mut response = next.run(request).await;
    let unkept = HeaderValue::from_static("no-store");
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(unkept);
    response
}

/// No copy is kept by anybody.
pub(super) fn keep_nowhere(response: &mut Response) {
    let unkept = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, unkept);
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn stranger(request: &Request) -> Response {
    if !wants_page(request.headers()) {
        return unknown().into_response();
    }
    let original = request.extensions().get::<OriginalUri>();
    let uri = original.map_or(request.uri(), |OriginalUri(uri)| uri);
    let here = uri.path_and_query().map(|place| place.as_str());
    let place = match here.filter(|_| !changes(request.method())) {
        Some(place) if place != "/" => format!("/login?next={}", crate::page::query_value(place)),
        _ => "/login".to_owned(),
    };
    let headers = [
        (header::LOCATION, place),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// True for a browser that shows what comes.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// 401 for machines and for handlers without a person.
pub(super) fn unknown() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "log-in-needed",
        "This address is for people who are logged in",
    )
}

pub(super) fn internal(error: &StoreFailed) -> Problem {
    tracing::error!(
        error = schemas::causes::causes(error),
        "people cannot be looked up"
    );
    Problem::internal()
}
