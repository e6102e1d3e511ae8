//! The second factor over HTTP, as its owner and as somebody who knows the password only.

use std::collections::BTreeSet;

use super::super::factor::{ENROL_LONGEST, HALF_LONGEST, RECOVERY_CODES, WRONG_MAX};
use super::super::seal::Seal;
use super::super::totp::{Secret, step_of};
use super::super::*;
use super::engine::Sqlite;
use super::service::{Answer, Browser, PASSWORD, Service};

/// A service with second factors, which the role `officer` must have or not.
async fn service(file: &Sqlite, required: bool) -> Service {
    let store = Arc::new(file.open().await);
    let roles = required.then(|| "officer".parse().unwrap());
    let factors = Factors {
        store,
        seal: Arc::new(Seal::parse(&Seal::new_key().unwrap()).unwrap()),
        issuer: "Tracebond".to_owned(),
        required: BTreeSet::from_iter(roles),
    };
    let extras = Extras {
        factors: Some(factors),
        ..Extras::default()
    };
    Service::with(None, extras).await
}

/// The app of a person, and the recovery codes that they were told.
struct Phone {
    secret: Secret,
    recovery: Vec<String>,
}

impl Phone {
    fn code(&self, at: Instant) -> String {
        digits(&self.secret, step_of(at))
    }
}

/// The six digits of a step, computed as the app does: nothing of ours shows them.
fn digits(secret: &Secret, step: i64) -> String {
    use ring::hmac;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let four: [u8; 4] = tag.as_ref()[at..at + 4].try_into().unwrap();
    let number = u32::from_be_bytes(four) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// The key on the page, as somebody types it into the app.
fn secret(page: &Answer) -> Secret {
    let (_, rest) = page.body.split_once("<code>").unwrap();
    let text = rest.split("</code>").next().unwrap().replace(' ', "");
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bits, mut held, mut bytes) = (0_u64, 0, Vec::new());
    for letter in text.chars() {
        bits = bits << 5 | u64::try_from(alphabet.find(letter).unwrap()).unwrap();
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 255) as u8);
        }
    }
    Secret::from_slice(&bytes).unwrap()
}

/// Sets up a factor from the page that shows a key.
async fn enrol(browser: &mut Browser<'_>, service: &Service, password: &str) -> (Answer, Phone) {
    let page = browser.get("/login/factor").await;
    assert_eq!(page.status, 200, "{}", page.body);
    let secret = secret(&page);
    let step = step_of(service.now());
    let form = format!(
        "csrf={}&offered={}&first={}&second={}&password={}",
        page.field("csrf"),
        page.field("offered"),
        digits(&secret, step - 1),
        digits(&secret, step),
        password.replace(' ', "+"),
    );
    let answer = browser.ask("POST", "/login/factor", &form).await;
    let codes = answer.body.split("<li><code>").skip(1);
    let codes = codes.map(|rest| rest.split('<').next().unwrap().to_owned());
    let recovery = codes.collect();
    (answer, Phone { secret, recovery })
}

async fn send_code(browser: &mut Browser<'_>, code: &str) -> Answer {
    let page = browser.get("/login/code").await;
    assert_eq!(page.status, 200, "{} {}", page.head, page.body);
    let form = format!("csrf={}&code={code}", page.field("csrf"));
    browser.ask("POST", "/login/code", &form).await
}

#[tokio::test]
async fn a_role_that_must_have_a_factor_sets_one_up_and_needs_it_then() {
    let file = Sqlite::new().await;
    let service = service(&file, true).await;
    let mut browser = Browser::of(&service);
    let answer = browser.log_in("li-wei", PASSWORD).await;
    assert!(
        answer.head.contains("location: /login/factor"),
        "{}",
        answer.head
    );
    assert_eq!(
        browser.get("/desk").await.status,
        303,
        "half a session opens nothing"
    );
    assert_eq!(
        browser.get("/login/code").await.status,
        200,
        "the page says nothing"
    );
    let half = browser.cookies["desk"].clone();
    let (answer, phone) = enrol(&mut browser, &service, "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(phone.recovery.len(), RECOVERY_CODES);
    assert!(answer.body.contains("href=\"/desk\"") && answer.head.contains("no-store"));
    assert_ne!(browser.cookies["desk"], half);
    assert_eq!(browser.get("/desk").await.status, 200);
    let noted = service.store.noted.lock().unwrap().clone();
    assert_eq!(noted, [("li-wei".parse().unwrap(), FactorNoted::Added)]);

    let mut other = Browser::of(&service);
    let answer = other.log_in("li-wei", PASSWORD).await;
    assert!(
        answer.head.contains("location: /login/code"),
        "{}",
        answer.head
    );
    assert_eq!(other.get("/desk").await.status, 303);
    let again = send_code(&mut other, &phone.code(service.now())).await;
    assert_eq!(again.status, 401, "the code of the enrolment is used up");
    service.pass(30);
    let done = send_code(&mut other, &phone.code(service.now())).await;
    assert!(done.head.contains("location: /desk"), "{}", done.head);
    assert_eq!(other.get("/desk").await.status, 200);
    assert_eq!(other.get("/login/code").await.status, 303);
}

#[tokio::test]
async fn a_code_is_taken_once_and_only_near_its_time() {
    let file = Sqlite::new().await;
    let service = service(&file, true).await;
    let mut browser = Browser::of(&service);
    browser.log_in("li-wei", PASSWORD).await;
    let (_, phone) = enrol(&mut browser, &service, "").await;
    service.pass(300);
    let code = phone.code(service.now());
    let early = digits(&phone.secret, step_of(service.now()) + 2);
    for (code, status) in [(&early, 401), (&code, 303)] {
        browser.log_in("li-wei", PASSWORD).await;
        assert_eq!(send_code(&mut browser, code).await.status, status, "{code}");
    }
    browser.log_in("li-wei", PASSWORD).await;
    assert_eq!(send_code(&mut browser, &code).await.status, 401);
    service.pass(60);
    assert_eq!(send_code(&mut browser, &code).await.status, 401);
    service.pass(60);
    let late = digits(&phone.secret, step_of(service.now()) - 2);
    assert_eq!(send_code(&mut browser, &late).await.status, 401);
    let earlier = digits(&phone.secret, step_of(service.now()) - 1);
    assert_eq!(send_code(&mut browser, &earlier).await.status, 303);
}

#[tokio::test]
async fn half_a_session_is_bound_to_its_browser_and_short() {
    let file = Sqlite::new().await;
    let service = service(&file, true).await;
    let mut browser = Browser::of(&service);
    browser.log_in("li-wei", PASSWORD).await;
    let (_, phone) = enrol(&mut browser, &service, "").await;
    service.pass(60);
    browser.log_in("li-wei", PASSWORD).await;
    let page = browser.get("/login/code").await;
    let form = format!(
        "csrf={}&code={}",
        page.field("csrf"),
        phone.code(service.now())
    );
    let mut stranger = Browser::of(&service);
    let answer = stranger.ask("POST", "/login/code", &form).await;
    assert!(
        answer.head.contains("location: /login\r\n"),
        "{}",
        answer.head
    );
    let forged = form.replacen(&page.field("csrf"), &"0".repeat(64), 1);
    assert_eq!(
        browser.ask("POST", "/login/code", &forged).await.status,
        403
    );
    browser.extra = "accept: text/html\r\norigin: https://evil.example\r\n".to_owned();
    assert_eq!(browser.ask("POST", "/login/code", &form).await.status, 403);
    browser.extra = "accept: text/html\r\n".to_owned();
    service.pass(HALF_LONGEST.as_secs());
    let late = browser.ask("POST", "/login/code", &form).await;
    assert!(late.head.contains("location: /login\r\n"), "{}", late.head);
    browser.log_in("li-wei", PASSWORD).await;
    let name = "li-wei".parse().unwrap();
    service
        .people
        .set_password(&name, "another pass phrase")
        .await
        .unwrap();
    let code = phone.code(service.now());
    let form = format!("csrf={}&code={code}", page.field("csrf"));
    let answer = browser.ask("POST", "/login/code", &form).await;
    assert!(
        answer.head.contains("location: /login\r\n"),
        "another password ends it"
    );
}

#[tokio::test]
async fn wrong_codes_count_with_wrong_passwords_and_a_right_password_forgives_none() {
    let file = Sqlite::new().await;
    let service = service(&file, true).await;
    let mut own = Browser::of(&service);
    own.log_in("li-wei", PASSWORD).await;
    let (_, phone) = enrol(&mut own, &service, "").await;
    service.pass(60);
    let mut stranger = Browser::of(&service);
    let mut tries = 0;
    loop {
        let answer = stranger.log_in("li-wei", PASSWORD).await;
        tries += 1;
        if answer.status == 429 {
            break;
        }
        assert_eq!(answer.status, 303);
        let answer = send_code(&mut stranger, "000000").await;
        tries += 1;
        if answer.status == 429 {
            break;
        }
        assert_eq!(answer.status, 401);
    }
    assert_eq!(tries, limit::TRIES_ACCOUNT + 1);
    // The owner's own browser is not held up by that.
    own.log_in("li-wei", PASSWORD).await;
    assert_eq!(
        send_code(&mut own, &phone.code(service.now())).await.status,
        303
    );
}

#[tokio::test]
async fn too_many_wrong_codes_lock_the_factor_until_a_second_person_resets_it() {
    let file = Sqlite::new().await;
    let service = service(&file, true).await;
    let mut browser = Browser::of(&service);
    browser.log_in("li-wei", PASSWORD).await;
    let (_, phone) = enrol(&mut browser, &service, "").await;
    let store = file.open().await;
    let (bank, li): (Slug, Slug) = ("bank".parse().unwrap(), "li-wei".parse().unwrap());
    for _ in 0..WRONG_MAX {
        store.count_wrong(&bank, &li).await.unwrap();
    }
    service.pass(60);
    browser.log_in("li-wei", PASSWORD).await;
    let answer = send_code(&mut browser, &phone.code(service.now())).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        send_code(&mut browser, &phone.recovery[0]).await.status,
        403
    );
    let wang: Slug = "wang-fang".parse().unwrap();
    let reset = |by: Slug, name: Slug| {
        let people = service.people.clone();
        async move { people.reset_factor(&by, &name).await }
    };
    assert!(matches!(
        reset(li.clone(), li.clone()).await,
        Err(FactorError::SamePerson)
    ));
    let nobody = reset(wang.clone(), li.clone()).await;
    assert!(matches!(nobody, Err(FactorError::NoAccount(_))));
    let officer = "officer".parse().unwrap();
    service.people.add(&wang, &officer, PASSWORD).await.unwrap();
    service.people.set_disabled(&wang, true).await.unwrap();
    let closed = reset(wang.clone(), li.clone()).await;
    assert!(matches!(closed, Err(FactorError::NoAccount(_))));
    service.people.set_disabled(&wang, false).await.unwrap();
    reset(wang.clone(), li.clone()).await.unwrap();
    assert!(matches!(
        reset(wang.clone(), li).await,
        Err(FactorError::None(_))
    ));
    let noted = service.store.noted.lock().unwrap().last().cloned();
    assert_eq!(noted.unwrap().1, FactorNoted::Reset { by: wang });
    let answer = browser.log_in("li-wei", PASSWORD).await;
    assert!(
        answer.head.contains("location: /login/factor"),
        "{}",
        answer.head
    );
}

#[tokio::test]
async fn a_recovery_code_replaces_the_app_once() {
    let file = Sqlite::new().await;
    let service = service(&file, true).await;
    let mut browser = Browser::of(&service);
    browser.log_in("li-wei", PASSWORD).await;
    let (_, phone) = enrol(&mut browser, &service, "").await;
    for (code, status) in [
        (phone.recovery[3].to_uppercase(), 303),
        (phone.recovery[3].clone(), 401),
        (phone.recovery[4].replace('-', "+"), 303),
        ("aaaa-aaaa-aaaa-aaaa".to_owned(), 401),
        ("not+a+code".to_owned(), 401),
        ("\u{6c49}".to_owned(), 401),
    ] {
        browser.log_in("li-wei", PASSWORD).await;
        assert_eq!(
            send_code(&mut browser, &code).await.status,
            status,
            "{code}"
        );
    }
    let used = service.store.noted.lock().unwrap().clone();
    let used = used
        .iter()
        .filter(|(_, what)| *what == FactorNoted::RecoveryUsed);
    assert_eq!(used.count(), 2);
}

#[tokio::test]
async fn who_may_have_a_factor_sets_it_up_with_the_password_and_other_sessions_end() {
    let file = Sqlite::new().await;
    let service = service(&file, false).await;
    let (mut here, mut there) = (Browser::of(&service), Browser::of(&service));
    for browser in [&mut here, &mut there] {
        assert_eq!(browser.log_in("li-wei", PASSWORD).await.status, 303);
        assert_eq!(browser.get("/desk").await.status, 200);
    }
    let (answer, _) = enrol(&mut here, &service, "not the pass phrase").await;
    assert_eq!(answer.status, 401);
    let (answer, phone) = enrol(&mut here, &service, PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(here.get("/desk").await.status, 200);
    assert_eq!(
        there.get("/desk").await.status,
        303,
        "it was entered without a factor"
    );
    assert_eq!(here.get("/login/factor").await.status, 409);
    service.pass(60);
    there.log_in("li-wei", PASSWORD).await;
    assert_eq!(
        send_code(&mut there, &phone.code(service.now()))
            .await
            .status,
        303
    );
    let store = file.open().await;
    let (bank, li) = ("bank".parse().unwrap(), "li-wei".parse().unwrap());
    assert!(store.remove_factor(&bank, &li).await.unwrap());
    assert_eq!(there.get("/desk").await.status, 303, "a reset ends it");
}

#[tokio::test]
async fn the_page_of_an_enrolment_holds_for_its_account_and_for_a_while() {
    let file = Sqlite::new().await;
    let service = service(&file, true).await;
    let mut browser = Browser::of(&service);
    assert_eq!(browser.get("/login/factor").await.status, 303);
    browser.log_in("li-wei", PASSWORD).await;
    let page = browser.get("/login/factor").await;
    assert!(page.body.contains("<svg") && !page.body.contains("<?xml"));
    let key = secret(&page);
    let form = |offered: &str, now: Instant| {
        let step = step_of(now);
        let (first, second) = (digits(&key, step - 1), digits(&key, step));
        let csrf = page.field("csrf");
        format!("csrf={csrf}&offered={offered}&first={first}&second={second}")
    };
    for offered in ["", "00", "zz", &page.field("offered").replace('0', "1")] {
        let sent = form(offered, service.now());
        let answer = browser.ask("POST", "/login/factor", &sent);
        assert_eq!(answer.await.status, 409, "{offered}");
    }
    service.pass(ENROL_LONGEST.as_secs());
    browser.log_in("li-wei", PASSWORD).await;
    let offered = page.field("offered");
    let sent = form(&offered, service.now());
    let answer = browser.ask("POST", "/login/factor", &sent);
    assert_eq!(answer.await.status, 409);
    let wang: Slug = "wang-fang".parse().unwrap();
    let officer = "officer".parse().unwrap();
    service.people.add(&wang, &officer, PASSWORD).await.unwrap();
    let page = browser.get("/login/factor").await;
    let offered = page.field("offered");
    browser.log_in("wang-fang", PASSWORD).await;
    let sent = form(&offered, service.now());
    let answer = browser.ask("POST", "/login/factor", &sent);
    assert_eq!(
        answer.await.status,
        409,
        "the key was offered to somebody else"
    );
}

#[tokio::test]
async fn the_table_tells_nobody_the_secret() {
    let file = Sqlite::new().await;
    let service = service(&file, true).await;
    let mut browser = Browser::of(&service);
    browser.log_in("li-wei", PASSWORD).await;
    let (_, phone) = enrol(&mut browser, &service, "").await;
    let store = file.open().await;
    let (bank, li) = ("bank".parse().unwrap(), "li-wei".parse().unwrap());
    let kept = store.factor(&bank, &li).await.unwrap().unwrap();
    let secret = phone.secret.as_bytes();
    assert!(
        !kept
            .secret
            .windows(4)
            .any(|part| secret.windows(4).any(|own| own == part))
    );
}
