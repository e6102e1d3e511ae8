//! The verifier page: saved bundles, hostile ones, a policy of the reader's own.

use std::path::Path;

use anyhow::Result;
use fantoccini::Locator;
use schemas::b64;
use schemas::log::PolicyFile;
use serde_json::{Value, json};

use super::pages::{PEACHES, peaches};
use super::{Browser, DESK, PHONE};
use crate::world::World;

impl Browser {
    /// Chooses a file in a field.
    async fn choose(&self, field: &str, file: &Path) -> Result<()> {
        let field = self.client.find(Locator::Id(field)).await?;
        field.send_keys(file.to_str().unwrap()).await?;
        Ok(())
    }

    /// Drops what a script makes onto the page.
    async fn drop_file(&self, script: &str) -> Result<()> {
        self.run(&format!(
            "const files = new DataTransfer(); \
             files.items.add(new File([{script}], 'bundle.json')); \
             delete document.getElementById('result').dataset.verdict; \
             dispatchEvent(new DragEvent('drop', {{dataTransfer: files, cancelable: true}}));"
        ))
        .await?;
        Ok(())
    }

    /// Verdict and class of what was dropped or chosen.
    async fn found(&self) -> Result<(String, String)> {
        let result = "document.getElementById('result').dataset";
        self.until("the page has checked", &format!("{result}.verdict"))
            .await?;
        let found = self
            .run(&format!("return [{result}.verdict, {result}.class ?? ''];"))
            .await?;
        Ok(serde_json::from_value(found)?)
    }
}

/// Saves the peaches' bundle and the policy in force.
async fn saved(world: &World, url: &str, folder: &Path) -> String {
    let key = "https%3A%2F%2Fid.gs1.org%2F01%2F09521001000017%2F10%2FQH-0711";
    let answer = reqwest::get(format!("{url}/v1/bundles/item?key={key}"))
        .await
        .unwrap();
    let bundle = String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap();
    std::fs::write(folder.join("bundle.json"), &bundle).unwrap();
    let policy = PolicyFile::new(world.policy_entry());
    std::fs::write(
        folder.join("policy.json"),
        serde_json::to_vec(&policy).unwrap(),
    )
    .unwrap();
    bundle
}

/// At the platform's origin, and at a witness's with the network gone.
#[tokio::test]
async fn saved_bundle_is_checked_at_every_origin_and_offline() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (world, served) = peaches().await;
    let folder = tempfile::tempdir()?;
    saved(&world, &served.url, folder.path()).await;
    let witness = world.witnesses.sections().remove(0).url;
    for (origin, lang) in [(&served.url, "zh-CN"), (&witness, "en")] {
        browser
            .open_page(&format!("{origin}/verify?lang={lang}"))
            .await?;
        let hash = "document.getElementById('script-hash').textContent";
        browser.until("the page knows its script", hash).await?;
        assert_eq!(
            browser.run(&format!("return {hash};")).await?,
            kit::verifier::SCRIPT_HASH.to_string()
        );
        browser.is_accessible().await?;
        browser.offline(true).await?;
        browser
            .choose("bundle", &folder.path().join("bundle.json"))
            .await?;
        assert_eq!(browser.found().await?, ("verified".into(), String::new()));
        browser
            .choose("policy", &folder.path().join("policy.json"))
            .await?;
        let compared = ["与您信任的策略一致", "equal to the policy that you trust"];
        let said = format!(
            "document.getElementById('result').innerText.includes('{}')",
            compared[usize::from(lang == "en")]
        );
        browser.until("the policies are compared", &said).await?;
        let rows = browser
            .run("return document.querySelectorAll('#result li[data-state=verified]').length;")
            .await?;
        assert_eq!(rows, 3);
        browser.resize(PHONE).await?;
        browser.shot(&format!("verifier-{lang}-390")).await?;
        browser.is_accessible().await?;
        browser.resize(DESK).await?;
        browser.shot(&format!("verifier-{lang}-1440")).await?;
        // The other language, without asking anybody.
        browser
            .run("document.getElementById('switch').click();")
            .await?;
        let other = ["The proof holds", "证明成立"][usize::from(lang == "en")];
        let said = browser.text("#result h2").await?;
        assert_eq!(said, other);
        browser.offline(false).await?;
        browser.is_quiet().await?;
    }
    Ok(())
}

#[tokio::test]
async fn policy_of_the_readers_own_decides() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (world, served) = peaches().await;
    let other = World::named("log.example.org/another").await;
    let folder = tempfile::tempdir()?;
    saved(&world, &served.url, folder.path()).await;
    let policy = folder.path().join("policy.json");
    browser
        .open_page(&format!("{}/verify?lang=en", served.url))
        .await?;
    browser
        .choose("bundle", &folder.path().join("bundle.json"))
        .await?;
    assert_eq!(browser.found().await?.0, "verified");
    let another = serde_json::to_vec(&PolicyFile::new(other.policy_entry()))?;
    std::fs::write(&policy, another)?;
    browser.choose("policy", &policy).await?;
    browser
        .until(
            "it is refused",
            "document.getElementById('result').dataset.class === 'policy'",
        )
        .await?;
    browser.shot("verifier-other-policy").await?;
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, "{\"tracebond\":\"policy/v1\",\"entry\":\"AA==\"}")?;
    browser.choose("policy", &broken).await?;
    browser
        .until(
            "it says so",
            "document.getElementById('result').dataset.verdict === 'policy'",
        )
        .await?;
    let said = browser.text("#result").await?;
    assert!(said.contains("The policy file cannot be read"), "{said}");
    browser.is_quiet().await
}

/// The bundle with one thing changed, as a JavaScript string.
fn edited(bundle: &str, edit: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(bundle).unwrap();
    edit(&mut value);
    json!(value.to_string()).to_string()
}

/// Whatever is dropped, the page answers with a word and never stands still.
#[tokio::test]
async fn hostile_bundles_are_refused_with_a_word_and_without_a_freeze() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let (world, served) = peaches().await;
    let folder = tempfile::tempdir()?;
    let bundle = saved(&world, &served.url, folder.path()).await;
    browser.resize(DESK).await?;
    browser
        .open_page(&format!("{}/verify?lang=en", served.url))
        .await?;
    let beat = "window.gap = 0; let last = performance.now(); setInterval(() => { \
        const now = performance.now(); window.gap = Math.max(window.gap, now - last); last = now; }, 20);";
    browser.run(beat).await?;
    let start = json!(&bundle[..bundle.len() - 2]);
    let long = format!("'{}'", "A".repeat(4_096));
    let value = |text: &str| {
        let text = b64::encode(text.as_bytes());
        edited(&bundle, |bundle| {
            bundle["events"][0]["members"][0]["value"] = json!(text)
        })
    };
    let hostile = [
        ("nothing", "''".to_owned(), "format"),
        ("no JSON", "'\\u0000'.repeat(100)".to_owned(), "format"),
        (
            "depth",
            "'{\"tracebond\":' + '['.repeat(2e6)".to_owned(),
            "format",
        ),
        (
            "depth in a row",
            format!("{start}.replace('\"path\":[', '\"path\":' + '['.repeat(1e6))"),
            "format",
        ),
        (
            "too large",
            "new Uint8Array(33554433).fill(65)".to_owned(),
            "format",
        ),
        (
            "32 MiB in one string",
            "'{\"tracebond\":\"' + 'A'.repeat(33554000) + '\"}'".to_owned(),
            "format",
        ),
        (
            "32 MiB in one entry",
            format!("{{}}.x + {long}.repeat(8000)"),
            "format",
        ),
        (
            "too many rows",
            format!(
                "{start} + ',{{\"leaf\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"statement\":0,\"index\":0,\"path\":[]}}'.repeat(70000) + ']}}'"
            ),
            "format",
        ),
        (
            "65,000 rows",
            format!(
                "{start} + ',{{\"leaf\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"statement\":0,\"index\":0,\"path\":[]}}'.repeat(65000) + ']}}'"
            ),
            "format",
        ),
        (
            "huge number",
            edited(&bundle, |bundle| {
                bundle["events"][0]["index"] = json!(u64::MAX)
            }),
            "format",
        ),
        (
            "number of 30 MB",
            format!("{start}.replace('\"index\":', '\"index\":1' + '0'.repeat(3e7))"),
            "format",
        ),
        (
            "member of another kind",
            edited(&bundle, |bundle| bundle["events"] = json!({"length": 1})),
            "format",
        ),
        (
            "names of objects",
            edited(&bundle, |bundle| bundle["__proto__"] = json!(1)),
            "format",
        ),
        (
            "script in a name",
            edited(&bundle, |bundle| {
                bundle["events"][0]["members"][0]["name"] = json!("<img src=x onerror=alert(1)>")
            }),
            "event-path",
        ),
        ("deep value", value(&"[".repeat(40_000)), "event-path"),
        (
            "string without end",
            value(&format!("\"{}", "\\u0061".repeat(8_000))),
            "event-path",
        ),
    ];
    for (what, script, class) in &hostile {
        browser.drop_file(script).await?;
        let found = browser.found().await?;
        assert_eq!(found, ("refused".into(), (*class).to_owned()), "{what}");
        let said = browser.text("#result").await?;
        assert!(said.contains("First fault: "), "{what}: {said}");
    }
    browser.shot("verifier-hostile").await?;
    let gap = browser.run("return window.gap;").await?.as_f64().unwrap();
    println!(
        "{} hostile files, longest standstill {gap:.0} ms",
        hostile.len()
    );
    assert!(gap < 2_000.0, "the page stood still for {gap} ms");
    assert_eq!(
        browser
            .run("return document.querySelectorAll('#result img').length;")
            .await?,
        0
    );
    // The page is as good as before.
    browser.drop_file(&json!(bundle).to_string()).await?;
    assert_eq!(browser.found().await?.0, "verified");
    browser.is_quiet().await?;
    browser
        .open_page(&format!("{}{PEACHES}?lang=en", served.url))
        .await?;
    assert_eq!(browser.checked().await?, "ok");
    Ok(())
}
