//! Runs in which things go wrong: `cargo run --release -p simulators --bin faults -- --seeds N`.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use serde_json::json;
use simulators::faults::ground::Ground;
use simulators::faults::kind::Kind;
use simulators::faults::treason::Treason;
use simulators::faults::{self, Told};

/// Repeats a run that failed.
const AGAIN: &str = "again: cargo run --release -p simulators --bin faults --";

/// Lets things go wrong, and checks that nothing was lost, doubled or left unsaid.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// How many runs.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Seed of the first.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// What goes wrong: a mixture, or one kind alone.
    #[arg(long, default_value_t)]
    kind: Kind,
    /// With real processes instead, PostgreSQL and Mosquitto of Debian's among them.
    #[arg(long)]
    real: bool,
    /// Print one JSON object a run.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    kit::telemetry::init(kit::telemetry::Lines::Human, "off")?;
    let arguments = Arguments::parse();
    if arguments.real {
        let runtime = tokio::runtime::Runtime::new()?;
        return runtime.block_on(with_real_processes(&arguments));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(virtually(&arguments))
}

async fn with_real_processes(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (began, kind) = (Instant::now(), arguments.kind);
    let (mut failed, mut lines) = (Vec::new(), 0);
    for seed in arguments.first..arguments.first + arguments.seeds {
        let began = Instant::now();
        let told = faults::real::run(seed, kind).await?;
        lines += told.lines;
        let seconds = began.elapsed().as_secs_f64();
        if arguments.json {
            let line = json!({
                "seed": seed,
                "kind": kind.to_string(),
                "real": true,
                "faults": told.faults,
                "lines": told.lines,
                "statements": told.statements,
                "gaps": told.gaps,
                "seconds": seconds,
                "problem": told.problem,
            });
            println!("{line}");
        } else {
            println!("seed {seed}: {} ({seconds:.1} s)", told.faults.join(", "));
        }
        if let Some(problem) = told.problem {
            eprintln!("FAILED: {problem}");
            eprintln!("{AGAIN} --seeds 1 --first {seed} --kind {kind} --real");
            failed.push(seed);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let (seeds, count) = (arguments.seeds, failed.len());
    eprintln!(
        "{seeds} runs with real processes in {seconds:.1} s: {lines} lines scanned, {count} runs \
         failed {failed:?}"
    );
    Ok(ended(&failed))
}

fn ended(failed: &[u64]) -> ExitCode {
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn virtually(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (began, ground) = (Instant::now(), Ground::prepare().await?);
    let (mut failed, mut accepted, mut statements) = (Vec::new(), 0, 0);
    for seed in arguments.first..arguments.first + arguments.seeds {
        let told = faults::run(&ground, seed, arguments.kind, Treason::None).await?;
        accepted += told.accepted;
        statements += told.statements;
        say(&told, arguments);
        if !told.problems.is_empty() {
            failed.push(seed);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let (seeds, count) = (arguments.seeds, failed.len());
    eprintln!(
        "{seeds} runs in {seconds:.1} s: {accepted} readings and scans accepted, {statements} \
         statements stored, {count} runs failed {failed:?}"
    );
    Ok(ended(&failed))
}

fn say(told: &Told, arguments: &Arguments) {
    if arguments.json {
        let line = json!({
            "seed": told.seed,
            "kind": arguments.kind.to_string(),
            "faults": told.faults,
            "digest": told.digest.to_string(),
            "statements": told.statements,
            "accepted": told.accepted,
            "problems": told.problems,
        });
        println!("{line}");
    }
    if !told.problems.is_empty() {
        eprintln!("{}", told.tail.join("\n"));
        for problem in &told.problems {
            eprintln!("FAILED: {problem}");
        }
        let (seed, kind) = (told.seed, arguments.kind);
        eprintln!("{AGAIN} --seeds 1 --first {seed} --kind {kind}");
    }
}
