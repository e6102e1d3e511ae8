//! The model card and the people who put a model into use.

use super::samples::{applicant, artefact, dataset, hour, person, statement, values};
use crate::scorecard::card::{CardError, ModelCard};
use crate::scorecard::random::SplitMix;
use crate::scorecard::registry::{Draft, Promoted, RegistryError, Reviewed, Shadowed};
use crate::scorecard::stability::Verdict;
use crate::scorecard::*;

fn draft(seed: u64) -> Draft {
    let data = dataset(seed, 2_000);
    let made = artefact(&data);
    let card = ModelCard::new(&made, statement(), &data, None).unwrap();
    Draft::new(made, card).unwrap()
}

fn reviewed(seed: u64) -> Reviewed {
    let reviewed = draft(seed).review(person("reviewer"), hour(1), "may be used");
    reviewed.unwrap()
}

fn promoted(seed: u64) -> Promoted {
    let promoted = reviewed(seed).promote(person("head"), hour(2));
    promoted.unwrap().0
}

#[test]
fn a_card_says_everything_that_is_asked_of_it() {
    let (data, later) = (dataset(41, 3_000), dataset(42, 1_500));
    let made = artefact(&data);
    let card = ModelCard::new(&made, statement(), &data, Some(&later)).unwrap();
    assert_eq!(card.data, data.hash().unwrap());
    assert_eq!(card.development.volume.rows, 3_000);
    let holdout = card.holdout.as_ref().unwrap();
    assert_eq!(holdout.data, later.hash().unwrap());
    let auc = holdout.auc.as_ref().unwrap();
    assert!(auc.low < auc.value && auc.value < auc.high && auc.value > "0.75".parse().unwrap());
    // The same rule made both.
    assert!(
        card.stability
            .iter()
            .all(|shift| shift.verdict == Verdict::Stable)
    );
    assert_eq!(card.stability.len(), made.table.characteristics.len() + 1);

    let groupings: Vec<&str> = card
        .fairness
        .iter()
        .map(|one| one.grouping.as_str())
        .collect();
    assert_eq!(groupings, ["region", "size", "age"]);
    for one in &card.fairness {
        assert_eq!(
            one.groups.iter().map(|group| group.rows).sum::<u64>(),
            1_500
        );
        let ratios = one.groups.iter().filter_map(|group| group.approval_ratio);
        assert_eq!(ratios.max(), Some(Number::ONE));
    }

    let bytes = card.to_bytes().unwrap();
    assert_eq!(ModelCard::parse(&bytes).unwrap(), card);
    let again = ModelCard::new(&made, statement(), &data, Some(&later)).unwrap();
    assert_eq!(again.hash().unwrap(), card.hash().unwrap());
    let text = card.to_markdown().unwrap();
    for wanted in [
        "SIMULATED",
        "a &lt;b&gt;seed&lt;/b&gt; \\| and nothing else",
        "## Fairness by region",
        "## Population stability",
        "Not reviewed.",
        "maker",
        &card.hash().unwrap().to_string(),
        &made.hash().unwrap().to_string(),
        &card.data.to_string(),
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
}

#[test]
fn a_card_needs_its_own_rows_its_texts_and_its_groupings() {
    let data = dataset(43, 2_000);
    let made = artefact(&data);
    let other = dataset(44, 2_000);
    let refused = ModelCard::new(&made, statement(), &other, None);
    assert_eq!(refused, Err(CardError::OtherData));
    let mut silent = statement();
    silent.exit = " ".into();
    let refused = ModelCard::new(&made, silent, &data, None);
    assert_eq!(refused, Err(CardError::Text("exit")));
    let rows = data.rows().iter().map(|row| Row {
        groups: row.groups[..2].to_vec(),
        ..row.clone()
    });
    let groupings = data.groupings()[..2].to_vec();
    let features = data.features().to_vec();
    let outcome = data.outcome().clone();
    let data = Dataset::new(outcome, features, groupings, rows.collect()).unwrap();
    let refused = ModelCard::new(&artefact(&data), statement(), &data, None);
    assert_eq!(refused, Err(CardError::Grouping("age")));
}

#[test]
fn nobody_acts_twice_on_a_model() {
    let same = |name: &str, before| {
        let person = person(name);
        RegistryError::SamePerson { person, before }
    };
    let refused = draft(51).review(person("maker"), hour(1), "my own is fine");
    assert_eq!(refused.unwrap_err(), same("maker", "made"));
    let refused = reviewed(51).promote(person("maker"), hour(2));
    assert_eq!(refused.unwrap_err(), same("maker", "made"));
    let refused = reviewed(51).promote(person("reviewer"), hour(2));
    assert_eq!(refused.unwrap_err(), same("reviewer", "reviewed"));
    let refused = reviewed(51).promote(person("head"), hour(0));
    assert_eq!(refused.unwrap_err(), RegistryError::Order);

    let (model, entry) = reviewed(51).promote(person("head"), hour(2)).unwrap();
    assert_eq!(entry.kind, "model-card");
    assert_eq!(entry.hash, model.card().hash().unwrap());
    assert!(model.card().review.is_some());
    assert_eq!(model.promoted(), (&person("head"), hour(2)));
    let retired = model.retire(person("head"), hour(3), "shifted").unwrap();
    assert_eq!(retired.reason, "shifted");
}

#[test]
fn a_draft_has_its_own_unreviewed_card() {
    let (one, other) = (dataset(52, 2_000), dataset(53, 2_000));
    let made = artefact(&one);
    let of_other = ModelCard::new(&artefact(&other), statement(), &other, None).unwrap();
    assert_eq!(
        Draft::new(made.clone(), of_other),
        Err(RegistryError::OtherCard)
    );
    let reviewed = reviewed(52).card().clone();
    assert_eq!(Draft::new(made, reviewed), Err(RegistryError::OtherCard));
}

#[test]
fn a_challenger_is_recorded_and_decides_nothing() {
    let champion = promoted(54);
    let both = Shadowed::new(champion.clone(), reviewed(55)).unwrap();
    let mut random = SplitMix::new(56);
    let mut apart = 0;
    for _ in 0..200 {
        let applicant = applicant(&values(&mut random));
        let said = both.assess(&applicant).unwrap();
        assert_eq!(said.champion, champion.assess(&applicant).unwrap());
        let challenger = said.challenger.unwrap();
        assert_ne!(challenger.artefact, said.champion.artefact);
        apart += u32::from(challenger.score.total != said.champion.score.total);
    }
    assert!(apart > 0);
    let refused = Shadowed::new(champion.clone(), reviewed(54));
    assert_eq!(refused.unwrap_err(), RegistryError::OtherOutcome);
    assert_eq!(both.part().0, champion);
}
