//! The desk over HTTP: two people and one offer, and what strangers try.

use super::*;

#[tokio::test]
async fn two_officers_decide_on_a_large_offer() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "5000.00").await;
    let (mut li, mut wang) = (bank.person("li-wei").await, bank.person("wang-fang").await);
    let queue = li.get("/").await;
    assert!(
        queue.has(">A-1</a>") && queue.has("¥5,000.00") && queue.has("Waiting"),
        "{}",
        queue.text
    );
    let page = li.get(&format!("/decisions/{id}")).await;
    assert!(
        page.has("two officers decide") && page.has("Nothing is accepted until a second officer")
    );
    let answer = li
        .decide(&id, &[("act", "accept"), ("note", "seen the goods")])
        .await;
    assert_eq!(
        (answer.status, answer.location),
        (303, Some(format!("/decisions/{id}#decision")))
    );
    let own = li.get(&format!("/decisions/{id}")).await;
    assert!(own.has("You have accepted this offer") && !own.has("name=\"version\""));
    let other = wang.get(&format!("/decisions/{id}")).await;
    assert!(other.has("li-wei accepted as the first officer") && other.has("seen the goods"));
    assert_eq!(
        wang.decide(&id, &[("act", "accept"), ("note", "")])
            .await
            .status,
        303
    );
    let settled = li.get(&format!("/decisions/{id}")).await;
    assert!(
        settled.has("Accepted")
            && settled.has("wang-fang accepted")
            && !settled.has("name=\"version\"")
    );
    assert!(li.get("/?state=settled").await.has(">A-1</a>"));
    assert!(li.get("/").await.has("No offer is here."));
    let trail = bank.person("sun-li").await.get("/audit").await;
    assert!(trail.has("accepted as the first officer") && trail.has("made an account"));
    assert_eq!(bank.used().await, "5000.00");
    bank.close().await;
}

#[tokio::test]
async fn the_same_person_is_refused_with_another_persons_version() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "5000.00").await;
    let (mut li, mut wang) = (bank.person("li-wei").await, bank.person("wang-fang").await);
    li.decide(&id, &[("act", "accept")]).await;
    let version = wang.get(&format!("/decisions/{id}")).await.field("version");
    let csrf = li.get(&format!("/decisions/{id}")).await.field("csrf");
    let forged = [("csrf", csrf), ("version", version)];
    let answer = li.send(&id, &forged, &[("act", "accept")]).await;
    assert_eq!(answer.status, 403);
    assert!(
        answer.has("A second officer has to be another person"),
        "{}",
        answer.text
    );
    assert!(
        wang.get(&format!("/decisions/{id}"))
            .await
            .has("name=\"version\"")
    );
    let mut supervisor = bank.person("zhao-min").await;
    assert!(supervisor.get("/audit").await.has("tried to decide twice"));
    bank.close().await;
}

#[tokio::test]
async fn a_refusal_needs_a_reason_and_gives_the_room_back() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "4000.00").await;
    let mut li = bank.person("li-wei").await;
    let answer = li.decide(&id, &[("act", "refuse"), ("reason", "")]).await;
    assert!(
        answer.status == 422 && answer.has("A refusal needs a reason"),
        "{}",
        answer.text
    );
    let answer = li
        .decide(&id, &[("act", "refuse"), ("reason", "because")])
        .await;
    assert!(answer.status == 422 && answer.has("This reason is not in the list"));
    assert_eq!(bank.used().await, "4000.00");
    assert_eq!(
        li.decide(&id, &[("act", "refuse"), ("reason", "purpose-unclear")])
            .await
            .status,
        303
    );
    assert_eq!(bank.used().await, "0.00");
    let page = li.get(&format!("/decisions/{id}?lang=zh-CN")).await;
    assert!(
        page.has("li-wei 拒绝") && page.has("借款用途不明"),
        "{}",
        page.text
    );
    bank.close().await;
}

#[tokio::test]
async fn stale_forms_are_answered_with_a_page_and_store_nothing() {
    let bank = Bank::open(journey(&COLD)).await;
    let (large, small) = (
        bank.offer("A-1", "5000.00").await,
        bank.offer("A-2", "4000.00").await,
    );
    let (mut li, mut wang) = (bank.person("li-wei").await, bank.person("wang-fang").await);
    let form = |page: Page| {
        [
            ("csrf", page.field("csrf")),
            ("version", page.field("version")),
        ]
    };
    let old = form(wang.get(&format!("/decisions/{large}")).await);
    li.decide(&large, &[("act", "accept")]).await;
    let answer = wang.send(&large, &old, &[("act", "accept")]).await;
    assert!(answer.status == 412 && answer.has("The offer has changed since you opened it"));
    let old = form(wang.get(&format!("/decisions/{small}")).await);
    li.decide(&small, &[("act", "accept")]).await;
    let answer = wang
        .send(
            &small,
            &old,
            &[("act", "refuse"), ("reason", "concentration")],
        )
        .await;
    assert!(answer.status == 409 && answer.has("The offer was decided meanwhile"));
    assert_eq!(bank.used().await, "9000.00");
    let old = form(wang.get(&format!("/decisions/{large}")).await);
    bank.clock.set(at(48, 0));
    let mut wang = bank.person("wang-fang").await;
    let csrf = wang.get("/").await.field("csrf");
    let answer = wang
        .send(
            &large,
            &[("csrf", csrf), old[1].clone()],
            &[("act", "accept")],
        )
        .await;
    assert!(
        answer.status == 409 && answer.has("The offer has run out"),
        "{}",
        answer.text
    );
    assert_eq!(bank.used().await, "4000.00");
    bank.close().await;
}

#[tokio::test]
async fn the_same_form_twice_is_one_decision() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "5000.00").await;
    let mut li = bank.person("li-wei").await;
    let page = li.get(&format!("/decisions/{id}")).await;
    let form = [
        ("csrf", page.field("csrf")),
        ("version", page.field("version")),
    ];
    for _ in 0..3 {
        assert_eq!(li.send(&id, &form, &[("act", "accept")]).await.status, 303);
    }
    let page = li.get(&format!("/decisions/{id}")).await;
    assert_eq!(
        page.text
            .matches("accepted as the first officer</b>")
            .count(),
        1
    );
    bank.close().await;
}

#[tokio::test]
async fn nothing_is_shown_or_done_without_log_in_and_token() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "4000.00").await;
    let mut stranger = Person {
        bank: &bank,
        cookies: BTreeMap::new(),
    };
    let leaf = "0".repeat(64);
    for path in [
        "/".to_owned(),
        format!("/decisions/{id}"),
        format!("/decisions/{id}/events/{leaf}/bundle"),
        format!("/decisions/{id}/bundle"),
        "/audit".into(),
        "/reasons".into(),
        "/v1/decisions".into(),
    ] {
        let page = stranger.get(&path).await;
        assert!(
            page.status == 303 && page.location.unwrap().starts_with("/login"),
            "{path}"
        );
        let answer = bank
            .client
            .get(format!("{}{path}", bank.base))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
    stranger
        .cookies
        .insert("tracebond-credit".into(), "AAAAAAAAAAAAAAAAAAAAAA".into());
    assert_eq!(stranger.get("/").await.status, 303);
    let url = format!("{}/v1/applications", bank.base);
    for token in ["", "wrong"] {
        let answer = bank
            .client
            .post(&url)
            .bearer_auth(token)
            .header("idempotency-key", "\"A-2\"")
            .json(&body("A-2", "100.00"))
            .send()
            .await;
        assert_eq!(answer.unwrap().status(), 401);
    }
    // A person's session opens no machine's door, a machine's token no person's.
    let mut li = bank.person("li-wei").await;
    let request = bank.client.post(&url).json(&body("A-2", "100.00"));
    assert_eq!(li.ask(request).await.status, 401);
    assert_eq!(bank.get("/").await.0, 401);
    assert_eq!(
        bank.json("/v1/decisions").await.as_array().unwrap().len(),
        1
    );
    bank.close().await;
}

#[tokio::test]
async fn forged_forms_do_nothing() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "4000.00").await;
    let (mut li, mut wang) = (bank.person("li-wei").await, bank.person("wang-fang").await);
    let page = li.get(&format!("/decisions/{id}")).await;
    let version = ("version", page.field("version"));
    let others = wang.get("/").await.field("csrf");
    for csrf in [String::new(), "0".repeat(64), others] {
        let answer = li
            .send(
                &id,
                &[("csrf", csrf), version.clone()],
                &[("act", "accept")],
            )
            .await;
        assert!(answer.status == 403 && answer.has("This form was not sent from your session"));
    }
    let answer = li.send(&id, &[version], &[("act", "accept")]).await;
    assert_eq!(answer.status, 403);
    for (path, form) in [
        ("/reasons", vec![("code", "a"), ("en", "a"), ("zh", "b")]),
        ("/reasons/concentration/retire", vec![]),
        ("/logout", vec![]),
    ] {
        let mut supervisor = bank.person("zhao-min").await;
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        assert_eq!(supervisor.post(path, &form).await.status, 403, "{path}");
    }
    assert!(
        li.get(&format!("/decisions/{id}"))
            .await
            .has("name=\"version\"")
    );
    bank.close().await;
}

#[tokio::test]
async fn script_in_any_text_is_shown_as_text() {
    const SCRIPT: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "5000.00").await;
    let mut supervisor = bank.person("zhao-min").await;
    let csrf = supervisor.get("/reasons").await.field("csrf");
    let new = [
        ("csrf", csrf),
        ("code", "odd".to_owned()),
        ("en", SCRIPT.to_owned()),
        ("zh", SCRIPT.to_owned()),
    ];
    assert_eq!(supervisor.post("/reasons", &new).await.status, 303);
    let (mut li, mut wang) = (bank.person("li-wei").await, bank.person("wang-fang").await);
    li.decide(&id, &[("act", "accept"), ("note", SCRIPT)]).await;
    wang.decide(
        &id,
        &[("act", "refuse"), ("reason", "odd"), ("note", SCRIPT)],
    )
    .await;
    let query = kit::page::query_value(SCRIPT);
    let offer = format!("/decisions/{id}");
    for path in [
        "/reasons".to_owned(),
        offer.clone(),
        "/audit".into(),
        format!("/?state=settled&q={query}&sort={query}"),
        format!("{offer}?fact={query}"),
        format!("/login?next={query}"),
        format!("/decisions/{query}"),
    ] {
        let page = supervisor.get(&path).await;
        assert!(
            !page.has("<script>alert") && !page.has("<img src=x"),
            "{path}: {}",
            page.text
        );
    }
    assert_eq!(
        supervisor
            .get(&offer)
            .await
            .text
            .matches("&#60;script&#62;alert(1)")
            .count(),
        3
    );
    let problem = supervisor
        .post("/reasons", &[("code", SCRIPT.to_owned())])
        .await;
    assert!(problem.status == 422 || problem.status == 400);
    assert!(!problem.has("<script>alert"));
    bank.close().await;
}

#[tokio::test]
async fn what_could_not_be_read_never_looks_like_an_empty_queue() {
    let bank = Bank::open(journey(&COLD)).await;
    let mut li = bank.person("li-wei").await;
    let empty = li.get("/").await;
    assert!(
        empty.has("state empty") && empty.has("No offer is here.") && !empty.has("state refused")
    );
    for (id, supplier, status) in [
        ("A-1", "broken", 422),
        ("A-2", "away", 502),
        ("A-3", "nobody", 422),
    ] {
        let mut asked = body(id, "4000.00");
        asked["supplier"] = json!(supplier);
        assert_eq!(bank.post(&asked).await.0, status);
    }
    let page = li.get("/").await;
    for text in [
        "3 applications could not be read",
        "The proof was refused.",
        "The evidence service did not answer.",
        "has not opened its evidence",
        "state refused",
    ] {
        assert!(page.has(text), "{text}");
    }
    assert!(!page.has("No offer is here."));
    bank.offer("A-4", "4000.00").await;
    assert!(li.get("/").await.has("3 applications could not be read"));
    assert!(li.get("/?q=nothing").await.has("the filter hides it"));
    bank.close().await;
}

#[tokio::test]
async fn every_fact_opens_its_events_and_every_event_its_proof() {
    let bank = Bank::open(journey(&WARM)).await;
    let (_, decision) = bank.post(&body("A-1", "4000.00")).await;
    let id = decision["decision_id"].as_str().unwrap();
    let mut auditor = bank.person("sun-li").await;
    let page = auditor.get(&format!("/decisions/{id}")).await;
    for text in [
        "Declined by the rules",
        "outside their temperature limits",
        "COLD_CHAIN_EXCURSION",
        "at the farthest 9.4 °C",
        "30 minutes",
        "What this does not prove",
        "Verified by the bank&#39;s server",
    ] {
        assert!(page.has(text), "{text}");
    }
    let facts = bank.json(&format!("/v1/decisions/{id}")).await["facts"].clone();
    let leaves: Vec<String> = serde_json::from_value(facts["on_time"]["leaves"].clone()).unwrap();
    let page = auditor.get(&format!("/decisions/{id}?fact=on-time")).await;
    for leaf in &leaves {
        assert!(page.has(&format!("/decisions/{id}/events/{leaf}")));
        let event = auditor.get(&format!("/decisions/{id}/events/{leaf}")).await;
        for text in [
            "Not checked",
            "Verified",
            "data-verify=",
            "data-show=\"organisation\"",
            "https://trace.example/events/",
        ] {
            assert!(event.has(text), "{text}");
        }
        let bundle = auditor
            .get(&format!("/decisions/{id}/events/{leaf}/bundle"))
            .await;
        let report = schemas::proof::verify(bundle.text.as_bytes(), None).unwrap();
        assert_eq!(
            (report.events.len(), report.events[0].leaf.to_string()),
            (1, leaf.clone())
        );
    }
    let whole = auditor.get(&format!("/decisions/{id}/bundle")).await;
    let report = schemas::proof::verify(whole.text.as_bytes(), None).unwrap();
    let proven: Vec<String> = report.events.iter().map(|e| e.leaf.to_string()).collect();
    assert!(leaves.iter().all(|leaf| proven.contains(leaf)));
    for path in [
        format!("/decisions/{id}/events/{}", "0".repeat(64)),
        format!("/decisions/{id}/events/x/bundle"),
        format!("/decisions/x/events/{}", leaves[0]),
    ] {
        let page = auditor.get(&path).await;
        assert!(page.status == 404 && page.has("Nothing is here"), "{path}");
    }
    assert!(!page.has("style=") && page.has("lang=\"en\""));
    bank.close().await;
}

#[tokio::test]
async fn each_role_has_its_pages() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = bank.offer("A-1", "4000.00").await;
    for (name, decides, reasons, trail) in [
        ("li-wei", true, false, false),
        ("zhao-min", false, true, true),
        ("sun-li", false, false, true),
    ] {
        let mut person = bank.person(name).await;
        let offer = person.get(&format!("/decisions/{id}")).await;
        assert_eq!(offer.has("name=\"version\""), decides, "{name}");
        let list = person.get("/reasons").await;
        assert_eq!(list.has("action=\"/reasons\""), reasons, "{name}");
        let status = if trail { 200 } else { 403 };
        assert_eq!(person.get("/audit").await.status, status, "{name}");
        let form = [
            ("csrf", list.field("csrf")),
            ("code", format!("of-{name}")),
            ("en", "a".into()),
            ("zh", "b".into()),
        ];
        let added = person.post("/reasons", &form).await;
        assert_eq!(added.status, if reasons { 303 } else { 403 }, "{name}");
        let forged = [("csrf", list.field("csrf")), ("version", "0".repeat(64))];
        let answer = person.send(&id, &forged, &[("act", "accept")]).await;
        assert_eq!(answer.status, if decides { 412 } else { 403 }, "{name}");
    }
    bank.close().await;
}

#[tokio::test]
async fn our_failure_has_a_reference_and_no_secret() {
    let bank = Bank::open(journey(&COLD)).await;
    let mut li = bank.person("li-wei").await;
    let file = bank.folder.path().join("credit.sqlite");
    let database = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display()))
        .await
        .unwrap();
    sqlx::query("DROP TABLE refusal_reasons")
        .execute(&database)
        .await
        .unwrap();
    let page = li.get("/reasons").await;
    assert_eq!(page.status, 500);
    assert!(
        page.has("state error") && page.has("The service failed") && page.has("Reference"),
        "{}",
        page.text
    );
    assert!(!page.has("refusal_reasons") && !page.has("sqlite"));
    database.close().await;
    bank.close().await;
}
