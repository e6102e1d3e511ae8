use schemas::statement::ClockState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::clock::SystemClock;
use crate::source::{Counts, Last, Quality, Standing};
use crate::state::{State, Text, states};
use crate::status::{Link, Trouble};

fn asked(path: &str, query: &str, languages: &str) -> Request {
    Request {
        path: path.to_owned(),
        query: query.to_owned(),
        host: "127.0.0.1:9465".to_owned(),
        languages: languages.to_owned(),
    }
}

fn page(status: Status) -> Page {
    Page {
        device: "qinghe/line-1".parse().expect("address"),
        status: watch::channel(status).1,
        sources: vec![watch::channel(probe()).1, watch::channel(gun()).1],
        clock: Arc::new(SystemClock),
    }
}

/// A probe whose wire has come off after a doubtful reading.
fn probe() -> source::State {
    source::State {
        name: "https://id.gs1.org/8004/4012345000016<1>".to_owned(),
        kind: "onewire",
        last: vec![Last {
            time: Instant::from_seconds(1_795_000_000),
            value: Some(85.0),
            uom: "CEL".to_owned(),
            what: "Temperature".to_owned(),
            quality: Quality::Suspect("the power-on value".to_owned()),
        }],
        fault: Some(Standing {
            since: Instant::from_seconds(1_795_000_060),
            cause: "wrong check sum & no answer".to_owned(),
            remedy: Text {
                zh: "看看 `address` 的电线",
                en: "look at the wire of `address`",
            },
        }),
        open_codes: 0,
        counts: Counts::default(),
    }
}

/// A scanner that was not used since the start; a case was open before.
fn gun() -> source::State {
    source::State {
        name: "/dev/ttyACM0".to_owned(),
        kind: "serial",
        last: Vec::new(),
        fault: None,
        open_codes: 12,
        counts: Counts::default(),
    }
}

/// Every state that there is, one by one and all at once.
fn samples() -> Vec<Status> {
    let well = Status {
        connected: true,
        ..Status::default()
    };
    let trouble = |trouble| Status {
        link: Link {
            trouble: Some(trouble),
            detail: "CONNACK <NotAuthorized> & more".to_owned(),
            broker: "mqtts://broker.example:8883".to_owned(),
            ..Link::default()
        },
        ..Status::default()
    };
    let all = Status {
        copied_key: true,
        other_logs: 1,
        trouble: "disk is full".to_owned(),
        late: 1,
        alarms: 2,
        unverified: 1,
        faulty_sources: 1,
        outbox_bytes: 95,
        outbox_quota: Some(100),
        clock: ClockState::Unknown,
        platform_silent: true,
        rotation_waits: true,
        ..trouble(Trouble::LogIn)
    };
    vec![
        Status::default(),
        well,
        trouble(Trouble::Certificate),
        trouble(Trouble::Busy),
        all,
    ]
}

#[tokio::test]
async fn every_sample_renders_in_both_languages_with_each_state_and_its_remedy() {
    for status in samples() {
        for (query, tag, language) in [
            ("lang=zh", "zh-CN", Language::Chinese),
            ("lang=en", "en", Language::English),
        ] {
            let answer = page(status.clone()).answer(&asked("/", query, "")).await;
            assert_eq!(answer.status, "200 OK");
            let html = String::from_utf8(answer.body).expect("text");
            assert!(html.contains(&format!("<html lang=\"{tag}\"")));
            for state in states(&status) {
                assert!(html.contains(&format!("data-state=\"{}\"", state.word())));
                assert!(html.contains(state.sentence().get(language)), "{state:?}");
                assert!(html.contains(state.remedy().get(language)), "{state:?}");
            }
            assert!(
                !html.contains("<NotAuthorized>"),
                "words of others are escaped"
            );
            for shown in [
                "<b>85 °C</b> Temperature",
                "4012345000016&lt;1&gt;",
                "wrong check sum &amp; no answer",
                [
                    "看看 <code>address</code> 的电线",
                    "look at the wire of <code>address</code>",
                ][usize::from(language == Language::English)],
                "the power-on value",
                words::SUSPECT.get(language),
                words::NOTHING_YET.get(language),
                &format!("{}: <b>12</b>", words::OPEN_CODES.get(language)),
            ] {
                assert!(html.contains(shown), "{shown}");
            }
            assert!(!html.contains("<script") && !html.contains("http-equiv"));
            let first = html.find("data-state=\"").expect("a verdict") + 12;
            assert!(html[first..].starts_with(states(&status)[0].word()));
        }
    }
}

#[test]
fn the_pages_words_are_in_both_languages() {
    for text in words::ALL {
        assert!(!text.zh.is_empty() && !text.en.is_empty(), "{text:?}");
    }
    assert!(words::ALL.iter().filter(|text| text.zh.is_ascii()).count() <= 1);
}

#[test]
fn the_language_is_what_is_asked_for() {
    for (query, languages, wanted) in [
        ("", "", Language::Chinese),
        ("", "en-us,en;q=0.5", Language::English),
        ("", "fr, de;q=0.9, en;q=0.1", Language::English),
        ("", "zh-cn,en", Language::Chinese),
        ("lang=en", "zh-cn", Language::English),
        ("lang=xx", "en", Language::English),
    ] {
        assert_eq!(
            language(&asked("/", query, languages)),
            wanted,
            "{query} {languages}"
        );
    }
}

#[tokio::test]
async fn a_browser_that_was_led_here_under_another_name_gets_nothing() {
    for (host, good) in [
        ("localhost:9465", true),
        ("127.0.0.1", true),
        ("[::1]:9465", true),
        ("", true),
        ("evil.example", false),
        ("127.0.0.1.evil.example:9465", false),
        ("192.0.2.7:9465", false),
    ] {
        let request = Request {
            host: host.to_owned(),
            ..asked("/", "", "")
        };
        let answer = page(Status::default()).answer(&request).await;
        assert_eq!(answer.status == "200 OK", good, "{host}");
    }
}

/// `docs/metrics.md` and the program have the same rows.
#[test]
fn the_figures_are_those_of_the_document() {
    let document = include_str!("../../docs/metrics.md");
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    let written: Vec<String> = rows.map(str::to_owned).collect();
    let ours: Vec<String> = metrics::METRICS
        .iter()
        .map(|m| format!("| `{}` | {} | {} |", m.name, m.kind, m.help))
        .collect();
    assert_eq!(written, ours);
}

#[test]
fn figures_are_prometheus_text() {
    for status in samples() {
        let text = metrics::text(&status);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').expect("name and value");
            assert!(name.starts_with("tracebond_edge_"), "{line}");
            value.parse::<f64>().expect("a number");
        }
        for state in State::ALL {
            let holds = u8::from(states(&status).contains(&state));
            let line = format!(
                "tracebond_edge_state{{state=\"{}\"}} {holds}\n",
                state.word()
            );
            assert!(text.contains(&line), "{line}");
        }
    }
}

#[tokio::test]
async fn it_is_served_over_http_and_ends_with_the_agent() {
    let listener = Page::bind(([127, 0, 0, 1], 0).into()).await.expect("bound");
    let address = listener.local_addr().expect("address");
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(page(Status::default()).run(listener, shutdown.clone()));
    for (line, expected) in [
        ("GET /metrics HTTP/1.1", "HTTP/1.1 200 OK"),
        ("GET /secret HTTP/1.1", "HTTP/1.1 404 Not Found"),
        ("POST / HTTP/1.1", "HTTP/1.1 405 Method Not Allowed"),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let request = format!("{line}\r\nhost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        assert!(answer.starts_with(expected), "{line}: {answer}");
    }
    shutdown.cancel();
    serving.await.expect("ended");
}

/// The README's table of states is the program's.
#[test]
fn the_states_are_those_of_the_readme() {
    let readme = include_str!("../../README.md");
    let mut at = 0;
    for state in State::ALL {
        let row = format!("| `{}` | ", state.word());
        let found = readme[at..].find(&row);
        at += found.unwrap_or_else(|| panic!("{row} is missing or out of order"));
        let line = readme[at..].lines().next().expect("row");
        assert!(
            line.contains(state.sentence().en) && line.contains(state.remedy().en),
            "{line}"
        );
    }
}
