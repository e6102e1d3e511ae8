//! A declared trial with loans in it, for tests of the whole service.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use credit::law::acceptance::china_day;
use credit::money::{Currency, Money};
use credit::sandbox::limits::{Limits, Proposal};
use credit::sandbox::stage::{Act, Ready, Step};
use credit::sandbox::stop_loss::Rule;
use credit::store::sandbox::{Motion, RuleProposal, Trials};
use credit::store::{Sqlite, Store as _};
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;

/// The declaration that everything here begins with.
const DECLARATION: &str = include_str!("../credit/fixtures/declaration.toml");
/// Its name there.
pub const TRIAL: &str = "trace-finance-1";
/// How many days before now the trial began: a month is over since.
const BEGAN: u32 = 40;

/// The part of a configuration that names the trial; the declaration lies beside it.
pub const SECTIONS: &str = r#"
[sandbox]
id = "trace-finance-1"
currency = "CNY"

[trial]
declaration = "declaration.toml"
region = "310115"
group = "micro"
tenor_days = 180
"#;

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

/// An amount such as `1000.00`.
pub fn cny(text: &str) -> Money {
    Money::parse(text, Currency::CNY).unwrap()
}

/// Limits that are in nobody's way.
pub fn limits() -> Limits {
    Limits {
        users: 10,
        regions: ["310000".parse().unwrap()].into(),
        groups: [slug("micro")].into(),
        per_loan: cny("50000.00"),
        per_borrower: cny("90000.00"),
        per_day: cny("90000.00"),
        outstanding: cny("90000.00"),
        concentration_bp: 10_000,
        tenor_days: 180,
    }
}

/// A rule that only debts can break: a twentieth overdue, or a loss of 1,000 yuan.
pub fn rule() -> Rule {
    Rule {
        overdue_bp_max: 500,
        loss_max: cny("1000.00"),
        complaints_max: 50,
        privacy_incidents_max: 0,
        compensation_min: cny("500000.00"),
    }
}

/// Writes the declaration into the folder and brings the trial to its first loan in the file of the
/// database, all of it before `now`.
pub async fn begun(folder: &Path, database: &str, now: Instant) {
    let store = Arc::new(Sqlite::open(&folder.join(database)).await.unwrap());
    let trials = Trials::new(store.clone());
    let begin = Begin {
        trials: &trials,
        trial: slug(TRIAL),
        now,
    };
    let declared = begin.declare(folder).await;
    let (limits, rule) = (begin.limits().await, begin.rule().await);
    begin.steps(declared, limits, rule).await;
    store.close().await;
}

/// A trial on its way to its first loan.
struct Begin<'t> {
    trials: &'t Trials,
    trial: Slug,
    now: Instant,
}

impl Begin<'_> {
    fn before(&self, days: u32) -> Instant {
        self.now - Duration::from_secs(24 * 3600) * (BEGAN + days)
    }

    fn day(&self, days: u32) -> NaiveDate {
        china_day(self.before(days))
    }

    /// The fixture's trial begins on a day of its own: this one begins before now.
    async fn declare(&self, folder: &Path) -> Hash {
        let text = DECLARATION
            .replace("\"2026-12-01\"", &format!("\"{}\"", self.day(0)))
            .replace("end = \"2027-11-30\"\n", "");
        std::fs::write(folder.join("declaration.toml"), &text).unwrap();
        let by = slug("zhao-min");
        let kept = self
            .trials
            .declare("declaration.toml", &text, &by, self.before(30));
        kept.await.unwrap().hash
    }

    async fn limits(&self) -> Hash {
        let wanted = Motion::Limits(Proposal {
            version: 1,
            limits: limits(),
            valid_from: self.before(29),
            proposer: slug("zhao-min"),
            reason: "as declared".to_owned(),
        });
        let (at, other) = (self.before(29), slug("chen-jie"));
        let motion = self.trials.propose(&self.trial, &wanted, at).await.unwrap();
        let kept = self.trials.approve_limits(&self.trial, motion, &other, at);
        kept.await.unwrap().hash().unwrap()
    }

    async fn rule(&self) -> Hash {
        let wanted = Motion::Rule(RuleProposal {
            version: 1,
            rule: rule(),
            proposer: slug("zhao-min"),
            reason: "as declared".to_owned(),
        });
        let (at, other) = (self.before(29), slug("chen-jie"));
        let motion = self.trials.propose(&self.trial, &wanted, at).await.unwrap();
        let kept = self.trials.approve_rule(&self.trial, motion, &other, at);
        kept.await.unwrap().rule().hash().unwrap()
    }

    async fn steps(&self, declared: Hash, limits: Hash, rule: Hash) {
        let acts = [
            Act::Publish {
                declaration: declared,
                comments_until: self.day(20),
            },
            Act::Register {
                number: "2026-7".to_owned(),
                document: Some(sha256(b"document")),
                comments_open: 0,
            },
            Act::Begin(Ready {
                limits: Some(limits),
                stop_loss: Some(rule),
                monitoring: true,
                complaints: true,
                compensation: true,
            }),
        ];
        for (act, days) in acts.into_iter().zip([28, 10, 0]) {
            let step = Step {
                capacity: act.may()[0],
                second: act.needs_two().then(|| slug("chen-jie")),
                by: slug("zhao-min"),
                at: self.before(days),
                act,
            };
            self.trials.take_step(&self.trial, &step).await.unwrap();
        }
    }
}
