//! What the product page costs a phone. Figures are printed, never judged:
//! `cargo nextest run -p tests --run-ignored only --no-capture page_figures`.

use anyhow::Result;
use serde_json::{Value, json};
use simulators::progress::Progress;
use simulators::scenario::DEFAULT_SEED;
use simulators::script::Script;
use simulators::stack::door::Door;
use simulators::stack::engines::Engines;
use simulators::tour::Tour;

use super::{Browser, PHONE};

/// Loads that are measured.
const LOADS: usize = 20;

/// Largest paint so far in milliseconds, and (name, bytes on the wire) of everything loaded.
const MEASURE: &str = "const done = arguments[arguments.length - 1];
    new PerformanceObserver((list) => {
        const largest = list.getEntries().pop();
        const loaded = performance.getEntriesByType('navigation')
            .concat(performance.getEntriesByType('resource'));
        done([largest.startTime, loaded.map((one) => [one.name, one.transferSize])]);
    }).observe({type: 'largest-contentful-paint', buffered: true});";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn page_figures() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let script = Script::story(DEFAULT_SEED);
    let mut progress = Progress::new(true);
    let mut tour = Tour::start(&script, Door::any(), &Engines::default(), &mut progress).await?;
    let (first, item) = script.first_journey();
    tour.play_until(first, &mut progress).await?;
    let page = item.replacen("https://id.gs1.org", tour.stack.operator.url(), 1);
    browser.resize(PHONE).await?;
    browser.devtools("Network.enable", json!({})).await?;
    browser
        .devtools("Network.setCacheDisabled", json!({"cacheDisabled": true}))
        .await?;
    browser.line(1_600, 150).await?;
    browser.slower(4).await?;
    let mut paints = Vec::new();
    let mut loaded = Value::Null;
    for _ in 0..LOADS {
        browser.open_page(&page).await?;
        browser.checked().await?;
        let measured = browser.client.execute_async(MEASURE, Vec::new()).await?;
        paints.push(measured[0].as_f64().unwrap_or_default());
        loaded = measured[1].clone();
    }
    paints.sort_by(f64::total_cmp);
    println!(
        "largest paint at 1.6 Mbit/s, 150 ms, 4x slower: p50 {:.0} ms, p75 {:.0} ms of {LOADS}",
        paints[LOADS / 2],
        paints[LOADS * 3 / 4]
    );
    for one in loaded.as_array().into_iter().flatten() {
        println!(
            "{:>8} bytes {}",
            one[1],
            one[0].as_str().unwrap_or_default()
        );
    }
    tour.stop().await
}
