//! The borrower's side over HTTP: what is theirs, what is nobody else's, and what may be done twice.

use super::*;

const LENDS: &str = r#"
listen = "127.0.0.1:0"
database = "credit.sqlite"
policy = "policy.json"

[consent]
waived = "a test without signed consents"

[sandbox]
id = "trial-1"
version = 1
currency = "CNY"
per_loan = "5000.00"
outstanding = "9000.00"

[desk]
second_officer_above = { amount = "4500.00", currency = "CNY" }
offer_valid_h = 24

[[products]]
id = "receivable-90"
currency = "CNY"
minimum = "1000.00"
cap = "300000.00"
turnover_multiple = "0.6"

[lending]
products = ["product.toml"]
calendars = ["cn.toml"]
"#;

pub(super) const ACCOUNT: &str = "6222 0000 1111";

async fn files(config: &Config) {
    let lending = config.lending.as_ref().unwrap();
    let text = include_str!("../../../products/receivable-confirming.toml");
    let text = text.replace("id = \"receivable-confirming\"", "id = \"receivable-90\"");
    let text = text.replace("every = 180", "every = 30");
    std::fs::write(&lending.products[0], text).unwrap();
    let text = include_str!("../../../products/calendars/cn.toml");
    std::fs::write(&lending.calendars[0], text).unwrap();
}

/// A lending bank with one person of `qinghe` and one of another supplier.
pub(super) async fn lends() -> Bank {
    let bank = Bank::open_as(journey(&COLD), LENDS, files).await;
    for (name, supplier) in [("chen-hua", "qinghe"), ("liu-yang", "other")] {
        let (name, supplier) = (slug(name), slug(supplier));
        let accounts = &bank.handle.accounts;
        let made = accounts.add_borrower("test", &name, &supplier, PASSWORD);
        made.await.unwrap();
    }
    bank
}

pub(super) async fn offered(bank: &Bank) -> String {
    let id = bank.offer("A-1", "4000.00").await;
    let mut officer = bank.person("li-wei").await;
    let page = officer.decide(&id, &[("act", "accept")]).await;
    assert_eq!(page.status, 303, "{}", page.text);
    id
}

pub(super) fn form(page: &Page, names: &[&'static str]) -> Vec<(&'static str, String)> {
    names.iter().map(|name| (*name, page.field(name))).collect()
}

pub(super) async fn accepted(bank: &Bank, person: &mut Person<'_>) -> String {
    let id = offered(bank).await;
    let page = person.get(&format!("/my/loans/{id}")).await;
    let sent = form(&page, &["csrf", "version", "instalments"]);
    let answer = person.post(&format!("/my/loans/{id}/accept"), &sent).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    id
}

async fn issue(bank: &Bank, id: &str, secret: &str) {
    let url = format!("{}/v1/loans/{id}/tokens", bank.base);
    let token = sha256(secret.as_bytes());
    let body = json!({
        "token_sha256": token, "account": ACCOUNT, "amount": "4000.00", "currency": "CNY",
    });
    let request = bank.client.post(url).bearer_auth(TOKEN).json(&body);
    let request = request.header("idempotency-key", format!("\"{secret}\""));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn a_machine_that_read_an_older_loan_changes_nothing_of_it() {
    let bank = lends().await;
    let mut chen = bank.person("chen-hua").await;
    let id = accepted(&bank, &mut chen).await;
    let url = format!("{}/v1/loans/{id}", bank.base);
    let read = async || {
        let answer = bank.client.get(&url).bearer_auth(TOKEN).send().await;
        answer.unwrap().headers()["etag"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    let write = async |what: &str, tag: &str, key: &str, body: Value| {
        let request = bank.client.post(format!("{url}/{what}"));
        let request = request.bearer_auth(TOKEN).json(&body);
        let request = request.header("idempotency-key", format!("\"{key}\""));
        let answer = request.header("if-match", tag).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap())
    };
    let token = json!({
        "token_sha256": sha256(b"secret"), "account": ACCOUNT, "amount": "4000.00", "currency": "CNY",
    });
    let before = read().await;
    let tags = [
        ("\"another\"", 412),
        (&*format!("W/{before}"), 412),
        ("*", 428),
        ("no tag", 400),
        (&before, 201),
    ];
    for (n, (tag, status)) in tags.into_iter().enumerate() {
        let (found, said) = write("tokens", tag, &format!("token-{n}"), token.clone()).await;
        assert_eq!(found, status, "{tag}: {said}");
    }
    let lower = json!({ "supplier": "qinghe", "amount": "3000.00", "currency": "CNY" });
    let (status, said) = write("tokens/limit", &before, "limit-1", lower.clone()).await;
    assert_eq!(
        (status, &said["rule"]),
        (412, &json!("loan-changed")),
        "{said}"
    );
    let (status, said) = write("tokens/limit", &read().await, "limit-2", lower).await;
    assert_eq!(status, 200, "{said}");
    let supplier = json!({ "supplier": "qinghe" });
    let (status, _) = write("tokens/revoke", &before, "revoke-1", supplier.clone()).await;
    assert_eq!(status, 412);
    let (status, said) = write("tokens/revoke", &read().await, "revoke-2", supplier).await;
    assert_eq!(status, 200, "{said}");
    // What was refused for an old reading is kept with the loan, once for what was asked: the token is
    // named by itself, both its tries are one.
    let denials = bank.json(&format!("/v1/loans/{id}/denials")).await;
    let rules = denials
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["rule"].clone());
    assert_eq!(
        rules.filter(|rule| rule == "loan-changed").count(),
        3,
        "{denials}"
    );
    bank.close().await;
}

#[tokio::test]
async fn a_borrower_reads_the_whole_schedule_and_accepts_once() {
    let bank = lends().await;
    let waiting = bank.offer("A-0", "1000.00").await;
    let mut chen = bank.person("chen-hua").await;
    let page = chen.get(&format!("/my/loans/{waiting}?lang=en")).await;
    assert!(page.has("Waiting at the bank") && !page.has("Accept the offer"));
    let id = offered(&bank).await;
    let path = format!("/my/loans/{id}");
    let page = chen.get(&path).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for words in [
        "Offered to you",
        "Interest and fees in all",
        "¥4,000.00",
        "Valid until",
    ] {
        assert!(page.has(words), "{words}: {}", page.text);
    }
    assert!(!page.has("li-wei"), "no officer is named");
    let mut sent = form(&page, &["csrf", "version", "instalments"]);
    let accept = format!("{path}/accept");
    sent[1].1 = "0".repeat(64);
    assert_eq!(chen.post(&accept, &sent).await.status, 412);
    let sent = form(&page, &["csrf", "version", "instalments"]);
    let no_token = [("csrf", String::new()), sent[1].clone(), sent[2].clone()];
    assert_eq!(chen.post(&accept, &no_token).await.status, 403);
    assert!(bank.json(&format!("/v1/loans/{id}")).await["state"].is_null());
    for _ in 0..2 {
        assert_eq!(chen.post(&accept, &sent).await.status, 303);
    }
    let acts = bank.json(&format!("/v1/loans/{id}/acts")).await;
    assert_eq!(acts.as_array().unwrap().len(), 1);
    let home = chen.get("/my").await;
    assert!(home.has("Accepted, no token yet") && home.has("Waiting at the bank"));
    let zh = chen.get("/my?lang=zh-CN").await;
    assert!(zh.has("已接受，尚无提款凭证") && zh.has("我的申请与贷款"));
    bank.close().await;
}

#[tokio::test]
async fn an_offer_that_ran_out_is_not_accepted() {
    let bank = lends().await;
    let id = offered(&bank).await;
    let mut chen = bank.person("chen-hua").await;
    let path = format!("/my/loans/{id}?lang=en");
    let page = chen.get(&path).await;
    let sent = form(&page, &["csrf", "version", "instalments"]);
    // The session would end before the offer: they log in again.
    bank.clock.set(at(48, 0));
    let mut chen = bank.person("chen-hua").await;
    let page = chen.get(&path).await;
    assert!(page.has("The offer has run out") && !page.has("Accept the offer"));
    let fresh = [
        ("csrf", page.field("csrf")),
        sent[1].clone(),
        sent[2].clone(),
    ];
    let answer = chen.post(&format!("/my/loans/{id}/accept"), &fresh).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    let page = chen.get(&path).await;
    assert!(page.has("<code>offer-lapsed</code>"), "{}", page.text);
    bank.close().await;
}

#[tokio::test]
async fn a_token_is_lowered_and_taken_back_by_its_borrower() {
    let bank = lends().await;
    let mut chen = bank.person("chen-hua").await;
    let id = accepted(&bank, &mut chen).await;
    issue(&bank, &id, "one").await;
    let path = format!("/my/loans/{id}");
    let page = chen.get(&format!("{path}?lang=en")).await;
    assert!(page.has("•••• 1111") && !page.has("6222"), "{}", page.text);
    let mut sent = form(&page, &["csrf", "token"]);
    sent.push(("amount", "9000.00".to_owned()));
    let limit = format!("{path}/limit");
    assert_eq!(chen.post(&limit, &sent).await.status, 422, "never more");
    for wrong in ["-1", "much", &"9".repeat(33)] {
        sent[2].1 = wrong.to_owned();
        assert_eq!(chen.post(&limit, &sent).await.status, 422, "{wrong}");
    }
    sent[2].1 = "1500.00".to_owned();
    for _ in 0..2 {
        assert_eq!(chen.post(&limit, &sent).await.status, 303);
    }
    let loan = bank.json(&format!("/v1/loans/{id}")).await;
    assert_eq!(loan["tokens"][0]["amount"]["amount"], "1500.00");
    let page = chen.get(&path).await;
    assert!(page.has("What you asked for and did not get"));
    let sent = form(&page, &["csrf", "token"]);
    let revoke = format!("{path}/revoke");
    for _ in 0..2 {
        assert_eq!(chen.post(&revoke, &sent).await.status, 303);
    }
    // A form about the old token does nothing to a new one.
    issue(&bank, &id, "two").await;
    assert_eq!(chen.post(&revoke, &sent).await.status, 303, "done before");
    let stale = [
        sent[0].clone(),
        sent[1].clone(),
        ("amount", "1200.00".to_owned()),
    ];
    assert_eq!(chen.post(&limit, &stale).await.status, 412);
    let loan = bank.json(&format!("/v1/loans/{id}")).await;
    assert_eq!(loan["tokens"][0]["state"], "open");
    assert_eq!(loan["tokens"][1]["state"], "revoked");
    let trail = bank.person("sun-li").await.get("/audit").await;
    assert!(trail.has("chen-hua") && trail.has("token_revoked for qinghe"));
    bank.close().await;
}

#[tokio::test]
async fn what_is_another_suppliers_is_nothing() {
    let bank = lends().await;
    let mut chen = bank.person("chen-hua").await;
    let id = accepted(&bank, &mut chen).await;
    let mut liu = bank.person("liu-yang").await;
    let home = liu.get("/my?lang=en").await;
    assert!(!home.has(&id) && home.has("There is no application yet"));
    let csrf = home.field("csrf");
    let never = "0".repeat(32);
    for deed in ["", "/accept", "/limit", "/revoke"] {
        let fields = [
            ("csrf", csrf.clone()),
            ("version", String::new()),
            ("instalments", "1".to_owned()),
            ("token", "0".repeat(64)),
            ("amount", "1.00".to_owned()),
        ];
        let of = |names: &[&str]| {
            let kept = fields.iter().filter(|(name, _)| names.contains(name));
            kept.cloned().collect::<Vec<_>>()
        };
        let sent = match deed {
            "/accept" => of(&["csrf", "version", "instalments"]),
            "/limit" => of(&["csrf", "token", "amount"]),
            _ => of(&["csrf", "token"]),
        };
        let mut answers = Vec::new();
        for name in [&id, &never] {
            let path = format!("/my/loans/{name}{deed}");
            let page = match deed {
                "" => liu.get(&path).await,
                _ => liu.post(&path, &sent).await,
            };
            answers.push((page.status, page.text.replace(name.as_str(), "ID")));
        }
        assert_eq!(answers[0].0, 404, "{deed}");
        assert_eq!(answers[0], answers[1], "{deed}");
    }
    bank.close().await;
}

#[tokio::test]
async fn borrowers_and_the_banks_people_see_nothing_of_each_others_pages() {
    let bank = lends().await;
    let mut chen = bank.person("chen-hua").await;
    assert_eq!(chen.get("/").await.location.as_deref(), Some("/my"));
    let csrf = chen.get("/my").await.field("csrf");
    let open = [
        "/login",
        "/oauth2/",
        "/assets/",
        "/health/",
        "/verify",
        "/.well-known/",
    ];
    let open = |path: &str| {
        let own = path == "/" || path == "/logout" || path.starts_with("/my");
        own || path == "/v1/attestations" || open.iter().any(|one| path.starts_with(one))
    };
    let mut asked = 0;
    for route in bank.handle.routes.iter().filter(|route| !open(&route.path)) {
        let path = route.path.replace("{id}", "x").replace(['{', '}'], "");
        let page = match route.method.as_str() {
            "GET" => chen.get(&path).await,
            _ => chen.post(&path, &[("csrf", csrf.clone())]).await,
        };
        assert_eq!(page.status, 403, "{}", route.name());
        asked += 1;
    }
    assert!(asked > 30, "{asked} routes were asked");
    for name in ["li-wei", "zhao-min", "sun-li", "jin-guan"] {
        let mut person = bank.person(name).await;
        for path in ["/my", "/my/loans/x"] {
            assert_eq!(person.get(path).await.status, 403, "{name} {path}");
        }
    }
    let accounts = &bank.handle.accounts;
    let (officer, chen, qinghe, other) = (
        slug("li-wei"),
        slug("chen-hua"),
        slug("qinghe"),
        slug("other"),
    );
    let again = accounts.add_borrower("test", &officer, &qinghe, PASSWORD);
    assert!(again.await.is_err(), "an officer becomes no borrower");
    let moved = accounts.add_borrower("test", &chen, &other, PASSWORD);
    assert!(moved.await.is_err(), "one account is of one supplier");
    assert_eq!(accounts.supplier_of(&chen).await.unwrap(), qinghe);
    bank.close().await;
}

#[tokio::test]
async fn an_offer_is_declined_once_and_never_accepted_then() {
    let bank = lends().await;
    let id = offered(&bank).await;
    assert_eq!(bank.used().await, "4000.00");
    let mut chen = bank.person("chen-hua").await;
    let path = format!("/my/loans/{id}");
    let page = chen.get(&format!("{path}?lang=en")).await;
    let mut sent = form(&page, &["csrf", "version", "instalments"]);
    let (decline, accept) = (format!("{path}/decline"), format!("{path}/accept"));
    sent[1].1 = "0".repeat(64);
    assert_eq!(chen.post(&decline, &sent).await.status, 412);
    let sent = form(&page, &["csrf", "version", "instalments"]);
    for _ in 0..2 {
        assert_eq!(chen.post(&decline, &sent).await.status, 303);
    }
    assert_eq!(bank.used().await, "0.00");
    let page = chen.get(&path).await;
    assert!(page.has("You declined the offer") && !page.has("Accept the offer</button>"));
    let answer = chen.post(&accept, &sent).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(
        answer.has("Apply again if you need the money"),
        "{}",
        answer.text
    );
    let zh = chen.get(&format!("{path}?lang=zh-CN")).await;
    assert!(
        zh.has("您已谢绝该授信") && zh.has("接受授信"),
        "{}",
        zh.text
    );
    assert!(chen.get("/my").await.has("您已谢绝"));
    let mut li = bank.person("sun-li").await;
    let trail = li.get("/audit").await;
    assert!(trail.has("declined for qinghe") && trail.has("chen-hua"));
    // What the bank accepted is nothing that it still offers.
    let page = li.get(&format!("/decisions/{id}?lang=en")).await;
    assert!(page.has("Borrower declined <") && !page.has("Accepted <"));
    let queue = li.get("/?state=settled&lang=en").await;
    assert!(queue.has("> Borrower declined</span>") && !queue.has("> Accepted</span>"));
    bank.close().await;
}

#[tokio::test]
async fn money_is_drawn_by_whoever_has_secret_and_account() {
    let bank = lends().await;
    let mut chen = bank.person("chen-hua").await;
    let id = accepted(&bank, &mut chen).await;
    let mut wang = bank.person("wang-fang").await;
    let desk = wang.get(&format!("/loans/{id}?lang=en")).await;
    let mut fields = form(&desk, &["csrf", "seen"]);
    fields.push(("account", ACCOUNT.to_owned()));
    fields.push(("amount", "4000".to_owned()));
    let issued = wang.post(&format!("/loans/{id}/tokens"), &fields).await;
    let (_, secret) = issued.text.split_once("token-secret\">").unwrap();
    let secret: String = secret.chars().take(64).collect();
    let path = format!("/my/loans/{id}");
    let page = chen.get(&format!("{path}?lang=en")).await;
    let draw = format!("{path}/draw");
    let sent = |secret: &str, account: &str, amount: &str| {
        let mut sent = form(&page, &["csrf", "token"]);
        sent.push(("secret", secret.to_owned()));
        sent.push(("account", account.to_owned()));
        sent.push(("amount", amount.to_owned()));
        sent
    };
    for (secret, account, amount, words) in [
        ("short", ACCOUNT, "4000", "Secret"),
        (
            &"0".repeat(64),
            ACCOUNT,
            "4000",
            "A wrong secret draws nothing",
        ),
        (&secret, "6222 0000 2222", "4000", "its account"),
        (&secret, ACCOUNT, "4000.01", "look at its amount"),
        (&secret, ACCOUNT, "none", "Amount in yuan"),
    ] {
        let answer = chen.post(&draw, &sent(secret, account, amount)).await;
        assert!(
            answer.status == 422 && answer.has(words),
            "{words}: {}",
            answer.text
        );
    }
    let loan = bank.json(&format!("/v1/loans/{id}")).await;
    assert_eq!(loan["state"], "drawable");
    // No core of a bank is there: the payment is under way until it answers.
    let right = sent(&format!(" {} ", secret.to_uppercase()), ACCOUNT, "3,000");
    for _ in 0..2 {
        let answer = chen.post(&draw, &right).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
    }
    let page = chen.get(&path).await;
    assert!(
        page.has("Payment under way") && page.has("Used") && !page.has("/draw"),
        "{}",
        page.text
    );
    assert!(
        page.has("A wrong secret draws nothing"),
        "what was refused stands there"
    );
    let acts = bank.json(&format!("/v1/loans/{id}/acts")).await;
    let used = acts.as_array().unwrap().iter();
    let used = used.filter(|one| one["act"]["deed"]["deed"] == "token_used");
    assert_eq!(used.count(), 1);
    bank.close().await;
}

#[tokio::test]
async fn refusals_of_a_role_speak_to_whoever_asks() {
    let bank = lends().await;
    let mut chen = bank.person("chen-hua").await;
    for (lang, words) in [
        ("en", "Your account is for your company"),
        ("zh-CN", "您的账户用于本企业"),
    ] {
        let page = chen.get(&format!("/loans?lang={lang}")).await;
        assert!(page.status == 403 && page.has(words), "{}", page.text);
        assert!(!page.has("Officers decide") && !page.has("信贷员"));
    }
    let page = chen.get("/my/consents?lang=en").await;
    assert!(
        page.status == 200 && page.has("asks for no signed consent"),
        "{}",
        page.text
    );
    assert!(page.has("a test without signed") && !page.has("consent withdraw"));
    let mut li = bank.person("li-wei").await;
    let page = li.get("/my?lang=en").await;
    assert!(
        page.status == 403 && page.has("People of the bank read loans"),
        "{}",
        page.text
    );
    bank.close().await;
}
