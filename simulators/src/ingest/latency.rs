//! From a publication to the witnessed checkpoint that covers it, at a given rate.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use schemas::hash::Hash;
use schemas::note::Note;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use super::{Ground, USUAL, figures};
use crate::fleet::play::{Pace, Played, Until};

/// Seconds of the run.
const SECONDS: f64 = 20.0;
/// How often the published checkpoint is looked at: the error of the times.
const LOOK: Duration = Duration::from_millis(4);
/// How long the last checkpoint may take to be published.
const COVERED: Duration = Duration::from_secs(30);

/// What was measured, in milliseconds.
#[derive(Debug, Clone)]
pub struct Latency {
    /// Events a second.
    pub rate: f64,
    /// Events.
    pub events: u64,
    /// From the publication of an event's statement until the checkpoint is published: median, 99th
    /// percentile.
    pub witnessed: [f64; 2],
    /// Until the device has read the receipt.
    pub receipt: [f64; 2],
    /// Until the device has read the inclusion.
    pub inclusion: [f64; 2],
}

pub(super) async fn measure(ground: &mut Ground, rate: f64, scale: f64) -> Result<Latency> {
    let events = ((rate * SECONDS * scale) as u64).max(u64::from(USUAL));
    let load = ground.sign(events, USUAL)?;
    let done = CancellationToken::new();
    let watching = tokio::spawn(checkpoints(ground.site.checkpoint(), done.clone()));
    let playing = ground
        .fleet
        .play(load.into_iter().map(Ok), Pace::at(rate), Until::Inclusions);
    let ends = done.drop_guard();
    let played = playing.await?;
    let url = ground.site.database().context("no PostgreSQL")?;
    let indices = indices(url, &played).await?;
    // An inclusion may be read before anybody has looked at the file that it speaks of.
    let last = indices.values().max().copied().unwrap_or_default();
    covered(ground.site.checkpoint(), last).await?;
    drop(ends);
    let witnessed = to_witnessed(&played, &indices, &watching.await?)?;
    let ways = &played.ways;
    let receipts = ways
        .iter()
        .filter_map(|way| Some(ms(way.receipt? - way.sent)));
    let inclusions = ways
        .iter()
        .filter_map(|way| Some(ms(way.included? - way.sent)));
    let both = |values: Vec<f64>| [50, 99].map(|p| figures::percentile_of(values.clone(), p));
    Ok(Latency {
        rate,
        events,
        witnessed: both(witnessed),
        receipt: both(receipts.collect()),
        inclusion: both(inclusions.collect()),
    })
}

fn ms(seconds: f32) -> f64 {
    f64::from(seconds) * 1_000.0
}

/// Size of the published checkpoint; 0 while there is none.
fn size(file: &Path) -> u64 {
    let bytes = std::fs::read(file).unwrap_or_default();
    Note::parse(&bytes).map_or(0, |note| note.checkpoint.size)
}

/// When each newer checkpoint was seen published, with its size; looks once more when it is done.
async fn checkpoints(file: PathBuf, done: CancellationToken) -> Vec<(Instant, u64)> {
    let mut seen: Vec<(Instant, u64)> = Vec::new();
    loop {
        let is_done = done.is_cancelled();
        let (size, at) = (size(&file), Instant::now());
        if seen.last().is_none_or(|(_, last)| *last < size) {
            seen.push((at, size));
        }
        if is_done {
            return seen;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until a checkpoint is published that covers an index.
async fn covered(file: PathBuf, index: u64) -> Result<()> {
    let looking = async {
        while size(&file) <= index {
            tokio::time::sleep(LOOK).await;
        }
    };
    let looked = tokio::time::timeout(COVERED, looking).await;
    looked.context("no checkpoint that covers every statement was published")
}

/// Place in the log of the header that anchors each statement first.
async fn indices(url: &str, played: &Played) -> Result<HashMap<Hash, u64>> {
    let mut connection = PgConnection::connect(url).await?;
    let ids: Vec<&[u8]> = played.ids.iter().map(|id| &id.0[..]).collect();
    let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(
        "SELECT s.statement, min(b.log_index)
         FROM batch_statements s JOIN batches b ON b.shard = s.shard AND b.seq = s.seq
         WHERE s.statement = ANY($1) GROUP BY s.statement",
    )
    .bind(&ids)
    .fetch_all(&mut connection)
    .await?;
    let each = rows.into_iter().map(|(id, index)| {
        let id: [u8; 32] = id.try_into().ok().context("an id")?;
        Ok((Hash(id), u64::try_from(index)?))
    });
    each.collect()
}

/// Milliseconds for each statement, in the order of sending.
fn to_witnessed(
    played: &Played,
    indices: &HashMap<Hash, u64>,
    published: &[(Instant, u64)],
) -> Result<Vec<f64>> {
    let began = played.began.context("nothing was sent")?;
    let each = played.ids.iter().zip(&played.ways).map(|(id, way)| {
        let index = indices.get(id).context("a statement is in no batch")?;
        let covers = published.partition_point(|(_, size)| size <= index);
        let (at, _) = published.get(covers).context("no checkpoint covers it")?;
        let sent = began + Duration::from_secs_f32(way.sent);
        Ok(at.saturating_duration_since(sent).as_secs_f64() * 1_000.0)
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::play::Way;

    #[test]
    fn a_statement_counts_from_the_first_checkpoint_that_is_larger_than_its_index() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let way = |sent| Way {
            events: 1,
            sent,
            receipt: None,
            included: None,
        };
        let played = Played {
            ids: vec![Hash([1; 32]), Hash([2; 32])],
            ways: vec![way(0.0), way(0.5)],
            began: Some(began),
            ..Played::default()
        };
        let indices = HashMap::from([(Hash([1; 32]), 6), (Hash([2; 32]), 7)]);
        let published = [(at(100), 6), (at(700), 7), (at(1_500), 9)];
        let times = to_witnessed(&played, &indices, &published).unwrap();
        assert!((times[0] - 700.0).abs() < 0.1 && (times[1] - 1_000.0).abs() < 0.1);
        assert!(to_witnessed(&played, &indices, &published[..2]).is_err());
    }
}
