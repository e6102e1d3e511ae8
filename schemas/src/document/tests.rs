use serde_json::Value;

use super::*;

const LIMITS: Limits = Limits {
    events: 4,
    event_bytes: 4_096,
};

fn document(list: &str) -> String {
    format!(
        r#" {{"@context": ["https://ref.gs1.org/c.jsonld", {{"a":"https://a.example/"}}],
            "type": "EPCISDocument", "schemaVersion": "2.0",
            "creationDate": "2005-07-11T11:30:47.0Z",
            "epcisBody": {{ "eventList": {list} }} }}
        "#
    )
}

fn parse(text: &str) -> Result<Document, DocumentError> {
    Document::parse(text.as_bytes(), LIMITS)
}

fn first(text: &str) -> String {
    let document = parse(text).unwrap();
    let event = document.events.into_iter().next().unwrap().unwrap();
    String::from_utf8(event.into_bytes()).unwrap()
}

#[test]
fn an_event_keeps_its_values_bytes_and_has_the_context() {
    let text = document("[ {\n \"type\" : \"ObjectEvent\" ,\"a:x\": { \"y\" : [1.0, 2 ] } } ]");
    assert_eq!(
        first(&text),
        r#"{"@context":["https://ref.gs1.org/c.jsonld", {"a":"https://a.example/"}],"type":"ObjectEvent","a:x":{ "y" : [1.0, 2 ] }}"#
    );
}

#[test]
fn an_events_own_context_comes_after_the_documents() {
    let text = document(r#"[{"type":"ObjectEvent","@context":{"b":"https://b.example/"}}]"#);
    let event: Value = serde_json::from_str(&first(&text)).unwrap();
    let context = event["@context"].as_array().unwrap();
    assert_eq!(context.len(), 3);
    assert_eq!(context[2]["b"], "https://b.example/");
    let empty = document(r#"[{"type":"ObjectEvent","@context":[ ]}]"#);
    let event: Value = serde_json::from_str(&first(&empty)).unwrap();
    assert_eq!(event["@context"].as_array().unwrap().len(), 2);
}

#[test]
fn an_escaped_name_is_written_out_and_an_impossible_one_is_refused() {
    let text = document(r#"[{"\u0074ype":"ObjectEvent"},{"a\"b":1},{"a\n":1},7]"#);
    let document = parse(&text).unwrap();
    let [good, quote, control, number] = &document.events[..] else {
        panic!("{document:?}");
    };
    let good = good.as_ref().unwrap();
    assert!(good.members().any(|(name, _)| name == "type"));
    assert!(matches!(quote, Err(EventError::Name(_))), "{quote:?}");
    assert!(matches!(control, Err(EventError::Name(_))), "{control:?}");
    assert_eq!(number, &Err(EventError::Form(0)));
    assert_eq!(
        document.kind.path(3, "bizStep"),
        "epcisBody.eventList[3].bizStep"
    );
}

#[test]
fn a_bare_event_and_a_query_document_are_taken_too() {
    let bare = r#" { "@context": "https://ref.gs1.org/c.jsonld", "type": "ObjectEvent" } "#;
    assert_eq!(
        first(bare),
        r#"{"@context":"https://ref.gs1.org/c.jsonld","type":"ObjectEvent"}"#
    );
    assert_eq!(parse(bare).unwrap().kind.path(0, "action"), "action");
    let query = document("[]").replace("EPCISDocument", "EPCISQueryDocument").replace(
        r#"{ "eventList": [] }"#,
        r#"{"queryResults":{"queryName":"q","resultsBody":{"eventList":[{"type":"ObjectEvent"}]}}}"#,
    );
    assert_eq!(parse(&query).unwrap().events.len(), 1);
}

#[test]
fn what_is_no_document_is_refused_by_name() {
    let good = document("[]");
    assert!(parse(&good).unwrap().events.is_empty());
    let cases: [(&str, &str, &str); 9] = [
        ("\"type\"", "\"tipe\"", "`type` is missing"),
        (
            "EPCISDocument",
            "Letter",
            "`type` must be `EPCISDocument`, `EPCISQueryDocument`",
        ),
        ("@context", "context", "`@context` is missing"),
        ("\"2.0\"", "\"1.2\"", "`schemaVersion` must be"),
        ("\"2.0\"", "2.0", "`schemaVersion` must be"),
        (
            "2005-07-11T11:30:47.0Z",
            "yesterday",
            "`creationDate` must be",
        ),
        ("eventList", "events", "`epcisBody.eventList` is missing"),
        (
            "[] }",
            "{} }",
            "`epcisBody.eventList` must be a list of events",
        ),
        ("[] }", "[] ] }", "not I-JSON"),
    ];
    for (from, to, message) in cases {
        let text = good.replacen(from, to, 1);
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(message), "{to}: {error}");
    }
    assert_eq!(
        Document::parse(b"\xff{}", LIMITS).unwrap_err(),
        DocumentError::Utf8
    );
    assert_eq!(parse("[]").unwrap_err(), form("", "an object"));
    let twice = good.replacen(
        "\"schemaVersion\"",
        "\"id\":1,\"id\":2,\"schemaVersion\"",
        1,
    );
    assert!(parse(&twice).is_err());
    let twice = good.replacen("\"eventList\"", "\"eventList\":[],\"eventList\"", 1);
    assert!(parse(&twice).is_err());
}

#[test]
fn of_a_repeated_name_in_an_event_the_last_value_counts_and_it_is_named() {
    let text = document(r#"[{"type":"ObjectEvent","a:x":1,"\u0061:x":2,"a:y":{"b":1,"b":2}},{}]"#);
    let document = parse(&text).unwrap();
    assert_eq!(document.repeated, [(0, "a:x".to_owned())]);
    // Deeper down nothing is dropped: such an event is refused.
    assert!(matches!(
        document.events[0],
        Err(EventError::Value(IJsonError::DuplicateName(_)))
    ));
    let text = text.replace(r#""b":1,"b":2"#, r#""b":1"#);
    assert!(first(&text).ends_with(r#","type":"ObjectEvent","a:x":2,"a:y":{"b":1}}"#));
}

#[test]
fn limits_are_named() {
    let five = format!("[{}]", [r#"{"type":"ObjectEvent"}"#; 5].join(","));
    assert_eq!(
        parse(&document(&five)).unwrap_err(),
        DocumentError::TooManyEvents(4)
    );
    let long = "x".repeat(2_000);
    let events = format!(r#"[{{"a:b":"{long}"}},{{"a:b":"{long}"}}]"#);
    assert_eq!(
        parse(&document(&events)).unwrap_err(),
        DocumentError::TooLong(4_096)
    );
    let deep = format!(r#"[{{"a:b":{}{}}}]"#, "[".repeat(32), "]".repeat(32));
    let parsed = parse(&document(&deep)).unwrap();
    assert!(matches!(
        parsed.events[0],
        Err(EventError::Value(IJsonError::Depth(_)))
    ));
    let deeper = format!("[{}{}]", "[".repeat(60), "]".repeat(60));
    let error = parse(&document(&deeper)).unwrap_err();
    assert!(
        matches!(error, DocumentError::Json(IJsonError::Depth(_))),
        "{error:?}"
    );
}
