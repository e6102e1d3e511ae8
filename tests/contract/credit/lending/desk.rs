//! What the desk's pages ask of loans: forms that are sent twice, pages that are old, every instalment.

use super::*;
use credit::lending::plan::Became;
use credit::lending::{LOAN_CHANGED, Proposal, What};
use credit::loan::life::{Grade, Key};

fn form(name: &str) -> Key {
    format!("f/{name}").parse().unwrap()
}

fn graded(at_least: Grade) -> Proposal {
    let reason = "seen on the spot".to_owned();
    Proposal {
        value: None,
        what: What::Deed {
            deed: Deed::Graded { at_least, reason },
        },
    }
}

fn write_off() -> Proposal {
    let reason = "gone".to_owned();
    Proposal {
        value: None,
        what: What::Deed {
            deed: Deed::WrittenOff { reason },
        },
    }
}

impl Lent {
    async fn seen(&self, loan: &LoanId) -> u32 {
        self.lending.loan(loan).await.unwrap().head.acts
    }

    fn rule<T>(result: Result<T, LendingError>) -> String {
        let error = result.err().expect("it is refused");
        error.refusal().expect("by a rule").0.to_owned()
    }
}

pub async fn form_proposes_once_and_only_what_is_possible(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.lent("A-1").await;
    let (li, seen) = (slug("li-wei"), lent.seen(&loan).await);
    let doubtful = graded(Grade::Doubtful);
    let key = form("one");
    let propose = |proposal| {
        lent.lending
            .propose_by_form(&loan, &li, proposal, (&key, seen))
    };
    let first = propose(&doubtful).await.unwrap();
    assert_eq!(propose(&doubtful).await.unwrap(), first);
    let loss = graded(Grade::Loss);
    assert_eq!(Lent::rule(propose(&loss).await), "key-reused");
    // What two people could not do today is not proposed, and that it was tried is kept.
    let (two, three, gone) = (form("two"), form("three"), write_off());
    let asked = lent
        .lending
        .propose_by_form(&loan, &li, &gone, (&two, seen));
    assert_eq!(Lent::rule(asked.await), "no-loss");
    assert_eq!(
        lent.denied(&loan).await,
        ("no-loss".into(), "li-wei".into())
    );
    let stale = lent
        .lending
        .propose_by_form(&loan, &li, &doubtful, (&three, seen - 1));
    assert_eq!(Lent::rule(stale.await), LOAN_CHANGED);
    let alone = Proposal {
        value: None,
        what: What::Deed {
            deed: Deed::TokenRevoked,
        },
    };
    let four = form("four");
    let asked = lent
        .lending
        .propose_by_form(&loan, &li, &alone, (&four, seen));
    assert_eq!(Lent::rule(asked.await), "not-of-two");
    assert_eq!(lent.lending.motions_of(&loan).await.unwrap(), [first]);
    assert_eq!(lent.seen(&loan).await, seen, "nothing happened to the loan");
    lent.holds().await;
}

pub async fn second_person_agrees_to_what_they_saw(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.lent("A-1").await;
    let (li, wang) = (slug("li-wei"), slug("wang-fang"));
    let seen = lent.seen(&loan).await;
    let (one, two) = (form("one"), form("two"));
    let doubtful = graded(Grade::Doubtful);
    let propose = |form| {
        lent.lending
            .propose_by_form(&loan, &li, &doubtful, (form, seen))
    };
    let motion = propose(&one).await.unwrap();
    let other = propose(&two).await.unwrap();
    lent.pay(&loan, "p-1", "1.00").await.unwrap();
    let agree = |seen| lent.lending.agree_as_seen(&loan, &motion.id, &wang, seen);
    assert_eq!(Lent::rule(agree(seen).await), LOAN_CHANGED);
    assert_eq!(lent.denied(&loan).await.0, LOAN_CHANGED);
    let now = lent.seen(&loan).await;
    assert!(agree(now).await.unwrap().is_new);
    // The same form again: it was done, whatever has happened since.
    assert!(!agree(now).await.unwrap().is_new);
    lent.lending
        .end_motion(&loan, &other.id, &li)
        .await
        .unwrap();
    let all = lent.lending.motions_of(&loan).await.unwrap();
    let how = |id: &Hash| {
        let found = all.iter().find(|one| one.id == *id);
        found
            .and_then(|one| one.ended.as_ref())
            .map(|end| end.how.as_str())
    };
    assert_eq!(how(&motion.id), Some("agreed"));
    assert_eq!(how(&other.id), Some("withdrawn"));
    assert_eq!((all.len(), &all[1].id), (2, &motion.id), "the newest first");
    let elsewhere = "another-loan".parse().unwrap();
    assert!(
        lent.lending
            .motions_of(&elsewhere)
            .await
            .unwrap()
            .is_empty()
    );
    lent.holds().await;
}

pub async fn plan_says_what_became_of_every_instalment(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.lent("A-1").await;
    let plan = async || lent.lending.loan(&loan).await.unwrap().plan().unwrap();
    let became: Vec<Became> = plan().await.iter().map(|one| one.became).collect();
    assert_eq!(became[1..], [Became::Ahead; 3]);
    lent.clock.days(31);
    let paid = lent.today();
    lent.pay(&loan, "p-1", "310.00").await.unwrap();
    lent.clock.days(45);
    lent.pay(&loan, "p-2", "100.00").await.unwrap();
    let now = plan().await;
    assert_eq!(
        now.len(),
        4,
        "the fee of the first day, and three instalments"
    );
    assert_eq!(now[1].became, Became::Paid(paid));
    assert_eq!(
        (now[1].asked.total, now[1].unpaid),
        (cny("309.00"), cny("0.00"))
    );
    let second = &now[2];
    assert_eq!(second.became, Became::Due);
    // What it asked for when it fell due, and the penalty since; what is left of that is unpaid.
    let asked = (second.asked.principal, second.asked.interest);
    assert_eq!(asked, (cny("300.00"), cny("6.00")));
    assert!(second.asked.penalty.fen() > 0);
    let left = second.asked.total.minus(cny("100.00")).unwrap();
    assert_eq!(second.unpaid, left);
    assert_eq!(
        (now[3].became, now[3].unpaid),
        (Became::Ahead, cny("303.00"))
    );
    let open = lent.lending.schedule(&loan).await.unwrap();
    let unpaid: Vec<Money> = now.iter().skip(2).map(|one| one.unpaid).collect();
    assert_eq!(unpaid, open.iter().map(|one| one.total).collect::<Vec<_>>());
    let head = lent.lending.loan(&loan).await.unwrap().head;
    let glance = lent.lending.glance(&head).await.unwrap();
    let standing = lent.lending.loan(&loan).await.unwrap().standing().unwrap();
    assert_eq!(glance, standing, "the row says what the acts say");
    assert!(glance.unwrap().days_past_due > 0);
    lent.holds().await;
}
