//! The bank: the lending service in this process, with its own folder and its own evidence port.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use credit::Accounts;
use credit::desk::Role;
use credit::evidence::EvidencePort;
use credit::loan::{Application, Outcome, Record};
use credit::money::{Currency, Money};
use schemas::ids::Slug;
use schemas::time::Clock;
use tokio_util::sync::CancellationToken;

use crate::banner::LogIn;
use crate::folder::Decision;
use crate::scenario::{Conduct, Organisation};

/// What the bank lends.
const PRODUCT: &str = "receivable-90";

/// What every supplier asks for.
const REQUESTED: &str = "120000.00";

/// Currency of the trial.
const CURRENCY: &str = "CNY";

/// The bank's people: two who decide, one who looks after them.
const PEOPLE: [(&str, Role); 3] = [
    ("li-wei", Role::Officer),
    ("wang-fang", Role::Officer),
    ("zhao-min", Role::Supervisor),
];

/// A running bank.
pub struct Bank {
    handle: credit::Handle,
    people: Vec<LogIn>,
}

impl Bank {
    /// Starts the lending service in a folder of its own, with a policy that it trusts and a
    /// database: a file in the folder or an address.
    ///
    /// # Errors
    /// When its configuration is refused or it cannot start.
    pub async fn start(
        folder: &Path,
        (policy, database): (&Path, &str),
        evidence: Arc<dyn EvidencePort>,
        clock: Arc<dyn Clock>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Bank> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join("credit.toml");
        std::fs::write(&file, configuration(policy, database))?;
        let config = credit::Config::load(&file)?;
        let handle = credit::run(config, evidence, clock, shutdown).await?;
        let people = hire(&handle.accounts).await?;
        Ok(Bank { handle, people })
    }

    /// Who may log in.
    pub fn people(&self) -> &[LogIn] {
        &self.people
    }

    /// Address of its page, with a slash at the end.
    pub fn page(&self) -> String {
        format!("http://{}/", self.handle.address)
    }

    /// Waits until everything is drained; shutdown must have begun.
    pub async fn drained(self) {
        if let Err(error) = self.handle.join.await {
            tracing::warn!(%error, "the bank ended badly");
        }
    }

    /// A supplier applies for a loan; what the bank decides.
    ///
    /// # Errors
    /// When evidence is refused or cannot be had.
    pub async fn apply(
        &self,
        supplier: &Organisation,
        conduct: Option<Conduct>,
    ) -> anyhow::Result<Decision> {
        let currency: Currency = CURRENCY.parse()?;
        let application = Application {
            application_id: format!("{}-1", supplier.slug).parse()?,
            supplier: supplier.slug.clone(),
            product: PRODUCT.parse::<Slug>()?,
            requested: Money::parse(REQUESTED, currency)?,
        };
        let record = self.handle.credit.apply(application).await;
        let record = record.with_context(|| format!("application of {}", supplier.slug))?;
        Ok(decision(supplier, conduct, &record))
    }
}

/// Makes the accounts, as an administrator would.
async fn hire(accounts: &Accounts) -> anyhow::Result<Vec<LogIn>> {
    let mut people = Vec::new();
    for (name, role) in PEOPLE {
        let password = password()?;
        let slug: Slug = name.parse()?;
        accounts.add("simulator", &slug, role, &password).await?;
        people.push(LogIn {
            name: name.to_owned(),
            role: role.word(),
            password,
        });
    }
    Ok(people)
}

/// 80 random bits in groups that can be typed.
fn password() -> anyhow::Result<String> {
    let groups: [u8; 10] = schemas::random::bytes()?;
    let groups = groups
        .chunks(2)
        .map(|pair| format!("{:02x}{:02x}", pair[0], pair[1]));
    Ok(groups.collect::<Vec<_>>().join("-"))
}

fn decision(supplier: &Organisation, conduct: Option<Conduct>, record: &Record) -> Decision {
    let decided = &record.decision;
    let offer_fen = match &decided.outcome {
        Outcome::Offer { amount } => Some(amount.fen()),
        Outcome::Decline => None,
    };
    let conduct = match conduct {
        Some(Conduct::Good) => "good",
        Some(Conduct::Excursion) => "excursion",
        Some(Conduct::Hiding) => "hiding",
        None => "replay",
    };
    Decision {
        supplier: supplier.slug.to_string(),
        name: supplier.names.1.to_string(),
        conduct: conduct.to_owned(),
        score: i64::from(decided.score.total),
        offer_fen,
        currency: CURRENCY.to_owned(),
        reasons: codes(record),
    }
}

/// The codes of the reasons, each once: two facts may have the same.
fn codes(record: &Record) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    for reason in &record.decision.reasons {
        let code = reason.code.to_string();
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

fn configuration(policy: &Path, database: &str) -> String {
    let database = toml::Value::String(database.to_owned());
    let policy = toml::Value::String(policy.display().to_string());
    format!(
        "# Written by the simulator.
listen = \"127.0.0.1:0\"
database = {database}
policy = {policy}

[sandbox]
id = \"trial-1\"
version = 1
currency = \"{CURRENCY}\"
per_loan = \"200000.00\"
outstanding = \"500000.00\"

[desk]
second_officer_above = {{ amount = \"100000.00\", currency = \"{CURRENCY}\" }}

[[products]]
id = \"{PRODUCT}\"
currency = \"{CURRENCY}\"
minimum = \"1000.00\"
cap = \"150000.00\"
turnover_multiple = \"0.6\"
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bank_accepts_its_configuration() {
        let text = configuration(Path::new("/tmp/policy.json"), "credit.sqlite");
        credit::Config::parse("credit.toml", &text).unwrap();
    }
}
