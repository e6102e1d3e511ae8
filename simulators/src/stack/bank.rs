//! The bank: the lending service in this process, with its own folder and its own evidence port.

mod papers;
mod trial;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use credit::Accounts;
use credit::desk::Role;
use credit::evidence::EvidencePort;
use credit::loan::{Application, Outcome, Record};
use credit::money::{Currency, Money};
use credit::pledge::office::Office;
use credit::service::{ApplyError, LateDeliveries};
use schemas::ids::Slug;
use schemas::time::Clock;
use tokio_util::sync::CancellationToken;

use crate::banner::LogIn;
use crate::folder::Decision;
use crate::scenario::{Conduct, Organisation};
use crate::script::Script;

/// What a bank lends, to whom, and how it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lending {
    /// The product.
    pub product: &'static str,
    /// Currency of the trial, ISO 4217.
    pub currency: &'static str,
    /// What every supplier asks for.
    pub requested: &'static str,
    /// Least amount that is lent.
    pub minimum: &'static str,
    /// Most of a product.
    pub cap: &'static str,
    /// Share of what others confirmed that may be lent.
    pub turnover_multiple: &'static str,
    /// Most of one loan.
    pub per_loan: &'static str,
    /// Most of all loans.
    pub outstanding: &'static str,
    /// The bank's own points table, if it does not use the built-in one.
    pub scorecard: Option<&'static str>,
}

/// Invoices of goods on their way, by the built-in scorecard.
pub const RECEIVABLES: Lending = Lending {
    product: "receivable-90",
    currency: "CNY",
    requested: "120000.00",
    minimum: "1000.00",
    cap: "150000.00",
    turnover_multiple: "0.6",
    per_loan: "200000.00",
    outstanding: "500000.00",
    scorecard: None,
};

/// Orders of vendors, by the probability of late delivery. Every number is an assumption of this
/// replay: no bank has lent by it.
pub const ORDERS: Lending = Lending {
    product: "order-90",
    currency: "USD",
    requested: "250000.00",
    minimum: "1000.00",
    cap: "250000.00",
    turnover_multiple: "0.2",
    per_loan: "250000.00",
    outstanding: "5000000.00",
    scorecard: Some(include_str!("bank/late-delivery-offer-1.toml")),
};

/// The bank's name, as its suppliers and the platform know it.
pub const NAME: &str = "first-bank";

/// Name of the bank's own points table in its folder.
const SCORECARD: &str = "scorecard.toml";

/// Name of the key that the bank signs exports with, in its folder.
const EXPORT_KEY: &str = "export.key";

/// The bank's people: two who decide on offers, two who answer for the trial; and the regulator.
const PEOPLE: [(&str, Role); 5] = [
    ("li-wei", Role::Officer),
    ("wang-fang", Role::Officer),
    ("zhao-min", Role::Supervisor),
    ("chen-jie", Role::Supervisor),
    ("jin-guan", Role::Regulator),
];

/// A running bank.
pub struct Bank {
    handle: credit::Handle,
    people: Vec<LogIn>,
    lending: Lending,
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
        lending: Lending,
        evidence: Arc<dyn EvidencePort>,
        clock: Arc<dyn Clock>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Bank> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join("credit.toml");
        std::fs::write(&file, configuration(policy, database, lending))?;
        if let Some(table) = lending.scorecard {
            std::fs::write(folder.join(SCORECARD), table)?;
        }
        trial::write(folder, lending, clock.now())?;
        let config = credit::Config::load(&file)?;
        credit::desk::sealed::load_or_make_key(&folder.join(EXPORT_KEY))?;
        trial::prepare(&config, lending, clock.now()).await?;
        let handle = credit::run(config, evidence, clock, shutdown).await?;
        let people = hire(&handle.accounts).await?;
        Ok(Bank {
            handle,
            people,
            lending,
        })
    }

    /// A log-in of its own for everybody who applies: the page of borrowers.
    ///
    /// # Errors
    /// When an account cannot be made.
    pub async fn welcome(&mut self, suppliers: &[Slug]) -> anyhow::Result<()> {
        for supplier in suppliers {
            let password = password()?;
            let accounts = &self.handle.accounts;
            let added = accounts.add_borrower("simulator", supplier, supplier, &password);
            added.await?;
            self.people.push(LogIn {
                name: supplier.to_string(),
                role: "borrower",
                password,
            });
        }
        Ok(())
    }

    /// Who may log in.
    pub fn people(&self) -> &[LogIn] {
        &self.people
    }

    /// The office where pledges are taken.
    pub fn office(&self) -> &Arc<Office> {
        &self.handle.office
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

    /// A supplier applies for a loan with its papers; what the bank decides.
    ///
    /// # Errors
    /// When evidence is refused or cannot be had.
    pub async fn apply(
        &self,
        script: &Script,
        (supplier, conduct): (&Organisation, Option<Conduct>),
    ) -> anyhow::Result<Decision> {
        let lending = self.lending;
        let currency: Currency = lending.currency.parse()?;
        let application = Application {
            application_id: format!("{}-1", supplier.slug).parse()?,
            supplier: supplier.slug.clone(),
            product: lending.product.parse::<Slug>()?,
            requested: Money::parse(lending.requested, currency)?,
            declared: papers::declared(script, supplier)?,
        };
        let record = self.decide(application).await;
        let record = record.with_context(|| format!("application of {}", supplier.slug))?;
        Ok(decision(supplier, conduct, &record))
    }

    /// Decides on an application of any kind.
    ///
    /// # Errors
    /// When evidence is refused or cannot be had.
    pub async fn decide(&self, application: Application) -> Result<Record, ApplyError> {
        self.handle.credit.apply(application).await
    }

    /// Verifies the evidence of all these suppliers and evaluates the model of late delivery.
    ///
    /// # Errors
    /// When evidence is refused or cannot be had.
    pub async fn evaluate(&self, suppliers: &[Slug]) -> anyhow::Result<LateDeliveries> {
        let found = self.handle.credit.evaluate_late_deliveries(suppliers).await;
        found.context("the model of late delivery")
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
        currency: decided.application.requested.currency().to_string(),
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

fn configuration(policy: &Path, database: &str, lending: Lending) -> String {
    let database = toml::Value::String(database.to_owned());
    let policy = toml::Value::String(policy.display().to_string());
    let scorecard = lending
        .scorecard
        .map(|_| format!("scorecard = \"{SCORECARD}\"\n"));
    let scorecard = scorecard.unwrap_or_default();
    let Lending {
        product,
        currency,
        minimum,
        cap,
        turnover_multiple,
        ..
    } = lending;
    let (id, trial) = (trial::TRIAL, trial::configuration());
    format!(
        "# Written by the simulator.
listen = \"127.0.0.1:0\"
database = {database}
policy = {policy}
{scorecard}
[consent]
bank = \"{NAME}\"

[sandbox]
id = \"{id}\"
currency = \"{currency}\"

{trial}
[desk]
second_officer_above = {{ amount = \"100000.00\", currency = \"{currency}\" }}
export_key = \"{EXPORT_KEY}\"

[[products]]
id = \"{product}\"
currency = \"{currency}\"
minimum = \"{minimum}\"
cap = \"{cap}\"
turnover_multiple = \"{turnover_multiple}\"
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bank_accepts_its_configuration() {
        for lending in [RECEIVABLES, ORDERS] {
            let text = configuration(Path::new("/tmp/policy.json"), "credit.sqlite", lending);
            credit::Config::parse("credit.toml", &text).unwrap();
            if let Some(table) = lending.scorecard {
                credit::score::Model::parse(SCORECARD, table).unwrap();
            }
        }
    }
}
