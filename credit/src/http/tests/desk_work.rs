//! Work beside offers over HTTP: the second officer's inbox, assignment, notes, tasks, documents,
//! exports, and the line that tells of changes.

use schemas::time::Clock as _;

use super::*;

const KEY: &str = "00112233445566778899aabbccddeeff";
const PDF: &[u8] = b"%PDF-1.7\n\0\x01 not really";

#[tokio::test]
async fn second_officers_inbox_shows_what_waits_for_somebody_else_than_its_proposer() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "5000.00").await;
    bank.offer("A-2", "4000.00").await;
    let (mut li, mut wang) = (bank.person("li-wei").await, bank.person("wang-fang").await);
    assert!(!wang.get("/?show=second").await.has("class=\"row\""));
    li.decide(&id, &[("act", "accept")]).await;
    let inbox = wang.get("/?show=second").await;
    assert!(
        inbox.has(">A-1</a>") && !inbox.has(">A-2</a>"),
        "{}",
        inbox.text
    );
    assert!(inbox.has("li-wei has accepted; another officer decides"));
    let own = li.get("/?show=second").await;
    assert!(!own.has("class=\"row\"") && own.has("and the filter hides all of them"));
    let page = li.get(&format!("/decisions/{id}")).await;
    assert!(!page.has("value=\"accept\"") && !page.has("value=\"refuse\""));
    let page = wang.get(&format!("/decisions/{id}")).await;
    assert!(page.has("value=\"accept\"") && page.has("value=\"refuse\""));
    // A supervisor decides on nothing: nothing waits for them.
    let mut zhao = bank.person("zhao-min").await;
    assert!(!zhao.get("/?show=second").await.has("class=\"row\""));
    bank.close().await;
}

#[tokio::test]
async fn what_nobody_looked_at_in_time_is_overdue() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "5000.00").await;
    let mut li = bank.person("li-wei").await;
    assert!(!li.get("/?show=overdue").await.has("class=\"row\""));
    li.decide(&id, &[("act", "accept")]).await;
    // The second officer has two hours; the offer itself lapses after a day.
    bank.clock.set(at(26, 1));
    let mut wang = bank.person("wang-fang").await;
    let overdue = wang.get("/?show=overdue").await;
    assert!(
        overdue.has(">A-1</a>") && overdue.has("Overdue"),
        "{}",
        overdue.text
    );
    bank.close().await;
}

#[tokio::test]
async fn an_offer_is_given_to_an_officer_and_to_another_one_with_a_reason() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "5000.00").await;
    let (mut li, mut zhao) = (bank.person("li-wei").await, bank.person("zhao-min").await);
    assert!(li.get("/?show=unassigned").await.has(">A-1</a>"));
    let given = li
        .beside(&id, "assignment", &[("known", "0"), ("officer", "li-wei")])
        .await;
    assert_eq!(given.status, 303, "{}", given.text);
    assert!(li.get("/?show=mine").await.has(">A-1</a>"));
    assert!(!li.get("/?show=unassigned").await.has("class=\"row\""));
    for (fields, status, says) in [
        (
            vec![
                ("known", "0"),
                ("officer", "wang-fang"),
                ("reason", "leave"),
            ],
            409,
            "Somebody has assigned it meanwhile",
        ),
        (
            vec![("known", "1"), ("officer", "wang-fang")],
            422,
            "A reassignment needs a reason",
        ),
        (
            vec![("known", "1"), ("officer", "zhao-min"), ("reason", "x")],
            422,
            "This person does not decide",
        ),
        (
            vec![("known", "1"), ("officer", "nobody"), ("reason", "x")],
            422,
            "Nobody of this name works here",
        ),
    ] {
        let answer = zhao.beside(&id, "assignment", &fields).await;
        assert!(
            answer.status == status && answer.has(says),
            "{fields:?} {}",
            answer.text
        );
    }
    li.decide(&id, &[("act", "accept")]).await;
    let proposer = zhao
        .beside(
            &id,
            "assignment",
            &[
                ("known", "1"),
                ("officer", "wang-fang"),
                ("reason", "li-wei is on leave"),
            ],
        )
        .await;
    assert_eq!(proposer.status, 303, "{}", proposer.text);
    let back = zhao
        .beside(
            &id,
            "assignment",
            &[("known", "2"), ("officer", "li-wei"), ("reason", "back")],
        )
        .await;
    assert!(back.status == 409 && back.has("The second officer has to be another person"));
    let trail = zhao.get("/audit").await;
    assert!(
        trail.has("li-wei &#62; wang-fang: li-wei is on leave"),
        "{}",
        trail.text
    );
    let mut sun = bank.person("sun-li").await;
    let page = sun.get(&format!("/decisions/{id}")).await;
    assert!(!page.has("/assignment\"") && !page.has("name=\"file\""));
    let read = [
        ("csrf", page.field("csrf")),
        ("known", "2".into()),
        ("officer", "".into()),
        ("reason", "x".into()),
    ];
    assert_eq!(
        sun.post(&format!("/decisions/{id}/assignment"), &read)
            .await
            .status,
        403
    );
    bank.close().await;
}

#[tokio::test]
async fn notes_and_tasks_are_added_once_and_stay() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "4000.00").await;
    let (mut li, mut wang) = (bank.person("li-wei").await, bank.person("wang-fang").await);
    let note = [
        ("key", KEY),
        ("text", "Called the buyer.\r\n<b>Goods</b> are there."),
    ];
    for _ in 0..2 {
        assert_eq!(li.beside(&id, "notes", &note).await.status, 303);
    }
    let page = wang.get(&format!("/decisions/{id}")).await;
    assert_eq!(page.text.matches("Called the buyer.").count(), 1);
    assert!(!page.has("<b>Goods</b>"));
    let long = "字".repeat(4_000);
    let other = "ff".repeat(16);
    assert_eq!(
        li.beside(&id, "notes", &[("key", &other), ("text", &long)])
            .await
            .status,
        303
    );
    for text in ["  ", &format!("{long}字"), "a\u{1b}[2J"] {
        let answer = li
            .beside(&id, "notes", &[("key", KEY), ("text", text)])
            .await;
        assert!(answer.status == 422 && answer.has("empty or too long"));
    }
    let task = |until: &'static str| {
        [
            ("key", KEY),
            ("what", "Ask for the contract"),
            ("who", "wang-fang"),
            ("until", until),
        ]
    };
    let day = bank.clock.now().to_rfc3339()[..10].to_owned();
    let past = li.beside(&id, "tasks", &task("2020-01-01")).await;
    assert!(past.status == 422 && past.has("The day is not possible"));
    assert_eq!(li.beside(&id, "tasks", &task("soon")).await.status, 400);
    let due: &'static str = Box::leak(day.into_boxed_str());
    assert_eq!(li.beside(&id, "tasks", &task(due)).await.status, 303);
    let queue = wang.get("/").await;
    assert!(queue.has("You have 1 open task") && queue.has("Ask for the contract"));
    bank.clock.set(at(47, 0));
    let mut wang = bank.person("wang-fang").await;
    assert!(wang.get("/").await.has("overdue"));
    let done = format!("tasks/{KEY}/done");
    for _ in 0..2 {
        assert_eq!(wang.beside(&id, &done, &[]).await.status, 303);
    }
    assert!(!wang.get("/").await.has("open task"));
    assert!(
        wang.get(&format!("/decisions/{id}"))
            .await
            .has("Done by wang-fang")
    );
    assert_eq!(wang.beside(&id, "tasks/abc/done", &[]).await.status, 409);
    assert_eq!(wang.post("/decisions/nothing/notes", &[]).await.status, 400);
    bank.close().await;
}

#[tokio::test]
async fn documents_are_kept_as_they_came_and_only_ever_saved() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "4000.00").await;
    let mut li = bank.person("li-wei").await;
    let csrf = li.get(&format!("/decisions/{id}")).await.field("csrf");
    for _ in 0..2 {
        let kept = li.upload(&id, &csrf, "C:\\合同.html", PDF).await;
        assert_eq!(kept.status, 303, "{}", kept.text);
    }
    let hash = sha256(PDF).to_string();
    let page = li.get(&format!("/decisions/{id}")).await;
    assert!(page.has("合同.html") && page.has(&format!("<code>{hash}</code>")));
    let saved = li.get(&format!("/decisions/{id}/documents/{hash}")).await;
    assert_eq!((saved.status, saved.bytes.as_slice()), (200, PDF));
    let header = |name: &str| saved.headers[name].to_str().unwrap().to_owned();
    assert!(header("content-disposition").starts_with("attachment; filename=\""));
    assert_eq!(header("content-type"), "application/pdf");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(
        header("content-security-policy"),
        "default-src 'none'; sandbox"
    );
    let html = li.upload(&id, &csrf, "a.pdf", b"MZ\0\0").await;
    assert!(html.status == 415 && html.has("This type of file is not kept"));
    let large = vec![b'a'; crate::desk::item::DOCUMENT_MAX + 1];
    assert_eq!(li.upload(&id, &csrf, "a.txt", &large).await.status, 413);
    assert_eq!(li.upload(&id, "forged", "a.txt", b"a").await.status, 403);
    let other = bank.offer("A-2", "4000.00").await;
    let path = format!("/decisions/{other}/documents/{hash}");
    assert_eq!(li.get(&path).await.status, 404);
    bank.close().await;
}

#[tokio::test]
async fn an_export_is_signed_and_written_down() {
    let bank = Bank::open(journey(&COLD)).await;
    bank.offer("A-1", "4000.00").await;
    let (mut li, mut zhao) = (bank.person("li-wei").await, bank.person("zhao-min").await);
    let csrf = li.get("/").await.field("csrf");
    let form = [("csrf", csrf)];
    for what in ["queue", "decisions"] {
        let taken = li.post(&format!("/export/{what}"), &form).await;
        assert_eq!(taken.status, 200, "{}", taken.text);
        assert_eq!(taken.headers["content-type"], "application/zip");
        let name = taken.headers["content-disposition"].to_str().unwrap();
        assert!(name.starts_with(&format!("attachment; filename=\"{what}-2")));
        assert!(taken.bytes.starts_with(b"PK\x03\x04") && taken.has("SHA256SUMS.sig"));
        assert!(taken.has("A-1,qinghe,receivable-90"), "{}", taken.text);
    }
    assert_eq!(li.post("/export/trail", &form).await.status, 403);
    assert_eq!(li.post("/export/people", &form).await.status, 404);
    assert_eq!(
        li.post("/export/queue", &[("csrf", "x".into())])
            .await
            .status,
        403
    );
    let csrf = zhao.get("/").await.field("csrf");
    let trail = zhao.post("/export/trail", &[("csrf", csrf)]).await;
    assert!(trail.status == 200 && trail.has("li-wei,export,queue,SHA256SUMS"));
    let page = zhao.get("/audit").await;
    assert_eq!(page.text.matches("took out a signed file").count(), 3);
    bank.close().await;
}

#[tokio::test]
async fn a_page_is_told_of_what_happens_and_of_nothing_else() {
    let bank = Bank::open(journey(&COLD)).await;
    let mut li = bank.person("li-wei").await;
    let page = li.get("/").await;
    let (_, rest) = page.text.split_once("data-live=\"").unwrap();
    let path = rest.split('"').next().unwrap().to_owned();
    let pairs = li
        .cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let request = bank.client.get(format!("{}{path}", bank.base));
    let cookies = pairs.collect::<Vec<_>>().join("; ");
    let mut line = request
        .header("cookie", cookies)
        .header("accept", "text/event-stream")
        .send()
        .await
        .unwrap();
    assert_eq!(line.headers()["content-type"], "text/event-stream");
    bank.offer("A-1", "4000.00").await;
    let told = tokio::time::timeout(Duration::from_secs(30), line.chunk());
    let told = told.await.unwrap().unwrap().unwrap();
    let told = String::from_utf8(told.to_vec()).unwrap();
    assert!(
        told.contains("event: changed") && told.contains("data: now"),
        "{told}"
    );
    // The service does not wait for pages that listen: they are told that it ends.
    bank.close().await;
    let mut rest = Vec::new();
    while let Ok(Some(more)) = line.chunk().await {
        rest.extend_from_slice(&more);
    }
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.contains("event: end"), "{rest}");
}

#[tokio::test]
async fn an_offer_stands_beside_its_limits_and_the_borrowers_last_score() {
    let bank = Bank::open(journey(&COLD)).await;
    let first = bank.offer("A-1", "4000.00").await;
    bank.clock.set(at(24, 5));
    let second = bank.offer("A-2", "4500.00").await;
    let mut li = bank.person("li-wei").await;
    let page = li.get(&format!("/decisions/{first}")).await;
    assert!(
        page.has("This is the borrower&#39;s first score"),
        "{}",
        page.text
    );
    let page = li.get(&format!("/decisions/{second}")).await;
    assert!(page.has(&format!("<a href=\"/decisions/{first}\">A-1</a>")));
    assert!(page.has("The application names no buyer"), "{}", page.text);
    assert!(page.has("±0") && page.has("Borrower qinghe") && page.has("¥8,500.00"));
    assert!(
        page.has("Sandbox trial-1") && page.has("(94 %)"),
        "{}",
        page.text
    );
    bank.close().await;
}
