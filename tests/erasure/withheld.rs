//! What organisations withhold by their documents, in a small world of one process.

use platform::bundle::Choice;
use platform::disclosure::{RefusedDisclosure, accept};
use platform::store::erasure::ErasureStore as _;
use schemas::disclosure::{Audience, Disclosure, Rule, SignedDisclosure};
use schemas::event::{CORE_MEMBERS, Source};
use schemas::hash::Hash;
use schemas::log::Entry;
use schemas::proof::{Report, Verdict, VerifiedEvent};
use schemas::registry::State;
use schemas::time::Clock as _;
use serde_json::{Value, json};

use crate::forge::{Paper, device, organisation};
use crate::world::World;
use crate::world::events::{commissioned, measured, shipped};
use crate::world::people::{key_of, next_record};

fn rule(audience: Audience, step: &str, withheld: &[&str]) -> Rule {
    Rule {
        audience,
        step: step.to_owned(),
        withheld: withheld.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// A document of an organisation: each audience's list for all events, in order of audience, and
/// what consumers do not see of shipments.
fn document(world: &World, name: &str, lists: [&[&str]; 4], shipping: &[&str]) -> Disclosure {
    let mut rules: Vec<Rule> = Audience::ALL
        .into_iter()
        .zip(lists)
        .map(|(audience, list)| rule(audience, "", list))
        .collect();
    rules.insert(1, rule(Audience::Consumer, "shipping", shipping));
    Disclosure {
        log: world.policy.log,
        organisation: name.parse().unwrap(),
        version: 1,
        prev: Hash::ZERO,
        made: world.clock.now(),
        rules,
    }
}

async fn hand_in(world: &World, signed: &SignedDisclosure) -> Result<(), RefusedDisclosure> {
    let registry = world.gate.snapshot();
    let bytes = signed.bytes().to_vec();
    let now = world.clock.now();
    accept(&*world.store, &registry, &world.policy.log, bytes, now)
        .await
        .map(drop)
}

async fn seen_by(world: &World, statements: &[Hash], audience: Audience) -> Report {
    let mut choice = Choice::default();
    for id in statements {
        choice.add_statement(*id);
    }
    let made = world.bundler().make_for(&choice, audience).await.unwrap();
    world.verify(&made.bytes).unwrap()
}

fn withheld(event: &VerifiedEvent) -> Vec<&str> {
    let hidden = event.members.iter().filter(|member| member.value.is_none());
    hidden.map(|member| member.name.as_str()).collect()
}

#[tokio::test]
async fn each_organisation_withholds_its_own_from_each_audience() {
    let mut world = World::with_line_1().await;
    world.admit("northroad").await;
    world.enrol("northroad/truck-7").await;
    let sale = world
        .send("qinghe/line-1", &[shipped(), commissioned()])
        .await
        .id();
    let way = world.send("northroad/truck-7", &[measured(4.5)]).await.id();
    world.anchor().await;
    let ids = [sale, way];
    // Without documents a consumer does not see the parties' business, and everybody else all.
    let report = seen_by(&world, &ids, Audience::Consumer).await;
    assert_eq!(report.verdict, Verdict::Verified);
    let all: Vec<_> = report.events.iter().map(withheld).collect();
    assert_eq!(all.concat(), ["tb:invoiceAmount", "tb:invoiceCurrency"]);
    for audience in [Audience::Partner, Audience::Bank, Audience::Regulator] {
        let report = seen_by(&world, &ids, audience).await;
        assert!(report.events.iter().all(|event| withheld(event).is_empty()));
    }
    let lists: [&[&str]; 4] = [&["ilmd"], &["tb:invoiceAmount"], &[], &["bizStep"]];
    let first = document(&world, "qinghe", lists, &["quantityList"]);
    let first = SignedDisclosure::sign(&key_of("qinghe"), &first).unwrap();
    hand_in(&world, &first).await.unwrap();
    hand_in(&world, &first).await.unwrap();
    let of = async |audience| {
        let report = seen_by(&world, &ids, audience).await;
        let own: Vec<String> = report.events[..2]
            .iter()
            .flat_map(withheld)
            .map(str::to_owned)
            .collect();
        let of_other = withheld(&report.events[2]).join(",");
        (report.verdict, own, of_other)
    };
    let none = String::new();
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    // Of the shipment the list of quantities, of the other event what the rule for all events names.
    assert_eq!(
        of(Audience::Consumer).await,
        (
            Verdict::Verified,
            names(&["quantityList", "ilmd"]),
            none.clone()
        )
    );
    assert_eq!(
        of(Audience::Partner).await,
        (
            Verdict::Verified,
            names(&["tb:invoiceAmount"]),
            none.clone()
        )
    );
    assert_eq!(
        of(Audience::Bank).await,
        (Verdict::Verified, names(&[]), none.clone())
    );
    // A core member may be withheld: what that costs is the verdict.
    assert_eq!(
        of(Audience::Regulator).await,
        (Verdict::Incomplete, names(&["bizStep", "bizStep"]), none)
    );
    // The other organisation's document is for its own events alone.
    world.clock.advance(std::time::Duration::from_secs(1));
    let other = document(
        &world,
        "northroad",
        [&["sensorElementList"], &[], &[], &[]],
        &[],
    );
    let other = SignedDisclosure::sign(&key_of("northroad"), &other).unwrap();
    hand_in(&world, &other).await.unwrap();
    let (_, own, of_other) = of(Audience::Consumer).await;
    assert_eq!(
        (own, of_other.as_str()),
        (names(&["quantityList", "ilmd"]), "sensorElementList")
    );
    // The log has both hashes.
    world.anchor().await;
    let entries = platform::store::LogStore::entries(&*world.store, 0, 100)
        .await
        .unwrap();
    let entries = entries.iter().map(|entry| Entry::parse(entry).unwrap());
    let logged: Vec<Hash> = entries
        .filter_map(|entry| match entry {
            Entry::Document { kind, hash, .. } if kind == "disclosure" => Some(hash),
            _ => None,
        })
        .collect();
    assert_eq!(logged, [first.hash(), other.hash()]);
    assert!(world.store.unlogged().await.unwrap().is_empty());
    assert_eq!(world.monitor().await, Vec::<String>::new());
}

#[tokio::test]
async fn only_the_organisations_own_key_and_the_next_version_count() {
    let mut world = World::with_line_1().await;
    let signed = |document: &Disclosure, name: &str| {
        SignedDisclosure::sign(&key_of(name), document).unwrap()
    };
    let none: [&[&str]; 4] = [&[], &[], &[], &[]];
    let first = document(&world, "qinghe", none, &[]);
    let refused = async |world: &World, document: &Disclosure, name: &str| {
        let error = hand_in(world, &signed(document, name)).await.unwrap_err();
        schemas::causes::causes(&error)
    };
    world.admit("northroad").await;
    for stranger in ["northroad", "qinghe/line-1", "association", "nobody"] {
        let error = refused(&world, &first, stranger).await;
        assert!(error.contains("no active key"), "{stranger}: {error}");
    }
    let foreign = Disclosure {
        log: Hash([7; 32]),
        ..first.clone()
    };
    assert!(
        refused(&world, &foreign, "qinghe")
            .await
            .contains("another log")
    );
    let early = Disclosure {
        version: 2,
        prev: Hash([7; 32]),
        ..first.clone()
    };
    assert!(
        refused(&world, &early, "qinghe")
            .await
            .contains("version 1")
    );
    hand_in(&world, &signed(&first, "qinghe")).await.unwrap();
    let rival = Disclosure {
        made: world.clock.now() + std::time::Duration::from_secs(1),
        ..first.clone()
    };
    assert!(refused(&world, &rival, "qinghe").await.contains("version"));
    let next = Disclosure {
        version: 2,
        prev: signed(&first, "qinghe").id(),
        ..first.clone()
    };
    hand_in(&world, &signed(&next, "qinghe")).await.unwrap();
    let qinghe = "qinghe".parse().unwrap();
    let kept = world
        .store
        .disclosure(&qinghe, None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.version, 2);
    // A key that was taken back decides nothing more.
    let registry = world.gate.snapshot();
    let own = registry.key(&key_of("qinghe").kid()).unwrap().clone();
    let gone = next_record(&key_of("association"), &own, State::Suspended);
    world.admit_record(gone.bytes()).await.unwrap();
    let last = Disclosure {
        version: 3,
        prev: signed(&next, "qinghe").id(),
        ..first
    };
    assert!(
        refused(&world, &last, "qinghe")
            .await
            .contains("no active key")
    );
    world.anchor().await;
}

#[tokio::test]
async fn document_is_handed_in_and_read_over_http() {
    let world = World::with_line_1().await;
    let served = world.serve().await;
    let http = reqwest::Client::new();
    let url = format!("{}/v1/disclosure", served.url);
    let lists: [&[&str]; 4] = [&["ilmd"], &[], &[], &[]];
    let signed = document(&world, "qinghe", lists, &[]);
    let signed = SignedDisclosure::sign(&key_of("qinghe"), &signed).unwrap();
    let missing = http.get(format!("{url}/qinghe")).send().await.unwrap();
    assert_eq!(missing.status(), 404);
    let sent = http
        .post(&url)
        .body(signed.bytes().to_vec())
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 200);
    let answer: Value = serde_json::from_slice(&sent.bytes().await.unwrap()).unwrap();
    let expected = json!({"organisation": "qinghe", "version": 1, "hash": signed.hash()});
    assert_eq!(answer, expected);
    for path in ["/qinghe", "/qinghe/1"] {
        let read = http.get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!(read.bytes().await.unwrap(), signed.bytes());
    }
    let mut broken = signed.bytes().to_vec();
    *broken.last_mut().unwrap() ^= 1;
    let huge = vec![0; schemas::disclosure::DISCLOSURE_MAX + 1];
    for (body, status) in [(broken, 403), (b"no COSE".to_vec(), 400), (huge, 413)] {
        let sent = http.post(&url).body(body).send().await.unwrap();
        assert_eq!(sent.status(), status);
    }
    let lists = http
        .get(format!("{}/v1/tombstones", served.url))
        .send()
        .await
        .unwrap();
    assert_eq!(lists.text().await.unwrap(), "[]");
    let none = format!("{}/v1/tombstones/{}", served.url, "ab".repeat(32));
    assert_eq!(http.get(none).send().await.unwrap().status(), 404);
}

/// All 1,024 subsets of an event's ten members: each verifies, with leaf and path unchanged, and is
/// incomplete exactly if a core member that is there is withheld.
#[test]
fn every_subset_of_ten_members_verifies() {
    let event = commissioned();
    let names: Vec<&String> = event.as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 10, "{names:?}");
    let key = key_of("qinghe/line-1");
    let mut leaves = std::collections::BTreeSet::new();
    for hidden in 0_u32..1 << 10 {
        let place = |name: &str| names.iter().position(|known| *known == name).unwrap();
        let is_hidden = |name: &str| hidden >> place(name) & 1 == 1;
        let parsed = schemas::event::Event::parse(event.to_string().into_bytes()).unwrap();
        let salt = schemas::event::Salt([7; 16]);
        let rows = schemas::proof::member_rows(&parsed, &salt, is_hidden);
        let record = device("qinghe/line-1", &key, &key_of("qinghe"));
        let paper = Paper::saying(
            key.clone(),
            record,
            organisation("qinghe"),
            Source::Scan,
            rows,
        );
        let report = paper.verify().unwrap();
        leaves.insert(report.events[0].leaf);
        let core = CORE_MEMBERS
            .iter()
            .any(|name| event.get(name).is_some() && is_hidden(name));
        let expected = if core {
            Verdict::Incomplete
        } else {
            Verdict::Verified
        };
        assert_eq!(report.verdict, expected, "{hidden:b}");
        assert_eq!(report.events[0].complete, !core);
        let shown = withheld(&report.events[0]).len();
        assert_eq!(shown, hidden.count_ones() as usize);
    }
    assert_eq!(leaves.len(), 1, "what is withheld does not change the leaf");
}
