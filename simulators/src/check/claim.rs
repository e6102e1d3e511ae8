//! What a run claims.

use schemas::note::Witnessed;
use serde::{Deserialize, Serialize};

use super::{Balance, Proven};
use crate::folder::{Decision, Expected, Played};
use crate::series::{Row, Stamps};

/// Reason code of the bank for a broken cold chain.
const EXCURSION: &str = "COLD_CHAIN_EXCURSION";
/// Reason code of the bank for a gap in a chain.
const GAP: &str = "EVIDENCE_GAP";

/// One claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What is claimed, in words.
    pub claim: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was found.
    pub found: String,
}

/// Every claim of a run.
pub(super) fn claims(
    expected: &Expected,
    proven: &Proven,
    balance: &Balance,
    witnessed: &Witnessed,
    rows: &[Row],
) -> Vec<Claim> {
    let mut claims = Claims(Vec::new());
    claims.about_proofs(expected, proven, witnessed);
    claims.about_events(expected, balance);
    match &expected.played {
        Played::Story { .. } => claims.about_story(expected, proven, balance),
        Played::Series { rows: of_file, .. } => claims.about_series(of_file, rows),
        Played::Deliveries { replayed, .. } => {
            claims.about_deliveries(expected, replayed, &proven.book);
        }
    }
    claims.0
}

/// Claims under construction.
pub(super) struct Claims(Vec<Claim>);

impl Claims {
    pub(super) fn add(&mut self, claim: &str, holds: bool, found: impl Into<String>) {
        self.0.push(Claim {
            claim: claim.to_owned(),
            holds,
            found: found.into(),
        });
    }

    fn about_proofs(&mut self, expected: &Expected, proven: &Proven, witnessed: &Witnessed) {
        let found = match proven.refusals.first() {
            None => format!("{} bundles, {} events", proven.bundles, proven.verified),
            Some(first) => format!("{} refused, first {first}", proven.refusals.len()),
        };
        let some = proven.bundles > 0 && proven.verified > 0;
        self.add(
            "every bundle verifies under the policy",
            some && proven.refusals.is_empty(),
            found,
        );
        let head = &witnessed.checkpoint;
        let same = head.size == expected.log_size && head.root == expected.log_root;
        self.add(
            "the newest checkpoint is witnessed and is that of the run",
            same && head.origin.as_str() == expected.origin,
            format!(
                "size {}, {} witnesses",
                head.size,
                witnessed.witnesses.len()
            ),
        );
        let shown = |(_, leaves): &(String, Vec<_>)| !leaves.is_empty();
        let all =
            proven.products.iter().all(shown) && proven.products.len() == expected.products.len();
        self.add(
            "every product has its history",
            all && !proven.products.is_empty(),
            format!("{} products", proven.products.len()),
        );
    }

    fn about_events(&mut self, expected: &Expected, balance: &Balance) {
        let first = |leaves: &[schemas::hash::Hash]| match leaves.first() {
            None => "0".to_owned(),
            Some(first) => format!("{}, first {first}", leaves.len()),
        };
        let sent = balance.made - balance.hidden.len() as u64;
        self.add(
            "no event is lost",
            balance.lost.is_empty() && sent > 0,
            first(&balance.lost),
        );
        self.add(
            "no event is doubled",
            balance.doubled.is_empty(),
            first(&balance.doubled),
        );
        self.add(
            "no event is invented",
            balance.invented == 0,
            balance.invented.to_string(),
        );
        let stored = expected.platform.events;
        self.add(
            "the platform stored exactly what was sent",
            stored == sent && expected.platform.refused == 0,
            format!("{stored} of {sent}, {} refused", expected.platform.refused),
        );
        let quarantined = expected.platform.quarantined;
        self.add(
            "nothing is in quarantine",
            quarantined == 0,
            quarantined.to_string(),
        );
    }

    fn about_story(&mut self, expected: &Expected, proven: &Proven, balance: &Balance) {
        let hidden = balance.hidden.len();
        self.add(
            "what an owner deleted is not in the log",
            hidden > 0 && balance.betrayed == 0,
            format!(
                "{hidden} events deleted, {} of them in the log",
                balance.betrayed
            ),
        );
        let gaps = proven.chains.gaps();
        let hiding: Vec<&Decision> = expected
            .decisions
            .iter()
            .filter(|one| one.conduct == "hiding")
            .collect();
        let of_hiding = |device: &schemas::ids::DeviceAddress| {
            hiding
                .iter()
                .any(|one| one.supplier == device.organisation.as_str())
        };
        let only_there = !gaps.is_empty() && gaps.iter().all(|gap| of_hiding(&gap.device));
        let words: Vec<String> = gaps
            .iter()
            .map(|gap| format!("{} seq {} to {}", gap.device, gap.from, gap.until))
            .collect();
        self.add(
            "the only gaps are where statements were deleted",
            only_there,
            words.join(", "),
        );
        self.add(
            "the platform reports as many gaps as the chains have",
            expected.platform.gaps == gaps.len() as u64,
            format!("{} of {}", expected.platform.gaps, gaps.len()),
        );
        self.decision(expected, "the good supplier has an offer", "good", None);
        self.decision(
            expected,
            "the excursion is a reason to decline",
            "excursion",
            Some(EXCURSION),
        );
        self.decision(
            expected,
            "the gap is a reason to decline",
            "hiding",
            Some(GAP),
        );
    }

    /// One supplier's decision: an offer, or a decline with this reason.
    fn decision(&mut self, expected: &Expected, claim: &str, conduct: &str, reason: Option<&str>) {
        let Some(one) = expected.decisions.iter().find(|one| one.conduct == conduct) else {
            return self.add(claim, false, "nothing was decided");
        };
        let holds = match reason {
            None => one.offer_fen.is_some_and(|fen| fen > 0),
            Some(reason) => {
                one.offer_fen.is_none() && one.reasons.iter().any(|code| code == reason)
            }
        };
        let found = match one.offer_fen {
            Some(fen) => format!("{}: {} fen", one.supplier, fen),
            None => format!("{}: {}", one.supplier, one.reasons.join(", ")),
        };
        self.add(claim, holds, found);
    }

    fn about_series(&mut self, of_file: &[Row], proven: &[Row]) {
        let same = of_file
            .iter()
            .zip(proven)
            .take_while(|(row, shown)| row.is_shown_as(shown));
        let same = same.count();
        let whole = same == of_file.len() && same == proven.len();
        let stamps = Stamps::count(proven.iter().map(|row| row.time));
        let found = match whole {
            true => format!(
                "{} repeated, {} backwards",
                stamps.repeated, stamps.backwards
            ),
            false => format!("{same} of {} rows, then something else", of_file.len()),
        };
        self.add(
            "every row of the file is proven, in its order",
            whole,
            found,
        );
    }
}
