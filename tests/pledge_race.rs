//! Two processes of the bank offer one thing a thousand times, on either engine, and one pallet against
//! what is on it: exactly one is kept, and every other one is told so.
//!
//! The processes are real: this test's own binary is started twice more, and runs [`racer`].

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use credit::money::{Currency, Money};
use credit::pledge::claim::{Goods, Part};
use credit::pledge::desk::PledgeError;
use credit::pledge::stage::Offer;
use credit::pledge::{Claims, Fingerprint, Pledging};
use credit::store::{self, Tables};
use schemas::gs1::Identifier;
use schemas::time::Instant;

use crate::contract::engine::Database;

/// Where a racer's database is.
const DATABASE: &str = "TRACEBOND_PLEDGE_RACE_DATABASE";
/// Which racer it is.
const RACER: &str = "TRACEBOND_PLEDGE_RACE_NAME";

/// Tries of each of two processes.
const TRIES: usize = 500;
/// How many of them a process has in hand.
const AT_ONCE: usize = 20;

fn serial(text: &str) -> Identifier {
    Identifier::from_serial("09521234543213", text).unwrap()
}

fn pallet() -> Identifier {
    Identifier::from_sscc("095212345432100010").unwrap()
}

/// One thing in the first race; in the second one a pallet or, every other time, what is on it.
fn goods(race: &str, number: usize) -> Goods {
    let (thing, around) = (serial("P1"), vec![pallet()]);
    match (race, number % 2) {
        ("thing", _) => Goods::Thing {
            thing: serial("A1"),
            lot: None,
            around: vec![],
        },
        (_, 0) => Goods::Unit {
            unit: pallet(),
            parts: vec![Part::Thing(thing, None)],
            around: vec![],
        },
        _ => Goods::Thing {
            thing,
            lot: None,
            around,
        },
    }
}

/// One try: what became of it.
async fn attempt(store: &dyn Tables, race: &str, number: usize, name: &str) -> &'static str {
    let offer = Offer {
        borrower: "qinghe".parse().unwrap(),
        loan: format!("loan-{name}").parse().unwrap(),
        what: "one pump".into(),
        lending_value: Money::from_fen(100_000, Currency::CNY).unwrap(),
        details: None,
        worth: None,
        evidence: None,
        claims: Claims::of(&goods(race, number)).unwrap(),
    };
    let request = format!("{race}-{name}-{number}").parse().unwrap();
    let person = "lin".parse().unwrap();
    let pledging = Pledging::new(store);
    let at = Instant::from_seconds(1_800_000_000);
    match pledging.offer(request, person, offer, at).await {
        Ok(done) if done.before => "before",
        Ok(_) => "kept",
        Err(PledgeError::Held(_)) => "held",
        Err(error) => {
            eprintln!("{error:?}");
            "failed"
        }
    }
}

/// Every [`AT_ONCE`]-th number from `first`.
async fn lane(
    store: std::sync::Arc<dyn Tables>,
    (race, name): (String, String),
    first: usize,
) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for number in (first..TRIES).step_by(AT_ONCE) {
        let became = attempt(&*store, &race, number, &name).await;
        *counts.entry(became).or_default() += 1;
    }
    counts
}

/// The other process: says that it is ready, waits for the word, tries, says what became of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of pledge_race"]
async fn racer() {
    let (Ok(database), Ok(name)) = (std::env::var(DATABASE), std::env::var(RACER)) else {
        return;
    };
    let database = store::Database::try_from(database).unwrap();
    let store = store::open(&database).await.unwrap();
    println!("\nracer ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let lanes: Vec<_> = (0..AT_ONCE)
        .map(|first| {
            let race = (line.trim().to_owned(), name.clone());
            tokio::spawn(lane(store.clone(), race, first))
        })
        .collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for lane in lanes {
        for (became, count) in lane.await.unwrap() {
            *counts.entry(became).or_default() += count;
        }
    }
    let counts = serde_json::to_string(&counts).unwrap();
    println!("\nracer counts {counts}");
}

/// A started racer; killed when dropped.
struct Racer {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Racer {
    fn start(database: &str, name: &str) -> Result<Self> {
        let module = module_path!().split_once("::").context("no module")?.1;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--ignored", "--exact", "--nocapture", "--test-threads=1"])
            .arg(format!("{module}::racer"))
            .env(DATABASE, database)
            .env(RACER, name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let output = BufReader::new(output);
        let mut racer = Self { child, output };
        racer.line("racer ready")?;
        Ok(racer)
    }

    /// What follows this in the next line that begins with it.
    fn line(&mut self, begins: &str) -> Result<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line)? > 0 {
            if let Some(rest) = line.trim().strip_prefix(begins) {
                return Ok(rest.to_owned());
            }
            line.clear();
        }
        anyhow::bail!("the racer ended without a word of `{begins}`")
    }

    fn go(&mut self, race: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("no input")?;
        Ok(writeln!(input, "{race}")?)
    }

    fn counts(mut self) -> Result<BTreeMap<String, usize>> {
        let counts = serde_json::from_str(&self.line("racer counts ")?)?;
        ensure!(self.child.wait()?.success(), "the racer failed");
        Ok(counts)
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two processes try; how often each outcome came.
fn race(database: &str, race: &str) -> Result<BTreeMap<String, usize>> {
    let mut racers = [
        Racer::start(database, "one")?,
        Racer::start(database, "two")?,
    ];
    for racer in &mut racers {
        racer.go(race)?;
    }
    let mut all = BTreeMap::new();
    for racer in racers {
        for (became, count) in racer.counts()? {
            *all.entry(became).or_default() += count;
        }
    }
    Ok(all)
}

async fn story(database: &str, text: store::Database) -> Result<()> {
    let store = store::open(&text).await?;
    for name in ["thing", "pallet"] {
        let database = database.to_owned();
        let counts = tokio::task::spawn_blocking(move || race(&database, name)).await??;
        println!("{name}: {counts:?} of {} tries", 2 * TRIES);
        let count = |became: &str| counts.get(became).copied().unwrap_or(0);
        ensure!(count("kept") == 1, "{name}: {counts:?}");
        ensure!(count("held") == 2 * TRIES - 1, "{name}: {counts:?}");
    }
    let thing = Fingerprint::of_thing(&serial("A1"))?;
    let holder = store
        .pledge_holder(&thing)
        .await?
        .context("nobody has it")?;
    let chain = store.pledge(&holder).await?.context("there is no pledge")?;
    ensure!(chain.steps().len() == 1);
    // The tries that were refused left no pledge behind.
    for name in ["one", "two"] {
        for number in 0..TRIES {
            let request = format!("thing-{name}-{number}").parse()?;
            let pledge = credit::pledge::PledgeId::of(&request);
            let kept = store.pledge(&pledge).await?;
            ensure!(
                kept.is_none() || pledge == holder,
                "{name} {number} is kept"
            );
        }
    }
    store.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pledge_race_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credit.sqlite");
    let text = path(&file);
    let database = store::Database::try_from(text.clone()).unwrap();
    story(&text, database).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pledge_race_on_postgres() {
    if simulators::parts::Part::Postgres.skip() {
        return;
    }
    let database = Database::of_the_bank().await;
    let service = store::Database::Postgres(database.service.clone());
    story(&database.service_text, service).await.unwrap();
}

fn path(file: &Path) -> String {
    file.to_string_lossy().into_owned()
}
