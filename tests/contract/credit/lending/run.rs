//! The daily run over many loans.

use super::*;
use credit::lending::{DailyError, Day};
use credit::store::lending::Which;
use tokio_util::sync::CancellationToken;

impl Lent {
    async fn run(&self) -> Day {
        self.lending
            .run_day(None, "test", &CancellationToken::new())
            .await
            .unwrap()
    }
}

pub async fn day_is_run_once_for_all(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let mut loans = Vec::new();
    for number in 0..5 {
        loans.push(lent.lent(&format!("A-{number}")).await);
    }
    lent.clock.days(40);
    let done = lent.run().await;
    assert_eq!(done.loans, 10, "40 days of 5 loans go in two parts");
    assert!(done.failed.is_empty() && !done.stopped);
    assert!(done.acts >= 5 * 41, "{done:?}");
    let head = lent.store.ledger_head(&trial()).await.unwrap();
    let again = lent.run().await;
    assert_eq!(again, Day::default());
    assert_eq!(lent.store.ledger_head(&trial()).await.unwrap(), head);
    for loan in &loans {
        assert_eq!(lent.loan(loan).await.word(), "delinquent");
    }
    let due = lent
        .lending
        .list(&Which::DueBy(lent.today()), None, 10)
        .await
        .unwrap();
    assert_eq!(due.len(), 5);
    let late = Which::In("delinquent".to_owned());
    let first = lent.lending.list(&late, None, 2).await.unwrap();
    let rest = lent
        .lending
        .list(&late, Some(&first[1].loan), 10)
        .await
        .unwrap();
    assert_eq!((first.len(), rest.len()), (2, 3));
    lent.holds().await;
}

pub async fn run_that_was_stopped_goes_on(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let (loan, twin) = (lent.lent("A-1").await, lent.lent("A-2").await);
    lent.clock.days(3);
    let stop = CancellationToken::new();
    stop.cancel();
    let done = lent.lending.run_day(None, "test", &stop).await.unwrap();
    assert!(done.stopped);
    assert_eq!(done.loans, 0);
    // A loan that somebody else has brought on meanwhile is not run again.
    lent.pay(&loan, "p-1", "1.00").await.unwrap();
    assert_eq!(lent.run().await.loans, 1);
    let days = |loan: Loan| loan.position().unwrap().day();
    assert_eq!(days(lent.loan(&loan).await), days(lent.loan(&twin).await));
    lent.holds().await;
}

pub async fn rows_of_the_run_are_what_the_acts_give(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.lent("A-1").await;
    for day in 0..70 {
        lent.clock.days(1);
        assert_eq!(lent.run().await.loans, 1, "day {day}");
        if day == 40 {
            lent.pay(&loan, "p-1", "200.00").await.unwrap();
        }
    }
    lent.holds().await;
}

pub async fn two_runs_at_once_do_no_harm(bank: &Bank) {
    let lent = Lent::new(bank).await;
    for number in 0..4 {
        lent.lent(&format!("A-{number}")).await;
    }
    lent.clock.days(5);
    let second = lent.second(bank).await;
    let stop = CancellationToken::new();
    let (one, other) = tokio::join!(
        lent.lending.run_day(None, "one", &stop),
        second.lending.run_day(None, "other", &stop)
    );
    let loans = |done: &Result<Day, DailyError>| match done {
        Ok(done) => done.loans,
        Err(DailyError::Held) => 0,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(loans(&one) + loans(&other), 4);
    // The lease of a process that died ends.
    lent.clock.days(1);
    assert_eq!(second.run().await.loans, 4);
    lent.holds().await;
}

pub async fn day_that_has_not_begun_is_refused(bank: &Bank) {
    let lent = Lent::new(bank).await;
    lent.lent("A-1").await;
    let tomorrow = lent.today().succ_opt();
    let stop = CancellationToken::new();
    let done = lent.lending.run_day(tomorrow, "test", &stop).await;
    assert!(matches!(done, Err(DailyError::Future { .. })));
    lent.holds().await;
}
