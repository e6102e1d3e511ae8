//! Reports over HTTP, without any script: what is taken, what is refused, what is shown.

use platform::report::{MOST_OF_ITEM, Number, TEXT_MAX_CHARS};
use platform::store::ReaderStore as _;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};

use crate::browser::pages::{PEACHES, peaches};

/// A code that nobody has made.
pub const UNKNOWN: &str = "/01/09521001000017/10/NOBODY";

fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

async fn body(answer: Response) -> String {
    answer.text().await.unwrap()
}

/// The secret of a form that the platform has made.
async fn nonce(url: &str, code: &str) -> String {
    let form = client().get(format!("{url}/report?code={code}"));
    let html = body(form.send().await.unwrap()).await;
    let (_, rest) = html.split_once("name=\"nonce\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", kit::page::query_value(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

async fn post(url: &str, origin: Option<&str>, fields: &[(&str, &str)]) -> Response {
    let mut request = client()
        .post(format!("{url}/report"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(encoded(fields));
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    request.send().await.unwrap()
}

/// Files a report; its number.
pub async fn file(url: &str, code: &str, kind: &str) -> String {
    let nonce = nonce(url, code).await;
    let fields = [
        ("code", code),
        ("kind", kind),
        ("nonce", &nonce),
        ("contact", "a@b.example"),
    ];
    let answer = post(url, Some(url), &fields).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let place = answer.headers()["location"].to_str().unwrap();
    place.strip_prefix("/report/").unwrap().to_owned()
}

#[tokio::test]
async fn report_reaches_the_maker_and_its_contact_is_erased() {
    let (world, served) = peaches().await;
    let number = file(&served.url, PEACHES, "unsafe").await;
    let parsed: Number = number.parse().unwrap();
    let maker = "qinghe".parse().unwrap();
    let kept = world.store.reports_of(Some(&maker), 9).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((&kept[0].number, kept[0].has_contact), (&parsed, true));

    let page = format!("{}/report/{number}", served.url);
    let shown = client().get(&page).send().await.unwrap();
    assert_eq!(shown.headers()["cache-control"], "no-store");
    let html = body(shown).await;
    assert!(html.contains(&parsed.to_string()) && !html.contains("a@b.example"));
    let forget = client().post(format!("{page}/forget"));
    let foreign = forget
        .try_clone()
        .unwrap()
        .header("origin", "https://evil.example");
    assert_eq!(
        foreign.send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    assert!(world.store.contact_of(&parsed).await.unwrap().is_some());
    assert_eq!(forget.send().await.unwrap().status(), StatusCode::SEE_OTHER);
    assert_eq!(world.store.contact_of(&parsed).await.unwrap(), None);

    // About a code that nobody has made: nobody but the operator sees it.
    file(&served.url, UNKNOWN, "looks_copied").await;
    assert_eq!(world.store.reports_of(None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_taken_comes_back_escaped_and_is_not_kept() {
    let (world, served) = peaches().await;
    let url = served.url.as_str();
    let nonce = nonce(url, PEACHES).await;
    let evil = "<script>alert(1)</script>";
    let base = |kind, text| {
        [
            ("code", PEACHES),
            ("kind", kind),
            ("text", text),
            ("contact", evil),
            ("nonce", nonce.as_str()),
        ]
    };
    let answer = post(url, None, &base(evil, evil)).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let html = body(answer).await;
    assert!(
        !html.contains("<script>") && html.matches("alert(1)").count() == 2,
        "{html}"
    );
    let long = "封".repeat(TEXT_MAX_CHARS + 1);
    for (fields, origin, status) in [
        (
            base("unsafe", &long),
            None,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            base("unsafe", "x"),
            Some("https://evil.example"),
            StatusCode::FORBIDDEN,
        ),
        (base("unsafe", "x"), Some("null"), StatusCode::FORBIDDEN),
    ] {
        assert_eq!(post(url, origin, &fields).await.status(), status);
    }
    let huge = "y".repeat(80 * 1024);
    let answer = post(url, None, &base("unsafe", &huge)).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let answer = post(url, None, &[("code", "0952"), ("kind", "unsafe")]).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let maker = "qinghe".parse().unwrap();
    for organisation in [None, Some(&maker)] {
        let kept = world.store.reports_of(organisation, 9).await.unwrap();
        assert_eq!(kept, []);
    }
}

#[tokio::test]
async fn flood_about_one_code_leaves_the_others_open() {
    let (_world, served) = peaches().await;
    let url = served.url.as_str();
    for _ in 0..MOST_OF_ITEM {
        file(url, PEACHES, "unsafe").await;
    }
    let nonce = nonce(url, PEACHES).await;
    let fields = [
        ("code", PEACHES),
        ("kind", "other"),
        ("text", "mine"),
        ("nonce", &nonce),
    ];
    let answer = post(url, Some(url), &fields).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(
        body(answer).await.contains("mine"),
        "what was written is not lost"
    );
    file(url, UNKNOWN, "unsafe").await;
}

#[tokio::test]
async fn numbers_that_are_none_are_told_apart() {
    let (_world, served) = peaches().await;
    let status = async |path: &str| {
        let answer = client().get(format!("{}{path}", served.url)).send().await;
        answer.unwrap().status()
    };
    // Damm's check digit of fifteen zeros is zero.
    assert_eq!(
        status("/report/0000000000000000").await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        status("/report/0000000000000001").await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(status("/report?number=12").await, StatusCode::BAD_REQUEST);
    assert_eq!(
        status("/report?number=0000-0000-0000-0000").await,
        StatusCode::SEE_OTHER
    );
    assert_eq!(status("/report").await, StatusCode::OK);
}

/// Pages are compressed where that helps, assets are kept for ever under their content's name.
#[tokio::test]
async fn wire_carries_little() {
    let (_world, served) = peaches().await;
    let get = async |path: &str| {
        let request = client().get(format!("{}{path}", served.url));
        request
            .header("accept-encoding", "gzip")
            .send()
            .await
            .unwrap()
    };
    let page = get(PEACHES).await;
    assert_eq!(page.headers()["content-encoding"], "gzip");
    assert_eq!(page.headers()["cache-control"], "no-cache");
    let tiny = get("/nothing").await;
    assert!(!tiny.headers().contains_key("content-encoding"));
    let start = client().get(format!("{}/", served.url)).send();
    let plain = body(start.await.unwrap()).await;
    let (_, rest) = plain.split_once("href=\"/assets/tracebond.css").unwrap();
    let query = rest.split('"').next().unwrap();
    let sheet = get(&format!("/assets/tracebond.css{query}")).await;
    assert_eq!(sheet.headers()["content-encoding"], "gzip");
    assert!(
        sheet.headers()["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let other = get("/assets/tracebond.css?v=0").await;
    assert_eq!(other.headers()["cache-control"], "no-cache");
    // A form holds a secret: its length must not tell of it.
    let form = get(&format!("/report?code={PEACHES}")).await;
    assert!(!form.headers().contains_key("content-encoding"));
}
