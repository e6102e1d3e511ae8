//! The decision and the record that is kept of it.

use schemas::hash::{Hash, sha256, sha256_parts};
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::application::{Application, ApplicationId, Product};
use super::beside::Beside;
use super::brief::{Books, Judgement};
use super::limit::{Bound, Limit, limit};
use super::warning::Route;
use crate::evidence::papers::Basis;
use crate::facts::Facts;
use crate::facts::trade::Trade;
use crate::law::acceptance::china_day;
use crate::money::Money;
use crate::money::MoneyError;
use crate::sandbox::Sandbox;
use crate::score::{FactName, Model, REASONS_MAX, Reason, ReasonCode, Score, measures, score};

/// Rule that fires when the grade may not be offered anything.
pub const RULE_GRADE: &str = "grade-too-low";
/// Rule that fires when the limit is below the product's minimum.
pub const RULE_LIMIT: &str = "limit-below-minimum";
/// Rule that fires when less is offered than was asked for.
pub const RULE_CUT: &str = "cut-to-limit";

/// The points table that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUsed {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file.
    pub hash: Hash,
}

/// Everything that a decision was made from. Its canonical bytes are this type's JSON without white
/// space, members in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Version of this layout: `decision-inputs/v4`; `v3` of records without books, `v2` of those that
    /// rest on no signed consent either, `v1` of those that name no evidence.
    pub format: String,
    /// The application.
    pub application: Application,
    /// The product as it was configured.
    pub product: Product,
    /// SHA-256 of the facts' bytes.
    pub facts: Hash,
    /// The table.
    pub model: ModelUsed,
    /// SHA-256 of the bundle that the facts were read from, which the store keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Hash>,
    /// Consent, attestations, issuers and weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// What the bank's books said about the case; absent before `v4`, when no rule was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub books: Option<Books>,
    /// Hash of the policy that the evidence was verified under.
    pub policy: Hash,
    /// Size of the log that the evidence was proven against.
    pub log_size: u64,
    /// Root of the log at that size.
    pub root: Hash,
    /// The sandbox's limits with their version, and their use just before.
    pub sandbox: Sandbox,
}

/// What facts rest on: a bundle that was verified under a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Hash of the policy.
    pub policy: Hash,
    /// SHA-256 of the bundle; absent where none is kept.
    pub evidence: Option<Hash>,
    /// What it rests on beside the bundle; absent where no signed consent was asked for.
    pub basis: Option<Basis>,
    /// What the books say; absent where no rule is to be asked.
    pub books: Option<Books>,
}

impl From<Hash> for Proven {
    /// A policy alone.
    fn from(policy: Hash) -> Self {
        Self {
            policy,
            evidence: None,
            basis: None,
            books: None,
        }
    }
}

/// What comes of an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// An offer of an amount.
    Offer {
        /// How much, at most what was asked for.
        amount: Money,
    },
    /// None.
    Decline,
}

/// A decision as it is answered and kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// 32 hex digits, derived from the application's id.
    pub decision_id: String,
    /// What was asked for.
    pub application: Application,
    /// When.
    #[serde(with = "crate::rfc3339")]
    pub decided_at: Instant,
    /// True if the log runs on a replayed clock: the offer is then part of a historical replay.
    pub replay: bool,
    /// Offer or decline.
    pub outcome: Outcome,
    /// At most four, the most important first.
    pub reasons: Vec<Reason>,
    /// Names of the rules that fired.
    pub rules: Vec<String>,
    /// What the rules before an offer and those of law said; absent where none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judgement>,
    /// What the table says.
    pub score: Score,
    /// The limit; absent where a knock-out or the grade had already declined.
    pub limit: Option<Limit>,
    /// The table.
    pub model: ModelUsed,
    /// Hash of the policy that the evidence was verified under.
    pub policy: Hash,
    /// Size of the log that the evidence was proven against.
    pub log_size: u64,
    /// Root of the log at that size.
    pub root: Hash,
    /// Version of the sandbox's limits.
    pub sandbox_version: u32,
    /// SHA-256 of the inputs' bytes.
    pub inputs: Hash,
}

/// A decision with the bytes that it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The decision.
    pub decision: Decision,
    /// Canonical bytes of its [`Inputs`].
    pub inputs: Vec<u8>,
    /// Canonical bytes of its [`Facts`].
    pub facts: Vec<u8>,
    /// What is kept with it, in its transaction; nothing for one that was read.
    pub beside: Beside,
}

/// Why nothing could be decided.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// Amounts that cannot be calculated together.
    #[error("the amounts cannot be calculated")]
    Money(#[from] MoneyError),
    /// Something has no canonical bytes.
    #[error("the record cannot be written")]
    Bytes(#[from] serde_json::Error),
}

/// The id of the decision on an application.
#[must_use]
pub fn decision_id(application: &ApplicationId) -> String {
    let hash = sha256_parts(&[b"credit decision\n", application.as_str().as_bytes()]);
    hash.to_string().chars().take(32).collect()
}

/// Decides on an application from facts, the table, the product and the sandbox as it stands.
///
/// # Errors
/// [`DecideError::Money`] for a currency that does not fit; nothing is decided then.
pub fn decide(
    application: &Application,
    facts: &Facts,
    proof: impl Into<Proven>,
    model: &Model,
    product: &Product,
    sandbox: &Sandbox,
    decided_at: Instant,
) -> Result<Record, DecideError> {
    let fact_bytes = facts.to_bytes()?;
    let proof: Proven = proof.into();
    let version = match (&proof.evidence, &proof.basis, &proof.books) {
        (_, _, Some(_)) => 4,
        (_, Some(_), None) => 3,
        (Some(_), None, None) => 2,
        (None, None, None) => 1,
    };
    let inputs = Inputs {
        format: format!("decision-inputs/v{version}"),
        application: application.clone(),
        product: product.clone(),
        facts: sha256(&fact_bytes),
        model: used(model),
        evidence: proof.evidence,
        basis: proof.basis,
        books: proof.books,
        policy: proof.policy,
        log_size: facts.log_size,
        root: facts.root,
        sandbox: sandbox.clone(),
    };
    let score = score(model, &measures(facts, product.cap.currency()));
    let judged = judged(&inputs, facts, decided_at);
    let verdict = weigh(&inputs, facts, &score, judged)?;
    let bytes = serde_json::to_vec(&inputs)?;
    let decision = written(inputs, sha256(&bytes), verdict, score, facts, decided_at);
    Ok(Record {
        decision,
        inputs: bytes,
        facts: fact_bytes,
        beside: Beside::default(),
    })
}

/// Why a record does not explain its decision.
#[derive(Debug, thiserror::Error)]
pub enum Unexplained {
    /// The inputs' or facts' bytes cannot be read.
    #[error("the inputs or facts cannot be read")]
    Bytes(#[from] serde_json::Error),
    /// A hash does not fit.
    #[error("the {0} have another hash than the record names")]
    Hash(&'static str),
    /// It was made with another points table than this program's.
    #[error("the decision was made with points table {0}")]
    Model(Hash),
    /// Deciding again failed.
    #[error("the decision cannot be made again")]
    Decide(#[from] DecideError),
    /// Deciding again gives something else.
    #[error("deciding again gives another decision")]
    Differs,
}

impl Record {
    /// SHA-256 of the bundle that it rests on, if it names one.
    #[must_use]
    pub fn evidence(&self) -> Option<Hash> {
        let inputs: Inputs = serde_json::from_slice(&self.inputs).ok()?;
        inputs.evidence
    }

    /// SHA-256 of the papers that it rests on beside the bundle, if it names any.
    #[must_use]
    pub fn papers(&self) -> Option<Hash> {
        let inputs: Inputs = serde_json::from_slice(&self.inputs).ok()?;
        Some(inputs.basis?.papers)
    }

    /// Decides again from the kept bytes and compares.
    ///
    /// # Errors
    /// [`Unexplained`], naming the first thing that does not fit.
    pub fn explain(&self, model: &Model) -> Result<(), Unexplained> {
        let (inputs, facts): (Inputs, Facts) = (
            serde_json::from_slice(&self.inputs)?,
            serde_json::from_slice(&self.facts)?,
        );
        if sha256(&self.inputs) != self.decision.inputs {
            return Err(Unexplained::Hash("inputs"));
        }
        if sha256(&self.facts) != inputs.facts {
            return Err(Unexplained::Hash("facts"));
        }
        if inputs.model.hash != model.hash {
            return Err(Unexplained::Model(inputs.model.hash));
        }
        let Inputs {
            application,
            product,
            policy,
            evidence,
            basis,
            books,
            sandbox,
            ..
        } = &inputs;
        let proof = Proven {
            policy: *policy,
            evidence: *evidence,
            basis: basis.clone(),
            books: books.clone(),
        };
        let at = self.decision.decided_at;
        let again = decide(application, &facts, proof, model, product, sandbox, at)?;
        if again == *self {
            Ok(())
        } else {
            Err(Unexplained::Differs)
        }
    }
}

fn used(model: &Model) -> ModelUsed {
    ModelUsed {
        name: model.name.clone(),
        version: model.version.clone(),
        hash: model.hash,
    }
}

struct Verdict {
    outcome: Outcome,
    reasons: Vec<Reason>,
    rules: Vec<String>,
    judged: Option<Judgement>,
    limit: Option<Limit>,
}

/// Asks the rules, where the books were asked. Facts without a trade leave what hangs on it unknown.
fn judged(inputs: &Inputs, facts: &Facts, decided_at: Instant) -> Option<Judgement> {
    let books = inputs.books.as_ref()?;
    let nothing = Trade::default();
    let trade = facts.trade.as_ref().unwrap_or(&nothing);
    let (day, most) = (china_day(decided_at), inputs.product.straight_up_to);
    Some(Judgement::of(&inputs.application, trade, books, day, most))
}

fn weigh(
    inputs: &Inputs,
    facts: &Facts,
    score: &Score,
    judged: Option<Judgement>,
) -> Result<Verdict, MoneyError> {
    let (application, product) = (&inputs.application, &inputs.product);
    let mut verdict = Verdict {
        outcome: Outcome::Decline,
        reasons: score.reasons.clone(),
        rules: score.knock_outs.clone(),
        judged,
        limit: None,
    };
    if !score.offerable && verdict.rules.is_empty() {
        verdict.rules.push(RULE_GRADE.to_owned());
    }
    let fired = verdict.judged.as_ref().map(Judgement::fired);
    verdict.rules.extend(fired.unwrap_or_default());
    if !score.offerable {
        return Ok(verdict);
    }
    let route = verdict.judged.as_ref().map(|judged| judged.route);
    if route == Some(Route::Refused) {
        verdict.reasons = first(ReasonCode::RuleRefuses, verdict.reasons);
        return Ok(verdict);
    }
    let limit = limit(facts, product, &inputs.sandbox)?;
    let amount = application.requested.min(limit.amount)?;
    if amount.fen() < product.minimum.fen().max(1) {
        verdict.rules.push(RULE_LIMIT.to_owned());
        verdict.reasons = limited(limit.bound, verdict.reasons);
        verdict.limit = Some(limit);
        return Ok(verdict);
    }
    if amount != application.requested {
        verdict.rules.push(RULE_CUT.to_owned());
    }
    verdict.outcome = Outcome::Offer { amount };
    verdict.limit = Some(limit);
    Ok(verdict)
}

/// Puts a reason without points in front.
fn first(code: ReasonCode, mut reasons: Vec<Reason>) -> Vec<Reason> {
    let reason = Reason {
        code,
        fact: None,
        points: 0,
    };
    reasons.insert(0, reason);
    reasons.truncate(REASONS_MAX);
    reasons
}

/// Puts the reason of a limit before those of the score.
fn limited(bound: Bound, mut reasons: Vec<Reason>) -> Vec<Reason> {
    let code = match bound {
        Bound::SandboxFree
        | Bound::SandboxPerLoan
        | Bound::SandboxBorrower
        | Bound::SandboxBuyer
        | Bound::SandboxDay
        | Bound::ProductCap => ReasonCode::SandboxLimit,
        Bound::ConfirmedTurnover => ReasonCode::LowVolume,
    };
    // Turnover is not in every table: then no points stand against it, and none are claimed.
    let fact = (bound == Bound::ConfirmedTurnover).then_some(FactName::ConfirmedTurnover);
    let points = reasons
        .iter()
        .find(|one| one.fact == fact)
        .map_or(0, |one| one.points);
    reasons.retain(|one| one.fact != fact || fact.is_none());
    reasons.insert(0, Reason { code, fact, points });
    reasons.truncate(REASONS_MAX);
    reasons
}

fn written(
    inputs: Inputs,
    hash: Hash,
    verdict: Verdict,
    score: Score,
    facts: &Facts,
    decided_at: Instant,
) -> Decision {
    Decision {
        decision_id: decision_id(&inputs.application.application_id),
        application: inputs.application,
        decided_at,
        replay: facts.origin.ends_with("/replay"),
        outcome: verdict.outcome,
        reasons: verdict.reasons,
        rules: verdict.rules,
        judged: verdict.judged,
        score,
        limit: verdict.limit,
        model: inputs.model,
        policy: inputs.policy,
        log_size: inputs.log_size,
        root: inputs.root,
        sandbox_version: inputs.sandbox.limits.version,
        inputs: hash,
    }
}

#[cfg(test)]
mod tests;
