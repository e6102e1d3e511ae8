//! The daily run over many loans, on a SQLite file: `bench -- credit [--loans N]`.
//!
//! The loans are made by the pure core and written through the store, many a transaction. Each was paid
//! out in 12 instalments; one in fifty was paid out 40 days before the others, has not paid since, and
//! is run up to the day before. What is measured is one day of all of them: reading their rows,
//! calculating, and writing acts, ledger entries and rows, with everything on disk at the end.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use anyhow::{Result, ensure};
use chrono::{Days, NaiveDate};
use credit::audit::{self, Action};
use credit::ledger::{Entry, LoanId};
use credit::lending::ports::{NoBank, NoCover, NoTrial};
use credit::lending::{Catalogue, Lending, Ports, Rules, SourceFile, row_of};
use credit::loan::ReviewRules;
use credit::loan::life::disbursement::payee;
use credit::loan::life::{self, Act, Actor, Conditions, Deed, Loan, Opened, Person, Span};
use credit::money::{Currency, Money};
use credit::schedule::{Calendar, periods};
use credit::store::lending::{Change, Write, Wrote};
use credit::store::{Checked, Sqlite, Tables};
use schemas::hash::sha256;
use schemas::ids::Slug;
use schemas::time::{Clock, Instant, Sleep};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::progress::Progress;

/// The product of all loans.
const PRODUCT: &str = r#"
id = "measured"
version = 1
kind = "purchase-order"
currency = "CNY"
minimum = "1000.00"
maximum = "500000.00"
[security]
advance_percent = "60"
buyer_confirmation = true
tenor_max_days = 1200
[interest]
annual_rate_percent = "6.85"
method = "declining-balance"
day_count = "act/360"
accrual = "by-days"
[repayment]
amortisation = "equal-principal"
instalments_min = 12
instalments_max = 12
every = 1
unit = "months"
[penalty]
annual_rate_percent = "10.275"
day_count = "act/360"
grace_days = 0
on = "principal-and-interest"
[allocation]
order = ["penalty", "fees", "interest", "principal"]
across = "oldest-instalment"
"#;

/// One in so many loans is late.
const LATE: u64 = 50;
/// Days that a late one is older.
const OLDER: u64 = 40;
/// Loans of a transaction while they are made.
const AT_ONCE: u64 = 250;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// How many loans.
    pub loans: u64,
    /// The engine.
    pub engine: &'static str,
    /// Seconds of the day.
    pub seconds: f64,
    /// Acts of the day.
    pub acts: u64,
    /// Ledger entries of the day.
    pub entries: u64,
    /// Seconds of a second run, which finds nothing.
    pub again_seconds: f64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a day of {} loans on {}: {:.1} s, {} acts, {} entries; again {:.2} s",
            self.loans, self.engine, self.seconds, self.acts, self.entries, self.again_seconds
        )
    }
}

/// Stands still.
struct Noon(Instant);

impl Clock for Noon {
    fn now(&self) -> Instant {
        self.0
    }

    fn sleep_until(&self, _: Instant) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }
}

/// Noon in China.
fn noon(day: NaiveDate) -> Instant {
    let at = day.and_hms_opt(4, 0, 0).unwrap_or_default().and_utc();
    Instant::from_micros(at.timestamp_micros())
}

/// Measures a day of so many loans.
///
/// # Errors
/// When the store fails, or the books do not hold afterwards.
pub async fn measure(loans: u64, progress: &mut Progress) -> Result<Measured> {
    let folder = tempfile::tempdir()?;
    let store: Arc<dyn Tables> = Arc::new(Sqlite::open(&folder.path().join("days.sqlite")).await?);
    let book: Slug = "days".parse()?;
    let usual = life::Rules::usual()?;
    let file = SourceFile {
        name: "measured.toml".to_owned(),
        text: PRODUCT.to_owned(),
    };
    let catalogue = Catalogue::read(&[file], &[], &usual)?;
    let start = NaiveDate::from_ymd_opt(2026, 6, 1).unwrap_or_default();
    catalogue.keep(&*store, noon(start)).await?;
    let conditions = catalogue.current(&"measured".parse()?).cloned();
    let conditions = conditions.ok_or_else(|| anyhow::anyhow!("no product"))?;
    fill(&*store, &book, &conditions, start, loans, progress).await?;
    let tomorrow = start + Days::new(1);
    let ports = Ports {
        cover: Arc::new(NoCover),
        room: Arc::new(NoTrial),
        bank: Arc::new(NoBank),
    };
    let week = Duration::from_secs(7 * 86_400);
    let rules = Rules {
        book: book.clone(),
        review: ReviewRules {
            second_officer_above: Money::zero(Currency::CNY),
            offer_valid: week,
        },
        drawn_within: week,
    };
    let clock = Arc::new(Noon(noon(tomorrow)));
    let lending = Lending::new(Arc::clone(&store), catalogue, rules, ports, clock);
    let stop = CancellationToken::new();
    let began = Moment::now();
    let done = lending.run_day(Some(tomorrow), "bench", &stop).await?;
    let seconds = began.elapsed().as_secs_f64();
    ensure!(done.failed.is_empty() && done.loans == loans, "{done:?}");
    let began = Moment::now();
    let again = lending.run_day(Some(tomorrow), "bench", &stop).await?;
    let again_seconds = began.elapsed().as_secs_f64();
    ensure!(
        again.loans == 0,
        "a second run changed {} loans",
        again.loans
    );
    progress.done(&format!("a day of {loans} loans: {seconds:.1} s"));
    let whole = matches!(store.check_ledger(&book).await?, Checked::Whole(_));
    ensure!(whole, "the book does not hold");
    Ok(Measured {
        loans,
        engine: "sqlite",
        seconds,
        acts: done.acts,
        entries: done.entries,
        again_seconds,
    })
}

async fn fill(
    store: &dyn Tables,
    book: &Slug,
    conditions: &Arc<Conditions>,
    start: NaiveDate,
    loans: u64,
    progress: &mut Progress,
) -> Result<()> {
    let mut next = 0;
    while next < loans {
        let until = loans.min(next + AT_ONCE);
        let (mut changes, mut entries) = (Vec::new(), Vec::new());
        for number in next..until {
            let (change, booked) = made(conditions, start, number)?;
            changes.push(change);
            entries.extend(booked);
        }
        let write = Write {
            book: book.clone(),
            changes,
            entries,
            note: audit::Entry {
                at: noon(start),
                actor: "bench".to_owned(),
                action: Action::LoanAct,
                subject: "many".to_owned(),
                detail: String::new(),
            },
        };
        ensure!(store.write_loans(&write).await? == Wrote::Kept, "overtaken");
        next = until;
        progress.step(|| format!("{next} of {loans} loans are made"));
    }
    Ok(())
}

/// A loan that was paid out and run up to the first day.
fn made(
    conditions: &Arc<Conditions>,
    start: NaiveDate,
    number: u64,
) -> Result<(Change, Vec<Entry>)> {
    let late = number.is_multiple_of(LATE);
    let day = if late {
        start - Days::new(OLDER)
    } else {
        start
    };
    let id: LoanId = format!("loan-{number:08}").parse()?;
    let amount = 10_000_000 + i64::try_from(number % 1_000)? * 10_000;
    let amount = Money::from_fen(amount, Currency::CNY)?;
    let (at, secret) = (noon(day), sha256(id.as_str().as_bytes()));
    let until = at + Duration::from_secs(86_400);
    let payee = payee(&id, "6222");
    let supplier: Slug = format!("supplier-{}", number % 500).parse()?;
    let person = |name: &str| anyhow::Ok(Person::new(name.parse()?));
    let one = |name: &str| {
        anyhow::Ok(Actor::One {
            person: person(name)?,
        })
    };
    let terms = conditions.product.terms(12)?;
    let spans = periods(&terms, day, &Calendar::default())?;
    let act = |key: &str, by: Actor, deed: Deed| {
        anyhow::Ok(Act {
            key: key.parse()?,
            value: day,
            booked: at,
            by,
            deed,
        })
    };
    let opened = act(
        "opened",
        one("li-wei")?,
        Deed::Opened(Opened {
            decision_id: id.to_string(),
            supplier: supplier.clone(),
            approved: amount,
            instalments: 12,
            valid_until: until,
            officers: vec![person("li-wei")?],
            product: conditions.product.hash,
            rules: conditions.rules_hash(),
        }),
    )?;
    let issued = Deed::TokenIssued {
        token: secret,
        payee,
        amount,
        expires: until,
    };
    let used = Deed::TokenUsed {
        token: secret,
        payee,
        amount,
    };
    let disbursed = Deed::Disbursed {
        reference: "core".to_owned(),
        periods: spans.into_iter().map(Span::from).collect(),
    };
    let mut acts = vec![
        opened,
        act("token", one("zhao-min")?, issued)?,
        act("use", Actor::Borrower { supplier }, used)?,
        act("paid", Actor::Bank, disbursed)?,
    ];
    let (loan, mut entries) = Loan::replay(id, Arc::clone(conditions), acts.iter().cloned())?;
    let (loan, run) = life::day(loan, start, noon(start))?;
    for (act, booked) in run {
        acts.push(act);
        entries.extend(booked);
    }
    let change = Change {
        before: 0,
        head: row_of(&loan, u32::try_from(acts.len())?)?,
        acts,
        room: Vec::new(),
        rows: Vec::new(),
        payee: None,
        ends: None,
    };
    Ok((change, entries))
}
