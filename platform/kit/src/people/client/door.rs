//! The three addresses of clients. Errors are those of RFC 6749 section 5.2, not problem documents:
//! libraries read them.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use schemas::causes::causes;
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use serde::Deserialize;
use serde_json::json;

use super::super::{StoreFailed, gate};
use super::authenticate::{Shown, Unknown};
use super::{Client, Clients, KeptToken, TOKEN_SECONDS};
use crate::routes::{Routes, get, post};

/// Where tokens are given.
const TOKEN: &str = "/oauth2/token";
/// Where they are ended.
const REVOKE: &str = "/oauth2/revoke";
/// Where libraries learn of both (RFC 8414 section 3).
const METADATA: &str = "/.well-known/oauth-authorization-server";

pub(super) fn routes<S: Clone + Send + Sync + 'static>(clients: Clients) -> Routes<S> {
    Routes::new()
        .route(TOKEN, post(token))
        .route(REVOKE, post(revoke))
        .route(METADATA, get(metadata))
        .with_state(clients)
}

/// An error of RFC 6749 section 5.2.
struct Refused {
    status: StatusCode,
    error: &'static str,
    detail: &'static str,
}

impl Refused {
    const fn new(error: &'static str, detail: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            detail,
        }
    }
}

impl From<Unknown> for Refused {
    fn from(unknown: Unknown) -> Self {
        let client = "invalid_client";
        match unknown {
            Unknown::Malformed(detail) => Self::new("invalid_request", detail),
            Unknown::Wrong => Self {
                status: StatusCode::UNAUTHORIZED,
                ..Self::new(client, "the client is not known by this")
            },
            Unknown::TooMany => Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                ..Self::new(client, "too many tries; come back in a quarter of an hour")
            },
            Unknown::Store(error) => error.into(),
        }
    }
}

impl From<StoreFailed> for Refused {
    fn from(error: StoreFailed) -> Self {
        tracing::error!(error = causes(&error), "clients cannot be looked up");
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Self::new("server_error", "the service failed; nothing was changed")
        }
    }
}

impl From<FormRejection> for Refused {
    fn from(_: FormRejection) -> Self {
        Self::new("invalid_request", "the form cannot be read")
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({"error": self.error, "error_description": self.detail});
        let mut response = (self.status, Json(body)).into_response();
        gate::keep_nowhere(&mut response);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Basic realm=\"oauth2\"");
            headers.insert(header::WWW_AUTHENTICATE, how);
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, 60.into());
        }
        response
    }
}

/// A parameter that stands twice is refused by the reader (RFC 6749 section 3.2); one that is not
/// known is passed over, as the section asks.
#[derive(Deserialize)]
struct TokenForm {
    grant_type: Option<String>,
    scope: Option<String>,
    client_id: Option<String>,
    client_assertion_type: Option<String>,
    client_assertion: Option<String>,
}

async fn token(
    State(clients): State<Clients>,
    headers: HeaderMap,
    form: Result<Form<TokenForm>, FormRejection>,
) -> Result<Response, Refused> {
    let Form(form) = form?;
    let shown = Shown {
        client_id: form.client_id.as_deref(),
        assertion_type: form.client_assertion_type.as_deref(),
        assertion: form.client_assertion.as_deref(),
    };
    match form.grant_type.as_deref() {
        Some("client_credentials") => {}
        None => return Err(Refused::new("invalid_request", "grant_type is missing")),
        Some(_) => {
            let only = "only client_credentials is served";
            return Err(Refused::new("unsupported_grant_type", only));
        }
    }
    let client = clients.authenticate(&headers, &shown).await?;
    let scopes = scopes(&client, form.scope.as_deref())?;
    clients.give(client, scopes).await
}

/// What a client asks for, all of it among what it may; without a word, everything it may.
fn scopes(client: &Client, asked: Option<&str>) -> Result<BTreeSet<Slug>, Refused> {
    let refused = || Refused::new("invalid_scope", "the client may not ask for this");
    let asked = asked.unwrap_or_default();
    let mut scopes = BTreeSet::new();
    for word in asked.split(' ').filter(|word| !word.is_empty()) {
        let scope: Slug = word.parse().map_err(|_| refused())?;
        if !client.scopes.contains(&scope) {
            return Err(refused());
        }
        scopes.insert(scope);
    }
    if scopes.is_empty() {
        scopes.clone_from(&client.scopes);
    }
    Ok(scopes)
}

impl Clients {
    async fn give(&self, client: Client, scopes: BTreeSet<Slug>) -> Result<Response, Refused> {
        let now = self.0.clock.now();
        if !self.may_give(&client.name, now) {
            return Err(Refused {
                status: StatusCode::TOO_MANY_REQUESTS,
                ..Refused::new("invalid_request", "too many tokens within a minute")
            });
        }
        let random = schemas::random::bytes();
        let random = random.map_err(|error| StoreFailed(Box::new(error)))?;
        let shown = Hash(random).to_string();
        let words = words(&scopes);
        self.0.store.end_what_ran_out(now).await?;
        let kept = KeptToken {
            token: sha256(shown.as_bytes()),
            organisation: client.organisation,
            client: client.name,
            scopes,
            issued: now,
            expires: now + std::time::Duration::from_secs(TOKEN_SECONDS),
        };
        self.0.store.add_token(&kept).await?;
        let body = json!({
            "access_token": shown,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": words,
        });
        let mut response = Json(body).into_response();
        gate::keep_nowhere(&mut response);
        Ok(response)
    }
}

/// Scopes as the wire and the tables have them: with a space between.
pub(in super::super) fn words(scopes: &BTreeSet<Slug>) -> String {
    let words: Vec<&str> = scopes.iter().map(Slug::as_str).collect();
    words.join(" ")
}

#[derive(Deserialize)]
struct RevokeForm {
    token: Option<String>,
    client_id: Option<String>,
    client_assertion_type: Option<String>,
    client_assertion: Option<String>,
}

/// A token that is unknown, or another's, is as good as ended (RFC 7009 section 2.2).
async fn revoke(
    State(clients): State<Clients>,
    headers: HeaderMap,
    form: Result<Form<RevokeForm>, FormRejection>,
) -> Result<Response, Refused> {
    let Form(form) = form?;
    let shown = Shown {
        client_id: form.client_id.as_deref(),
        assertion_type: form.client_assertion_type.as_deref(),
        assertion: form.client_assertion.as_deref(),
    };
    let client = clients.authenticate(&headers, &shown).await?;
    let token = form.token.as_deref();
    let token = token.ok_or(Refused::new("invalid_request", "token is missing"))?;
    let token = sha256(token.as_bytes());
    let (store, organisation) = (&clients.0.store, &client.organisation);
    store.end_token(organisation, &client.name, &token).await?;
    Ok(StatusCode::OK.into_response())
}

async fn metadata(State(clients): State<Clients>) -> Response {
    let issuer = &clients.0.issuer;
    let ways = ["client_secret_basic", "private_key_jwt"];
    Json(json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}{TOKEN}"),
        "token_endpoint_auth_methods_supported": ways,
        "token_endpoint_auth_signing_alg_values_supported": ["EdDSA"],
        "grant_types_supported": ["client_credentials"],
        // Required by RFC 8414 section 2; there is no authorization endpoint to ask one of.
        "response_types_supported": [],
        "revocation_endpoint": format!("{issuer}{REVOKE}"),
        "revocation_endpoint_auth_methods_supported": ways,
        "revocation_endpoint_auth_signing_alg_values_supported": ["EdDSA"],
    }))
    .into_response()
}
