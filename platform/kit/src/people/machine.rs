//! Machines beside people: a program of the same organisation that knows a bearer token.
//!
//! A machine reaches only addresses below [`MACHINE_PATHS`], and only handlers that do not ask for
//! a [`super::Person`]: no token opens a form.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;

use super::gate::unknown;
use crate::problem::Problem;

/// What machines may reach.
pub const MACHINE_PATHS: &str = "/v1/";

/// A machine as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The machine's name, for records.
    pub name: Slug,
    /// SHA-256 of its bearer token. Tokens are random and long, so that one pass is enough.
    pub sha256: Hash,
}

/// The machine that asks. As an argument of a handler: only a machine may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub name: Slug,
}

impl<S: Send + Sync> FromRequestParts<S> for Machine {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unknown)
    }
}

/// Every machine that is let in.
pub type Tokens = Arc<[Token]>;

/// Recognises machines. A layer around what [`super::People::protect`] gives; whoever has no right
/// token goes on as a person or a stranger.
pub async fn recognise(State(tokens): State<Tokens>, mut request: Request, next: Next) -> Response {
    if request.uri().path().starts_with(MACHINE_PATHS)
        && let Some(machine) = machine(&tokens, request.headers())
    {
        request.extensions_mut().insert(machine);
    }
    next.run(request).await
}

fn machine(tokens: &Tokens, headers: &HeaderMap) -> Option<Machine> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    // Hashes are compared: what a difference costs in time says nothing about the token.
    let given = sha256(given.strip_prefix("Bearer ")?.as_bytes());
    let found = tokens.iter().find(|token| token.sha256 == given)?;
    Some(Machine {
        name: found.name.clone(),
    })
}
