//! What loans tell the indicators.

use super::*;
use credit::lending::{Proposal, What};
use credit::sandbox::indicators::{Fact, Row};
use credit::store::lending::{Change as Written, Place, Placed, Which, Write, Wrote};
use credit::trials::{LentLoans, Loans as _};

impl Lent {
    async fn told(&self, after: Place, take: u32) -> Vec<Placed> {
        self.store.told(&trial(), after, take).await.unwrap()
    }

    /// Rows as they are read one by one.
    async fn told_slowly(&self) -> Vec<Placed> {
        let (mut all, mut after) = (Vec::new(), Place::default());
        while let [one] = &self.told(after, 1).await[..] {
            assert!(one.place > after);
            after = one.place;
            all.push(one.clone());
        }
        all
    }

    fn debts(&self) -> LentLoans {
        let currency = credit::money::Currency::CNY;
        LentLoans::new(Arc::clone(&self.store), trial(), currency)
    }
}

fn words(rows: &[Placed]) -> Vec<&'static str> {
    rows.iter().map(|one| one.row.fact.word()).collect()
}

pub async fn rows_are_told_with_their_acts(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let debts = lent.debts();
    let owed = async |lent: &Lent| debts.debts(lent.today()).await.unwrap();
    let loan = lent.lent("A-1").await;
    assert_eq!(owed(&lent).await.outstanding, cny("900.00"));
    lent.clock.days(31);
    lent.pay(&loan, "p-1", "310.00").await.unwrap();
    let first = lent.told(Place::default(), 100).await;
    assert_eq!(words(&first), ["disbursed", "scheduled", "repaid"]);
    assert_eq!(owed(&lent).await.outstanding, cny("600.00"));
    // The same payment again tells nothing.
    assert!(!lent.pay(&loan, "p-1", "310.00").await.unwrap());
    let reverse = Proposal {
        value: None,
        what: What::Deed {
            deed: Deed::PaymentReversed {
                payment: "p-1".parse().unwrap(),
                reason: "by hand".to_owned(),
            },
        },
    };
    let (li, wang) = (slug("li-wei"), slug("wang-fang"));
    let motion = lent.lending.propose(&loan, &li, &reverse).await.unwrap();
    lent.lending.agree(&loan, &motion.id, &wang).await.unwrap();
    let all = lent.told(Place::default(), 100).await;
    assert_eq!(all[..3], first, "what was told stays");
    let last = first.last().unwrap().place;
    assert_eq!(lent.told(last, 100).await, all[3..]);
    assert_eq!(words(&all[3..]), ["unpaid", "scheduled"]);
    assert_eq!(lent.told_slowly().await, all);
    let now = owed(&lent).await;
    assert_eq!(now.outstanding, cny("900.00"));
    // Due today is not late before tomorrow.
    assert_eq!(now.overdue, cny("0.00"));
    let tomorrow = lent.today() + chrono::Days::new(1);
    let then = debts.debts(tomorrow).await.unwrap();
    assert_eq!(then.overdue, cny("300.00"));
    // Another process has read nothing before, and finds the same.
    let second = lent.second(bank).await;
    let again = second.debts().debts(lent.today()).await.unwrap();
    assert_eq!(again, now);
    let rows: Vec<Row> = all.into_iter().map(|one| one.row).collect();
    assert_eq!(second.debts().rows().await.unwrap(), rows);
    lent.holds().await;
}

/// The loan again under another name, as it was kept before loans told anything.
async fn silent(lent: &Lent, loan: &LoanId) -> LoanId {
    let mut head = lent.store.head(loan).await.unwrap().unwrap();
    let acts = lent.store.acts(loan, 0, 1_000).await.unwrap();
    let copy: LoanId = "copy".parse().unwrap();
    head.loan = copy.clone();
    let change = Written {
        before: 0,
        head,
        acts: acts.into_iter().map(|one| one.act).collect(),
        room: Vec::new(),
        rows: Vec::new(),
        payee: None,
        ends: None,
    };
    let write = Write {
        book: trial(),
        changes: vec![change],
        entries: Vec::new(),
        note: entry("service", Action::LoanAct, "copy", lent.clock.now()),
    };
    assert_eq!(lent.store.write_loans(&write).await.unwrap(), Wrote::Kept);
    copy
}

pub async fn loans_of_before_tell_once(bank: &Bank) {
    let lent = Lent::new(bank).await;
    let loan = lent.lent("A-1").await;
    lent.clock.days(31);
    lent.pay(&loan, "p-1", "310.00").await.unwrap();
    let copy = silent(&lent, &loan).await;
    let before = lent.told(Place::default(), 100).await;
    assert!(!lent.store.is_all_told(&trial()).await.unwrap());
    assert_eq!(lent.lending.tell_old().await.unwrap(), 1, "one had no rows");
    assert!(lent.store.is_all_told(&trial()).await.unwrap());
    assert_eq!(lent.lending.tell_old().await.unwrap(), 0);
    let all = lent.told(Place::default(), 100).await;
    assert_eq!(all[..before.len()], before);
    let told = &all[before.len()..];
    assert_eq!(words(told), words(&before));
    for (one, other) in told.iter().zip(&before) {
        assert_eq!(one.row.at, other.row.at, "when it was booked");
        let loan = match &one.row.fact {
            Fact::Disbursed { loan, .. }
            | Fact::Scheduled { loan, .. }
            | Fact::Repaid { loan, .. } => loan,
            other => panic!("{other:?}"),
        };
        assert_eq!(loan.as_str(), copy.as_str());
    }
    // A loan that has rows gets no others, whoever tells them.
    let note = entry("service", Action::LoanAct, "copy", lent.clock.now());
    let rows = [told[0].row.clone()];
    let again = lent.store.tell_all(&trial(), &copy, &rows, &note).await;
    assert!(!again.unwrap());
    lent.store
        .all_told(&trial(), lent.clock.now())
        .await
        .unwrap();
    assert_eq!(lent.told(Place::default(), 100).await, all);
    let heads = lent.lending.list(&Which::All, None, 10).await.unwrap();
    assert_eq!(heads.len(), 2);
}
