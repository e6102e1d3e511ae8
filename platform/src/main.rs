//! The `platform` program: arguments in, exit code out. Everything else is in the library.

mod cli;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Parser;
use kit::clock::TokioClock;
use platform::anchor::tiles::Tiles;
use platform::command::{
    archive, check, client, erase, fsck, init, monitor, policy, prove, user, verify,
};
use platform::config::Config;
use platform::folder::DataFolder;
use platform::mosquitto;
use platform::store;
use platform::tls::{Files, server_config};
use platform::witness::{self, WitnessConfig};
use schemas::hash::Hash;
use schemas::ids::Origin;
use schemas::key::PublicKey;
use schemas::time::Clock;

use cli::{Arguments, Command, LogCommand, PolicyCommand};

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("platform: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Init {
            folder,
            origin,
            organisation,
        } => {
            let made = init::init(&folder, &origin, &organisation, TokioClock.now())?;
            println!("{}", made.summary);
            println!("configuration to fill in:   {}", made.config.display());
            println!("record for a registrar:     {}", made.draft.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { config, json } => {
            let report = check::check(&config, Arc::new(TokioClock)).await;
            print!("{}", report.text(json));
            Ok(if report.holds() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::User { config, what } => {
            println!("{}", user::run(&load(&config)?, what.act()?).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Client { config, what } => {
            println!("{}", client::run(&load(&config)?, what.act()).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve { config } => serve(&config).await,
        Command::Migrate { config } => migrate(&config).await,
        Command::Erase { config, what } => {
            let words = erase::run(&load(&config)?, what, TokioClock.now()).await?;
            println!("{words}");
            Ok(ExitCode::SUCCESS)
        }
        Command::Archive(arguments) => archive_contents(&arguments).await,
        Command::Verify {
            files,
            policy,
            tlog_policy,
            json,
        } => verify_files(&files, policy.as_deref(), tlog_policy.as_deref(), json),
        Command::Prove(arguments) => prove_events(&arguments).await,
        Command::BrokerConfig { config } => {
            for path in mosquitto::configure(&load(&config)?, TokioClock.now())? {
                println!("{}", path.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Policy { command } => policy_command(command).await,
        Command::Log {
            command: LogCommand::Fsck { config, repair },
        } => fsck_log(&config, repair).await,
        Command::Monitor(arguments) => {
            kit::telemetry::init(kit::telemetry::Lines::Human, "warn")?;
            let shutdown = kit::shutdown::on_signals()?;
            monitor::run(*arguments, Arc::new(TokioClock), shutdown).await
        }
        Command::Witness {
            name,
            key,
            memory,
            listen,
            logs,
            tls,
            metrics,
        } => {
            let logs = logs
                .iter()
                .map(|text| log_argument(text))
                .collect::<anyhow::Result<_>>()?;
            let key = platform::keys::load_or_make(&key)?;
            let tls = tls.map(|folder| server_config(&Files::server(&folder), &["http/1.1"]));
            let config = WitnessConfig {
                name,
                key,
                logs,
                file: memory,
                listen,
                tls: tls.transpose()?,
            };
            run_witness(config, metrics).await
        }
    }
}

fn load(file: &Path) -> anyhow::Result<Config> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let mut config = Config::parse(&file.display().to_string(), &text)?;
    if let Some(url) = kit::postgres::address_in("DATABASE_URL")? {
        config.database = Some(url);
    }
    config.eraser = kit::postgres::address_in(platform::erase::ERASER_URL)?;
    config.owner = kit::postgres::address_in("DATABASE_OWNER_URL")?;
    Ok(config)
}

async fn migrate(config: &Path) -> anyhow::Result<ExitCode> {
    let config = load(config)?;
    println!("{}", store::migrate(&config, config.owner.as_ref()).await?);
    if let Some(owner) = config.owner.as_ref().or(config.database.as_ref()) {
        let made = platform::partition::make(owner, TokioClock.now()).await?;
        println!("{made} partitions of content were made");
    }
    Ok(ExitCode::SUCCESS)
}

async fn archive_contents(arguments: &archive::Arguments) -> anyhow::Result<ExitCode> {
    if arguments.only_verifies() {
        print!("{}", archive::verify(arguments)?);
        return Ok(ExitCode::SUCCESS);
    }
    let config = arguments.config.as_deref().context("--config is missing")?;
    let words = archive::run(&load(config)?, arguments, TokioClock.now()).await?;
    println!("{words}");
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: &Path) -> anyhow::Result<ExitCode> {
    let config = load(config)?;
    kit::telemetry::init(config.logs, "info,rmqtt=warn")?;
    let shutdown = kit::shutdown::on_signals()?;
    let handle = platform::service::run(config, Arc::new(TokioClock), shutdown.clone()).await?;
    println!("listening {} broker {}", handle.url, handle.broker);
    let failed = tokio::select! {
        () = shutdown.cancelled() => false,
        () = handle.failed() => true,
    };
    shutdown.cancel();
    handle.join().await;
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn verify_files(
    files: &[PathBuf],
    policy: Option<&Path>,
    tlog_policy: Option<&Path>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let tlog_policy = tlog_policy.map(verify::trusted_tlog_policy).transpose()?;
    let mut all = true;
    for file in files {
        let near = verify::policy_near(file);
        let policy = policy.or(near.as_deref());
        let trusted = policy.map(verify::trusted_policy).transpose()?;
        let mut finding = verify::check(file, trusted.as_deref())?;
        if let Some(trusted) = &tlog_policy {
            finding = finding.under(trusted);
        }
        all &= finding.holds();
        if json {
            println!("{}", finding.json());
        } else {
            print!("{}", finding.words());
        }
    }
    Ok(if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn policy_command(command: PolicyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::Show { config } => print!("{}", policy::show(&load(&config)?).await?),
        PolicyCommand::Next { config } => {
            print!("{}", policy::next(&load(&config)?).await?.words());
        }
        PolicyCommand::Activate { config, terms } => {
            policy::activate(&load(&config)?, terms).await?;
            println!("the next start of the platform lets this policy follow");
        }
        PolicyCommand::NewKey { config } => {
            let (name, key) = policy::new_key(&load(&config)?)?;
            println!("log_key = \"{name}\"   # public key {key}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn prove_events(arguments: &prove::Arguments) -> anyhow::Result<ExitCode> {
    let wanted = arguments.wanted()?;
    let store = store::open(&load(&arguments.config)?).await?;
    let proven = prove::prove(store, &wanted, arguments.audience()?).await?;
    std::fs::write(&arguments.out, &proven.bytes)
        .with_context(|| format!("{}", arguments.out.display()))?;
    let finding = verify::Finding {
        file: arguments.out.clone(),
        outcome: Ok(verify::Proven::Bundle(Box::new(proven.report))),
        by_tlog_policy: false,
    };
    print!("{}", finding.words());
    if proven.waiting > 0 {
        println!(
            "            {} statements wait for a witnessed checkpoint",
            proven.waiting
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn fsck_log(config: &Path, repair: bool) -> anyhow::Result<ExitCode> {
    let config = load(config)?;
    let tiles = Tiles::new(config.data.join("log"));
    let findings = if repair {
        let _alone = DataFolder::take(&config.data)?;
        fsck::repair(&*store::open(&config).await?, &tiles).await?
    } else {
        fsck::check(&*store::open(&config).await?, &tiles).await?
    };
    println!(
        "{} entries, {} roots rebuilt, {} files compared",
        findings.size, findings.roots, findings.files
    );
    for name in &findings.repaired {
        println!("written anew: {name}");
    }
    for problem in &findings.problems {
        println!("PROBLEM: {problem}");
    }
    Ok(if findings.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn log_argument(text: &str) -> anyhow::Result<(Origin, PublicKey)> {
    let Some((origin, key)) = text.rsplit_once('=') else {
        bail!("--log {text}: expected ORIGIN=KEY_IN_HEX");
    };
    let key: Hash = key.parse().with_context(|| format!("--log {text}"))?;
    Ok((origin.parse()?, PublicKey::ed25519(&key.0)?))
}

async fn run_witness(
    config: WitnessConfig,
    metrics: Option<SocketAddr>,
) -> anyhow::Result<ExitCode> {
    kit::telemetry::init(kit::telemetry::Lines::Human, "info,rmqtt=warn")?;
    let shutdown = kit::shutdown::on_signals()?;
    if let Some(address) = metrics {
        kit::metrics::listen(address, platform::metrics::ALL, shutdown.clone()).await?;
    }
    let (name, key) = (config.name.clone(), hex::encode(config.key.public_bytes()));
    let served = witness::run(config, Arc::new(TokioClock), shutdown).await?;
    println!("witness {name} key {key} listening {}", served.url());
    served.task.await??;
    Ok(ExitCode::SUCCESS)
}
