//! `credit scorecard ...`: drafts from labelled rows, the identical table again, cards.
//!
//! The command line has no log-in, so that it only makes drafts and reads. Reviews and promotions are
//! acts of people who are logged in, on the pages below `/models`.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use credit::config::Config;
use credit::models::fit::{Again, Fitted, again, fit};
use credit::models::life::{Act, is_shadowing, state_word};
use credit::models::office::{Kept, Models};
use credit::models::rows::FILE_MAX;
use credit::models::sheet::{SHEET_MAX, Sheet};
use credit::scorecard::binning::Range;
use credit::scorecard::card::{Measured, Performance};
use credit::scorecard::{Artefact, Number, Value};
use credit::store::{self, Tables};
use kit::clock::TokioClock;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Clock as _;

/// What is done with scorecards.
#[derive(Subcommand)]
pub enum Scorecard {
    /// Fits a scorecard on labelled rows and keeps it as a draft with its card.
    Fit {
        /// The rows: CSV with a head line.
        #[arg(long)]
        data: PathBuf,
        /// The settings: columns, outcome, what people state; see `credit/docs/scorecards.md`.
        #[arg(long)]
        settings: PathBuf,
        /// Who runs it: an open account. This person neither reviews nor promotes the model.
        #[arg(long)]
        operator: Slug,
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Fits a kept scorecard again by its own settings and compares every byte.
    Refit {
        #[command(flatten)]
        which: Which,
        /// The rows.
        #[arg(long)]
        data: PathBuf,
        /// Compares, and writes nothing.
        #[arg(long, required = true)]
        check: bool,
    },
    /// Prints the model card as Markdown.
    Card {
        #[command(flatten)]
        which: Which,
        /// Prints the canonical JSON instead, to the byte: its SHA-256 is what the log holds.
        #[arg(long)]
        json: bool,
    },
    /// Prints a scorecard: its table, its figures, who did what.
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Lists every scorecard and what state it is in.
    List {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Writes the points table of a promoted scorecard, which `scorecard` in the configuration then
    /// names.
    Export {
        #[command(flatten)]
        which: Which,
        /// Where to; must not exist.
        #[arg(long)]
        out: PathBuf,
    },
}

/// A kept scorecard.
#[derive(Args)]
pub struct Which {
    /// Its hash, or the first digits of it where no other begins so.
    hash: String,
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
}

/// Does it.
///
/// # Errors
/// What is refused, naming file, line and column.
pub async fn scorecard(what: Scorecard) -> anyhow::Result<()> {
    match what {
        Scorecard::Fit {
            data,
            settings,
            operator,
            config,
        } => make(&data, &settings, &operator, &config).await,
        Scorecard::Refit { which, data, .. } => refit(&which, &data).await,
        Scorecard::Card { which, json } => card(&found(&which).await?, json),
        Scorecard::Show { which } => {
            show(&found(&which).await?);
            Ok(())
        }
        Scorecard::List { config } => list(&config).await,
        Scorecard::Export { which, out } => export(&which, &out).await,
    }
}

async fn open(config: &Path) -> anyhow::Result<(Config, Arc<dyn Tables>)> {
    let config = super::load(config)?;
    let store = store::open(&config.database).await?;
    Ok((config, store))
}

async fn found(which: &Which) -> anyhow::Result<Kept> {
    let (_, store) = open(&which.config).await?;
    let heads = store.models().await?;
    let fits = |hash: &Hash| !which.hash.is_empty() && hash.to_string().starts_with(&which.hash);
    let mut fitting = heads.iter().filter(|head| fits(&head.artefact));
    let hash = match (fitting.next(), fitting.next()) {
        (Some(head), None) => head.artefact,
        (None, _) => bail!("no scorecard has the hash `{}`", which.hash),
        (Some(_), Some(_)) => bail!("more than one scorecard has a hash that begins so"),
    };
    Ok(Models::new(store, Arc::new(TokioClock), None)
        .find(&hash)
        .await?)
}

/// A file, no longer than it may be: nothing is read without an end.
fn read(file: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let shown = file.display();
    let open = std::fs::File::open(file).with_context(|| format!("cannot read {shown}"))?;
    let mut bytes = Vec::new();
    let read = open.take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read {shown}"))?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    ensure!(length <= most, "{shown}: more than {most} bytes");
    Ok(bytes)
}

async fn make(data: &Path, settings: &Path, operator: &Slug, config: &Path) -> anyhow::Result<()> {
    let (config, store) = open(config).await?;
    // No token is given and nobody logs in here, so that the service's own address is not needed.
    let clock = Arc::new(TokioClock);
    let people = credit::Accounts::new(&config.desk, "", Arc::clone(&store), clock.clone())?;
    let people = people.list().await?;
    let open = people
        .iter()
        .find(|one| one.name == *operator && one.disabled.is_none());
    ensure!(
        open.is_some(),
        "operator: no open account is called `{operator}`"
    );
    let text = read(settings, u64::try_from(SHEET_MAX)?)?;
    let text = String::from_utf8(text).context("settings: the file is no UTF-8")?;
    let sheet = Sheet::parse(&settings.display().to_string(), &text)?;
    let rows = read(data, FILE_MAX)?;
    let (operator, now) = (operator.clone(), clock.now());
    // The fit takes processor time: it runs beside the event loop.
    let work = tokio::task::spawn_blocking(move || fit(&sheet, &rows, &operator, now));
    let fitted = work.await??;
    Models::new(store, clock, None)
        .make(super::ACTOR, &fitted)
        .await?;
    print_fitted(&fitted);
    Ok(())
}

fn print_fitted(fitted: &Fitted) {
    let card = &fitted.card;
    print_table(&fitted.artefact);
    print_performance("on the rows that it was made from", &card.development);
    if let Some(held) = &card.holdout {
        print_performance("on the rows held out", held);
    }
    for one in &card.stability {
        println!("PSI of {}: {} ({:?})", one.of, one.psi, one.verdict);
    }
    for warning in &fitted.warnings {
        println!("WARNING {warning}");
    }
    if let Some(table) = &fitted.kept.0.table {
        println!("points table {}", table.sha256);
    }
    println!(
        "draft {} is kept; a second person reviews it at /models/{}",
        card.artefact, card.artefact
    );
}

fn print_table(artefact: &Artefact) {
    let outcome = &artefact.outcome;
    println!(
        "{} {}: {}",
        artefact.name, artefact.version, artefact.figure
    );
    println!(
        "good: {}, bad: {}; base {}",
        outcome.good, outcome.bad, artefact.table.base
    );
    for one in &artefact.table.characteristics {
        println!("{} (information value {})", one.feature.name, one.iv);
        for bin in &one.bins {
            println!(
                "  {:<40} {:>8} good {:>8} bad  WoE {:>10}  {:>5} points",
                range(&bin.range),
                bin.good.to_string(),
                bin.bad.to_string(),
                bin.woe.to_string(),
                bin.points
            );
        }
    }
}

fn range(range: &Range) -> String {
    let end = |end: &Option<Number>| end.map_or_else(|| "..".to_owned(), |end| end.to_string());
    match range {
        Range::Interval { from, below } => format!("{} to below {}", end(from), end(below)),
        Range::Categories { names, others } => {
            let more = if *others { " and others" } else { "" };
            format!("{}{more}", names.join(", "))
        }
        Range::Special { value, label } => match value {
            Value::Number(number) => format!("{number}: {label}"),
            Value::Category(name) => format!("{name}: {label}"),
            Value::Missing => label.clone(),
        },
        Range::Missing => "missing".to_owned(),
        Range::Unseen => "never seen".to_owned(),
    }
}

fn print_performance(on: &str, performance: &Performance) {
    let interval = |one: &Option<Measured>| {
        one.as_ref().map_or_else(
            || "none".to_owned(),
            |one| format!("{} ({} to {})", one.value, one.low, one.high),
        )
    };
    println!(
        "{on}: {} rows, {} bad; AUC {}; KS {}",
        performance.volume.rows,
        performance.volume.bad,
        interval(&performance.auc),
        interval(&performance.ks)
    );
}

async fn refit(which: &Which, data: &Path) -> anyhow::Result<()> {
    let kept = found(which).await?.model;
    let rows = read(data, FILE_MAX)?;
    let work = tokio::task::spawn_blocking(move || again(&kept, &rows));
    match work.await?? {
        Again::Identical { bytes } => {
            println!("the same scorecard came out: {bytes} bytes, 0 differ");
            Ok(())
        }
        Again::Differs {
            hash,
            differing,
            first,
            around: [kept, made],
        } => {
            bail!(
                "ANOTHER SCORECARD CAME OUT ({hash}) of the same rows: {differing} bytes differ, \
                 the first at {first}\nkept: ...{kept}...\nmade: ...{made}..."
            )
        }
    }
}

fn card(kept: &Kept, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    match json {
        true => out.write_all(&kept.card.to_bytes()?)?,
        false => out.write_all(kept.card.to_markdown()?.as_bytes())?,
    }
    Ok(out.flush()?)
}

fn show(kept: &Kept) {
    let card = &kept.card;
    println!("{} ({})", kept.model.artefact, kept.life.standing.word());
    print_table(&kept.artefact);
    print_performance("on the rows that it was made from", &card.development);
    if let Some(held) = &card.holdout {
        print_performance("on the rows held out", held);
    }
    for step in &kept.life.steps {
        println!(
            "{}\t{}\t{}\t{}",
            step.at,
            step.act.word(),
            step.person,
            step.words
        );
    }
}

async fn list(config: &Path) -> anyhow::Result<()> {
    let (_, store) = open(config).await?;
    for head in store.models().await? {
        let more = if is_shadowing(&head.steps) {
            ", shadowing"
        } else {
            ""
        };
        let by = head.steps.iter().find(|step| step.act == Act::Made);
        println!(
            "{}\t{} {}\t{}{more}\t{}\t{}",
            head.artefact,
            head.name,
            head.version,
            state_word(&head.steps),
            by.map_or("", |step| step.person.as_str()),
            head.made_at
        );
    }
    Ok(())
}

async fn export(which: &Which, out: &Path) -> anyhow::Result<()> {
    let kept = found(which).await?;
    let state = kept.life.standing.word();
    ensure!(state == "promoted", "the model is {state}, not promoted");
    let table = kept.model.table;
    let table = table.context("table: the model's settings state none, so it never decides")?;
    let mut new = std::fs::File::create_new(out)
        .with_context(|| format!("{} cannot be made", out.display()))?;
    new.write_all(table.text.as_bytes())?;
    println!("points table {} is in {}", table.sha256, out.display());
    Ok(())
}
