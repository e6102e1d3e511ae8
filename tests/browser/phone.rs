//! What a phone shows: the first screen, every page of the platform in both languages and themes,
//! the report by keyboard, reading aloud, scans.

use anyhow::{Context as _, Result, ensure};
use fantoccini::key::Key;
use serde_json::{Value, json};

use super::pages::{PEACHES, peaches};
use super::{Browser, PHONE};
use crate::reports::{UNKNOWN, file};

const LANGUAGES: [&str; 2] = ["zh-CN", "en"];

/// Everything that the first screen holds.
const FIRST: [&str; 9] = [
    "h1",
    ".code",
    ".verdict .word svg",
    ".verdict .reason",
    ".verdict [data-verify-words]",
    ".scans",
    ".caveat h2",
    ".caveat p",
    ".report .button",
];

/// Fails for each element that is not wholly within the window.
const OUTSIDE: &str = "return arguments[0].filter((name) => {
    const box = document.querySelector(name)?.getBoundingClientRect();
    return !box || box.height < 8 || box.width < 8 || box.top < 0 || box.left < 0
        || box.bottom > innerHeight || box.right > innerWidth;
});";

#[tokio::test]
async fn first_screen_holds_what_a_reader_needs() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served) = peaches().await;
    browser.resize(PHONE).await?;
    for lang in LANGUAGES {
        browser
            .open_page(&format!("{}{PEACHES}?lang={lang}", served.url))
            .await?;
        browser.checked().await?;
        let outside = browser.client.execute(OUTSIDE, vec![json!(FIRST)]).await?;
        assert_eq!(outside, json!([]), "{lang}");
    }
    Ok(())
}

/// Every page of the platform that anybody can open.
fn paths(number: &str) -> Vec<String> {
    let form = format!("/report?code={PEACHES}");
    let number = format!("/report/{number}");
    let fixed = [
        "/",
        "/?code=0952",
        PEACHES,
        UNKNOWN,
        "/report",
        "/report?number=1234",
        "/nothing",
    ];
    let mut paths: Vec<String> = fixed.map(str::to_owned).into();
    paths.extend([form, number]);
    paths
}

#[tokio::test]
async fn every_page_is_accessible_and_scrolls_one_way() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served) = peaches().await;
    let number = file(&served.url, PEACHES, "seal_broken").await;
    for path in paths(&number) {
        for (lang, dark) in [
            ("zh-CN", false),
            ("zh-CN", true),
            ("en", false),
            ("en", true),
        ] {
            let joint = if path.contains('?') { '&' } else { '?' };
            let url = format!("{}{path}{joint}lang={lang}", served.url);
            browser.theme(dark).await?;
            browser.resize(PHONE).await?;
            browser.open_page(&url).await?;
            let found = browser.violations().await?;
            ensure!(found.is_empty(), "{path} {lang} dark {dark}: {found:#?}");
            let name = path.replace(['/', '?', '=', '&'], "-");
            browser.shot(&format!("phone{name}-{lang}-{dark}")).await?;
            // A phone and a desk at 200 %.
            for size in [(195, 422), (720, 450)] {
                browser.resize(size).await?;
                let wide = "return document.documentElement.scrollWidth - innerWidth;";
                let wide = browser.run(wide).await?;
                ensure!(
                    wide.as_i64() <= Some(0),
                    "{path} {lang} at {size:?}: {wide} too wide"
                );
            }
        }
    }
    Ok(())
}

/// Presses Tab until an element has the focus.
async fn tab_to(browser: &Browser, selector: &str) -> Result<()> {
    let here = format!(
        "return document.activeElement.matches({});",
        json!(selector)
    );
    for _ in 0..40 {
        let focus = browser.client.active_element().await?;
        focus.send_keys(&char::from(Key::Tab).to_string()).await?;
        if browser.run(&here).await? == json!(true) {
            return Ok(());
        }
    }
    anyhow::bail!("{selector} is not reached by Tab")
}

async fn press(browser: &Browser, keys: &str) -> Result<()> {
    Ok(browser
        .client
        .active_element()
        .await?
        .send_keys(keys)
        .await?)
}

#[tokio::test]
async fn report_is_made_by_keyboard_alone() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served) = peaches().await;
    browser.resize(PHONE).await?;
    browser
        .open_page(&format!("{}{PEACHES}?lang=en", served.url))
        .await?;
    let enter = char::from(Key::Enter).to_string();
    tab_to(&browser, ".report .button").await?;
    press(&browser, &enter).await?;
    browser
        .until("the form", "document.querySelector('#text')")
        .await?;
    tab_to(&browser, "input[name=kind]").await?;
    press(&browser, " ").await?;
    tab_to(&browser, "#text").await?;
    press(&browser, "The lid was open <script>alert(1)</script>").await?;
    tab_to(&browser, "button[type=submit]").await?;
    press(&browser, &enter).await?;
    browser
        .until("the number", "document.querySelector('.number')")
        .await?;
    let number = browser.text(".number").await?;
    let parsed: platform::report::Number = number.parse()?;
    let path = browser.client.current_url().await?.path().to_owned();
    assert_eq!(path, format!("/report/{}", parsed.as_str()));
    assert_eq!(browser.text(".verdict .word").await?, "Received");
    browser.is_quiet().await
}

/// A phone that has a voice for Chinese and none for English.
const VOICES: &str = "window.said = [];
    Object.defineProperty(window, 'speechSynthesis', {value: {
        getVoices: () => [{lang: 'zh_CN', name: 'a'}, {lang: 'fr-FR', name: 'b'}],
        addEventListener() {}, cancel() {},
        speak(words) { window.said.push([words.lang, words.text]); },
    }});
    window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };";

#[tokio::test]
async fn verdict_is_read_aloud_where_there_is_a_voice() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served) = peaches().await;
    browser.before_pages(VOICES).await?;
    let open = async |lang: &str| {
        let url = format!("{}{PEACHES}?lang={lang}", served.url);
        browser.open_page(&url).await?;
        browser
            .run("return document.querySelector('.speak').hidden;")
            .await
    };
    assert_eq!(open("en").await?, true, "no voice reads English here");
    assert_eq!(open("zh-CN").await?, false);
    browser
        .run("document.querySelector('.speak').click();")
        .await?;
    let said = browser.run("return window.said;").await?;
    assert_eq!(said[0][0], "zh-CN");
    let text = said[0][1].as_str().context("nothing is said")?;
    for part in [".verdict .word", "h1", ".verdict .reason"] {
        let shown = browser.text(part).await?;
        assert!(text.contains(shown.trim()), "{part}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn browser_counts_once_a_day_and_is_not_named() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served) = peaches().await;
    let url = format!("{}{PEACHES}?lang=en", served.url);
    let scans = async || {
        browser.open_page(&url).await?;
        browser.text(".scans").await
    };
    assert!(scans().await?.contains("this one"));
    for _ in 0..2 {
        assert!(scans().await?.contains("1, each phone once a day"));
    }
    let cookies = browser.client.get_all_cookies().await?;
    let mut told: Vec<String> = cookies
        .iter()
        .map(|cookie| format!("{}={}", cookie.name(), cookie.value()))
        .collect();
    told.sort();
    assert_eq!(told, ["lang=en", "scanned=1"]);
    browser.client.delete_all_cookies().await?;
    assert!(scans().await?.contains("2, each phone once a day"));
    Ok(())
}

#[tokio::test]
async fn page_is_complete_without_scripts() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (_world, served) = peaches().await;
    let off = json!({"value": true});
    browser
        .devtools("Emulation.setScriptExecutionDisabled", off)
        .await?;
    browser.resize(PHONE).await?;
    let url = format!("{}{PEACHES}?lang=en", served.url);
    browser.open_page(&url).await?;
    let on = json!({"value": false});
    browser
        .devtools("Emulation.setScriptExecutionDisabled", on)
        .await?;
    let outside = browser.client.execute(OUTSIDE, vec![json!(FIRST)]).await?;
    assert_eq!(outside, json!([]));
    assert!(browser.text(".own").await?.contains("has not checked"));
    let hidden = browser.run("return document.querySelector('.speak').hidden;");
    assert_eq!(
        hidden.await?,
        true,
        "a button that does nothing is not shown"
    );
    let cards: Value = browser
        .run("return document.querySelectorAll('.step').length;")
        .await?;
    assert_eq!(cards, 3);
    Ok(())
}
