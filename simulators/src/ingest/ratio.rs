//! The rate of the whole way for one size of statements, and that of COPY for the same rows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sqlx::{Connection, PgConnection};
use tokio::sync::watch;

use super::Ground;
use super::figures;
use super::stage::{self, Checks, Cpu};
use crate::fleet::chain::Signed;
use crate::fleet::play::{Pace, Played, Until};
use crate::parts::postgres::Postgres;
use crate::progress::Progress;
use crate::site::usage::Usage;
use crate::way::copy::{Copied, Rows};

/// COPYs of the same rows, of which the median counts.
const COPIES: usize = 3;
/// Statements that the checks are measured over on their own, at most.
const CHECKED: usize = 2_000;
/// How often the database is asked whether everything is in a batch.
const LOOK: Duration = Duration::from_millis(20);
/// How long the last batch may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was measured for one size.
#[derive(Debug, Clone)]
pub struct Rated {
    /// Events of a statement.
    pub size: u32,
    /// Events of the run.
    pub events: u64,
    /// Rates.
    pub rates: Rates,
    /// CPU microseconds an event of the run.
    pub cpu: Cpu,
    /// Of the checks alone.
    pub checks: Checks,
    /// Wall microseconds an event by stage, as the platform measures them.
    pub stages: BTreeMap<String, f64>,
    /// Resident memory of the platform in KiB before and after.
    pub rss_kib: (u64, u64),
    /// CPU microseconds an event of PostgreSQL while it copies.
    pub copy_postgres_us: f64,
    /// Rows by table.
    pub rows: BTreeMap<String, usize>,
}

/// Events a second.
#[derive(Debug, Clone)]
pub struct Rates {
    /// From the first publication until the last statement is in a batch.
    pub way: f64,
    /// Of thirds of the run by events, by receipts.
    pub thirds: [f64; 3],
    /// Until the last receipt: stored, perhaps not yet in a batch.
    pub stored: f64,
    /// COPY, from the slowest to the fastest.
    pub copies: Vec<f64>,
}

impl Rated {
    /// The median COPY.
    #[must_use]
    pub fn copy(&self) -> f64 {
        figures::percentile(&self.rates.copies, 50)
    }

    /// The way's rate over that of COPY.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.rates.way / self.copy()
    }
}

pub(super) async fn measure(
    mut ground: Ground,
    size: u32,
    events: u64,
    progress: &mut Progress,
) -> Result<Rated> {
    progress.done("  signing");
    let load: Vec<Signed> = ground.sign(events, size)?;
    let checks = Checks::measure(&load[..load.len().min(CHECKED)], &ground.devices)?;
    let url = ground.site.database().context("no PostgreSQL")?.to_owned();
    checkpoint(&url).await?;
    progress.done("  the way");
    let run = run(&mut ground, load, &url).await?;
    let spent = Spent::between(&run, events);
    let stages = stage::stages(&run.stages.0, &run.stages.1, events);
    ground.site.stop_platform()?;
    is_whole(&url, &run.played, events).await?;
    progress.done("  COPY of its rows");
    let rows = Rows::read(&url).await?;
    ensure!(rows.events() == events, "{} events stored", rows.events());
    let postgres = ground.site.postgres().context("no PostgreSQL")?;
    let (copies, copy_postgres_us) = copies(postgres, &url, &rows).await?;
    let way = events as f64 / run.batched.as_secs_f64();
    Ok(Rated {
        size,
        events,
        rates: Rates {
            way,
            thirds: figures::thirds(&run.played.ways),
            stored: events as f64 / run.played.seconds_to_receipts(),
            copies,
        },
        cpu: spent.cpu,
        checks,
        stages,
        rss_kib: spent.rss_kib,
        copy_postgres_us,
        rows: rows
            .tables()
            .map(|(name, rows)| (name.into(), rows))
            .collect(),
    })
}

struct Run {
    played: Played,
    /// From the first publication until the last statement is in a batch.
    batched: Duration,
    spent: (crate::site::Spent, crate::site::Spent),
    stages: (BTreeMap<String, f64>, BTreeMap<String, f64>),
}

struct Spent {
    cpu: Cpu,
    rss_kib: (u64, u64),
}

impl Spent {
    fn between(run: &Run, events: u64) -> Spent {
        let (before, after) = &run.spent;
        Spent {
            cpu: Cpu::between(before, after, events),
            rss_kib: (before.platform.rss_kib, after.platform.rss_kib),
        }
    }
}

/// Plays the load. CPU time is that until every device has its inclusions, so that no work of the
/// run is left out.
async fn run(ground: &mut Ground, load: Vec<Signed>, url: &str) -> Result<Run> {
    let (events, statements) = (
        load.iter().map(|one| u64::from(one.events)).sum(),
        load.len(),
    );
    let mut connection = PgConnection::connect(url).await?;
    let before = batched(&mut connection).await?;
    let stages = stage::sums(&ground.site.metrics().await?);
    let spent = ground.site.usage()?;
    let receipted = ground.fleet.receipted.subscribe();
    let wanted = before + i64::try_from(statements)?;
    let watch = tokio::spawn(all_batched(connection, receipted, events, wanted));
    let played = ground
        .fleet
        .play(load.into_iter().map(Ok), Pace::FULL, Until::Inclusions);
    let played = played.await?;
    let began = played.began.context("nothing was sent")?;
    let batched = watch.await??.duration_since(began);
    Ok(Run {
        played,
        batched,
        spent: (spent, ground.site.usage()?),
        stages: (stages, stage::sums(&ground.site.metrics().await?)),
    })
}

/// When everything is in a batch; asked only after everything has a receipt.
async fn all_batched(
    mut connection: PgConnection,
    mut receipted: watch::Receiver<u64>,
    events: u64,
    wanted: i64,
) -> Result<Instant> {
    receipted.wait_for(|receipted| *receipted >= events).await?;
    let end = Instant::now() + PATIENCE;
    while batched(&mut connection).await? < wanted {
        ensure!(Instant::now() < end, "not everything came into a batch");
        tokio::time::sleep(LOOK).await;
    }
    Ok(Instant::now())
}

async fn batched(connection: &mut PgConnection) -> Result<i64> {
    // A batch stands among `batches` once its header is in the log.
    let count = "SELECT count(DISTINCT s.statement)
                 FROM batch_statements s JOIN batches b ON b.shard = s.shard AND b.seq = s.seq";
    Ok(sqlx::query_scalar(count).fetch_one(connection).await?)
}

/// Everything said is stored once and in the log once, and nothing else is.
async fn is_whole(url: &str, played: &Played, events: u64) -> Result<()> {
    let lost = (played.without_receipt(), played.without_inclusion());
    ensure!(lost == (0, 0), "without receipt, inclusion: {lost:?}");
    ensure!(played.refused == 0, "{} events refused", played.refused);
    let mut connection = PgConnection::connect(url).await?;
    let ids: Vec<&[u8]> = played.ids.iter().map(|id| &id.0[..]).collect();
    let anchored: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM statements s
         WHERE id = ANY($1)
           AND (SELECT count(*) FROM batch_statements b WHERE b.statement = s.id) = 1",
    )
    .bind(&ids)
    .fetch_one(&mut connection)
    .await?;
    ensure!(
        anchored == i64::try_from(ids.len())?,
        "{anchored} statements anchored once"
    );
    let (stored, quarantined): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM event_leaves WHERE refused IS NULL),
                (SELECT count(*) FROM quarantine)",
    )
    .fetch_one(&mut connection)
    .await?;
    ensure!(stored == i64::try_from(events)?, "{stored} events accepted");
    ensure!(quarantined == 0, "{quarantined} messages in quarantine");
    Ok(())
}

/// Pages that earlier work has changed are written now, not in what is measured next.
async fn checkpoint(url: &str) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql("CHECKPOINT").execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// Rates from the slowest to the fastest, and CPU microseconds of PostgreSQL an event.
async fn copies(postgres: &Postgres, url: &str, rows: &Rows) -> Result<(Vec<f64>, f64)> {
    let server = postgres.id().context("PostgreSQL does not run")?;
    let (mut rates, mut cpu) = (Vec::new(), 0);
    for number in 0..COPIES {
        let to = postgres.database(&format!("copy{number}"))?;
        crate::parts::postgres::copy_schema(url, &to)?;
        checkpoint(&to).await?;
        let before = Usage::of_family(server)?;
        let copied: Copied = rows.copy_into(&to).await?;
        cpu += (Usage::of_family(server)? - before).cpu_us;
        rates.push(copied.events_per_second);
        if number == 0 {
            rows.are_those_of(&to).await?;
        }
    }
    rates.sort_by(f64::total_cmp);
    let each = cpu as f64 / (COPIES as u64 * rows.events().max(1)) as f64;
    Ok((rates, each))
}
