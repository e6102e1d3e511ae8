//! The runs of the demo: one that lives, and one that ends and is checked.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use anyhow::Context;
use credit::lateness::Evaluation;
use credit::service::LateDeliveries;
use schemas::note::Note;
use schemas::time::Instant;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::banner::{self, Addresses};
use crate::clock::VirtualClock;
use crate::folder::{Decision, EvidenceFile, Expected, ProductFile, RunFolder};
use crate::progress::Progress;
use crate::script::Script;
use crate::stack::Stack;
use crate::stack::door::Door;
use crate::stack::engines::Engines;
use crate::stack::play::Play;
use crate::summary::{self, grouped};

/// What a run is asked for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Where bundles, checkpoint and policy are left.
    pub keep: Option<PathBuf>,
    /// How people come in.
    pub door: Door,
    /// Database and broker.
    pub engines: Engines,
    /// Nothing but JSON on standard output, no progress.
    pub json: bool,
}

/// Plays to the end, leaves files, stops everything, and has the files checked by a fresh process.
///
/// # Errors
/// When the run breaks off; what the check finds is in the status of its process.
pub async fn once(
    script: &Script,
    wish: &Wish,
    shutdown: CancellationToken,
) -> anyhow::Result<ExitStatus> {
    let mut progress = Progress::new(wish.json);
    let mut tour = Tour::start(script, wish.door, &wish.engines, &mut progress).await?;
    let temporary = tempfile::tempdir()?;
    let folder = wish
        .keep
        .clone()
        .unwrap_or_else(|| temporary.path().join("run"));
    let folder = RunFolder::create(&folder)?;
    let played = shutdown.run_until_cancelled(async {
        tour.play_until(script.end(), &mut progress).await?;
        let decided = tour.decide(&mut progress).await?;
        progress.done("everything is played and decided; writing proofs");
        tour.leave(&folder, decided).await
    });
    let played = played.await;
    tour.stop().await?;
    played.context("interrupted")??;
    progress.done("checking every proof in a fresh process");
    drop(progress);
    checked(&folder, wish.json).await
}

/// Plays until the first journey is finished, tells a visitor where to look, plays on, and lives
/// until `shutdown`.
///
/// # Errors
/// When the run breaks off.
pub async fn live(script: &Script, wish: &Wish, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut progress = Progress::new(false);
    let mut tour = Tour::start(script, wish.door, &wish.engines, &mut progress).await?;
    let outcome = shutdown
        .run_until_cancelled(tour.show(wish, &mut progress, &shutdown))
        .await;
    progress.done("ending: gateways, bank, platform, witnesses");
    tour.stop().await?;
    progress.done("everything has ended");
    outcome.unwrap_or(Ok(()))
}

/// What the bank made of a run.
pub struct Decided {
    /// Its model of late delivery, where orders were promised.
    pub late_delivery: Option<LateDeliveries>,
    /// Its decisions, in the order of the world.
    pub decisions: Vec<Decision>,
}

/// A run under way.
pub struct Tour<'a> {
    script: &'a Script,
    clock: VirtualClock,
    /// What runs.
    pub stack: Stack,
    done: usize,
    _root: TempDir,
}

impl<'a> Tour<'a> {
    /// Starts everything that a script needs, in a folder that goes with the run.
    ///
    /// # Errors
    /// When any part cannot start.
    pub async fn start(
        script: &'a Script,
        door: Door,
        engines: &Engines,
        progress: &mut Progress,
    ) -> anyhow::Result<Tour<'a>> {
        progress.step(|| format!("starting everything on {engines}"));
        let root = tempfile::tempdir()?;
        let clock = VirtualClock::new(script.start());
        let stack = Stack::start(
            root.path(),
            script,
            door,
            engines,
            script.batch_milliseconds(),
            Arc::new(clock.clone()),
        );
        let stack = stack.await?;
        let gateways = stack.posts.len();
        progress.done(&format!(
            "everything runs; {gateways} gateways are enrolled"
        ));
        Ok(Tour {
            script,
            clock,
            stack,
            done: 0,
            _root: root,
        })
    }

    /// Plays until a time and has everything handed over.
    ///
    /// # Errors
    /// When the run breaks off.
    pub async fn play_until(
        &mut self,
        end: Instant,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let script = self.script;
        let actions = &script.actions()[self.done..];
        let caption = |now| script.caption(now);
        let mut play = Play {
            clock: &self.clock,
            posts: &mut self.stack.posts,
            actions,
            rhythm: script.rhythm(),
            caption: &caption,
        };
        let played = play.until(end, progress).await;
        self.done += actions.len() - play.actions.len();
        played
    }

    async fn show(
        &mut self,
        wish: &Wish,
        progress: &mut Progress,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<()> {
        let (first, item) = self.script.first_journey();
        self.play_until(first, progress).await?;
        progress.done("a first journey is finished");
        let colour = std::io::stdout().is_terminal();
        println!("{}", banner::text(&self.addresses(&item), colour));
        self.play_until(self.script.end(), progress).await?;
        let decided = self.decide(progress).await?;
        progress.done("the story is played to its end; time now goes on by itself");
        println!("{}", summary::decisions(&decided.decisions));
        if decided.late_delivery.is_some() {
            let bank = self.stack.bank_page();
            println!("Probability of late delivery        {bank}models/late-delivery");
        }
        for (what, item) in self.script.sights() {
            println!("{what:<34}{}", self.page(&item));
        }
        if let Some(keep) = &wish.keep {
            self.leave(&RunFolder::create(keep)?, decided).await?;
        }
        self.clock.go_live(shutdown.clone());
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            () = self.stack.operator.failed() => anyhow::bail!("the log has stopped"),
        }
    }

    fn addresses(&self, item: &str) -> Addresses {
        let url = self.stack.operator.url();
        Addresses {
            product: self.page(item),
            platform: format!("{url}/"),
            bank: self.stack.bank_page(),
            people: self.stack.bank_people().to_vec(),
            authority: self.stack.operator.authority(),
        }
    }

    /// Address of a product's page.
    fn page(&self, item: &str) -> String {
        item.replacen("https://id.gs1.org", self.stack.operator.url(), 1)
    }

    /// Everybody who applies signs a consent first; the bank evaluates its model where there is one to
    /// evaluate, and they apply.
    ///
    /// # Errors
    /// When evidence is refused or cannot be had.
    pub async fn decide(&self, progress: &mut Progress) -> anyhow::Result<Decided> {
        let began = std::time::Instant::now();
        self.stack.consents(self.script).await?;
        let late_delivery = self.stack.late_deliveries(self.script).await?;
        if let Some(found) = &late_delivery {
            progress.done(&format!(
                "the bank has verified {} bundles ({} kB) and evaluated its model in {:.1} s",
                found.evaluation.suppliers.len(),
                grouped(found.evidence_bytes / 1_000),
                began.elapsed().as_secs_f64()
            ));
        }
        Ok(Decided {
            late_delivery,
            decisions: self.stack.applications(self.script).await?,
        })
    }

    /// Writes everything that a stranger needs into the folder.
    ///
    /// # Errors
    /// When the platform does not answer or the folder cannot be written.
    pub async fn leave(&self, folder: &RunFolder, decided: Decided) -> anyhow::Result<()> {
        let operator = &self.stack.operator;
        let note = operator.checkpoint().await?;
        let head = Note::parse(&note)?.checkpoint;
        folder.write(Path::new("policy.json"), &operator.policy_file()?)?;
        folder.write(Path::new("checkpoint"), &note)?;
        let mut gateways = std::collections::BTreeMap::new();
        for (address, post) in &self.stack.posts {
            gateways.insert(address.clone(), post.made().await?);
        }
        folder.write_expected(&Expected {
            played: self.script.played(),
            origin: head.origin.to_string(),
            log_size: head.size,
            log_root: head.root,
            gateways,
            platform: operator.stored().await?,
            decisions: decided.decisions,
            late_delivery: leave_scored(folder, decided.late_delivery)?,
            products: self.leave_products(folder).await?,
            evidence: self.leave_evidence(folder).await?,
        })?;
        Ok(())
    }

    async fn leave_products(&self, folder: &RunFolder) -> anyhow::Result<Vec<ProductFile>> {
        let mut files = Vec::new();
        for item in self.script.products() {
            let bundle = self.stack.operator.product_bundle(&item).await?;
            let name = item
                .rsplit("/01/")
                .next()
                .unwrap_or_default()
                .replace('/', "-");
            let file = PathBuf::from(format!("products/{name}.json"));
            folder.write(&file, &bundle)?;
            files.push(ProductFile { item, file });
        }
        Ok(files)
    }

    async fn leave_evidence(&self, folder: &RunFolder) -> anyhow::Result<Vec<EvidenceFile>> {
        let mut files = Vec::new();
        let owners = self
            .script
            .organisations()
            .iter()
            .filter(|one| !one.gateways.is_empty());
        for owner in owners {
            let bundle = self.stack.operator.evidence(&owner.slug).await?;
            let file = PathBuf::from(format!("evidence/{}.json", owner.slug));
            folder.write(&file, &bundle)?;
            files.push(EvidenceFile {
                organisation: owner.slug.to_string(),
                file,
            });
        }
        Ok(files)
    }

    /// Ends everything in order.
    ///
    /// # Errors
    /// When a gateway does not end.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stack.stop().await
    }
}

/// Writes what the bank predicted, line by line; answers with its figures.
fn leave_scored(
    folder: &RunFolder,
    found: Option<LateDeliveries>,
) -> anyhow::Result<Option<Evaluation>> {
    let Some(found) = found else { return Ok(None) };
    let mut csv = csv::Writer::from_writer(Vec::new());
    for one in &found.scored {
        csv.serialize(one)?;
    }
    folder.write(Path::new("late-delivery.csv"), &csv.into_inner()?)?;
    Ok(Some(Evaluation::clone(&found.evaluation)))
}

/// The check of a folder by a process of its own, which prints what it finds.
async fn checked(folder: &RunFolder, json: bool) -> anyhow::Result<ExitStatus> {
    let program = std::env::current_exe().context("the path of this program")?;
    let mut command = tokio::process::Command::new(program);
    command.arg("verify-run").arg(folder.path());
    if json {
        command.arg("--json");
    }
    command.status().await.context("the checking process")
}

#[cfg(test)]
mod tests;
