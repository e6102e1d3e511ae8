//! The life of loans: whatever is asked, by however many, and wherever it stops, the acts follow from
//! each other, the books balance, and no money goes out twice.

mod asked;
mod desk;
mod office;
mod run;
mod taking;
mod told;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use credit::audit::Action;
use credit::ledger::LoanId;
use credit::lending::ports::{
    Answer, Bank as Core, Change, Cover, Draw as Asked, Instruction, Moved, PortError, Receipt,
    Room,
};
use credit::lending::{
    Acceptance, Catalogue, Draw, Lending, LendingError, NewToken, Paid, Ports, Request, Rules,
    SourceFile,
};
use credit::loan::life::{Actor, Deed, Loan, Person};
use credit::loan::review::{Act, ReviewRules};
use credit::money::Money;
use credit::store::{Checked, Tables};
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::{Clock, Instant, Sleep};

pub use asked::*;
pub use desk::*;
pub use office::*;
pub use run::*;
pub use taking::*;
pub use told::*;

use super::Bank;
use super::made::{at, cny, entry, limits, offer, step, trial};

/// Equal principal at 12 percent, every month a twelfth; lateness costs 18 percent.
const PRODUCT: &str = r#"
id = "receivable"
version = 1
kind = "purchase-order"
currency = "CNY"
minimum = "100.00"
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
instalments_max = 3
every = 1
unit = "months"
[[fees]]
name = "arrangement"
amount = "1.00"
when = "disbursement"
[penalty]
annual_rate_percent = "18"
day_count = "act/360"
grace_days = 0
on = "principal-and-interest"
[allocation]
order = ["penalty", "fees", "interest", "principal"]
across = "oldest-instalment"
"#;

/// The account that money goes to.
const ACCOUNT: &str = "6222 0000 1111";

/// A clock that only the test moves; nobody wakes by it.
pub struct Hand(AtomicI64);

impl Hand {
    fn days(&self, days: u32) {
        let micros = i64::from(days) * 86_400_000_000;
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    /// No two looks see the same instant.
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.fetch_add(1, Ordering::SeqCst))
    }

    fn sleep_until(&self, _: Instant) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }
}

/// Everybody whom lending asks, as a test wants them.
#[derive(Default)]
pub struct World {
    paid: Mutex<BTreeMap<Hash, (Money, String)>>,
    told: Mutex<Vec<Moved>>,
    /// Answers of the bank are lost.
    deaf: AtomicBool,
    /// The bank refuses.
    broke: AtomicBool,
    /// The cover refuses.
    bare: AtomicBool,
    /// The trial takes no word.
    closed: AtomicBool,
    on: Mutex<Option<chrono::NaiveDate>>,
}

impl World {
    fn paid(&self) -> Vec<(Money, String)> {
        self.paid.lock().unwrap().values().cloned().collect()
    }

    fn answer(&self, key: &Hash) -> Answer {
        if self.broke.load(Ordering::SeqCst) {
            return Answer::Refused("the account is closed".to_owned());
        }
        if !self.paid.lock().unwrap().contains_key(key) {
            return Answer::NotSeen;
        }
        let on = self.on.lock().unwrap().unwrap();
        Answer::Accepted(Receipt {
            reference: "core-1".to_owned(),
            on,
        })
    }

    /// Fen that the trial was told of, back and again.
    fn room(&self) -> (i64, i64) {
        let mut sums = (0, 0);
        for moved in &*self.told.lock().unwrap() {
            match moved.change {
                Change::GivenBack(amount) => sums.0 += amount.fen(),
                Change::TakenAgain(amount) => sums.1 += amount.fen(),
            }
        }
        sums
    }
}

#[async_trait]
impl Core for World {
    async fn pay(&self, instruction: &Instruction, account: &str) -> Answer {
        if !self.broke.load(Ordering::SeqCst) {
            let paid = (instruction.amount(), account.to_owned());
            let before = self
                .paid
                .lock()
                .unwrap()
                .insert(instruction.key(), paid.clone());
            assert!(before.is_none_or(|before| before == paid));
        }
        if self.deaf.load(Ordering::SeqCst) {
            return Answer::Unknown;
        }
        self.answer(&instruction.key())
    }

    async fn look_up(&self, key: &Hash) -> Answer {
        if self.deaf.load(Ordering::SeqCst) {
            return Answer::Unknown;
        }
        self.answer(key)
    }
}

#[async_trait]
impl Cover for World {
    async fn draw(&self, _: &Asked) -> Result<(), PortError> {
        match self.bare.load(Ordering::SeqCst) {
            true => Err(PortError::refused("pledge-frozen", "the pledge is frozen")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Room for World {
    async fn draw(&self, _: &Asked) -> Result<(), PortError> {
        Ok(())
    }

    async fn moved(&self, moved: &Moved) -> Result<(), PortError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(PortError::refused("closed", "not now"));
        }
        let mut told = self.told.lock().unwrap();
        if !told.contains(moved) {
            told.push(moved.clone());
        }
        Ok(())
    }
}

/// A bank's lending over a store of the contract.
pub struct Lent {
    lending: Arc<Lending>,
    world: Arc<World>,
    clock: Arc<Hand>,
    store: Arc<dyn Tables>,
}

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

fn one(name: &str) -> Actor {
    let person = Person::new(slug(name));
    Actor::One { person }
}

fn borrower() -> Actor {
    Actor::Borrower {
        supplier: slug("qinghe"),
    }
}

fn secret() -> Hash {
    sha256(b"secret")
}

impl Lent {
    async fn new(bank: &Bank) -> Self {
        let store = Arc::clone(&bank.store);
        store
            .declare(&limits(1, "500000.00", "900000.00"), at(0))
            .await
            .unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(at(100).as_micros())));
        Self::over(store, Arc::default(), clock).await
    }

    /// Another process over the same database.
    async fn second(&self, bank: &Bank) -> Self {
        let (world, clock) = (Arc::clone(&self.world), Arc::clone(&self.clock));
        Self::over(bank.second().await, world, clock).await
    }

    async fn over(store: Arc<dyn Tables>, world: Arc<World>, clock: Arc<Hand>) -> Self {
        let file = SourceFile {
            name: "receivable.toml".to_owned(),
            text: PRODUCT.to_owned(),
        };
        let usual = credit::loan::life::Rules::usual().unwrap();
        let catalogue = Catalogue::read(&[file], &[], &usual).unwrap();
        catalogue.keep(&*store, at(0)).await.unwrap();
        let rules = Rules {
            book: trial(),
            review: ReviewRules {
                second_officer_above: cny("1000000.00"),
                offer_valid: Duration::from_secs(7 * 86_400),
            },
            drawn_within: Duration::from_secs(7 * 86_400),
        };
        let ports = Ports {
            cover: world.clone(),
            room: world.clone(),
            bank: world.clone(),
        };
        let lending = Lending::new(Arc::clone(&store), catalogue, rules, ports, clock.clone());
        Self {
            lending: Arc::new(lending),
            world,
            clock,
            store,
        }
    }

    fn today(&self) -> chrono::NaiveDate {
        credit::law::acceptance::china_day(self.clock.now())
    }

    /// An offer of 900.00 that an officer has accepted.
    async fn offered(&self, id: &str) -> LoanId {
        let record = offer(id, "900.00", 1);
        self.store.record(&trial(), &record).await.unwrap();
        let review = step(&record, 1, "li-wei", Act::Accept, true);
        let note = entry(
            "li-wei",
            Action::Accept,
            &record.decision.decision_id,
            review.at,
        );
        self.store.review(&review, &note).await.unwrap();
        record.decision.decision_id.parse().unwrap()
    }

    fn acceptance(&self, loan: &LoanId) -> Acceptance {
        Acceptance {
            decision_id: loan.to_string(),
            supplier: slug("qinghe"),
            instalments: None,
        }
    }

    /// A loan with an open token of 900.00.
    async fn drawable(&self, id: &str) -> LoanId {
        let loan = self.offered(id).await;
        let done = self.lending.accept(&self.acceptance(&loan)).await.unwrap();
        assert!(done.is_new);
        self.issue(&loan, one("zhao-min")).await.unwrap();
        loan
    }

    async fn issue(&self, loan: &LoanId, by: Actor) -> Result<(), LendingError> {
        let token = NewToken {
            loan: loan.clone(),
            token: secret(),
            account: ACCOUNT.to_owned(),
            amount: cny("900.00"),
            expires: None,
        };
        self.lending.issue(&token, by).await.map(|_| ())
    }

    async fn draw(&self, loan: &LoanId, amount: &str) -> Result<Paid, LendingError> {
        *self.world.on.lock().unwrap() = Some(self.today());
        let draw = Draw {
            loan: loan.clone(),
            supplier: slug("qinghe"),
            token: secret(),
            account: ACCOUNT.to_owned(),
            amount: cny(amount),
        };
        self.lending.draw(&draw).await
    }

    /// A loan of 900.00 that was paid out today.
    async fn lent(&self, id: &str) -> LoanId {
        let loan = self.drawable(id).await;
        assert!(matches!(self.draw(&loan, "900.00").await, Ok(Paid::Out(_))));
        loan
    }

    fn request(&self, loan: &LoanId, key: &str, by: Actor, deed: Deed) -> Request {
        Request {
            loan: loan.clone(),
            key: key.parse().unwrap(),
            value: None,
            by,
            deed,
        }
    }

    async fn pay(&self, loan: &LoanId, key: &str, amount: &str) -> Result<bool, LendingError> {
        let amount = cny(amount);
        let request = self.request(loan, key, Actor::Bank, Deed::Paid { amount });
        self.lending.act(request).await.map(|done| done.is_new)
    }

    async fn loan(&self, loan: &LoanId) -> Loan {
        self.lending.loan(loan).await.unwrap().loan
    }

    /// The rule of the newest denial.
    async fn denied(&self, loan: &LoanId) -> (String, String) {
        let denials = self.lending.denials(loan).await.unwrap();
        let newest = denials.first().expect("something was refused");
        (newest.rule.clone(), newest.who.clone())
    }

    /// What holds after every test: books, chains, rows beside acts, room beside principal.
    async fn holds(&self) {
        match self.store.check_ledger(&trial()).await.unwrap() {
            Checked::Whole(whole) => assert_eq!(whole.trial_balance.check(), Ok(())),
            Checked::Broken(broken) => panic!("{broken}"),
        }
        let all = credit::store::lending::Which::All;
        for head in self.lending.list(&all, None, 1_000).await.unwrap() {
            let loaded = self.lending.loan(&head.loan).await.unwrap();
            let file = loaded.loan.file();
            let position = loaded.loan.position();
            let kept = position.map(|one| one.keep(file.conditions(), head.instalments).unwrap());
            assert_eq!(kept, head.position, "a row differs from its acts");
            assert_eq!(head.state, loaded.loan.word());
            assert_eq!(head.run_day, credit::loan::life::run_day(&loaded.loan));
        }
    }
}
