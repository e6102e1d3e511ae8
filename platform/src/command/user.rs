//! `platform user`: accounts of people who read an organisation's page, on the database directly.

use std::sync::Arc;

use anyhow::{Context, ensure};
use kit::clock::TokioClock;
use kit::people::People;
use schemas::ids::Slug;

use crate::config::Config;
use crate::{people, store};

/// What is done with an account.
#[derive(Clone, Debug)]
pub enum Act {
    /// Made, for the page of this organisation.
    Add {
        /// Unique on this platform.
        name: Slug,
        /// Whose page the person may read.
        organisation: Slug,
        /// The password.
        password: String,
    },
    /// Given another password; its sessions end.
    Password {
        /// Whose.
        name: Slug,
        /// The new one.
        password: String,
    },
    /// Closed, its sessions end; or opened again.
    Close {
        /// Whose.
        name: Slug,
        /// False to open it.
        closed: bool,
    },
    /// Freed of its second factor, in the name of another person.
    ResetFactor {
        /// Whose.
        name: Slug,
        /// Who has seen that it is they; a person with an open account.
        by: Slug,
    },
    /// Linked to a subject of the log-in provider.
    Link {
        /// Whose.
        name: Slug,
        /// As the provider names the person.
        subject: String,
    },
    /// Freed of every link.
    Unlink {
        /// Whose.
        name: Slug,
    },
    /// All are listed.
    List,
}

/// Does it; what was done, in words.
///
/// # Errors
/// When the database cannot be entered, the name is taken or unknown, or the password will not do.
pub async fn run(config: &Config, act: Act) -> anyhow::Result<String> {
    let store = store::open(config).await?;
    let known = people::people(config, String::new(), "", store, Arc::new(TokioClock))?;
    match act {
        Act::Add {
            name,
            organisation,
            password,
        } => {
            known.add(&name, &organisation, &password).await?;
            Ok(format!("{name} may read the page of {organisation}"))
        }
        Act::Password { name, password } => {
            known.set_password(&name, &password).await?;
            Ok(format!(
                "{name} has another password; its sessions have ended"
            ))
        }
        Act::Close { name, closed } => {
            known.set_disabled(&name, closed).await?;
            let word = if closed { "closed" } else { "open" };
            Ok(format!("{name} is {word}"))
        }
        Act::ResetFactor { name, by } => {
            known.reset_factor(&by, &name).await?;
            Ok(format!(
                "{name} has no second factor any more; its sessions have ended"
            ))
        }
        Act::Link { name, subject } => {
            ensure!(
                known.has_provider(),
                "log_in.provider: the configuration names no provider"
            );
            known.link_identity(&name, &subject).await?;
            Ok(format!("{name} may log in by the provider"))
        }
        Act::Unlink { name } => {
            let ended = known.unlink_identities(&name).await?;
            Ok(format!("{ended} links of {name} were removed"))
        }
        Act::List => list(&known).await,
    }
}

async fn list(known: &People) -> anyhow::Result<String> {
    let line = |account: &kit::people::Account| {
        let state = if account.disabled.is_some() {
            "closed"
        } else {
            "open"
        };
        format!("{} {} {state}", account.name, account.role)
    };
    let lines: Vec<String> = known.list().await?.iter().map(line).collect();
    Ok(lines.join("\n"))
}

/// A password: one line of standard input, so that it stands in no process list and no history.
///
/// # Errors
/// When there is none.
pub fn password() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("standard input cannot be read")?;
    let password = line.trim_end_matches(['\r', '\n']);
    ensure!(
        !password.is_empty(),
        "give the password as one line of standard input"
    );
    Ok(password.to_owned())
}
