//! What must hold in the end: every line that was scanned is stored as often as an outbox has
//! accepted it, anchored once and provable; chains, gaps and forks are those that were made.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use edge_agent::outbox::COPY_STARTED;
use schemas::event::Source;
use schemas::hash::Hash;
use schemas::proof::{self, Report, Verdict, VerifiedStatement};
use schemas::statement::Note;
use serde_json::Value;
use sqlx::Connection as _;

use super::stage::{Stage, TWIN_MARK};
use crate::processes::process::{DEADLINE, until};
use crate::processes::scanner::{item, item_of};

const MISSING: &str = "statements are missing";
const EPOCH: &str = "the device began a new epoch";

/// Epoch and seq.
type Place = (u64, u64);
/// First and last place of what is missing in one epoch: (epoch, from, to).
type Gap = (u64, u64, u64);

impl Stage {
    /// Everything that must hold; how many statements there are, and how many gaps and forks.
    ///
    /// # Errors
    /// What does not hold.
    pub async fn verdict(&self, lines: u32) -> Result<(usize, usize)> {
        let operator = &self.world.operator;
        let bundle = operator.evidence(&self.world.organisation).await?;
        let report = proof::verify(&bundle, Some(operator.policy()))?;
        ensure!(report.verdict == Verdict::Verified, "{}", report.verdict);
        let said = operator.verify(&bundle).await?;
        ensure!(said.success, "platform verify: {said:?}");
        self.check_stored(&report).await?;
        let chain = Chain::of(&report)?;
        self.check_lines(&report, lines, chain.begun_as_copies())?;
        self.check_counts(&report).await?;
        self.check_sensor(&report)?;
        self.check_chain(&chain).await?;
        let gaps = self.check_gaps(&chain).await?;
        let found = operator.fsck().await?;
        ensure!(found.success, "{found:?}");
        Ok((report.statements.len(), gaps))
    }

    /// Each statement is stored and anchored once, each event accepted.
    async fn check_stored(&self, report: &Report) -> Result<()> {
        let stored = self.world.operator.stored().await?;
        let events = report.events.len() as u64;
        let is_whole = stored.events == events && stored.anchored == events;
        ensure!(is_whole, "{stored:?}, and {events} events in evidence");
        let refused = stored.refused + stored.quarantined;
        ensure!(refused == 0, "{stored:?}");
        let mut sql = self.sql().await?;
        let row: (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM statements), (SELECT count(*) FROM batch_statements),
                    (SELECT count(DISTINCT statement) FROM batch_statements)",
        )
        .fetch_one(&mut sql)
        .await?;
        sql.close().await?;
        let count = i64::try_from(report.statements.len())?;
        ensure!(
            row == (count, count, count),
            "{row:?} statements, in batches, distinct; {count} in evidence"
        );
        let ids: BTreeSet<Hash> = report.statements.iter().map(|one| one.id).collect();
        ensure!(ids.len() == report.statements.len(), "a statement twice");
        let lost: Vec<_> = self.received.difference(&ids).collect();
        ensure!(lost.is_empty(), "receipts for what is not there: {lost:?}");
        Ok(())
    }

    /// Each line is there as often as it was accepted: once, but for what a copied or a damaged
    /// outbox has accepted again, or one that learnt it was a copy has said again.
    fn check_lines(&self, report: &Report, lines: u32, copies: u32) -> Result<()> {
        let mut said: BTreeMap<String, u32> = BTreeMap::new();
        for event in report
            .events
            .iter()
            .filter(|event| event.source == Some(Source::Scan))
        {
            let goods = event.value("epcList").context("an event without goods")?;
            let Some([Value::String(one)]) = goods.as_array().map(Vec::as_slice) else {
                anyhow::bail!("goods of one line: {goods}");
            };
            *said.entry(one.clone()).or_default() += 1;
        }
        let twin = self.twin.as_ref().map_or(0, |twin| twin.lines);
        let own = (0..lines).map(|line| {
            let again = self
                .copied_open
                .as_ref()
                .is_some_and(|open| open.contains(&line));
            (item(line), 1 + u32::from(again))
        });
        let of_twin = (0..twin).map(|line| (item_of(TWIN_MARK, line), 1));
        for (name, once) in own.chain(of_twin) {
            let found = said.remove(&name).unwrap_or_default();
            let allowed = once..=once + self.wounds + copies;
            ensure!(
                allowed.contains(&found),
                "{name} is there {found} times, not {allowed:?}"
            );
        }
        ensure!(said.is_empty(), "nobody has scanned {said:?}");
        Ok(())
    }

    /// What the agent has counted is what is there, where its count was never lost or copied.
    async fn check_counts(&self, report: &Report) -> Result<()> {
        if self.wounds > 0 || self.twin.is_some() {
            return Ok(());
        }
        let counts = self.world.gateway.counts().await?;
        let made = counts["events_made"].as_u64();
        let there = report.events.len() as u64;
        ensure!(made == Some(there), "{there} events are there: {counts}");
        let readings = report.events.iter().map(readings_in).sum::<usize>() as u64;
        let read = counts["readings"].as_u64();
        ensure!(
            read == Some(readings),
            "{readings} readings are there: {counts}"
        );
        Ok(())
    }

    /// Each time that the sensor was gone is said once when it began and once when it was over.
    fn check_sensor(&self, report: &Report) -> Result<()> {
        let (mut begun, mut over) = (0, 0);
        for one in &report.statements {
            if let Some(Note::SensorFault { range, .. }) = &one.statement.payload.note {
                begun += u32::from(range.is_none());
                over += u32::from(range.is_some());
            }
        }
        let gone = self.sensor_gone;
        ensure!(
            (begun, over) == (gone, gone),
            "gone {gone} times, said {begun} and {over} times"
        );
        Ok(())
    }

    /// Links, epochs and forks are those that the agents have made.
    async fn check_chain(&self, chain: &Chain<'_>) -> Result<()> {
        let audit = self.world.gateway.audit().await?;
        ensure!(audit["problems"] == Value::Array(Vec::new()), "{audit}");
        let head = head_of(&audit)?;
        let ends = chain.at(head.0);
        ensure!(
            ends.iter().any(|one| one.id == head.1),
            "the head is not there: {audit}"
        );
        let epochs: BTreeSet<u64> = chain.places.keys().map(|place| place.0).collect();
        let copies = chain.begun_as_copies();
        ensure!(
            copies == 0 || self.twin.is_some(),
            "{copies} epochs begin as if there were a copy"
        );
        let most = u64::from(self.wounds + copies);
        ensure!(
            epochs.iter().all(|epoch| *epoch <= most) && epochs.contains(&head.0.0),
            "epochs {epochs:?} of an outbox that was damaged {} times and met {copies} copies",
            self.wounds
        );
        if let Some(twin) = &self.twin {
            let audit = twin.gateway.audit().await?;
            ensure!(
                audit["problems"] == Value::Array(Vec::new()),
                "the twin: {audit}"
            );
            let (place, id) = head_of(&audit)?;
            ensure!(
                chain.at(place).iter().any(|one| one.id == id),
                "the twin: {audit}"
            );
        }
        let forked = chain.forks();
        ensure!(
            forked.is_empty() || self.twin.is_some(),
            "forks that nobody made: {forked:?}"
        );
        chain.check_links()
    }

    /// Gaps and forks that are written down are those that are there.
    async fn check_gaps(&self, chain: &Chain<'_>) -> Result<usize> {
        let (missing, forks) = (chain.missing(), chain.forks());
        let begun: BTreeSet<u64> = chain
            .places
            .keys()
            .map(|place| place.0)
            .filter(|epoch| *epoch > 0)
            .collect();
        let mut last = String::new();
        // What is missing is a gap when its time of grace is over.
        let waited = until("gaps and forks", DEADLINE, async || {
            let rows = self.world.operator.chains().await?;
            let of = |kind: &str, detail: Option<&str>| rows_of(&rows, kind, detail);
            let (opened, closed) = (of("gap-opened", Some(MISSING)), of("gap-closed", None));
            let open: BTreeSet<Gap> = opened.difference(&closed).copied().collect();
            let places = |gaps: &BTreeSet<Gap>| -> BTreeSet<Place> {
                let seqs = gaps
                    .iter()
                    .flat_map(|(epoch, from, to)| (*from..=*to).map(|seq| (*epoch, seq)));
                seqs.collect()
            };
            let epochs: BTreeSet<u64> = of("gap-opened", Some(EPOCH))
                .iter()
                .map(|gap| gap.0)
                .collect();
            let noted = places(&of("fork", None));
            let silent = of("silent", None).len() + of("seen-another", None).len();
            // Behind a fork links do not fit either, and that is said, too.
            let forks_match = forks.is_subset(&noted) && (!forks.is_empty() || noted.is_empty());
            let holds = places(&open) == missing && epochs == begun && forks_match && silent == 0;
            last = format!(
                "missing {missing:?}, epochs {begun:?}, forks {forks:?}; written down: {rows:?}"
            );
            Ok(holds.then_some(rows.len()))
        });
        waited.await.with_context(|| last)
    }
}

fn readings_in(event: &schemas::proof::VerifiedEvent) -> usize {
    let elements = event.value("sensorElementList").unwrap_or_default();
    let reports = |element: &Value| element["sensorReport"].as_array().map_or(0, Vec::len);
    elements.as_array().into_iter().flatten().map(reports).sum()
}

fn head_of(audit: &Value) -> Result<(Place, Hash)> {
    let head = &audit["head"];
    let number = |name: &str| {
        head[name]
            .as_u64()
            .with_context(|| format!("{name}: {audit}"))
    };
    let id = head["id"].as_str().context("id")?.parse();
    let id = id.map_err(|problem| anyhow::anyhow!("id {problem}"))?;
    Ok(((number("epoch")?, number("seq")?), id))
}

fn rows_of(rows: &[Value], kind: &str, detail: Option<&str>) -> BTreeSet<Gap> {
    let of_kind = rows.iter().filter(|row| row["kind"] == kind);
    let of_detail = of_kind.filter(|row| detail.is_none_or(|detail| row["detail"] == detail));
    let gap = |row: &Value| {
        let number = |name: &str| row[name].as_u64();
        Some((number("epoch")?, number("from_seq")?, number("to_seq")?))
    };
    of_detail.filter_map(gap).collect()
}

/// The chain of the device, as it is stored.
struct Chain<'a> {
    places: BTreeMap<Place, Vec<&'a VerifiedStatement>>,
}

impl<'a> Chain<'a> {
    fn of(report: &'a Report) -> Result<Self> {
        let mut places: BTreeMap<Place, Vec<&VerifiedStatement>> = BTreeMap::new();
        for one in &report.statements {
            let position = one.statement.payload.position;
            let place = (position.epoch, position.seq);
            places.entry(place).or_default().push(one);
        }
        ensure!(!places.is_empty(), "nothing is stored");
        Ok(Self { places })
    }

    /// Epochs that an agent has begun since the platform had more of its device than it knew. Which
    /// of two twins learns so depends on who is asked first.
    fn begun_as_copies(&self) -> u32 {
        let notes = self.places.values().flatten();
        let notes = notes.filter_map(|one| one.statement.payload.note.as_ref());
        let copies = notes
            .filter(|note| matches!(note, Note::EpochStart { text, .. } if text == COPY_STARTED));
        u32::try_from(copies.count()).unwrap_or(u32::MAX)
    }

    fn at(&self, place: Place) -> &[&'a VerifiedStatement] {
        self.places.get(&place).map_or(&[], Vec::as_slice)
    }

    /// Places with more than one statement.
    fn forks(&self) -> BTreeSet<Place> {
        let forks = self.places.iter().filter(|(_, all)| all.len() > 1);
        forks.map(|(place, _)| *place).collect()
    }

    /// Places before the last one of their epoch in which nothing is.
    fn missing(&self) -> BTreeSet<Place> {
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        for (epoch, seq) in self.places.keys() {
            last.insert(*epoch, *seq);
        }
        let all = last
            .into_iter()
            .flat_map(|(epoch, last)| (0..=last).map(move |seq| (epoch, seq)));
        all.filter(|place| !self.places.contains_key(place))
            .collect()
    }

    /// Each statement names one in the place before it, unless that is missing; the first of an
    /// epoch says what is the last one known, and names it.
    fn check_links(&self) -> Result<()> {
        for ((epoch, seq), all) in &self.places {
            for one in all {
                let payload = &one.statement.payload;
                if *seq > 0 {
                    let before = self.at((*epoch, seq - 1));
                    let fits = before.is_empty() || before.iter().any(|it| it.id == payload.prev);
                    ensure!(fits, "the link before {epoch}/{seq} is broken");
                } else if *epoch > 0 {
                    let Some(Note::EpochStart { id, .. }) = &payload.note else {
                        anyhow::bail!("epoch {epoch} begins without a note");
                    };
                    ensure!(*id == payload.prev, "epoch {epoch} names two statements");
                } else {
                    ensure!(
                        payload.prev == Hash::ZERO,
                        "the first names {}",
                        payload.prev
                    );
                }
            }
        }
        Ok(())
    }
}
