//! Offers that no loan comes of, and loans that nobody draws: their room is given back, once.

use super::*;
use crate::contract::ingest::join_all;
use credit::loan::taking::How;
use credit::store::Fate;

impl Lent {
    async fn used(&self) -> Money {
        self.store.sandbox(&trial()).await.unwrap().used
    }

    async fn trail_of(&self, loan: &LoanId) -> Vec<String> {
        let rows = self.store.newest(None, Some(loan.as_str()), 50).await;
        rows.unwrap().into_iter().map(|row| row.action).collect()
    }
}

pub async fn declined_offer_is_no_loan_and_holds_no_room(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.offered("A-1").await;
    assert_eq!(lent.used().await, cny("900.00"));
    let decline = |by| lent.lending.decline(loan.as_str(), by);
    let (qinghe, away) = (slug("qinghe"), slug("away"));
    decline(&away).await.unwrap_err();
    let expected = ("another-borrower".to_owned(), "borrower away".to_owned());
    assert_eq!(lent.denied(&loan).await, expected);
    assert_eq!(lent.used().await, cny("900.00"));
    assert!(decline(&qinghe).await.unwrap());
    assert!(!decline(&qinghe).await.unwrap(), "the same word again");
    assert_eq!(lent.used().await, cny("0.00"));
    let end = lent.store.offer_end(loan.as_str()).await.unwrap().unwrap();
    assert_eq!(end.how, How::Declined);
    lent.lending
        .accept(&lent.acceptance(&loan))
        .await
        .unwrap_err();
    assert_eq!(lent.denied(&loan).await.0, "offer-declined");
    assert_eq!(lent.trail_of(&loan).await[0], "decline-offer");
    // Nothing is left for the run, however late.
    lent.clock.days(30);
    assert_eq!(lent.lending.end_untaken().await.unwrap(), 0);
    assert_eq!(lent.used().await, cny("0.00"));
    let never = lent.lending.decline("no-such-offer", &qinghe).await;
    assert!(matches!(never, Err(LendingError::NoOffer(_))));
    let waiting = offer("A-2", "900.00", 1);
    lent.store.record(&trial(), &waiting).await.unwrap();
    let id = &waiting.decision.decision_id;
    lent.lending.decline(id, &qinghe).await.unwrap_err();
    assert_eq!(lent.denied(&id.parse().unwrap()).await.0, "offer-open");
    lent.holds().await;
}

pub async fn offer_is_taken_or_declined_and_never_both(bank: &Bank) {
    let lent = Lent::new(bank).await;
    for number in 0..6 {
        let loan = lent.offered(&format!("A-{number}")).await;
        let before = lent.used().await;
        let acceptance = lent.acceptance(&loan);
        let many = join_all((0..8).map(|one| {
            let (lending, acceptance) = (Arc::clone(&lent.lending), acceptance.clone());
            async move {
                if one % 2 == 0 {
                    lending.accept(&acceptance).await.is_ok()
                } else {
                    let (id, by) = (&acceptance.decision_id, &acceptance.supplier);
                    lending.decline(id, by).await.is_ok()
                }
            }
        }));
        let done = many.await;
        let accepted = done.iter().step_by(2).any(|one| *one);
        let declined = done.iter().skip(1).step_by(2).any(|one| *one);
        assert!(accepted != declined, "{done:?}");
        let head = lent.store.head(&loan).await.unwrap();
        assert_eq!(head.is_some(), accepted);
        let end = lent.store.offer_end(loan.as_str()).await.unwrap();
        assert_eq!(end.is_some(), declined);
        let freed = before.minus(lent.used().await).unwrap();
        let expected = if declined { "900.00" } else { "0.00" };
        assert_eq!(freed, cny(expected));
    }
    lent.holds().await;
}

pub async fn offer_that_nobody_takes_holds_no_room(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let (taken, left) = (lent.offered("A-1").await, lent.offered("A-2").await);
    lent.lending.accept(&lent.acceptance(&taken)).await.unwrap();
    assert_eq!(lent.used().await, cny("1800.00"));
    lent.clock.days(6);
    assert_eq!(lent.lending.end_untaken().await.unwrap(), 0, "it is valid");
    lent.clock.days(2);
    // Two processes look at once.
    let other = lent.second(bank).await;
    let (one, two) = tokio::join!(lent.lending.end_untaken(), other.lending.end_untaken());
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    assert_eq!(lent.lending.end_untaken().await.unwrap(), 0);
    assert_eq!(lent.used().await, cny("900.00"));
    assert_eq!(lent.trail_of(&left).await[0], "offer-untaken");
    let asked = [taken.as_str(), left.as_str(), "no-such-offer"];
    let expected = [
        (taken.to_string(), Fate::Loan),
        (left.to_string(), Fate::Ended(How::Untaken)),
    ];
    let fates = lent.store.fates(&asked).await.unwrap();
    assert_eq!(fates, expected.into_iter().collect());
    assert!(lent.store.fates(&[]).await.unwrap().is_empty());
    lent.lending
        .accept(&lent.acceptance(&left))
        .await
        .unwrap_err();
    assert_eq!(lent.denied(&left).await.0, "offer-lapsed");
    let late = lent.lending.decline(left.as_str(), &slug("qinghe")).await;
    assert!(late.is_err());
    lent.holds().await;
}

pub async fn loan_that_nobody_draws_is_closed_and_holds_no_room(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let (approved, drawable) = (lent.offered("A-1").await, lent.drawable("A-2").await);
    lent.lending
        .accept(&lent.acceptance(&approved))
        .await
        .unwrap();
    let out = lent.lent("A-3").await;
    assert_eq!(lent.lending.close_undrawn().await.unwrap(), 0);
    assert_eq!(lent.world.room(), (0, 0));
    lent.clock.days(8);
    assert_eq!(lent.lending.close_undrawn().await.unwrap(), 2);
    assert_eq!(lent.lending.close_undrawn().await.unwrap(), 0);
    assert_eq!(lent.world.room(), (180_000, 0), "twice 900.00, each once");
    for loan in [&approved, &drawable] {
        assert_eq!(lent.loan(loan).await.word(), "closed");
    }
    assert_ne!(lent.loan(&out).await.word(), "closed");
    lent.draw(&drawable, "900.00").await.unwrap_err();
    assert_eq!(lent.world.paid().len(), 1);
    lent.holds().await;
}

pub async fn token_is_looked_at_before_others_are_asked(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.drawable("A-1").await;
    lent.world.bare.store(true, Ordering::SeqCst);
    let draw = Draw {
        loan: loan.clone(),
        supplier: slug("qinghe"),
        token: sha256(b"guessed"),
        account: ACCOUNT.to_owned(),
        amount: cny("900.00"),
    };
    lent.lending.draw(&draw).await.unwrap_err();
    assert_eq!(lent.denied(&loan).await.0, "token");
    lent.draw(&loan, "900.00").await.unwrap_err();
    assert_eq!(lent.denied(&loan).await.0, "pledge-frozen");
    lent.holds().await;
}
