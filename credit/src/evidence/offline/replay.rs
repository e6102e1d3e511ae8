//! One decision made again.

use schemas::consent::Purpose;
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;

use crate::evidence::VerifiedEvidence;
use crate::evidence::attestation::Counted;
use crate::evidence::papers::{Basis, Beside, Papers};
use crate::evidence::verify::{Refused, TrustedPolicy, verify};
use crate::evidence::weight::{Weights, WeightsError};
use crate::facts::sources::Sources;
use crate::facts::{Facts, FactsError, Rules, With};
use crate::loan::decision::{DecideError, Proven, decide};
use crate::loan::{Inputs, Record};
use crate::score::Model;

/// What a decision is made again under.
#[derive(Clone, Copy, Debug)]
pub struct Again<'a> {
    /// The policy that the reader trusts.
    pub policy: &'a TrustedPolicy,
    /// How facts are read.
    pub rules: Rules,
    /// The points table.
    pub model: &'a Model,
}

/// An input that is not proven: the decision is not what the evidence gives, and this is the first
/// thing that shows it.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// The kept bytes are none of this program's.
    #[error("inputs: they cannot be read")]
    Bytes(#[from] serde_json::Error),
    /// The bytes are not those that the decision names.
    #[error("{0}: another hash than the decision names")]
    Hash(&'static str),
    /// The decision names no evidence: it was made before bundles were kept.
    #[error("evidence: the decision names none")]
    Unnamed,
    /// The store does not keep the bundle.
    #[error("evidence: {0} is not kept")]
    Missing(Hash),
    /// The store does not keep the papers, or the file does not hold them.
    #[error("papers: {0} is not kept")]
    Papers(Hash),
    /// Another table of weights than this program's.
    #[error("weights: the decision was made with another table")]
    Weights,
    /// The built-in table of weights cannot be used.
    #[error("weights: the table cannot be used")]
    Table(#[from] WeightsError),
    /// Another policy than the reader's.
    #[error("policy: the decision was made under another")]
    Policy,
    /// The evidence does not hold.
    #[error("evidence: {0}")]
    Evidence(#[from] Refused),
    /// No facts can be read from it.
    #[error("facts: they cannot be read from the evidence")]
    Facts(#[from] FactsError),
    /// Another points table.
    #[error("model: the decision was made with another points table")]
    Model,
    /// Deciding again failed.
    #[error("decision: it cannot be made again")]
    Decide(#[from] DecideError),
    /// Other bytes came out.
    #[error("{part}: {differing} of {of} bytes differ")]
    Differs {
        /// `facts`, `inputs` or `decision`.
        part: &'static str,
        /// Bytes that differ, those that one of both has more included.
        differing: u64,
        /// Length of the longer.
        of: u64,
    },
}

impl Unproven {
    /// How many bytes differ, where bytes were compared.
    #[must_use]
    pub const fn differing(&self) -> u64 {
        match self {
            Self::Differs { differing, .. } => *differing,
            _ => 0,
        }
    }
}

/// Makes a decision again from the bundle and the papers that it rests on. Gives how many bytes were compared, all
/// of them equal: those of the facts, the inputs and the decision.
///
/// # Errors
/// [`Unproven`], naming the first input that does not fit.
pub fn again(
    record: &Record,
    bundle: &[u8],
    papers: Option<&[u8]>,
    under: &Again<'_>,
) -> Result<u64, Unproven> {
    let inputs: Inputs = serde_json::from_slice(&record.inputs)?;
    check_hashes(record, &inputs, bundle)?;
    if inputs.policy != under.policy.hash() {
        return Err(Unproven::Policy);
    }
    if inputs.model.hash != under.model.hash {
        return Err(Unproven::Model);
    }
    let evidence = verify(bundle, under.policy)?;
    let (supplier, at) = (&inputs.application.supplier, record.decision.decided_at);
    let trade = inputs.books.is_some();
    let (facts, basis) = match &inputs.basis {
        None => {
            let sources = None;
            let with = With { sources, trade };
            let facts = Facts::read_all(&evidence, supplier, at, under.rules, with)?;
            (facts, None)
        }
        Some(named) => {
            let (basis, said) = look(named, papers, bundle, &evidence, supplier, at, under)?;
            let weights = Weights::built_in()?;
            let sources = Sources {
                weights: &weights,
                attested: &said,
            };
            let with = With {
                sources: Some(sources),
                trade,
            };
            let facts = Facts::read_all(&evidence, supplier, at, under.rules, with)?;
            (facts, Some(basis))
        }
    };
    let compared = same("facts", &record.facts, &facts.to_bytes()?)?;
    let proof = Proven {
        policy: inputs.policy,
        evidence: inputs.evidence,
        basis,
        books: inputs.books.clone(),
    };
    let made = decide(
        &inputs.application,
        &facts,
        proof,
        under.model,
        &inputs.product,
        &inputs.sandbox,
        at,
    )?;
    let decisions = [&record.decision, &made.decision].map(serde_json::to_vec);
    let [kept, again] = decisions;
    Ok(compared
        + same("inputs", &record.inputs, &made.inputs)?
        + same("decision", &kept?, &again?)?)
}

/// Judges the papers again, as of the decision.
fn look(
    named: &Basis,
    papers: Option<&[u8]>,
    bundle: &[u8],
    evidence: &VerifiedEvidence,
    supplier: &Slug,
    at: Instant,
    under: &Again<'_>,
) -> Result<(Basis, Vec<Counted>), Unproven> {
    let papers = papers.ok_or(Unproven::Papers(named.papers))?;
    if sha256(papers) != named.papers {
        return Err(Unproven::Hash("papers"));
    }
    let weights = Weights::built_in()?;
    if weights.hash != named.weights.hash {
        return Err(Unproven::Weights);
    }
    let beside = Beside {
        bundle,
        evidence,
        policy: under.policy,
        supplier,
        purpose: Purpose::Assess,
        now: at,
        weights: &weights,
    };
    Ok(Papers::parse(papers)?.look(&beside).said?)
}

fn check_hashes(record: &Record, inputs: &Inputs, bundle: &[u8]) -> Result<(), Unproven> {
    if sha256(&record.inputs) != record.decision.inputs {
        return Err(Unproven::Hash("inputs"));
    }
    if sha256(&record.facts) != inputs.facts {
        return Err(Unproven::Hash("facts"));
    }
    let named = inputs.evidence.ok_or(Unproven::Unnamed)?;
    if sha256(bundle) == named {
        Ok(())
    } else {
        Err(Unproven::Hash("evidence"))
    }
}

/// How many bytes there are, all of them equal.
fn same(part: &'static str, kept: &[u8], made: &[u8]) -> Result<u64, Unproven> {
    let of = kept.len().max(made.len());
    let pairs = kept.iter().zip(made).filter(|(a, b)| a != b);
    let differing = pairs.count() + kept.len().abs_diff(made.len());
    if differing == 0 {
        return Ok(of as u64);
    }
    Err(Unproven::Differs {
        part,
        differing: differing as u64,
        of: of as u64,
    })
}
