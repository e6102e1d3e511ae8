//! Commands that look after a bank's desk, on its database directly.

mod access;
mod books;
mod borrower;
mod daily;
mod score;
mod scorecard;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use credit::Accounts;
use credit::audit::Check;
use credit::config::Config;
use credit::desk::Role;
use credit::store;
use kit::clock::TokioClock;
use schemas::hash::Hash;
use schemas::ids::Slug;

pub use access::{Client, client};
pub use books::{Ledger, ledger};
pub use borrower::{Borrower, borrower};
pub use daily::{Daily, daily};
pub use score::{Score, score};
pub use scorecard::{Scorecard, scorecard};

/// A configuration, with the database that the environment names instead of its own.
///
/// # Errors
/// When either is refused.
pub fn load(file: &Path) -> anyhow::Result<Config> {
    let mut config = Config::load(file)?;
    if let Some(url) = kit::postgres::address_in("DATABASE_URL")? {
        config.database = store::Database::Postgres(url);
    }
    Ok(config)
}

/// Brings the tables up to date, as their owner where one is named.
///
/// # Errors
/// When the configuration or the database is refused.
pub async fn migrate(config: &Path) -> anyhow::Result<()> {
    let owner = kit::postgres::address_in("DATABASE_OWNER_URL")?;
    let database = load(config)?.database;
    println!("{}", store::migrate(&database, owner.as_ref()).await?);
    Ok(())
}

/// Who is named in the trail.
const ACTOR: &str = "command-line";

/// Rows of the trail that are read at once.
const ROWS: u32 = 500;

/// What is done with an account.
#[derive(Subcommand)]
pub enum User {
    /// Makes an account; the password is one line of standard input.
    Add {
        #[command(flatten)]
        whom: Whom,
        /// `officer` decides, `supervisor` keeps reasons and the trial, `auditor` reads, `regulator`
        /// reads the trial and may stop it.
        #[arg(long, value_parser = role)]
        role: Role,
    },
    /// Gives an account another password (one line of standard input); its sessions end.
    Password {
        #[command(flatten)]
        whom: Whom,
    },
    /// Closes an account; its sessions end.
    Close {
        #[command(flatten)]
        whom: Whom,
    },
    /// Opens a closed account again.
    Open {
        #[command(flatten)]
        whom: Whom,
    },
    /// Removes the second factor of somebody whose phone is gone; its sessions end.
    ResetFactor {
        #[command(flatten)]
        whom: Whom,
        /// Who has seen that it is they: another person with an open account.
        #[arg(long)]
        by: Slug,
    },
    /// Links an account to a subject of the log-in provider.
    Link {
        #[command(flatten)]
        whom: Whom,
        /// As the provider names the person (`sub` in its tokens).
        #[arg(long)]
        subject: String,
    },
    /// Removes every link of an account.
    Unlink {
        #[command(flatten)]
        whom: Whom,
    },
    /// Lists every account.
    List {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

/// An account of a service.
#[derive(Args)]
pub struct Whom {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
    /// The name to log in with.
    #[arg(long)]
    name: Slug,
}

fn role(text: &str) -> Result<Role, String> {
    Role::of_word(text).ok_or_else(|| "officer, supervisor, auditor or regulator".to_owned())
}

/// Does it.
///
/// # Errors
/// When the configuration, the database, the name or the password is refused.
pub async fn user(what: User) -> anyhow::Result<()> {
    match what {
        User::Add { whom, role } => {
            let (accounts, password) = (open(&whom.config).await?, password()?);
            accounts.add(ACTOR, &whom.name, role, &password).await?;
            println!("account {} is made ({})", whom.name, role.word());
        }
        User::Password { whom } => {
            let (accounts, password) = (open(&whom.config).await?, password()?);
            accounts.set_password(ACTOR, &whom.name, &password).await?;
            println!(
                "account {} has another password; its sessions have ended",
                whom.name
            );
        }
        User::ResetFactor { whom, by } => {
            let accounts = open(&whom.config).await?;
            accounts.reset_factor(&by, &whom.name).await?;
            println!(
                "account {} has no second factor any more; its sessions have ended",
                whom.name
            );
        }
        User::Link { whom, subject } => {
            let accounts = open(&whom.config).await?;
            accounts.link(ACTOR, &whom.name, &subject).await?;
            println!("account {} may log in by the provider", whom.name);
        }
        User::Unlink { whom } => {
            let accounts = open(&whom.config).await?;
            let ended = accounts.unlink(ACTOR, &whom.name).await?;
            println!("{ended} links of account {} were removed", whom.name);
        }
        User::Close { whom } => close(&whom, true).await?,
        User::Open { whom } => close(&whom, false).await?,
        User::List { config } => {
            for account in open(&config).await?.list().await? {
                let state = account.disabled.map_or_else(
                    || "open".to_owned(),
                    |since| format!("closed since {since}"),
                );
                println!("{}\t{}\t{state}", account.name, account.role);
            }
        }
    }
    Ok(())
}

async fn close(whom: &Whom, closed: bool) -> anyhow::Result<()> {
    open(&whom.config)
        .await?
        .set_closed(ACTOR, &whom.name, closed)
        .await?;
    println!(
        "account {} is {}",
        whom.name,
        if closed { "closed" } else { "open" }
    );
    Ok(())
}

/// Makes or reads the key that exports are signed with.
///
/// # Errors
/// When the configuration names none, or its file cannot be used.
pub fn export_key(config: &Path) -> anyhow::Result<()> {
    let file = Config::load(config)?.desk.export_key;
    let file = file.context("desk.export_key: the configuration names no file")?;
    let key = credit::desk::sealed::load_or_make_key(&file)?;
    print!("{}", credit::desk::sealed::pem(&key));
    Ok(())
}

/// Never an argument: every user of the machine sees those.
fn password() -> anyhow::Result<String> {
    kit::people::password::read_line(std::io::stdin()).context("no password")
}

async fn open(config: &Path) -> anyhow::Result<Accounts> {
    let config = load(config)?;
    let store = store::open(&config.database).await?;
    // No token is given and nobody logs in here, so that the service's own address is not needed.
    Ok(Accounts::new(
        &config.desk,
        "",
        store,
        Arc::new(TokioClock),
    )?)
}

/// A row of the trail that somebody has written down.
#[derive(Clone, Debug)]
pub struct Head(i64, Hash);

impl FromStr for Head {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "NUMBER:HASH is expected".to_owned();
        let (number, hash) = text.split_once(':').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        Ok(Self(number, hash.parse().map_err(|_| wrong())?))
    }
}

/// Reads the trail from its first row.
///
/// # Errors
/// At the first row that does not follow, and when `head` is not in it.
pub async fn audit(config: &Path, head: Option<Head>) -> anyhow::Result<()> {
    let store = store::open(&load(config)?.database).await?;
    let (mut check, mut met) = (Check::default(), false);
    loop {
        let after = check.head().map_or(0, |(number, _)| number);
        let rows = store.trail(after, ROWS).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            check.take(row).context("THE TRAIL DOES NOT HOLD")?;
            met |= head
                .as_ref()
                .is_some_and(|Head(number, hash)| check.head() == Some((*number, *hash)));
        }
    }
    if let Some(Head(number, _)) = &head {
        ensure!(
            met,
            "THE TRAIL DOES NOT HOLD: row {number} is not there or has another hash"
        );
    }
    let Some((number, hash)) = check.head() else {
        bail!("the trail is empty");
    };
    println!("the trail holds: {number} rows; head {number}:{hash}");
    Ok(())
}
