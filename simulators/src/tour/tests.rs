//! A short replay through every real part, its check, and what the check sees when somebody has
//! been at the files.

use super::*;
use crate::check::{Outcome, check};
use crate::folder::Played;
use crate::series::{Series, Stamps};

/// Two hours of rows: one stamp repeats, one jumps back.
fn script() -> Script {
    let mut text = String::from("timestamp,value\n");
    for row in 0..24 {
        let minute = if row == 20 { 45 } else { row % 12 * 5 };
        let hour = if row == 20 { 0 } else { row / 12 };
        text.push_str(&format!(
            "2014-01-07 {hour:02}:{minute:02}:00,{}.123456789\n",
            70 + row
        ));
    }
    Script::replay(
        Series::parse("short.csv", &text).unwrap(),
        "short.csv".to_owned(),
    )
    .unwrap()
}

async fn played(folder: &Path, engines: &Engines) -> RunFolder {
    let script = script();
    let mut progress = Progress::new(true);
    let mut tour = Tour::start(&script, Door::any(), engines, &mut progress)
        .await
        .unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_goes_the_whole_way_and_its_check_sees_every_touch() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = played(temporary.path(), &Engines::default()).await;
    let outcome = check(&folder).unwrap();
    assert_eq!(failing(&outcome), [""; 0]);
    assert!(outcome.ok && outcome.log_origin.ends_with("/replay"));
    assert_eq!(
        outcome.stamps,
        Some(Stamps {
            rows: 24,
            repeated: 1,
            backwards: 1
        })
    );
    assert_eq!((outcome.events_made, outcome.events_anchored), (3, 3));
    assert_eq!((outcome.offers.len(), outcome.declined.len()), (0, 1));
    let text = summary::text(&outcome, false);
    assert!(text.contains("All 9 claims hold."), "{text}");
    a_leaf_that_is_not_in_the_log_is_lost(&folder);
    an_event_that_no_gateway_made_is_invented(&folder);
    a_changed_value_of_the_file_is_seen(&folder);
    a_flipped_bit_fails_every_proof_of_its_bundle(&folder);
}

/// Writes other expectations, checks, and puts the true ones back.
fn with_expected(folder: &RunFolder, change: impl FnOnce(&mut Expected)) -> Outcome {
    let truth = folder.read_expected().unwrap();
    let mut changed = truth.clone();
    change(&mut changed);
    folder.write_expected(&changed).unwrap();
    let outcome = check(folder).unwrap();
    folder.write_expected(&truth).unwrap();
    assert!(!outcome.ok);
    outcome
}

fn a_leaf_that_is_not_in_the_log_is_lost(folder: &RunFolder) {
    let outcome = with_expected(folder, |expected| {
        for made in expected.gateways.values_mut() {
            made.leaves.push(schemas::hash::sha256(b"never sent"));
        }
    });
    assert_eq!((outcome.lost, outcome.doubled, outcome.invented), (1, 0, 0));
}

fn an_event_that_no_gateway_made_is_invented(folder: &RunFolder) {
    let outcome = with_expected(folder, |expected| {
        for made in expected.gateways.values_mut() {
            made.leaves.pop();
        }
    });
    assert_eq!((outcome.lost, outcome.invented), (0, 1));
}

fn a_changed_value_of_the_file_is_seen(folder: &RunFolder) {
    let outcome = with_expected(folder, |expected| {
        if let Played::Series { rows, .. } = &mut expected.played {
            rows[7].value += 0.001;
        }
    });
    assert_eq!(
        failing(&outcome),
        ["every row of the file is proven, in its order"]
    );
}

fn a_flipped_bit_fails_every_proof_of_its_bundle(folder: &RunFolder) {
    let file = folder.read_expected().unwrap().evidence[0].file.clone();
    let mut bytes = folder.read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    folder.write(&file, &bytes).unwrap();
    let outcome = check(folder).unwrap();
    assert!(!outcome.ok && outcome.proofs_failed > 0);
    assert!(failing(&outcome).contains(&"every bundle verifies under the policy"));
}

/// The way in changes and nothing behind it: agents enrol and deliver over TLS, witnesses cosign
/// over HTTPS, pages and bundles are there under the platform's own authority.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_comes_in_over_https() {
    let script = script();
    let door = Door::Lan("127.0.0.2:0".parse().unwrap());
    let mut progress = Progress::new(true);
    let mut tour = Tour::start(&script, door, &Engines::default(), &mut progress)
        .await
        .unwrap();
    tour.play_until(script.end(), &mut progress).await.unwrap();
    let url = tour.stack.operator.url().to_owned();
    assert!(url.starts_with("https://127.0.0.2:"), "{url}");

    let item = &script.products()[0];
    let page = tour.page(item);
    let operator = &tour.stack.operator;
    let path = page.strip_prefix(&url).unwrap();
    let html = String::from_utf8(operator.get(path, &[]).await.unwrap()).unwrap();
    assert!(html.contains("class=\"qr\""), "the code of the page");
    let bundle = operator.product_bundle(item).await.unwrap();
    let file = operator.policy_file().unwrap();
    let (policy, _) = schemas::log::PolicyFile::parse(&file).unwrap();
    let report = schemas::proof::verify(&bundle, Some(&policy)).unwrap();
    assert!(!report.events.is_empty());

    let pem = String::from_utf8(operator.get("/v1/ca", &[]).await.unwrap()).unwrap();
    let authority = platform::tls::fingerprint(&pem).unwrap();
    assert_eq!(operator.authority(), Some(authority));
    let known = crate::stack::client(Some(&pem)).unwrap();
    for witness in operator.witnesses() {
        assert!(witness.starts_with("https://127.0.0.2:"), "{witness}");
        let said = known.get(witness).send().await.unwrap();
        assert!(said.text().await.unwrap().starts_with("witness "));
    }
    let stranger = crate::stack::client(None).unwrap();
    stranger
        .get(&page)
        .send()
        .await
        .expect_err("nobody else vouches");
    tour.stop().await.unwrap();
}
