//! A few events out of a bundle still prove what they proved, and nothing else comes with them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::{Config, TestRunner};
use schemas::hash::{Hash, sha256};
use schemas::proof::{Bundle, Report, SelectError, Verdict, select, verify};

use super::sample::samples;

/// What is proven of each event, by leaf: the first time that it stands in the bundle.
fn proven(report: &Report) -> BTreeMap<Hash, impl PartialEq + std::fmt::Debug + use<>> {
    let mut events = BTreeMap::new();
    for event in &report.events {
        let of = &report.statements[event.statement];
        let about = (
            of.id,
            of.log_index,
            of.batch_index,
            of.anchored,
            of.registry_version,
        );
        let members: Vec<_> = event
            .members
            .iter()
            .map(|m| (m.name.clone(), m.value.clone()))
            .collect();
        events
            .entry(event.leaf)
            .or_insert((about, event.index, event.source, members));
    }
    events
}

/// Every row of the selection stands in the whole bundle, and no statement is without its event.
fn adds_nothing(part: &Bundle, whole: &Bundle) {
    let bytes = |rows: &[schemas::proof::StatementRow]| {
        rows.iter()
            .map(|row| row.statement.0.clone())
            .collect::<BTreeSet<_>>()
    };
    assert!(bytes(&part.statements).is_subset(&bytes(&whole.statements)));
    let used: BTreeSet<usize> = part.events.iter().map(|row| row.statement).collect();
    assert_eq!(used.len(), part.statements.len());
    assert_eq!(part.policies, whole.policies);
    assert_eq!(part.checkpoints.last(), whole.checkpoints.last());
}

#[tokio::test]
async fn any_selection_of_any_bundle_holds_and_holds_nothing_else() {
    let samples = samples().await;
    for (name, bytes) in &samples.bundles {
        let whole = verify(bytes, Some(&samples.policy)).unwrap();
        let (form, known) = (Bundle::parse(bytes).unwrap(), proven(&whole));
        let leaves: Vec<Hash> = known.keys().copied().collect();
        let check = |chosen: BTreeSet<Hash>| {
            let part = select(bytes, &chosen).unwrap();
            let report = verify(&part, Some(&samples.policy)).unwrap();
            let shown = proven(&report);
            assert_eq!(
                shown.keys().copied().collect::<BTreeSet<_>>(),
                chosen,
                "{name}"
            );
            assert_eq!(report.events.len(), chosen.len(), "{name}");
            assert!(
                shown.iter().all(|(leaf, about)| known[leaf] == *about),
                "{name}"
            );
            assert!(whole.verdict == report.verdict || whole.verdict == Verdict::Incomplete);
            let form_of_part = Bundle::parse(&part).unwrap();
            adds_nothing(&form_of_part, &form);
            assert_eq!(form_of_part.to_json().unwrap(), part);
            assert_eq!(
                select(&part, &chosen).unwrap(),
                part,
                "{name}: twice is once"
            );
        };
        leaves.iter().for_each(|leaf| check([*leaf].into()));
        let chosen = proptest::sample::subsequence(leaves.clone(), 1..=leaves.len());
        let mut runner = TestRunner::new(Config::with_cases(24));
        let run = runner.run(&chosen, |chosen| {
            check(chosen.into_iter().collect());
            Ok(())
        });
        run.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[tokio::test]
async fn what_is_not_there_cannot_be_selected() {
    let bundle = &samples().await.bundles["product"];
    let foreign = sha256(b"no event");
    let refused = select(bundle, &[foreign].into());
    assert!(matches!(refused, Err(SelectError::Unknown(leaf)) if leaf == foreign));
    assert!(matches!(
        select(bundle, &BTreeSet::new()),
        Err(SelectError::Nothing)
    ));
    assert!(matches!(
        select(b"{}", &[foreign].into()),
        Err(SelectError::Bundle(_))
    ));
}
