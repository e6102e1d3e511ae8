//! What borrower, bank and officers ask for.

use credit::lending::Seen;

use super::*;
use crate::contract::ingest::join_all;

pub async fn offer_becomes_one_loan(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.offered("A-1").await;
    let acceptance = lent.acceptance(&loan);
    let many = join_all((0..8).map(|_| {
        let (lending, acceptance) = (Arc::clone(&lent.lending), acceptance.clone());
        async move { lending.accept(&acceptance).await.unwrap().is_new }
    }));
    assert_eq!(many.await.into_iter().filter(|new| *new).count(), 1);
    let found = lent.lending.loans_of(&slug("qinghe")).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].state.as_str(), found[0].instalments),
        ("approved", 3)
    );
    let other = Acceptance {
        instalments: Some(2),
        ..acceptance
    };
    lent.lending.accept(&other).await.unwrap_err();
    assert_eq!(lent.denied(&loan).await.0, "accepted-before");
    lent.holds().await;
}

pub async fn offer_of_others_or_too_late_opens_nothing(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.offered("A-1").await;
    let foreign = Acceptance {
        supplier: slug("away"),
        ..lent.acceptance(&loan)
    };
    lent.lending.accept(&foreign).await.unwrap_err();
    let expected = ("another-borrower".to_owned(), "borrower away".to_owned());
    assert_eq!(lent.denied(&loan).await, expected);
    lent.clock.days(8);
    lent.lending
        .accept(&lent.acceptance(&loan))
        .await
        .unwrap_err();
    assert_eq!(lent.denied(&loan).await.0, "offer-lapsed");
    let waiting = offer("A-2", "900.00", 1);
    lent.store.record(&trial(), &waiting).await.unwrap();
    let waiting: LoanId = waiting.decision.decision_id.parse().unwrap();
    lent.lending
        .accept(&lent.acceptance(&waiting))
        .await
        .unwrap_err();
    assert_eq!(lent.denied(&waiting).await.0, "offer-open");
    assert!(
        lent.lending
            .loans_of(&slug("qinghe"))
            .await
            .unwrap()
            .is_empty()
    );
    lent.holds().await;
}

pub async fn money_goes_out_once(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.drawable("A-1").await;
    let second = lent.second(bank).await;
    let (one, two) = tokio::join!(lent.draw(&loan, "900.00"), second.draw(&loan, "900.00"));
    one.unwrap();
    two.unwrap();
    assert_eq!(lent.loan(&loan).await.word(), "active");
    assert_eq!(lent.world.paid(), [(cny("900.00"), ACCOUNT.to_owned())]);
    assert!(matches!(lent.draw(&loan, "900.00").await, Ok(Paid::Out(_))));
    assert_eq!(lent.world.paid().len(), 1);
    lent.holds().await;
}

pub async fn lost_answers_and_stops_pay_once(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.drawable("A-1").await;
    lent.world.deaf.store(true, Ordering::SeqCst);
    assert!(matches!(
        lent.draw(&loan, "600.00").await,
        Ok(Paid::Waiting)
    ));
    assert_eq!(lent.loan(&loan).await.word(), "disbursing");
    // Another process finds the intent and does not know what was sent.
    let second = lent.second(bank).await;
    assert_eq!(second.lending.resume_all().await.unwrap(), 1);
    lent.world.deaf.store(false, Ordering::SeqCst);
    assert_eq!(second.lending.resume_all().await.unwrap(), 0);
    assert_eq!(second.lending.resume_all().await.unwrap(), 0);
    assert_eq!(lent.loan(&loan).await.word(), "active");
    assert_eq!(lent.world.paid(), [(cny("600.00"), ACCOUNT.to_owned())]);
    // What will not be drawn is room of the trial again.
    assert_eq!(lent.world.room(), (30_000, 0));
    lent.holds().await;
}

pub async fn refused_payment_allows_another_token(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.drawable("A-1").await;
    lent.world.broke.store(true, Ordering::SeqCst);
    assert!(matches!(
        lent.draw(&loan, "900.00").await,
        Ok(Paid::Refused(_))
    ));
    assert_eq!(lent.loan(&loan).await.word(), "approved");
    assert!(lent.world.paid().is_empty());
    lent.holds().await;
}

pub async fn cover_is_asked_before_money_moves(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.drawable("A-1").await;
    lent.world.bare.store(true, Ordering::SeqCst);
    lent.draw(&loan, "900.00").await.unwrap_err();
    assert_eq!(lent.denied(&loan).await.0, "pledge-frozen");
    assert_eq!(lent.loan(&loan).await.word(), "drawable");
    // A freeze by an act holds whatever the cover says.
    lent.world.bare.store(false, Ordering::SeqCst);
    let key = "alarm-1".parse().unwrap();
    let cause = credit::loan::life::FreezeCause::Collateral;
    lent.lending
        .freeze(&loan, key, cause, Actor::Machine)
        .await
        .unwrap();
    lent.draw(&loan, "900.00").await.unwrap_err();
    assert_eq!(lent.denied(&loan).await.0, "frozen");
    assert!(lent.world.paid().is_empty());
    lent.holds().await;
}

pub async fn intent_is_not_sent_while_frozen(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.drawable("A-1").await;
    lent.world.deaf.store(true, Ordering::SeqCst);
    lent.draw(&loan, "900.00").await.unwrap();
    // The bank never saw it, and the cover is gone by now.
    lent.world.paid.lock().unwrap().clear();
    lent.world.deaf.store(false, Ordering::SeqCst);
    lent.world.bare.store(true, Ordering::SeqCst);
    assert_eq!(lent.lending.resume_all().await.unwrap(), 1);
    assert!(lent.world.paid().is_empty());
    lent.world.bare.store(false, Ordering::SeqCst);
    assert_eq!(lent.lending.resume_all().await.unwrap(), 0);
    assert_eq!(lent.world.paid().len(), 1);
    lent.holds().await;
}

pub async fn token_is_the_borrowers(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.offered("A-1").await;
    lent.lending.accept(&lent.acceptance(&loan)).await.unwrap();
    // Who accepted the offer does not release its money.
    lent.issue(&loan, one("li-wei")).await.unwrap_err();
    assert_eq!(
        lent.denied(&loan).await,
        ("officer-releases".into(), "li-wei".into())
    );
    lent.issue(&loan, one("zhao-min")).await.unwrap();
    lent.issue(&loan, one("zhao-min")).await.unwrap();
    let key = || "limit-1".parse().unwrap();
    let lowered = |amount: &str| {
        lent.lending
            .limit(&loan, key(), slug("qinghe"), cny(amount), Seen::default())
    };
    lowered("500.00").await.unwrap();
    assert!(!lowered("500.00").await.unwrap().is_new);
    lowered("400.00").await.unwrap_err();
    assert_eq!(lent.denied(&loan).await.0, "key-reused");
    lent.draw(&loan, "500.01").await.unwrap_err();
    let tokens = lent.lending.tokens(&loan).await.unwrap();
    assert_eq!((tokens.len(), tokens[0].amount), (1, cny("500.00")));
    assert_eq!(tokens[0].account.as_deref(), Some(ACCOUNT));
    let revoke = || {
        lent.lending.revoke(
            &loan,
            "revoke-1".parse().unwrap(),
            borrower(),
            Seen::default(),
        )
    };
    // Whoever saw another token changes nothing of this one.
    let key = || "seen-1".parse().unwrap();
    let (other, amount) = (Seen::token(sha256(b"another token")), cny("300.00"));
    let limited = lent
        .lending
        .limit(&loan, key(), slug("qinghe"), amount, other);
    limited.await.unwrap_err();
    assert_eq!(lent.denied(&loan).await.0, "token-changed");
    let revoked = lent.lending.revoke(&loan, key(), borrower(), other);
    revoked.await.unwrap_err();
    let token = lent.lending.tokens(&loan).await.unwrap()[0].token;
    let (seen, acts) = (
        Seen::token(token),
        lent.lending.loan(&loan).await.unwrap().acts.len(),
    );
    // Nor does whoever saw the loan before its last act, whatever token they saw.
    let stale = Seen {
        acts: u32::try_from(acts).ok().map(|acts| acts - 1),
        ..seen
    };
    let early = lent
        .lending
        .limit(&loan, key(), slug("qinghe"), cny("500.00"), stale);
    early.await.unwrap_err();
    assert_eq!(lent.denied(&loan).await.0, "loan-changed");
    let limited = lent
        .lending
        .limit(&loan, key(), slug("qinghe"), cny("500.00"), seen);
    assert!(limited.await.unwrap().is_new);
    revoke().await.unwrap();
    lent.draw(&loan, "500.00").await.unwrap_err();
    assert_eq!(lent.loan(&loan).await.word(), "approved");
    assert!(lent.world.paid().is_empty());
    lent.holds().await;
}

pub async fn payments_come_once(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.lent("A-1").await;
    lent.clock.days(31);
    // 300.00 of principal and 9.00 of interest, and the fee of the first day.
    assert!(lent.pay(&loan, "p-1", "310.00").await.unwrap());
    assert!(!lent.pay(&loan, "p-1", "310.00").await.unwrap());
    lent.clock.days(1);
    assert!(!lent.pay(&loan, "p-1", "310.00").await.unwrap());
    lent.pay(&loan, "p-1", "310.01").await.unwrap_err();
    assert_eq!(
        lent.denied(&loan).await,
        ("key-reused".into(), "bank".into())
    );
    let many = join_all((0..6).map(|number| {
        let lending = Arc::clone(&lent.lending);
        let amount = Deed::Paid {
            amount: cny("1.00"),
        };
        let key = format!("many-{}", number % 3);
        let request = lent.request(&loan, &key, Actor::Bank, amount);
        async move { lending.act(request).await.unwrap().is_new }
    }));
    assert_eq!(many.await.into_iter().filter(|new| *new).count(), 3);
    let loaded = lent.lending.loan(&loan).await.unwrap();
    let standing = loaded.standing().unwrap().unwrap();
    assert_eq!(standing.credit, cny("3.00"));
    assert_eq!(lent.world.room().0, 30_000);
    lent.holds().await;
}

pub async fn loan_is_repaid_and_closed(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.lent("A-1").await;
    lent.clock.days(10);
    lent.pay(&loan, "fee", "1.00").await.unwrap();
    let payoff = lent.lending.payoff(&loan).await.unwrap().unwrap();
    let deed = Deed::RepaidEarly {
        amount: payoff.total,
    };
    let request = lent.request(&loan, "early", Actor::Bank, deed);
    lent.lending.act(request).await.unwrap();
    assert_eq!(lent.loan(&loan).await.word(), "settled");
    assert!(lent.lending.schedule(&loan).await.unwrap().is_empty());
    let request = lent.request(&loan, "close", one("zhao-min"), Deed::Closed);
    lent.lending.act(request).await.unwrap();
    assert_eq!(lent.loan(&loan).await.word(), "closed");
    assert_eq!(lent.world.room(), (90_000, 0));
    lent.holds().await;
}

pub async fn room_is_told_later_and_once(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.lent("A-1").await;
    lent.world.closed.store(true, Ordering::SeqCst);
    lent.clock.days(31);
    lent.pay(&loan, "p-1", "310.00").await.unwrap();
    assert_eq!(lent.world.room(), (0, 0));
    lent.world.closed.store(false, Ordering::SeqCst);
    lent.clock.days(1);
    lent.pay(&loan, "p-2", "1.00").await.unwrap();
    assert_eq!(lent.world.room(), (30_000, 0));
    assert!(lent.store.untold_room(10).await.unwrap().is_empty());
    lent.holds().await;
}
