//! What a phone says of a bundle that was altered on its way, and of a page that lies.

use anyhow::Result;
use schemas::b64;
use schemas::statement::Statement;
use serde_json::{Value, json};

use super::liar::Liar;
use super::pages::PEACHES;
use super::{Browser, DESK, PHONE};
use crate::world::World;
use crate::world::events::{commissioned, inspected, measured, shipped};
use crate::world::served::Served;

/// A season of peaches: several devices, statements of several events, several batches.
pub async fn season() -> (World, Served, Liar) {
    let mut world = World::with_line_1().await;
    world.admit("northroad").await;
    world.enrol("northroad/truck-7").await;
    world.send("qinghe/line-1", &[commissioned()]).await.id();
    for batch in 0..4_u32 {
        let events: Vec<Value> = (0..4).map(|n| inspected(100 + batch * 4 + n)).collect();
        world.send("qinghe/line-1", &events).await.id();
        let celsius = 4.0 + f64::from(batch);
        world
            .send("northroad/truck-7", &[measured(celsius)])
            .await
            .id();
        world.anchor().await;
    }
    world.send("qinghe/line-1", &[shipped()]).await.id();
    world.anchor().await;
    let served = world.serve().await;
    let liar = Liar::before(&served.url).await;
    (world, served, liar)
}

/// The peaches' bundle.
pub async fn bundle_of(url: &str) -> Value {
    let key = "https%3A%2F%2Fid.gs1.org%2F01%2F09521001000017%2F10%2FQH-0711";
    let answer = reqwest::get(format!("{url}/v1/bundles/item?key={key}"))
        .await
        .unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// Flips a bit of what a base64 text stands for.
fn flip(text: &mut Value, byte: usize) {
    let mut raw = b64::decode(text.as_str().unwrap()).unwrap();
    let at = byte % raw.len();
    raw[at] ^= 1;
    *text = b64::encode(&raw).into();
}

/// Alters one byte of an event: of a value, a salt or a path, in turn.
fn alter(event: &mut Value, turn: usize) -> &'static str {
    let path = event["path"].as_array().map_or(0, Vec::len);
    if turn % 3 == 2 && path > 0 {
        flip(&mut event["path"][turn % path], turn);
        return "path";
    }
    let members = event["members"].as_array_mut().unwrap();
    let shown: Vec<usize> = (0..members.len())
        .filter(|at| members[*at]["value"].is_string())
        .collect();
    let member = &mut members[shown[turn % shown.len()]];
    let what = if turn % 3 == 1 { "salt" } else { "value" };
    flip(&mut member[what], turn * 7);
    what
}

/// The mark of a card for a place in the bundle.
fn place_of(bundle: &Value, event: &Value) -> String {
    let statement =
        &bundle["statements"][event["statement"].as_u64().unwrap() as usize]["statement"];
    let bytes = b64::decode(statement.as_str().unwrap()).unwrap();
    let id = Statement::parse(bytes).unwrap().id().to_string();
    format!("{}:{}", &id[..12], event["index"])
}

/// Places that each card shows, and how it is marked.
async fn cards(browser: &Browser) -> Result<Vec<(String, String)>> {
    let cards = "return [...document.querySelectorAll('[data-events]')].map((c) => [c.dataset.events, c.dataset.verified]);";
    Ok(serde_json::from_value(browser.run(cards).await?)?)
}

/// One byte altered in each of N events in turn gives exactly that event as failed, N of N. The
/// platform's own check sees the honest bundle, so it is no help here.
#[tokio::test]
async fn one_altered_byte_fails_exactly_its_event() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served, liar) = season().await;
    browser.resize(PHONE).await?;
    let honest = bundle_of(&served.url).await;
    let events = honest["events"].as_array().unwrap().len();
    assert_eq!(events, 22);
    let page = format!("{}{PEACHES}?lang=en", liar.url);
    liar.bundle(Some(honest.to_string().into_bytes()));
    browser.open_page(&page).await?;
    assert_eq!(browser.checked().await?, "ok");
    let all = cards(&browser).await?;
    assert_eq!(
        all.iter().filter(|(_, state)| state == "ok").count(),
        all.len()
    );

    let mut pinned = 0;
    for turn in 0..events {
        let mut bundle = honest.clone();
        let what = alter(&mut bundle["events"][turn], turn);
        let place = place_of(&honest, &honest["events"][turn]);
        liar.bundle(Some(bundle.to_string().into_bytes()));
        browser.open_page(&page).await?;
        assert_eq!(browser.checked().await?, "bad", "{what} of event {turn}");
        for (events, state) in cards(&browser).await? {
            let is_it = events.split(' ').any(|one| covers(one, &place));
            assert_eq!(
                state == "bad",
                is_it,
                "{what} of event {turn}, {place}: {events} is {state}"
            );
        }
        let said = browser.text("[data-verify-words]").await?;
        assert!(said.contains("22 of 22 records: 1 do not hold"), "{said}");
        assert_eq!(browser.text(".verdict .word").await?, "Doubtful");
        let reason = browser.text(".verdict .reason").await?;
        assert!(reason.contains("disagrees with the platform's"), "{reason}");
        let aloud =
            "return document.querySelector('.verdict [data-say]')?.dataset.say ?? 'Doubtful';";
        let aloud = browser.run(aloud).await?;
        assert!(aloud.as_str().unwrap().starts_with("Doubtful"), "{aloud}");
        pinned += 1;
        if turn == 5 {
            browser.shot("altered-390").await?;
            browser.resize(DESK).await?;
            browser.shot("altered-1440").await?;
            browser.resize(PHONE).await?;
            browser.is_accessible().await?;
        }
    }
    println!("{pinned} of {events} altered bytes pinned to their event");
    browser.is_quiet().await
}

/// Whether `ID:0-3,7` names the place `ID:2`.
fn covers(one: &str, place: &str) -> bool {
    let ((id, ranges), (wanted, at)) =
        (one.split_once(':').unwrap(), place.split_once(':').unwrap());
    let at: u32 = at.parse().unwrap();
    let within = |range: &str| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        (from.parse().unwrap()..=to.parse().unwrap()).contains(&at)
    };
    id == wanted && ranges.split(',').any(within)
}

/// What many events rest on fails all of them, and nothing else.
#[tokio::test]
async fn shared_parts_fail_everything_that_rests_on_them() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served, liar) = season().await;
    let honest = bundle_of(&served.url).await;
    let page = format!("{}{PEACHES}?lang=en", liar.url);
    // (what, byte of it, how many of the 22 records fail, words)
    let statement = (0..).find(|at| {
        let of = |event: &&Value| event["statement"] == json!(at);
        honest["events"]
            .as_array()
            .unwrap()
            .iter()
            .filter(of)
            .count()
            == 4
    });
    let statement = format!("/statements/{}/statement", statement.unwrap());
    for (place, byte, failing, words) in [
        ("/policies/0/entry", 20, 22, "policy of the log"),
        ("/checkpoints/0/note", 250, 22, "checkpoint"),
        (&statement, 250, 4, "signed statement"),
    ] {
        let mut bundle = honest.clone();
        flip(bundle.pointer_mut(place).unwrap(), byte);
        liar.bundle(Some(bundle.to_string().into_bytes()));
        browser.open_page(&page).await?;
        assert_eq!(browser.checked().await?, "bad", "{place}");
        let said = browser.text("[data-verify-words]").await?;
        let count = format!("22 of 22 records: {failing} do not hold");
        assert!(said.contains(&count), "{place}: {said}");
        let marks = browser.run("return [...document.querySelectorAll('[data-verified=bad] [data-verify-mark]')].map((m) => m.innerText).join('\\n');").await?;
        assert!(marks.as_str().unwrap().contains(words), "{place}: {marks}");
    }
    // A file that is no bundle proves nothing: every card says so.
    liar.bundle(Some(b"{\"tracebond\":\"bundle/v1\"".to_vec()));
    browser.open_page(&page).await?;
    assert_eq!(browser.checked().await?, "bad");
    assert!(browser.cards().await?.iter().all(|state| state == "bad"));
    browser.is_quiet().await
}

/// Where nothing could be checked nothing is said to hold or to fail.
#[tokio::test]
async fn without_a_bundle_nothing_is_checked() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served, liar) = season().await;
    liar.bundle(None);
    let page = format!("{}{PEACHES}?lang=en", liar.url);
    browser.open_page(&page).await?;
    assert_eq!(browser.checked().await?, "unchecked");
    assert!(browser.cards().await?.iter().all(|state| state == "none"));
    let said = browser.text("[data-verify-words]").await?;
    assert!(said.contains("Not checked by this device"), "{said}");
    browser.shot("unchecked").await?;
    // The failed request is in the console; nothing else is.
    let complaints = browser.complaints().await?;
    assert!(
        complaints.iter().all(|line| line.contains("500")),
        "{complaints:?}"
    );
    // When there is a network again, it is checked after all.
    liar.bundle(Some(bundle_of(&served.url).await.to_string().into_bytes()));
    browser.run("dispatchEvent(new Event('online'));").await?;
    browser
        .until(
            "it is checked",
            "document.querySelector('[data-verify]').dataset.verified === 'ok'",
        )
        .await
}

/// A lying operator shows a good bundle beside false words.
#[tokio::test]
async fn false_words_beside_a_good_bundle_are_seen() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, _served, liar) = season().await;
    let page = format!("{}{PEACHES}?lang=en", liar.url);
    let place = "data-key=\"https://id.gs1.org/414/";
    for (what, from, to) in [
        ("step", ">Made and marked</h3>", ">Sold at retail</h3>"),
        (
            "source",
            "data-show=\"source\">Scanned<",
            "data-show=\"source\">Measured by sensor<",
        ),
        (
            "time",
            "data-show=\"time\">2026-07-11 06",
            "data-show=\"time\">2026-07-12 06",
        ),
        (
            "place",
            &format!("{place}9521001000017"),
            &format!("{place}9521002000016"),
        ),
        (
            "organisation",
            "data-key=\"qinghe\"",
            "data-key=\"northroad\"",
        ),
    ] {
        liar.words(&[(from, to)]);
        browser.open_page(&page).await?;
        assert_eq!(browser.checked().await?, "bad", "{what}");
        let marks = browser.cards().await?;
        assert_eq!(
            marks.iter().filter(|state| *state == "bad").count(),
            1,
            "{what}: {marks:?}"
        );
        let said = browser
            .text("[data-verified=bad] [data-verify-mark]")
            .await?;
        assert!(said.contains(&format!("another {what}")), "{said}");
        assert_eq!(browser.text(".verdict .word").await?, "Doubtful");
    }
    liar.words(&[]);
    browser.open_page(&page).await?;
    assert_eq!(browser.checked().await?, "ok");
    Ok(())
}

/// The policy that was seen first is remembered in the browser.
#[tokio::test]
async fn changed_policy_is_told() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, _served, liar) = season().await;
    let page = format!("{}{PEACHES}?lang=en", liar.url);
    let words = async || {
        browser.open_page(&page).await?;
        browser.checked().await?;
        browser.text("[data-verify-words]").await
    };
    assert!(!words().await?.contains("last visit"));
    assert!(words().await?.contains("is the one of your last visit"));
    browser
        .run("localStorage.setItem('tracebond.policy log.example.org/tracebond', '00 2026-07-01');")
        .await?;
    assert!(
        words()
            .await?
            .contains("has changed since your last visit (2026-07-01)")
    );
    // A page that names another policy than its bundle contradicts itself.
    liar.words(&[("data-policy=\"", "data-policy=\"00")]);
    let said = words().await?;
    assert!(
        said.contains("another policy than this page names"),
        "{said}"
    );
    Ok(())
}

/// Plain HTTP from another machine and old in-app browsers have no WebCrypto.
#[tokio::test]
async fn check_works_without_web_crypto_and_after_the_network_is_gone() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served, liar) = season().await;
    let page = format!("{}{PEACHES}?lang=zh-CN", liar.url);
    browser.without_web_crypto().await?;
    browser.open_page(&page).await?;
    assert_eq!(browser.checked().await?, "ok");
    let by = "return document.querySelector('[data-verify]').dataset.verifyBy;";
    assert_eq!(browser.run(by).await?, "plain");
    // The loaded page goes on without a network.
    browser.offline(true).await?;
    let bundle = bundle_of(&served.url).await.to_string();
    let verify = "const done = arguments[arguments.length - 1]; \
        Tracebond.verify(new TextEncoder().encode(arguments[0])).then((r) => done([r.verdict, r.by]));";
    let told = browser
        .client
        .execute_async(verify, vec![json!(bundle)])
        .await?;
    assert_eq!(told, json!(["verified", "plain"]));
    browser.is_quiet().await
}
