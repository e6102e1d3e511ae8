//! Loans at the desk over HTTP: what is shown, what two people do, what is refused and why.

use schemas::time::Clock;

use super::my::{ACCOUNT, accepted, form, lends};
use super::*;
use crate::lending::{Draw, Request};
use crate::loan::life::{Actor, Deed, Span};
use crate::money::{Currency, Money};
use crate::schedule::periods;
use crate::store::lending::{Change, Head, Write};

fn yuan(text: &str) -> Money {
    Money::parse(text, Currency::CNY).unwrap()
}

/// A loan whose money went out today. No core of a bank is there: its word is said here.
async fn lent(bank: &Bank) -> String {
    let mut chen = bank.person("chen-hua").await;
    let id = accepted(bank, &mut chen).await;
    let secret = "0".repeat(63) + "7";
    let hash = sha256(&hex::decode(&secret).unwrap());
    let lending = bank.handle.lending.as_ref().unwrap();
    let token = crate::lending::NewToken {
        loan: id.parse().unwrap(),
        token: hash,
        account: ACCOUNT.to_owned(),
        amount: yuan("4000.00"),
        expires: None,
    };
    lending.issue(&token, Actor::Machine).await.unwrap();
    let draw = Draw {
        loan: id.parse().unwrap(),
        supplier: slug("qinghe"),
        token: hash,
        account: ACCOUNT.to_owned(),
        amount: yuan("4000.00"),
    };
    lending.draw(&draw).await.unwrap();
    let loaded = lending.loan(&draw.loan).await.unwrap();
    let file = loaded.loan.file();
    let product = &file.conditions().product;
    let today = crate::law::acceptance::china_day(lending.clock().now());
    let terms = product.terms(file.opened().instalments).unwrap();
    let made = periods(&terms, today, &lending.catalogue().calendar(product)).unwrap();
    let paid = Request {
        loan: draw.loan,
        key: "core".parse().unwrap(),
        value: Some(today),
        by: Actor::Bank,
        deed: Deed::Disbursed {
            reference: "core-1".to_owned(),
            periods: made.into_iter().map(Span::from).collect(),
        },
    };
    lending.act(paid).await.unwrap();
    id
}

/// The fields of a proposal's form on the page.
fn proposal(page: &Page, what: &str, more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mark = format!("data-what=\"{what}\"");
    let (_, rest) = page
        .text
        .split_once(&mark)
        .unwrap_or_else(|| panic!("no {what}"));
    let form = Page {
        text: rest.to_owned(),
        ..page.clone()
    };
    let mut fields: Vec<_> = ["csrf", "request", "seen", "what"]
        .into_iter()
        .map(|name| (name, form.field(name)))
        .collect();
    fields.extend(
        more.iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    fields
}

fn motion(page: &Page) -> String {
    let (_, rest) = page.text.split_once("/motions/").expect("a motion");
    // The first is the form of a proposal's own address where nothing waits.
    rest.split('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn two_officers_set_a_class_and_one_cannot() {
    let bank = lends().await;
    let id = lent(&bank).await;
    let path = format!("/loans/{id}");
    let mut li = bank.person("li-wei").await;
    let page = li.get(&format!("{path}?lang=en")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for words in [
        "Running",
        "qinghe",
        "Principal owed",
        "¥4,000.00",
        "not due",
        "Paid out",
        "core-1",
    ] {
        assert!(page.has(words), "{words}: {}", page.text);
    }
    assert!(!page.has(ACCOUNT) && page.has("•••• 1111"));
    let sent = proposal(
        &page,
        "graded",
        &[("at_least", "doubtful"), ("reason", "Seen on the spot.")],
    );
    let motions = format!("{path}/motions");
    for _ in 0..2 {
        assert_eq!(li.post(&motions, &sent).await.status, 303);
    }
    let mut other = sent.clone();
    other[5].1 = "Something else.".to_owned();
    let answer = li.post(&motions, &other).await;
    assert!(
        answer.status == 409 && answer.has("said something else before"),
        "{}",
        answer.text
    );
    let page = li.get(&path).await;
    assert!(page.has("You proposed this") && !page.has("Agree</button>"));
    // They forge the form of the second person.
    let forged = [("csrf", page.field("csrf")), ("seen", page.field("seen"))];
    let agree = format!("{motions}/{}/agree", motion(&page));
    let answer = li.post(&agree, &forged).await;
    assert!(
        answer.status == 403 && answer.has("You proposed this, so you cannot"),
        "{}",
        answer.text
    );
    assert!(!li.get("/").await.has("on a loan waits"));
    let mut wang = bank.person("wang-fang").await;
    let queue = wang.get("/?show=second&lang=en").await;
    assert!(queue.has("1 proposal on a loan waits") && queue.has(&format!("/loans/{id}#motions")));
    let page = wang.get(&path).await;
    assert!(
        page.has("Seen on the spot.") && page.has("same-person"),
        "{}",
        page.text
    );
    let seen = page.field("seen");
    let sent = [("csrf", page.field("csrf")), ("seen", seen.clone())];
    for _ in 0..2 {
        assert_eq!(wang.post(&agree, &sent).await.status, 303);
    }
    let page = wang.get(&path).await;
    assert!(
        page.has("li-wei proposed, wang-fang agreed") && page.has("Doubtful"),
        "{}",
        page.text
    );
    let zh = wang.get(&format!("{path}?lang=zh-CN")).await;
    assert!(
        zh.has("li-wei 提议，wang-fang 同意") && zh.has("可疑"),
        "{}",
        zh.text
    );
    assert!(!wang.get("/").await.has("等待您或同事复核"));
    bank.close().await;
}

#[tokio::test]
async fn an_old_page_and_a_wrong_field_change_nothing() {
    let bank = lends().await;
    let id = lent(&bank).await;
    let (path, motions) = (format!("/loans/{id}"), format!("/loans/{id}/motions"));
    let mut li = bank.person("li-wei").await;
    let page = li.get(&format!("{path}?lang=en")).await;
    for (what, fields, words) in [
        (
            "graded",
            vec![("at_least", "doubtful"), ("reason", " ")],
            "Reason",
        ),
        (
            "graded",
            vec![("at_least", "best"), ("reason", "x")],
            "Least class",
        ),
        ("paid", vec![("amount", "1e5")], "Amount in yuan"),
        ("paid", vec![("amount", "-1")], "Amount in yuan"),
        (
            "paid",
            vec![("amount", "1"), ("value", "2026-13-01")],
            "Counts from",
        ),
        (
            "new-terms",
            vec![
                ("instalments", "0"),
                ("months", "1"),
                ("rate", "6"),
                ("repaid", "bullet"),
                ("reason", "x"),
            ],
            "Instalments",
        ),
    ] {
        let sent = proposal(&page, what, &fields);
        let answer = li.post(&motions, &sent).await;
        assert!(
            answer.status == 422 && answer.has(words),
            "{what}: {}",
            answer.text
        );
        assert!(answer.has("Nothing was changed") && answer.has(&path));
    }
    let sent = proposal(&page, "written-off", &[("reason", "gone")]);
    let answer = li.post(&motions, &sent).await;
    assert!(
        answer.status == 422 && answer.has("Only a loan of the class loss"),
        "{}",
        answer.text
    );
    let lending = bank.handle.lending.as_ref().unwrap();
    assert!(lending.motions().await.unwrap().is_empty());
    // Somebody pays meanwhile: what was filled in before is refused, and kept.
    let stale = proposal(
        &page,
        "graded",
        &[("at_least", "doubtful"), ("reason", "x")],
    );
    let pay = proposal(&page, "paid", &[("amount", "￥1,000")]);
    assert_eq!(li.post(&motions, &pay).await.status, 303);
    let mut wang = bank.person("wang-fang").await;
    let page = wang.get(&format!("{path}?lang=en")).await;
    let agree = format!("{motions}/{}", motion(&page));
    let sent = [("csrf", page.field("csrf")), ("seen", page.field("seen"))];
    assert_eq!(
        wang.post(&format!("{agree}/agree"), &sent).await.status,
        303
    );
    let answer = li.post(&motions, &stale).await;
    assert!(
        answer.status == 412 && answer.has("The loan has changed since you opened it"),
        "{}",
        answer.text
    );
    let page = wang.get(&path).await;
    assert!(
        page.has("<code>loan-changed</code>") && page.has("¥1,000.00"),
        "{}",
        page.text
    );
    // A motion that is over is not ended again.
    let sent = [("csrf", page.field("csrf"))];
    let answer = wang.post(&format!("{agree}/end"), &sent).await;
    assert!(
        answer.status == 409 && answer.has("ended meanwhile"),
        "{}",
        answer.text
    );
    let csrf = [("csrf", String::new()), ("seen", "1".to_owned())];
    assert_eq!(
        wang.post(&format!("{agree}/agree"), &csrf).await.status,
        403
    );
    bank.close().await;
}

#[tokio::test]
async fn whoever_did_not_accept_the_offer_issues_its_token() {
    let bank = lends().await;
    let mut chen = bank.person("chen-hua").await;
    let id = accepted(&bank, &mut chen).await;
    let (path, tokens) = (format!("/loans/{id}"), format!("/loans/{id}/tokens"));
    let mut li = bank.person("li-wei").await;
    let page = li.get(&format!("{path}?lang=en")).await;
    assert!(
        page.has("No money is out yet") && page.has("Issue a token"),
        "{}",
        page.text
    );
    let fields = |page: &Page, amount: &str| {
        let mut fields = form(page, &["csrf", "seen"]);
        fields.push(("account", ACCOUNT.to_owned()));
        fields.push(("amount", amount.to_owned()));
        fields
    };
    let answer = li.post(&tokens, &fields(&page, "4,000")).await;
    assert!(
        answer.status == 422 && answer.has("does not release its money"),
        "{}",
        answer.text
    );
    let mut wang = bank.person("wang-fang").await;
    let page = wang.get(&format!("{path}?lang=en")).await;
    let answer = wang.post(&tokens, &fields(&page, "4,001")).await;
    assert!(
        answer.status == 422 && answer.has("look at its amount"),
        "{}",
        answer.text
    );
    let sent = fields(&page, "4,000");
    let issued = wang.post(&tokens, &sent).await;
    assert_eq!(issued.status, 200, "{}", issued.text);
    assert_eq!(issued.headers["cache-control"], "no-store");
    let (_, secret) = issued
        .text
        .split_once("id=\"token-secret\">")
        .expect("a secret");
    let secret: String = secret.chars().take(64).collect();
    let hash = sha256(&hex::decode(&secret).unwrap()).to_string();
    let loan = bank.json(&format!("/v1{path}")).await;
    assert_eq!(loan["tokens"][0]["token_sha256"], hash);
    // Sent again, it issues nothing and shows no secret.
    let again = wang.post(&tokens, &sent).await;
    assert!(
        again.status == 412 && !again.has("token-secret"),
        "{}",
        again.text
    );
    let page = wang.get(&path).await;
    assert!(
        !page.has(&secret) && page.has("•••• 1111") && !page.has(ACCOUNT),
        "{}",
        page.text
    );
    assert!(!page.has("Issue a token"), "one token at a time");
    let (_, revoke) = page.text.split_once("/acts\" class=\"form\">").unwrap();
    let part = Page {
        text: revoke.to_owned(),
        ..page.clone()
    };
    let mut sent = form(&part, &["csrf", "request", "seen", "act", "token"]);
    let acts = format!("{path}/acts");
    for _ in 0..2 {
        assert_eq!(wang.post(&acts, &sent).await.status, 303);
    }
    sent[4].1 = "0".repeat(64);
    sent[1].1.push('x');
    assert_eq!(wang.post(&acts, &sent).await.status, 422);
    assert!(wang.get(&path).await.has("Taken back"));
    bank.close().await;
}

#[tokio::test]
async fn readers_read_and_do_nothing() {
    let bank = lends().await;
    let id = lent(&bank).await;
    let path = format!("/loans/{id}");
    for name in ["zhao-min", "sun-li"] {
        let mut person = bank.person(name).await;
        let page = person.get(&format!("{path}?lang=en")).await;
        assert!(
            page.has("Officers act on loans; you read.") && !page.has("data-what"),
            "{name}"
        );
        assert!(person.get("/loans?lang=en").await.has(&path));
        for (form, fields) in [
            (
                "motions",
                vec![
                    ("request", "f/1"),
                    ("seen", "1"),
                    ("what", "written-off"),
                    ("reason", "x"),
                ],
            ),
            (
                "tokens",
                vec![("seen", "1"), ("account", "1"), ("amount", "1")],
            ),
            (
                "acts",
                vec![("request", "f/1"), ("seen", "1"), ("act", "freeze")],
            ),
        ] {
            let mut sent = vec![("csrf", page.field("csrf"))];
            sent.extend(
                fields
                    .iter()
                    .map(|(name, value)| (*name, (*value).to_owned())),
            );
            assert_eq!(
                person.post(&format!("{path}/{form}"), &sent).await.status,
                403,
                "{name} {form}"
            );
        }
    }
    let mut li = bank.person("li-wei").await;
    assert_eq!(li.get("/loans/none").await.status, 404);
    // One person freezes; two thaw.
    let page = li.get(&format!("{path}?lang=en")).await;
    let mut sent = form(&page, &["csrf", "seen"]);
    sent.push(("request", "f/freeze".to_owned()));
    sent.push(("act", "freeze".to_owned()));
    for _ in 0..2 {
        assert_eq!(li.post(&format!("{path}/acts"), &sent).await.status, 303);
    }
    let page = li.get(&path).await;
    assert!(
        page.has("Frozen, nothing is drawn") && page.has("data-what=\"thawed\""),
        "{}",
        page.text
    );
    bank.close().await;
}

#[tokio::test]
async fn the_list_is_filtered_and_has_pages() {
    let bank = lends().await;
    let mut li = bank.person("li-wei").await;
    let page = li.get("/loans?lang=en").await;
    assert!(
        page.status == 200 && page.has("No loan is here"),
        "{}",
        page.text
    );
    let id = lent(&bank).await;
    let store = bank.handle.credit.store();
    let known = store.head(&id.parse().unwrap()).await.unwrap().unwrap();
    let change = |number: u32| Change {
        before: 0,
        head: Head {
            loan: format!("a-{number:03}").parse().unwrap(),
            acts: 1,
            state: "approved".to_owned(),
            supplier: slug("other"),
            position: None,
            due_day: None,
            run_day: None,
            ..known.clone()
        },
        acts: Vec::new(),
        room: Vec::new(),
        rows: Vec::new(),
        payee: None,
        ends: None,
    };
    let write = Write {
        book: bank.handle.lending.as_ref().unwrap().book().clone(),
        changes: (0..60).map(change).collect(),
        entries: Vec::new(),
        note: crate::audit::Entry {
            at: bank.clock.now(),
            actor: "test".to_owned(),
            action: crate::audit::Action::LoanAct,
            subject: "many".to_owned(),
            detail: String::new(),
        },
    };
    store.write_loans(&write).await.unwrap();
    let rows = |page: &Page| page.text.matches("class=\"row\"").count();
    let page = li.get("/loans").await;
    assert_eq!(rows(&page), 50);
    assert!(page.has("after=a-049") && page.has("not drawn") && !page.has("First page"));
    let page = li.get("/loans?after=a-049").await;
    assert!(
        page.has(&id)
            && page.has("¥4,000.00")
            && page.has("First page")
            && !page.has("rel=\"next\"")
    );
    let page = li.get("/loans?state=active").await;
    assert_eq!((rows(&page), page.has(&id)), (1, true));
    let page = li.get("/loans?supplier=other&state=approved").await;
    assert!(
        rows(&page) == 50 && page.has("after=a-049"),
        "{}",
        page.text
    );
    let page = li.get("/loans?supplier=other&state=active").await;
    assert!(rows(&page) == 0 && page.has("No loan is like this"));
    let page = li.get("/loans?late=1").await;
    assert!(rows(&page) == 0 && page.has("No loan is like this"));
    for wrong in ["state=late", "supplier=A%20B", "after=%20"] {
        let page = li.get(&format!("/loans?{wrong}")).await;
        assert!(
            page.status == 422 || page.status == 404,
            "{wrong}: {}",
            page.status
        );
    }
    // The filtered page knows the late ones once a day has passed their due day.
    bank.clock.set(at(24 * 42, 0));
    let lending = bank.handle.lending.as_ref().unwrap();
    lending
        .run_day(None, "test", &CancellationToken::new())
        .await
        .unwrap();
    let mut li = bank.person("li-wei").await;
    let page = li.get("/loans?late=1&state=delinquent").await;
    assert_eq!(
        (rows(&page), page.has("31 to 60 days")),
        (1, true),
        "{}",
        page.text
    );
    bank.close().await;
}
