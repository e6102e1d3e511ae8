//! The queue, worked without a mouse.

use super::*;

#[tokio::test]
async fn queue_is_worked_by_keyboard_alone() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let world = supplier().await;
    let bank = Bank::open(&world).await?;
    for id in ["A-1", "A-2", "A-3"] {
        bank.apply(id, "qinghe", "1000.00")
            .await?
            .context("no offer")?;
    }
    browser.resize(DESK).await?;
    browser.log_in(&bank, "li-wei").await?;
    let by_name = format!("{}/?sort=application", bank.url);
    browser.open_page(&by_name).await?;
    let height = "return document.querySelector('.queue tbody tr').getBoundingClientRect().height;";
    let height = browser.run(height).await?.as_f64();
    assert!(
        height.is_some_and(|height| (36.0..=38.0).contains(&height)),
        "{height:?}"
    );
    let focused = || browser.run("return document.activeElement.textContent;");
    let body = browser.client.find(Locator::Css("body")).await?;
    for (key, row) in [
        ("j", "A-1"),
        ("j", "A-2"),
        ("\u{e015}", "A-3"),
        ("j", "A-3"),
        ("\u{e013}", "A-2"),
    ] {
        let active = browser.client.active_element().await;
        active
            .unwrap_or_else(|_| body.clone())
            .send_keys(key)
            .await?;
        assert_eq!(focused().await?, row);
    }
    let exact =
        "return getComputedStyle(document.querySelector('tr:focus-within .exact')).visibility;";
    assert_eq!(browser.run(exact).await?, "visible");
    browser.run("window.wasHere = true;").await?;
    browser
        .client
        .active_element()
        .await?
        .send_keys("\u{e007}")
        .await?;
    browser
        .until(
            "the offer is open",
            "!window.wasHere && document.querySelector('.decide')",
        )
        .await?;
    browser
        .open_page(&format!("{}/?sort=application&dir=desc&q=A-", bank.url))
        .await?;
    let order =
        "return [...document.querySelectorAll('a.row')].map((link) => link.textContent).join();";
    assert_eq!(browser.run(order).await?, "A-3,A-2,A-1");
    browser.is_quiet().await
}
