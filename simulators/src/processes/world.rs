//! Everything that a story happens to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::organisation::Organisation;
use anyhow::{Context, Result, ensure};
use rand::SeedableRng;
use rand::rngs::StdRng;
use schemas::ids::Slug;
use schemas::key::SecretKey;

use crate::processes::gateway::Gateway;
use crate::processes::operator::Operator;
use crate::processes::process::{DEADLINE, until};
use crate::processes::scanner::Scanner;
use crate::processes::site::On;

/// Lines of each process's log that a failed story shows.
const TAIL: usize = 12;
/// How long everything may take to be handed over at the end.
const HAND_OVER: Duration = Duration::from_secs(45);

/// One operator, one gateway, one scanner.
pub struct World {
    /// Where processes are killed.
    pub chance: StdRng,
    /// Writes lines.
    pub scanner: Scanner,
    /// Runs the agent.
    pub gateway: Gateway,
    /// Runs platform and witnesses.
    pub operator: Operator,
    /// Whose gateway it is.
    pub organisation: Slug,
    /// The same, with its key.
    pub owner: Organisation,
    /// Its key.
    pub key: SecretKey,
    /// Folder of everything.
    pub folder: PathBuf,
}

impl World {
    /// Tells a story in a new world; when it fails, shows what the processes said. The environment
    /// variable `KILL_SEED` tells it with another seed.
    pub async fn tell(seed: u64, lines: u32, story: impl AsyncFnOnce(&mut World) -> Result<()>) {
        World::tell_on(On::default(), seed, lines, story).await;
    }

    /// The same on other parts; where one is not installed, nothing is told.
    pub async fn tell_on(
        on: On,
        seed: u64,
        lines: u32,
        story: impl AsyncFnOnce(&mut World) -> Result<()>,
    ) {
        if on.skip() {
            return;
        }
        let other = std::env::var("KILL_SEED").ok();
        let seed = other.map_or(seed, |text| text.parse().expect("KILL_SEED is a number"));
        let folder = tempfile::tempdir().expect("a folder");
        let logs = folder.path().join("logs");
        let told = async {
            let mut world = World::begin(folder.path(), on, seed, lines).await?;
            story(&mut world).await
        };
        if let Err(error) = told.await {
            panic!("seed {seed}: {error:#}\n{}", tails(&logs));
        }
    }

    /// A new world in a folder, for a scanner of so many lines. The agent does not run yet.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn begin(folder: &Path, on: On, seed: u64, lines: u32) -> Result<World> {
        let logs = folder.join("logs");
        std::fs::create_dir_all(&logs)?;
        let organisation: Slug = "qinghe".parse()?;
        let place = folder.join("operator");
        let mut operator = Operator::prepare(place, logs.clone(), &organisation, on).await?;
        operator.begin().await?;
        let key = SecretKey::generate()?;
        let (platform, http) = (operator.identity(), operator.http());
        let owner = Organisation::with_key(organisation.clone(), key.clone(), platform, http);
        owner.join(operator.registrar()).await?;
        let place = folder.join("gateway");
        let gateway = Gateway::enrolled(place, logs, &owner, "line-1").await?;
        Ok(World {
            folder: folder.to_owned(),
            owner,
            key,
            chance: StdRng::seed_from_u64(seed),
            scanner: Scanner::start(&gateway.scans(), lines, seed)?,
            gateway,
            operator,
            organisation,
        })
    }

    /// Waits until the platform has stored `events` at least.
    pub async fn stored(&self, events: u32) -> Result<()> {
        until(
            &format!("{events} events are stored"),
            DEADLINE,
            async || {
                let stored = self.operator.stored().await?;
                Ok((stored.events >= u64::from(events)).then_some(()))
            },
        )
        .await
    }

    /// Waits until the gateway has read `lines`, has a receipt for everything and has verified
    /// that a witnessed checkpoint includes it.
    pub async fn settled(&self, lines: u32) -> Result<()> {
        self.scanner.written(lines).await?;
        let mut last = None;
        let waited = until("everything is taken over", HAND_OVER, async || {
            last = self.gateway.outbox().await?;
            let settled = last.as_ref().is_some_and(|outbox| {
                outbox.lines == i64::from(lines) && outbox.events == 0 && outbox.statements == 0
            });
            Ok(settled.then_some(()))
        })
        .await;
        let stored = self.operator.stored().await?;
        waited
            .with_context(|| format!("{last:?} of {lines} lines, the platform has {stored:?}"))?;
        ensure!(stored.anchored == u64::from(lines), "{stored:?}");
        Ok(())
    }
}

/// The end of every log.
pub fn tails(logs: &Path) -> String {
    let mut files: Vec<PathBuf> = std::fs::read_dir(logs)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "err"))
        .collect();
    files.sort();
    let tail = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        format!("---- {}\n{end}\n", path.display())
    };
    files.into_iter().map(tail).collect()
}
