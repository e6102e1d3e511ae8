//! `tracebond-org consent ...`: what the organisation lets a bank read.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use kit::clock::TokioClock;
use platform::keytool::{Office, Wanted};
use schemas::attestation::Kind;
use schemas::consent::{Purpose, SignedConsent};
use schemas::ids::Slug;
use schemas::time::{Clock as _, Instant};

use super::{instant, token};

/// What is done with consents.
#[derive(Subcommand)]
pub enum ConsentCommand {
    /// Sign that a bank may read, and hand it in. It replaces what was granted before.
    Grant {
        #[command(flatten)]
        bank: BankArguments,
        /// From then on (RFC 3339); from now on without it.
        #[arg(long, value_parser = instant)]
        from: Option<Instant>,
        /// For how many days, 366 at most.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=366))]
        days: u64,
        /// For what: assess, watch or model; may be repeated.
        #[arg(long = "purpose", default_value = "assess", value_parser = purpose)]
        purposes: Vec<Purpose>,
        /// Only of this device; may be repeated. A bank that lends asks for all.
        #[arg(long = "device")]
        devices: Vec<Slug>,
        /// Only events of this business step; may be repeated. A bank that lends asks for all.
        #[arg(long = "step")]
        steps: Vec<String>,
        /// A member that may be withheld from the bank; may be repeated.
        #[arg(long = "withhold")]
        withheld: Vec<String>,
        /// A kind of attestation that the bank may hold, such as tax-standing; may be repeated.
        #[arg(long = "attestation", value_parser = attestation)]
        attestations: Vec<Kind>,
    },
    /// Sign that a bank may read no more, and hand it in. Hand it to the bank as well: it counts as
    /// soon as the bank sees it.
    Withdraw {
        #[command(flatten)]
        bank: BankArguments,
    },
    /// List what was signed for a bank, as kept here.
    List {
        #[command(flatten)]
        bank: BankArguments,
    },
}

/// Which bank.
#[derive(Args)]
pub struct BankArguments {
    /// The name that this organisation, the bank and the platform know the bank by.
    bank: Slug,
    /// File with a token of this organisation's reader: reads the chain from the platform first, as
    /// after a loss of this folder.
    #[arg(long)]
    token: Option<PathBuf>,
}

fn purpose(word: &str) -> Result<Purpose, String> {
    let found = Purpose::ALL.into_iter().find(|one| one.word() == word);
    found.ok_or_else(|| "assess, watch or model".to_owned())
}

fn attestation(word: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|one| one.word() == word);
    found.ok_or_else(|| {
        let words = Kind::ALL.map(Kind::word);
        words.join(", ")
    })
}

/// Does it.
///
/// # Errors
/// What the folder or the platform refuses.
pub async fn consent(office: &Office, what: ConsentCommand) -> Result<()> {
    match what {
        ConsentCommand::Grant {
            bank,
            from,
            days,
            purposes,
            devices,
            steps,
            withheld,
            attestations,
        } => {
            let wanted = Wanted {
                from,
                lasting: Duration::from_secs(days * 24 * 3_600),
                purposes,
                devices,
                steps,
                withheld,
                attestations,
            };
            fetch(office, &bank).await?;
            show_consent(&office.grant(&bank.bank, wanted, TokioClock.now()).await?);
        }
        ConsentCommand::Withdraw { bank } => {
            fetch(office, &bank).await?;
            show_consent(&office.withdraw(&bank.bank, TokioClock.now()).await?);
        }
        ConsentCommand::List { bank } => {
            fetch(office, &bank).await?;
            office.consents(&bank.bank)?.iter().for_each(show_consent);
        }
    }
    Ok(())
}

async fn fetch(office: &Office, of: &BankArguments) -> Result<()> {
    match &of.token {
        Some(file) => Ok(office.fetch_consents(&of.bank, &token(file)?).await?),
        None => Ok(()),
    }
}

fn show_consent(signed: &SignedConsent) {
    let consent = &signed.consent;
    let said = match consent.grant() {
        Some(grant) => format!("may read from {} until {}", grant.from, grant.until),
        None => format!("may read no more since {}", consent.made),
    };
    println!(
        "{}  {}  {said}  {}",
        consent.number,
        consent.bank,
        signed.id()
    );
}
