//! `credit score ...`: kept decisions made again from their evidence.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Subcommand;
use credit::evidence::offline::{Again, ScoreFile, replay_all};
use credit::evidence::verify::TrustedPolicy;
use credit::models::in_use::table_of;
use credit::score::Model;
use credit::{store, terms};

/// What is done with scores.
#[derive(Subcommand)]
pub enum Score {
    /// Writes a decision with everything that it was made from into one file.
    Export {
        /// The decision.
        id: String,
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Where to; must not exist.
        #[arg(long)]
        out: PathBuf,
    },
    /// Verifies a decision: its evidence under a policy that the reader trusts, its facts, its score
    /// and itself. No database, no network.
    Verify {
        /// The decision.
        id: String,
        /// The file that `credit score export` has written.
        #[arg(long, value_name = "FILE")]
        offline: PathBuf,
        /// The policy file that the reader trusts.
        #[arg(long)]
        policy: PathBuf,
    },
    /// Makes every kept decision again from the bundle that it was made from, and compares.
    Replay {
        /// All of them.
        #[arg(long, required = true)]
        all: bool,
        /// Compares, and writes nothing.
        #[arg(long, required = true)]
        check: bool,
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

/// Does it.
///
/// # Errors
/// What is refused or does not come out again.
pub async fn score(what: Score) -> anyhow::Result<()> {
    match what {
        Score::Export { id, config, out } => export(&id, &config, &out).await,
        Score::Verify {
            id,
            offline,
            policy,
        } => verify(&id, &offline, &policy),
        Score::Replay { config, .. } => replay(&config).await,
    }
}

async fn export(id: &str, config: &Path, out: &Path) -> anyhow::Result<()> {
    let config = super::load(config)?;
    let store = store::open(&config.database).await?;
    let record = store.lookup(id).await?;
    let record = record.with_context(|| format!("there is no decision `{id}`"))?;
    let hash = record.evidence();
    let hash =
        hash.context("the decision names no evidence: it was made before bundles were kept")?;
    let bundle = store.evidence(&hash).await?;
    let bundle = bundle.with_context(|| format!("the bundle {hash} is not kept"))?;
    let papers = match record.papers() {
        None => None,
        Some(hash) => {
            let papers = store.evidence(&hash).await?;
            Some(papers.with_context(|| format!("the papers {hash} are not kept"))?)
        }
    };
    let built_in = Model::built_in()?.hash;
    let named = record.decision.model.hash;
    let table = match table_of(&*store, &named).await? {
        _ if named == built_in => None,
        Some(kept) => Some(Ok(kept.text)),
        None => config.scorecard.as_ref().map(std::fs::read_to_string),
    };
    let file = ScoreFile::new(&record, (bundle, papers), config.rules, table.transpose()?)?;
    let mut new = std::fs::File::create_new(out)
        .with_context(|| format!("{} cannot be made", out.display()))?;
    std::io::Write::write_all(&mut new, &file.to_bytes()?)?;
    println!("decision {id} is in {}", out.display());
    Ok(())
}

fn verify(id: &str, file: &Path, policy: &Path) -> anyhow::Result<()> {
    let read = |file: &Path| {
        std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
    };
    let policy = TrustedPolicy::parse(&read(policy)?).context("the policy file is refused")?;
    let bytes = ScoreFile::parse(&read(file)?)?.verify(id, &policy)?;
    println!("decision {id} follows from its evidence: {bytes} bytes made again, 0 differ");
    Ok(())
}

async fn replay(config: &Path) -> anyhow::Result<()> {
    let config = super::load(config)?;
    let terms = terms(&config)?;
    let store = store::open(&config.database).await?;
    let under = Again {
        policy: &terms.policy,
        rules: terms.rules,
        model: &terms.model,
    };
    let tally = replay_all(&*store, &under).await?;
    println!("{tally}");
    ensure!(tally.holds(), "not every decision comes out again");
    Ok(())
}
