//! The trial that the simulated bank lends in: its declaration, and what its people and the authority
//! decided about it before the bank opened. Everybody here is played by the simulator.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::NaiveDate;
use credit::config::Config;
use credit::law::acceptance::china_day;
use credit::money::{Currency, Money};
use credit::sandbox::limits::{Limits, Proposal};
use credit::sandbox::stage::{Act, Ready, Step};
use credit::sandbox::stop_loss::Rule;
use credit::store;
use credit::store::sandbox::{Motion, RuleProposal, Trials};
use schemas::hash::sha256;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::Lending;

/// Name of the declaration in the bank's folder.
pub const FILE: &str = "declaration.toml";
/// The trial.
pub const TRIAL: &str = "trial-1";
/// The two who answer for the trial.
const PEOPLE: [&str; 2] = ["zhao-min", "chen-jie"];
/// Longest loan in days.
const TENOR_DAYS: u32 = 180;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The lines of the configuration that name the declaration.
pub fn configuration() -> String {
    format!(
        "[trial]
declaration = \"{FILE}\"
region = \"310115\"
group = \"micro-enterprise\"
tenor_days = 90
"
    )
}

/// A day so many days before an instant.
fn before(now: Instant, days: u32) -> Instant {
    now - DAY * days
}

/// Writes the declaration, unless the folder has one: a version that is kept does not change.
///
/// # Errors
/// When the folder cannot be written to.
pub fn write(folder: &Path, lending: Lending, now: Instant) -> anyhow::Result<PathBuf> {
    let file = folder.join(FILE);
    if !file.exists() {
        std::fs::write(&file, declaration(lending, china_day(before(now, 10))))?;
    }
    Ok(file)
}

/// Decides about the trial what was decided before the bank opened, so that it lends. A trial that is
/// there already goes on as it is.
///
/// # Errors
/// When the store or the trial's own rules refuse something.
pub async fn prepare(config: &Config, lending: Lending, now: Instant) -> anyhow::Result<()> {
    let store = store::open(&config.database).await?;
    let trials = Trials::new(Arc::clone(&store) as _);
    let trial: Slug = TRIAL.parse()?;
    if trials.footing(&trial).await?.is_none() {
        begin(&trials, &trial, config, lending, now).await?;
    }
    store.close().await;
    Ok(())
}

async fn begin(
    trials: &Trials,
    trial: &Slug,
    config: &Config,
    lending: Lending,
    now: Instant,
) -> anyhow::Result<()> {
    let terms = config.trial.as_ref().context("no trial is configured")?;
    let text = std::fs::read_to_string(&terms.declaration)?;
    let [one, other]: [Slug; 2] = [PEOPLE[0].parse()?, PEOPLE[1].parse()?];
    let declared = before(now, 40);
    let entry = trials.declare(FILE, &text, &one, declared).await?;
    let comments_until = china_day(before(now, 30));
    let publish = Act::Publish {
        declaration: entry.hash,
        comments_until,
    };
    let register = Act::Register {
        number: "SIMULATED-1".to_owned(),
        document: Some(sha256(b"played by the simulator\n")),
        comments_open: 0,
    };
    for (act, days) in [(publish, 39), (register, 20)] {
        take(trials, trial, step(act, &one, None, before(now, days))).await?;
    }
    let at = before(now, 15);
    let motion = Motion::Limits(Proposal {
        version: 1,
        limits: limits(lending)?,
        valid_from: at,
        proposer: one.clone(),
        reason: "as declared".to_owned(),
    });
    let motion = trials.propose(trial, &motion, at).await?;
    let limits = trials.approve_limits(trial, motion, &other, at).await?;
    let motion = Motion::Rule(RuleProposal {
        version: 1,
        rule: rule(lending)?,
        proposer: one.clone(),
        reason: "as declared".to_owned(),
    });
    let motion = trials.propose(trial, &motion, at).await?;
    let rule = trials.approve_rule(trial, motion, &other, at).await?;
    let ready = Ready {
        limits: Some(limits.hash()?),
        stop_loss: Some(rule.rule().hash()?),
        monitoring: true,
        complaints: true,
        compensation: true,
    };
    let begin = step(Act::Begin(ready), &one, Some(&other), before(now, 10));
    take(trials, trial, begin).await
}

async fn take(trials: &Trials, trial: &Slug, step: Step) -> anyhow::Result<()> {
    trials.take_step(trial, &step).await?;
    Ok(())
}

fn step(act: Act, by: &Slug, second: Option<&Slug>, at: Instant) -> Step {
    Step {
        capacity: act.may()[0],
        act,
        by: by.clone(),
        second: second.cloned(),
        at,
    }
}

fn limits(lending: Lending) -> anyhow::Result<Limits> {
    let currency: Currency = lending.currency.parse()?;
    let money = |text| Money::parse(text, currency);
    let outstanding = money(lending.outstanding)?;
    Ok(Limits {
        users: 1_000,
        regions: ["310000".parse()?].into(),
        groups: ["micro-enterprise".parse()?].into(),
        per_loan: money(lending.per_loan)?,
        per_borrower: money(lending.per_loan)?,
        per_day: outstanding,
        outstanding,
        concentration_bp: 10_000,
        tenor_days: TENOR_DAYS,
    })
}

fn rule(lending: Lending) -> anyhow::Result<Rule> {
    let currency: Currency = lending.currency.parse()?;
    Ok(Rule {
        overdue_bp_max: 500,
        loss_max: Money::parse(lending.per_loan, currency)?,
        complaints_max: 20,
        privacy_incidents_max: 0,
        compensation_min: Money::parse("500000.00", currency)?,
    })
}

fn declaration(lending: Lending, start: NaiveDate) -> String {
    let currency = lending.currency;
    format!(
        r#"# Written by the simulator: institutions and people are invented.
project = "{TRIAL}"
version = 1
name = "基于物联网溯源的供应链金融服务"
scope = "为货物有可核验溯源记录的小微供应商提供应收账款融资 / Loans on receivables to small suppliers whose goods are traced by anchored events."
start = "{start}"
regions = ["310000"]
currency = "{currency}"

[exit]
plan = "No new loans; open ones are repaid by their schedules; users are told a month before."
triggers = ["loss above the limit", "compensation below its floor", "the authority's word"]
run_off_days = 366

[[technologies]]
name = "Merkle log with witnesses"
purpose = "Nobody changes an anchored event unseen."

[[applicants]]
name = "Simulated Bank"
credit_code = "91310000MA1FL0001R"
licence = "bank"
part = "lends, answers to users"

[[applicants]]
name = "Simulated Technology"
credit_code = "91330100MA2AB0001T"
part = "runs gateways and the log"

[[responsible]]
duty = "project"
name = "Zhao Min"
post = "head of supply chain finance"

[[responsible]]
duty = "risk"
name = "Chen Jie"
post = "head of risk"

[[responsible]]
duty = "data"
name = "Sun Li"
post = "data protection officer"

[[responsible]]
duty = "complaints"
name = "Wu Tao"
post = "head of service"

[[complaints]]
medium = "telephone"
address = "021-00000000"
answer_days = 15

[[compensation]]
pool = "special-fund"
holder = "Simulated Bank"
amount = "2000000.00"
floor = "500000.00"
"#
    )
}

#[cfg(test)]
mod tests {
    use credit::sandbox::declaration::Declaration;

    use super::*;

    #[test]
    fn the_declaration_is_one_and_the_limits_fit() {
        for lending in [super::super::RECEIVABLES, super::super::ORDERS] {
            let text = declaration(lending, "2026-12-01".parse().unwrap());
            let read = Declaration::parse(FILE, &text).unwrap();
            assert_eq!(read.project.as_str(), TRIAL);
            limits(lending).unwrap().check().unwrap();
            rule(lending).unwrap();
        }
    }
}
