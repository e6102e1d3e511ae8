//! What clients reach: a list of routes with the scope that each needs, and the layer that lets
//! them in.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use schemas::ids::Slug;

use super::super::Machine;
use super::super::gate::internal;
use super::Clients;
use crate::problem::Problem;

/// Routes that are open to clients. What is not listed is closed to all of them.
#[derive(Clone, Debug, Default)]
pub struct Reach(Vec<(Method, &'static str, &'static str)>);

impl Reach {
    /// Opens a route, named as the router names it (`/v1/decisions/{id}`), to a scope.
    #[must_use]
    pub fn open(mut self, method: Method, route: &'static str, scope: &'static str) -> Self {
        self.0.push((method, route, scope));
        self
    }

    /// The scope that a request needs; none where clients have no business.
    fn scope(&self, method: &Method, path: &str) -> Option<&'static str> {
        let of = |(known, route, _): &&(Method, &str, &str)| known == method && is_of(route, path);
        self.0.iter().find(of).map(|(_, _, scope)| *scope)
    }
}

/// True if the path is one of the route: `{name}` is one segment, `{*name}` at its end is the rest.
fn is_of(route: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (route.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(_)) if wanted.starts_with("{*") => return true,
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {}
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return false,
        }
    }
}

/// What the token of a request is good for, for handlers that decide by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted(pub Arc<BTreeSet<Slug>>);

/// Recognises clients by their tokens. A layer around what [`super::super::People::protect`] gives,
/// beside [`super::super::machine::recognise`]; whoever shows no living token goes on as somebody
/// else, whoever shows one without the right scope is refused here (RFC 6750 section 3.1).
pub async fn recognise(
    State((clients, reach)): State<(Clients, Arc<Reach>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(given) = given else {
        return next.run(request).await;
    };
    let kept = match clients.living(given).await {
        Ok(Some(kept)) => kept,
        Ok(None) => return next.run(request).await,
        Err(error) => return internal(&error).into_response(),
    };
    let needed = reach.scope(request.method(), request.uri().path());
    match needed {
        Some(scope) if kept.scopes.iter().any(|one| one.as_str() == scope) => {
            let extensions = request.extensions_mut();
            extensions.insert(Machine { name: kept.client });
            extensions.insert(Granted(Arc::new(kept.scopes)));
            next.run(request).await
        }
        needed => insufficient(needed),
    }
}

fn insufficient(needed: Option<&str>) -> Response {
    tracing::warn!("a client's token is not good for what it asks");
    let mut response = Problem::new(
        StatusCode::FORBIDDEN,
        "insufficient-scope",
        "The token is not good for this address",
    )
    .into_response();
    let scope = needed.map_or_else(String::new, |scope| format!(", scope=\"{scope}\""));
    let says = format!("Bearer error=\"insufficient_scope\"{scope}");
    if let Ok(says) = HeaderValue::from_str(&says) {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, says);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_open_to_its_scope_and_all_others_to_none() {
        let reach = Reach::default()
            .open(Method::GET, "/v1/decisions/{id}", "read")
            .open(Method::GET, "/log/{*name}", "read");
        for (method, path, open) in [
            (Method::GET, "/v1/decisions/7", true),
            (Method::POST, "/v1/decisions/7", false),
            (Method::GET, "/v1/decisions/", false),
            (Method::GET, "/v1/decisions", false),
            (Method::GET, "/v1/decisions/7/bundle", false),
            (Method::GET, "/v1/decisions/7/", false),
            (Method::GET, "//v1/decisions/7", false),
            (Method::GET, "/log/tile/0/x", true),
            (Method::GET, "/", false),
        ] {
            assert_eq!(
                reach.scope(&method, path).is_some(),
                open,
                "{method} {path}"
            );
        }
    }
}
