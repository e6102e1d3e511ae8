//! A sensor gets too warm, and nothing can be drawn: a real gateway, a real platform with its
//! witnesses, and a bank that asks it over HTTP and verifies what it gets.

use std::sync::Arc;

use credit::lending::ports::{Cover as _, Draw, PortError};
use credit::money::{Currency, Money};
use credit::pledge::cover::Pledged;
use credit::pledge::office::Deed;
use credit::pledge::stage::State;
use credit::pledge::watch::Noticed;
use credit::product::Kind;
use credit::schedule::Rate;
use simulators::cold_store::ColdStores;

/// A draw of one fen on the loan of a pledge.
fn draw(bank: &ColdStores, loan: &str, supplier: &str) -> Draw {
    let one = Money::from_fen(1, Currency::CNY).unwrap();
    let percent = |text| Rate::from_percent(text).unwrap();
    Draw {
        loan: loan.parse().unwrap(),
        supplier: supplier.parse().unwrap(),
        product: "stock".parse().unwrap(),
        kind: Kind::PledgedStock {
            haircut: percent("30"),
            tenor_max_days: 180,
            revaluation_days: 30,
            margin_call: percent("75"),
        },
        approved: one,
        amount: one,
        at: bank.office().now(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_out_of_limits_freezes_the_pledge_and_its_draws() {
    let folder = tempfile::tempdir().unwrap();
    let bank = ColdStores::open(folder.path(), 1).await.unwrap();
    let store = &bank.stores[0];
    let pledge = bank.pledge(store, 1).await.unwrap();
    let cover = Pledged::new(Arc::clone(bank.office().store()));
    let supplier = store.stream().device().organisation.to_string();
    cover.draw(&draw(&bank, "loan-1", &supplier)).await.unwrap();

    store.show(940);
    let frozen = bank.wait(&pledge, |chain| chain.stage().state() == State::Frozen);
    let frozen = frozen.await.unwrap();
    let [alarm] = &frozen.stage().life().alarms[..] else {
        panic!("{:?}", frozen.stage());
    };
    let Noticed::Breach {
        value, high, leaf, ..
    } = &alarm.noticed
    else {
        panic!("{alarm:?}");
    };
    let plain = (value.normalize().to_string(), high.to_string());
    assert_eq!(plain, ("9.4".to_owned(), "8".to_owned()));
    assert!(leaf.is_some());
    assert_eq!(alarm.stream, store.stream().name());
    match cover.draw(&draw(&bank, "loan-1", &supplier)).await {
        // One fen was drawn before: nothing more is taken, and still it is refused.
        Err(PortError::Refused { rule, reason }) => {
            assert_eq!(rule, "pledge-frozen");
            assert!(reason.contains("9.4"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    let row = bank
        .office()
        .store()
        .newest(None, Some(&pledge.to_string()), 1)
        .await
        .unwrap();
    assert_eq!(
        (&*row[0].action, &*row[0].actor),
        ("pledge-freeze", "service")
    );

    let why = "the door was open while a lorry was unloaded".to_owned();
    let officer = "wang-fang".parse().unwrap();
    let thawed = bank.office().act(
        &officer,
        &pledge,
        "thaw-1".parse().unwrap(),
        Deed::Thaw(why),
    );
    assert_eq!(thawed.await.unwrap().state, State::Pledged);
    cover.draw(&draw(&bank, "loan-1", &supplier)).await.unwrap();
    bank.close().await.unwrap();
}

/// How long it takes, as `bench -- credit` measures it, without the rest of that:
/// `cargo nextest run --workspace --run-ignored only -E 'test(freeze_figures)' --no-capture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn freeze_figures() {
    let mut progress = simulators::progress::Progress::new(true);
    let frozen = simulators::credit_bench::freeze::measure(&mut progress)
        .await
        .unwrap();
    println!(
        "p50 {:.0} ms, p95 {:.0} ms, {} breaches",
        frozen.p50_ms, frozen.p95_ms, frozen.breaches
    );
}
