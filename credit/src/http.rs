//! HTTP: JSON below `/v1`, two pages for people.
//!
//! | address | what |
//! |---|---|
//! | `POST /v1/applications` | an application; 201 with the decision, 200 if it was made before |
//! | `GET /v1/decisions?skip=&take=` | decisions, newest first |
//! | `GET /v1/decisions/{id}` | decision, inputs and facts |
//! | `GET /v1/sandbox` | limits, used, free |
//! | `GET /`, `GET /decisions/{id}` | the same for people |

mod applications;
mod decisions;
pub mod pages;
mod sandbox;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::middleware::map_response;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use kit::problem::Problem;

use crate::service::Credit;

/// Largest application in bytes: four short fields.
const APPLICATION_MAX: usize = 16 * 1024;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Desk {
    credit: Arc<Credit>,
    event_page: Option<Arc<str>>,
}

/// The service's routes.
pub fn router(credit: Arc<Credit>, event_page: Option<String>) -> Router {
    let desk = Desk {
        credit,
        event_page: event_page.map(Arc::from),
    };
    Router::new()
        .route("/", get(pages::list))
        .route("/decisions/{id}", get(pages::decision))
        .route("/assets/credit.css", get(stylesheet))
        .route("/v1/applications", post(applications::apply))
        .route("/v1/decisions", get(decisions::list))
        .route("/v1/decisions/{id}", get(decisions::lookup))
        .route("/v1/sandbox", get(sandbox::show))
        .fallback(missing)
        .layer(DefaultBodyLimit::max(APPLICATION_MAX))
        .layer(map_response(kit::page::secure))
        .with_state(desk)
}

async fn missing() -> Problem {
    Problem::not_found("No page of this service has this address.")
}

async fn stylesheet() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, include_str!("../web/assets/credit.css"))
}

/// Our fault: logged here, and the client learns nothing of it.
fn internal(error: &dyn std::error::Error) -> Problem {
    tracing::error!(error = schemas::causes::causes(error), "a request failed");
    Problem::internal()
}

fn refused(status: StatusCode, slug: &str, title: &str, detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    tracing::warn!(slug, detail, "a request was refused");
    Problem::new(status, slug, title).detail(detail)
}

#[cfg(test)]
mod tests;
