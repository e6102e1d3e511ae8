//! Log-in over HTTP, as a browser and as an attacker.

pub(crate) mod engine;
mod provider;
mod second;
pub(crate) mod service;
mod stories;

use super::*;
use service::{Browser, PASSWORD, Service};

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
