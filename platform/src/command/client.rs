//! `platform client`: machines that fetch their own tokens, on the database directly.

use std::collections::BTreeSet;
use std::sync::Arc;

use kit::clock::TokioClock;
use kit::people::Clients;
use kit::people::client::{Client, Credential};
use schemas::hash::Hash;
use schemas::ids::Slug;

use crate::config::Config;
use crate::{people, store};

/// What is done with a client.
#[derive(Clone, Debug)]
pub enum Act {
    /// Made, with a secret that is told once, or with its public key.
    Add {
        /// Of the `[[capturer]]` or `[[reader]]` that it is.
        name: Slug,
        /// Of [`people::SCOPES`].
        scopes: BTreeSet<Slug>,
        /// Ed25519, if it signs assertions.
        public_key: Option<Hash>,
    },
    /// Closed, its tokens end; or opened again.
    Close {
        /// Which.
        name: Slug,
        /// False to open it.
        closed: bool,
    },
    /// All are listed.
    List,
}

/// Does it; what was done, in words.
///
/// # Errors
/// When the database cannot be entered, or the name is taken or unknown.
pub async fn run(config: &Config, act: Act) -> anyhow::Result<String> {
    let store = store::open(config).await?;
    let known = people::clients(config, "", store, Arc::new(TokioClock));
    match act {
        Act::Add {
            name,
            scopes,
            public_key,
        } => add(&known, name, scopes, public_key).await,
        Act::Close { name, closed } => {
            known.set_disabled(&name, closed).await?;
            let word = if closed { "closed" } else { "open" };
            Ok(format!("{name} is {word}"))
        }
        Act::List => {
            let lines: Vec<String> = known.list().await?.iter().map(line).collect();
            Ok(lines.join("\n"))
        }
    }
}

async fn add(
    known: &Clients,
    name: Slug,
    scopes: BTreeSet<Slug>,
    public_key: Option<Hash>,
) -> anyhow::Result<String> {
    let words = people::SCOPES;
    let other = scopes.iter().find(|scope| !words.contains(&scope.as_str()));
    anyhow::ensure!(other.is_none(), "--scope: there are {}", words.join(", "));
    if let Some(key) = public_key {
        known.add_key(&name, scopes, key.0).await?;
        return Ok(format!("{name} fetches its tokens by its key"));
    }
    let secret = known.add(&name, scopes).await?;
    Ok(format!("{name} has this secret, told once: {secret}"))
}

fn line(client: &Client) -> String {
    let scopes: Vec<&str> = client.scopes.iter().map(Slug::as_str).collect();
    let how = match client.credential {
        Credential::Secret(_) => "secret",
        Credential::PublicKey(_) => "key",
    };
    let state = if client.disabled.is_some() {
        "closed"
    } else {
        "open"
    };
    format!("{} {} {how} {state}", client.name, scopes.join(","))
}
