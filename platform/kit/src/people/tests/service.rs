//! A service with one page and one form, and a browser with cookies in front of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use axum::response::{Html, IntoResponse, Response};
use schemas::time::Sleep;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::super::*;
use crate::routes::{get, post};

/// Accounts and sessions in memory.
#[derive(Default)]
pub(super) struct Memory {
    accounts: Mutex<BTreeMap<Slug, Account>>,
    pub(super) sessions: Mutex<BTreeMap<Hash, KeptSession>>,
    pub(super) noted: Mutex<Vec<(Slug, FactorNoted)>>,
}

#[async_trait]
impl PeopleStore for Memory {
    async fn add_account(&self, account: &Account) -> Result<bool, StoreFailed> {
        let mut accounts = self.accounts.lock().unwrap();
        let free = !accounts.contains_key(&account.name);
        if free {
            accounts.insert(account.name.clone(), account.clone());
        }
        Ok(free)
    }

    async fn account(&self, _: &Slug, name: &Slug) -> Result<Option<Account>, StoreFailed> {
        Ok(self.accounts.lock().unwrap().get(name).cloned())
    }

    async fn accounts(&self, _: &Slug) -> Result<Vec<Account>, StoreFailed> {
        Ok(self.accounts.lock().unwrap().values().cloned().collect())
    }

    async fn set_password(&self, _: &Slug, name: &Slug, hash: &str) -> Result<bool, StoreFailed> {
        let mut accounts = self.accounts.lock().unwrap();
        let account = accounts.get_mut(name);
        Ok(account.is_some_and(|account| {
            account.password_hash = hash.to_owned();
            true
        }))
    }

    async fn set_disabled(
        &self,
        _: &Slug,
        name: &Slug,
        since: Option<Instant>,
    ) -> Result<bool, StoreFailed> {
        let mut accounts = self.accounts.lock().unwrap();
        let account = accounts.get_mut(name);
        Ok(account.is_some_and(|account| {
            account.disabled = since;
            true
        }))
    }

    async fn session(&self, token: &Hash) -> Result<Option<KeptSession>, StoreFailed> {
        Ok(self.sessions.lock().unwrap().get(token).cloned())
    }

    async fn add_session(&self, session: &KeptSession) -> Result<(), StoreFailed> {
        let mut sessions = self.sessions.lock().unwrap();
        sessions.insert(session.token, session.clone());
        Ok(())
    }

    async fn change_session(&self, token: &Hash, data: &str) -> Result<(), StoreFailed> {
        if let Some(session) = self.sessions.lock().unwrap().get_mut(token) {
            session.data = data.to_owned();
        }
        Ok(())
    }

    async fn touch_session(&self, token: &Hash, seen: Instant) -> Result<(), StoreFailed> {
        if let Some(session) = self.sessions.lock().unwrap().get_mut(token) {
            session.seen = seen;
        }
        Ok(())
    }

    async fn end_session(&self, token: &Hash) -> Result<(), StoreFailed> {
        self.sessions.lock().unwrap().remove(token);
        Ok(())
    }

    async fn noted_factor(
        &self,
        _: &Slug,
        name: &Slug,
        what: FactorNoted,
        _: Instant,
    ) -> Result<(), StoreFailed> {
        self.noted.lock().unwrap().push((name.clone(), what));
        Ok(())
    }

    async fn end_sessions(&self, created: Instant, seen: Instant) -> Result<(), StoreFailed> {
        let mut sessions = self.sessions.lock().unwrap();
        sessions.retain(|_, session| session.created >= created && session.seen >= seen);
        Ok(())
    }
}

pub(crate) struct MovedClock(pub(crate) Mutex<Instant>);

impl Clock for MovedClock {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, _: Instant) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }
}

struct Page;

impl LogInPage for Page {
    fn render(&self, view: &LogInView) -> Response {
        let text = format!("csrf={};next={};{:?}", view.csrf, view.next, view.problem);
        Html(text).into_response()
    }
}

#[derive(serde::Deserialize)]
struct Word {
    #[serde(default)]
    csrf: String,
    word: String,
}

impl Form for Word {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// A service with one page and one form.
pub(super) struct Service {
    address: SocketAddr,
    pub(super) store: Arc<Memory>,
    clock: Arc<MovedClock>,
    pub(super) people: People,
    pub(super) said: Arc<Mutex<Vec<String>>>,
    shutdown: CancellationToken,
}

pub(super) const PASSWORD: &str = "a long pass phrase";

impl Service {
    pub(super) async fn start(origin: Option<&str>) -> Self {
        Self::with(origin, Extras::default()).await
    }

    pub(super) async fn with(origin: Option<&str>, extras: Extras) -> Self {
        let store = Arc::new(Memory::default());
        let clock = Arc::new(MovedClock(Mutex::new(Instant::from_seconds(1_700_000_000))));
        let settings = Settings {
            organisation: "bank".parse().unwrap(),
            origin: origin.map(str::to_owned),
            cookie: "desk",
        };
        let people = People::with(settings, store.clone(), clock.clone(), extras).unwrap();
        let (name, role) = ("li-wei".parse().unwrap(), "officer".parse().unwrap());
        people.add(&name, &role, PASSWORD).await.unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let kept = said.clone();
        let say = move |Checked(word): Checked<Word>| async move {
            kept.lock().unwrap().push(word.word);
            "kept"
        };
        let inside = Routes::new()
            .route(
                "/desk",
                get(|person: Person| async move {
                    format!("{} {} csrf={};", person.name, person.role, person.csrf)
                }),
            )
            .route("/say", post(say));
        let inside = inside.route(
            "/v1/ping",
            get(|machine: Machine| async move { machine.name.to_string() }),
        );
        let inside = inside.route(
            "/v1/who",
            get(|person: Person| async move { person.name.to_string() }),
        );
        let tokens: machine::Tokens = Arc::new([Token {
            name: "portal".parse().unwrap(),
            sha256: schemas::hash::sha256(b"the machine's own"),
        }]);
        let router = people.protect(inside, Arc::new(Page));
        let router = router.layer(from_fn_with_state(tokens, machine::recognise));
        let (router, _) = router.into_parts();
        let shutdown = CancellationToken::new();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let served = crate::serve::serve(router, any, None, shutdown.clone())
            .await
            .unwrap();
        Self {
            address: served.address,
            store,
            clock,
            people,
            said,
            shutdown,
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(super) fn pass(&self, seconds: u64) {
        let mut now = self.clock.0.lock().unwrap();
        *now = *now + Duration::from_secs(seconds);
    }

    pub(super) fn sessions(&self) -> usize {
        self.store.sessions.lock().unwrap().len()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    /// The value of a hidden field of a page.
    pub(super) fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.body.split_once(&start).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// The text between `csrf=` and `;`.
    pub(super) fn csrf(&self) -> String {
        let (_, rest) = self.body.split_once("csrf=").unwrap();
        rest.split(';').next().unwrap().to_owned()
    }
}

/// A browser with its cookies.
pub(super) struct Browser<'s> {
    service: &'s Service,
    pub(super) cookies: BTreeMap<String, String>,
    pub(super) extra: String,
}

impl<'s> Browser<'s> {
    pub(super) fn of(service: &'s Service) -> Self {
        let extra = "accept: text/html\r\n".to_owned();
        Self {
            service,
            cookies: BTreeMap::new(),
            extra,
        }
    }

    pub(super) async fn ask(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let pairs = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: desk.test\r\nconnection: close\r\ncookie: {cookies}\r\n{}\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            self.extra,
            body.len()
        );
        let mut stream = TcpStream::connect(self.service.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        self.keep(head);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    fn keep(&mut self, head: &str) {
        for line in head
            .lines()
            .filter_map(|line| line.strip_prefix("set-cookie: "))
        {
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    pub(super) async fn log_in(&mut self, name: &str, password: &str) -> Answer {
        let csrf = self.get("/login?next=%2Fdesk").await.csrf();
        let password = password.replace(' ', "+");
        let body = format!("csrf={csrf}&next=%2Fdesk&name={name}&password={password}");
        self.ask("POST", "/login", &body).await
    }
}
