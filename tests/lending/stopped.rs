//! Real loans that go overdue trip the stop-loss of their trial, and then only repayment works.

use credit::lending::{Acceptance, NewToken};
use credit::loan::life;

use super::*;
use crate::trials::{SECTIONS, begun};

fn in_trial(bank: &str) -> String {
    let text = configuration(bank);
    let (before, rest) = text.split_once("[sandbox]").unwrap();
    let (_, after) = rest.split_once("[desk]").unwrap();
    let after = after.replace("[lending.bank]", "drawn_within_h = 8760\n[lending.bank]");
    format!("{before}{SECTIONS}\n[desk]{after}")
}

/// A loan with an open token.
async fn drawable(service: &Service, application: &str) -> (LoanId, Value) {
    let application = Application {
        application_id: application.parse().unwrap(),
        supplier: "qinghe".parse().unwrap(),
        product: "receivable-confirming".parse().unwrap(),
        requested: Money::parse("2000.00", "CNY".parse().unwrap()).unwrap(),
        declared: credit::loan::Declared::default(),
    };
    let record = service.handle.credit.apply(application).await.unwrap();
    let id = record.decision.decision_id.clone();
    let Outcome::Offer { amount } = record.decision.outcome else {
        panic!("{:?}", record.decision.rules);
    };
    accepted_by_officers(service, &id).await;
    let word = Acceptance {
        decision_id: id.clone(),
        supplier: "qinghe".parse().unwrap(),
        instalments: None,
    };
    let lending = service.lending();
    let loan = lending.accept(&word).await.unwrap().loan;
    let loan = loan.file().id().clone();
    let secret = sha256(id.as_bytes());
    let token = NewToken {
        loan: loan.clone(),
        token: sha256(secret.as_bytes()),
        account: ACCOUNT.to_owned(),
        amount,
        expires: None,
    };
    let by = life::Actor::Machine;
    lending.issue(&token, by).await.unwrap();
    let draw = json!({
        "supplier": "qinghe",
        "secret": secret,
        "account": ACCOUNT,
        "amount": token.amount.amount(),
        "currency": "CNY",
    });
    (loan, draw)
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_loss_is_tripped_by_loans_that_go_overdue() {
    let world = supplier().await;
    let bundle = bundle_of(&world).await;
    let clock = Arc::new(Hand(AtomicI64::new(world.clock.now().as_micros())));
    let core = BankCore::start(Arc::clone(&clock) as Arc<dyn Clock>)
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let policy = serde_json::to_vec(&PolicyFile::new(world.policy_entry())).unwrap();
    std::fs::write(folder.path().join("policy.json"), policy).unwrap();
    let text = in_trial(&core.url());
    std::fs::write(folder.path().join("credit.toml"), text).unwrap();
    begun(folder.path(), "credit.sqlite", world.clock.now()).await;

    let service = Service::start(folder.path(), &bundle, &clock).await;
    let office = service.handle.credit.office().unwrap().clone();
    let (loan, draw) = drawable(&service, "a-1").await;
    let (later, another) = drawable(&service, "a-2").await;
    let at = |loan: &LoanId| format!("/v1/loans/{loan}");
    let uses = |loan: &LoanId| format!("{}/tokens/use", at(loan));
    let (status, said) = service.send(&uses(&loan), Some("use-1"), draw).await;
    assert_eq!(status, 200, "{said}");
    assert!(office.trips().await.unwrap().is_empty());

    // Its one instalment is due in half a year; nobody pays. The service looks each minute by itself.
    clock.days(230);
    let tripped = async {
        while office.state().await.unwrap().tripped().is_none() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(DEADLINE, tripped).await.unwrap();

    // Nothing more goes out, and what is owed may come in.
    let (status, said) = service.send(&uses(&later), Some("use-2"), another).await;
    assert_eq!(
        (status, &said["rule"]),
        (422, &json!("stop-loss")),
        "{said}"
    );
    assert_eq!(core.paid().len(), 1);
    service.run_day().await;
    let payoff = service.lending().payoff(&loan).await.unwrap().unwrap();
    let payment = json!({
        "kind": "repaid_early",
        "amount": payoff.total.amount(),
        "currency": "CNY",
    });
    let payments = format!("{}/payments", at(&loan));
    let (status, said) = service.send(&payments, Some("core-1"), payment).await;
    assert_eq!((status, &said["state"]), (200, &json!("settled")), "{said}");
    // Nothing is owed any more; it stays tripped until two people lift it.
    assert!(office.trips().await.unwrap().is_empty());
    assert!(office.state().await.unwrap().tripped().is_some());

    // A report of a month that is over has the loan among its rows, and is the same again.
    office.keep_due().await.unwrap();
    let month = office.months().await.unwrap().last().copied().unwrap();
    let (report, bytes) = office.report(month).await.unwrap();
    let overdue = report.figure(credit::sandbox::indicators::FigureId::Overdue);
    assert!(!overdue.unwrap().rows.is_empty(), "{month}");
    let again = office.make_report(month).await.unwrap();
    assert_eq!(again.to_bytes().unwrap(), bytes);
    service.stop().await;
}
