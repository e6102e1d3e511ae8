//! The auditor: every line that was scanned is in the log once, in its order, with its proof.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use schemas::event::Source;
use schemas::proof::{self, Report, Verdict};
use serde_json::Value;

use crate::processes::operator::Stored;
use crate::processes::scanner::item;
use crate::processes::world::World;

impl World {
    /// Checks the whole way of `lines` lines; the platform runs, the agent does not.
    pub async fn check(&self, lines: u32) -> Result<()> {
        let expected = Stored {
            events: u64::from(lines),
            anchored: u64::from(lines),
            refused: 0,
            quarantined: 0,
        };
        let stored = self.operator.stored().await?;
        ensure!(stored == expected, "{stored:?} instead of {expected:?}");
        let bundle = self.operator.evidence(&self.organisation).await?;
        let report = proof::verify(&bundle, Some(self.operator.policy()))?;
        ensure!(report.verdict == Verdict::Verified, "{}", report.verdict);
        self.check_events(&report, lines)?;
        self.check_chain(&report).await?;
        let said = self.operator.verify(&bundle).await?;
        ensure!(said.success, "platform verify: {said:?}");
        let found = self.operator.fsck().await?;
        ensure!(found.success, "{found:?}");
        Ok(())
    }

    /// Events in the order of the chain name the items in the order of the lines.
    fn check_events(&self, report: &Report, lines: u32) -> Result<()> {
        let mut named = Vec::new();
        for event in &report.events {
            ensure!(event.source == Some(Source::Scan), "{:?}", event.source);
            let statement = report
                .statements
                .get(event.statement)
                .context("statement")?;
            let position = statement.statement.payload.position;
            let goods = event.value("epcList").context("an event without goods")?;
            let one = match goods.as_array().map(Vec::as_slice) {
                Some([Value::String(one)]) => one.clone(),
                _ => anyhow::bail!("goods of one line: {goods}"),
            };
            named.push(((position.epoch, position.seq, event.index), one));
        }
        named.sort();
        let named: Vec<String> = named.into_iter().map(|(_, one)| one).collect();
        let made: Vec<String> = (0..lines).map(item).collect();
        ensure!(named == made, "{}", difference(&named, &made));
        Ok(())
    }

    /// One chain from the first statement to the last one that the gateway signed; no fork, and no
    /// gap but one that was closed.
    async fn check_chain(&self, report: &Report) -> Result<()> {
        let mut chain: Vec<_> = report.statements.iter().collect();
        chain.sort_by_key(|one| one.statement.payload.position.seq);
        let mut before = schemas::hash::Hash::ZERO;
        for (seq, one) in (0..).zip(&chain) {
            let payload = &one.statement.payload;
            let position = (payload.position.epoch, payload.position.seq);
            ensure!(
                payload.device == *self.gateway.address(),
                "{}",
                payload.device
            );
            ensure!(position == (0, seq), "{position:?} where {seq} is due");
            ensure!(payload.prev == before, "the link before {seq} is broken");
            before = one.id;
        }
        let audit = self.gateway.audit().await?;
        let head = &audit["head"];
        let last = [head["epoch"].as_u64(), head["seq"].as_u64()];
        let due = [Some(0), Some(chain.len() as u64 - 1)];
        ensure!(last == due && head["id"] == before.to_string(), "{audit}");
        ensure!(audit["problems"] == Value::Array(Vec::new()), "{audit}");
        check_gaps(&self.operator.chains().await?)
    }
}

fn check_gaps(chains: &[Value]) -> Result<()> {
    let of = |kind: &str| -> BTreeSet<String> {
        let rows = chains.iter().filter(|row| row["kind"] == kind);
        rows.map(|row| format!("{} {} {}", row["epoch"], row["from_seq"], row["to_seq"]))
            .collect()
    };
    ensure!(of("gap-opened") == of("gap-closed"), "{chains:?}");
    ensure!(
        of("fork").is_empty() && of("silent").is_empty(),
        "{chains:?}"
    );
    Ok(())
}

fn difference(named: &[String], made: &[String]) -> String {
    let (known, expected): (BTreeSet<_>, BTreeSet<_>) =
        (named.iter().collect(), made.iter().collect());
    let lost: Vec<_> = expected.difference(&known).take(5).collect();
    let invented: Vec<_> = known.difference(&expected).take(5).collect();
    format!(
        "{} events with {} items for {} lines; lost {lost:?}, invented {invented:?}",
        named.len(),
        known.len(),
        made.len()
    )
}
