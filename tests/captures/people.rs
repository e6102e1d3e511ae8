//! The page of an organisation's own people: log-in, its own messages and gaps, nobody else's.

use kit::people::Account;
use platform::command::user;
use platform::ingest::check::QUARANTINE_BYTES;
use reqwest::{Client, Response};
use schemas::hash::sha256;

use super::Stack;

pub const PASSWORD: &str = "a long enough password of a test";

/// A browser: it keeps cookies and follows no redirect.
struct Browser<'s> {
    stack: &'s Stack,
    http: Client,
    cookies: std::collections::BTreeMap<String, String>,
}

impl<'s> Browser<'s> {
    fn new(stack: &'s Stack) -> Self {
        let none = reqwest::redirect::Policy::none();
        let http = Client::builder().redirect(none).build().unwrap();
        let cookies = std::collections::BTreeMap::new();
        Self {
            stack,
            http,
            cookies,
        }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Response {
        let jar: Vec<String> = self
            .cookies
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let request = request
            .header("cookie", jar.join("; "))
            .header("accept", "text/html");
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = cookie.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    async fn get(&mut self, path: &str) -> Response {
        self.send(self.http.get(self.stack.url(path))).await
    }

    async fn log_in(&mut self, name: &str, password: &str) -> Response {
        let page = self.get("/login").await.text().await.unwrap();
        let csrf = page.split_once("name=\"csrf\" value=\"").unwrap().1;
        let csrf = csrf.split_once('"').unwrap().0.to_owned();
        let body = format!(
            "csrf={csrf}&next=%2Forganisation&name={name}&password={}",
            password.replace(' ', "+")
        );
        let request = self.http.post(self.stack.url("/login")).body(body);
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", self.stack.url(""));
        self.send(request).await
    }

    async fn page(&mut self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        answer.text().await.unwrap()
    }
}

/// Makes an account.
pub async fn account(stack: &Stack, name: &str, organisation: &str) {
    let act = user::Act::Add {
        name: name.parse().unwrap(),
        organisation: organisation.parse().unwrap(),
        password: PASSWORD.to_owned(),
    };
    user::run(&stack.config(), act).await.unwrap();
    let kept: Option<Account> = kit::people::PeopleStore::account(
        &*stack.handle().store,
        &"operator".parse().unwrap(),
        &name.parse().unwrap(),
    )
    .await
    .unwrap();
    assert_eq!(kept.unwrap().role.as_str(), organisation);
}

/// A message of this device that cannot be verified.
pub async fn quarantined(stack: &Stack, device: &str, bytes: &[u8]) -> String {
    let message = platform::store::NewQuarantine {
        id: sha256(bytes),
        received: schemas::time::Clock::now(&*stack.clock),
        topic: format!("tracebond/v1/{device}/capture"),
        code: "bad-signature".into(),
        detail: "<script>alert(1)</script>".into(),
        bytes: bytes[..bytes.len().min(QUARANTINE_BYTES)].to_vec(),
    };
    stack.handle().store.commit(&[], &[message]).await.unwrap();
    sha256(bytes).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_sees_its_own_and_nobody_elses() {
    let stack = Stack::small().await;
    account(&stack, "li-wei", "qinghe").await;
    account(&stack, "zhang-min", "other").await;
    let own = quarantined(&stack, "qinghe/line-1", b"a message of qinghe").await;
    let foreign = quarantined(&stack, "other/line-1", b"a message of another").await;

    let mut stranger = Browser::new(&stack);
    for path in [
        "/organisation".to_owned(),
        format!("/organisation/quarantine/{own}"),
    ] {
        let answer = stranger.get(&path).await;
        assert_eq!(answer.status(), 303, "{path}");
        let to = answer.headers()["location"].to_str().unwrap().to_owned();
        assert!(to.starts_with("/login"), "{to}");
    }
    let wrong = stranger
        .log_in("li-wei", "not the password of anybody")
        .await;
    assert!(!wrong.status().is_redirection());
    assert!(wrong.text().await.unwrap().contains("class=\"bad\""));

    let mut browser = Browser::new(&stack);
    let entered = browser.log_in("li-wei", PASSWORD).await;
    assert_eq!(entered.status(), 303, "{}", entered.text().await.unwrap());
    for (lang, word) in [
        ("en", "The signature does not hold"),
        ("zh-CN", "签名不成立"),
    ] {
        let page = browser.page(&format!("/organisation?lang={lang}")).await;
        assert!(page.contains(word), "{page}");
        assert!(page.contains("qinghe/line-1") && page.contains(&own));
        assert!(!page.contains("other/line-1") && !page.contains(&foreign));
        assert!(
            !page.contains("<script>alert"),
            "a stranger's text is escaped"
        );
    }
    let path = format!("/organisation/quarantine/{own}");
    let bytes = browser.get(&path).await.bytes().await.unwrap();
    assert_eq!(&bytes[..], b"a message of qinghe");
    for unknown in [foreign.as_str(), &"0".repeat(64), "x"] {
        let answer = browser
            .get(&format!("/organisation/quarantine/{unknown}"))
            .await;
        assert_eq!(answer.status(), 404, "{unknown}");
    }

    // What cannot be read is an error, never an empty page.
    let act = user::Act::Close {
        name: "li-wei".parse().unwrap(),
        closed: true,
    };
    user::run(&stack.config(), act).await.unwrap();
    assert_eq!(browser.get("/organisation").await.status(), 303);
    let mut other = Browser::new(&stack);
    other.log_in("zhang-min", PASSWORD).await;
    let page = other.page("/organisation").await;
    assert!(page.contains(&foreign) && !page.contains(&own));
}

#[tokio::test(flavor = "multi_thread")]
async fn page_of_an_organisation_is_for_everybody() -> anyhow::Result<()> {
    use crate::browser::{Browser, DESK, PHONE};
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let stack = Stack::small().await;
    account(&stack, "li-wei", "qinghe").await;
    quarantined(&stack, "qinghe/line-1", b"a message of qinghe").await;
    browser
        .open_page(&stack.url("/login?next=%2Forganisation"))
        .await?;
    let fill = format!(
        "document.querySelector('[name=name]').value = 'li-wei'; \
         document.querySelector('[name=password]').value = '{PASSWORD}'; \
         document.querySelector('[name=password]').form.submit();"
    );
    browser.run(&fill).await?;
    let there = "location.pathname === '/organisation'";
    browser
        .until("the organisation's page opens", there)
        .await?;
    for (lang, size, dark) in [
        ("en", DESK, false),
        ("zh-CN", PHONE, false),
        ("en", PHONE, true),
        ("zh-CN", DESK, true),
    ] {
        browser.resize(size).await?;
        browser.theme(dark).await?;
        let page = stack.url(&format!("/organisation?lang={lang}"));
        browser.open_page(&page).await?;
        let wide = "return document.documentElement.scrollWidth - window.innerWidth;";
        assert!(browser.run(wide).await?.as_i64() <= Some(0), "{lang}");
        browser.is_accessible().await?;
        browser.is_quiet().await?;
        let name = format!("organisation-{lang}-{}-{dark}", size.0);
        browser.shot(&name).await?;
    }
    Ok(())
}

/// A report of a reader about something of an organisation.
pub async fn reported(stack: &Stack, organisation: &str, nonce: u8) -> platform::report::Number {
    use platform::report::{Draft, Limits, NONCE_BYTES, Sent};
    let sent = Sent {
        kind: "seal_broken".to_owned(),
        text: "<b>盖子是开的</b>".to_owned(),
        contact: "a@b.example".to_owned(),
        nonce: hex::encode([nonce; NONCE_BYTES]),
    };
    let item = platform::trace::Item::parse("(01)09521001000017(10)QH-0711").unwrap();
    let now = schemas::time::Clock::now(&*stack.clock);
    let maker = Some(organisation.parse().unwrap());
    let new = Draft::read(&sent).unwrap().about(&item, maker, now);
    let store = &stack.handle().store;
    store.add_report(&new, &Limits::at(now)).await.unwrap();
    new.number
}

impl Browser<'_> {
    async fn advance(&mut self, page: &str, number: &str, steps: usize, state: &str) -> Response {
        let csrf = page.split_once("name=\"csrf\" value=\"").unwrap().1;
        let csrf = csrf.split_once('"').unwrap().0;
        let body = format!("csrf={csrf}&number={number}&steps={steps}&state={state}");
        let request = self
            .http
            .post(self.stack.url("/organisation/report"))
            .body(body);
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", self.stack.url(""));
        self.send(request).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_read_and_answered_by_whom_they_concern() {
    let stack = Stack::small().await;
    account(&stack, "li-wei", "qinghe").await;
    account(&stack, "zhang-min", "other").await;
    let own = reported(&stack, "qinghe", 1).await;
    let foreign = reported(&stack, "other", 2).await;
    let mut browser = Browser::new(&stack);
    browser.log_in("li-wei", PASSWORD).await;
    let page = browser.page("/organisation?lang=en").await;
    assert!(page.contains(&own.to_string()) && !page.contains(&foreign.to_string()));
    assert!(
        page.contains("a@b.example") && !page.contains("<b>盖子"),
        "escaped"
    );

    let done = browser.advance(&page, own.as_str(), 0, "read").await;
    assert_eq!(done.status(), 303);
    // A second person with the older page changes nothing.
    let late = browser.advance(&page, own.as_str(), 0, "closed").await;
    assert_eq!(late.status(), 412);
    let said = late.text().await.unwrap();
    assert!(
        said.contains("It has changed since you opened the page"),
        "{said}"
    );
    // The same form again is no second step.
    let again = browser.advance(&page, own.as_str(), 0, "read").await;
    assert_eq!(again.status(), 303);
    let kept = stack.handle().store.report(&own).await.unwrap().unwrap();
    assert_eq!(kept.steps.len(), 1);
    assert_eq!(
        (kept.state().as_str(), kept.steps[0].person.as_str()),
        ("read", "li-wei")
    );
    for (number, steps, state) in [
        (own.as_str(), 1, "read"),
        (own.as_str(), 1, "received"),
        (own.as_str(), 1, "x"),
        (foreign.as_str(), 0, "read"),
        ("1", 0, "read"),
    ] {
        let refused = browser.advance(&page, number, steps, state).await;
        assert_eq!(refused.status(), 400, "{number} {state}");
    }
    let forged = page.replace("name=\"csrf\" value=\"", "name=\"csrf\" value=\"0");
    let refused = browser.advance(&forged, own.as_str(), 1, "closed").await;
    assert_eq!(refused.status(), 403);
    let kept = stack
        .handle()
        .store
        .report(&foreign)
        .await
        .unwrap()
        .unwrap();
    assert!(kept.steps.is_empty());
}
