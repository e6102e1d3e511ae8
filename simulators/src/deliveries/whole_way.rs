//! A slice of deliveries through every real part, twice, and its check when somebody has been at
//! the files.

use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::check::{Outcome, check};

use crate::folder::{Expected, Played, RunFolder};
use crate::progress::Progress;
use crate::script::Script;
use crate::stack::door::Door;
use crate::stack::engines::Engines;
use crate::summary;
use crate::tour::Tour;

/// Two vendors of whom one is often late, one of whom next to nothing is known, two countries.
fn script() -> Script {
    let mut text = String::from(
        "ID,PO / SO #,Country,Fulfill Via,Scheduled Delivery Date,Delivered to Client Date,Delivery Recorded Date,Vendor,Line Item Quantity,Line Item Value\n",
    );
    let months = ["Jan", "Mar", "May", "Jul", "Sep", "Nov"];
    let mut id = 0;
    let mut line = |vendor: &str, country: &str, month: &str, year: u32, days: [u32; 3]| {
        id += 1;
        let [due, came, noted] = days;
        let _ = writeln!(
            text,
            "{id},SCMS-{id},{country},Direct Drop,{due:02}-{month}-{year},{came:02}-{month}-{year},{noted:02}-{month}-{year},{vendor},{id}0,{id}000.25"
        );
    };
    for (place, month) in months.iter().enumerate() {
        for year in [12, 13] {
            let late = if place % 2 == 0 { 4 } else { 0 };
            line("Good Works", "Kenya", month, year, [10, 9, 10]);
            line("Tardy Labs", "Togo", month, year, [10, 10 + late, 20]);
        }
    }
    line("Stranger & Co.", "Kenya", "Dec", 13, [10, 12, 12]);
    let deliveries = Deliveries::parse("slice.csv", text.as_bytes()).unwrap();
    Script::delivered(&deliveries, "slice.csv".to_owned()).unwrap()
}

async fn played(folder: &Path) -> RunFolder {
    let script = script();
    let mut progress = Progress::new(true);
    let engines = Engines::default();
    let tour = Tour::start(&script, Door::any(), &engines, &mut progress);
    let mut tour = tour.await.unwrap();
    tour.play_until(script.end(), &mut progress).await.unwrap();
    let decided = tour.decide(&mut progress).await.unwrap();
    let folder = RunFolder::create(folder).unwrap();
    tour.leave(&folder, decided).await.unwrap();
    tour.stop().await.unwrap();
    folder
}

fn failing(outcome: &Outcome) -> Vec<&str> {
    let failing = outcome.claims.iter().filter(|claim| !claim.holds);
    failing.map(|claim| claim.claim.as_str()).collect()
}

/// What two runs have in common: everything but keys, hashes and proofs.
fn figures(outcome: &Outcome) -> (String, Vec<(String, Option<i64>, i64)>) {
    let evaluation = outcome.late_delivery.as_ref().unwrap();
    let decided = outcome.offers.iter().chain(&outcome.declined);
    let decided = decided.map(|one| (one.supplier.clone(), one.offer_fen, one.score));
    (
        serde_json::to_string(evaluation).unwrap(),
        decided.collect(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slice_goes_the_whole_way_twice_with_the_same_figures() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = played(one.path()).await;
    let outcome = check(&folder).unwrap();
    assert_eq!(failing(&outcome), [""; 0], "{:#?}", outcome.claims);
    assert!(outcome.ok && outcome.log_origin.ends_with("/replay"));
    assert_eq!((outcome.events_made, outcome.events_anchored), (50, 50));
    assert_eq!((outcome.lost, outcome.doubled, outcome.gaps), (0, 0, 0));
    the_figures_are_those_of_the_lines(&outcome);
    let text = summary::text(&outcome, false);
    assert!(
        text.contains("insufficient (1 / 1)") && text.contains("claims hold."),
        "{text}"
    );

    let again = check(&played(other.path()).await).unwrap();
    assert_eq!(figures(&outcome), figures(&again));
    another_day_of_delivery_is_seen(&folder);
    another_figure_of_the_bank_is_seen(&folder);
    an_offer_to_a_stranger_is_seen(&folder);
}

fn the_figures_are_those_of_the_lines(outcome: &Outcome) {
    let evaluation = outcome.late_delivery.as_ref().unwrap();
    let of = |name: &str| {
        let found = evaluation
            .suppliers
            .iter()
            .find(|one| one.supplier.as_str() == name);
        found.unwrap()
    };
    let (good, tardy, stranger) = (of("good-works"), of("tardy-labs"), of("stranger-co"));
    assert_eq!((good.at_end.known, good.at_end.late), (12, 0));
    assert_eq!((tardy.at_split.known, tardy.at_split.late), (9, 5));
    assert_eq!((tardy.at_end.known, tardy.at_end.late), (12, 6));
    assert!(tardy.at_end.probability > good.at_end.probability);
    assert_eq!(
        (stranger.at_end.known, stranger.at_end.probability),
        (1, None)
    );
    assert_eq!(evaluation.tested_on.deliveries, 7);
    let offered: Vec<&str> = outcome
        .offers
        .iter()
        .map(|one| one.supplier.as_str())
        .collect();
    assert_eq!(offered, ["good-works"]);
    // A fifth of what was confirmed within a year: lines 3, 7, 11, 15, 19 and 23 of good works.
    let offer = (
        outcome.offers[0].offer_fen,
        outcome.offers[0].currency.as_str(),
    );
    assert_eq!(offer, (Some(7_800_150 / 5), "USD"));
    let tardy = outcome
        .declined
        .iter()
        .find(|one| one.supplier == "tardy-labs");
    assert_eq!(tardy.unwrap().reasons[0], "LATE_DELIVERY");
}

/// Writes other expectations, checks, and puts the true ones back.
fn with_expected(folder: &RunFolder, change: impl FnOnce(&mut Expected)) -> Outcome {
    let truth = folder.read_expected().unwrap();
    let mut changed = truth.clone();
    change(&mut changed);
    folder.write_expected(&changed).unwrap();
    let outcome = check(folder).unwrap();
    folder.write_expected(&truth).unwrap();
    outcome
}

fn another_day_of_delivery_is_seen(folder: &RunFolder) {
    let outcome = with_expected(folder, |expected| {
        let Played::Deliveries { replayed, .. } = &mut expected.played else {
            panic!()
        };
        replayed[3].delivered = replayed[3].delivered + Duration::from_secs(DAY_SECONDS);
    });
    assert_eq!(
        failing(&outcome),
        ["every line of the file is proven, as a promise and as a receipt, and nothing else"]
    );
}

fn another_figure_of_the_bank_is_seen(folder: &RunFolder) {
    let outcome = with_expected(folder, |expected| {
        let evaluation = expected.late_delivery.as_mut().unwrap();
        evaluation.suppliers[0].at_end.late += 1;
    });
    assert_eq!(
        failing(&outcome),
        ["the bank's figures follow from these files"]
    );
}

fn an_offer_to_a_stranger_is_seen(folder: &RunFolder) {
    let outcome = with_expected(folder, |expected| {
        let stranger = expected
            .decisions
            .iter_mut()
            .find(|one| one.supplier == "stranger-co");
        stranger.unwrap().offer_fen = Some(1);
    });
    assert_eq!(
        failing(&outcome),
        ["with too few known deliveries there is no figure and no offer"]
    );
}
