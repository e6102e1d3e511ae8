//! What the regulator sees: the trial and nothing else of the bank.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use kit::people::Person;

use super::shell;

/// Addresses that the regulator may ask for, each with what is below it.
const OPEN: [&str; 5] = ["/regulator", "/trial", "/v1/trial", "/account", "/logout"];

/// Lets the regulator to the trial's pages only; the first page is theirs.
pub(super) async fn only(request: Request, next: Next) -> Response {
    let person = request.extensions().get::<Person>();
    let regulator = person
        .is_some_and(|person| shell::actor(person).is_ok_and(|actor| !actor.role.reads_desk()));
    let path = request.uri().path();
    let below = |open: &&str| {
        let rest = path.strip_prefix(*open);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if !regulator || OPEN.iter().any(below) {
        return next.run(request).await;
    }
    if path == "/" {
        return Redirect::to("/regulator").into_response();
    }
    let title = "Your role may not do this";
    let status = axum::http::StatusCode::FORBIDDEN;
    kit::problem::Problem::new(status, "not-allowed", title).into_response()
}
