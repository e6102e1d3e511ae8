use rust_decimal::Decimal;
use schemas::time::Instant;

use super::*;
use crate::money::Currency;
use crate::pledge::Claims;
use crate::pledge::claim::Goods;
use crate::pledge::stage::Offer;
use crate::pledge::watch::{Limits, Reading};
use crate::product::Kind;
use crate::store::Sqlite;
use crate::testing::{at, slug};

fn fen(fen: i64) -> Money {
    Money::from_fen(fen, Currency::CNY).unwrap()
}

fn percent(text: &str) -> crate::schedule::Rate {
    crate::schedule::Rate::from_percent(text).unwrap()
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

/// A draw of stock, as lending asks about it.
fn draw(amount: i64, at: Instant) -> Draw {
    Draw {
        loan: "loan-1".parse().unwrap(),
        supplier: slug("qinghe"),
        product: slug("stock"),
        kind: Kind::PledgedStock {
            haircut: percent("30"),
            tenor_max_days: 180,
            revaluation_days: 30,
            margin_call: percent("75"),
        },
        approved: fen(100_000),
        amount: fen(amount),
        at,
    }
}

struct Bank {
    store: Arc<dyn Tables>,
    _folder: tempfile::TempDir,
}

impl Bank {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("credit.sqlite"))
            .await
            .unwrap();
        Self {
            store: Arc::new(store),
            _folder: folder,
        }
    }

    fn cover(&self) -> Pledged {
        Pledged::new(Arc::clone(&self.store))
    }

    /// A pledge of the loan, offered only or in force.
    async fn pledge(&self, serial: &str, lends: i64, accepted: bool) -> PledgeId {
        let thing = schemas::gs1::Identifier::from_serial("09521234543213", serial).unwrap();
        let goods = Goods::Thing {
            thing,
            lot: None,
            around: vec![],
        };
        let offer = Offer {
            borrower: slug("qinghe"),
            loan: key("loan-1"),
            what: "a pump".into(),
            lending_value: fen(lends),
            details: None,
            worth: None,
            evidence: None,
            claims: Claims::of(&goods).unwrap(),
        };
        let pledging = Pledging::new(&*self.store);
        let offered = pledging
            .offer(key(serial), slug("li-wei"), offer, at(1, 0))
            .await;
        let id = offered.unwrap().pledge;
        if accepted {
            self.act(&id, "accept", Act::Accept).await;
        }
        id
    }

    async fn act(&self, id: &PledgeId, request: &str, act: Act) {
        let pledging = Pledging::new(&*self.store);
        let done = pledging.act(id, key(request), slug("wang-fang"), act, at(1, 1));
        done.await.unwrap();
    }

    async fn drawn(&self, id: &PledgeId) -> i64 {
        let chain = self.store.pledge(id).await.unwrap().unwrap();
        chain.stage().life().drawn.fen()
    }

    async fn refusal(&self, amount: i64) -> (&'static str, String) {
        match self.cover().draw(&draw(amount, at(2, 0))).await {
            Err(PortError::Refused { rule, reason }) => (rule, reason),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn draw_is_kept_before_money_moves_and_counted_once() {
    let bank = Bank::open().await;
    let one = bank.pledge("A1", 60_000, true).await;
    let two = bank.pledge("A2", 60_000, true).await;
    for _ in 0..3 {
        bank.cover().draw(&draw(90_000, at(2, 0))).await.unwrap();
        assert_eq!(bank.drawn(&one).await + bank.drawn(&two).await, 90_000);
    }
    // The bank's core said no, and less is asked for: nothing more is taken.
    bank.cover().draw(&draw(50_000, at(3, 0))).await.unwrap();
    assert_eq!(bank.drawn(&one).await + bank.drawn(&two).await, 90_000);
    assert_eq!(bank.refusal(120_001).await.0, "pledge-short");
}

#[tokio::test]
async fn frozen_pledge_refuses_and_says_why() {
    let bank = Bank::open().await;
    let id = bank.pledge("A1", 60_000, true).await;
    let limits = Limits::declared(2.into(), 8.into(), std::time::Duration::from_secs(900));
    let pledging = Pledging::new(&*bank.store);
    pledging
        .watch(&id, "cold-1", limits.unwrap(), at(1, 2))
        .await
        .unwrap();
    let warm = Reading::new(at(1, 3), Decimal::new(94, 1)).unwrap();
    pledging
        .reading(&id, "cold-1", (warm, None), at(1, 3))
        .await
        .unwrap()
        .unwrap();
    let (rule, reason) = bank.refusal(1).await;
    assert_eq!(rule, "pledge-frozen");
    assert!(
        reason.contains("9.4") && reason.contains("cold-1"),
        "{reason}"
    );
    assert_eq!(bank.drawn(&id).await, 0);
    bank.act(
        &id,
        "thaw",
        Act::Thaw("the door was open for unloading".into()),
    )
    .await;
    bank.cover().draw(&draw(1, at(2, 0))).await.unwrap();
}

#[tokio::test]
async fn goods_that_are_not_pledged_cover_nothing() {
    let bank = Bank::open().await;
    assert_eq!(bank.refusal(1).await.0, "pledge-missing");
    let id = bank.pledge("A1", 60_000, false).await;
    assert_eq!(bank.refusal(1).await.0, "pledge-waiting");
    bank.act(&id, "accept", Act::Accept).await;
    bank.act(&id, "call", Act::Call("the loan is overdue".into()))
        .await;
    assert_eq!(bank.refusal(1).await.0, "pledge-called");
    let mut invoice = draw(1, at(2, 0));
    invoice.loan = "another".parse().unwrap();
    invoice.kind = Kind::PurchaseOrder {
        advance: percent("50"),
        tenor_max_days: 90,
        buyer_confirmation: false,
    };
    bank.cover().draw(&invoice).await.unwrap();
}
