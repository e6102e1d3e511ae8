//! What takes two people.

use super::*;
use credit::lending::{Proposal, What};
use credit::loan::life::{Grade, Repaid};

fn proposal(deed: Deed) -> Proposal {
    Proposal {
        value: None,
        what: What::Deed { deed },
    }
}

fn reason() -> String {
    "by hand".to_owned()
}

impl Lent {
    async fn by_two(&self, loan: &LoanId, proposal: Proposal) -> Result<Loan, LendingError> {
        let motion = self
            .lending
            .propose(loan, &slug("li-wei"), &proposal)
            .await?;
        let done = self
            .lending
            .agree(loan, &motion.id, &slug("wang-fang"))
            .await?;
        Ok(done.loan)
    }
}

pub async fn one_person_is_never_two(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.lent("A-1").await;
    lent.clock.days(31);
    lent.pay(&loan, "p-1", "310.00").await.unwrap();
    let reverse = proposal(Deed::PaymentReversed {
        payment: "p-1".parse().unwrap(),
        reason: reason(),
    });
    let motion = lent
        .lending
        .propose(&loan, &slug("li-wei"), &reverse)
        .await
        .unwrap();
    assert_eq!(
        lent.lending.motions().await.unwrap(),
        std::slice::from_ref(&motion)
    );
    lent.lending
        .agree(&loan, &motion.id, &slug("li-wei"))
        .await
        .unwrap_err();
    assert_eq!(
        lent.denied(&loan).await,
        ("same-person".into(), "li-wei".into())
    );
    let checker = slug("wang-fang");
    let agree = || lent.lending.agree(&loan, &motion.id, &checker);
    assert!(agree().await.unwrap().is_new);
    assert!(!agree().await.unwrap().is_new);
    assert!(lent.lending.motions().await.unwrap().is_empty());
    // The principal is owed again, and the trial is told.
    assert_eq!(lent.world.room(), (30_000, 30_000));
    lent.holds().await;
}

pub async fn motion_ends_once(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.lent("A-1").await;
    let graded = proposal(Deed::Graded {
        at_least: Grade::Substandard,
        reason: reason(),
    });
    let motion = lent
        .lending
        .propose(&loan, &slug("li-wei"), &graded)
        .await
        .unwrap();
    lent.lending
        .end_motion(&loan, &motion.id, &slug("wang-fang"))
        .await
        .unwrap();
    lent.lending
        .end_motion(&loan, &motion.id, &slug("li-wei"))
        .await
        .unwrap_err();
    let agreed = lent
        .lending
        .agree(&loan, &motion.id, &slug("wang-fang"))
        .await;
    assert!(matches!(agreed, Err(LendingError::NoMotion)));
    let kept = lent.store.motion(&loan, &motion.id).await.unwrap().unwrap();
    assert_eq!(kept.ended.unwrap().how, "refused");
    let alone = proposal(Deed::TokenRevoked);
    lent.lending
        .propose(&loan, &slug("li-wei"), &alone)
        .await
        .unwrap_err();
    lent.holds().await;
}

pub async fn payments_are_corrected_back_in_time(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let (loan, twin) = (lent.lent("A-1").await, lent.lent("A-2").await);
    let due = lent.today() + chrono::Months::new(1);
    lent.clock.days(45);
    lent.pay(&loan, "p-1", "100.00").await.unwrap();
    for one in [&loan, &twin] {
        let amount = cny("310.00");
        let mut request = lent.request(one, "p-2", Actor::Bank, Deed::Paid { amount });
        request.value = Some(due);
        lent.lending.act(request).await.unwrap();
    }
    let correct = proposal(Deed::PaymentCorrected {
        payment: "p-1".parse().unwrap(),
        amount: cny("1.00"),
        on: due,
        reason: reason(),
    });
    lent.by_two(&loan, correct).await.unwrap();
    lent.pay(&twin, "p-3", "1.00").await.unwrap();
    let standing = |loaded: credit::lending::Loaded| loaded.standing().unwrap().unwrap();
    let one = standing(lent.lending.loan(&loan).await.unwrap());
    let other = standing(lent.lending.loan(&twin).await.unwrap());
    assert_eq!((one.due, one.principal), (other.due, other.principal));
    lent.holds().await;
}

pub async fn bad_loan_is_restructured_given_up_and_recovered(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.lent("A-1").await;
    lent.clock.days(60);
    let terms = Proposal {
        value: None,
        what: What::NewTerms {
            instalments: 6,
            months: 1,
            annual_rate_percent: "6".to_owned(),
            repaid: Repaid::EqualPrincipal,
            reason: reason(),
        },
    };
    let after = lent.by_two(&loan, terms).await.unwrap();
    assert_eq!(after.word(), "restructured");
    lent.clock.days(30);
    lent.lending
        .run_day(None, "test", &Default::default())
        .await
        .unwrap();
    let give_up = || proposal(Deed::WrittenOff { reason: reason() });
    lent.by_two(&loan, give_up()).await.unwrap_err();
    assert_eq!(lent.denied(&loan).await.0, "no-loss");
    let loss = proposal(Deed::Graded {
        at_least: Grade::Loss,
        reason: reason(),
    });
    lent.by_two(&loan, loss).await.unwrap();
    lent.clock.days(1);
    let after = lent.by_two(&loan, give_up()).await.unwrap();
    assert_eq!(after.word(), "written_off");
    let amount = cny("50.00");
    let after = lent
        .by_two(&loan, proposal(Deed::Recovered { amount }))
        .await
        .unwrap();
    assert_eq!(after.word(), "recovering");
    // What was given up keeps its room.
    assert_eq!(lent.world.room(), (0, 0));
    lent.holds().await;
}
