//! The form of a declaration's file.
//!
//! Top level `project`, `version`, `previous` (from version 2), `name`, `scope`, `start`, `end` (if it
//! is known), `regions`, `currency`; tables `[exit]`, `[[technologies]]`, `[[applicants]]`,
//! `[[responsible]]`, `[[complaints]]`, `[[compensation]]`. Amounts are text. Unknown fields are
//! refused, so that nothing is believed to be declared that is not.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use schemas::config::{self, ConfigError};
use schemas::hash::Hash;
use schemas::ids::Slug;
use serde::Deserialize;

use super::{
    Applicant, Channel, Compensation, Declaration, Duty, Exit, Medium, Pool, Responsible,
    Technology, line,
};
use crate::money::{Currency, Money};
use crate::sandbox::codes::{CreditCode, Lei, RegionCode};

/// The longest text of a field in characters: a page and a half.
pub const TEXT_MAX: usize = 4_000;
/// The longest name in characters.
pub const NAME_MAX: usize = 128;
/// The most items of one list.
pub const LIST_MAX: usize = 256;
/// The longest run-off in days: ten years.
pub const RUN_OFF_MAX_DAYS: u32 = 3_660;
/// The longest time to answer a complaint in days: a year.
pub const ANSWER_MAX_DAYS: u32 = 366;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    project: Slug,
    version: u32,
    previous: Option<Hash>,
    name: String,
    scope: String,
    start: NaiveDate,
    end: Option<NaiveDate>,
    regions: Vec<RegionCode>,
    currency: Currency,
    #[serde(default)]
    technologies: Vec<RawTechnology>,
    #[serde(default)]
    applicants: Vec<RawApplicant>,
    #[serde(default)]
    responsible: Vec<RawResponsible>,
    exit: RawExit,
    #[serde(default)]
    complaints: Vec<RawChannel>,
    #[serde(default)]
    compensation: Vec<RawCompensation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTechnology {
    name: String,
    purpose: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApplicant {
    name: String,
    credit_code: CreditCode,
    lei: Option<Lei>,
    licence: Option<String>,
    part: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawResponsible {
    duty: Duty,
    name: String,
    post: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExit {
    plan: String,
    triggers: Vec<String>,
    run_off_days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChannel {
    medium: Medium,
    address: String,
    answer_days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCompensation {
    pool: Pool,
    holder: String,
    amount: String,
    floor: String,
}

/// A field that a rule refuses, and what would be right.
struct Wrong {
    field: String,
    problem: String,
}

fn wrong<T>(field: impl Into<String>, problem: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        field: field.into(),
        problem: problem.into(),
    })
}

/// Reads a declaration.
///
/// # Errors
/// [`ConfigError`] with line, field and what was expected.
pub fn parse(file: &str, text: &str) -> Result<Declaration, ConfigError> {
    let raw: Raw = config::parse(file, text)?;
    raw.read()
        .map_err(|wrong| line::at(file, text, &wrong.field, wrong.problem))
}

impl Raw {
    fn read(self) -> Result<Declaration, Wrong> {
        self.check_version()?;
        self.check_time_and_place()?;
        let applicants = each("applicants", self.applicants, read_applicant)?;
        check_applicants(&applicants)?;
        let responsible = each("responsible", self.responsible, read_responsible)?;
        check_duties(&responsible)?;
        let currency = self.currency;
        let read = |field: &str, raw| read_compensation(field, raw, currency);
        Ok(Declaration {
            format: "sandbox-declaration/v1",
            project: self.project,
            version: self.version,
            previous: self.previous,
            name: bounded("name", self.name, NAME_MAX)?,
            scope: bounded("scope", self.scope, TEXT_MAX)?,
            start: self.start,
            end: self.end,
            regions: self.regions,
            technologies: each("technologies", self.technologies, read_technology)?,
            applicants,
            responsible,
            exit: read_exit(self.exit)?,
            complaints: each("complaints", self.complaints, read_channel)?,
            compensation: each("compensation", self.compensation, read)?,
        })
    }

    fn check_version(&self) -> Result<(), Wrong> {
        match (self.version, self.previous) {
            (0, _) => wrong("version", "versions begin at 1"),
            (1, Some(_)) => wrong("previous", "nothing comes before version 1"),
            (2.., None) => wrong("previous", "the hash of the version before is needed"),
            _ => Ok(()),
        }
    }

    fn check_time_and_place(&self) -> Result<(), Wrong> {
        if self.end.is_some_and(|end| end <= self.start) {
            return wrong("end", format!("after the start, {}", self.start));
        }
        if self.regions.is_empty() || self.regions.len() > LIST_MAX {
            return wrong("regions", format!("1 to {LIST_MAX} regions"));
        }
        for (at, one) in self.regions.iter().enumerate() {
            let (before, after) = (&self.regions[..at], &self.regions[at + 1..]);
            let mut others = before.iter().chain(after);
            if let Some(wider) = others.find(|other| other.contains(one)) {
                return wrong("regions", format!("{one} lies in {wider}, or stands twice"));
            }
        }
        Ok(())
    }
}

/// Reads each item of a list that must have some.
fn each<R, T>(
    list: &str,
    items: Vec<R>,
    read: impl Fn(&str, R) -> Result<T, Wrong>,
) -> Result<Vec<T>, Wrong> {
    if items.is_empty() || items.len() > LIST_MAX {
        return wrong(list, format!("1 to {LIST_MAX} of [[{list}]] are needed"));
    }
    let numbered = items.into_iter().enumerate();
    numbered
        .map(|(number, item)| read(&format!("{list}[{number}]"), item))
        .collect()
}

/// A text that says something: 1 to so many characters, no control characters but line ends.
fn bounded(field: impl Into<String>, text: String, most: usize) -> Result<String, Wrong> {
    let control = |letter: char| letter.is_control() && letter != '\n';
    let fits = !text.trim().is_empty() && text.chars().count() <= most && !text.contains(control);
    if fits {
        Ok(text)
    } else {
        wrong(
            field,
            format!("1 to {most} characters, no control characters"),
        )
    }
}

fn read_technology(at: &str, raw: RawTechnology) -> Result<Technology, Wrong> {
    Ok(Technology {
        name: bounded(format!("{at}.name"), raw.name, NAME_MAX)?,
        purpose: bounded(format!("{at}.purpose"), raw.purpose, TEXT_MAX)?,
    })
}

fn read_applicant(at: &str, raw: RawApplicant) -> Result<Applicant, Wrong> {
    let licence = raw
        .licence
        .map(|text| bounded(format!("{at}.licence"), text, NAME_MAX));
    Ok(Applicant {
        name: bounded(format!("{at}.name"), raw.name, NAME_MAX)?,
        credit_code: raw.credit_code,
        lei: raw.lei,
        licence: licence.transpose()?,
        part: bounded(format!("{at}.part"), raw.part, TEXT_MAX)?,
    })
}

/// Nobody applies twice, and one of them may lend at all.
fn check_applicants(applicants: &[Applicant]) -> Result<(), Wrong> {
    let mut seen = BTreeSet::new();
    for (number, one) in applicants.iter().enumerate() {
        if !seen.insert(&one.credit_code) {
            let field = format!("applicants[{number}].credit_code");
            return wrong(field, "it stands twice");
        }
    }
    if applicants.iter().any(|one| one.licence.is_some()) {
        Ok(())
    } else {
        let problem = "one applicant at least holds a financial licence";
        wrong("applicants[0].licence", problem)
    }
}

fn read_responsible(at: &str, raw: RawResponsible) -> Result<Responsible, Wrong> {
    Ok(Responsible {
        duty: raw.duty,
        name: bounded(format!("{at}.name"), raw.name, NAME_MAX)?,
        post: bounded(format!("{at}.post"), raw.post, NAME_MAX)?,
    })
}

fn check_duties(responsible: &[Responsible]) -> Result<(), Wrong> {
    let answered = |duty: &Duty| responsible.iter().any(|one| one.duty == *duty);
    match Duty::ALL.iter().find(|duty| !answered(duty)) {
        None => Ok(()),
        Some(duty) => {
            let problem = format!("nobody answers for duty = \"{}\"", duty.word());
            wrong("responsible[0].duty", problem)
        }
    }
}

fn read_exit(raw: RawExit) -> Result<Exit, Wrong> {
    if raw.triggers.is_empty() || raw.triggers.len() > LIST_MAX {
        return wrong("exit.triggers", format!("1 to {LIST_MAX} are needed"));
    }
    if !(1..=RUN_OFF_MAX_DAYS).contains(&raw.run_off_days) {
        let problem = format!("1 to {RUN_OFF_MAX_DAYS} days");
        return wrong("exit.run_off_days", problem);
    }
    let triggers = raw.triggers.into_iter();
    let triggers = triggers.map(|one| bounded("exit.triggers", one, TEXT_MAX));
    Ok(Exit {
        plan: bounded("exit.plan", raw.plan, TEXT_MAX)?,
        triggers: triggers.collect::<Result<_, _>>()?,
        run_off_days: raw.run_off_days,
    })
}

fn read_channel(at: &str, raw: RawChannel) -> Result<Channel, Wrong> {
    if !(1..=ANSWER_MAX_DAYS).contains(&raw.answer_days) {
        let problem = format!("1 to {ANSWER_MAX_DAYS} days");
        return wrong(format!("{at}.answer_days"), problem);
    }
    Ok(Channel {
        medium: raw.medium,
        address: bounded(format!("{at}.address"), raw.address, NAME_MAX)?,
        answer_days: raw.answer_days,
    })
}

fn read_compensation(
    at: &str,
    raw: RawCompensation,
    currency: Currency,
) -> Result<Compensation, Wrong> {
    let money = |field: &str, text: &str| {
        let read = Money::parse(text, currency);
        read.or_else(|error| wrong(format!("{at}.{field}"), error.to_string()))
    };
    let (amount, floor) = (money("amount", &raw.amount)?, money("floor", &raw.floor)?);
    if amount.fen() == 0 {
        return wrong(format!("{at}.amount"), "above 0.00");
    }
    if floor.fen() > amount.fen() {
        return wrong(format!("{at}.floor"), "at most the amount");
    }
    Ok(Compensation {
        pool: raw.pool,
        holder: bounded(format!("{at}.holder"), raw.holder, NAME_MAX)?,
        amount,
        floor,
    })
}
