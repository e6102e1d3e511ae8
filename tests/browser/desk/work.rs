//! Work on offers by keyboard, by two people, beside each other, and what leaves the desk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use credit::desk::{Actor, Role, Wish};
use credit::loan::review::Choice;
use fantoccini::Locator;
use schemas::time::Clock as _;
use serde_json::json;

use super::{Bank, supplier};
use crate::browser::{Browser, DESK, TABLET};
use crate::kill::process::{DEADLINE, until};

impl Browser {
    /// Presses keys one after another in whatever has the focus, and counts them.
    async fn keys(&self, keys: &[&str]) -> Result<usize> {
        let body = self.client.find(Locator::Css("body")).await?;
        for key in keys {
            let active = self.client.active_element().await;
            active
                .unwrap_or_else(|_| body.clone())
                .send_keys(key)
                .await?;
        }
        Ok(keys.len())
    }

    /// Opens the first offer of the queue by two keys, and waits until it is there.
    async fn open_by_keys(&self) -> Result<usize> {
        self.run("window.wasHere = true;").await?;
        let pressed = self.keys(&["j", ENTER]).await?;
        let there = "!window.wasHere && document.readyState === 'complete' \
            && document.querySelector('.decide')";
        self.until("the offer is open", there).await?;
        Ok(pressed)
    }
}

const ENTER: &str = "\u{e007}";

/// Most keys from the queue to a decision.
const KEYS_MAX: usize = 6;

#[tokio::test]
async fn a_decision_takes_at_most_six_keys() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let world = supplier().await;
    let bank = Bank::open(&world).await?;
    for id in ["A-1", "A-2"] {
        bank.apply(id, "qinghe", "1000.00")
            .await?
            .context("no offer")?;
    }
    browser.resize(DESK).await?;
    browser.log_in(&bank, "li-wei").await?;
    for (keys, says) in [
        (&["a", ENTER][..], "Accepted"),
        (&["r", "2", ENTER][..], "Refused"),
    ] {
        browser.open_page(&format!("{}/", bank.url)).await?;
        let mut pressed = browser.open_by_keys().await?;
        browser.run("window.wasHere = true;").await?;
        pressed += browser.keys(keys).await?;
        let there = "!window.wasHere && document.readyState === 'complete' \
            && document.querySelector('main h1')";
        browser.until("it is decided", there).await?;
        let said = browser.text("main h1").await?;
        assert!(said.contains(says), "{said}");
        assert!(pressed <= KEYS_MAX, "{pressed} keys");
    }
    // The second of the list that was shown, by its number.
    let reason = "return document.querySelector('.steps').textContent;";
    let said = browser.run(reason).await?;
    assert!(
        said.as_str()
            .is_some_and(|said| said.contains("li-wei refused"))
    );
    // A digit in a field is a digit.
    browser.open_page(&format!("{}/", bank.url)).await?;
    browser.keys(&["?"]).await?;
    let open = "return document.querySelector('details.keys').open;";
    assert_eq!(browser.run(open).await?, true);
    browser.keys(&["/", "a", "2"]).await?;
    let typed = "return document.querySelector('#q').value;";
    assert_eq!(browser.run(typed).await?, "a2");
    browser.is_quiet().await
}

#[tokio::test]
async fn an_offer_arrives_in_the_open_queue_without_loading_it_again() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let world = supplier().await;
    let bank = Bank::open(&world).await?;
    browser.resize(DESK).await?;
    browser.log_in(&bank, "wang-fang").await?;
    browser.open_page(&format!("{}/", bank.url)).await?;
    let on = "document.getElementById('live-status').dataset.state === 'on'";
    browser.until("the line is open", on).await?;
    browser.run("window.wasHere = true;").await?;
    let offer = bank.apply("A-1", "qinghe", "20000.00").await?;
    let offer = offer.context("no offer")?;
    let there = "window.wasHere && document.querySelector('a.row')?.textContent === 'A-1'";
    browser.until("the offer has arrived", there).await?;
    browser.shot("desk-live-arrived").await?;
    // What another process of the desk does is seen too: an open offer says that it has changed.
    browser.open_page(&offer).await?;
    browser.until("the line is open", on).await?;
    browser.run("window.wasHere = true;").await?;
    let by = Actor {
        name: "li-wei".parse()?,
        role: Role::Officer,
    };
    let id = offer.rsplit('/').next().context("no id")?;
    let desk = &bank.handle.desk;
    let version = desk
        .stage(&desk.record(id).await?.decision)
        .await?
        .version();
    let wish = Wish {
        decision_id: id.to_owned(),
        version,
        choice: Choice::Accept,
        note: String::new(),
    };
    desk.review(&by, wish).await?;
    let changed = "window.wasHere && !document.getElementById('changed').hidden";
    browser.until("the page says so", changed).await?;
    browser.shot("desk-live-changed").await?;
    browser.is_accessible().await?;
    browser.press("#changed a").await?;
    let said = browser.text("main h1").await?;
    assert!(said.contains("Needs a second officer"), "{said}");
    browser.is_quiet().await
}

#[tokio::test]
async fn second_officers_inbox_has_no_button_for_the_proposer() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let world = supplier().await;
    let bank = Bank::open(&world).await?;
    let offer = bank.apply("A-1", "qinghe", "20000.00").await?;
    let offer = offer.context("no offer")?;
    let inbox = format!("{}/?show=second", bank.url);
    browser.resize(DESK).await?;
    browser.log_in(&bank, "li-wei").await?;
    browser.open_page(&offer).await?;
    browser.press(".accept").await?;
    let buttons = "return document.querySelectorAll('.decide button').length;";
    assert_eq!(browser.run(buttons).await?, 0);
    let rows =
        "return [...document.querySelectorAll('a.row')].map((row) => row.textContent).join();";
    browser.open_page(&inbox).await?;
    assert_eq!(browser.run(rows).await?, "");
    browser.log_in(&bank, "wang-fang").await?;
    browser.run("window.wasHere = true;").await?;
    browser.keys(&["i"]).await?;
    let there =
        "!window.wasHere && document.readyState === 'complete' && document.querySelector('.parts')";
    browser.until("the inbox is open", there).await?;
    assert_eq!(browser.client.current_url().await?.as_str(), inbox);
    assert_eq!(browser.run(rows).await?, "A-1");
    browser.open_by_keys().await?;
    assert_eq!(browser.run(buttons).await?, 2);
    browser.is_quiet().await
}

#[tokio::test]
async fn work_beside_an_offer_and_what_leaves_the_desk() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let world = supplier().await;
    let bank = Bank::open(&world).await?;
    bank.apply("A-0", "qinghe", "1000.00")
        .await?
        .context("no offer")?;
    let offer = bank.apply("A-1", "qinghe", "20000.00").await?;
    let offer = offer.context("no offer")?;
    browser.resize(DESK).await?;
    browser.log_in(&bank, "li-wei").await?;
    browser.open_page(&offer).await?;
    browser
        .fill("#note-text", "The buyer confirmed by telephone.")
        .await?;
    browser.press("form[action$='/notes'] button").await?;
    let day = (world.clock.now() + Duration::from_secs(24 * 3600)).to_rfc3339();
    let day = day.get(..10).context("a day")?;
    let set = format!("document.getElementById('task-until').value = '{day}';");
    browser.run(&set).await?;
    browser
        .fill("#task-what", "Ask for the signed contract")
        .await?;
    browser.press("form[action$='/tasks'] button").await?;
    let choose = "document.getElementById('officer').value = 'wang-fang';";
    browser.run(choose).await?;
    browser.press("form[action$='/assignment'] button").await?;
    let file = bank.folder.path().join("合同.pdf");
    std::fs::write(&file, b"%PDF-1.7\nnot really")?;
    browser.fill("#file", &file.display().to_string()).await?;
    browser.press("form[action$='/documents'] button").await?;
    let said = browser.text(".beside").await?;
    for text in [
        "The buyer confirmed by telephone.",
        "Ask for the signed contract",
        "wang-fang",
        "合同.pdf",
    ] {
        assert!(said.contains(text), "{text} in {said}");
    }
    browser.looks_right(&offer, "offer-worked").await?;
    browser.resize(TABLET).await?;
    browser.open_page(&offer).await?;
    browser.shot("desk-offer-worked-820").await?;
    browser
        .open_page(&format!("{}/?lang=zh-CN", bank.url))
        .await?;
    browser.shot("desk-queue-zh-820").await?;
    browser.is_accessible().await?;
    browser.resize(DESK).await?;
    let saved = save(
        &browser,
        &bank,
        "form[action='/export/queue'] button",
        "queue-",
    )
    .await?;
    let unpacked = std::process::Command::new("sh")
        .arg("-c")
        .arg(
            "python3 -m zipfile -e \"$0\" . && sha256sum -c SHA256SUMS && openssl pkeyutl -verify \
              -pubin -inkey bank-key.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig",
        )
        .arg(&saved)
        .current_dir(bank.folder.path())
        .output()?;
    let said = String::from_utf8_lossy(&unpacked.stderr).into_owned();
    ensure!(unpacked.status.success(), "{said}");
    browser.is_quiet().await
}

/// Presses a button behind which is a file, and waits until the browser has saved it.
async fn save(browser: &Browser, bank: &Bank, button: &str, begins: &str) -> Result<PathBuf> {
    let folder = bank.folder.path().join("saved");
    std::fs::create_dir(&folder)?;
    let allow = json!({"behavior": "allow", "downloadPath": folder.display().to_string()});
    browser
        .devtools("Browser.setDownloadBehavior", allow)
        .await?;
    browser.open_page(&format!("{}/?lang=en", bank.url)).await?;
    let button = browser.client.find(Locator::Css(button)).await?;
    button.click().await?;
    let look = async || Ok(saved(&folder, begins));
    until("the browser has saved it", DEADLINE, look).await
}

/// The archive of a folder whose name begins so, once it is whole.
fn saved(folder: &Path, begins: &str) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    files.map(|file| file.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(begins) && name.ends_with(".zip")
    })
}
