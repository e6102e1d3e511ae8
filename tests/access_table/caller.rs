//! Who asks, and what they show.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Client, RequestBuilder, Response};

use super::asks::{Ask, Body};

/// Follows no redirect and keeps no cookie.
static HTTP: LazyLock<Client> = LazyLock::new(|| {
    platform::tls::install_provider();
    let none = reqwest::redirect::Policy::none();
    Client::builder().redirect(none).build().unwrap()
});

/// No two requests have one key or one name.
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// What somebody shows.
#[derive(Clone)]
pub enum Shows {
    /// Nothing.
    Nothing,
    /// The cookies of a session, and the token of its forms.
    Session { cookies: String, csrf: String },
    /// A bearer token; for a client also what it shows where tokens are given.
    Bearer(String),
    /// A fetched token, with name and secret.
    Client {
        token: String,
        basic: (String, String),
    },
    /// Name and password as at the broker.
    Basic(String, String),
}

/// Somebody who asks.
#[derive(Clone)]
pub struct Caller {
    pub shows: Shows,
    origin: Option<String>,
    has_key: bool,
}

/// By the names of the table's columns.
pub type Callers = BTreeMap<&'static str, Caller>;

/// What came.
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub text: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match &self.location {
            Some(to) => write!(f, " to {to}"),
            None if self.status >= 400 => {
                let text: String = self.text.chars().take(160).collect();
                write!(f, " ({})", text.replace('\n', " "))
            }
            None => Ok(()),
        }
    }
}

impl Caller {
    pub fn new(shows: Shows) -> Self {
        Self {
            shows,
            origin: None,
            has_key: true,
        }
    }

    pub fn with_csrf(mut self, token: &str) -> Self {
        if let Shows::Session { csrf, .. } = &mut self.shows {
            token.clone_into(csrf);
        }
        self
    }

    pub fn from(mut self, origin: &str) -> Self {
        self.origin = Some(origin.to_owned());
        self
    }

    pub fn without_key(mut self) -> Self {
        self.has_key = false;
        self
    }

    /// Asks.
    pub async fn ask(&self, url: &str, ask: &Ask, path: &str) -> Answer {
        let mut request = HTTP.request(ask.method.clone(), format!("{url}{path}"));
        let mut cookies = String::new();
        if let Shows::Session { cookies: own, .. } = &self.shows {
            cookies.clone_from(own);
        }
        if !matches!(
            self.shows,
            Shows::Bearer(_) | Shows::Client { .. } | Shows::Basic(..)
        ) {
            request = request.header("accept", "text/html");
        }
        request = self.body(request, url, ask, &mut cookies).await;
        request = self.showing(request, path, &cookies);
        if self.has_key {
            let key = NUMBER.fetch_add(1, Ordering::Relaxed);
            request = request.header("idempotency-key", format!("\"walk-{key}\""));
        }
        answer(request.send().await.unwrap()).await
    }

    fn showing(&self, request: RequestBuilder, path: &str, cookies: &str) -> RequestBuilder {
        let request = match cookies {
            "" => request,
            cookies => request.header("cookie", cookies),
        };
        let gives_tokens = path.starts_with("/oauth2/");
        match &self.shows {
            Shows::Client { basic, .. } if gives_tokens => {
                request.basic_auth(&basic.0, Some(&basic.1))
            }
            _ if gives_tokens => {
                // Wrong secrets of one name are counted.
                let name = format!("nobody-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
                request.basic_auth(name, Some("a wrong secret"))
            }
            Shows::Bearer(token) | Shows::Client { token, .. } => request.bearer_auth(token),
            Shows::Basic(name, password) => request.basic_auth(name, Some(password)),
            Shows::Nothing | Shows::Session { .. } => request,
        }
    }

    async fn body(
        &self,
        request: RequestBuilder,
        url: &str,
        ask: &Ask,
        cookies: &mut String,
    ) -> RequestBuilder {
        let origin = self.origin.as_deref().unwrap_or(url);
        let form = |request: RequestBuilder, fields: &[(&str, String)], csrf: Option<&str>| {
            let csrf = csrf.map(|token| ("csrf", token.to_owned()));
            let fields: Vec<String> = fields
                .iter()
                .cloned()
                .chain(csrf)
                .map(|(name, value)| {
                    let value = if value == "nobody" {
                        format!("nobody-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
                    } else {
                        value
                    };
                    format!("{name}={}", kit::page::query_value(&value))
                })
                .collect();
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            request.header("origin", origin).body(fields.join("&"))
        };
        let is_browser = matches!(self.shows, Shows::Nothing | Shows::Session { .. });
        let request = match &ask.body {
            Body::Json(_) | Body::Signed(_) | Body::Bytes(..) if is_browser => {
                request.header("origin", origin)
            }
            _ => request,
        };
        match &ask.body {
            Body::None => request,
            Body::Json(value) => request
                .header("content-type", "application/json")
                .body(value.to_string()),
            Body::Signed(value) => {
                let mut value = value.clone();
                if let Shows::Session { csrf, .. } = &self.shows {
                    value["csrf"] = csrf.as_str().into();
                }
                request
                    .header("content-type", "application/json")
                    .body(value.to_string())
            }
            Body::Bytes(kind, bytes) => request.header("content-type", *kind).body(bytes.clone()),
            Body::Open(fields) => form(request, fields, None),
            Body::Form(fields) => {
                let csrf = match &self.shows {
                    Shows::Session { csrf, .. } => csrf.as_str(),
                    _ => "",
                };
                form(request, fields, Some(csrf))
            }
            Body::Door(fields) => {
                let csrf = door(url, cookies).await;
                form(request, fields, Some(&csrf))
            }
        }
    }
}

/// Opens the log-in page, keeps its cookie; the token of its form.
async fn door(url: &str, cookies: &mut String) -> String {
    let page = HTTP
        .get(format!("{url}/login"))
        .header("cookie", cookies.clone());
    let page = page.send().await.unwrap();
    keep(cookies, &page);
    field(&page.text().await.unwrap(), "csrf")
}

fn keep(cookies: &mut String, answer: &Response) {
    let mut jar: BTreeMap<String, String> = cookies
        .split("; ")
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for cookie in answer.headers().get_all("set-cookie") {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        jar.insert(name.to_owned(), value.to_owned());
    }
    let pairs: Vec<String> = jar
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    *cookies = pairs.join("; ");
}

/// The value of a page's hidden field; nothing where the page has none.
fn field(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let after = page.split_once(&mark).map(|(_, rest)| rest);
    after
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
        .to_owned()
}

async fn answer(response: Response) -> Answer {
    let location = response.headers().get("location");
    let location = location.map(|value| value.to_str().unwrap().to_owned());
    Answer {
        status: response.status().as_u16(),
        location,
        text: String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned(),
    }
}

/// Logs in as far as a password leads; `home` is a page that carries the token of its forms.
pub async fn log_in(url: &str, name: &str, password: &str, home: &str) -> Shows {
    let mut cookies = String::new();
    let csrf = door(url, &mut cookies).await;
    let body = format!(
        "csrf={csrf}&next=%2F&name={name}&password={}",
        kit::page::query_value(password)
    );
    let request = HTTP
        .post(format!("{url}/login"))
        .body(body)
        .header("origin", url);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let request = request
        .header("accept", "text/html")
        .header("cookie", &cookies);
    let entered = request.send().await.unwrap();
    assert_eq!(entered.status(), 303, "{name} cannot log in");
    keep(&mut cookies, &entered);
    let page = HTTP.get(format!("{url}{home}")).header("cookie", &cookies);
    let page = page.header("accept", "text/html").send().await.unwrap();
    let csrf = field(&page.text().await.unwrap(), "csrf");
    Shows::Session { cookies, csrf }
}

/// Ends a session.
pub async fn log_out(url: &str, shows: &Shows) {
    let mut asks = super::asks::Asks::default();
    let ask = asks.add("POST /logout", "/logout", Body::Form(Vec::new()));
    let answer = Caller::new(shows.clone()).ask(url, ask, "/logout").await;
    assert_eq!(answer.status, 303);
}

/// A token of a client, with its name and secret.
pub async fn fetched(url: &str, name: &str, secret: &str) -> Shows {
    let request = HTTP
        .post(format!("{url}/oauth2/token"))
        .basic_auth(name, Some(secret));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let given = request
        .body("grant_type=client_credentials")
        .send()
        .await
        .unwrap();
    assert_eq!(given.status(), 200, "{name} gets no token");
    let given: serde_json::Value = serde_json::from_slice(&given.bytes().await.unwrap()).unwrap();
    Shows::Client {
        token: given["access_token"].as_str().unwrap().to_owned(),
        basic: (name.to_owned(), secret.to_owned()),
    }
}

/// Ends a token by its client.
pub async fn revoked(url: &str, shows: &Shows) -> Shows {
    let Shows::Client { token, basic } = shows else {
        return shows.clone();
    };
    let request = HTTP
        .post(format!("{url}/oauth2/revoke"))
        .basic_auth(&basic.0, Some(&basic.1));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let ended = request.body(format!("token={token}")).send().await.unwrap();
    assert_eq!(ended.status(), 200);
    Shows::Bearer(token.clone())
}
