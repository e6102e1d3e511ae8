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

impl Browser {
    /// Waits until the page's own check is over; what it came to: `ok`, `bad`, `none`, `unchecked`.
    pub async fn checked(&self) -> Result<String> {
        let state = "document.querySelector('[data-verify]')?.dataset.verified";
        self.until("the page has checked", state).await?;
        let state = self.run(&format!("return {state};")).await?;
        Ok(state.as_str().unwrap_or_default().to_owned())
    }

    /// What is marked on each card, in order.
    pub async fn cards(&self) -> Result<Vec<String>> {
        let cards = "return [...document.querySelectorAll('[data-events]')].map((card) => card.dataset.verified);";
        Ok(serde_json::from_value(self.run(cards).await?)?)
    }
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
        browser.checked().await?;
        browser.shot(&format!("product-{lang}")).await?;
        browser.is_quiet().await?;
        browser.is_accessible().await?;
    }
    Ok(())
}

#[tokio::test]
async fn phone_checks_every_record() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served) = peaches().await;
    browser.resize(PHONE).await?;
    for (lang, words) in [
        ("zh-CN", "本机核验了全部 3 条记录，均成立。"),
        ("en", "This device checked 3 of 3 records: all hold."),
    ] {
        let url = format!("{}{PEACHES}?lang={lang}", served.url);
        browser.open_page(&url).await?;
        assert_eq!(browser.checked().await?, "ok");
        assert_eq!(browser.cards().await?, ["ok", "ok", "ok"]);
        let said = browser.text("[data-verify-words]").await?;
        assert!(said.contains(words), "{said}");
        let by = "return document.querySelector('[data-verify]').dataset.verifyBy;";
        assert_eq!(browser.run(by).await?, "WebCrypto");
        browser.shot(&format!("checked-{lang}")).await?;
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
