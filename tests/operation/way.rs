//! One `grep` by a statement's id tells its whole way; and every series that a real run counts is
//! one that is described, with its labels, and not many of each.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use kit::metrics::Kind;
use serde_json::Value;

use crate::kill::END;
use crate::kill::process::{DEADLINE, until};
use crate::kill::site::On;
use crate::kill::world::World;

const LINES: u32 = 60;
/// Most series of one name: labels are words of ours, never a stranger's.
const SERIES: usize = 200;
/// The stations of a statement.
const WAY: [&str; 5] = [
    "message received",
    "statement stored",
    "receipt signed",
    "statement anchored",
    "statement witnessed, its device told",
];

/// The lines of each statement, in order.
fn ways(log: &str) -> Result<BTreeMap<String, Vec<Value>>> {
    let mut ways: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    // The last line may still be on its way.
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for line in whole.lines() {
        let line: Value =
            serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        if let Some(id) = line["statement"].as_str() {
            ways.entry(id.to_owned()).or_default().push(line.clone());
        }
    }
    Ok(ways)
}

fn whole(lines: &[Value]) -> bool {
    WAY.iter()
        .all(|word| lines.iter().any(|line| line["message"] == *word))
}

async fn story(world: &mut World) -> Result<()> {
    world.gateway.start()?;
    world.scanner.allow(LINES);
    world.settled(LINES).await?;
    let ways = until("every way is whole", DEADLINE, async || {
        let ways = ways(&world.operator.log()?)?;
        Ok(ways.values().all(|lines| whole(lines)).then_some(ways))
    })
    .await?;
    ensure!(!ways.is_empty(), "no way at all");
    for (id, lines) in &ways {
        let place = |word: &str| lines.iter().position(|line| line["message"] == word);
        let [received, stored, receipt, anchored, told] = WAY.map(place);
        // The notary need not wait for the receipt.
        ensure!(
            received < stored && stored < receipt && stored < anchored && anchored < told,
            "{id}: {lines:#?}"
        );
        let station = |word: &str| place(word).map(|at| &lines[at]).context("no line");
        let anchored = station("statement anchored")?;
        let told = station("statement witnessed, its device told")?;
        for name in ["shard", "batch", "position", "log_index"] {
            ensure!(anchored[name].is_u64(), "{name}: {anchored}");
        }
        ensure!(
            anchored["log_index"] == told["log_index"],
            "{anchored} {told}"
        );
        ensure!(
            told["witnessed_size"].as_u64() > told["log_index"].as_u64(),
            "{told}"
        );
        ensure!(station("statement stored")?["device"] == "qinghe/line-1");
    }
    described(&world.operator.metrics().await?)?;
    world.gateway.stop(END).await?;
    world.operator.stop(END).await
}

/// Everything that is counted is described: name, kind, help, labels.
fn described(text: &str) -> Result<()> {
    let mut series: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let end = line.find(['{', ' ']).context("no name")?;
        let (name, rest) = line.split_at(end);
        let known = platform::metrics::ALL.iter().find(|one| match one.kind {
            Kind::Histogram => name
                .strip_prefix(one.name)
                .is_some_and(|end| ["_bucket", "_sum", "_count"].contains(&end)),
            _ => name == one.name,
        });
        let known = known.with_context(|| format!("not described: {line}"))?;
        let labels = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        for label in labels.iter().flat_map(|(labels, _)| labels.split("\",")) {
            let (label, _) = label.split_once('=').context("no label")?;
            let fits = label == "le" || known.labels.contains(&label);
            ensure!(fits, "{label} of {name} is not described");
        }
        let (kind, help) = (
            format!("# TYPE {} ", known.name),
            format!("# HELP {} ", known.name),
        );
        ensure!(
            text.contains(&kind) && text.contains(&help),
            "{name} has no help"
        );
        *series.entry(name).or_default() += 1;
    }
    let most = series.iter().find(|(_, count)| **count > SERIES);
    ensure!(most.is_none(), "too many series: {most:?}");
    for name in [
        "tracebond_statements_total",
        "tracebond_events_total",
        "tracebond_receipts_total",
        "tracebond_inclusions_total",
        "tracebond_batches_total",
        "tracebond_log_size",
        "tracebond_witness_up",
        "tracebond_link_up",
        "tracebond_broker_connections",
        "tracebond_broker_backlog_bytes",
        "tracebond_http_answers_total",
    ] {
        ensure!(series.contains_key(name), "{name} was not counted");
    }
    Ok(())
}

#[tokio::test]
async fn one_grep_tells_a_statements_whole_way() {
    let on = On {
        watched: true,
        ..On::default()
    };
    World::tell_on(on, 41, LINES, story).await;
}
