//! `credit ledger check`: does the ledger hold?

use std::path::PathBuf;

use anyhow::bail;
use clap::Subcommand;
use credit::store::{self, Checked};
use schemas::ids::Slug;

/// What is done with the ledger.
#[derive(Subcommand)]
pub enum Ledger {
    /// Reads a whole book in one snapshot, hashes all of it again, and says whether it holds, what its
    /// head is and that its sums are zero.
    Check {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The book; that of the configured sandbox, if not said.
        #[arg(long)]
        book: Option<Slug>,
    },
}

/// Does it.
///
/// # Errors
/// When the configuration or the database is refused, and at the first row that does not hold.
pub async fn ledger(what: Ledger) -> anyhow::Result<()> {
    let Ledger::Check { config, book } = what;
    let config = super::load(&config)?;
    let book = book.unwrap_or(config.sandbox.id);
    let store = store::open(&config.database).await?;
    match store.check_ledger(&book).await? {
        Checked::Whole(whole) => {
            println!(
                "the book {book} holds: {} pages, {} entries, {} postings; head {}",
                whole.pages, whole.entries, whole.postings, whole.head
            );
            Ok(())
        }
        Checked::Broken(broken) => bail!("THE BOOK {book} DOES NOT HOLD: {broken}"),
    }
}
