//! Rows of the indicators and the report of a month.

use credit::sandbox::indicators::{Fact, Row, Rows};
use credit::sandbox::report::{About, Report};
use credit::store::sandbox::{Kind, OfficeError, Trials};
use schemas::hash::sha256;
use schemas::ids::Slug;

use super::trial::{cny, day, declared, noon, slug, wide};
use super::{Bank, second};

fn lent(id: &str, on: &str, fen: i64) -> Row {
    let fact = Fact::Disbursed {
        loan: slug(&format!("l-{id}")),
        borrower: slug("b"),
        buyer: slug("v"),
        amount: cny(fen),
    };
    Row {
        id: slug(id),
        at: noon(on),
        fact,
    }
}

async fn report(trials: &Trials, trial: &Slug) -> Report {
    let footing = trials.footing(trial).await.unwrap().unwrap();
    let rows = trials.rows(trial).await.unwrap();
    let about = About {
        project: trial.clone(),
        month: "2026-12".parse().unwrap(),
        declaration: footing.trial.declaration(),
        limits: footing.limits.last().map(|limits| limits.hash().unwrap()),
        previous: None,
    };
    let rows = Rows::read(cny(0).currency(), rows).unwrap();
    let today = day(31).succ_opt().unwrap();
    Report::make(about, &rows, &[], today).unwrap()
}

/// From its rows a second time, in another process, with the same bytes; other bytes are refused.
pub async fn report_is_kept_once_with_its_hash(bank: &Bank) {
    let (trials, trial) = declared(bank.store.clone(), "trial-1", wide()).await;
    let (li, at) = (slug("li"), noon("2027-01-01"));
    for row in [
        lent("d-2", "2026-12-04", 700),
        lent("d-1", "2026-12-03", 300),
    ] {
        for _ in 0..2 {
            trials.keep_row(&trial, &row, &li).await.unwrap();
        }
    }
    let other = trials
        .keep_row(&trial, &lent("d-1", "2026-12-03", 301), &li)
        .await;
    assert!(
        matches!(other, Err(OfficeError::Differs { kind: "row", .. })),
        "{other:?}"
    );
    let made = report(&trials, &trial).await;
    let entry = trials.keep_report(&trial, &made, &li, at).await.unwrap();
    assert_eq!(entry.hash, made.hash().unwrap());
    assert_eq!(&*entry.kind, "sandbox-report");
    let month = made.month();
    let kept = trials.report(&trial, month).await.unwrap().unwrap();
    assert_eq!(
        (sha256(&kept), &kept),
        (entry.hash, &made.to_bytes().unwrap())
    );
    let elsewhere = second(bank).await;
    let again = report(&elsewhere, &trial).await;
    assert_eq!(again.to_bytes().unwrap(), kept, "byte by byte");
    let later = noon("2027-01-02");
    let same = elsewhere
        .keep_report(&trial, &again, &li, later)
        .await
        .unwrap();
    assert_eq!(same, entry, "the first one stays, with its time");
    trials
        .keep_row(&trial, &lent("d-3", "2026-12-05", 1), &li)
        .await
        .unwrap();
    let changed = report(&trials, &trial).await;
    let refused = trials.keep_report(&trial, &changed, &li, later).await;
    let Err(OfficeError::Differs {
        name,
        kept: first,
        given,
        ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!((&*name, first), ("2026-12", entry.hash));
    assert_eq!(given, changed.hash().unwrap());
    assert_eq!(trials.report(&trial, month).await.unwrap().unwrap(), kept);
    let entries = trials.log_entries(&trial).await.unwrap();
    assert_eq!(entries.last(), Some(&entry));
    // Each figure opens its rows.
    let rows = trials.all(&trial, Kind::Row).await.unwrap();
    for figure in made.figures() {
        let kept = |id: &Slug| rows.iter().any(|row| row.name == id.as_str());
        assert!(figure.rows.iter().all(kept), "{figure:?}");
    }
}
