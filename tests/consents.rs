//! An organisation grants and withdraws with its own key tool.

use std::time::Duration;

use platform::keytool::{self, Folder, KeytoolError, Office, Wanted};
use platform::store::consents::ConsentStore as _;
use schemas::consent::{Act, Consent, Purpose, SignedConsent};
use schemas::ids::Slug;
use schemas::log::PolicyFile;
use schemas::time::Clock as _;

use crate::world::World;
use crate::world::people::key_of;
use crate::world::served::COOPERATIVE_TOKEN;

fn wanted() -> Wanted {
    Wanted {
        lasting: Duration::from_secs(90 * 24 * 3_600),
        // In no order, and twice: the tool signs them as the format wants them.
        purposes: vec![Purpose::Model, Purpose::Assess, Purpose::Model],
        ..Wanted::default()
    }
}

/// An organisation of the registry with its folder.
async fn cooperative(world: &World, url: &str, folder: &std::path::Path) -> Office {
    let policy = serde_json::to_vec(&PolicyFile::new(world.policy_entry())).unwrap();
    let name = "cooperative".parse().unwrap();
    let settings = keytool::settings(name, url, String::new(), &policy).unwrap();
    let office = Office::open(Folder::make(folder, &settings).unwrap()).unwrap();
    let kid = office.kid().to_string();
    let record = keytool::admit(&key_of("association"), &office.application(), &kid).unwrap();
    world.admit_record(record.bytes()).await.unwrap();
    office
}

#[tokio::test]
async fn key_tool_grants_withdraws_and_goes_on_after_a_loss() {
    let world = World::start().await;
    let served = world.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let office = cooperative(&world, &served.url, folder.path()).await;
    let bank: Slug = "first-bank".parse().unwrap();
    let now = || world.clock.now();
    let nothing = office.withdraw(&bank, now()).await;
    assert!(matches!(nothing, Err(KeytoolError::NoConsent(_))));

    let first = office.grant(&bank, wanted(), now()).await.unwrap();
    let grant = first.consent.grant().unwrap();
    assert_eq!(grant.purposes, [Purpose::Assess, Purpose::Model]);
    let second = office.withdraw(&bank, now()).await.unwrap();
    assert_eq!(second.consent.act, Act::Withdrawal);
    assert_eq!(office.withdraw(&bank, now()).await.unwrap(), second);

    // Signed, and the connection broke before the answer.
    let kept = Folder::at(folder.path());
    let third = Consent {
        number: 3,
        prev: second.id(),
        made: now(),
        ..first.consent.clone()
    };
    let third = SignedConsent::sign(&kept.key().unwrap(), &third).unwrap();
    kept.keep_waiting_consent(&third).unwrap();
    let fourth = office.grant(&bank, wanted(), now()).await.unwrap();
    assert_eq!(
        (fourth.consent.number, fourth.consent.prev),
        (4, third.id())
    );
    assert_eq!(kept.waiting_consent(&bank).unwrap(), None);
    let all = office.consents(&bank).unwrap();
    assert_eq!(all, [first, second, third, fourth]);

    let unknown: Slug = "third-bank".parse().unwrap();
    let refused = office.grant(&unknown, wanted(), now()).await.unwrap_err();
    let refused = schemas::causes::causes(&refused);
    assert!(refused.contains("bank: no reader"), "{refused}");
    assert_eq!(kept.waiting_consent(&unknown).unwrap(), None);

    std::fs::remove_dir_all(folder.path().join("consents")).unwrap();
    let other = Wanted {
        purposes: vec![Purpose::Assess],
        ..wanted()
    };
    let fork = office.grant(&bank, other, now()).await.unwrap_err();
    let fork = schemas::causes::causes(&fork);
    assert!(fork.contains("number: 1 is taken"), "{fork}");
    office
        .fetch_consents(&bank, COOPERATIVE_TOKEN)
        .await
        .unwrap();
    assert_eq!(office.consents(&bank).unwrap(), all);
    let fifth = office.withdraw(&bank, now()).await.unwrap();
    assert_eq!(fifth.consent.number, 5);
    let supplier = "cooperative".parse().unwrap();
    let there = world.store.consents(&supplier, &bank).await.unwrap();
    assert_eq!(there.len(), 5);
}
