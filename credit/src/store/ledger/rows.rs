//! Rows as they come out of either engine, and the entries that they are.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::time::Instant;

use super::Kept;
use crate::ledger::chain::{End, Lane, Page};
use crate::ledger::{
    Account, Balances, Class, Draft, Entry, EntryKind, LoanId, Posting, Side, TrialBalance,
};
use crate::money::{Currency, Money};
use crate::store::StoreError;

/// What sums are cut by: whole billions of fen and the rest are summed apart, so that no sum of a
/// database overflows.
pub(crate) const BILLION: i128 = 1_000_000_000;

/// A row of `ledger_pages`; `at` is `None` if it is not written as this program writes it.
#[derive(Clone, Debug)]
pub(crate) struct PageRow {
    pub(crate) first: i64,
    pub(crate) entries: i64,
    pub(crate) at: Option<Instant>,
    pub(crate) prev: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

impl PageRow {
    pub(crate) fn page(&self, lane: Lane) -> Option<Page> {
        Some(Page {
            lane,
            first: self.first,
            entries: self.entries,
            at: self.at?,
            prev: Hash::from_slice(&self.prev)?,
            hash: Hash::from_slice(&self.hash)?,
        })
    }
}

/// The columns `lane, number, entry_key, booked, kind, loan, corrects, hash` of `ledger_entries`.
pub(crate) type EntryRow = (
    i64,
    i64,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Vec<u8>,
);

/// The columns `number, line, class, loan, side, currency, amount_fen` of `ledger_postings`.
pub(crate) type PostingRow = (i64, i64, String, Option<String>, String, String, i64);

/// Postings by the number of their entry, in the order of their lines.
pub(crate) fn by_number(postings: Vec<PostingRow>) -> BTreeMap<i64, Vec<PostingRow>> {
    let mut found: BTreeMap<i64, Vec<PostingRow>> = BTreeMap::new();
    for posting in postings {
        found.entry(posting.0).or_default().push(posting);
    }
    found
}

/// The entry of a row and its postings, or what is wrong with it.
pub(crate) fn kept(row: &EntryRow, postings: &[PostingRow]) -> Result<Kept, String> {
    let (lane, number, key, booked, kind, loan, corrects, hash) = row;
    let unreadable = |column: &str| format!("its {column} cannot be read");
    let day = booked.parse::<NaiveDate>().ok();
    let day = day.filter(|day| day.to_string() == *booked);
    let loan = loan.as_deref().map(str::parse).transpose();
    let corrects = corrects.as_deref().map(str::parse).transpose();
    let draft = Draft {
        key: key.parse().map_err(|_| unreadable("key"))?,
        booked: day.ok_or_else(|| unreadable("value date"))?,
        kind: EntryKind::of_word(kind).ok_or_else(|| unreadable("kind"))?,
        loan: loan.map_err(|_| unreadable("loan"))?,
        corrects: corrects.map_err(|_| unreadable("corrected entry"))?,
        postings: lines(postings)?,
    };
    Ok(Kept {
        lane: Lane::of_number(*lane).ok_or_else(|| unreadable("lane"))?,
        number: *number,
        entry: Entry::new(draft).map_err(|error| error.to_string())?,
        hash: Hash::from_slice(hash).ok_or_else(|| unreadable("hash"))?,
    })
}

fn lines(rows: &[PostingRow]) -> Result<Vec<Posting>, String> {
    let read = rows.iter().zip(0i64..);
    read.map(|(row, line)| {
        let found = posting(row).filter(|_| row.1 == line);
        found.ok_or_else(|| format!("its posting {line} cannot be read"))
    })
    .collect()
}

fn posting((_, _, class, loan, side, currency, fen): &PostingRow) -> Option<Posting> {
    let loan = loan.as_deref().map(str::parse::<LoanId>).transpose().ok()?;
    let currency: Currency = currency.parse().ok()?;
    Some(Posting {
        account: Account::new(Class::of_word(class)?, loan).ok()?,
        side: Side::of_word(side)?,
        amount: Money::from_fen(*fen, currency).ok()?,
    })
}

/// Entries with their postings, in the order of the entries.
pub(crate) fn all_kept(
    rows: &[EntryRow],
    postings: Vec<PostingRow>,
) -> Result<Vec<Kept>, StoreError> {
    let postings = by_number(postings);
    let read = rows.iter().map(|row| {
        let lines = postings.get(&row.1).map_or(&[][..], Vec::as_slice);
        kept(row, lines).map_err(|_| wrong("ledger entry"))
    });
    read.collect()
}

/// A row that this program did not write.
pub(crate) const fn wrong(what: &'static str) -> StoreError {
    StoreError::Row { what }
}

/// The columns `first_number, entries, hash` of a lane's last page.
pub(crate) type EndRow = (i64, i64, Vec<u8>);

pub(crate) fn end(row: Option<EndRow>) -> Result<End, StoreError> {
    let Some((first, entries, hash)) = row else {
        return Ok(End::EMPTY);
    };
    let last = first
        .checked_add(entries)
        .and_then(|next| next.checked_sub(1));
    let end = last.zip(Hash::from_slice(&hash));
    let end = end.map(|(last, hash)| End { last, hash });
    end.ok_or(wrong("ledger page"))
}

/// Entries by their lane.
pub(crate) fn by_lane(entries: Vec<EntryRow>) -> BTreeMap<i64, Vec<EntryRow>> {
    let mut found: BTreeMap<i64, Vec<EntryRow>> = BTreeMap::new();
    for entry in entries {
        found.entry(entry.0).or_default().push(entry);
    }
    found
}

pub(crate) fn hashes(rows: Vec<(String, Vec<u8>)>) -> Result<BTreeMap<String, Hash>, StoreError> {
    let read = rows.into_iter().map(|(key, hash)| {
        let hash = Hash::from_slice(&hash).ok_or(wrong("ledger entry"))?;
        Ok((key, hash))
    });
    read.collect()
}

/// `class, loan, side, currency`, the billions and the rest of a sum.
pub(crate) type SumRow = (String, Option<String>, String, String, i64, i64);

fn whole(billions: i64, rest: i64) -> i128 {
    i128::from(billions) * BILLION + i128::from(rest)
}

pub(crate) fn balances(rows: &[SumRow]) -> Result<Balances, StoreError> {
    let mut balances = Balances::default();
    for (class, loan, side, currency, billions, rest) in rows {
        let row = (
            0,
            0,
            class.clone(),
            loan.clone(),
            side.clone(),
            currency.clone(),
            1,
        );
        let Posting {
            account,
            side,
            amount,
        } = posting(&row).ok_or(wrong("ledger posting"))?;
        let fen = whole(*billions, *rest);
        let added = balances.add(account, amount.currency(), side, fen);
        added.map_err(|_| wrong("ledger sum"))?;
    }
    Ok(balances)
}

/// `class, side, currency`, the billions and the rest of a sum.
pub(crate) type ClassRow = (String, String, String, i64, i64);

pub(crate) fn trial_balance(rows: &[ClassRow]) -> Result<TrialBalance, StoreError> {
    let mut trial = TrialBalance::default();
    for (class, side, currency, billions, rest) in rows {
        let class = Class::of_word(class).ok_or(wrong("ledger posting"))?;
        let side = Side::of_word(side).ok_or(wrong("ledger posting"))?;
        let currency = currency.parse().map_err(|_| wrong("ledger posting"))?;
        let added = trial.add(currency, class, side, whole(*billions, *rest));
        added.map_err(|_| wrong("ledger sum"))?;
    }
    Ok(trial)
}
