use super::*;
use crate::ledger::{Account, Class, Draft, EntryKind};
use crate::money::{Currency, Money};

fn book() -> Slug {
    "trial-1".parse().unwrap()
}

fn loan() -> LoanId {
    "L-2".parse().unwrap()
}

fn at() -> Instant {
    Instant::parse_rfc3339("2026-07-10T22:00:00.123457Z").unwrap()
}

/// Money to the borrower of L-2.
fn draft(number: usize) -> Draft {
    let amount = Money::from_fen(70_000, Currency::CNY).unwrap();
    Draft {
        key: format!("L-2/disbursement/{number}").parse().unwrap(),
        booked: "2026-07-11".parse().unwrap(),
        kind: EntryKind::Disbursement,
        loan: Some(loan()),
        corrects: None,
        postings: vec![
            Posting::debit(Account::of(Class::Principal, &loan()), amount),
            Posting::credit(Account::cash(), amount),
        ],
    }
}

fn entry(number: usize) -> Entry {
    Entry::new(draft(number)).unwrap()
}

fn hashed(entry: Entry) -> (Entry, Hash) {
    let hash = entry_hash(&entry);
    (entry, hash)
}

type Chain = Vec<(Page, Vec<(Entry, Hash)>)>;

/// Pages of one, two and three entries.
fn chain() -> Chain {
    let (mut end, mut pages) = (End::EMPTY, Vec::new());
    for (number, count) in [(0, 1), (10, 2), (20, 3)] {
        let entries: Vec<_> = (number..number + count).map(|n| hashed(entry(n))).collect();
        let hashes: Vec<Hash> = entries.iter().map(|(_, hash)| *hash).collect();
        let page = Page::after(end, &book(), Lane::of(Some(&loan())), &hashes, at());
        end = page.end();
        pages.push((page, entries));
    }
    pages
}

fn check(chain: &Chain) -> Result<End, Broken> {
    let book = book();
    let mut check = LaneCheck::new(&book, Lane::of(Some(&loan())));
    for (page, entries) in chain {
        check.take(page, entries)?;
    }
    Ok(check.end())
}

/// The example of `docs/ledger.md`, section 8. It never changes.
#[test]
fn example_of_the_document() {
    let bytes = hex::encode(entry_bytes(&entry(0)));
    let lines = bytes.as_bytes().chunks(96);
    let lines: Vec<_> = lines
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let document = include_str!("../../../docs/ledger.md");
    for line in lines {
        assert!(document.contains(line), "{line}");
    }
    let (first, _) = &chain()[0];
    let ends = BTreeMap::from([(first.lane, first.end())]);
    for value in [
        entry_hash(&entry(0)).to_string(),
        first.hash.to_string(),
        book_head(&book(), &ends).to_string(),
    ] {
        assert!(document.contains(&value), "{value}");
    }
    assert_eq!(first.lane.number(), 29);
}

#[test]
fn whole_chain_holds() {
    let chain = chain();
    let end = check(&chain).unwrap();
    assert_eq!((end.last, end.hash), (6, chain[2].0.hash));
    assert_eq!(check(&Vec::new()), Ok(End::EMPTY));
}

#[test]
fn lanes_are_all_used_and_nothing_else() {
    let lane = |n: usize| Lane::of(Some(&format!("L-{n}").parse().unwrap()));
    let used: std::collections::BTreeSet<_> = (0..2_000).map(lane).collect();
    assert!(used.into_iter().eq(Lane::all()));
    assert_eq!(Lane::of(None).number(), 0);
    assert_eq!(Lane::of_number(64), None);
    assert_eq!(Lane::of_number(-1), None);
}

#[test]
fn change_of_any_part_of_a_page_shows() {
    let changes: [fn(&mut Page); 5] = [
        |page| page.first += 1,
        |page| page.entries += 1,
        |page| page.at = Instant::from_micros(page.at.as_micros() + 1),
        |page| page.prev.0[31] ^= 1,
        |page| page.hash.0[0] ^= 1,
    ];
    for at in 0..3 {
        for change in changes {
            let mut chain = chain();
            change(&mut chain[at].0);
            assert!(check(&chain).is_err());
        }
    }
}

#[test]
fn page_of_another_place_shows() {
    for at in 0..2 {
        let mut removed = chain();
        removed.remove(at);
        assert!(matches!(check(&removed), Err(Broken::Page { .. })));
        let mut swapped = chain();
        swapped.swap(at, at + 1);
        assert!(matches!(check(&swapped), Err(Broken::Page { .. })));
    }
    let other: Slug = "trial-2".parse().unwrap();
    let (page, entries) = &chain()[0];
    let mut check = LaneCheck::new(&other, page.lane);
    assert!(matches!(
        check.take(page, entries),
        Err(Broken::PageHash { .. })
    ));
    let other = Lane::of(None);
    let name = book();
    let mut check = LaneCheck::new(&name, other);
    assert!(matches!(
        check.take(page, entries),
        Err(Broken::Lane { .. })
    ));
}

#[test]
fn change_of_an_entry_shows_even_with_its_hash() {
    let changes: [fn(&mut Draft); 6] = [
        |draft| draft.key = "other".parse().unwrap(),
        |draft| draft.booked = "2026-07-12".parse().unwrap(),
        |draft| draft.kind = EntryKind::Refund,
        |draft| draft.corrects = Some("other".parse().unwrap()),
        |draft| draft.postings.reverse(),
        |draft| {
            for posting in &mut draft.postings {
                posting.amount = Money::from_fen(70_001, Currency::CNY).unwrap();
            }
        },
    ];
    for change in changes {
        let mut draft = draft(10);
        change(&mut draft);
        let changed = Entry::new(draft).unwrap();
        let mut one = chain();
        one[1].1[0].0 = changed.clone();
        assert!(matches!(check(&one), Err(Broken::EntryHash { .. })));
        let mut both = chain();
        both[1].1[0] = hashed(changed);
        assert!(matches!(check(&both), Err(Broken::PageHash { .. })));
    }
}

/// Entries that differ in one part have different bytes, also where a text could run into the next.
#[test]
fn encoding_keeps_parts_apart() {
    let mut seen = std::collections::BTreeSet::new();
    for (key, corrects) in [("a", "bc"), ("ab", "c"), ("abc", "d")] {
        let mut draft = draft(0);
        draft.key = key.parse().unwrap();
        draft.corrects = Some(corrects.parse().unwrap());
        seen.insert(entry_bytes(&Entry::new(draft).unwrap()));
    }
    assert_eq!(seen.len(), 3);
}
