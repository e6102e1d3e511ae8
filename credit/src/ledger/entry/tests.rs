use proptest::prelude::*;

use super::*;
use crate::ledger::{Balances, TrialBalance};

fn key(text: &str) -> EntryKey {
    text.parse().unwrap()
}

fn loan(text: &str) -> LoanId {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn cny(fen: i64) -> Money {
    Money::from_fen(fen, Currency::CNY).unwrap()
}

fn of(class: Class) -> Account {
    Account::of(class, &loan("L-1"))
}

fn draft(postings: Vec<Posting>) -> Draft {
    Draft {
        key: key("L-1/disbursement"),
        booked: day("2026-07-01"),
        kind: EntryKind::Disbursement,
        loan: Some(loan("L-1")),
        corrects: None,
        postings,
    }
}

fn two(debit: Money, credit: Money) -> Vec<Posting> {
    vec![
        Posting::debit(of(Class::Principal), debit),
        Posting::credit(Account::cash(), credit),
    ]
}

fn refused(postings: Vec<Posting>) -> EntryError {
    Entry::new(draft(postings)).unwrap_err()
}

#[test]
fn entry_that_does_not_balance_is_refused() {
    assert!(Entry::new(draft(two(cny(5), cny(5)))).is_ok());
    let error = refused(two(cny(5), cny(4)));
    assert_eq!(
        error,
        EntryError::Unbalanced {
            debit: 5,
            credit: 4
        }
    );
    assert!(error.to_string().starts_with("postings: "));
    let same_side = vec![
        Posting::debit(of(Class::Principal), cny(5)),
        Posting::debit(Account::cash(), cny(5)),
    ];
    assert_eq!(
        refused(same_side),
        EntryError::Unbalanced {
            debit: 10,
            credit: 0
        }
    );
}

#[test]
fn entry_of_nothing_is_refused() {
    assert_eq!(refused(Vec::new()), EntryError::Count(0));
    assert_eq!(
        refused(two(cny(5), cny(5))[..1].to_vec()),
        EntryError::Count(1)
    );
    assert_eq!(refused(two(cny(0), cny(0))), EntryError::Zero(0));
    let many = vec![Posting::debit(of(Class::Principal), cny(1)); POSTINGS_MAX + 1];
    assert_eq!(refused(many), EntryError::Count(POSTINGS_MAX + 1));
}

#[test]
fn largest_amounts_fit_and_larger_ones_are_refused() {
    let most = cny(MAX_AMOUNT_FEN);
    let mut postings = Vec::new();
    for _ in 0..POSTINGS_MAX / 2 {
        postings.extend(two(most, most));
    }
    assert!(Entry::new(draft(postings)).is_ok());
    let over = cny(MAX_AMOUNT_FEN + 1);
    assert_eq!(refused(two(most, over)), EntryError::TooLarge(1));
    assert_eq!(
        refused(two(cny(i64::MAX), cny(i64::MAX))),
        EntryError::TooLarge(0)
    );
}

#[test]
fn second_currency_is_refused() {
    let usd: Currency = "USD".parse().unwrap();
    let error = refused(two(cny(5), Money::from_fen(5, usd).unwrap()));
    assert_eq!(
        error,
        EntryError::Currency {
            line: 1,
            expected: Currency::CNY,
            found: usd
        }
    );
}

#[test]
fn account_of_another_loan_is_refused() {
    let other = Account::of(Class::Principal, &loan("L-2"));
    let postings = vec![
        Posting::credit(Account::cash(), cny(5)),
        Posting::debit(other, cny(5)),
    ];
    assert_eq!(refused(postings.clone()), EntryError::Loan(1));
    let of_none = Draft {
        loan: None,
        ..draft(postings)
    };
    assert_eq!(Entry::new(of_none), Err(EntryError::Loan(1)));
}

#[test]
fn memo_accounts_balance_among_themselves() {
    let mixed = vec![
        Posting::debit(of(Class::WrittenOffClaim), cny(5)),
        Posting::credit(of(Class::Principal), cny(5)),
    ];
    assert_eq!(
        refused(mixed),
        EntryError::MemoUnbalanced {
            debit: 5,
            credit: 0
        }
    );
    let both = vec![
        Posting::debit(of(Class::WriteOffExpense), cny(5)),
        Posting::credit(of(Class::Principal), cny(5)),
        Posting::debit(of(Class::WrittenOffClaim), cny(5)),
        Posting::credit(of(Class::WrittenOffContra), cny(5)),
    ];
    assert!(Entry::new(draft(both)).is_ok());
}

#[test]
fn value_date_has_four_digits() {
    for year in [0, -1, 10_000] {
        let booked = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
        let late = Draft {
            booked,
            ..draft(two(cny(5), cny(5)))
        };
        assert_eq!(Entry::new(late), Err(EntryError::Booked(booked)));
    }
}

#[test]
fn keys_are_short_and_plain() {
    for text in ["", "a b", "a\0", "茶", &"x".repeat(129)] {
        assert_eq!(text.parse::<EntryKey>(), Err(EntryError::Key), "{text}");
    }
    assert!("x".repeat(128).parse::<EntryKey>().is_ok());
    assert!("L-1/accrual/2026-07-31".parse::<EntryKey>().is_ok());
}

#[test]
fn reversal_takes_an_entry_back_to_nothing() {
    let entry = Entry::new(draft(two(cny(5), cny(5)))).unwrap();
    let back = entry.reversal(key("back"), day("2026-06-30")).unwrap();
    assert_eq!(back.corrects(), Some(entry.key()));
    assert_eq!(back.booked(), day("2026-06-30"));
    assert!(back.takes_back(&entry));
    let mut balances = Balances::default();
    balances.post(&entry).unwrap();
    balances.post(&back).unwrap();
    for (account, _, balance) in balances.iter() {
        assert_eq!(balance.on(Side::Debit), Ok(0), "{account}");
    }
    assert_eq!(
        back.reversal(key("again"), day("2026-07-01")),
        Err(EntryError::Reversal)
    );
    assert_eq!(
        entry.reversal(entry.key().clone(), day("2026-07-01")),
        Err(EntryError::Corrects)
    );
}

#[test]
fn reversal_of_something_else_is_seen() {
    let entry = Entry::new(draft(two(cny(5), cny(5)))).unwrap();
    let back = entry.reversal(key("back"), day("2026-06-30")).unwrap();
    let changes: [fn(&mut Draft); 4] = [
        |draft| draft.kind = EntryKind::Waiver,
        |draft| draft.corrects = Some(key("other")),
        |draft| draft.postings.reverse(),
        |draft| {
            for posting in &mut draft.postings {
                posting.amount = cny(4);
            }
        },
    ];
    for change in changes {
        let mut draft = back.0.clone();
        change(&mut draft);
        assert!(!Entry::new(draft).unwrap().takes_back(&entry));
    }
    let nameless = Draft {
        corrects: None,
        ..back.0
    };
    assert_eq!(Entry::new(nameless), Err(EntryError::Corrects));
}

#[test]
fn words_name_one_kind_each() {
    let words: std::collections::BTreeSet<_> =
        EntryKind::ALL.into_iter().map(EntryKind::word).collect();
    assert_eq!(words.len(), EntryKind::ALL.len());
    for kind in EntryKind::ALL {
        assert_eq!(EntryKind::of_word(kind.word()), Some(kind));
    }
}

/// Any postings, balanced or not.
fn any_postings() -> impl Strategy<Value = Vec<Posting>> {
    let posting = (0..Class::ALL.len(), any::<bool>(), 0..4i64, 0..8u8).prop_map(
        |(class, debit, fen, other)| {
            let currency = if other == 0 {
                "USD".parse().unwrap()
            } else {
                Currency::CNY
            };
            Posting {
                account: of(Class::ALL[class]),
                side: if debit { Side::Debit } else { Side::Credit },
                amount: Money::from_fen(fen, currency).unwrap(),
            }
        },
    );
    prop::collection::vec(posting, 0..6)
}

proptest! {
    /// Whatever is taken as an entry conserves money, alone and in every sequence.
    #[test]
    fn no_fen_appears_or_vanishes(drafts in prop::collection::vec(any_postings(), 0..40)) {
        let mut balances = Balances::default();
        for postings in drafts {
            let debit: i128 = signed(&postings);
            match Entry::new(draft(postings)) {
                Ok(entry) => {
                    prop_assert_eq!(debit, 0);
                    balances.post(&entry).unwrap();
                }
                Err(error) => prop_assert!(error.to_string().contains("postings")),
            }
            prop_assert_eq!(balances.trial_balance().unwrap().check(), Ok(()));
        }
    }

    /// One fen more or less on any posting is refused.
    #[test]
    fn one_fen_too_many_is_refused(
        amounts in prop::collection::vec(1..1_000_000i64, 1..8), at in any::<prop::sample::Index>()
    ) {
        let mut postings: Vec<Posting> = amounts
            .iter()
            .map(|fen| Posting::debit(of(Class::Principal), cny(*fen)))
            .collect();
        postings.push(Posting::credit(Account::cash(), cny(amounts.iter().sum())));
        prop_assert!(Entry::new(draft(postings.clone())).is_ok());
        let at = at.index(postings.len());
        postings[at].amount = cny(postings[at].amount.fen() + 1);
        let error = refused(postings);
        let unbalanced = matches!(error, EntryError::Unbalanced { .. });
        prop_assert!(unbalanced);
    }
}

fn signed(postings: &[Posting]) -> i128 {
    let fen = |posting: &Posting| i128::from(posting.amount.fen());
    let sum = |side| -> i128 { postings.iter().filter(|p| p.side == side).map(fen).sum() };
    sum(Side::Debit) - sum(Side::Credit)
}

#[test]
fn trial_balance_that_is_not_zero_is_seen() {
    let usd: Currency = "USD".parse().unwrap();
    let mut trial = TrialBalance::default();
    trial
        .add(Currency::CNY, Class::Cash, Side::Debit, 5)
        .unwrap();
    trial.add(usd, Class::Cash, Side::Credit, 5).unwrap();
    let wrong = trial.check().unwrap_err();
    assert_eq!(
        (wrong.currency, wrong.debit, wrong.credit),
        (Currency::CNY, 5, 0)
    );
    trial
        .add(Currency::CNY, Class::WrittenOffClaim, Side::Credit, 5)
        .unwrap();
    assert!(
        trial.check().is_err(),
        "memo accounts do not stand in for others"
    );
}
