//! `credit borrower`: accounts of people of a supplier, on the database directly.

use std::path::PathBuf;

use clap::Subcommand;
use credit::accounts::BORROWER;
use schemas::ids::Slug;

use super::{ACTOR, Whom, close, open, password};

/// What is done with a borrower's account.
#[derive(Subcommand)]
pub enum Borrower {
    /// Makes an account; the password is one line of standard input.
    Add {
        #[command(flatten)]
        whom: Whom,
        /// The supplier, as its applications name it; it cannot be changed.
        #[arg(long)]
        supplier: Slug,
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
    /// Lists every borrower's account with its supplier.
    List {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

/// Does it.
///
/// # Errors
/// When the configuration, the database, the name or the password is refused, and for an account of
/// the bank's people.
pub async fn borrower(what: Borrower) -> anyhow::Result<()> {
    match what {
        Borrower::Add { whom, supplier } => {
            let (accounts, password) = (open(&whom.config).await?, password()?);
            let made = accounts.add_borrower(ACTOR, &whom.name, &supplier, &password);
            made.await?;
            println!("account {} is made (borrower {supplier})", whom.name);
        }
        Borrower::Password { whom } => {
            let accounts = open(&whom.config).await?;
            accounts.supplier_of(&whom.name).await?;
            accounts
                .set_password(ACTOR, &whom.name, &password()?)
                .await?;
            let name = whom.name;
            println!("account {name} has another password; its sessions have ended");
        }
        Borrower::Close { whom } => checked(&whom, true).await?,
        Borrower::Open { whom } => checked(&whom, false).await?,
        Borrower::List { config } => list(config).await?,
    }
    Ok(())
}

async fn checked(whom: &Whom, closed: bool) -> anyhow::Result<()> {
    open(&whom.config).await?.supplier_of(&whom.name).await?;
    close(whom, closed).await
}

async fn list(config: PathBuf) -> anyhow::Result<()> {
    let accounts = open(&config).await?;
    for account in accounts.list().await? {
        if account.role.as_str() != BORROWER {
            continue;
        }
        let supplier = accounts.supplier_of(&account.name).await?;
        let state = account.disabled.map_or_else(
            || "open".to_owned(),
            |since| format!("closed since {since}"),
        );
        println!("{}\t{supplier}\t{state}", account.name);
    }
    Ok(())
}
