//! What the bank's people and machines do with pledges: goods are read from verified evidence and
//! valued, every step has its row in the trail, and what is refused is explained and kept.

mod asked;
mod refused;

use std::sync::Arc;
use std::time::Duration;

use schemas::hash::sha256;
use schemas::ids::Slug;
use schemas::time::{Clock, Instant};

use super::claim::{Claims, Goods};
use super::desk::{Done, PledgeError, Pledging};
use super::ids::{Key, PledgeId};
use super::shown::Stock;
use super::stage::{Act, Denied, Offer, Settled, Stage, Way, Worth};
use super::step::Chain;
use super::stream::{End, Progress, Stream};
use super::value::table::Table;
use super::value::{Evidence, Value, Valued};
use super::watch::{Limits, Reading};
use super::{Fingerprint, Invoice, Quantity};
use crate::evidence::VerifiedEvidence;
use crate::facts::event::observe;
use crate::ledger::account::{Account, Class};
use crate::money::Money;
use crate::service::Credit;
use crate::store::StoreError;
use crate::store::Tables;
use crate::store::pledge::{PLEDGES_MAX, Refusal, Which};
use crate::watching::Proven;

pub use asked::{Asked, Collateral, Deed, Ending, Within};
pub use refused::OfficeError;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// The office where pledges are taken and given back.
pub struct Office {
    credit: Arc<Credit>,
    table: Table,
    book: Slug,
    clock: Arc<dyn Clock>,
}

/// What a pledge takes and what it is worth.
struct Taken {
    claims: Claims,
    worth: Worth,
    details: Option<Fingerprint>,
    evidence: Option<schemas::hash::Hash>,
}

impl Office {
    /// An office over the lending service, a table of haircuts, and the book that says what is owed.
    #[must_use]
    pub fn new(credit: Arc<Credit>, table: Table, book: Slug, clock: Arc<dyn Clock>) -> Self {
        Self {
            credit,
            table,
            book,
            clock,
        }
    }

    /// What it keeps.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Tables> {
        self.credit.store()
    }

    /// The table of haircuts and lines.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Offers a pledge for a loan; another person has to accept it.
    ///
    /// # Errors
    /// [`OfficeError`]; the refusal is kept.
    pub async fn offer(&self, person: &Slug, asked: Asked) -> Result<Done, OfficeError> {
        let (request, pledge) = (asked.request.clone(), PledgeId::of(&asked.request));
        let done = self.try_offer(person, asked).await;
        self.kept(done, person, &pledge, &request, "pledge-offer")
            .await
    }

    async fn try_offer(&self, person: &Slug, asked: Asked) -> Result<Done, OfficeError> {
        let pledging = Pledging::new(&**self.store());
        if let Ok(chain) = pledging.read(&PledgeId::of(&asked.request)).await {
            return before(&chain, person, &asked);
        }
        let taken = match &asked.collateral {
            Collateral::Invoice(typed) => self.invoice(&asked, &Invoice::read(typed)?)?,
            Collateral::Goods(_) => self.goods(&asked).await?,
        };
        let details = taken.details;
        let offer = Offer {
            borrower: asked.borrower,
            loan: asked.loan,
            what: asked.what,
            lending_value: taken.worth.value.lending,
            details,
            worth: Some(taken.worth),
            evidence: taken.evidence,
            claims: taken.claims,
        };
        let offered = pledging.offer(asked.request, person.clone(), offer, self.clock.now());
        match offered.await {
            Err(PledgeError::Held(name)) => Err(self.held(name, details).await?),
            other => Ok(other?),
        }
    }

    fn invoice(&self, asked: &Asked, invoice: &Invoice) -> Result<Taken, OfficeError> {
        let day = invoice.date.and_time(chrono::NaiveTime::MIN).and_utc();
        let since = Instant::from_seconds(day.timestamp());
        let total = invoice.total;
        let worth = self.worth(asked, total, Quantity::PIECE, Evidence::Declared, since)?;
        Ok(Taken {
            claims: Claims::of(&Goods::Invoice(invoice.clone()))?,
            worth,
            details: Some(invoice.details()),
            evidence: None,
        })
    }

    async fn goods(&self, asked: &Asked) -> Result<Taken, OfficeError> {
        let Collateral::Goods(wanted) = &asked.collateral else {
            return Err(PledgeError::Unknown.into());
        };
        let price = asked.price.ok_or(OfficeError::NoPrice)?;
        let (evidence, bundle) = self.credit.verified(&asked.borrower).await?;
        let found = {
            let late_after = self.credit.rules().late_after;
            let seen = observe(&evidence, evidence.anchored, late_after);
            Stock::read(&seen, &asked.borrower, evidence.log_size).find(wanted)?
        };
        let claims = Claims::of(&found.goods)?;
        let worth = self.worth(asked, price, found.quantity, found.evidence, found.since)?;
        let hash = sha256(&bundle);
        self.store().keep_evidence(&hash, &bundle).await?;
        Ok(Taken {
            claims,
            worth,
            details: None,
            evidence: Some(hash),
        })
    }

    fn worth(
        &self,
        asked: &Asked,
        money: Money,
        quantity: Quantity,
        evidence: Evidence,
        since: Instant,
    ) -> Result<Worth, OfficeError> {
        let age = self.clock.now().since(since).as_secs() / DAY;
        let valued = Valued {
            category: asked.category.as_str(),
            quantity,
            price: super::value::Price {
                money,
                per: asked.per.unwrap_or(quantity),
                source: asked.price_source,
            },
            age_days: u32::try_from(age).unwrap_or(u32::MAX),
            evidence,
        };
        let value = Value::of(&valued, &self.table)?;
        if value.lending.fen() == 0 {
            return Err(OfficeError::Worthless);
        }
        Ok(Worth {
            value,
            table: self.table.hash(),
        })
    }

    /// Why a thing is not to be had, and whether its invoice was written down otherwise.
    async fn held(
        &self,
        name: Fingerprint,
        details: Option<Fingerprint>,
    ) -> Result<OfficeError, StoreError> {
        let held = OfficeError::Pledge(PledgeError::Held(name));
        let Some(by) = self.store().pledge_holder(&name).await? else {
            return Ok(held);
        };
        let chain = self.store().pledge(&by).await?;
        let other = chain.and_then(|chain| chain.stage().life().offer.details);
        Ok(match (details, other) {
            (Some(these), Some(those)) if these != those => OfficeError::OtherDetails { name, by },
            _ => held,
        })
    }

    /// A person's deed on a pledge.
    ///
    /// # Errors
    /// [`OfficeError`]; the refusal is kept.
    pub async fn act(
        &self,
        person: &Slug,
        pledge: &PledgeId,
        request: Key,
        deed: Deed,
    ) -> Result<Done, OfficeError> {
        let word = deed.word();
        let done = self.try_act(person, pledge, request.clone(), deed).await;
        self.kept(done, person, pledge, &request, word).await
    }

    async fn try_act(
        &self,
        person: &Slug,
        pledge: &PledgeId,
        request: Key,
        deed: Deed,
    ) -> Result<Done, OfficeError> {
        let pledging = Pledging::new(&**self.store());
        let now = self.clock.now();
        let act = match deed {
            Deed::Accept => Act::Accept,
            Deed::Withdraw(why) => Act::Withdraw(why),
            Deed::Thaw(why) => Act::Thaw(why),
            Deed::Call(why) => Act::Call(why),
            Deed::Retract(why) => Act::Retract(why),
            Deed::Propose(ending) => Act::Propose(self.way(pledge, ending).await?),
            Deed::Confirm => match self.proposed(pledge, &request).await? {
                Way::Substituted { by } => {
                    let done = pledging.substitute(pledge, &by, request, person.clone(), now);
                    return Ok(done.await?);
                }
                way => Act::Confirm(way),
            },
        };
        Ok(pledging
            .act(pledge, request, person.clone(), act, now)
            .await?)
    }

    async fn way(&self, pledge: &PledgeId, ending: Ending) -> Result<Way, OfficeError> {
        Ok(match ending {
            Ending::Substituted(by) => Way::Substituted { by },
            Ending::Realised(proceeds) => Way::Realised { proceeds },
            Ending::Paid => {
                let chain = Pledging::new(&**self.store()).read(pledge).await?;
                let loan = chain.stage().life().offer.loan.clone();
                Way::Paid(self.settled(loan).await?)
            }
        })
    }

    /// What was proposed; of a request that was kept before, what it confirmed.
    async fn proposed(&self, pledge: &PledgeId, request: &Key) -> Result<Way, OfficeError> {
        let chain = Pledging::new(&**self.store()).read(pledge).await?;
        let mut steps = chain.steps().iter();
        if let Some(step) = steps.find(|step| step.said.request == *request)
            && let Act::Confirm(way) = &step.said.act
        {
            return Ok(way.clone());
        }
        let proposal = chain.stage().life().proposal.as_ref();
        let (way, _) = proposal.ok_or(PledgeError::Denied(Denied::NotProposed))?;
        Ok(way.clone())
    }

    /// That nothing is owed on a loan, by the book.
    async fn settled(&self, loan: Key) -> Result<Settled, OfficeError> {
        let not_paid = || OfficeError::NotSettled(loan.clone());
        let id = loan.as_str().parse().map_err(|_| not_paid())?;
        let (store, mut last) = (self.store(), None);
        loop {
            let take = crate::store::ledger::LIST_MAX;
            let page = store
                .entries_of(&self.book, &id, last.as_ref(), take)
                .await?;
            match page.into_iter().next_back() {
                Some(entry) => last = Some(entry),
                None => break,
            }
        }
        let posting = last.ok_or_else(not_paid)?.hash;
        let until = chrono::NaiveDate::MAX;
        let balances = store.balances_of(&self.book, &id, until).await?;
        let owed = [
            Class::Principal,
            Class::InterestReceivable,
            Class::FeesReceivable,
            Class::PenaltyReceivable,
            Class::WrittenOffClaim,
        ];
        let accounts = owed.map(|class| Account::of(class, &id));
        for (account, currency, _) in balances.iter() {
            let amount = balances.amount(account, currency);
            if accounts.contains(account) && amount.map_err(|_| not_paid())?.fen() != 0 {
                return Err(not_paid());
            }
        }
        let nothing = Money::zero(crate::money::Currency::CNY);
        Settled::of(loan.clone(), nothing, posting).ok_or_else(not_paid)
    }

    /// Begins to watch a sensor of pledged goods. The sensor must have spoken before: its readings in
    /// the verified evidence of its device's organisation say so, and limits may be fitted on them.
    ///
    /// # Errors
    /// [`OfficeError`]; the refusal is kept.
    pub async fn watch(
        &self,
        person: &Slug,
        pledge: &PledgeId,
        stream: Stream,
        within: Within,
    ) -> Result<(), OfficeError> {
        let request = watch_request(pledge, &stream);
        let begun = self.try_watch(pledge, &stream, within).await;
        self.kept(begun, person, pledge, &request, "pledge-watch")
            .await
    }

    async fn try_watch(
        &self,
        pledge: &PledgeId,
        stream: &Stream,
        within: Within,
    ) -> Result<(), OfficeError> {
        let chain = Pledging::new(&**self.store()).read(pledge).await?;
        if !chain.stage().is_in_force() {
            return Err(PledgeError::Denied(Denied::Stage(chain.stage().state())).into());
        }
        let organisation = &stream.device().organisation;
        let (evidence, _) = self.credit.verified(organisation).await?;
        let late_after = self.credit.rules().late_after;
        let proven = Proven::of(&evidence, stream.device(), late_after);
        let readings = readings(&proven, stream);
        if readings.is_empty() {
            return Err(OfficeError::NeverHeard(stream.name()));
        }
        let limits = match within {
            Within::Declared { low, high, silence } => Limits::declared(low, high, silence)?,
            Within::Fitted => Limits::fitted(&readings)?,
        };
        let now = self.clock.now();
        let progress = Progress::begin(evidence.log_size, end(&evidence, stream), now);
        let store = self.store();
        store.keep_progress(pledge, 0, stream, &progress).await?;
        let pledging = Pledging::new(&**store);
        Ok(pledging.watch(pledge, &stream.name(), limits, now).await?)
    }

    /// Keeps what was refused, with its words.
    async fn kept<T>(
        &self,
        done: Result<T, OfficeError>,
        person: &Slug,
        pledge: &PledgeId,
        request: &Key,
        act: &str,
    ) -> Result<T, OfficeError> {
        let Err(error) = &done else { return done };
        if let Some(class) = error.class() {
            let refusal = Refusal {
                pledge: *pledge,
                at: self.clock.now(),
                request: request.clone(),
                person: person.to_string(),
                act: act.to_owned(),
                class: class.to_owned(),
                detail: schemas::causes::causes(error).to_string(),
            };
            self.store().refuse_pledge(&refusal).await?;
        }
        done
    }

    /// A pledge as it stands.
    ///
    /// # Errors
    /// [`PledgeError::Unknown`] in [`OfficeError::Pledge`].
    pub async fn read(&self, pledge: &PledgeId) -> Result<Chain, OfficeError> {
        Ok(Pledging::new(&**self.store()).read(pledge).await?)
    }

    /// What is drawn on everything that secures a loan, and what that is worth now.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn secured(&self, loan: &Key) -> Result<(Money, Value), OfficeError> {
        let which = Which::OfLoan(loan.clone());
        let mut sum: Option<(Money, Value)> = None;
        for line in self.store().pledges(&which, PLEDGES_MAX).await? {
            let chain = self.read(&line.pledge).await?;
            let (stage, life) = (chain.stage(), chain.stage().life());
            if !stage.is_in_force() || matches!(stage, Stage::Ended(_)) {
                continue;
            }
            let worth = worth_of(&life.offer);
            sum = Some(match sum {
                None => (life.drawn, worth),
                Some((drawn, before)) => (drawn.plus(life.drawn)?, before.plus(worth)?),
            });
        }
        let currency = crate::money::Currency::CNY;
        Ok(sum.unwrap_or_else(|| (Money::zero(currency), Value::zero(currency))))
    }
}

/// What an offer is worth; of one that says only what may be lent, that.
#[must_use]
pub fn worth_of(offer: &Offer) -> Value {
    let lending = offer.lending_value;
    let plain = Value {
        market: lending,
        value: lending,
        lending,
    };
    offer.worth.map_or(plain, |worth| worth.value)
}

/// A request that was kept before is answered as it was, if it named the same.
fn before(chain: &Chain, person: &Slug, asked: &Asked) -> Result<Done, OfficeError> {
    let life = chain.stage().life();
    let first = chain.steps().first().ok_or(PledgeError::Unknown)?;
    let offer = &life.offer;
    let same = offer.borrower == asked.borrower
        && offer.loan == asked.loan
        && offer.what == asked.what
        && life.offered_by == *person;
    if !same {
        return Err(PledgeError::OtherRequest(asked.request.clone()).into());
    }
    Ok(Done {
        pledge: first.pledge,
        state: first.state,
        before: true,
    })
}

/// The readings of a stream that a sensor measured.
fn readings(proven: &Proven, stream: &Stream) -> Vec<Reading> {
    let own = proven.temperatures.iter();
    let own = own.filter(|one| one.sensor == stream.sensor() && one.measured);
    own.filter_map(|one| Reading::new(one.at, one.high).ok())
        .collect()
}

/// The last place of a device's chain.
fn end(evidence: &VerifiedEvidence, stream: &Stream) -> Option<End> {
    let own = evidence.statements.iter();
    let own = own.filter(|one| one.device == *stream.device());
    let last = own.max_by_key(|one| (one.epoch, one.seq))?;
    Some(End {
        epoch: last.epoch,
        seq: last.seq,
        id: last.id,
    })
}

/// One stream is watched once.
fn watch_request(pledge: &PledgeId, stream: &Stream) -> Key {
    let hash = schemas::hash::sha256_parts(&[pledge.as_bytes(), stream.name().as_bytes()]);
    Key::of_hash("watch", &hash)
}

/// How long nothing may come where nobody says otherwise.
pub const SILENCE_USUAL: Duration = Duration::from_secs(15 * 60);
