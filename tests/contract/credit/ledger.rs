//! The ledger: nothing is lost, nothing is doubled, nothing is changed unseen.

use std::sync::Arc;

use chrono::NaiveDate;
use credit::ledger::chain::Lane;
use credit::ledger::{
    Account, Class, Draft, Entry, EntryKey, EntryKind, LoanId, Posting, Side, TrialBalance,
};
use credit::money::{Currency, MAX_AMOUNT_FEN, Money};
use credit::store::ledger::{ENTRIES_MAX, Whole};
use credit::store::{Checked, Kept, Posted, Refused, StoreError, Tables};
use schemas::ids::Slug;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::made::{at, trial};
use super::{Bank, Place};
use crate::contract::ingest::join_all;

fn loan(text: &str) -> LoanId {
    text.parse().unwrap()
}

fn key(text: &str) -> EntryKey {
    text.parse().unwrap()
}

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 7, day).unwrap()
}

fn draft(name: &str, of: &str, fen: i64) -> Draft {
    let amount = Money::from_fen(fen, Currency::CNY).unwrap();
    Draft {
        key: key(name),
        booked: day(11),
        kind: EntryKind::Disbursement,
        loan: Some(loan(of)),
        corrects: None,
        postings: vec![
            Posting::debit(Account::of(Class::Principal, &loan(of)), amount),
            Posting::credit(Account::cash(), amount),
        ],
    }
}

/// Money to the borrower of a loan.
fn disbursed(name: &str, of: &str, fen: i64) -> Entry {
    Entry::new(draft(name, of, fen)).unwrap()
}

/// Interest earned, at one yuan, and a fee in the same entry.
fn accrued(name: &str, of: &str, booked: NaiveDate) -> Entry {
    let yuan = Money::from_fen(100, Currency::CNY).unwrap();
    Entry::new(Draft {
        booked,
        kind: EntryKind::InterestAccrual,
        postings: vec![
            Posting::debit(Account::of(Class::InterestReceivable, &loan(of)), yuan),
            Posting::credit(Account::of(Class::InterestIncome, &loan(of)), yuan),
            Posting::debit(Account::of(Class::FeesReceivable, &loan(of)), yuan),
            Posting::credit(Account::of(Class::FeeIncome, &loan(of)), yuan),
        ],
        ..draft(name, of, 1)
    })
    .unwrap()
}

async fn post(store: &dyn Tables, entries: &[Entry]) -> Posted {
    store.post(&trial(), entries, at(0)).await.unwrap()
}

async fn refused(store: &dyn Tables, entries: &[Entry]) -> Refused {
    match store.post(&trial(), entries, at(0)).await.unwrap_err() {
        StoreError::Ledger(refused) => refused,
        other => panic!("{other:?}"),
    }
}

/// What holds after every test: the chains, and sums that are zero in the end.
async fn whole(store: &dyn Tables) -> Whole {
    let whole = match store.check_ledger(&trial()).await.unwrap() {
        Checked::Whole(whole) => *whole,
        Checked::Broken(broken) => panic!("{broken}"),
    };
    assert_eq!(whole.head, store.ledger_head(&trial()).await.unwrap());
    let sums = store.trial_balance(&trial()).await.unwrap();
    assert_eq!(whole.trial_balance, sums);
    assert_eq!(sums.check(), Ok(()));
    whole
}

fn cash(sums: &TrialBalance) -> i128 {
    let cash = sums.of(Currency::CNY, Class::Cash);
    cash.on(Side::Credit).unwrap()
}

pub async fn entries_come_back_as_they_went_in(bank: &Bank) {
    let store = &*bank.store;
    let first = disbursed("L-1/out", "L-1", 70_000);
    let second = accrued("L-1/interest/1", "L-1", day(12));
    let other = accrued("L-2/interest/1", "L-2", day(12));
    let of_none = Entry::new(Draft {
        kind: EntryKind::Provision,
        loan: None,
        postings: vec![
            Posting::debit(
                Account::new(Class::ProvisionExpense, None).unwrap(),
                Money::from_fen(5, Currency::CNY).unwrap(),
            ),
            Posting::credit(
                Account::new(Class::LossAllowance, None).unwrap(),
                Money::from_fen(5, Currency::CNY).unwrap(),
            ),
        ],
        ..draft("provision/2026-07", "L-1", 1)
    })
    .unwrap();
    let all = [
        first.clone(),
        second.clone(),
        other.clone(),
        of_none.clone(),
    ];
    let added = Posted {
        added: 4,
        repeated: 0,
    };
    assert_eq!(post(store, &all).await, added);
    for entry in &all {
        let kept = store.entry(&trial(), entry.key()).await.unwrap().unwrap();
        assert_eq!(&kept.entry, entry);
        assert_eq!(kept.lane, Lane::of(first.loan()), "one call, one page");
    }
    let nothing = store.entry(&trial(), &key("L-1")).await.unwrap();
    assert!(nothing.is_none());
    let elsewhere: Slug = "trial-2".parse().unwrap();
    let nothing = store.entry(&elsewhere, first.key()).await.unwrap();
    assert!(nothing.is_none(), "another book");
    let of_loan = async |after: Option<&Kept>, take| -> Vec<Entry> {
        let kept = store
            .entries_of(&trial(), &loan("L-1"), after, take)
            .await
            .unwrap();
        kept.into_iter().map(|kept| kept.entry).collect()
    };
    assert_eq!(of_loan(None, 9).await, [first.clone(), second.clone()]);
    assert_eq!(of_loan(None, 1).await, std::slice::from_ref(&first));
    let kept = store.entry(&trial(), first.key()).await.unwrap().unwrap();
    assert_eq!(of_loan(Some(&kept), 9).await, [second]);
    let whole = whole(store).await;
    assert_eq!((whole.entries, whole.postings), (4, 12));
}

pub async fn repeated_entries_change_nothing(bank: &Bank) {
    let store = &*bank.store;
    let batch: Vec<Entry> = (0..40)
        .map(|n| accrued(&format!("L-{n}/interest"), &format!("L-{n}"), day(12)))
        .collect();
    let once = post(store, &batch).await;
    assert_eq!((once.added, once.repeated), (40, 0));
    let before = whole(store).await;
    for part in [&batch[..], &batch[3..17]] {
        let again = post(store, part).await;
        assert_eq!((again.added, again.repeated), (0, part.len()));
    }
    assert_eq!(whole(store).await, before, "not even a page");
    let mut more = batch[..5].to_vec();
    more.push(disbursed("L-3/out", "L-3", 5));
    more.push(disbursed("L-3/out", "L-3", 5));
    let mixed = post(store, &more).await;
    assert_eq!((mixed.added, mixed.repeated), (1, 6));
    assert_eq!(whole(store).await.entries, 41);
    assert_eq!(post(store, &[]).await.added, 0);
}

pub async fn key_of_another_entry_is_refused_whole(bank: &Bank) {
    let store = &*bank.store;
    post(store, &[disbursed("L-1/out", "L-1", 5)]).await;
    let before = whole(store).await;
    for other in [
        disbursed("L-1/out", "L-1", 6),
        disbursed("L-1/out", "L-2", 5),
        accrued("L-1/out", "L-1", day(11)),
    ] {
        let both = [disbursed("L-9/out", "L-9", 5), other];
        let taken = refused(store, &both).await;
        assert_eq!(taken, Refused::KeyTaken(key("L-1/out")));
    }
    let twice = [
        disbursed("L-3/out", "L-3", 5),
        disbursed("L-3/out", "L-4", 5),
    ];
    let taken = refused(store, &twice).await;
    assert_eq!(taken, Refused::KeyTaken(key("L-3/out")));
    let many = vec![disbursed("L-3/out", "L-3", 5); ENTRIES_MAX + 1];
    let count = refused(store, &many).await;
    assert_eq!(count, Refused::TooMany(ENTRIES_MAX + 1));
    assert_eq!(whole(store).await, before, "none of them was added");
    let elsewhere: Slug = "trial-2".parse().unwrap();
    let entry = [disbursed("L-1/out", "L-2", 5)];
    store.post(&elsewhere, &entry, at(0)).await.unwrap();
}

pub async fn corrections_take_back_once_and_from_their_day(bank: &Bank) {
    let store = &*bank.store;
    let wrong = accrued("L-1/interest/1", "L-1", day(12));
    post(
        store,
        &[wrong.clone(), accrued("L-1/interest/2", "L-1", day(13))],
    )
    .await;
    let back = wrong.reversal(key("L-1/back"), day(12)).unwrap();
    let right = disbursed("L-1/out", "L-1", 7);
    post(store, &[back.clone(), right]).await;
    assert_eq!(post(store, std::slice::from_ref(&back)).await.repeated, 1);
    let again = wrong.reversal(key("L-1/back/2"), day(12)).unwrap();
    let twice = refused(store, &[again]).await;
    let (one, two) = (key("L-1/back/2"), wrong.key().clone());
    let (name, corrects) = (one.clone(), two.clone());
    assert_eq!(
        twice,
        Refused::ReversedBefore {
            key: name,
            corrects
        }
    );
    let strange = accrued("L-7/interest", "L-7", day(12));
    let missing = strange.reversal(one.clone(), day(12)).unwrap();
    let not_there = refused(store, &[missing]).await;
    assert!(matches!(not_there, Refused::NotThere { .. }), "{not_there}");
    let other = accrued("L-1/interest/2", "L-1", day(12));
    let mut turned = draft("L-1/back/2", "L-1", 100);
    turned.kind = EntryKind::Reversal;
    turned.corrects = Some(other.key().clone());
    let not_its = refused(store, &[Entry::new(turned).unwrap()]).await;
    assert!(
        matches!(not_its, Refused::NotItsReversal { .. }),
        "{not_its}"
    );
    let balance = async |until| {
        let found = store.balances_of(&trial(), &loan("L-1"), until).await;
        let receivable = Account::of(Class::InterestReceivable, &loan("L-1"));
        let found = found.unwrap().amount(&receivable, Currency::CNY);
        found.unwrap().fen()
    };
    assert_eq!((balance(day(12)).await, balance(day(13)).await), (0, 100));
    let of_loan = store.balances_of(&trial(), &loan("L-1"), day(31)).await;
    let of_loan = of_loan.unwrap();
    assert!(of_loan.iter().all(|(account, ..)| account.loan().is_some()));
    whole(store).await;
}

pub async fn sums_beyond_64_bits_are_right(bank: &Bank) {
    let store = &*bank.store;
    let lines = |n: usize| {
        let most = Money::from_fen(MAX_AMOUNT_FEN, Currency::CNY).unwrap();
        let mut draft = draft(&format!("L-1/{n}"), "L-1", 1);
        draft.postings = (0..32)
            .flat_map(|_| {
                [
                    Posting::debit(Account::of(Class::Principal, &loan("L-1")), most),
                    Posting::credit(Account::cash(), most),
                ]
            })
            .collect();
        Entry::new(draft).unwrap()
    };
    // 3,000 times 32 times 10^14 is beyond 9.2 * 10^18.
    let entries: Vec<Entry> = (0..3_000).map(lines).collect();
    for part in entries.chunks(1_500) {
        post(store, part).await;
    }
    let sum = 96_000 * i128::from(MAX_AMOUNT_FEN);
    assert!(sum > i128::from(i64::MAX));
    assert_eq!(cash(&whole(store).await.trial_balance), sum);
    let balances = store.balances_of(&trial(), &loan("L-1"), day(31)).await;
    let principal = Account::of(Class::Principal, &loan("L-1"));
    let principal = balances.unwrap().of(&principal, Currency::CNY);
    assert_eq!(principal.on(Side::Debit), Ok(sum));
}

/// Many writers of two processes, into few lanes: their own entries and some that all of them add.
pub async fn writers_at_once_neither_fork_nor_lose(bank: &Bank) {
    let stores = [Arc::clone(&bank.store), bank.second().await];
    let writers = (0..12).map(|writer: usize| {
        let store = Arc::clone(&stores[writer % 2]);
        async move {
            let mut added = 0;
            for n in 0..8 {
                let own = format!("L-{}", (writer + n) % 5);
                let batch = [
                    accrued(&format!("W-{writer}/{n}"), &own, day(12)),
                    accrued(&format!("shared/{n}"), &format!("L-{n}"), day(13)),
                    disbursed(&format!("out/{writer}/{n}"), "L-3", 5),
                ];
                let posted = store.post(&trial(), &batch, at(1)).await.unwrap();
                assert_eq!(posted.added + posted.repeated, 3);
                added += posted.added;
            }
            added
        }
    });
    let added: usize = join_all(writers).await.into_iter().sum();
    assert_eq!(added, 12 * 8 * 2 + 8, "each shared entry by one of them");
    let whole = whole(&*stores[1]).await;
    assert_eq!(whole.entries, i64::try_from(added).unwrap());
    assert_eq!(cash(&whole.trial_balance), 12 * 8 * 5);
}

/// One key for two loans, so in two lanes, at the same moment: one of them is refused by name.
pub async fn key_by_two_at_once_is_kept_once(bank: &Bank) {
    let stores = [Arc::clone(&bank.store), bank.second().await];
    for round in 0..10 {
        let writers = (0..2).map(|n: usize| {
            let store = Arc::clone(&stores[n]);
            let name = format!("key/{round}");
            let entry = disbursed(&name, &format!("L-{}", n + 1), 5);
            async move {
                match store.post(&trial(), &[entry], at(1)).await {
                    Ok(posted) => posted.added,
                    Err(StoreError::Ledger(Refused::KeyTaken(taken))) => {
                        assert_eq!(taken, key(&name));
                        0
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
        assert_eq!(join_all(writers).await.into_iter().sum::<usize>(), 1);
    }
    assert_eq!(whole(&*stores[0]).await.entries, 10);
}

pub async fn book_goes_on_after_a_restart(bank: &Bank) {
    post(&*bank.store, &[disbursed("L-1/out", "L-1", 5)]).await;
    let head = whole(&*bank.store).await.head;
    bank.store.close().await;
    let store = bank.second().await;
    assert_eq!(whole(&*store).await.head, head);
    post(&*store, &[accrued("L-1/interest", "L-1", day(12))]).await;
    let after = whole(&*store).await;
    assert_eq!(after.entries, 2);
    assert_ne!(after.head, head);
}

/// Every column of every table, and another value for it.
const TAMPERED: [(&str, &str, &str); 25] = [
    ("ledger_pages", "book", "'trial-9'"),
    ("ledger_pages", "lane", "(lane + 1) % 16"),
    ("ledger_pages", "first_number", "first_number + 1000"),
    ("ledger_pages", "entries", "entries + 1"),
    ("ledger_pages", "at", "'2026-07-10T22:00:01.123457Z'"),
    ("ledger_pages", "prev", "hash"),
    ("ledger_pages", "hash", "prev"),
    ("ledger_entries", "book", "'trial-9'"),
    ("ledger_entries", "lane", "(lane + 1) % 16"),
    ("ledger_entries", "number", "number + 1000"),
    ("ledger_entries", "entry_key", "'k' || entry_key"),
    ("ledger_entries", "booked", "'2026-08-01'"),
    ("ledger_entries", "kind", "'waiver'"),
    ("ledger_entries", "loan", "'L-99'"),
    ("ledger_entries", "corrects", "'other'"),
    (
        "ledger_entries",
        "hash",
        "(SELECT hash FROM ledger_pages ORDER BY lane LIMIT 1)",
    ),
    ("ledger_postings", "book", "'trial-9'"),
    ("ledger_postings", "lane", "(lane + 1) % 16"),
    ("ledger_postings", "number", "number + 1000"),
    ("ledger_postings", "line", "line + 5"),
    ("ledger_postings", "class", "'penalty-income'"),
    ("ledger_postings", "loan", "'L-99'"),
    (
        "ledger_postings",
        "side",
        "CASE side WHEN 'debit' THEN 'credit' ELSE 'debit' END",
    ),
    ("ledger_postings", "currency", "'USD'"),
    ("ledger_postings", "amount_fen", "amount_fen + 1"),
];

/// Tables with their keys.
const TABLES: [(&str, &str); 3] = [
    ("ledger_pages", "lane, first_number"),
    ("ledger_entries", "lane, number"),
    ("ledger_postings", "lane, number, line"),
];

/// The row of a table, counted in the order of its key.
fn row_of(table: &str, row: usize) -> String {
    let found = TABLES.iter().find(|(name, _)| *name == table);
    let (_, key) = found.unwrap();
    format!("({key}) = (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {row})")
}

/// Puts every row back as it was.
fn put_back() -> String {
    let each = TABLES.map(|(table, _)| {
        format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM copy_of_{table}")
    });
    each.join("; ")
}

impl Bank {
    /// Runs statements as whoever owns the database.
    async fn as_owner(&self, sql: String) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match &self.place {
            Place::File(folder) => {
                let file = folder.path().join("credit.sqlite");
                let options = SqliteConnectOptions::new().filename(file);
                let mut connection = options.connect().await.unwrap();
                sql.execute(&mut connection).await.unwrap();
            }
            Place::Server(database) => {
                let mut connection = database.as_owner().await;
                sql.execute(&mut connection).await.unwrap();
            }
        }
    }

    async fn assert_broken(&self, what: &str) {
        let checked = self.store.check_ledger(&trial()).await.unwrap();
        assert!(matches!(checked, Checked::Broken(_)), "not found: {what}");
    }
}

pub async fn change_of_any_row_is_found(bank: &Bank) {
    let store = &*bank.store;
    for n in 0..2 {
        let batch = [
            disbursed(&format!("L-1/out/{n}"), "L-1", 5),
            accrued(&format!("L-1/interest/{n}"), "L-1", day(12)),
        ];
        post(store, &batch).await;
        let other = accrued(&format!("L-4/interest/{n}"), "L-4", day(12));
        post(store, &[other]).await;
    }
    let before = whole(store).await;
    let copies =
        TABLES.map(|(table, _)| format!("CREATE TABLE copy_of_{table} AS SELECT * FROM {table}"));
    bank.as_owner(copies.join("; ")).await;
    for row in 0..3 {
        for (table, column, value) in TAMPERED {
            let which = row_of(table, row);
            bank.as_owner(format!(
                "UPDATE {table} SET {column} = {value} WHERE {which}"
            ))
            .await;
            bank.assert_broken(&format!("{column} of row {row} of {table}"))
                .await;
            bank.as_owner(put_back()).await;
        }
        for (table, _) in TABLES {
            let which = row_of(table, row);
            bank.as_owner(format!("DELETE FROM {table} WHERE {which}"))
                .await;
            bank.assert_broken(&format!("row {row} of {table}")).await;
            bank.as_owner(put_back()).await;
        }
        assert_eq!(whole(store).await, before);
    }
}

/// A chain that was cut at its end holds, but under another head.
pub async fn cut_end_gives_another_head(bank: &Bank) {
    let store = &*bank.store;
    post(store, &[disbursed("L-1/out", "L-1", 5)]).await;
    let short = whole(store).await;
    post(store, &[accrued("L-1/interest", "L-1", day(12))]).await;
    let long = whole(store).await;
    let cut = TABLES.map(|(table, key)| {
        let number = key.split(", ").nth(1).unwrap();
        format!("DELETE FROM {table} WHERE {number} > 1")
    });
    bank.as_owner(cut.join("; ")).await;
    assert_eq!(whole(store).await, short);
    assert_ne!(short.head, long.head);
}
