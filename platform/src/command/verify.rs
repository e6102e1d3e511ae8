//! `platform verify FILE`: a bundle, checked without a database or network.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use schemas::hash::Hash;
use schemas::log::{Party, Policy, PolicyFile};
use schemas::note::Witnessed;
use schemas::proof::{
    self, DocumentReport, Mark, Report, Verdict, VerifiedEvent, VerifiedStatement,
};
use schemas::time::Instant;
use schemas::tlog_policy::{KnownLog, TlogPolicy, VerifierKey};
use serde_json::{Value, json};

/// What was found of one file.
#[derive(Debug)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// What holds, or why nothing does.
    pub outcome: Result<Proven, proof::Refusal>,
    /// True if the newest checkpoint was judged by a C2SP `tlog-policy`.
    pub by_tlog_policy: bool,
}

/// What a file proves.
#[derive(Debug)]
pub enum Proven {
    /// A bundle's events.
    Bundle(Box<Report>),
    /// That a document's hash is in the log (`document-proof.md`).
    Document(Box<DocumentReport>),
}

/// The file cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It cannot be read.
    #[error("{file} cannot be read")]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The policy file is none.
    #[error("{0} is no policy file")]
    Policy(PathBuf, #[source] schemas::log::EntryError),
    /// The tlog-policy is none.
    #[error("{0} is no tlog-policy")]
    Tlog(PathBuf, #[source] schemas::tlog_policy::LineError),
}

fn read(file: &Path) -> Result<Vec<u8>, VerifyError> {
    std::fs::read(file).map_err(|source| VerifyError::Read {
        file: file.into(),
        source,
    })
}

/// Entry of a trusted policy file.
///
/// # Errors
/// [`VerifyError`].
pub fn trusted_policy(file: &Path) -> Result<Vec<u8>, VerifyError> {
    let (entry, _) =
        PolicyFile::parse(&read(file)?).map_err(|error| VerifyError::Policy(file.into(), error))?;
    Ok(entry)
}

/// `policy.json` beside a bundle or one folder up.
#[must_use]
pub fn policy_near(file: &Path) -> Option<PathBuf> {
    let folders = file
        .parent()
        .into_iter()
        .flat_map(|folder| [Some(folder), folder.parent()]);
    folders
        .flatten()
        .map(|folder| folder.join("policy.json"))
        .find(|policy| policy.exists())
}

/// Checks one file.
///
/// # Errors
/// [`VerifyError`] if it cannot be read; a bundle that does not hold is no error but a finding.
pub fn check(file: &Path, trusted: Option<&[u8]>) -> Result<Finding, VerifyError> {
    let bytes = read(file)?;
    let outcome = if proof::is_document_proof(&bytes) {
        proof::verify_document(&bytes, trusted).map(|report| Proven::Document(Box::new(report)))
    } else {
        proof::verify(&bytes, trusted).map(|report| Proven::Bundle(Box::new(report)))
    };
    Ok(Finding {
        file: file.into(),
        outcome,
        by_tlog_policy: false,
    })
}

/// A trusted C2SP `tlog-policy`.
///
/// # Errors
/// [`VerifyError`].
pub fn trusted_tlog_policy(file: &Path) -> Result<TlogPolicy, VerifyError> {
    TlogPolicy::parse(&read(file)?).map_err(|error| VerifyError::Tlog(file.into(), error))
}

impl Finding {
    /// Refused unless the newest checkpoint counts under a trusted tlog-policy, too.
    #[must_use]
    pub fn under(mut self, trusted: &TlogPolicy) -> Self {
        let counted = match &self.outcome {
            Ok(Proven::Bundle(report)) => report
                .head()
                .is_some_and(|head| counts(head, &report.policy, trusted)),
            Ok(Proven::Document(report)) => counts(&report.head, &report.policy, trusted),
            Err(_) => true,
        };
        if !counted {
            let detail = "the newest checkpoint does not count under the trusted tlog-policy";
            self.outcome = Err(proof::Refusal::new(proof::Class::Policy, detail));
        }
        self.by_tlog_policy = true;
        self
    }
}

/// The checkpoint was verified under the keys of the bundle's own policy: so many of these keys
/// must be those of the trusted one.
fn counts(head: &Witnessed, own: &Policy, trusted: &TlogPolicy) -> bool {
    let log = |log: &KnownLog| log.key.key == own.log_key && log.key.name == own.origin.as_str();
    let signed = |key: &VerifierKey| {
        let by = |party: &&Party| party.name == key.name && party.key == key.key;
        let party = own.witnesses.iter().find(by);
        party.is_some_and(|party| head.witnesses.iter().any(|(name, _)| *name == party.name))
    };
    let witnesses = trusted.witnesses().iter().enumerate();
    let cosigned: Vec<usize> = witnesses
        .filter(|(_, witness)| signed(&witness.key))
        .map(|(place, _)| place)
        .collect();
    trusted.logs().iter().any(log) && trusted.is_met(&cosigned)
}

impl Finding {
    /// True unless refused.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.outcome.is_ok()
    }

    /// One JSON object, with the members of the Python verifier.
    #[must_use]
    pub fn json(&self) -> Value {
        match &self.outcome {
            Err(refusal) => json!({
                "file": self.file,
                "verdict": "refused",
                "class": refusal.class.to_string(),
                "detail": refusal.detail,
            }),
            Ok(Proven::Document(report)) => json!({
                "file": self.file,
                "verdict": Verdict::Verified.to_string(),
                "class": Value::Null,
                "kind": report.kind,
                "sha256": report.hash,
                "index": report.index,
                "log_size": report.head.checkpoint.size,
                "root": report.head.checkpoint.root,
                "anchored": report.head.anchored.as_seconds(),
                "policy": report.policy_hash,
            }),
            Ok(Proven::Bundle(report)) => {
                let head = report.head();
                json!({
                    "file": self.file,
                    "verdict": report.verdict.to_string(),
                    "class": Value::Null,
                    "events": report.distinct_events(),
                    "statements": report.statements.len(),
                    "log_size": head.map(|head| head.checkpoint.size),
                    "root": head.map(|head| head.checkpoint.root),
                    "anchored": head.map(|head| head.anchored.as_seconds()),
                    "policy": report.policy_hash,
                    "marks": report.events.iter().map(marks_of).collect::<Vec<_>>(),
                    "key_states": report.statements.iter().map(key_state).collect::<Vec<_>>(),
                    "made_after": report.statements.iter().map(made_after).collect::<Vec<_>>(),
                })
            }
        }
    }

    /// For people.
    #[must_use]
    pub fn words(&self) -> String {
        let file = self.file.display();
        match &self.outcome {
            Err(refusal) => {
                format!(
                    "REFUSED     {file}\n            {}: {}\n",
                    refusal.class, refusal.detail
                )
            }
            Ok(Proven::Document(report)) => {
                let tlog = self.tlog_words();
                format!("VERIFIED    {file}\n{}{tlog}", describe_document(report))
            }
            Ok(Proven::Bundle(report)) => {
                let word = match report.verdict {
                    Verdict::Verified => "VERIFIED  ",
                    Verdict::Incomplete => "INCOMPLETE",
                };
                format!("{word}  {file}\n{}{}", describe(report), self.tlog_words())
            }
        }
    }
}

impl Finding {
    const fn tlog_words(&self) -> &'static str {
        if self.by_tlog_policy {
            "            its newest checkpoint counts under the trusted tlog-policy, which says nothing of who admits organisations\n"
        } else {
            ""
        }
    }
}

fn marks_of(event: &VerifiedEvent) -> Vec<String> {
    event.marks.iter().map(Mark::to_string).collect()
}

fn key_state(statement: &VerifiedStatement) -> Value {
    let key = &statement.key;
    json!({
        "state": key.state.word(),
        "registry": key.registry_version,
        "time": key.time.map(Instant::as_micros),
    })
}

fn made_after(statement: &VerifiedStatement) -> Option<i64> {
    statement.not_before.map(Instant::as_seconds)
}

/// Whose key is in which state, as of when, once for each key.
fn key_lines(report: &Report) -> BTreeSet<String> {
    let line = |one: &VerifiedStatement| {
        let (device, key) = (&one.statement.payload.device, &one.key);
        let since = key.time.map_or(String::new(), |time| format!(", {time}"));
        let (kid, version) = (short(&one.statement.kid), key.registry_version);
        let state = key.state.word();
        format!("  {device} (key {kid}): {state} as of registry version {version}{since}")
    };
    report.statements.iter().map(line).collect()
}

/// How many events bear each mark, in the order of the marks.
fn mark_lines(report: &Report) -> Vec<String> {
    let mut counted: BTreeMap<Mark, usize> = BTreeMap::new();
    for mark in report.events.iter().flat_map(|event| &event.marks) {
        *counted.entry(*mark).or_default() += 1;
    }
    let line = |(mark, count)| format!("MARKED {mark}: {count} events");
    counted.into_iter().map(line).collect()
}

fn describe(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        let _ = writeln!(text, "            {words}");
    };
    let (events, statements) = (report.distinct_events(), report.statements.len());
    line(format!("{events} events in {statements} statements of:"));
    key_lines(report).into_iter().for_each(&mut line);
    mark_lines(report).into_iter().for_each(&mut line);
    for (device, position) in report.forks() {
        let (epoch, seq) = (position.epoch, position.seq);
        line(format!(
            "FORK: {device} signed two statements as epoch {epoch}, number {seq}"
        ));
    }
    if let Some(first) = report
        .statements
        .iter()
        .filter_map(|one| one.not_before)
        .min()
    {
        line(format!("some of it was made after {first}"));
    }
    if let Some(head) = report.head() {
        let names: Vec<&str> = head
            .witnesses
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        line(format!(
            "in the log {} at size {}",
            head.checkpoint.origin, head.checkpoint.size
        ));
        line(format!(
            "witnessed by {} (quorum {})",
            names.join(", "),
            report.policy.quorum
        ));
        line(format!("anchored by {}", head.anchored));
    }
    line(compared(report.policy_compared, &report.policy_hash));
    line("This proves who said what and when it was logged, not that the world was so.".into());
    text
}

fn describe_document(report: &DocumentReport) -> String {
    let names: Vec<&str> = report
        .head
        .witnesses
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let kind = report.kind.as_deref().unwrap_or("tombstone list");
    let lines = [
        format!("SHA-256 {} ({kind})", report.hash),
        format!(
            "is entry {} of the log {} at size {}",
            report.index, report.head.checkpoint.origin, report.head.checkpoint.size
        ),
        format!(
            "witnessed by {} (quorum {})",
            names.join(", "),
            report.policy.quorum
        ),
        format!(
            "anchored by {}; the log itself says {}",
            report.head.anchored, report.time
        ),
        compared(report.policy_compared, &report.policy_hash),
        "This proves that the log held this hash, not that the document is true or the only one."
            .to_owned(),
    ];
    lines
        .iter()
        .map(|line| format!("            {line}\n"))
        .collect()
}

fn compared(is_trusted: bool, policy: &Hash) -> String {
    if is_trusted {
        format!(
            "under policy {}, which is the trusted one or linked to it",
            short(policy)
        )
    } else {
        format!("under policy {policy}, WHICH WAS NOT COMPARED (give --policy FILE)")
    }
}

fn short(hash: &Hash) -> String {
    let hex = hash.to_string();
    format!("{}…{}", &hex[..8], &hex[58..])
}
