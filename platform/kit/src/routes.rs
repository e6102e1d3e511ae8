//! A service's routes with their list, so that no route can be added without standing in it; and
//! the two papers that a test compares the list with.
//!
//! ```text
//! Routes::route("/v1/decisions/{id}", get(..)) --> Router
//!                                              --> [Entry] --Table::differences--> access.md
//!                                                          --undescribed-------> openapi.json
//! access.md --Table::parse--> cases(): route x caller, what must come, asked over HTTP
//! ```
//!
//! It is written as with axum: [`get`], [`post`] and the others have the names that they have there
//! and remember their method. [`Routes`] takes nothing but [`Methods`] and other [`Routes`]: what is
//! a bare router cannot come in.
//!
//! The table and the document are written by hand and reviewed: they say what is meant. The list is
//! the code: it says what there is. What handlers do is asked over HTTP, so that nothing is
//! believed (decision 0023).
//!
//! Rejected: access declared beside the handler and enforced from there (most of our rules depend on
//! the row: whose decision, whose device), and a table generated from code (it would agree with any
//! mistake).

mod document;
mod table;

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::response::IntoResponse;
use axum::routing::{self, MethodRouter, Route};
use tower::{Layer, Service};

pub use document::undescribed;
pub use table::{Case, Table, TableError, Verdict};

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its method.
    pub method: Method,
    /// Its path as the router names it: `/v1/decisions/{id}`.
    pub path: String,
}

impl Entry {
    /// As the table names it: `GET /v1/decisions/{id}`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// The handlers of one path, by method.
pub struct Methods<S> {
    router: MethodRouter<S>,
    list: Vec<Method>,
}

macro_rules! methods {
    ($($name:ident: $method:ident,)*) => {
        $(
            #[doc = concat!("`", stringify!($method), "` by this handler.")]
            pub fn $name<H, T, S>(handler: H) -> Methods<S>
            where
                H: Handler<T, S>,
                T: 'static,
                S: Clone + Send + Sync + 'static,
            {
                Methods {
                    router: routing::$name(handler),
                    list: vec![Method::$method],
                }
            }
        )*

        impl<S: Clone + Send + Sync + 'static> Methods<S> {
            $(
                #[doc = concat!("And `", stringify!($method), "` by this one.")]
                #[must_use]
                pub fn $name<H, T>(mut self, handler: H) -> Self
                where
                    H: Handler<T, S>,
                    T: 'static,
                {
                    self.router = self.router.$name(handler);
                    self.list.push(Method::$method);
                    self
                }
            )*
        }
    };
}

methods! {
    get: GET,
    post: POST,
    put: PUT,
    patch: PATCH,
    delete: DELETE,
    options: OPTIONS,
}

impl<S: Clone + Send + Sync + 'static> Methods<S> {
    /// A layer around these handlers.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.router = self.router.layer(layer);
        self
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
        Self::new()
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            router: Router::new(),
            list: Vec::new(),
        }
    }

    /// Adds a path with its handlers.
    #[must_use]
    pub fn route(mut self, path: &str, methods: Methods<S>) -> Self {
        self.router = self.router.route(path, methods.router);
        let entry = |method| Entry {
            method,
            path: path.to_owned(),
        };
        self.list.extend(methods.list.into_iter().map(entry));
        self
    }

    /// Adds the routes of another part.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.list.extend(other.list);
        self
    }

    /// Answers what has no route.
    #[must_use]
    pub fn fallback<H, T>(mut self, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.router = self.router.fallback(handler);
        self
    }

    /// A layer around all routes and the fallback.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.router = self.router.layer(layer);
        self
    }

    /// A layer around all routes, and not around the fallback.
    #[must_use]
    pub fn route_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.router = self.router.route_layer(layer);
        self
    }

    /// Gives the handlers what they share.
    pub fn with_state<T>(self, state: S) -> Routes<T> {
        Routes {
            router: self.router.with_state(state),
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
        let routes = Routes::<u8>::new()
            .route(
                "/a/{id}",
                get(|| async { "read" }).post(|| async { "written" }),
            )
            .merge(Routes::new().route("/b", put(|| async { "b" })))
            .layer(axum::extract::DefaultBodyLimit::max(1))
            .fallback(|| async { "nothing" })
            .with_state::<()>(7);
        let names: Vec<String> = routes.list().iter().map(Entry::name).collect();
        assert_eq!(names, ["GET /a/{id}", "POST /a/{id}", "PUT /b"]);
    }
}
