//! What the capture interface refuses, and that nothing is kept of it.

use platform::capture::{DOCUMENT_MAX, EVENTS_MAX};
use reqwest::Response;
use serde_json::{Value, json};

use super::{PLACE, Stack, TOKEN, document, json_of, location, shipping};

/// Status, problem type and detail.
async fn problem(answer: Response) -> (u16, String, String) {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body = json_of(answer).await;
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (status, text("type"), text("detail"))
}

async fn nothing_kept(stack: &Stack) {
    let totals = stack.handle().store.totals().await.unwrap();
    assert_eq!(
        (totals.statements, totals.events, totals.quarantined),
        (0, 0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_other_types_are_refused() {
    let stack = Stack::small().await;
    let body = document(&[shipping(1)]).to_string();
    for token in ["", "token of qinghE", "Bearer token of qinghe"] {
        let answer = stack.post(token, body.clone()).send().await.unwrap();
        let (status, kind, _) = problem(answer).await;
        assert_eq!((status, &*kind), (401, "epcisException:SecurityException"));
    }
    let none = stack.http.post(stack.url("/capture")).body(body.clone());
    assert_eq!(none.send().await.unwrap().status(), 401);
    for media_type in ["text/plain", "application/xml", "", "application/jsonx"] {
        let request = stack.http.post(stack.url("/capture")).bearer_auth(TOKEN);
        let request = request
            .header("content-type", media_type)
            .body(body.clone());
        let (status, kind, detail) = problem(request.send().await.unwrap()).await;
        assert_eq!(status, 415, "{media_type}");
        assert_eq!(kind, "epcisException:UnsupportedMediaTypeException");
        assert!(detail.contains("application/ld+json"));
    }
    let request = stack
        .post(TOKEN, body)
        .header("GS1-Capture-Error-Behaviour", "maybe");
    let (status, _, detail) = problem(request.send().await.unwrap()).await;
    assert_eq!(status, 400);
    assert!(detail.contains("rollback"), "{detail}");
    nothing_kept(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_document_or_too_much_of_one_is_refused_by_name() {
    let stack = Stack::small().await;
    let good = document(&[shipping(1)]);
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed.to_string()
    };
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let many = vec![json!({"type": "ObjectEvent"}); EVENTS_MAX + 1];
    let wide = json!([{"x": "y".repeat(60_000)}]);
    let mut amplified = document(&vec![shipping(1); 300]);
    amplified["@context"] = wide;
    let cases = [
        ("".into(), 400, "must be an object"),
        ("[1]".into(), 400, "must be an object"),
        ("{".into(), 400, "not I-JSON"),
        (format!("{good}x"), 400, "not I-JSON"),
        (with("type", "Letter".into()), 400, "`type` must be"),
        (with("type", 7.into()), 400, "`type` must be"),
        (with("schemaVersion", "1.2".into()), 400, "`schemaVersion`"),
        (with("creationDate", "soon".into()), 400, "`creationDate`"),
        (with("@context", Value::Null), 400, "`@context` must be"),
        (with("epcisBody", json!([])), 400, "`epcisBody` must be"),
        (
            with("epcisBody", json!({})),
            400,
            "`epcisBody.eventList` is missing",
        ),
        (
            with("epcisBody", json!({"eventList": {}})),
            400,
            "a list of events",
        ),
        (
            good.to_string().replace("\"OBSERVE\"", &deep(60)),
            400,
            "nested deeper",
        ),
        (
            good.to_string().replace("\"OBSERVE\"", "\"\\ud800\""),
            400,
            "I-JSON forbids",
        ),
        (document(&many).to_string(), 413, "more than 2000 events"),
        (amplified.to_string(), 413, "context in each"),
    ];
    for (body, expected, words) in cases {
        let answer = stack.post(TOKEN, body).send().await.unwrap();
        let (status, kind, detail) = problem(answer).await;
        assert_eq!(status, expected, "{words}: {detail}");
        assert!(detail.contains(words), "{words}: {detail}");
        assert!(kind.starts_with("epcisException:"), "{kind}");
    }
    let huge = vec![b' '; DOCUMENT_MAX + 1];
    let (status, kind, _) = problem(stack.post(TOKEN, huge).send().await.unwrap()).await;
    let limit = "epcisException:CaptureLimitExceededException";
    assert_eq!((status, &*kind), (413, limit));
    nothing_kept(&stack).await;
}

/// All or nothing unless the caller asks for what can be had; each fault names its path.
#[tokio::test(flavor = "multi_thread")]
async fn faults_of_events_name_their_paths() {
    let mut stack = Stack::small().await;
    let mut events: Vec<Value> = (0..5).map(shipping).collect();
    events[1]["bizStep"] = "commissioning".into();
    events[2]["readPoint"]["id"] = "https://id.gs1.org/414/4012345000054".into();
    events[3]["epcList"][0] = "https://id.gs1.org/01/09521001000015/21/1".into();
    events[4]["eventTime"] = 5.into();
    let body = document(&events).to_string();
    let path = stack.capture(body.clone()).await;
    let job = stack.job(&path).await;
    let expected = [
        "epcisBody.eventList[1].bizStep",
        "epcisBody.eventList[2].readPoint.id",
        "epcisBody.eventList[3].epcList[0]",
        "epcisBody.eventList[4].eventTime",
    ];
    let paths = |job: &Value| -> Vec<String> {
        let errors = job["errors"].as_array().unwrap().iter();
        errors
            .map(|error| error["path"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(paths(&job), expected, "{job}");
    assert_eq!(
        (&job["success"], &job["document"]["captured"]),
        (&json!(false), &json!(0))
    );
    nothing_kept(&stack).await;
    // The same again changes nothing and is the same job.
    assert_eq!(stack.capture(body.clone()).await, path);

    let greedy = stack
        .post(TOKEN, body.clone())
        .header("GS1-Capture-Error-Behaviour", "proceed");
    let second = location(greedy.send().await.unwrap()).await;
    assert_ne!(second, path);
    let job = stack.job(&second).await;
    assert_eq!(paths(&job), expected);
    assert_eq!(
        (&job["success"], &job["document"]["captured"]),
        (&json!(false), &json!(1))
    );
    // What was captured once is not captured again, whatever is asked.
    assert_eq!(stack.capture(body).await, second);
    assert_eq!(stack.handle().store.totals().await.unwrap().events, 1);

    // The operator allows more: a rejected document is judged again.
    let rejected = document(&[events[1].clone()]).to_string();
    let first = stack.capture(rejected.clone()).await;
    stack.allowed.1.push("commissioning".into());
    stack.restart().await;
    let again = stack.capture(rejected).await;
    assert_ne!(again, first);
    assert_eq!(stack.job(&again).await["success"], true);
}

/// Script in every text is kept as text, and shown as text.
#[tokio::test(flavor = "multi_thread")]
async fn script_in_texts_stays_text() {
    let stack = Stack::small().await;
    let script = "<script>alert(1)</script>\"><img src=x onerror=alert(1)>";
    let mut event = shipping(7);
    event["eventID"] = script.into();
    event["disposition"] = format!("https://evil.example/{script}").into();
    event["x:note"] = script.into();
    event["ilmd"] = json!({"tb:productName": {"en": script, script: script}});
    event["action"] = "ADD".into();
    let path = stack.capture(document(&[event.clone()]).to_string()).await;
    let job = stack.job(&path).await;
    // What must be a URI is none with these characters; without them the rest is fine.
    for (at, name) in ["eventID", "disposition"].into_iter().enumerate() {
        let path = format!("epcisBody.eventList[0].{name}");
        assert_eq!(job["errors"][at]["path"], path, "{job}");
        event.as_object_mut().unwrap().remove(name);
    }
    let job = stack
        .job(&stack.capture(document(&[event]).to_string()).await)
        .await;
    assert_eq!(job["success"], true, "{job}");
    let page = stack.get(TOKEN, "/01/09521001000017/21/7?lang=en").await;
    let page = page.text().await.unwrap();
    assert!(
        !page.contains("<script>alert") && !page.contains("<img src=x"),
        "{page}"
    );
    assert!(page.contains(PLACE) || page.contains("9521001000017"));
}
