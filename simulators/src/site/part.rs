//! What a program of this crate does when it is called again as a part of a [`super::Site`].

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Subcommand;
use kit::clock::TokioClock;
use platform::config::Config;
use platform::keys;
use platform::witness::{self, WitnessConfig};
use schemas::hash::Hash;
use schemas::ids::Origin;
use schemas::key::PublicKey;

/// Word of the hidden subcommand.
const SUBCOMMAND: &str = "part";
/// Line after the witnesses' sections.
pub(super) const WITNESSES_END: &str = "# all witnesses";
/// Their names.
const WITNESSES: [&str; 4] = ["one", "two", "three", "four"];

/// Which part.
#[derive(Debug, Subcommand)]
pub enum Part {
    /// The platform under a configuration file.
    Platform {
        /// The file.
        config: PathBuf,
    },
    /// Four witnesses of a log.
    Witnesses {
        /// Folder of their keys and memories.
        folder: PathBuf,
        /// The log's name.
        origin: Origin,
        /// Its key.
        key: Hash,
    },
}

/// A command for this program as a part.
pub(super) fn command(arguments: &[OsString]) -> Result<Command> {
    let mut command = super::own_program(std::env::current_exe()?);
    command.arg(SUBCOMMAND).args(arguments);
    Ok(command)
}

impl Part {
    /// Runs until the process is told to end.
    ///
    /// # Errors
    /// When the part cannot start.
    pub async fn run(self) -> Result<ExitCode> {
        match self {
            Part::Platform { config } => serve(&config).await,
            Part::Witnesses {
                folder,
                origin,
                key,
            } => cosign(&folder, &origin, &PublicKey::ed25519(&key.0)?).await,
        }
    }
}

/// As `platform serve` does it.
async fn serve(file: &Path) -> Result<ExitCode> {
    let text = std::fs::read_to_string(file)?;
    let config = Config::parse(&file.display().to_string(), &text)?;
    kit::telemetry::init(config.logs, "info,rmqtt=warn")?;
    let shutdown = kit::shutdown::on_signals()?;
    let started = platform::service::run(config, Arc::new(TokioClock), shutdown.clone());
    let handle = started.await.context("the platform does not start")?;
    println!("listening {} broker {}", handle.url, handle.broker);
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = handle.failed() => anyhow::bail!("the log has stopped"),
    }
    handle.join().await;
    Ok(ExitCode::SUCCESS)
}

async fn cosign(folder: &Path, origin: &Origin, log_key: &PublicKey) -> Result<ExitCode> {
    platform::tls::install_provider();
    std::fs::create_dir_all(folder)?;
    let shutdown = kit::shutdown::on_signals()?;
    let mut served = Vec::new();
    for name in WITNESSES {
        let key = keys::load_or_make(&folder.join(format!("{name}.key")))?;
        let public = Hash(key.public_bytes());
        let config = WitnessConfig {
            name: format!("{name}.example"),
            key,
            logs: vec![(origin.clone(), log_key.clone())],
            file: folder.join(format!("{name}.json")),
            listen: ([127, 0, 0, 1], 0).into(),
            tls: None,
        };
        let one = witness::run(config, Arc::new(TokioClock), shutdown.clone()).await?;
        let url = one.url();
        println!(
            "[[witness]]\nname = \"{name}.example\"\nurl = \"{url}\"\nkey = \"{public}\"\nown = true"
        );
        served.push(one);
    }
    println!("{WITNESSES_END}");
    for one in served {
        one.task.await??;
    }
    Ok(ExitCode::SUCCESS)
}
