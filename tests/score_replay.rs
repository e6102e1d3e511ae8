//! Kept decisions are made again from their evidence by the bank's own program, as an administrator or
//! an outsider types it.

use std::path::Path;

use simulators::processes::process::{Ended, Process};

use crate::browser::desk::{Bank, supplier};

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

#[tokio::test(flavor = "multi_thread")]
async fn score_replay_identical() {
    let world = supplier().await;
    let bank = Bank::open(&world).await.unwrap();
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
