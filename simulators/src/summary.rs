//! The end of a run in words.

mod late;

use std::fmt::Write as _;

use crate::check::Outcome;
use crate::folder::{Decision, Played};

/// The summary that a person reads. `colour` marks what fails and what holds.
pub fn text(outcome: &Outcome, colour: bool) -> String {
    let paint = Paint(colour);
    let mut text = String::new();
    for part in [
        head(outcome),
        events(outcome),
        match &outcome.late_delivery {
            Some(evaluation) => late::text(evaluation, outcome),
            None => suppliers(outcome, paint),
        },
        log(outcome),
        claims(outcome, paint),
    ] {
        text.push_str(&part);
        text.push('\n');
    }
    text.push_str(&verdict(outcome, paint));
    text
}

#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn mark(self, holds: bool) -> String {
        if holds {
            self.with("32", "holds")
        } else {
            self.with("1;31", "FAILS")
        }
    }
}

fn head(outcome: &Outcome) -> String {
    match &outcome.played {
        Played::Story { seed, days } => {
            format!("The whole way once: {days} simulated days, seed {seed}\n")
        }
        Played::Series {
            file, assumption, ..
        } => {
            format!("Historical replay of {file}\n  assumed: {assumption}\n")
        }
        Played::Deliveries {
            file,
            lines,
            assumptions,
            ..
        } => {
            let mut text = format!("Historical replay of {} lines of {file}\n", grouped(*lines));
            for assumption in assumptions {
                let _ = writeln!(text, "  assumed: {assumption}");
            }
            text
        }
    }
}

fn events(outcome: &Outcome) -> String {
    let mut text = String::from("Events\n");
    let mut row = |name: &str, count: u64, remark: &str| {
        let row = format!("  {name:<22}{:>9}  {remark}", grouped(count));
        let _ = writeln!(text, "{}", row.trim_end());
    };
    row("made by gateways", outcome.events_made, "");
    if outcome.events_hidden > 0 {
        row(
            "deleted by an owner",
            outcome.events_hidden,
            "before they were sent; the chain shows it",
        );
    }
    row("stored", outcome.events_stored, "");
    row(
        "proven in the log",
        outcome.events_anchored,
        "from files, in a fresh process",
    );
    row("lost", outcome.lost, "");
    row("doubled", outcome.doubled, "");
    row("in quarantine", outcome.quarantined, "");
    row(
        "proofs verified",
        outcome.proofs_verified,
        &format!("in {} bundles", outcome.bundles),
    );
    row("proofs failed", outcome.proofs_failed, "");
    row("gaps in chains", outcome.gaps, "");
    if let Some(stamps) = outcome.stamps {
        row("rows of the series", stamps.rows as u64, "");
        row("repeated time stamps", stamps.repeated as u64, "kept");
        row("jumps back", stamps.backwards as u64, "kept");
    }
    text
}

/// What the bank decided, without colour.
pub fn decisions(decisions: &[Decision]) -> String {
    decided(decisions.iter(), Paint(false))
}

fn suppliers(outcome: &Outcome, paint: Paint) -> String {
    decided(outcome.offers.iter().chain(&outcome.declined), paint)
}

fn decided<'a>(decisions: impl Iterator<Item = &'a Decision>, paint: Paint) -> String {
    let mut text = String::from("Suppliers\n");
    let mut all: Vec<&Decision> = decisions.collect();
    all.sort_by(|one, other| {
        other
            .score
            .cmp(&one.score)
            .then(one.supplier.cmp(&other.supplier))
    });
    for one in all {
        let decision = match one.offer_fen {
            Some(fen) => paint.with("32", &format!("offer of {} {}", one.currency, money(fen))),
            None => format!(
                "{}: {}",
                paint.with("31", "declined"),
                one.reasons.join(", ")
            ),
        };
        let _ = writeln!(
            text,
            "  {:<28}{:>4} points  {decision}",
            one.name, one.score
        );
    }
    text
}

fn log(outcome: &Outcome) -> String {
    format!(
        "Log\n  {}\n  size {}, root {}\n  witnessed {}\n  policy {}\n",
        outcome.log_origin,
        outcome.log_size,
        outcome.log_root,
        outcome.log_anchored,
        outcome.policy
    )
}

fn claims(outcome: &Outcome, paint: Paint) -> String {
    let mut text = String::from("Claims\n");
    for one in &outcome.claims {
        let _ = writeln!(
            text,
            "  {}  {} ({})",
            paint.mark(one.holds),
            one.claim,
            one.found
        );
    }
    text
}

fn verdict(outcome: &Outcome, paint: Paint) -> String {
    let failed = outcome.claims.iter().filter(|claim| !claim.holds).count();
    if outcome.ok {
        paint.with(
            "1;32",
            &format!("All {} claims hold.", outcome.claims.len()),
        )
    } else {
        paint.with(
            "1;31",
            &format!("{failed} of {} claims FAIL.", outcome.claims.len()),
        )
    }
}

/// 12345 as `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for (place, digit) in digits[first..].char_indices() {
        if place % 3 == 0 && !text.is_empty() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Fen as an amount with two places.
pub fn money(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let fen = fen.unsigned_abs();
    format!("{sign}{}.{:02}", grouped(fen / 100), fen % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let texts: Vec<_> = [0, 12, 123, 1_234, 123_456, 1_234_567].map(grouped).into();
        assert_eq!(texts, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
        assert_eq!(money(123_456_705), "1,234,567.05");
        assert_eq!(money(-5), "-0.05");
    }
}
