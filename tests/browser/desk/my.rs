//! A borrower on a phone: from an offer to a token that was taken back.

use credit::desk::{Actor, Wish};
use credit::lending::NewToken;
use credit::loan::life;
use credit::loan::review::Choice;
use schemas::hash::sha256;
use schemas::time::{Clock, Instant, Sleep};

use super::*;

/// Stands where it is, whoever sleeps: the service looks after its loans by the clock, and would move
/// the world's beyond every session.
struct Still(Instant);

impl Clock for Still {
    fn now(&self) -> Instant {
        self.0
    }

    fn sleep_until(&self, _: Instant) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }
}

/// The desk's bank, which lends.
pub fn lends() -> String {
    let products = concat!(env!("CARGO_MANIFEST_DIR"), "/../credit/products");
    let (before, _) = CONFIG.split_once("[[products]]").unwrap();
    format!(
        r#"{before}
[[products]]
id = "receivable-confirming"
currency = "CNY"
minimum = "1000.00"
cap = "100000.00"
turnover_multiple = "2"

[lending]
products = ["{products}/receivable-confirming.toml"]
calendars = ["{products}/calendars/cn.toml"]
"#
    )
}

impl Bank {
    /// An offer on an application of `qinghe`, which an officer accepts if asked to.
    pub async fn offered(&self, id: &str, accepted: bool) -> Result<credit::loan::Record> {
        let application = Application {
            application_id: id.parse()?,
            supplier: "qinghe".parse()?,
            product: "receivable-confirming".parse()?,
            requested: Money::parse("2000.00", "CNY".parse()?)?,
            declared: credit::loan::Declared::default(),
        };
        let record = self.handle.credit.apply(application).await?;
        if accepted {
            let wish = Wish {
                decision_id: record.decision.decision_id.clone(),
                version: self.handle.desk.stage(&record.decision).await?.version(),
                choice: Choice::Accept,
                note: String::new(),
            };
            let by = Actor {
                name: "li-wei".parse()?,
                role: Role::Officer,
            };
            self.handle.desk.review(&by, wish).await?;
        }
        Ok(record)
    }
}

#[tokio::test]
async fn borrower_accepts_an_offer_and_takes_a_token_back() -> Result<()> {
    let Some(browser) = Browser::start().await else {
        return Ok(());
    };
    let world = supplier().await;
    let clock = Arc::new(Still(world.clock.now()));
    let bank = Bank::open_at(&world, &lends(), Vec::new(), clock).await?;
    let (name, qinghe): (Slug, Slug) = ("ma-li".parse()?, "qinghe".parse()?);
    let accounts = &bank.handle.accounts;
    accounts
        .add_borrower("test", &name, &qinghe, PASSWORD)
        .await?;
    let id = bank.offered("A-1", true).await?.decision.decision_id;
    bank.offered("A-2", false).await?;

    browser.resize(PHONE).await?;
    browser.log_in(&bank, "ma-li").await?;
    let home = format!("{}/my", bank.url);
    assert_eq!(browser.client.current_url().await?.path(), "/my");
    browser.looks_right(&home, "my").await?;
    let consents = format!("{home}/consents");
    browser.looks_right(&consents, "my-consents").await?;
    let offer = format!("{home}/loans/{id}");
    browser.looks_right(&offer, "my-offer").await?;
    browser.resize(PHONE).await?;
    browser.open_page(&format!("{offer}?lang=en")).await?;
    let said = browser.text("#offer ~ form.panel").await?;
    assert!(said.contains("By accepting"), "{said}");
    browser.press("button.accept").await?;
    assert_eq!(browser.client.current_url().await?.as_str(), offer);

    let token = NewToken {
        loan: id.parse()?,
        token: sha256(b"a secret of the borrower"),
        account: "6222 0000 1111".to_owned(),
        amount: Money::parse("2000.00", "CNY".parse()?)?,
        expires: None,
    };
    let lending = bank.handle.lending.as_ref().context("no lending")?;
    lending.issue(&token, life::Actor::Machine).await?;
    browser.looks_right(&offer, "my-token").await?;
    browser.resize(PHONE).await?;
    browser.open_page(&offer).await?;
    let card = browser.text("article.card").await?;
    assert!(
        card.contains("•••• 1111") && !card.contains("6222"),
        "{card}"
    );
    browser.fill("#amount", "1500").await?;
    browser.press("form[action$='/limit'] .main").await?;
    let card = browser.text("article.card").await?;
    assert!(card.contains("¥1,500.00"), "{card}");
    browser.press("article .refuse").await?;
    let card = browser.text("article.card").await?;
    assert!(card.contains("Taken back"), "{card}");
    browser.looks_right(&offer, "my-revoked").await?;
    browser.is_quiet().await
}
