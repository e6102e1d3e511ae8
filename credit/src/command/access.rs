//! `credit client`: machines that fetch their own tokens, on the database directly.

use std::path::PathBuf;

use anyhow::ensure;
use clap::{Args, Subcommand};
use credit::http::SCOPES;
use kit::people::client::{self, Credential};
use schemas::hash::Hash;
use schemas::ids::Slug;

use super::{ACTOR, open};

/// What is done with a client.
#[derive(Subcommand)]
pub enum Client {
    /// Makes a client; its secret is printed once, unless it shows assertions of its own key.
    Add {
        #[command(flatten)]
        which: Which,
        /// What it may ask for: `apply`, `read`; may be given twice.
        #[arg(long = "scope", required = true)]
        scopes: Vec<Slug>,
        /// Its Ed25519 public key in hex, if it signs assertions (RFC 7523) instead.
        #[arg(long)]
        public_key: Option<Hash>,
    },
    /// Closes a client; its tokens end at once.
    Close {
        #[command(flatten)]
        which: Which,
    },
    /// Opens a closed client again.
    Open {
        #[command(flatten)]
        which: Which,
    },
    /// Lists every client.
    List {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

/// A client of a service.
#[derive(Args)]
pub struct Which {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
    /// Its name, `client_id` in its requests.
    #[arg(long)]
    name: Slug,
}

/// Does it.
///
/// # Errors
/// When the configuration, the database, the name or a scope is refused.
pub async fn client(what: Client) -> anyhow::Result<()> {
    match what {
        Client::Add {
            which,
            scopes,
            public_key,
        } => add(which, scopes, public_key).await,
        Client::Close { which } => close(&which, true).await,
        Client::Open { which } => close(&which, false).await,
        Client::List { config } => {
            for one in open(&config).await?.list_clients().await? {
                println!("{}", line(&one));
            }
            Ok(())
        }
    }
}

async fn add(which: Which, scopes: Vec<Slug>, key: Option<Hash>) -> anyhow::Result<()> {
    let other = scopes
        .iter()
        .find(|scope| !SCOPES.contains(&scope.as_str()));
    ensure!(other.is_none(), "--scope: there are {}", SCOPES.join(", "));
    let accounts = open(&which.config).await?;
    let scopes = scopes.into_iter().collect();
    let key = key.map(|key| key.0);
    match accounts.add_client(ACTOR, &which.name, scopes, key).await? {
        Some(secret) => println!("client {} has this secret, told once: {secret}", which.name),
        None => println!("client {} fetches its tokens by its key", which.name),
    }
    Ok(())
}

async fn close(which: &Which, closed: bool) -> anyhow::Result<()> {
    let accounts = open(&which.config).await?;
    accounts
        .set_client_closed(ACTOR, &which.name, closed)
        .await?;
    let state = if closed { "closed" } else { "open" };
    println!("client {} is {state}", which.name);
    Ok(())
}

fn line(one: &client::Client) -> String {
    let scopes: Vec<&str> = one.scopes.iter().map(Slug::as_str).collect();
    let how = match one.credential {
        Credential::Secret(_) => "secret",
        Credential::PublicKey(_) => "key",
    };
    let state = one.disabled.map_or_else(
        || "open".to_owned(),
        |since| format!("closed since {since}"),
    );
    format!("{}\t{}\t{how}\t{state}", one.name, scopes.join(","))
}
