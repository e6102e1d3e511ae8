//! An erased event goes the whole way first: a real agent signs it, real processes store, anchor
//! and witness it. Then `platform erase` removes it, and nothing that anybody keeps lets one read
//! or guess what it said, while every other proof holds.

mod restored;
mod search;
mod withheld;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use credit::evidence::chain::{Missing, gaps};
use credit::evidence::verify::{TrustedPolicy, verify};
use schemas::hash::Hash;
use schemas::log::PolicyFile;
use schemas::proof::{self, Report, Verdict, VerifiedEvent};
use schemas::tombstone::{TombstoneList, list_hash};
use serde_json::{Value, json};

use crate::kill::process::{DEADLINE, until};
use crate::kill::scanner::item;
use crate::kill::site::On;
use crate::kill::world::World;
use search::Needles;

/// Lines of the scanner before the story's own.
const LINES: u32 = 6;
/// Stands in the event and nowhere else.
const MARKER: &str = "MARKER-7f3ac1-sold-to-a-person";
/// A value of which there are few.
const AMOUNT: &str = "12.50";

/// Two lines in one write, so that the agent signs them together: the event, and a neighbour about
/// the same thing.
fn lines() -> String {
    let of = |extra: Value| json!({"step": "storing", "items": [item(2)], "extra": extra});
    let marked = of(json!({"tb:buyer": MARKER, "tb:amount": AMOUNT}));
    let plain = of(json!({"tb:round": 2}));
    format!("{marked}\n{plain}\n")
}

async fn scanned(world: &World) -> Result<()> {
    world.scanner.allow(LINES);
    world.settled(LINES).await?;
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(world.gateway.scans())?;
    file.write_all(lines().as_bytes())?;
    file.sync_all()?;
    until("everything is taken over", DEADLINE, async || {
        let outbox = world.gateway.outbox().await?;
        let settled = outbox.is_some_and(|outbox| {
            outbox.lines == i64::from(LINES) + 2 && outbox.events + outbox.statements == 0
        });
        Ok(settled.then_some(()))
    })
    .await
}

fn marked(report: &Report) -> Result<&VerifiedEvent> {
    let buyer = |event: &&VerifiedEvent| event.value("tb:buyer") == Some(MARKER.into());
    report.events.iter().find(buyer).context("no marked event")
}

/// The story, on one engine.
async fn story(world: &mut World) -> Result<()> {
    world.gateway.start()?;
    scanned(world).await?;
    let evidence = world.operator.evidence(&world.organisation).await?;
    let before = proof::verify(&evidence, Some(world.operator.policy()))?;
    ensure!(before.verdict == Verdict::Verified, "{}", before.verdict);
    let event = marked(&before)?;
    let together = before
        .events
        .iter()
        .filter(|one| one.statement == event.statement);
    ensure!(
        together.count() > 1,
        "the event stands alone in its statement"
    );
    let needles = Needles::of(event, world).await?;
    needles.must_be_found(world).await?;
    needles.must_be_in("an answer of the platform", &answers(world).await?)?;

    let leaf = event.leaf.to_string();
    dry_run_and_refusals(world, &leaf).await?;
    let arguments = ["--leaf", &leaf, "--reason", "subject-request"];
    let said = world.operator.erase(&arguments).await?;
    ensure!(
        said.success && said.out.starts_with("1 events erased"),
        "{said:?}"
    );
    let list = logged(world, &event.leaf).await?;
    let again = world.operator.erase(&arguments).await?;
    ensure!(
        again.success && again.out.starts_with("0 events erased"),
        "{again:?}"
    );
    ensure!(
        lists(world).await?.len() == 1,
        "a second erasure makes no list"
    );

    others_hold(world, &before, &event.leaf).await?;
    pages_say_so(world, &event.leaf).await?;
    let answers = answers(world).await?;
    needles.must_not_be_in("an answer of the platform", &answers)?;
    until("the outbox has forgotten it", DEADLINE, async || {
        Ok(needles
            .first_in(&world.gateway.state())?
            .is_none()
            .then_some(()))
    })
    .await?;
    needles.must_be_gone(world).await?;
    restarted(world, &list).await?;
    needles.must_be_gone(world).await?;
    world.gateway.stop(crate::kill::END).await?;
    world.operator.stop(Duration::from_secs(20)).await?;
    needles.must_be_gone(world).await
}

/// A dry run changes nothing, an unknown leaf is said, a sentence is no reason.
async fn dry_run_and_refusals(world: &World, leaf: &str) -> Result<()> {
    let dry = ["--leaf", leaf, "--reason", "subject-request", "--dry-run"];
    let said = world.operator.erase(&dry).await?;
    ensure!(
        said.success && said.out.contains("1 events would be erased"),
        "{said:?}"
    );
    let unknown = "ab".repeat(32);
    let said = world
        .operator
        .erase(&["--leaf", leaf, &unknown, "--reason", "r"])
        .await?;
    let expected = format!("no event of this platform has the leaf {unknown}; nothing was erased");
    ensure!(!said.success && said.err.contains(&expected), "{said:?}");
    let said = world
        .operator
        .erase(&["--leaf", leaf, "--reason", "she asked us to"])
        .await?;
    ensure!(!said.success && said.err.contains("--reason"), "{said:?}");
    ensure!(lists(world).await?.is_empty(), "something was erased");
    let evidence = world.operator.evidence(&world.organisation).await?;
    marked(&proof::verify(&evidence, Some(world.operator.policy()))?).map(drop)
}

async fn lists(world: &World) -> Result<Vec<Value>> {
    let answer = world.operator.get("/v1/tombstones", "").await?;
    Ok(serde_json::from_slice(&answer)?)
}

/// The running platform puts the list into the log, serves it, and keeps it beside the log.
async fn logged(world: &World, leaf: &Hash) -> Result<Hash> {
    let row = until("the list is in the log", DEADLINE, async || {
        Ok(lists(world).await?.into_iter().next())
    })
    .await?;
    let hash: Hash = row["hash"].as_str().context("hash")?.parse()?;
    let bytes = world
        .operator
        .get(&format!("/v1/tombstones/{hash}"), "")
        .await?;
    ensure!(list_hash(&bytes) == hash);
    let list = TombstoneList::parse(&bytes)?;
    ensure!(
        list.leaves == [*leaf] && list.reason == "subject-request",
        "{list:?}"
    );
    let file = world.operator.data().join(format!("log/tombstones/{hash}"));
    ensure!(std::fs::read(file)? == bytes, "another file beside the log");
    let index = row["index"].as_u64().context("index")?;
    until("the entry is witnessed", DEADLINE, async || {
        let note = world.operator.get("/log/checkpoint", "").await?;
        let note = schemas::note::Note::parse(&note)?;
        Ok((note.checkpoint.size > index).then_some(()))
    })
    .await?;
    Ok(hash)
}

/// Every other event proves as before, the erased one is wholly withheld, and the bank counts it.
async fn others_hold(world: &World, before: &Report, leaf: &Hash) -> Result<()> {
    let evidence = world.operator.evidence(&world.organisation).await?;
    let after = proof::verify(&evidence, Some(world.operator.policy()))?;
    ensure!(after.verdict == Verdict::Incomplete, "{}", after.verdict);
    let leaves = |report: &Report| -> BTreeSet<Hash> {
        report.events.iter().map(|event| event.leaf).collect()
    };
    ensure!(leaves(&after) == leaves(before), "leaves have changed");
    for event in &after.events {
        let withheld = event.members.is_empty();
        ensure!(withheld == (event.leaf == *leaf), "{event:?}");
    }
    let found = world.operator.fsck().await?;
    ensure!(found.success, "{found:?}");
    let said = world.operator.verify(&evidence).await?;
    ensure!(said.out.contains("INCOMPLETE"), "{said:?}");
    let policy = serde_json::to_vec(&PolicyFile::new(world.operator.policy().to_vec()))?;
    let trusted = TrustedPolicy::parse(&policy)?;
    let verified = verify(&evidence, &trusted)?;
    let end = verified.anchored;
    let missing = gaps(
        &verified,
        &world.organisation,
        end,
        Duration::from_secs(3_600),
    );
    let withheld = |one: &&credit::evidence::chain::Gap| {
        matches!(one.missing, Missing::Withheld { events: 1, .. })
    };
    ensure!(missing.iter().filter(withheld).count() == 1, "{missing:?}");
    Ok(())
}

/// Path of the page of the thing that both lines name.
fn path() -> String {
    item(2).trim_start_matches("https://id.gs1.org").to_owned()
}

async fn pages_say_so(world: &World, leaf: &Hash) -> Result<()> {
    for (lang, words) in [("en", "Erased on request"), ("zh-CN", "已应请求删除")] {
        let page = world
            .operator
            .get(&format!("{}?lang={lang}", path()), "")
            .await?;
        let page = String::from_utf8(page)?;
        ensure!(
            page.contains(words) && page.contains(&leaf.to_string()),
            "{lang}: {page}"
        );
    }
    let bundle = world
        .operator
        .get(&format!("/v1/bundles/item?key={}", item(2)), "")
        .await?;
    let report = proof::verify(&bundle, Some(world.operator.policy()))?;
    ensure!(report.verdict == Verdict::Incomplete && report.events.len() == 3);
    Ok(())
}

/// Everything that the platform answers about the thing, its neighbours and the log.
async fn answers(world: &World) -> Result<Vec<u8>> {
    let mut all = world.operator.evidence(&world.organisation).await?;
    for path in [
        path(),
        format!("/v1/bundles/item?key={}", item(2)),
        format!("/v1/bundles/item?key={}", item(3)),
        "/".to_owned(),
        "/v1/tombstones".to_owned(),
        "/v1/chains".to_owned(),
        "/v1/totals".to_owned(),
        "/health".to_owned(),
    ] {
        all.extend(world.operator.get(&path, "").await?);
    }
    Ok(all)
}

/// A platform that starts again finds nothing to do, and the list where it was.
async fn restarted(world: &mut World, list: &Hash) -> Result<()> {
    world.operator.stop(Duration::from_secs(20)).await?;
    let file = world.operator.data().join(format!("log/tombstones/{list}"));
    std::fs::remove_file(&file)?;
    world.operator.start().await?;
    ensure!(file.exists(), "the list is not beside the log again");
    ensure!(lists(world).await?.len() == 1);
    Ok(())
}

#[tokio::test]
async fn erased_event_keeps_proofs() {
    World::tell_on(On::default(), 71, LINES, story).await;
}

#[tokio::test]
async fn erased_event_keeps_proofs_on_postgresql() {
    let on = On {
        postgres: true,
        ..On::default()
    };
    World::tell_on(on, 72, LINES, story).await;
}
