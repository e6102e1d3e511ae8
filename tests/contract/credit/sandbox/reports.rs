//! What the service does about its trial: the stop-loss from rows, the report of a month.

use std::sync::{Arc, Mutex};

use credit::desk::{Actor, Role};
use credit::money::Currency;
use credit::sandbox::indicators::{Fact, FigureId, Row, Value};
use credit::sandbox::stop_loss::StopLoss;
use credit::store::Tables;
use credit::store::sandbox::{LiftProposal, Motion, Repayment, Trials};
use credit::trials::office::Note;
use credit::trials::sheet::sheet;
use credit::trials::{LentLoans, Office, Place, Terms};
use kit::negotiate::Language;
use schemas::hash::sha256;
use schemas::time::{Clock, Instant, Sleep};

use super::super::made::{offer, record};
use super::trial::{cny, noon, now, request, slug, wide};
use super::{Bank, lending_trial};

/// A clock that stands where it is put.
struct Put(Mutex<Instant>);

impl Put {
    fn set(&self, at: Instant) {
        *self.0.lock().unwrap() = at;
    }
}

impl Clock for Put {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, _at: Instant) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }
}

fn terms() -> Terms {
    Terms {
        trial: slug("trial-1"),
        currency: Currency::CNY,
        declaration: "declaration.toml".into(),
        tenor_days: 90,
        usual: Place {
            region: "310115".parse().unwrap(),
            group: slug("micro"),
            buyer: None,
        },
        borrowers: Default::default(),
    }
}

fn office(store: Arc<dyn Tables>, at: Instant) -> (Office, Arc<Put>) {
    let clock = Arc::new(Put(Mutex::new(at)));
    let trials = Trials::new(store.clone());
    let terms = terms();
    let loans = LentLoans::new(store.clone(), terms.trial.clone(), terms.currency);
    let loans = Arc::new(loans);
    let office = Office::new(trials, store, loans, clock.clone(), Arc::new(terms));
    (office, clock)
}

fn supervisor(name: &str) -> Actor {
    Actor {
        name: slug(name),
        role: Role::Supervisor,
    }
}

fn row(id: &str, at: Instant, fact: Fact) -> Row {
    Row {
        id: slug(id),
        at,
        fact,
    }
}

fn lent(fen: i64) -> Fact {
    Fact::Disbursed {
        loan: slug("l-1"),
        borrower: slug("qinghe"),
        buyer: slug("market"),
        amount: cny(fen),
    }
}

/// A month's report from tables and from what people wrote, again in another process and later: the
/// same bytes, and the same bytes of its sheet.
pub async fn report_byte_equal(bank: &Bank) {
    let (trials, name) = lending_trial(bank, wide()).await;
    let (first, clock) = office(bank.store.clone(), noon("2026-12-05"));
    for (id, amount) in [("A-1", Some(cny(30_000))), ("A-2", None)] {
        let mut decided = record(id, amount, 1, 0);
        decided.decision.decided_at = noon("2026-12-04");
        if amount.is_none() {
            bank.store.record(&name, &decided).await.unwrap();
            continue;
        }
        let id = decided.decision.decision_id.clone();
        let footing = trials.footing(&name).await.unwrap().unwrap();
        let asked = request(&id, "qinghe", "market", 30_000, 1);
        let plan = footing.plan(&asked, now()).unwrap();
        trials.offer(&name, &plan, &decided).await.unwrap();
    }
    let li = supervisor("li");
    let paid = row("x-1", noon("2026-12-05"), lent(30_000));
    trials.keep_row(&name, &paid, &li.name).await.unwrap();
    let problem = Note::Problem {
        figure: Some(FigureId::Complaints),
        words: "复核太慢".to_owned(),
    };
    let problem = first.write(&li, problem).await.unwrap();
    let early = first
        .write(
            &li,
            Note::Close {
                of: problem.clone(),
            },
        )
        .await;
    assert!(early.is_err(), "nothing was done yet");
    clock.set(noon("2026-12-08"));
    let treatment = Note::Treatment {
        of: problem,
        words: "one more officer".to_owned(),
    };
    first.write(&li, treatment).await.unwrap();
    let month = "2026-12".parse().unwrap();
    assert!(first.make_report(month).await.is_err(), "it is not over");
    clock.set(noon("2027-01-02"));
    assert_eq!(first.keep_due().await.unwrap(), 1);
    assert_eq!(first.keep_due().await.unwrap(), 0);
    let (report, bytes) = first.report(month).await.unwrap();
    assert_eq!(report.to_bytes().unwrap(), bytes);
    let count = |id| report.figure(id).unwrap().value;
    assert_eq!(count(FigureId::Applications), Value::Count(2));
    assert_eq!(count(FigureId::Offers), Value::Count(1));
    assert_eq!(count(FigureId::Outstanding), Value::Amount(cny(30_000)));
    assert_eq!(report.problems()[0].treatments.len(), 1);
    // Later, elsewhere, with more that happened since.
    let (later, _) = office(bank.second().await, noon("2027-02-03"));
    later
        .write(&li, Note::Complaint { privacy: false })
        .await
        .unwrap();
    let mut more = offer("A-9", "3.00", 0);
    more.decision.decided_at = noon("2027-02-01");
    more.decision.outcome = credit::loan::Outcome::Decline;
    bank.store.record(&name, &more).await.unwrap();
    let again = later.make_report(month).await.unwrap();
    assert_eq!(again.to_bytes().unwrap(), bytes);
    let entry = later.keep_report(month).await.unwrap();
    assert_eq!(entry.hash, sha256(&bytes));
    let logged = later.trials().log_entries(&name).await.unwrap();
    assert!(logged.contains(&entry), "its hash is for the log");
    for language in [Language::ZhCn, Language::En] {
        let one = sheet(&report, entry.hash, language).unwrap();
        let other = sheet(&again, entry.hash, language).unwrap();
        assert_eq!(sha256(&one), sha256(&other));
    }
    // The month after names this one.
    assert_eq!(later.keep_due().await.unwrap(), 1);
    let (next, _) = later.report("2027-01".parse().unwrap()).await.unwrap();
    assert_eq!(next.names().2, Some(entry.hash));
}

pub async fn stop_loss_is_tripped_by_rows_and_only_repayment_works(bank: &Bank) {
    let (trials, name) = lending_trial(bank, wide()).await;
    let (office, clock) = office(bank.store.clone(), noon("2026-12-05"));
    let li = supervisor("li");
    let on = noon("2026-12-04");
    let rows = [
        row("x-1", on, lent(900_000)),
        row(
            "x-2",
            on,
            Fact::WrittenOff {
                loan: slug("l-1"),
                amount: cny(100_000),
            },
        ),
    ];
    for row in &rows {
        trials.keep_row(&name, row, &li.name).await.unwrap();
    }
    let asked = request("l-1", "qinghe", "market", 900_000, 5);
    trials
        .reserve(&name, &asked, noon("2026-12-05"))
        .await
        .unwrap();
    // Exactly at the limit nothing trips; one incident with personal data is one too many.
    assert_eq!(office.hold_rule().await.unwrap(), StopLoss::Armed);
    office
        .write(&li, Note::Incident { privacy: true })
        .await
        .unwrap();
    let held = office.hold_rule().await.unwrap();
    assert!(matches!(held, StopLoss::Tripped(_)), "{held:?}");
    let more = request("l-2", "qinghe", "market", 1, 5);
    assert!(
        trials
            .reserve(&name, &more, noon("2026-12-05"))
            .await
            .is_err()
    );
    assert!(office.lender().draw(noon("2026-12-05")).await.is_err());
    let back = Repayment {
        id: slug("p-1"),
        reservation: slug("l-1"),
        amount: cny(900_000),
    };
    trials
        .release(&name, &back, noon("2026-12-05"))
        .await
        .unwrap();
    // Two people lift it, once nothing trips: next month.
    let lift = Motion::Lift(LiftProposal {
        trip: 1,
        proposer: li.name.clone(),
        reason: "the leak is closed".to_owned(),
    });
    let wanted = office.propose(&li, lift).await.unwrap();
    let wang = supervisor("wang");
    assert!(
        office.approve(&wang, wanted).await.is_err(),
        "it still trips"
    );
    clock.set(noon("2027-01-02"));
    let alone = office.approve(&li, wanted).await.unwrap_err();
    assert!(alone.is_same_person(), "{alone}");
    office.approve(&wang, wanted).await.unwrap();
    assert!(office.lender().draw(noon("2027-01-02")).await.is_ok());
}
