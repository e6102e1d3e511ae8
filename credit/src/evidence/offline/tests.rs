use serde_json::{Value, json};

use super::*;
use crate::evidence::verify;
use crate::facts::{Facts, Rules};
use crate::loan::decision::Proven;
use crate::loan::{Record, decide};
use crate::sandbox::Sandbox;
use crate::score::Model;
use crate::store::{Recorded, Reviews, Sqlite, Store};
use crate::testing::*;
use schemas::hash::sha256;

struct Kept {
    world: World,
    record: Record,
    bundle: Vec<u8>,
}

/// A decision as the service makes and keeps it, with the bundle that it rests on.
fn kept(celsius: &[&str], rules: Rules) -> Kept {
    let mut world = journey(celsius);
    let bundle = world.pack(at(24, 0));
    let trusted = world.trusted();
    let evidence = verify(&bundle, &trusted).unwrap();
    let facts = Facts::read(&evidence, &slug("qinghe"), at(24, 0), rules).unwrap();
    let proof = Proven {
        policy: trusted.hash(),
        evidence: Some(sha256(&bundle)),
        basis: None,
        books: None,
    };
    let sandbox = Sandbox {
        limits: limits(1, "500000.00", "2000000.00"),
        used: crate::money::Money::zero(crate::money::Currency::CNY),
        room: None,
    };
    let (application, model) = (application("A-1", "4000.00"), Model::built_in().unwrap());
    let record = decide(
        &application,
        &facts,
        proof,
        &model,
        &product(),
        &sandbox,
        at(24, 0),
    );
    Kept {
        world,
        record: record.unwrap(),
        bundle,
    }
}

fn file(kept: &Kept, rules: Rules) -> ScoreFile {
    ScoreFile::new(&kept.record, (kept.bundle.clone(), None), rules, None).unwrap()
}

fn value(kept: &Kept) -> Value {
    serde_json::from_slice(&file(kept, Rules::default()).to_bytes().unwrap()).unwrap()
}

/// What verifying a changed file says.
fn told(kept: &Kept, change: impl FnOnce(&mut Value)) -> String {
    let mut value = value(kept);
    change(&mut value);
    let id = &kept.record.decision.decision_id;
    let bytes = serde_json::to_vec(&value).unwrap();
    let verified = ScoreFile::parse(&bytes).and_then(|file| file.verify(id, &kept.world.trusted()));
    verified.map_or_else(|error| error.to_string(), |bytes| format!("{bytes} bytes"))
}

#[test]
fn a_decision_is_made_again_from_its_evidence_without_anything_else() {
    for celsius in [&COLD, &WARM] {
        let kept = kept(celsius, Rules::default());
        let text = file(&kept, Rules::default()).to_bytes().unwrap();
        let file = ScoreFile::parse(&text).unwrap();
        let id = &kept.record.decision.decision_id;
        let compared = file.verify(id, &kept.world.trusted()).unwrap();
        let decision = serde_json::to_vec(&kept.record.decision).unwrap();
        let bytes = kept.record.facts.len() + kept.record.inputs.len() + decision.len();
        assert_eq!(compared, bytes as u64);
        let other = file.verify("0123", &kept.world.trusted());
        assert!(matches!(other, Err(FileError::Other(found)) if found == *id));
    }
}

#[test]
fn whatever_is_changed_in_the_file_is_refused_and_named() {
    let kept = kept(&COLD, Rules::default());
    assert!(told(&kept, |_| ()).ends_with(" bytes"));
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 9] = [
        (|v| v["tracebond"] = json!("score-file/v2"), "tracebond: "),
        (|v| v["more"] = json!(1), "the file is not"),
        (
            |v| v["decision"]["outcome"] = json!({"result": "decline"}),
            "decision: ",
        ),
        (
            |v| v["decision"]["rules"] = json!(["cut-to-limit"]),
            "decision: ",
        ),
        (
            |v| v["inputs"]["log_size"] = json!(7),
            "inputs: another hash",
        ),
        (|v| v["facts"]["events"] = json!(99), "facts: another hash"),
        (|v| v["rules"]["late_after_s"] = json!(0), "facts: "),
        (|v| v["table"] = json!("name = 1"), "table: "),
        (|v| v["evidence"] = json!(""), "evidence: another hash"),
    ];
    for (change, said) in changes {
        let told = told(&kept, change);
        assert!(told.starts_with(said), "{told}");
    }
}

/// A bank that lies consistently: facts, hashes and decision fit each other, and not the evidence.
#[test]
fn facts_that_the_evidence_does_not_give_are_refused_though_every_hash_fits() {
    let honest = kept(&WARM, Rules::default());
    let mut facts: Facts = serde_json::from_slice(&honest.record.facts).unwrap();
    facts.excursions.episodes.clear();
    (facts.excursions.minutes, facts.excursions.longest_minutes) = (0, 0);
    let inputs: crate::loan::Inputs = serde_json::from_slice(&honest.record.inputs).unwrap();
    let proof = Proven {
        policy: inputs.policy,
        evidence: inputs.evidence,
        basis: None,
        books: None,
    };
    let model = Model::built_in().unwrap();
    let record = decide(
        &inputs.application,
        &facts,
        proof,
        &model,
        &inputs.product,
        &inputs.sandbox,
        at(24, 0),
    );
    let record = record.unwrap();
    record.explain(&model).unwrap();
    let trusted = honest.world.trusted();
    let under = Again {
        policy: &trusted,
        rules: Rules::default(),
        model: &model,
    };
    let refused = again(&record, &honest.bundle, None, &under).unwrap_err();
    assert!(refused.differing() > 0);
    assert!(refused.to_string().starts_with("facts: "), "{refused}");
    assert!(again(&honest.record, &honest.bundle, None, &under).is_ok());
}

#[test]
fn evidence_is_verified_under_the_readers_policy_and_a_tampered_bundle_is_refused() {
    let kept = kept(&COLD, Rules::default());
    let file = file(&kept, Rules::default());
    let id = &kept.record.decision.decision_id;
    let other = World::with_origin("log.test/other", &DEVICES).trusted();
    let refused = file.verify(id, &other).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "policy: the decision was made under another"
    );
    // The bank swaps the bundle and names its hash everywhere: the proofs do not hold.
    let mut bundle = kept.bundle.clone();
    let place = bundle
        .windows(6)
        .position(|part| part == b"\"value")
        .unwrap();
    let place = place + 20;
    bundle[place] = if bundle[place] == b'A' { b'B' } else { b'A' };
    let mut inputs: crate::loan::Inputs = serde_json::from_slice(&kept.record.inputs).unwrap();
    inputs.evidence = Some(sha256(&bundle));
    let mut record = kept.record.clone();
    record.inputs = serde_json::to_vec(&inputs).unwrap();
    record.decision.inputs = sha256(&record.inputs);
    let swapped = ScoreFile::new(&record, (bundle, None), Rules::default(), None).unwrap();
    let refused = swapped.verify(id, &kept.world.trusted()).unwrap_err();
    assert!(refused.to_string().starts_with("evidence: "), "{refused}");
    assert!(matches!(
        refused,
        FileError::Unproven(Unproven::Evidence(_))
    ));
}

#[test]
fn a_record_without_evidence_is_not_called_proven() {
    let mut world = journey(&COLD);
    let record = decision_of(&mut world, &application("A-1", "4000.00"));
    let trusted = world.trusted();
    let under = Again {
        policy: &trusted,
        rules: Rules::default(),
        model: &Model::built_in().unwrap(),
    };
    let refused = again(&record, &world.pack(at(24, 0)), None, &under);
    assert!(matches!(refused, Err(Unproven::Unnamed)));
}

async fn store() -> (Sqlite, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("credit.sqlite")).await;
    let store = store.unwrap();
    let limits = limits(1, "500000.00", "2000000.00");
    store.declare(&limits, at(0, 0)).await.unwrap();
    (store, folder)
}

async fn keep(store: &Sqlite, record: &Record, bundle: Option<&[u8]>) {
    if let Some(bundle) = bundle {
        store.keep_evidence(&sha256(bundle), bundle).await.unwrap();
    }
    let recorded = store.record(&slug("trial-1"), record).await.unwrap();
    assert!(matches!(recorded, Recorded::New));
}

#[tokio::test]
async fn every_kept_decision_comes_out_again_with_no_differing_byte() {
    let kept = kept(&COLD, Rules::default());
    let (store, _folder) = store().await;
    keep(&store, &kept.record, Some(&kept.bundle)).await;
    let (trusted, model) = (kept.world.trusted(), Model::built_in().unwrap());
    let mut under = Again {
        policy: &trusted,
        rules: Rules::default(),
        model: &model,
    };
    let tally = replay_all(&store, &under).await.unwrap();
    assert!(tally.holds());
    assert_eq!((tally.decisions, tally.differing), (1, 0));
    let decision = serde_json::to_vec(&kept.record.decision).unwrap();
    let bytes = kept.record.facts.len() + kept.record.inputs.len() + decision.len();
    assert_eq!(tally.compared, bytes as u64);
    let said = format!("1 decisions made again: {bytes} bytes the same, 0 differing bytes");
    assert!(tally.to_string().starts_with(&said));
    under.rules.late_after = std::time::Duration::ZERO;
    let otherwise = replay_all(&store, &under).await.unwrap();
    assert!(!otherwise.holds() && otherwise.differing > 0);
    assert_eq!((otherwise.unproven, otherwise.named.len()), (1, 1));
}

#[tokio::test]
async fn a_decision_without_its_bundle_is_counted_as_not_proven() {
    let kept = kept(&COLD, Rules::default());
    let (store, _folder) = store().await;
    keep(&store, &kept.record, None).await;
    let mut world = journey(&COLD);
    let unnamed = decision_of(&mut world, &application("A-2", "100.00"));
    keep(&store, &unnamed, None).await;
    let (trusted, model) = (kept.world.trusted(), Model::built_in().unwrap());
    let under = Again {
        policy: &trusted,
        rules: Rules::default(),
        model: &model,
    };
    let tally = replay_all(&store, &under).await.unwrap();
    assert!(!tally.holds());
    assert_eq!((tally.decisions, tally.unproven), (2, 2));
    let told = tally.to_string();
    assert!(
        told.contains("is not kept") && told.contains("names none"),
        "{told}"
    );
}
