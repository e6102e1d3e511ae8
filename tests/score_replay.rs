//! Kept decisions are made again from their evidence by the bank's own program, as an administrator or
//! an outsider types it.

use std::path::Path;

use simulators::processes::process::{Ended, Process};

use credit::evidence::Shown;
use platform::http::Documents;
use schemas::consent::{Act, Consent, Grant, KIND, Purpose, SignedConsent};
use schemas::hash::Hash;
use schemas::time::Clock as _;

use crate::browser::desk::{Bank, CONFIG, supplier};
use crate::world::World;
use crate::world::people::key_of;

/// A line of the terminal; names ending in a suffix of a file are those of files in the folder.
async fn credit(folder: &Path, arguments: &[&str]) -> Ended {
    let is_file = |one: &str| one.ends_with(".toml") || one.ends_with(".json");
    let arguments = arguments.iter().map(|one| match is_file(one) {
        true => folder.join(one).into_os_string(),
        false => one.into(),
    });
    let arguments: Vec<_> = arguments.collect();
    let ended = Process::run(folder, "command", "credit", &arguments).await;
    ended.unwrap()
}

fn said(ended: &Ended) -> String {
    format!("{}{}", ended.out, ended.err)
}

/// What `qinghe` has signed for the bank, with the proof of its log entry.
async fn consents(world: &mut World) -> Vec<Shown> {
    let now = world.clock.now();
    let consent = Consent {
        log: world.policy.log,
        supplier: "qinghe".parse().unwrap(),
        bank: "first-bank".parse().unwrap(),
        number: 1,
        prev: Hash::ZERO,
        made: now,
        act: Act::Grant(Grant {
            from: now,
            until: now + std::time::Duration::from_secs(90 * 24 * 3_600),
            purposes: vec![Purpose::Assess],
            devices: vec![],
            steps: vec![],
            withheld: vec![],
            attestations: vec![],
        }),
    };
    let signed = SignedConsent::sign(&key_of("qinghe"), &consent).unwrap();
    let hash = signed.hash();
    world.notary.record_document(KIND, hash).await.unwrap();
    world.anchor().await;
    let proof = Documents::default().proof(&world.bundler(), &hash).await;
    let proof = serde_json::to_vec(&proof.unwrap().unwrap()).unwrap();
    vec![Shown {
        document: signed.bytes().to_vec(),
        proof: Some(proof),
    }]
}

/// Decisions that rest on no signed consent, and those that do.
#[tokio::test(flavor = "multi_thread")]
async fn score_replay_identical() {
    let mut world = supplier().await;
    let bank = Bank::open(&world).await.unwrap();
    come_out_again(&bank, "decision-inputs/v4").await;
    let shown = consents(&mut world).await;
    let waived = "waived = \"a test without signed consents\"";
    let config = CONFIG.replace(waived, "bank = \"first-bank\"");
    assert_ne!(config, CONFIG);
    let bank = Bank::open_with(&world, &config, shown).await.unwrap();
    come_out_again(&bank, "decision-inputs/v4").await;
}

async fn come_out_again(bank: &Bank, format: &str) {
    let mut ids = Vec::new();
    for (id, amount) in [("a-1", "9000.00"), ("a-2", "1000.00"), ("a-3", "100.00")] {
        let page = bank.apply(id, "qinghe", amount).await.unwrap().unwrap();
        ids.push(page.rsplit('/').next().unwrap().to_owned());
    }
    let here = bank.folder.path();
    let config = ["--config", "credit.toml"];
    let replay = ["score", "replay", "--all", "--check"];
    let whole = credit(here, &[&replay[..], &config].concat()).await;
    assert!(whole.success, "{}", said(&whole));
    let text = said(&whole);
    assert!(text.starts_with("3 decisions made again: "), "{text}");
    assert!(text.contains(" 0 differing bytes, 0 not proven"), "{text}");

    let export = ["score", "export", &ids[0], "--out", "decision.json"];
    let export = [&export[..], &config].concat();
    let written = credit(here, &export).await;
    assert!(written.success, "{}", said(&written));
    assert!(!credit(here, &export).await.success, "it was overwritten");

    // Anybody with the file and a policy: neither configuration nor database is named.
    let verify = |id: &str, policy: &str| {
        let arguments = [
            "score",
            "verify",
            id,
            "--offline",
            "decision.json",
            "--policy",
            policy,
        ];
        arguments.map(str::to_owned)
    };
    let verified = |arguments: [String; 7]| async move {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        credit(here, &arguments).await
    };
    let holds = verified(verify(&ids[0], "policy.json")).await;
    assert!(holds.success, "{}", said(&holds));
    assert!(said(&holds).contains("0 differ"), "{}", said(&holds));
    let other = verified(verify(&ids[1], "policy.json")).await;
    assert!(
        said(&other).contains(&format!("the file holds `{}`", ids[0])),
        "{}",
        said(&other)
    );

    let file = here.join("decision.json");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(format), "{format}");
    let changed = text.replacen("\"total\":", "\"total\":1", 1);
    assert_ne!(text, changed);
    std::fs::write(&file, changed).unwrap();
    let changed = verified(verify(&ids[0], "policy.json")).await;
    assert!(!changed.success, "{}", said(&changed));

    let ledger = credit(here, &["ledger", "check", "--config", "credit.toml"]).await;
    assert!(ledger.success, "{}", said(&ledger));
    assert!(
        said(&ledger).starts_with("the book trial-1 holds: 0 pages"),
        "{}",
        said(&ledger)
    );
}
