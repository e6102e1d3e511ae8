//! Loans at the desk: an overdue loan, found by keyboard, whose class two officers set; and a token.

use std::sync::atomic::{AtomicI64, Ordering};

use credit::lending::{Acceptance, Draw, NewToken, Request};
use credit::loan::life::{Actor as ByWhom, Deed, Span};
use credit::schedule::periods;
use schemas::hash::sha256;
use schemas::time::{Clock, Instant, Sleep};

use super::my::lends;
use super::*;
use crate::browser::TABLET;

/// Moved by the test alone.
struct Hand(AtomicI64);

impl Hand {
    fn days(&self, days: i64) {
        self.0.fetch_add(days * 86_400_000_000, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, _: Instant) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }
}

impl Bank {
    /// A loan that waits for its token.
    async fn loan(&self, application: &str) -> Result<String> {
        let id = self.offered(application, true).await?.decision.decision_id;
        let lending = self.handle.lending.as_ref().context("no lending")?;
        let acceptance = Acceptance {
            decision_id: id.clone(),
            supplier: "qinghe".parse()?,
            instalments: None,
        };
        lending.accept(&acceptance).await?;
        Ok(id)
    }

    /// Its money goes out today: there is no core of a bank here, so its word is said.
    async fn paid_out(&self, id: &str) -> Result<()> {
        let lending = self.handle.lending.as_ref().context("no lending")?;
        let (secret, amount) = (
            sha256(id.as_bytes()),
            Money::parse("2000.00", "CNY".parse()?)?,
        );
        let token = NewToken {
            loan: id.parse()?,
            token: secret,
            account: "6222 0000 1111".to_owned(),
            amount,
            expires: None,
        };
        lending.issue(&token, ByWhom::Machine).await?;
        let draw = Draw {
            loan: token.loan.clone(),
            supplier: "qinghe".parse()?,
            token: secret,
            account: token.account,
            amount,
        };
        lending.draw(&draw).await?;
        let loaded = lending.loan(&draw.loan).await?;
        let file = loaded.loan.file();
        let product = &file.conditions().product;
        let today = credit::law::acceptance::china_day(lending.clock().now());
        let terms = product.terms(file.opened().instalments)?;
        let made = periods(&terms, today, &lending.catalogue().calendar(product))?;
        let paid = Request {
            loan: draw.loan,
            key: "core".parse()?,
            value: Some(today),
            by: ByWhom::Bank,
            deed: Deed::Disbursed {
                reference: "core-2026-0001".to_owned(),
                periods: made.into_iter().map(Span::from).collect(),
            },
        };
        lending.act(paid).await?;
        Ok(())
    }
}

impl Browser {
    /// The page on a tablet, in both languages, with nothing beside the screen.
    async fn fits_a_tablet(&self, url: &str, name: &str) -> Result<()> {
        self.resize(TABLET).await?;
        for lang in ["en", "zh-CN"] {
            let joint = if url.contains('?') { '&' } else { '?' };
            self.open_page(&format!("{url}{joint}lang={lang}")).await?;
            self.shot(&format!("desk-{name}-{lang}-light-820")).await?;
            let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth;";
            ensure!(
                self.run(wide).await? == json!(0),
                "{name} {lang} is too wide"
            );
        }
        self.resize(DESK).await
    }

    /// Opens the form of a proposal by its summary, as the keyboard does.
    async fn unfolds(&self, what: &str) -> Result<()> {
        let summary = format!("details.proposal:has([data-what='{what}']) > summary");
        let summary = self.client.find(Locator::Css(&summary)).await?;
        summary.send_keys("\u{e007}").await?;
        let open = format!("document.querySelector('[data-what=\"{what}\"]').parentElement.open");
        self.until("the form is open", &open).await
    }
}

#[tokio::test]
async fn two_officers_look_after_an_overdue_loan() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let world = supplier().await;
    let hand = Arc::new(Hand(AtomicI64::new(world.clock.now().as_micros())));
    let clock = Arc::clone(&hand) as Arc<dyn Clock>;
    let bank = Bank::open_at(&world, &lends(), Vec::new(), clock).await?;
    let late = bank.loan("A-1").await?;
    bank.paid_out(&late).await?;
    hand.days(200);
    let lending = bank.handle.lending.as_ref().context("no lending")?;
    lending
        .run_day(None, "test", &CancellationToken::new())
        .await?;

    browser.resize(DESK).await?;
    browser.log_in(&bank, "li-wei").await?;
    let (list, path) = (
        format!("{}/loans", bank.url),
        format!("{}/loans/{late}", bank.url),
    );
    browser.looks_right(&list, "loans").await?;
    browser.fits_a_tablet(&list, "loans").await?;
    browser
        .open_page(&format!("{list}?state=closed&lang=en"))
        .await?;
    browser.shot("desk-loans-none-en-light-1440").await?;
    assert!(
        browser
            .text(".state.empty")
            .await?
            .contains("No loan is like this")
    );
    browser.open_page(&format!("{list}?late=1&lang=en")).await?;
    let body = browser.client.find(Locator::Css("body")).await?;
    body.send_keys("j").await?;
    let focused = browser
        .run("return document.activeElement.getAttribute('href');")
        .await?;
    assert_eq!(focused, json!(format!("/loans/{late}")));
    browser.press("a.row:focus").await?;
    assert_eq!(browser.client.current_url().await?.as_str(), path);
    let said = browser.text("main .verdict").await?;
    assert!(
        said.contains("Overdue") && said.contains("days late"),
        "{said}"
    );
    browser.looks_right(&path, "loan").await?;
    browser.fits_a_tablet(&path, "loan").await?;

    browser.open_page(&format!("{path}?lang=en")).await?;
    browser.unfolds("graded").await?;
    browser.fill("#gr-g", "Doubtful").await?;
    browser
        .fill("#gr-w", "The buyer has closed; seen on the spot.")
        .await?;
    browser.press("[data-what='graded'] .main").await?;
    let motion = browser.text("article.motion").await?;
    assert!(
        motion.contains("You proposed this") && motion.contains("Doubtful"),
        "{motion}"
    );
    browser.looks_right(&path, "loan-proposed").await?;

    browser.log_in(&bank, "wang-fang").await?;
    let waits = browser.text("section:has(#motions)").await?;
    assert!(
        waits.contains("1 proposal on a loan waits") && waits.contains("li-wei"),
        "{waits}"
    );
    browser
        .looks_right(&format!("{}/?show=second", bank.url), "inbox")
        .await?;
    browser.open_page(&format!("{}/?lang=en", bank.url)).await?;
    browser.press("section:has(#motions) a.row").await?;
    browser.fits_a_tablet(&path, "loan-second").await?;
    browser.open_page(&format!("{path}?lang=en")).await?;
    browser.press("article.motion .accept").await?;
    let events = browser.text("ol.steps").await?;
    assert!(
        events.contains("li-wei proposed, wang-fang agreed"),
        "{events}"
    );
    browser.looks_right(&path, "loan-agreed").await?;

    browser
        .open_page(&format!("{}/loans/none?lang=en", bank.url))
        .await?;
    browser.shot("desk-loan-missing-en-light-1440").await?;
    assert!(browser.text("main").await?.contains("Nothing is here"));
    browser.is_quiet_but_for("404").await
}

#[tokio::test]
async fn token_is_issued_and_its_secret_is_shown_once() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let world = supplier().await;
    let clock = Arc::new(Hand(AtomicI64::new(world.clock.now().as_micros())));
    let bank = Bank::open_at(&world, &lends(), Vec::new(), clock).await?;
    let id = bank.loan("A-1").await?;
    browser.resize(DESK).await?;
    browser.log_in(&bank, "wang-fang").await?;
    let path = format!("{}/loans/{id}", bank.url);
    browser.looks_right(&path, "loan-approved").await?;
    browser.open_page(&format!("{path}?lang=en")).await?;
    let summary = browser
        .client
        .find(Locator::Css("#tokens ~ details > summary"));
    summary.await?.click().await?;
    browser.fill("#account", "6222 0000 1111").await?;
    browser.fill("#t-amount", "1,500").await?;
    browser.press("#tokens ~ details .main").await?;
    let secret = browser.text("#token-secret").await?;
    assert_eq!(secret.len(), 64, "{secret}");
    browser.is_accessible().await?;
    browser.shot("desk-loan-token-en-light-1440").await?;
    browser.open_page(&path).await?;
    let tokens = browser.text("section:has(#tokens)").await?;
    assert!(
        tokens.contains("¥1,500.00") && !tokens.contains(&secret),
        "{tokens}"
    );
    browser.press("#tokens ~ article .refuse").await?;
    let tokens = browser.text("section:has(#tokens)").await?;
    assert!(tokens.contains("Taken back"), "{tokens}");
    browser.is_quiet().await
}
