//! One request for each route of a table.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is sent.
#[derive(Clone)]
pub enum Body {
    /// Nothing.
    None,
    /// JSON.
    Json(Value),
    /// JSON of a person: with the token of the asker's session as a field.
    Signed(Value),
    /// Bytes of this media type.
    Bytes(&'static str, Vec<u8>),
    /// A form of a page behind log-in: with the token of the asker's session.
    Form(Vec<(&'static str, String)>),
    /// A form of everybody: without a token.
    Open(Vec<(&'static str, String)>),
    /// A form in front of log-in: with the token of the log-in page.
    Door(Vec<(&'static str, String)>),
}

/// A request.
#[derive(Clone)]
pub struct Ask {
    pub method: reqwest::Method,
    /// With ids that exist and belong to the first organisation.
    pub path: String,
    /// The same with an id that was never given.
    pub never: Option<String>,
    pub body: Body,
    /// Whether a machine's request must carry an `Idempotency-Key`.
    pub keyed: bool,
}

/// By route, as the table writes it.
#[derive(Default)]
pub struct Asks(BTreeMap<String, Ask>);

impl Asks {
    pub fn get(&self, route: &str) -> Option<&Ask> {
        self.0.get(route)
    }

    /// Adds one; its method is the route's, its path too unless another is said.
    pub fn add(&mut self, route: &str, path: &str, body: Body) -> &mut Ask {
        let method = route.split(' ').next().unwrap().parse().unwrap();
        let ask = Ask {
            method,
            path: path.to_owned(),
            never: None,
            body,
            keyed: false,
        };
        self.0.insert(route.to_owned(), ask);
        self.0.get_mut(route).unwrap()
    }

    /// Reads something by its path.
    pub fn get_at(&mut self, route: &str, path: &str) -> &mut Ask {
        self.add(route, path, Body::None)
    }

    /// Routes without parameters that are read.
    pub fn plain(&mut self, routes: &[&str]) {
        for path in routes {
            self.get_at(&format!("GET {path}"), path);
        }
    }
}

impl Ask {
    /// Says the path with an id that was never given.
    pub fn never(&mut self, path: impl Into<String>) -> &mut Self {
        self.never = Some(path.into());
        self
    }

    /// Says that machines must send an `Idempotency-Key`.
    pub fn keyed(&mut self) {
        self.keyed = true;
    }
}

/// Pages and files of [`kit::people`] and [`kit::verifier`] that both services have.
pub fn of_kit(asks: &mut Asks, verifier: &[String]) {
    asks.plain(&[
        "/login",
        "/login/code",
        "/login/factor",
        "/login/provider",
        "/login/provider/back",
    ]);
    asks.plain(&["/.well-known/oauth-authorization-server"]);
    for path in verifier {
        asks.get_at(&format!("GET {path}"), path);
    }
    let word = |text: &str| text.to_owned();
    let wrong = vec![
        ("next", word("/")),
        ("name", word("nobody")),
        ("password", word("a wrong pass phrase")),
    ];
    asks.add("POST /login", "/login", Body::Door(wrong));
    asks.add("POST /logout", "/logout", Body::Form(Vec::new()));
    asks.add(
        "POST /login/code",
        "/login/code",
        Body::Door(vec![("code", word("000000"))]),
    );
    let factor = vec![
        ("offered", word("00")),
        ("first", word("1")),
        ("second", word("2")),
    ];
    asks.add("POST /login/factor", "/login/factor", Body::Door(factor));
    let grant = vec![("grant_type", word("client_credentials"))];
    asks.add("POST /oauth2/token", "/oauth2/token", Body::Open(grant));
    let token = vec![("token", word("x"))];
    asks.add("POST /oauth2/revoke", "/oauth2/revoke", Body::Open(token));
}
