//! One list of a service's routes, from which three things are made: the router, the OpenAPI
//! document, and the walk that asks every route as everybody and compares with the table of access.
//!
//! ```text
//! Routes::add(GET, "/v1/decisions/{id}", "One decision", handler) --> Router
//!                                                                 --> [Entry] --> openapi(..)
//! platform/docs/access.md --Table::parse--> Table --differences([Entry])--> none, or the test fails
//!                                                 --cases()--> route x caller: what must come
//! ```
//!
//! The table is written by hand and reviewed: it says what is meant. The list is the code: it says
//! what there is. A route that is in one only fails the test, so that none is forgotten; what
//! handlers do is asked over HTTP, so that nothing is believed.
//!
//! Rejected: access declared beside the handler and enforced from there (most of our rules depend on
//! the row: whose decision, whose device), and a table generated from code (it would agree with any
//! mistake).

mod openapi;
mod table;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};

pub use openapi::openapi;
pub use table::{Case, Table, TableError, Verdict};

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its method.
    pub method: Method,
    /// Its path as the router names it: `/v1/decisions/{id}`.
    pub path: &'static str,
    /// What it is for, in one sentence without a full stop.
    pub summary: &'static str,
}

impl Entry {
    /// As the table names it: `GET /v1/decisions/{id}`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Routes with their list.
#[derive(Debug)]
pub struct Routes<S> {
    router: Router<S>,
    list: Vec<Entry>,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self {
            router: Router::new(),
            list: Vec::new(),
        }
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// Adds a route. A method that axum has no filter for stays out of both, so that the table's
    /// comparison tells.
    #[must_use]
    pub fn add<H, T>(
        mut self,
        method: Method,
        path: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let Ok(filter) = MethodFilter::try_from(method.clone()) else {
            return self;
        };
        self.router = self.router.route(path, on(filter, handler));
        self.list.push(Entry {
            method,
            path,
            summary,
        });
        self
    }

    /// Adds the routes of another part.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.list.extend(other.list);
        self
    }

    /// Changes the router and not its list: layers, state, fallback.
    #[must_use]
    pub fn map<T>(self, change: impl FnOnce(Router<S>) -> Router<T>) -> Routes<T> {
        Routes {
            router: change(self.router),
            list: self.list,
        }
    }

    /// The list, in the order in which it was made.
    #[must_use]
    pub fn list(&self) -> &[Entry] {
        &self.list
    }

    /// Both.
    pub fn into_parts(self) -> (Router<S>, Vec<Entry>) {
        (self.router, self.list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_what_the_router_has() {
        let routes = Routes::<()>::default()
            .add(Method::GET, "/a/{id}", "Reads", || async { "read" })
            .add(Method::POST, "/a/{id}", "Writes", || async { "written" })
            .merge(Routes::default().add(Method::GET, "/b", "Another", || async { "b" }))
            .map(|router| router.with_state::<()>(()));
        let names: Vec<String> = routes.list().iter().map(Entry::name).collect();
        assert_eq!(names, ["GET /a/{id}", "POST /a/{id}", "GET /b"]);
    }
}
