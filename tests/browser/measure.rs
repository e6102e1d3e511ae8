//! What the reader's own check costs: bytes on the wire, and milliseconds an event. Run by hand on
//! a quiet machine: `cargo nextest run -p tests --run-ignored only --no-capture measure`.

use anyhow::Result;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use serde_json::json;

use super::altered::{bundle_of, season};
use super::pages::PEACHES;
use super::{Browser, PHONE};

/// Checks of one bundle.
const ROUNDS: usize = 31;

/// Bytes of an answer as a browser gets them, and how they are encoded.
async fn wire(url: &str) -> (usize, String) {
    let client = reqwest::Client::new();
    let answer = client
        .get(url)
        .header(ACCEPT_ENCODING, "gzip")
        .send()
        .await
        .unwrap();
    let encoding = answer.headers().get(CONTENT_ENCODING);
    let encoding = encoding
        .map_or("identity", |name| name.to_str().unwrap())
        .to_owned();
    (answer.bytes().await.unwrap().len(), encoding)
}

#[tokio::test]
#[ignore = "measures; run it alone on a quiet machine"]
async fn measure() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served, _liar) = season().await;
    for path in [
        PEACHES,
        "/assets/tracebond.css",
        kit::verifier::SCRIPT_HREF.as_str(),
        kit::verifier::PAGE_HREF.as_str(),
        kit::verifier::parts()[1].href().as_str(),
        "/verify",
    ] {
        let (bytes, encoding) = wire(&format!("{}{path}", served.url)).await;
        println!("{bytes:>7} bytes on the wire ({encoding}): {path}");
    }
    let bundle = bundle_of(&served.url).await;
    let count = |table: &str| bundle[table].as_array().unwrap().len();
    let (events, statements) = (count("events"), count("statements"));
    println!(
        "{events} events, {statements} statements, {} headers",
        count("headers")
    );
    browser.resize(PHONE).await?;
    for plain in [false, true] {
        if plain {
            browser.without_web_crypto().await?;
        }
        for slower in [1, 4] {
            browser.slower(slower).await?;
            browser.open_page(&format!("{}/verify", served.url)).await?;
            let rounds = json!([bundle.to_string(), ROUNDS]);
            let script = "const done = arguments[arguments.length - 1]; (async () => { \
                const bytes = new TextEncoder().encode(arguments[0][0]); const times = []; let by; \
                for (let i = 0; i < arguments[0][1]; i++) { const began = performance.now(); \
                const report = await Tracebond.verify(bytes); times.push(performance.now() - began); \
                by = report.verdict + ' by ' + report.by; } done([by, times]); })();";
            let told = browser.client.execute_async(script, vec![rounds]).await?;
            let (by, times): (String, Vec<f64>) = serde_json::from_value(told)?;
            let first = times[0] / events as f64;
            let mut times: Vec<f64> = times.iter().map(|all| all / events as f64).collect();
            times.sort_by(f64::total_cmp);
            println!(
                "{by}, processor 1/{slower}: first {first:.2} ms, p50 {:.2} ms, p90 {:.2} ms an event",
                times[ROUNDS / 2],
                times[ROUNDS * 9 / 10]
            );
        }
    }
    browser.is_quiet().await
}
