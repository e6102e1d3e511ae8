//! The verifier's script as a document of the log, and as a file of every origin.

use schemas::hash::{Hash, sha256};
use schemas::log::{Entry, entry_hash};
use schemas::note::Note;
use schemas::tlog::{LogTree, verify_inclusion};
use serde_json::Value;

use super::pages::{PEACHES, peaches};
use crate::world::World;

async fn get(url: &str) -> Vec<u8> {
    let answer = reqwest::get(url).await.unwrap();
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    answer.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn hash_of_the_script_is_a_witnessed_entry_of_the_log() {
    let (mut world, served) = peaches().await;
    world.anchor().await;
    let told: Value =
        serde_json::from_slice(&get(&format!("{}/v1/verifier", served.url)).await).unwrap();
    // The hash is that of the list, and the list names every part as it is served.
    let list = get(&format!("{}{}", served.url, told["list"].as_str().unwrap())).await;
    let hash: Hash = told["sha256"].as_str().unwrap().parse().unwrap();
    assert_eq!(hash, sha256(&list));
    let mut lines = String::new();
    for part in told["parts"].as_array().unwrap() {
        let path = part["path"].as_str().unwrap();
        let found = sha256(&get(&format!("{}{path}", served.url)).await);
        assert_eq!(part["sha256"], found.to_string());
        lines.push_str(&format!("{found}  {}\n", part["name"].as_str().unwrap()));
    }
    assert_eq!(lines.as_bytes(), list);

    // The entry that is named says the same, and is in the tree of the checkpoint that is served.
    let index = told["index"].as_u64().unwrap();
    let tile = get(&format!(
        "{}/log/tile/entries/000.p/{}",
        served.url,
        size(&world).await
    ))
    .await;
    let entry = entries(&tile).remove(usize::try_from(index).unwrap());
    let Entry::Document {
        kind, hash: logged, ..
    } = Entry::parse(&entry).unwrap()
    else {
        panic!("entry {index} is no document");
    };
    assert_eq!((kind.as_str(), logged), (kit::verifier::KIND, hash));
    let note = Note::parse(&get(&format!("{}/log/checkpoint", served.url)).await).unwrap();
    let checkpoint = &note.checkpoint;
    let path = world
        .notary
        .tree
        .read(|tree| tree.inclusion(index, checkpoint.size));
    verify_inclusion(
        entry_hash(&entry),
        index,
        checkpoint.size,
        &path.unwrap(),
        checkpoint.root,
    )
    .unwrap();
    note.check_served(&world.policy).unwrap();
}

#[tokio::test]
async fn script_is_logged_once_and_again_when_it_changes() {
    let world = World::start().await;
    let size = || world.notary.tree.read(LogTree::size);
    let record = async |text: &str| {
        let hash = sha256(text.as_bytes());
        world
            .notary
            .record_document("verifier-script", hash)
            .await
            .unwrap()
    };
    let begun = size();
    assert_eq!(record("one").await, begun);
    assert_eq!((record("one").await, size()), (begun, begun + 1));
    assert_eq!(record("two").await, begun + 1);
    // What was served before is not what is served now: the newest entry counts.
    assert_eq!(record("one").await, begun + 2);
    let other = world.notary.record_document("report", sha256(b"one")).await;
    assert_eq!((other.unwrap(), size()), (begun + 3, begun + 4));
}

/// The same bytes from the platform and from every witness, to be kept for ever by their hash.
#[tokio::test]
async fn witnesses_serve_the_very_same_verifier() {
    let (world, served) = peaches().await;
    let mut origins: Vec<String> = world
        .witnesses
        .sections()
        .into_iter()
        .map(|one| one.url)
        .collect();
    origins.push(served.url.clone());
    let page = get(&format!("{}/verify", served.url)).await;
    for origin in &origins {
        assert_eq!(get(&format!("{origin}/verify")).await, page);
        for part in kit::verifier::parts() {
            let href = format!("{origin}{}", part.href());
            let answer = reqwest::get(&href).await.unwrap();
            assert_eq!(
                answer.headers()["cache-control"],
                "public, max-age=31536000, immutable"
            );
            assert_eq!(
                answer.headers()["content-type"],
                "text/javascript; charset=utf-8"
            );
            let policy = answer.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .to_owned();
            assert!(policy.contains("script-src 'self'"), "{policy}");
            assert_eq!(answer.bytes().await.unwrap(), part.text.as_bytes());
            let bare = reqwest::get(href.split('?').next().unwrap()).await.unwrap();
            assert_eq!(bare.headers()["cache-control"], "no-cache");
        }
    }
    // The product page leads to each of them and says who runs it.
    let html = String::from_utf8(get(&format!("{}{PEACHES}?lang=en", served.url)).await).unwrap();
    for section in world.witnesses.sections() {
        let link = format!("href=\"{}/verify\"", section.url);
        assert!(html.contains(&link), "{link}");
        let words = format!("{}, run by this platform&#39;s operator", section.name);
        assert!(html.contains(&words), "{words}");
    }
}

async fn size(world: &World) -> u64 {
    world.notary.tree.read(LogTree::size)
}

/// Entries of a tile: each `u16be(length) || entry`.
fn entries(mut tile: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = tile.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        entries.push(entry.to_vec());
        tile = rest;
    }
    entries
}
