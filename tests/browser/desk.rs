//! The officer's desk in a browser: two people, one offer, and their own check of the evidence.

mod keys;
mod loans;
mod my;
mod work;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use credit::desk::Role;
use credit::evidence::{EvidenceError, EvidencePack, InProcess, Shown};
use credit::loan::{Application, Outcome};
use credit::money::Money;
use fantoccini::Locator;
use schemas::ids::Slug;
use schemas::log::PolicyFile;
use schemas::registry::Record;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Browser, DESK, PHONE};
use crate::world::World;
use crate::world::events::{commissioned, inspected, shipped, step};

/// Everybody's password.
const PASSWORD: &str = "a long pass phrase";

/// A bank's configuration.
pub const CONFIG: &str = r#"
listen = "127.0.0.1:0"
database = "credit.sqlite"
policy = "policy.json"

[consent]
waived = "a test without signed consents"

[sandbox]
id = "trial-1"
version = 1
currency = "CNY"
per_loan = "50000.00"
outstanding = "90000.00"

[desk]
second_officer_above = { amount = "15000.00", currency = "CNY" }
export_key = "export.key"

[[products]]
id = "receivable-90"
currency = "CNY"
minimum = "100.00"
cap = "300000.00"
turnover_multiple = "2"
"#;

/// A lending service over what a world has proven.
pub struct Bank {
    url: String,
    handle: credit::Handle,
    shutdown: CancellationToken,
    /// Its configuration `credit.toml`, its database and its policy.
    pub folder: tempfile::TempDir,
}

impl Bank {
    /// Opens one with its people.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn open(world: &World) -> Result<Self> {
        Self::open_with(world, CONFIG, Vec::new()).await
    }

    /// Opens one by another configuration, which is shown these consents.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn open_with(world: &World, config: &str, shown: Vec<Shown>) -> Result<Self> {
        Self::open_at(world, config, shown, Arc::clone(&world.clock) as _).await
    }

    /// The same by another clock than the world's.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn open_at(
        world: &World,
        config: &str,
        shown: Vec<Shown>,
        clock: Arc<dyn schemas::time::Clock>,
    ) -> Result<Self> {
        let bundle = world.bundler().evidence(&"qinghe".parse()?).await?.bytes;
        let evidence = InProcess::new(move |organisation: Slug| {
            let bundle = bundle.clone();
            Box::pin(async move {
                match organisation.as_str() {
                    "qinghe" => Ok(EvidencePack { bundle }),
                    "away" => Err(EvidenceError::Unreachable("no route".to_owned())),
                    _ => Err(EvidenceError::Unknown(organisation)),
                }
            })
        });
        let evidence = evidence.with_consents(move |_, _| {
            let shown = shown.clone();
            Box::pin(async move { Ok(shown) })
        });
        let folder = tempfile::tempdir()?;
        std::fs::write(
            folder.path().join("policy.json"),
            serde_json::to_vec(&PolicyFile::new(world.policy_entry()))?,
        )?;
        let file = folder.path().join("credit.toml");
        std::fs::write(&file, config)?;
        credit::desk::sealed::load_or_make_key(&folder.path().join("export.key"))?;
        let config = credit::Config::load(&file)?;
        let shutdown = CancellationToken::new();
        let handle = credit::run(config, Arc::new(evidence), clock, shutdown.clone()).await?;
        for (name, role) in [
            ("li-wei", Role::Officer),
            ("wang-fang", Role::Officer),
            ("zhao-min", Role::Supervisor),
        ] {
            let name: Slug = name.parse()?;
            handle.accounts.add("test", &name, role, PASSWORD).await?;
        }
        let url = format!("http://{}", handle.address);
        Ok(Self {
            url,
            handle,
            shutdown,
            folder,
        })
    }

    /// An application; the address of its page if it was decided.
    ///
    /// # Errors
    /// When it is none.
    pub async fn apply(&self, id: &str, supplier: &str, amount: &str) -> Result<Option<String>> {
        let application = Application {
            application_id: id.parse()?,
            supplier: supplier.parse()?,
            product: "receivable-90".parse()?,
            requested: Money::parse(amount, "CNY".parse()?)?,
            declared: credit::loan::Declared::default(),
        };
        let decided = self.handle.credit.apply(application).await;
        let id = decided.ok().map(|record| {
            let decision = record.decision;
            assert!(
                matches!(decision.outcome, Outcome::Offer { .. }),
                "{:?}",
                decision.rules
            );
            decision.decision_id
        });
        Ok(id.map(|id| format!("{}/decisions/{id}", self.url)))
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A supplier whose one delivery was kept and confirmed.
pub async fn supplier() -> World {
    let mut world = World::with_line_1().await;
    world.admit("market").await;
    let receives = |record: &mut Record| {
        record.steps = vec!["receiving".to_owned()];
    };
    world.enrol_with("market/dock-1", receives).await;
    for kilograms in 400..412 {
        let looked_at = inspected(kilograms);
        world.send("qinghe/line-1", &[looked_at]).await.id();
    }
    let mut shipment = shipped();
    shipment["tb:promisedDelivery"] = json!("2026-07-11T06:00:00.000+08:00");
    let received = step("receiving", "OBSERVE", 500);
    for (device, event) in [
        ("qinghe/line-1", commissioned()),
        ("qinghe/line-1", inspected(500)),
        ("qinghe/line-1", shipment),
        ("market/dock-1", received),
    ] {
        world.send(device, &[event]).await.id();
        world.anchor().await;
    }
    world
}

impl Browser {
    async fn fill(&self, selector: &str, text: &str) -> Result<()> {
        let field = self.client.find(Locator::Css(selector)).await?;
        Ok(field.send_keys(text).await?)
    }

    /// Presses a button or link, and waits for the page behind it.
    async fn press(&self, selector: &str) -> Result<()> {
        self.run("window.wasHere = true;").await?;
        let button = self.client.find(Locator::Css(selector)).await;
        button.with_context(|| selector.to_owned())?.click().await?;
        let left = "!window.wasHere && document.readyState === 'complete'";
        let pressed = self.until("another page is there", left).await;
        if pressed.is_err() {
            let said = self.text("body").await.unwrap_or_default();
            return pressed.context(format!("{selector} of {said}"));
        }
        Ok(())
    }

    async fn log_in(&self, bank: &Bank, name: &str) -> Result<()> {
        self.client.delete_all_cookies().await?;
        self.open_page(&format!("{}/login?lang=en", bank.url))
            .await?;
        self.fill("#name", name).await?;
        self.fill("#password", PASSWORD).await?;
        self.press("main form button").await?;
        ensure!(
            self.text("header .who b").await? == name,
            "{name} is not logged in"
        );
        Ok(())
    }

    /// Looks at a page as everybody has it: no violation, nothing beside the screen, no complaint.
    async fn looks_right(&self, url: &str, name: &str) -> Result<()> {
        let joint = if url.contains('?') { '&' } else { '?' };
        for (lang, dark, size) in [
            ("en", false, DESK),
            ("zh-CN", true, PHONE),
            ("zh-CN", false, DESK),
            ("en", true, DESK),
            ("en", false, PHONE),
        ] {
            self.resize(size).await?;
            self.theme(dark).await?;
            self.open_page(&format!("{url}{joint}lang={lang}")).await?;
            let theme = if dark { "dark" } else { "light" };
            self.shot(&format!("desk-{name}-{lang}-{theme}-{}", size.0))
                .await?;
            self.is_accessible()
                .await
                .with_context(|| format!("{name} {lang} {theme} {size:?}"))?;
            let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth;";
            let beside = self.run(wide).await?;
            ensure!(
                beside == json!(0),
                "{name} {lang} {size:?}: {beside} pixels beside the screen"
            );
        }
        self.resize(DESK).await?;
        self.theme(false).await
    }
}

#[tokio::test]
async fn two_officers_decide_and_the_same_one_cannot() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let world = supplier().await;
    let bank = Bank::open(&world).await?;
    let offer = bank
        .apply("A-1", "qinghe", "20000.00")
        .await?
        .context("no offer")?;
    browser.resize(DESK).await?;
    browser.log_in(&bank, "li-wei").await?;
    browser.press("a.row").await?;
    assert_eq!(browser.client.current_url().await?.as_str(), offer);
    assert!(
        browser
            .text("main h1")
            .await?
            .contains("Waiting ¥20,000.00")
    );
    browser.press(".accept").await?;
    assert!(
        browser
            .text("main h1")
            .await?
            .contains("Needs a second officer")
    );
    assert!(
        browser
            .text(".decide")
            .await?
            .contains("You have accepted this offer")
    );
    same_person_forges_a_form(&browser).await?;
    browser.log_in(&bank, "wang-fang").await?;
    browser.open_page(&offer).await?;
    browser.fill("#note-accept", "both papers seen").await?;
    browser.press(".accept").await?;
    assert!(
        browser
            .text("main h1")
            .await?
            .contains("Accepted ¥20,000.00")
    );
    let steps = browser.text(".steps").await?;
    for text in [
        "li-wei accepted as the first officer",
        "wang-fang accepted",
        "both papers seen",
    ] {
        assert!(steps.contains(text), "{steps}");
    }
    assert!(
        browser
            .text("#record ~ .scroll")
            .await?
            .contains("tried to decide twice")
    );
    browser.is_quiet_but_for("403").await
}

impl Browser {
    /// Fails if the console was told of anything but a status that the test has asked for.
    async fn is_quiet_but_for(&self, status: &str) -> Result<()> {
        let complaints = self.complaints().await?;
        let others: Vec<_> = complaints
            .iter()
            .filter(|line| !line.contains(status))
            .collect();
        ensure!(others.is_empty(), "the console says: {others:#?}");
        Ok(())
    }
}

/// The officer who has decided sends the form of somebody who may.
async fn same_person_forges_a_form(browser: &Browser) -> Result<()> {
    // Without buttons of its own the page is given those of somebody who may decide.
    let forge = "const csrf = document.querySelector('.who input').value; \
        const form = document.createElement('form'); form.method = 'post'; \
        form.action = location.pathname + '/review'; \
        for (const [name, value] of Object.entries({csrf, version: '0'.repeat(64), act: 'accept'})) { \
          const field = document.createElement('input'); field.name = name; field.value = value; form.append(field); } \
        document.body.append(form); form.submit();";
    browser.run("window.wasHere = true;").await?;
    browser.run(forge).await?;
    browser
        .until(
            "the refusal is there",
            "!window.wasHere && document.querySelector('.state.refused')",
        )
        .await?;
    let said = browser.text("main").await?;
    assert!(
        said.contains("A second officer has to be another person"),
        "{said}"
    );
    browser.shot("desk-same-person").await?;
    browser.is_accessible().await?;
    browser.press("main a").await?;
    assert!(
        browser
            .text("main h1")
            .await?
            .contains("Needs a second officer")
    );
    Ok(())
}

#[tokio::test]
async fn officers_browser_checks_an_event_itself() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let world = supplier().await;
    let bank = Bank::open(&world).await?;
    let offer = bank
        .apply("A-1", "qinghe", "10000.00")
        .await?
        .context("no offer")?;
    browser.resize(DESK).await?;
    browser.log_in(&bank, "li-wei").await?;
    browser
        .open_page(&format!("{offer}?fact=on-time#evidence"))
        .await?;
    let links = "return [...document.querySelectorAll('.events a')].map((link) => link.href);";
    let links: Vec<String> = serde_json::from_value(browser.run(links).await?)?;
    assert_eq!(links.len(), 2);
    for link in &links {
        browser.open_page(link).await?;
        assert_eq!(browser.checked().await?, "ok");
        assert_eq!(browser.cards().await?, ["ok"]);
        // A mark stands beside its words, in a line of text.
        let tallest = "return Math.max(...[...document.querySelectorAll('svg.i')]\
            .map((mark) => mark.getBoundingClientRect().height));";
        let tallest = browser.run(tallest).await?;
        assert!(tallest.as_f64().context("no mark")? <= 28.0, "{tallest}");
    }
    browser.is_quiet().await?;
    // What the server says of itself stays; the browser finds an altered value by itself.
    let alter = "const real = window.fetch; window.fetch = async (...all) => { \
        const answer = await real(...all); if (!String(all[0]).includes('/bundle')) return answer; \
        const bundle = await answer.json(); const member = bundle.events[0].members.find((m) => m.name === 'readPoint'); \
        member.value = btoa(atob(member.value).replace('9521', '9522')); \
        return new Response(JSON.stringify(bundle), {headers: {'content-type': 'application/json'}}); };";
    browser.before_pages(alter).await?;
    browser.open_page(&links[0]).await?;
    assert_eq!(browser.checked().await?, "bad");
    assert!(
        browser
            .text("#checks ~ .columns")
            .await?
            .contains("Verified by the bank's server")
    );
    browser.shot("desk-event-altered").await
}

#[tokio::test]
async fn every_page_of_the_desk_is_for_everybody() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let world = supplier().await;
    let bank = Bank::open(&world).await?;
    let url = &bank.url;
    browser
        .looks_right(&format!("{url}/login"), "login")
        .await?;
    browser.log_in(&bank, "li-wei").await?;
    browser
        .looks_right(&format!("{url}/"), "queue-empty")
        .await?;
    let offer = bank
        .apply("A-1", "qinghe", "20000.00")
        .await?
        .context("no offer")?;
    for (id, supplier) in [("A-2", "away"), ("A-3", "nobody")] {
        assert_eq!(bank.apply(id, supplier, "10000.00").await?, None);
    }
    bank.apply("A-4", "qinghe", "30000.00")
        .await?
        .context("no offer")?;
    browser.looks_right(&format!("{url}/"), "queue").await?;
    browser.looks_right(&offer, "offer").await?;
    let event = "return document.querySelector('.events a').href;";
    browser.open_page(&format!("{offer}?fact=on-time")).await?;
    let event = browser.run(event).await?;
    let event = event.as_str().context("no event")?;
    browser.looks_right(event, "event").await?;
    assert_eq!(browser.checked().await?, "ok");
    browser.open_page(&offer).await?;
    browser.press(".accept").await?;
    browser.looks_right(&offer, "offer-endorsed").await?;
    browser
        .looks_right(&format!("{url}/audit"), "not-allowed")
        .await?;
    browser.log_in(&bank, "zhao-min").await?;
    browser
        .looks_right(&format!("{url}/reasons"), "reasons")
        .await?;
    browser
        .looks_right(&format!("{url}/audit"), "trail")
        .await?;
    browser
        .looks_right(&format!("{url}/nowhere"), "missing")
        .await
}
