//! Stories of loans, by hand and by chance.

mod bank;
mod corrected;
mod graded;
mod paid;
mod properties;
mod refused;
mod run;
mod token;
mod told;

use std::sync::Arc;

use chrono::NaiveDate;
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;

use super::disbursement::{Secret, payee};
use super::*;
use crate::ledger::{Account, Balances, Class, EntryKind};
use crate::money::{Currency, Money};
use crate::product::Definition;
use crate::schedule::{Calendar, periods};

/// Equal principal at 12 percent, every month a twelfth; lateness costs 18 percent.
const PLAIN: &str = r#"
id = "plain"
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
annual_rate_percent = "12"
method = "declining-balance"
day_count = "30/360"
accrual = "equal-periods"
[repayment]
amortisation = "equal-principal"
instalments_min = 2
instalments_max = 36
every = 1
unit = "months"
[penalty]
annual_rate_percent = "18"
day_count = "act/360"
grace_days = 0
on = "principal-and-interest"
[allocation]
order = ["penalty", "fees", "interest", "principal"]
across = "oldest-instalment"
"#;

const START: &str = "2026-01-15";
const SECRET: Secret = Secret::new([7; 32]);

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn cny(fen: i64) -> Money {
    Money::from_fen(fen, Currency::CNY).unwrap()
}

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

fn person(name: &str) -> Person {
    Person::new(slug(name))
}

fn two() -> Actor {
    let people = TwoPeople::new(person("li-wei"), person("wang-fang")).unwrap();
    Actor::Two { people }
}

fn one(name: &str) -> Actor {
    Actor::One {
        person: person(name),
    }
}

fn borrower() -> Actor {
    Actor::Borrower {
        supplier: slug("tea"),
    }
}

fn text(words: &str) -> String {
    words.to_owned()
}

fn calendar() -> Calendar {
    let text = include_str!("../../../products/calendars/cn.toml");
    Calendar::parse("cn.toml", text).unwrap()
}

fn conditions(product: &str, early_fee: &str) -> Arc<Conditions> {
    let product = Definition::parse("product.toml", product).unwrap();
    let rules = Rules {
        early_fee_percent: crate::schedule::Rate::from_percent(early_fee).unwrap(),
        ..Rules::usual().unwrap()
    };
    Arc::new(Conditions::new(product, rules).unwrap())
}

/// Noon in China.
fn noon(day: NaiveDate) -> Instant {
    let at = day.and_hms_opt(4, 0, 0).unwrap().and_utc();
    Instant::from_micros(at.timestamp_micros())
}

/// A loan with everything that happened to it, and the ledger beside it.
#[derive(Clone)]
struct Story {
    conditions: Arc<Conditions>,
    loan: Loan,
    acts: Vec<Act>,
    entries: Vec<Entry>,
    ledger: Balances,
    today: NaiveDate,
}

impl Story {
    /// An offer of up to an amount was accepted.
    fn opened(conditions: Arc<Conditions>, fen: i64, instalments: u32, day: &str) -> Self {
        let today = date(day);
        let deed = Deed::Opened(Opened {
            decision_id: text("d-1"),
            supplier: slug("tea"),
            approved: cny(fen),
            instalments,
            valid_until: noon(today).plus(std::time::Duration::from_secs(7 * 86_400)),
            officers: vec![person("li-wei")],
            product: conditions.product.hash,
            rules: conditions.rules_hash(),
        });
        let act = Act {
            key: "opened".parse().unwrap(),
            value: today,
            booked: noon(today),
            by: one("li-wei"),
            deed,
        };
        let id: LoanId = "L-1".parse().unwrap();
        let loan = Loan::open(id, conditions.clone(), act.clone()).unwrap();
        Self {
            conditions,
            loan,
            acts: vec![act],
            entries: Vec::new(),
            ledger: Balances::default(),
            today,
        }
    }

    /// The money is out.
    fn lent(conditions: Arc<Conditions>, fen: i64, instalments: u32, day: &str) -> Self {
        let mut story = Self::opened(conditions, fen, instalments, day);
        story.issue(fen).unwrap();
        story.draw(fen).unwrap();
        story.disbursed();
        story
    }

    fn plain() -> Self {
        Self::lent(conditions(PLAIN, "0"), 300_000, 3, START)
    }

    fn payee(&self) -> Hash {
        payee(self.loan.file().id(), "6222 0000")
    }

    fn issue(&mut self, fen: i64) -> Result<(), Refused> {
        let deed = Deed::TokenIssued {
            token: SECRET.hash(),
            payee: self.payee(),
            amount: cny(fen),
            expires: noon(self.today).plus(std::time::Duration::from_secs(86_400)),
        };
        self.act(one("zhao-min"), deed)
    }

    fn draw(&mut self, fen: i64) -> Result<(), Refused> {
        let deed = Deed::TokenUsed {
            token: SECRET.hash(),
            payee: self.payee(),
            amount: cny(fen),
        };
        self.act(borrower(), deed)
    }

    fn disbursed(&mut self) {
        let instalments = self.loan.file().opened().instalments;
        let terms = self.conditions.product.terms(instalments).unwrap();
        let made = periods(&terms, self.today, &calendar()).unwrap();
        let deed = Deed::Disbursed {
            reference: text("bank-1"),
            periods: made.into_iter().map(Span::from).collect(),
        };
        self.act(Actor::Bank, deed).unwrap();
        self.run(&self.today.to_string());
    }

    /// Runs every day up to this one.
    fn run(&mut self, day: &str) {
        self.run_to(date(day));
    }

    fn run_to(&mut self, day: NaiveDate) {
        self.today = self.today.max(day);
        let (loan, done) = super::day(self.loan.clone(), day, noon(self.today)).unwrap();
        self.runs_from_its_copy(day, &loan, &done);
        self.loan = loan;
        for (act, entries) in done {
            self.keep(act, entries);
        }
    }

    /// The run of a loan of which only the kept position is read does the same.
    fn runs_from_its_copy(&self, day: NaiveDate, loan: &Loan, done: &[(Act, Vec<Entry>)]) {
        if run_day(&self.loan).is_none() {
            assert!(done.is_empty());
            return;
        }
        let running = Running {
            id: self.loan.file().id().clone(),
            position: self.copied(),
            conditions: &self.conditions,
            last_booked: self.acts.last().unwrap().booked,
        };
        let (position, copied) = day_of(running, day, noon(self.today)).unwrap();
        assert_eq!(Some(&position), loan.position());
        assert_eq!(copied, done);
        assert_eq!(run_day_of(&position), run_day(loan));
    }

    /// The position as it is kept and read again.
    fn copied(&self) -> Position {
        let instalments = self.loan.file().opened().instalments;
        let kept = self.position().keep(&self.conditions, instalments).unwrap();
        Position::of_kept(&kept, &self.conditions, instalments).unwrap()
    }

    fn keep(&mut self, act: Act, entries: Vec<Entry>) {
        for entry in &entries {
            self.ledger.post(entry).unwrap();
        }
        self.ledger.trial_balance().unwrap().check().unwrap();
        self.acts.push(act);
        self.entries.extend(entries);
    }

    /// An act of today.
    fn act(&mut self, by: Actor, deed: Deed) -> Result<(), Refused> {
        self.act_on(self.today, by, deed)
    }

    fn act_on(&mut self, value: NaiveDate, by: Actor, deed: Deed) -> Result<(), Refused> {
        let act = Act {
            key: self.key(self.acts.len()),
            value,
            booked: noon(self.today),
            by,
            deed,
        };
        self.send(act)
    }

    fn send(&mut self, act: Act) -> Result<(), Refused> {
        let applied = self.loan.clone().apply(act.clone())?;
        self.loan = applied.loan;
        if applied.is_new {
            self.keep(act, applied.entries);
        }
        Ok(())
    }

    fn key(&self, number: usize) -> Key {
        format!("act-{number}").parse().unwrap()
    }

    fn last_key(&self) -> Key {
        self.acts.last().unwrap().key.clone()
    }

    fn pay(&mut self, fen: i64) {
        let amount = cny(fen);
        self.act(Actor::Bank, Deed::Paid { amount }).unwrap();
    }

    fn position(&self) -> &Position {
        self.loan.position().unwrap()
    }

    fn due(&self) -> i64 {
        self.position().due().unwrap().total().unwrap().fen()
    }

    /// Fen on an account of the ledger, on its normal side.
    fn on(&self, class: Class) -> i64 {
        let account = Account::of(class, self.loan.file().id());
        let side = class.normal_side();
        let fen = self.ledger.of(&account, Currency::CNY).on(side).unwrap();
        i64::try_from(fen).unwrap()
    }

    fn word(&self) -> &'static str {
        self.loan.word()
    }

    fn grade(&self) -> Grade {
        self.position().grading().grade
    }

    /// Everything that must hold of any story.
    fn holds(&self) {
        let Some(position) = self.loan.position() else {
            return;
        };
        for class in Class::ALL {
            let mut fen = self.on(class);
            if class.normal_side() == crate::ledger::Side::Credit {
                fen = -fen;
            }
            assert_eq!(fen, position.books().fen(class), "{class:?}");
        }
        let suspended = match position.is_suspended() {
            true => self.on(Class::InterestReceivable) + self.on(Class::PenaltyReceivable),
            false => 0,
        };
        if !position.is_written_off() {
            assert_eq!(self.on(Class::SuspendedInterest), suspended);
        }
        assert_eq!(self.copied(), *position);
        let id = self.loan.file().id().clone();
        let replayed = Loan::replay(id, self.conditions.clone(), self.acts.clone()).unwrap();
        assert_eq!(replayed, (self.loan.clone(), self.entries.clone()));
        let mut keys: Vec<_> = self.entries.iter().map(Entry::key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), self.entries.len(), "a key names one entry");
    }
}

fn is_kind(kind: EntryKind) -> impl Fn(&&Entry) -> bool {
    move |entry| entry.kind() == kind
}

fn reason() -> String {
    text("by hand")
}

fn hash(words: &str) -> Hash {
    sha256(words.as_bytes())
}
