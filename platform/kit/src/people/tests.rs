//! Log-in over HTTP, as a browser and as an attacker.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use schemas::time::Sleep;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::*;

/// Accounts and sessions in memory.
#[derive(Default)]
struct Memory {
    accounts: Mutex<BTreeMap<Slug, Account>>,
    sessions: Mutex<BTreeMap<Hash, KeptSession>>,
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

    async fn end_sessions(&self, created: Instant, seen: Instant) -> Result<(), StoreFailed> {
        let mut sessions = self.sessions.lock().unwrap();
        sessions.retain(|_, session| session.created >= created && session.seen >= seen);
        Ok(())
    }
}

struct MovedClock(Mutex<Instant>);

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
struct Service {
    address: SocketAddr,
    store: Arc<Memory>,
    clock: Arc<MovedClock>,
    people: People,
    said: Arc<Mutex<Vec<String>>>,
    shutdown: CancellationToken,
}

const PASSWORD: &str = "a long pass phrase";

impl Service {
    async fn start(origin: Option<&str>) -> Self {
        let store = Arc::new(Memory::default());
        let clock = Arc::new(MovedClock(Mutex::new(Instant::from_seconds(1_700_000_000))));
        let settings = Settings {
            organisation: "bank".parse().unwrap(),
            origin: origin.map(str::to_owned),
            cookie: "desk",
        };
        let people = People::new(settings, store.clone(), clock.clone()).unwrap();
        let (name, role) = ("li-wei".parse().unwrap(), "officer".parse().unwrap());
        people.add(&name, &role, PASSWORD).await.unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let kept = said.clone();
        let say = move |Checked(word): Checked<Word>| async move {
            kept.lock().unwrap().push(word.word);
            "kept"
        };
        let inside = Router::new()
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

    fn pass(&self, seconds: u64) {
        let mut now = self.clock.0.lock().unwrap();
        *now = *now + Duration::from_secs(seconds);
    }

    fn sessions(&self) -> usize {
        self.store.sessions.lock().unwrap().len()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// What came back.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The text between `csrf=` and `;`.
    fn csrf(&self) -> String {
        let (_, rest) = self.body.split_once("csrf=").unwrap();
        rest.split(';').next().unwrap().to_owned()
    }
}

/// A browser with its cookies.
struct Browser<'s> {
    service: &'s Service,
    cookies: BTreeMap<String, String>,
    extra: String,
}

impl<'s> Browser<'s> {
    fn of(service: &'s Service) -> Self {
        let extra = "accept: text/html\r\n".to_owned();
        Self {
            service,
            cookies: BTreeMap::new(),
            extra,
        }
    }

    async fn ask(&mut self, method: &str, path: &str, body: &str) -> Answer {
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

    async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    async fn log_in(&mut self, name: &str, password: &str) -> Answer {
        let csrf = self.get("/login?next=%2Fdesk").await.csrf();
        let password = password.replace(' ', "+");
        let body = format!("csrf={csrf}&next=%2Fdesk&name={name}&password={password}");
        self.ask("POST", "/login", &body).await
    }
}

#[tokio::test]
async fn a_person_logs_in_works_and_logs_out() {
    let service = Service::start(None).await;
    let mut browser = Browser::of(&service);
    let stranger = browser.get("/desk?a=1&b=2").await;
    assert_eq!(stranger.status, 303);
    assert!(
        stranger.head.contains("/login?next=/desk%3Fa%3D1%26b%3D2"),
        "{}",
        stranger.head
    );
    let answer = browser.log_in("li-wei", PASSWORD).await;
    assert_eq!(answer.status, 303);
    assert!(answer.head.contains("location: /desk"));
    let session = answer
        .head
        .lines()
        .find(|line| line.starts_with("set-cookie: desk="));
    let session = session.unwrap().to_lowercase();
    assert!(
        session.contains("httponly") && session.contains("samesite=strict"),
        "{session}"
    );
    let desk = browser.get("/desk").await;
    assert!(desk.body.starts_with("li-wei officer "), "{}", desk.body);
    assert!(desk.head.contains("no-store"));
    let csrf = desk.csrf();
    assert_eq!(
        browser
            .ask("POST", "/say", &format!("csrf={csrf}&word=hello"))
            .await
            .status,
        200
    );
    assert_eq!(*service.said.lock().unwrap(), ["hello"]);
    assert_eq!(browser.ask("POST", "/logout", "csrf=").await.status, 403);
    let out = browser
        .ask("POST", "/logout", &format!("csrf={csrf}"))
        .await;
    assert_eq!(out.status, 303);
    assert_eq!(service.sessions(), 0);
    assert_eq!(browser.get("/desk").await.status, 303);
}

#[tokio::test]
async fn machines_get_a_problem_and_forged_sessions_nothing() {
    let service = Service::start(None).await;
    let mut machine = Browser::of(&service);
    machine.extra = "accept: application/json\r\n".to_owned();
    let answer = machine.get("/desk").await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("log-in-needed"));
    for forged in ["AAAAAAAAAAAAAAAAAAAAAA", "x", "%00", "li-wei"] {
        machine.cookies.insert("desk".to_owned(), forged.to_owned());
        assert_eq!(machine.get("/desk").await.status, 401, "{forged}");
    }
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn the_table_holds_no_token_and_a_log_in_makes_a_new_one() {
    let service = Service::start(None).await;
    let mut browser = Browser::of(&service);
    browser
        .cookies
        .insert("desk".to_owned(), "AAAAAAAAAAAAAAAAAAAAAA".to_owned());
    browser.log_in("li-wei", PASSWORD).await;
    let first = browser.cookies["desk"].clone();
    assert_ne!(first, "AAAAAAAAAAAAAAAAAAAAAA");
    browser.log_in("li-wei", PASSWORD).await;
    assert_ne!(browser.cookies["desk"], first);
    assert_eq!(service.sessions(), 1);
    let kept = format!("{:?}", service.store.sessions.lock().unwrap());
    assert!(!kept.contains(&first) && !kept.contains(&browser.cookies["desk"]));
    browser.cookies.insert("desk".to_owned(), first);
    assert_eq!(browser.get("/desk").await.status, 303);
}

#[tokio::test]
async fn forms_of_others_are_refused_and_change_nothing() {
    let service = Service::start(None).await;
    let mut browser = Browser::of(&service);
    browser.log_in("li-wei", PASSWORD).await;
    let csrf = browser.get("/desk").await.csrf();
    let wrong = "0".repeat(64);
    for body in [
        "word=a".to_owned(),
        "csrf=&word=a".to_owned(),
        format!("csrf={wrong}&word=a"),
    ] {
        let answer = browser.ask("POST", "/say", &body).await;
        assert_eq!(answer.status, 403, "{body}");
        assert!(answer.body.contains("form-refused"));
    }
    for origin in ["https://evil.example", "null", "http://desk.test:81"] {
        browser.extra = format!("accept: text/html\r\norigin: {origin}\r\n");
        let answer = browser
            .ask("POST", "/say", &format!("csrf={csrf}&word=a"))
            .await;
        assert_eq!(answer.status, 403, "{origin}");
    }
    assert!(service.said.lock().unwrap().is_empty());
    browser.extra = "origin: http://desk.test\r\nsec-fetch-site: same-origin\r\n".to_owned();
    assert_eq!(
        browser
            .ask("POST", "/say", &format!("csrf={csrf}&word=b"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_log_in_form_is_bound_to_its_browser() {
    let service = Service::start(None).await;
    let mut browser = Browser::of(&service);
    let csrf = browser.get("/login").await.csrf();
    let body = format!(
        "csrf={csrf}&name=li-wei&password={}",
        PASSWORD.replace(' ', "+")
    );
    let mut other = Browser::of(&service);
    let answer = other.ask("POST", "/login", &body).await;
    assert_eq!((answer.status, service.sessions()), (403, 0));
    assert!(answer.body.contains("Form"), "{}", answer.body);
    other.extra = "accept: */*\r\n".to_owned();
    assert_eq!(other.ask("POST", "/login", &body).await.status, 403);
    browser.extra = "origin: https://evil.example\r\n".to_owned();
    assert_eq!(browser.ask("POST", "/login", &body).await.status, 403);
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_look_alike() {
    let service = Service::start(None).await;
    let mut browser = Browser::of(&service);
    let wrong = browser.log_in("li-wei", "not the pass phrase").await;
    let unknown = browser.log_in("nobody-here", "not the pass phrase").await;
    service
        .people
        .set_disabled(&"li-wei".parse().unwrap(), true)
        .await
        .unwrap();
    let closed = browser.log_in("li-wei", PASSWORD).await;
    for answer in [&wrong, &unknown, &closed] {
        assert_eq!(answer.status, 401);
        assert_eq!(answer.body, wrong.body);
    }
    assert!(wrong.body.contains("Wrong"));
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn guessing_ends_for_strangers_and_not_for_a_known_browser() {
    let service = Service::start(None).await;
    let mut own = Browser::of(&service);
    own.log_in("li-wei", PASSWORD).await;
    let mut stranger = Browser::of(&service);
    for _ in 0..limit::TRIES_ACCOUNT {
        assert_eq!(
            stranger
                .log_in("li-wei", "not the pass phrase")
                .await
                .status,
            401
        );
    }
    assert_eq!(
        stranger
            .log_in("li-wei", "not the pass phrase")
            .await
            .status,
        429
    );
    assert_eq!(stranger.log_in("li-wei", PASSWORD).await.status, 429);
    assert_eq!(own.log_in("li-wei", PASSWORD).await.status, 303);
    let forged = format!("{}{}", "1".repeat(32), "2".repeat(64));
    stranger.cookies.insert("desk-browser".to_owned(), forged);
    assert_eq!(stranger.log_in("li-wei", PASSWORD).await.status, 429);
    service.pass(limit::WINDOW.as_secs());
    assert_eq!(stranger.log_in("li-wei", PASSWORD).await.status, 303);
}

#[tokio::test]
async fn a_session_ends_by_idleness_and_by_age() {
    let service = Service::start(None).await;
    let mut browser = Browser::of(&service);
    browser.log_in("li-wei", PASSWORD).await;
    service.pass(SESSION_IDLE.as_secs());
    assert_eq!(browser.get("/desk").await.status, 303);
    browser.log_in("li-wei", PASSWORD).await;
    let half = SESSION_IDLE.as_secs() / 2;
    for _ in 1..SESSION_LONGEST.as_secs() / half {
        service.pass(half);
        assert_eq!(browser.get("/desk").await.status, 200);
    }
    service.pass(half);
    assert_eq!(browser.get("/desk").await.status, 303);
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn another_password_or_a_closed_account_ends_its_sessions() {
    let service = Service::start(None).await;
    let name: Slug = "li-wei".parse().unwrap();
    let mut browser = Browser::of(&service);
    browser.log_in("li-wei", PASSWORD).await;
    service
        .people
        .set_password(&name, "another pass phrase")
        .await
        .unwrap();
    assert_eq!(browser.get("/desk").await.status, 303);
    assert_eq!(
        browser.log_in("li-wei", "another pass phrase").await.status,
        303
    );
    service.people.set_disabled(&name, true).await.unwrap();
    assert_eq!(browser.get("/desk").await.status, 303);
    assert_eq!(service.sessions(), 0);
    let again = service.people.add(&name, &name, PASSWORD).await;
    assert!(matches!(again, Err(AccountError::Taken(_))));
}

#[tokio::test]
async fn under_tls_every_cookie_is_bound_to_this_host() {
    let service = Service::start(Some("https://desk.test")).await;
    let mut browser = Browser::of(&service);
    browser.extra = "origin: https://desk.test\r\naccept: text/html\r\n".to_owned();
    let answer = browser.log_in("li-wei", PASSWORD).await;
    let cookies: Vec<_> = answer
        .head
        .lines()
        .filter(|line| line.starts_with("set-cookie"))
        .collect();
    assert_eq!(cookies.len(), 2, "{}", answer.head);
    for cookie in cookies {
        assert!(
            cookie.contains("__Host-desk") && cookie.contains("Secure"),
            "{cookie}"
        );
        assert!(
            cookie.contains("Path=/") && !cookie.contains("Domain"),
            "{cookie}"
        );
    }
}

#[tokio::test]
async fn a_machine_reaches_what_is_for_machines_only() {
    let service = Service::start(None).await;
    let mut machine = Browser::of(&service);
    machine.extra = "authorization: Bearer the machine's own\r\n".to_owned();
    assert_eq!(machine.get("/v1/ping").await.body, "portal");
    assert_eq!(machine.get("/v1/who").await.status, 401);
    assert_eq!(machine.get("/desk").await.status, 401);
    assert_eq!(
        machine.ask("POST", "/say", "csrf=&word=a").await.status,
        401
    );
    for wrong in ["Bearer the machine's", "Bearer ", "the machine's own"] {
        machine.extra = format!("authorization: {wrong}\r\n");
        assert_eq!(machine.get("/v1/ping").await.status, 401, "{wrong}");
    }
    let mut person = Browser::of(&service);
    person.log_in("li-wei", PASSWORD).await;
    assert_eq!(person.get("/v1/ping").await.status, 401);
    assert_eq!(person.get("/v1/who").await.body, "li-wei");
}
