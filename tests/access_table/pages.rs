//! The pages behind the log-in form, in a browser, in both services: looked at by axe, without a
//! line that is too long, in both languages. `TRACEBOND_SHOTS=folder` keeps pictures.

use anyhow::Result;
use credit::desk::Role;
use kit::people::factor::KeptFactor;
use kit::people::{AccessStore, LogInSection};

use super::credit::{self as bank, Bank};
use super::platform;
use crate::browser::desk::supplier;
use crate::browser::{Browser, DESK, PHONE};
use crate::captures::Stack;
use crate::captures::people::{PASSWORD, account};

/// Where people log in, and as whom: with a factor, and without one that the role must have.
struct Door<'d> {
    url: String,
    service: &'static str,
    password: &'d str,
}

const SIZES: [(u32, u32); 3] = [PHONE, (820, 1180), DESK];

impl Door<'_> {
    async fn look(&self, browser: &Browser) -> Result<()> {
        for (lang, size, dark) in [
            ("zh-CN", SIZES[0], false),
            ("en", SIZES[0], true),
            ("en", SIZES[1], false),
            ("zh-CN", SIZES[2], false),
            ("en", SIZES[2], true),
        ] {
            browser.resize(size).await?;
            browser.theme(dark).await?;
            let look = format!("{lang}-{}", size.0);
            self.open(browser, &format!("/login?lang={lang}")).await?;
            self.fine(browser, &format!("login-{look}")).await?;
            self.enter(browser, "ma-lin", "/login/factor").await?;
            self.fine(browser, &format!("factor-{look}")).await?;
            self.send(browser, &[("first", "123456"), ("second", "654321")])
                .await?;
            let refused = "document.querySelector('[role=alert]')";
            browser.until("wrong codes are refused", refused).await?;
            self.look_at(browser, &format!("factor-wrong-{look}"))
                .await?;
            self.enter(browser, "he-yu", "/login/code").await?;
            self.fine(browser, &format!("code-{look}")).await?;
            self.open(browser, "/login/provider/back").await?;
            self.look_at(browser, &format!("provider-{look}")).await?;
        }
        Ok(())
    }

    async fn open(&self, browser: &Browser, path: &str) -> Result<()> {
        browser.open_page(&format!("{}{path}", self.url)).await
    }

    /// Shows a name with its password; waits for the page that follows.
    async fn enter(&self, browser: &Browser, name: &str, next: &str) -> Result<()> {
        self.open(browser, "/login").await?;
        self.send(browser, &[("name", name), ("password", self.password)])
            .await?;
        let there = format!("location.pathname === '{next}'");
        browser.until(next, &there).await
    }

    async fn send(&self, browser: &Browser, fields: &[(&str, &str)]) -> Result<()> {
        let fill = |(name, value): &(&str, &str)| {
            format!("document.querySelector('[name={name}]').value = '{value}';")
        };
        let fills: String = fields.iter().map(fill).collect();
        let (first, _) = fields[0];
        let script = format!("{fills} document.querySelector('[name={first}]').form.submit();");
        browser.run(&script).await.map(drop)
    }

    async fn fine(&self, browser: &Browser, name: &str) -> Result<()> {
        self.look_at(browser, name).await?;
        browser.is_quiet().await
    }

    async fn look_at(&self, browser: &Browser, name: &str) -> Result<()> {
        let wide = "return document.documentElement.scrollWidth - window.innerWidth;";
        assert!(browser.run(wide).await?.as_i64() <= Some(0), "{name}");
        browser.is_accessible().await?;
        browser.shot(&format!("{}-{name}", self.service)).await?;
        // What a refused form prints is not looked at again.
        browser.complaints().await.map(drop)
    }
}

/// Gives `he-yu` a second factor of which nobody has the app.
async fn give_factor(
    store: &dyn AccessStore,
    organisation: &str,
    clock: &dyn schemas::time::Clock,
) {
    let factor = KeptFactor {
        secret: vec![0],
        enrolled: clock.now(),
        last_step: 0,
        wrong: 0,
    };
    let (organisation, name) = (organisation.parse().unwrap(), "he-yu".parse().unwrap());
    let kept = store.add_factor(&organisation, &name, &factor, &[]).await;
    assert!(kept.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn log_in_pages_of_platform() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let section = LogInSection {
        second_factor: ["strict".parse()?].into(),
        provider: Some(platform::section(platform::provider().await)),
        ..LogInSection::default()
    };
    let stack = Stack::small().await.with(section, Vec::new()).await;
    for (name, organisation) in [("ma-lin", "strict"), ("he-yu", "qinghe")] {
        account(&stack, name, organisation).await;
    }
    let store = &*stack.handle().store;
    give_factor(store, "operator", &*stack.clock).await;
    let door = Door {
        url: stack.url(""),
        service: "platform",
        password: PASSWORD,
    };
    door.look(&browser).await
}

#[tokio::test(flavor = "multi_thread")]
async fn log_in_pages_of_credit() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let world = supplier().await;
    let folder = bank::folder(&world).await;
    let more = format!(
        "[log_in]\nsecond_factor = [\"auditor\"]\n[log_in.provider]\nissuer = \"{}\"\n\
         client_id = \"desk\"\n",
        platform::provider().await
    );
    let bank = Bank::open(&world, folder.path(), "bank", &more).await;
    bank.hire("ma-lin", Role::Auditor).await;
    bank.hire("he-yu", Role::Officer).await;
    let store = &**bank.handle.credit.store();
    give_factor(store, "bank", &*world.clock).await;
    let door = Door {
        url: bank.url(),
        service: "credit",
        password: bank::PASSWORD,
    };
    door.look(&browser).await
}
