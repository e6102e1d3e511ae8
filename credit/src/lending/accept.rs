//! From an accepted offer to a loan.

use schemas::ids::Slug;

use super::act::row_of;
use super::{Done, Lending, LendingError, Request};
use crate::audit::{self, Action};
use crate::law::acceptance::china_day;
use crate::ledger::LoanId;
use crate::loan::life::{Act, Actor, Deed, Loan, Opened, Person, Refused, TwoPeople};
use crate::loan::review::{self, Review, Stage};
use crate::loan::taking::{End, How};
use crate::loan::{Decision, Record};
use crate::money::Money;
use crate::store::lending::{Change, Write, Wrote};

/// A borrower's word on an offer.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// The decision that offers; the loan has its name.
    pub decision_id: String,
    /// Who accepts.
    pub supplier: Slug,
    /// In how many instalments; as many as the product has at most if none is said.
    pub instalments: Option<u32>,
}

impl Lending {
    /// Opens the loan of an offer that the bank's people have accepted, or that went straight through,
    /// by the borrower's word, while it is valid. The same word again gives the same loan.
    ///
    /// # Errors
    /// [`LendingError::NoOffer`], [`LendingError::Denied`], [`LendingError::Refused`]. A refusal is
    /// kept under the name that the loan would have.
    pub async fn accept(&self, acceptance: &Acceptance) -> Result<Done, LendingError> {
        let no_offer = || LendingError::NoOffer(acceptance.decision_id.chars().take(64).collect());
        let id: LoanId = acceptance.decision_id.parse().map_err(|_| no_offer())?;
        let record = self.store.lookup(id.as_str()).await?.ok_or_else(no_offer)?;
        let opened = match self.opened(acceptance, &record).await {
            Ok(opened) => opened,
            Err(error) => {
                self.keep_denial(&self.opening(&id, acceptance, &record)?, &error)
                    .await?;
                return Err(error);
            }
        };
        if let Some(before) = self.load(&id).await? {
            return self.again(before.loan, acceptance, &record).await;
        }
        let (by, now) = (opener(&opened), self.clock.now());
        let act = Act {
            key: "opened".parse().map_err(Refused::from)?,
            value: china_day(now),
            booked: now,
            by,
            deed: Deed::Opened(opened),
        };
        let product = &record.decision.application.product;
        let conditions = self.catalogue.current(product).cloned();
        let conditions = conditions.ok_or_else(|| no_product(product))?;
        let loan = match Loan::open(id.clone(), conditions, act.clone()) {
            Ok(loan) => loan,
            Err(refused) => {
                let error = refused.into();
                self.keep_denial(&self.opening(&id, acceptance, &record)?, &error)
                    .await?;
                return Err(error);
            }
        };
        let change = Change {
            before: 0,
            head: row_of(&loan, 1)?,
            acts: vec![act],
            room: Vec::new(),
            rows: Vec::new(),
            payee: None,
            ends: None,
        };
        let write = Write {
            book: self.rules.book.clone(),
            changes: vec![change],
            entries: Vec::new(),
            note: audit::Entry {
                at: now,
                actor: format!("borrower {}", acceptance.supplier),
                action: Action::LoanAct,
                subject: id.to_string(),
                detail: "opened".to_owned(),
            },
        };
        match self.store.write_loans(&write).await? {
            Wrote::Kept => Ok(Done { loan, is_new: true }),
            // Somebody else has opened it meanwhile: it is the same loan.
            Wrote::Overtaken => {
                if let Some(end) = self.store.offer_end(id.as_str()).await? {
                    let error = ended(&end);
                    self.keep_denial(&self.opening(&id, acceptance, &record)?, &error)
                        .await?;
                    return Err(error);
                }
                let before = self.loan(&id).await?;
                self.again(before.loan, acceptance, &record).await
            }
        }
    }

    /// The loan is there: by the same word nothing changes.
    async fn again(
        &self,
        loan: Loan,
        acceptance: &Acceptance,
        record: &Record,
    ) -> Result<Done, LendingError> {
        let instalments = loan.file().opened().instalments;
        if acceptance
            .instalments
            .is_none_or(|asked| asked == instalments)
        {
            return Ok(Done {
                loan,
                is_new: false,
            });
        }
        let error = LendingError::denied(
            "accepted-before",
            format!("the offer was accepted in {instalments} instalments"),
        );
        let request = self.opening(loan.file().id(), acceptance, record)?;
        self.keep_denial(&request, &error).await?;
        Err(error)
    }

    /// What the loan begins with.
    async fn opened(
        &self,
        acceptance: &Acceptance,
        record: &Record,
    ) -> Result<Opened, LendingError> {
        let decision = &record.decision;
        if decision.application.supplier != acceptance.supplier {
            return Err(Refused::Borrower.into());
        }
        if let Some(end) = self.store.offer_end(&decision.decision_id).await? {
            return Err(ended(&end));
        }
        let stage = self.stage(record).await?;
        let amount = stage.offer().amount;
        let last = stage.accepted().ok_or_else(|| not_accepted(&stage))?;
        let now = self.clock.now();
        let until = last.at + self.rules.review.offer_valid;
        if now >= until && self.store.head(&loan_id(decision)?).await?.is_none() {
            let why = format!("the offer was valid until {until}");
            return Err(LendingError::denied("offer-lapsed", why));
        }
        let officers = stage
            .offer()
            .history()
            .iter()
            .filter_map(accepted)
            .collect();
        self.begin(acceptance, decision, amount, officers)
    }

    fn begin(
        &self,
        acceptance: &Acceptance,
        decision: &Decision,
        approved: Money,
        officers: Vec<Person>,
    ) -> Result<Opened, LendingError> {
        let product = &decision.application.product;
        let conditions = self.catalogue.current(product);
        let conditions = conditions.ok_or_else(|| no_product(product))?;
        let most = conditions.product.instalments_max;
        Ok(Opened {
            decision_id: decision.decision_id.clone(),
            supplier: acceptance.supplier.clone(),
            approved,
            instalments: acceptance.instalments.unwrap_or(most),
            valid_until: self.clock.now() + self.rules.drawn_within,
            officers,
            product: conditions.product.hash,
            rules: conditions.rules_hash(),
        })
    }

    /// What a refusal of an acceptance is kept under.
    fn opening(
        &self,
        id: &LoanId,
        acceptance: &Acceptance,
        record: &Record,
    ) -> Result<Request, LendingError> {
        let approved = record.decision.application.requested;
        Ok(Request {
            loan: id.clone(),
            key: "opened".parse().map_err(Refused::from)?,
            value: None,
            by: Actor::Borrower {
                supplier: acceptance.supplier.clone(),
            },
            deed: Deed::Opened(Opened {
                decision_id: record.decision.decision_id.clone(),
                supplier: acceptance.supplier.clone(),
                approved,
                instalments: acceptance.instalments.unwrap_or_default(),
                valid_until: self.clock.now(),
                officers: Vec::new(),
                product: schemas::hash::Hash::ZERO,
                rules: schemas::hash::Hash::ZERO,
            }),
        })
    }
}

/// Why nothing can be made of an offer that the bank has not accepted.
pub(super) fn not_accepted(stage: &Stage) -> LendingError {
    if stage.is_settled() {
        return LendingError::denied("offer-over", "the offer was refused or ran out");
    }
    let why = "the bank's people have not accepted the offer yet";
    LendingError::denied("offer-open", why)
}

/// Why nothing can be made of an offer that has ended.
fn ended(end: &End) -> LendingError {
    match end.how {
        How::Declined => LendingError::denied("offer-declined", "the borrower declined the offer"),
        How::Untaken => LendingError::denied("offer-lapsed", "the offer's time was over"),
    }
}

fn loan_id(decision: &Decision) -> Result<LoanId, LendingError> {
    let id = decision.decision_id.parse();
    id.map_err(|_| LendingError::NoOffer(decision.decision_id.clone()))
}

fn no_product(product: &Slug) -> LendingError {
    let why = format!("the product `{product}` has no file any more");
    LendingError::denied("no-product-file", why)
}

fn accepted(review: &Review) -> Option<Person> {
    let is_accept = review.act == review::Act::Accept;
    review.person.clone().filter(|_| is_accept).map(Person::new)
}

/// Who opens for the bank: those who accepted the offer; nobody where it went straight through.
fn opener(opened: &Opened) -> Actor {
    match &opened.officers[..] {
        [] => Actor::Machine,
        [person] => Actor::One {
            person: person.clone(),
        },
        [maker, checker, ..] => match TwoPeople::new(maker.clone(), checker.clone()) {
            Ok(people) => Actor::Two { people },
            Err(_) => Actor::One {
                person: maker.clone(),
            },
        },
    }
}
