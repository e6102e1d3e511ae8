//! The product page in a browser.

use anyhow::Result;
use serde_json::json;

use super::{Browser, DESK, PHONE};
use crate::world::World;
use crate::world::events::{commissioned, inspected, shipped};
use crate::world::served::Served;

/// The product page of the lot of peaches.
pub const PEACHES: &str = "/01/09521001000017/10/QH-0711";

/// A lot that was made, inspected and shipped, on its page.
pub async fn peaches() -> (World, Served) {
    let mut world = World::with_line_1().await;
    for event in [commissioned(), inspected(500), shipped()] {
        world.send("qinghe/line-1", &[event]).await.id();
        world.anchor().await;
    }
    let served = world.serve().await;
    (world, served)
}

#[tokio::test]
async fn product_page_opens_in_both_languages() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served) = peaches().await;
    browser.resize(PHONE).await?;
    for (lang, name) in [("zh-CN", "水蜜桃"), ("en", "Honey peaches")] {
        let url = format!("{}{PEACHES}?lang={lang}", served.url);
        browser.open_page(&url).await?;
        assert_eq!(browser.text("h1").await?, name);
        browser.shot(&format!("product-{lang}")).await?;
        browser.is_quiet().await?;
        browser.is_accessible().await?;
    }
    Ok(())
}

/// What the harness claims to take away is gone, so that tests that rest on it test something.
#[tokio::test]
async fn harness_takes_away_what_it_says() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served) = peaches().await;
    let start = format!("{}/?lang=en", served.url);
    browser.before_pages("window.before = 1").await?;
    browser.resize(DESK).await?;
    browser.open_page(&start).await?;
    let of = async |what: &str| browser.run(&format!("return {what};")).await;
    assert_eq!(of("[window.before, innerWidth]").await?, json!([1, 1440]));
    assert_eq!(of("typeof crypto.subtle").await?, "object");
    browser.without_web_crypto().await?;
    browser.theme(true).await?;
    browser.slower(2).await?;
    browser.line(1_600, 20).await?;
    browser.open_page(&start).await?;
    assert_eq!(of("typeof crypto.subtle").await?, "undefined");
    let dark = "matchMedia('(prefers-color-scheme: dark)').matches";
    assert_eq!(of(dark).await?, true);
    browser.slower(1).await?;
    browser.is_quiet().await?;
    browser.offline(true).await?;
    browser
        .run("fetch('/health').catch(() => { window.lost = 1; })")
        .await?;
    browser.until("the network is gone", "window.lost").await?;
    // Such a failure is exactly what the console is watched for.
    assert!(browser.is_quiet().await.is_err());
    browser.offline(false).await?;
    browser.open_page(&start).await?;
    Ok(())
}
