//! `platform check`: what it finds of a configuration that works, and of broken ones.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use kit::check::{Report, State};
use platform::command::check::check;
use schemas::time::Clock;

use super::{Stack, document, shipping};

/// The stack's configuration as a file; its own process may still run.
fn written(stack: &Stack, change: impl Fn(String) -> String) -> std::path::PathBuf {
    let config = stack.config();
    let mut text = format!(
        "origin = \"{}\"\ndata = \"{}\"\norganisation = \"operator\"\nquorum = 3\n",
        config.origin,
        config.data.display()
    );
    for one in &config.witnesses {
        let (name, url, key) = (&one.name, &one.url, one.key);
        let section = "[[witness]]";
        writeln!(
            text,
            "{section}\nname = \"{name}\"\nurl = \"{url}\"\nkey = \"{key}\""
        )
        .unwrap();
    }
    let key = config.registrars[0].key;
    writeln!(
        text,
        "[[registrar]]\nname = \"association\"\nkey = \"{key}\""
    )
    .unwrap();
    let file = stack.folder.path().join("platform.toml");
    std::fs::write(&file, change(text)).unwrap();
    file
}

async fn checked(stack: &Stack, change: impl Fn(String) -> String) -> Report {
    let clock = Arc::clone(&stack.clock) as Arc<dyn Clock>;
    check(&written(stack, change), clock).await
}

fn state(report: &Report, what: &str) -> State {
    let found = report.0.iter().find(|one| one.what == what);
    found
        .unwrap_or_else(|| panic!("{what}: {}", report.text(false)))
        .state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_working_configuration_holds_and_broken_ones_say_why() {
    let stack = Stack::small().await;
    let good = checked(&stack, |text| text).await;
    assert!(good.holds(), "{}", good.text(false));
    for what in [
        "configuration",
        "data",
        "key",
        "database",
        "witness w1.example",
        "quorum",
    ] {
        assert_eq!(state(&good, what), State::Ok, "{}", good.text(false));
    }
    // A checkpoint is published, so the witnesses' keys are compared by their cosignatures.
    stack.capture(document(&[shipping(1)]).to_string()).await;
    stack.anchored(1).await;
    // While it is being published, the witnesses know one that the folder has not yet.
    let published = async {
        loop {
            let good = checked(&stack, |text| text).await;
            if good.text(false).contains("cosigns size") {
                return;
            }
        }
    };
    let deadline = std::time::Duration::from_secs(40);
    let published = tokio::time::timeout(deadline, published).await;
    assert!(published.is_ok(), "no witness cosigns what is published");

    let typo = checked(&stack, |text| text.replace("quorum = 3", "quorom = 3")).await;
    assert!(!typo.holds() && typo.0.len() == 1);
    assert!(
        typo.0[0].seen.contains("platform.toml:4: quorom"),
        "{}",
        typo.0[0].seen
    );

    let keys = ["w1.example", "w2.example"]
        .map(|name| hex::encode(crate::world::people::key_of(name).public_bytes()));
    let swapped = checked(&stack, |text| {
        let text = text.replace(&keys[0], "x").replace(&keys[1], &keys[0]);
        text.replace("\"x\"", &format!("\"{}\"", keys[1]))
    })
    .await;
    assert_eq!(state(&swapped, "witness w1.example"), State::Warn);
    assert_eq!(
        state(&swapped, "quorum"),
        State::Fail,
        "{}",
        swapped.text(false)
    );

    let key = stack.folder.path().join("data/keys/log.key");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&key, open).unwrap();
    let readable = checked(&stack, |text| text).await;
    assert!(!readable.holds() && readable.text(false).contains("chmod 600"));

    let taken = stack.handle().address;
    let port = checked(&stack, |text| format!("listen = \"{taken}\"\n{text}")).await;
    assert_eq!(state(&port, "listen"), State::Fail);
    let nobody = "[broker]\nurl = \"mqtt://127.0.0.1:1\"\n";
    let broker = checked(&stack, |text| format!("{text}{nobody}")).await;
    assert_eq!(
        state(&broker, "broker"),
        State::Warn,
        "{}",
        broker.text(false)
    );
    let database = "database = \"postgres://nobody@127.0.0.1:1/none\"\n";
    let report = checked(&stack, |text| format!("{database}{text}")).await;
    assert_eq!(
        state(&report, "database"),
        State::Fail,
        "{}",
        report.text(false)
    );
}
