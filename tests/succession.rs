//! The log changes a witness, then its key: real witnesses, a real store, the platform's notary.
//! Bundles across it verify for whoever trusts any of the policies, and keys of former witnesses
//! are worth nothing.

use std::sync::Arc;

use edge_agent::follow::Followed;
use kit::clock::TokioClock;
use platform::anchor::{Approval, NotaryError, SuccessionError, terms};
use platform::bundle::Choice;
use platform::command::policy::{self as command, PolicyError};
use platform::config::Config;
use platform::keys::Keys;
use platform::policies::Reign;
use platform::registry::AdmitError;
use platform::service::{self, StartError};
use platform::store::LogStore as _;
use schemas::hash::{Hash, sha256};
use schemas::log::{Entry, Policy, PolicyChain, PolicyHandover, PolicyLink};
use schemas::note::{Checkpoint, Note};
use schemas::proof::{self, Bundle, Bytes, CheckpointRow, Class, Version, select};
use schemas::registry::State;
use schemas::time::Clock as _;
use schemas::tlog::LogTree;
use tokio_util::sync::CancellationToken;

use crate::world::World;
use crate::world::clock::HandClock;
use crate::world::events::{commissioned, inspected};
use crate::world::people::{key_of, next_record, party};
use crate::world::witnesses::{NAMES, Witnesses, next_log_key};

/// The policy without its first witness.
fn fewer(policy: &Policy) -> Policy {
    Policy {
        witnesses: NAMES[1..].iter().map(|name| party(name)).collect(),
        quorum: 2,
        ..policy.clone()
    }
}

/// The same under the next log key.
fn other_key(policy: &Policy) -> Policy {
    Policy {
        log_key: next_log_key(&policy.origin).public(),
        ..policy.clone()
    }
}

/// The operator's word that this policy may follow the one in force.
fn approved(world: &World, next: &Policy) -> Option<Approval> {
    Some(Approval {
        after: world.notary.succession.policies.newest().hash(),
        terms: terms(next),
    })
}

async fn succeed(world: &mut World, next: &Policy) {
    let word = approved(world, next);
    world.restart(next, word, &NAMES).await.unwrap();
    world.anchor().await;
}

/// One statement under each of three policies.
async fn three_policies() -> (World, Vec<Hash>) {
    let mut world = World::with_line_1().await;
    let mut ids = vec![world.send("qinghe/line-1", &[commissioned()]).await.id()];
    world.anchor().await;
    let second = fewer(&world.policy);
    succeed(&mut world, &second).await;
    ids.push(world.send("qinghe/line-1", &[inspected(1)]).await.id());
    world.anchor().await;
    succeed(&mut world, &other_key(&second)).await;
    ids.push(world.send("qinghe/line-1", &[inspected(2)]).await.id());
    world.anchor().await;
    (world, ids)
}

async fn store_size(world: &World) -> u64 {
    world.store.log_head().await.unwrap().unwrap().0
}

async fn bundle(world: &World, ids: &[Hash]) -> Vec<u8> {
    let mut choice = Choice {
        fresh: true,
        ..Choice::default()
    };
    ids.iter().for_each(|id| choice.add_statement(*id));
    world
        .bundler()
        .make(&choice, |_| false)
        .await
        .unwrap()
        .bytes
}

#[tokio::test]
async fn bundles_across_successions_verify_for_readers_of_any_policy() {
    let (world, ids) = three_policies().await;
    let chain = world.notary.succession.policies.in_force();
    assert_eq!(chain.len(), 3);
    let bytes = bundle(&world, &ids).await;
    let form = Bundle::parse(&bytes).unwrap();
    assert_eq!(form.version, Version::V2);
    assert!(form.fresh.is_some());
    for reign in &chain {
        let report = proof::verify(&bytes, Some(&reign.entry)).unwrap();
        assert_eq!(report.policy, chain[2].policy);
        assert_eq!(report.statements.len(), 3);
    }
    // Each statement keeps the time at which the witnesses of its day anchored it.
    let report = world.verify(&bytes).unwrap();
    let anchored: Vec<_> = report.statements.iter().map(|one| one.anchored).collect();
    assert!(anchored.is_sorted() && anchored[0] < anchored[2]);
    for (place, event) in report.events.iter().enumerate() {
        let part = select(&bytes, &[event.leaf].into()).unwrap();
        let alone = world.verify(&part).unwrap();
        assert_eq!(alone.statements[0].anchored, anchored[place]);
    }
    assert_eq!(world.monitor().await, Vec::<String>::new());
}

/// A note by the first log key, cosigned by all its witnesses.
fn signed_by_the_first(world: &World, size: u64, root: Hash) -> Note {
    let origin = world.policy.origin.clone();
    let key = key_of(origin.as_str());
    let mut note = Note::sign(Checkpoint { origin, size, root }, &key);
    for name in NAMES {
        let line = note.cosign(name, &key_of(name), world.policy.time);
        note.lines.push(line);
    }
    note
}

#[tokio::test]
async fn former_witnesses_and_a_former_log_key_sign_nothing_new() {
    let (world, ids) = three_policies().await;
    let good = Bundle::parse(&bundle(&world, &ids[2..]).await).unwrap();
    let entry = world.policy_entry();
    let class = |bundle: &Bundle| {
        let outcome = proof::verify(&bundle.to_json().unwrap(), Some(&entry));
        outcome.unwrap_err().class
    };
    let size = good.headers[0].index + 1;
    let forged = |size: u64, root: Hash| CheckpointRow {
        note: Bytes(signed_by_the_first(&world, size, root).encode()),
        policy: 0,
        prefix: Vec::new().into(),
    };
    let root = world.notary.tree.read(|tree| tree.root(size)).unwrap();
    let mut bundle = good.clone();
    if bundle.checkpoints.len() == 1 {
        let last = bundle.checkpoints[0].clone();
        bundle.checkpoints.insert(0, last);
    }
    bundle.checkpoints[0] = forged(size, root);
    bundle.headers[0].checkpoint = 0;
    assert_eq!(class(&bundle), Class::Checkpoint);
    // Below the end of their time, they can only repeat what the log was.
    let end = world.notary.succession.policies.chain()[1].index;
    bundle.checkpoints[0] = forged(end, sha256(b"another history"));
    assert_eq!(class(&bundle), Class::LogPath);
}

#[tokio::test]
async fn who_trusts_the_first_policy_follows_the_hand_overs() {
    let (world, _) = three_policies().await;
    let served = world.serve().await;
    let answer = reqwest::get(format!("{}/v1/policies", served.url)).await;
    let text = answer.unwrap().bytes().await.unwrap();
    let chain = PolicyChain::parse(&text).unwrap();
    let (entry, policy) = chain.follow(&world.policy_entry()).unwrap();
    let newest = world.notary.succession.policies.newest();
    assert_eq!((entry, policy), (newest.entry, newest.policy));
    let mut broken = chain.clone();
    broken.policies[2].handover = broken.policies[1].handover.clone();
    assert!(broken.follow(&world.policy_entry()).is_err());
    broken.policies.remove(1);
    assert!(broken.follow(&world.policy_entry()).is_err());
    assert!(chain.follow(b"a stranger's").is_err());
}

#[tokio::test]
async fn a_gateway_is_led_to_the_newest_policy_and_not_behind_the_end_of_an_old_one() {
    let (world, _) = three_policies().await;
    let chain = world.notary.succession.policies.in_force();
    let link = |reign: &Reign| PolicyLink {
        index: reign.index,
        entry: reign.entry.clone(),
        handover: reign.handover.clone().map(|note| PolicyHandover {
            note,
            path: (world.notary.tree)
                .read(|tree| tree.inclusion(reign.index, reign.index + 1))
                .unwrap()
                .into(),
        }),
    };
    let served = PolicyChain {
        tracebond: "policies/v1".into(),
        policies: chain.iter().map(link).collect(),
    };
    let first = world.policy_entry();
    let alone = Followed::only(world.policy.clone());
    let led = Followed::along(&first, &served).unwrap();
    assert_eq!(led.newest(), chain[2].policy);
    let newest = world.store.newest_checkpoint().await.unwrap().unwrap();
    assert!(led.check_note(&newest.note).is_ok());
    assert!(alone.check_note(&newest.note).is_err());
    // What came under the first policy still counts, what its keys sign now does not.
    let earliest = world.store.checkpoint_covering(0).await.unwrap().unwrap();
    assert!(led.check_note(&earliest.note).is_ok());
    // Three of its witnesses are those of the second policy too: behind the end of that one.
    let size = chain[2].index + 1;
    let root = world.notary.tree.read(|tree| tree.root(size)).unwrap();
    let late = signed_by_the_first(&world, size, root).encode();
    assert!(alone.check_note(&late).is_ok());
    assert!(led.check_note(&late).is_err());
}

#[tokio::test]
async fn a_policy_follows_only_where_it_was_approved_after_the_one_in_force() {
    let mut world = World::with_line_1().await;
    let next = fewer(&world.policy);
    let size = store_size(&world).await;
    let stale = Approval {
        after: sha256(b"another policy"),
        terms: terms(&next),
    };
    for word in [None, Some(stale)] {
        let refused = world.restart(&next, word, &NAMES).await.unwrap_err();
        assert!(
            matches!(
                &refused,
                NotaryError::Succession(SuccessionError::NotApproved)
            ),
            "{refused:?}"
        );
    }
    assert_eq!(store_size(&world).await, size, "nothing was appended");
}

#[tokio::test]
async fn no_active_organisation_is_left_without_a_registrar() {
    let mut world = World::with_line_1().await;
    let next = Policy {
        registrars: vec![party("chamber")],
        ..world.policy.clone()
    };
    let word = approved(&world, &next);
    let refused = world.restart(&next, word, &NAMES).await.unwrap_err();
    assert!(
        matches!(&refused, NotaryError::Succession(SuccessionError::LeftOut(who)) if who.contains("qinghe")),
        "{refused:?}"
    );
    let kid = key_of("qinghe").kid();
    let record = world.gate.snapshot().key(&kid).unwrap().clone();
    let suspended = next_record(&key_of("association"), &record, State::Suspended);
    world.admit_record(suspended.bytes()).await.unwrap();
    world.anchor().await;
    succeed(&mut world, &next).await;
    let refused = world.admit_record(suspended.bytes()).await;
    assert!(refused.is_ok(), "known already");
    let back = next_record(&key_of("association"), &suspended, State::Active);
    let refused = world.admit_record(back.bytes()).await;
    assert!(matches!(refused, Err(AdmitError::Registrar)), "{refused:?}");
    let back = next_record(&key_of("chamber"), &suspended, State::Active);
    world.admit_record(back.bytes()).await.unwrap();
}

#[tokio::test]
async fn an_interrupted_succession_goes_on_where_it_was() {
    let mut world = World::with_line_1().await;
    let id = world.send("qinghe/line-1", &[commissioned()]).await.id();
    world.anchor().await;
    let size = world.notary.tree.read(LogTree::size);
    let next = fewer(&world.policy);
    let word = approved(&world, &next);
    // The policy gets into the log, but too few witnesses answer for the hand-over.
    for _ in 0..2 {
        let refused = world.restart(&next, word, &NAMES[..2]).await.unwrap_err();
        assert!(
            matches!(
                &refused,
                NotaryError::Succession(SuccessionError::NotHandedOver)
            ),
            "{refused:?}"
        );
        assert_eq!(store_size(&world).await, size + 1);
    }
    // Not even the operator's second thought leads back: the log says what comes next.
    let first = world.policy.clone();
    let refused = world.restart(&first, None, &NAMES).await.unwrap_err();
    assert!(matches!(
        &refused,
        NotaryError::Succession(SuccessionError::NotApproved)
    ));
    world.restart(&next, word, &NAMES).await.unwrap();
    assert_eq!(store_size(&world).await, size + 1);
    world.anchor().await;
    // Once more changes nothing.
    world.restart(&next, word, &NAMES).await.unwrap();
    assert_eq!(store_size(&world).await, size + 1);
    let bytes = bundle(&world, &[id]).await;
    let report = world.verify(&bytes).unwrap();
    let entry = world.notary.succession.policies.newest().entry;
    assert_eq!(Entry::Policy(report.policy).encode(), entry);
}

/// A platform as it is run, with real witnesses; its configuration is a text.
struct Site {
    folder: tempfile::TempDir,
    witnesses: Witnesses,
}

const ORIGIN: &str = "log.example.org/site";

impl Site {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let origin = ORIGIN.parse().unwrap();
        // The platform has a real clock, and takes no cosignature of another day.
        let clock = Arc::new(HandClock::morning());
        clock.advance(TokioClock.now().since(clock.now()));
        let keys = Keys::load_or_make(&folder.path().join("data/keys")).unwrap();
        let witnesses = Witnesses::start(folder.path(), &origin, &keys.log, &clock).await;
        Self { folder, witnesses }
    }

    /// The configuration with these lines on top, the first witness as said.
    fn config(&self, lines: &str, first: &str) -> Config {
        let data = self.folder.path().join("data");
        let mut text = format!(
            "origin = \"{ORIGIN}\"\ndata = {data:?}\norganisation = \"operator\"\n{lines}\n"
        );
        for (place, section) in self.witnesses.sections().iter().enumerate() {
            let more = if place == 0 { first } else { "" };
            text += &format!(
                "[[witness]]\nname = \"{}\"\nurl = \"{}\"\nkey = \"{}\"\n{more}\n",
                section.name, section.url, section.key
            );
        }
        let registrar = hex::encode(key_of("association").public_bytes());
        text += &format!("[[registrar]]\nname = \"association\"\nkey = \"{registrar}\"\n");
        Config::parse("platform.toml", &text).unwrap()
    }

    /// Starts the platform and ends it; the policy that was in force.
    async fn run(&self, config: &Config) -> Result<Policy, StartError> {
        let shutdown = CancellationToken::new();
        let clock = Arc::new(TokioClock);
        let handle = service::run(config.clone(), clock, shutdown.clone()).await?;
        let policy = handle.policy.clone();
        shutdown.cancel();
        handle.join().await;
        Ok(policy)
    }
}

#[tokio::test]
async fn the_operator_prepares_activates_and_starts_with_the_next_policy() {
    let site = Site::new().await;
    let first = site.config("quorum = 3", "");
    assert_eq!(site.run(&first).await.unwrap().prev, None);
    assert!(matches!(
        command::next(&first).await,
        Err(PolicyError::Same)
    ));

    let (name, _) = command::new_key(&first).unwrap();
    assert_eq!(name, "log-2");
    assert_eq!(
        site.run(&first).await.unwrap().prev,
        None,
        "a key alone changes nothing"
    );
    let changed = site.config("quorum = 2", "retiring = true");
    let refused = site.run(&changed).await.unwrap_err();
    let expected = matches!(
        &refused,
        StartError::Log(NotaryError::Succession(SuccessionError::NotApproved))
    );
    assert!(expected, "{refused:?}");
    let next = command::next(&changed).await.unwrap();
    let words = next.words();
    assert!(words.contains("without witness w1.example"), "{words}");
    assert!(words.contains("quorum 2 instead of 3"), "{words}");
    let other = command::activate(&changed, sha256(b"other terms")).await;
    assert!(
        matches!(other, Err(PolicyError::OtherTerms(_))),
        "{other:?}"
    );
    command::activate(&changed, next.terms).await.unwrap();
    let policy = site.run(&changed).await.unwrap();
    assert_eq!((policy.quorum, policy.witnesses.len()), (2, 3));
    assert_eq!(policy.prev.unwrap().0, next.now.hash());
    assert_eq!(site.run(&changed).await.unwrap(), policy, "once");

    let shown = command::show(&changed).await.unwrap();
    assert_eq!(shown.matches("in force behind it").count(), 2, "{shown}");
}
