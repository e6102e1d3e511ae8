//! Two people, one offer: the rules with a real database under them.

use std::time::Duration;

use schemas::time::Instant;

use super::*;
use crate::evidence::{EvidencePack, InProcess};
use crate::facts::Rules;
use crate::money::{Currency, Money};
use crate::score::Model;
use crate::store::{Reviews, Sqlite, Store, Tables};
use crate::testing::*;

/// A bank with one supplier's evidence; the line between one and two officers is 4,500 yuan.
struct Bank {
    desk: Arc<Desk>,
    store: Sqlite,
    clock: Arc<MovedClock>,
    _folder: tempfile::TempDir,
}

const LINE: &str = "4500.00";

impl Bank {
    async fn open() -> Self {
        let mut world = journey(&COLD);
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("credit.sqlite"))
            .await
            .unwrap();
        store
            .declare(&limits(1, "6000.00", "9000.00"), at(0, 0))
            .await
            .unwrap();
        store
            .seed_reasons(&crate::loan::reason::first_list())
            .await
            .unwrap();
        let bundle = world.pack(at(23, 0));
        let evidence = InProcess::new(move |_| {
            let bundle = bundle.clone();
            Box::pin(async move { Ok(EvidencePack { bundle }) })
        });
        let terms = crate::service::Terms {
            policy: world.trusted(),
            rules: Rules::default(),
            evidence_max_age: Duration::from_secs(24 * 3600),
            products: [(slug("receivable-90"), product())].into(),
            sandbox: slug("trial-1"),
            model: Model::built_in().unwrap(),
            consenting: crate::service::Consenting::Waived(
                "a test without signed consents".to_owned(),
            ),
        };
        let clock = Arc::new(MovedClock(std::sync::Mutex::new(at(24, 0))));
        let shared: Arc<dyn Tables> = Arc::new(store.clone());
        let credit = Arc::new(Credit::new(
            terms,
            shared,
            Arc::new(evidence),
            clock.clone(),
        ));
        let terms = Terms {
            organisation: slug("bank"),
            origin: None,
            review: ReviewRules {
                second_officer_above: Money::parse(LINE, Currency::CNY).unwrap(),
                offer_valid: Duration::from_secs(3600),
            },
            within: Within::default(),
            export_key: None,
            machines: Vec::new(),
            log_in: None,
        };
        let desk = Arc::new(Desk::new(credit, terms, clock.clone()));
        Self {
            desk,
            store,
            clock,
            _folder: folder,
        }
    }

    /// An application; the id of its decision.
    async fn offer(&self, id: &str, amount: &str) -> String {
        let record = self
            .desk
            .credit()
            .apply(application(id, amount))
            .await
            .unwrap();
        record.decision.decision_id
    }

    async fn version(&self, id: &str) -> Hash {
        let record = self.desk.record(id).await.unwrap();
        self.desk.stage(&record.decision).await.unwrap().version()
    }

    async fn says(&self, name: &str, id: &str, choice: Choice) -> Result<(), DeskError> {
        let wish = wish(id, self.version(id).await, choice);
        self.desk.review(&officer(name), wish).await
    }

    async fn used(&self) -> i64 {
        self.store
            .sandbox(&slug("trial-1"))
            .await
            .unwrap()
            .used
            .fen()
    }

    /// Actions in the trail, oldest first; the trail holds.
    async fn trail(&self) -> Vec<String> {
        let rows = self.store.trail(0, 500).await.unwrap();
        let mut check = crate::audit::Check::default();
        rows.iter()
            .cloned()
            .try_for_each(|row| check.take(row))
            .unwrap();
        rows.into_iter()
            .map(|row| format!("{} {}", row.actor, row.action))
            .collect()
    }
}

fn officer(name: &str) -> Actor {
    Actor {
        name: slug(name),
        role: Role::Officer,
    }
}

fn wish(id: &str, version: Hash, choice: Choice) -> Wish {
    Wish {
        decision_id: id.to_owned(),
        version,
        choice,
        note: String::new(),
    }
}

fn refuse() -> Choice {
    Choice::Refuse(slug("documents-missing"))
}

#[tokio::test]
async fn one_officer_settles_a_small_offer_and_room_stays_reserved() {
    let bank = Bank::open().await;
    let id = bank.offer("A-1", "4000.00").await;
    bank.says("li-wei", &id, Choice::Accept).await.unwrap();
    assert_eq!(bank.used().await, 400_000);
    let kept = bank.store.history(&id).await.unwrap();
    let record = bank.desk.record(&id).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (kept[0].inputs, kept[0].model),
        (record.decision.inputs, record.decision.model.hash)
    );
    assert_eq!(kept[0].person, Some(slug("li-wei")));
    assert_eq!(bank.trail().await, ["li-wei accept"]);
    let again = bank.says("wang-fang", &id, refuse()).await;
    assert!(matches!(again, Err(DeskError::Settled)), "{again:?}");
    assert_eq!(bank.trail().await.len(), 1);
}

#[tokio::test]
async fn a_large_offer_takes_two_people_and_the_same_one_is_refused_and_noted() {
    let bank = Bank::open().await;
    let id = bank.offer("A-1", "5000.00").await;
    bank.says("li-wei", &id, Choice::Accept).await.unwrap();
    for choice in [Choice::Accept, refuse()] {
        let same = bank.says("li-wei", &id, choice).await;
        assert!(matches!(same, Err(DeskError::SamePerson)), "{same:?}");
    }
    assert_eq!(bank.store.history(&id).await.unwrap().len(), 1);
    bank.says("wang-fang", &id, Choice::Accept).await.unwrap();
    let expected = [
        "li-wei endorse",
        "li-wei same-person",
        "li-wei same-person",
        "wang-fang accept",
    ];
    assert_eq!(bank.trail().await, expected);
    assert_eq!(bank.used().await, 500_000);
}

#[tokio::test]
async fn refusing_gives_the_room_back_exactly_once() {
    let bank = Bank::open().await;
    let (first, second) = (
        bank.offer("A-1", "5000.00").await,
        bank.offer("A-2", "4000.00").await,
    );
    assert_eq!(bank.used().await, 900_000);
    bank.says("li-wei", &first, Choice::Accept).await.unwrap();
    bank.says("wang-fang", &first, refuse()).await.unwrap();
    assert_eq!(bank.used().await, 400_000);
    let version = bank.store.history(&first).await.unwrap()[1].version;
    // The same form again: nothing more happens, and it is no error.
    bank.desk
        .review(&officer("wang-fang"), wish(&first, version, refuse()))
        .await
        .unwrap();
    assert_eq!(bank.used().await, 400_000);
    bank.says("li-wei", &second, refuse()).await.unwrap();
    assert_eq!(bank.used().await, 0);
    assert_eq!(bank.offer("A-3", "6000.00").await.len(), 32);
    assert_eq!(bank.used().await, 600_000);
}

#[tokio::test]
async fn the_database_refuses_what_the_domain_would_have_let_through() {
    let bank = Bank::open().await;
    let id = bank.offer("A-1", "5000.00").await;
    bank.says("li-wei", &id, Choice::Accept).await.unwrap();
    let first = bank.store.history(&id).await.unwrap().remove(0);
    let entry = bank.desk.entry("li-wei", Action::Accept, &id, "");
    let kept = |review: Review| {
        let (store, entry) = (bank.store.clone(), entry.clone());
        async move { store.review(&review, &entry).await }
    };
    let same = Review {
        step: 2,
        settles: true,
        ..first.clone()
    };
    assert_eq!(kept(same).await.unwrap(), Step::SamePerson);
    let taken = Review {
        person: Some(slug("wang-fang")),
        ..first.clone()
    };
    assert_eq!(kept(taken).await.unwrap(), Step::Taken);
    let nobody = Review {
        step: 2,
        person: None,
        ..first.clone()
    };
    assert!(kept(nobody).await.is_err());
    let no_reason = Review {
        step: 2,
        person: Some(slug("wang-fang")),
        act: Act::Refuse,
        settles: true,
        ..first.clone()
    };
    assert!(kept(no_reason).await.is_err());
    let second = Review {
        step: 2,
        person: Some(slug("wang-fang")),
        settles: true,
        ..first
    };
    assert_eq!(kept(second.clone()).await.unwrap(), Step::Kept);
    let third = Review {
        step: 3,
        person: Some(slug("chen-yu")),
        ..second
    };
    assert!(kept(third).await.is_err());
    assert_eq!((bank.trail().await.len(), bank.used().await), (2, 500_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_decide_at_once_one_settles() {
    let bank = Bank::open().await;
    let id = bank.offer("A-1", "4000.00").await;
    let version = bank.version(&id).await;
    let tasks = (0..16).map(|n| {
        let (desk, id) = (bank.desk.clone(), id.clone());
        let choice = if n % 2 == 0 { Choice::Accept } else { refuse() };
        tokio::spawn(async move {
            desk.review(
                &officer(&format!("officer-{n}")),
                wish(&id, version, choice),
            )
            .await
        })
    });
    let mut done = 0;
    for task in tasks.collect::<Vec<_>>() {
        match task.await.unwrap() {
            Ok(()) => done += 1,
            Err(DeskError::Settled | DeskError::Stale) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(done, 1);
    let kept = bank.store.history(&id).await.unwrap();
    let left = if kept[0].act == Act::Accept {
        400_000
    } else {
        0
    };
    assert_eq!(
        (kept.len(), bank.used().await, bank.trail().await.len()),
        (1, left, 1)
    );
}

#[tokio::test]
async fn stale_forms_store_nothing() {
    let bank = Bank::open().await;
    let id = bank.offer("A-1", "5000.00").await;
    let old = bank.version(&id).await;
    bank.says("li-wei", &id, Choice::Accept).await.unwrap();
    let stale = bank
        .desk
        .review(&officer("wang-fang"), wish(&id, old, Choice::Accept))
        .await;
    assert!(matches!(stale, Err(DeskError::Stale)), "{stale:?}");
    let foreign = bank
        .desk
        .review(&officer("wang-fang"), wish(&id, Hash::ZERO, refuse()))
        .await;
    assert!(matches!(foreign, Err(DeskError::Stale)));
    let unknown = bank
        .desk
        .review(&officer("wang-fang"), wish("nothing", old, refuse()))
        .await;
    assert!(matches!(unknown, Err(DeskError::Unknown)));
    assert_eq!((bank.trail().await.len(), bank.used().await), (1, 500_000));
}

#[tokio::test]
async fn an_offer_that_nobody_decides_lapses_and_gives_its_room_back() {
    let bank = Bank::open().await;
    let (first, second) = (
        bank.offer("A-1", "5000.00").await,
        bank.offer("A-2", "4000.00").await,
    );
    bank.says("li-wei", &first, Choice::Accept).await.unwrap();
    let version = bank.version(&second).await;
    bank.clock
        .set(Instant::from_micros(at(25, 0).as_micros() - 1));
    bank.desk.lapse_due().await.unwrap();
    assert_eq!(bank.used().await, 900_000);
    bank.clock.set(at(25, 0));
    let late = bank
        .desk
        .review(
            &officer("wang-fang"),
            wish(&second, version, Choice::Accept),
        )
        .await;
    assert!(matches!(late, Err(DeskError::Lapsed)), "{late:?}");
    assert_eq!(bank.used().await, 500_000);
    bank.desk.lapse_due().await.unwrap();
    bank.desk.lapse_due().await.unwrap();
    assert_eq!(bank.used().await, 0);
    assert_eq!(
        bank.trail().await,
        ["li-wei endorse", "service lapse", "service lapse"]
    );
}

#[tokio::test]
async fn roles_reasons_and_notes_are_checked() {
    let bank = Bank::open().await;
    let id = bank.offer("A-1", "4000.00").await;
    let version = bank.version(&id).await;
    for role in [Role::Supervisor, Role::Auditor] {
        let by = Actor {
            name: slug("zhao-min"),
            role,
        };
        let refused = bank
            .desk
            .review(&by, wish(&id, version, Choice::Accept))
            .await;
        assert!(matches!(refused, Err(DeskError::NotAllowed)));
    }
    let reason =
        || RefusalReason::new(slug("too-young"), "<b>Too young</b>", "成立时间过短").unwrap();
    for role in [Role::Officer, Role::Auditor] {
        let by = Actor {
            name: slug("li-wei"),
            role,
        };
        assert!(matches!(
            bank.desk.add_reason(&by, reason()).await,
            Err(DeskError::NotAllowed)
        ));
        let retired = bank
            .desk
            .retire_reason(&by, slug("documents-missing"))
            .await;
        assert!(matches!(retired, Err(DeskError::NotAllowed)));
    }
    let supervisor = Actor {
        name: slug("zhao-min"),
        role: Role::Supervisor,
    };
    bank.desk.add_reason(&supervisor, reason()).await.unwrap();
    let again = bank.desk.add_reason(&supervisor, reason()).await;
    assert!(matches!(again, Err(DeskError::ReasonTaken(_))));
    bank.desk
        .retire_reason(&supervisor, slug("documents-missing"))
        .await
        .unwrap();
    for code in ["documents-missing", "no-such"] {
        let refused = bank.says("li-wei", &id, Choice::Refuse(slug(code))).await;
        assert!(matches!(refused, Err(DeskError::Reason(_))), "{code}");
    }
    let long = Wish {
        note: "长".repeat(NOTE_MAX + 1),
        ..wish(&id, version, Choice::Accept)
    };
    assert!(matches!(
        bank.desk.review(&officer("li-wei"), long).await,
        Err(DeskError::Note)
    ));
    let bell = Wish {
        note: "\u{7}".to_owned(),
        ..wish(&id, version, Choice::Accept)
    };
    assert!(matches!(
        bank.desk.review(&officer("li-wei"), bell).await,
        Err(DeskError::Note)
    ));
    assert!(bank.store.history(&id).await.unwrap().is_empty());
    bank.says("li-wei", &id, Choice::Refuse(slug("too-young")))
        .await
        .unwrap();
    assert_eq!(
        bank.trail().await,
        [
            "zhao-min add-reason",
            "zhao-min retire-reason",
            "li-wei refuse"
        ]
    );
}

#[tokio::test]
async fn kept_evidence_is_verified_again_and_altered_bytes_are_refused() {
    let bank = Bank::open().await;
    let id = bank.offer("A-1", "4000.00").await;
    let record = bank.desk.record(&id).await.unwrap();
    record.explain(&Model::built_in().unwrap()).unwrap();
    let opened = bank.desk.evidence(&record).await.unwrap();
    let facts: crate::facts::Facts = serde_json::from_slice(&record.facts).unwrap();
    let policy = bank.desk.credit().policy();
    for leaf in &facts.on_time.leaves {
        let one = opened.bundle_of(*leaf).unwrap();
        let proven = crate::evidence::verify(&one, policy).unwrap();
        assert_eq!(proven.events.len(), 1);
        assert_eq!(proven.events[0].leaf, *leaf);
    }
    assert!(opened.bundle_of(Hash::ZERO).is_err());
    let hash = record.evidence().unwrap();
    let bundle = bank.store.evidence(&hash).await.unwrap().unwrap();
    let altered = Opened::new(Hash::ZERO, bundle.clone(), policy, at(24, 0));
    assert!(matches!(altered, Err(OpenError::Altered(_))));
    let other = World::with_origin("log.test/other", &DEVICES).trusted();
    let refused = Opened::new(hash, bundle, &other, at(24, 0));
    assert!(matches!(refused, Err(OpenError::Refused(_))));
}
