//! What an engine must do: add, count, compare.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::record::{Kind, Record};
use super::recount::Recount;
use super::refusal::TrialRefusal;
use crate::loan;
use crate::money::Money;
use crate::sandbox::limits::{Charge, CounterKey, Request, Reservation};
use crate::store::StoreError;

/// The most records that one read hands out.
pub const PAGE: u32 = 500;

/// Later than anything: 9999-12-31T23:59:59.999999Z, which sorts last as text too.
pub const FAR: Instant = Instant::from_micros(253_402_300_799_999_999);

/// What a decision stands on. Each number only grows, and what it counts never changes: equal numbers
/// are equal documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Versions of limits.
    pub limits: i64,
    /// Steps.
    pub steps: i64,
    /// Trips of the stop-loss.
    pub trips: i64,
    /// Releases of it; one less than trips while it is tripped.
    pub lifts: i64,
    /// The newest instant that a decision was made at.
    pub seen: Instant,
}

impl Guard {
    /// Of a trial that was just declared.
    #[must_use]
    pub const fn new(seen: Instant) -> Self {
        let (limits, steps, trips, lifts) = (0, 0, 0, 0);
        Self {
            limits,
            steps,
            trips,
            lifts,
            seen,
        }
    }

    /// The numbers, in the order of the columns.
    #[must_use]
    pub const fn numbers(&self) -> [i64; 4] {
        [self.limits, self.steps, self.trips, self.lifts]
    }

    /// Whether the stop-loss is tripped.
    #[must_use]
    pub const fn is_tripped(&self) -> bool {
        self.trips != self.lifts
    }
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is kept.
    New,
    /// This name has a record already: this one. Nothing was changed.
    Before(Box<Record>),
}

/// A reservation to be counted, and what it was decided on.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is asked for.
    pub request: Request,
    /// What it adds, with a user, in the order of the counters. That of
    /// [`CounterKey::Users`] counts only if the borrower is new.
    pub charges: Vec<Charge>,
    /// The guard that must still stand.
    pub guard: Guard,
    /// Other limits begin here: it must not have been seen.
    pub until: Instant,
    /// When: not before the newest instant that the decision knew.
    pub at: Instant,
}

/// What became of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is counted.
    New(Reservation),
    /// This id has a reservation already. Nothing was changed.
    Before(Reservation),
    /// It does not fit: the first charge that does not, with what is used. Nothing was changed.
    Full {
        /// Which.
        charge: Charge,
        /// What is used.
        used: i64,
    },
    /// The guard has moved. Nothing was changed; decide again.
    Moved,
}

/// Room that is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repayment {
    /// Its id: the same id is the same repayment.
    pub id: Slug,
    /// Of which reservation.
    pub reservation: Slug,
    /// How much.
    pub amount: Money,
}

/// What became of a repayment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// It is counted.
    New,
    /// This id has a repayment already. Nothing was changed.
    Before(Repayment),
    /// So much is left of the reservation, in fen: less than was to be given back.
    TooMuch(i64),
}

/// What became of an offer whose room is counted with its decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Of its room. Only [`Counted::New`] has kept anything: decision and reservation, both.
    Room(Box<Counted>),
    /// The application was decided before; this is that decision. Nothing was changed.
    Decided(Box<loan::Record>),
}

/// An offer that was made before the trial was declared and that nobody has given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Its decision.
    pub decision: Slug,
    /// Who borrows.
    pub supplier: Slug,
    /// How much was offered.
    pub amount: Money,
    /// When.
    pub decided_at: Instant,
}

/// The reservation of an offer that is carried over.
pub type Carry<'a> = &'a (dyn Fn(&Carried) -> Reservation + Sync);

/// Kind and name of a counter as its row has them.
#[must_use]
pub fn counter_name(key: &CounterKey) -> (&'static str, String) {
    match key {
        CounterKey::Users => ("users", String::new()),
        CounterKey::Borrower(borrower) => ("borrower", borrower.to_string()),
        CounterKey::Buyer(buyer) => ("buyer", buyer.to_string()),
        CounterKey::Day(day) => ("day", day.to_string()),
        CounterKey::Outstanding => ("outstanding", String::new()),
    }
}

/// The tables of trials in an engine. Each method is one transaction.
#[async_trait]
pub trait TrialStore: Send + Sync {
    /// The guard of a trial; none if nothing was declared.
    async fn trial_guard(&self, trial: &Slug) -> Result<Option<Guard>, StoreError>;

    /// Keeps the first version of a declaration, and the guard.
    async fn open_trial(&self, trial: &Slug, first: &Record) -> Result<Added, StoreError>;

    /// Keeps a record that nothing else hangs on.
    async fn add_record(&self, trial: &Slug, record: &Record) -> Result<Added, StoreError>;

    /// Keeps a record and moves the guard, both or neither; false if the numbers of the guard are
    /// not those of `from`, or if another amount is outstanding than the one given, if one is.
    async fn advance(
        &self,
        trial: &Slug,
        from: &Guard,
        to: &Guard,
        record: &Record,
        outstanding: Option<i64>,
    ) -> Result<bool, StoreError>;

    /// Records of a kind by name, those behind the name `after`, at most `take` (at most [`PAGE`]).
    async fn records(
        &self,
        trial: &Slug,
        kind: Kind,
        after: &str,
        take: u32,
    ) -> Result<Vec<Record>, StoreError>;

    /// Counts a reservation, all of it or nothing.
    async fn take_room(&self, trial: &Slug, plan: &Plan) -> Result<Counted, StoreError>;

    /// Gives back room. `reservation` is the kept one of this id.
    async fn give_back(
        &self,
        trial: &Slug,
        reservation: &Reservation,
        repayment: &Repayment,
        at: Instant,
    ) -> Result<Released, StoreError>;

    /// Keeps the decision of an offer and counts its room, both or neither. The reservation is named
    /// as the decision.
    async fn keep_offer(
        &self,
        trial: &Slug,
        plan: &Plan,
        record: &loan::Record,
    ) -> Result<Offered, StoreError>;

    /// Counts room that was given back for a payment that was none: the debt is there, so no cap is
    /// asked. Done once by the name of the repayment.
    async fn take_again(
        &self,
        trial: &Slug,
        reservation: &Reservation,
        repayment: &Repayment,
        at: Instant,
    ) -> Result<Released, StoreError>;

    /// Closes the limits that were configured before the trial was declared, and counts what is
    /// offered under them in the trial; how many offers that were. The same again changes nothing.
    async fn carry_over(
        &self,
        trial: &Slug,
        carry: Carry<'_>,
        at: Instant,
    ) -> Result<u32, StoreError>;

    /// A reservation.
    async fn reservation(&self, trial: &Slug, id: &Slug)
    -> Result<Option<Reservation>, StoreError>;

    /// Keeps a refusal; the same one again changes nothing.
    async fn keep_refusal(&self, trial: &Slug, refusal: &TrialRefusal) -> Result<(), StoreError>;

    /// Refusals of an id, oldest first.
    async fn refusals_of(&self, trial: &Slug, id: &Slug) -> Result<Vec<TrialRefusal>, StoreError>;

    /// What is used of one counter.
    async fn counter(&self, trial: &Slug, kind: &str, name: &str) -> Result<i64, StoreError>;

    /// Every counter by kind and name.
    async fn counters(&self, trial: &Slug) -> Result<BTreeMap<(String, String), i64>, StoreError>;

    /// Every counter beside the sum of the rows that it stands for, as of one instant. Reads every
    /// reservation and release of the trial.
    async fn recount(&self, trial: &Slug) -> Result<Recount, StoreError>;
}

impl Plan {
    /// What is kept of it: a user is counted for a new borrower only.
    #[must_use]
    pub fn reservation(&self, new_borrower: bool) -> Reservation {
        let counts = |charge: &&Charge| new_borrower || charge.key != CounterKey::Users;
        Reservation {
            request: self.request.clone(),
            charges: self.charges.iter().filter(counts).cloned().collect(),
        }
    }

    /// Whether a guard is still the one that was decided on.
    #[must_use]
    pub fn stands(&self, guard: &Guard) -> bool {
        guard.numbers() == self.guard.numbers() && guard.seen < self.until
    }
}
