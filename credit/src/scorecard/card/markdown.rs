//! The model card as Markdown. Texts of people stand in it with every sign escaped that Markdown or
//! HTML gives a meaning.

use std::fmt::Write;

use schemas::hash::Hash;

use super::super::fit::DropReason;
use super::super::number::Number;
use super::{Fairness, Measured, ModelCard, Performance};

/// Writes the card.
pub(super) fn write(card: &ModelCard, hash: Hash) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = head(&mut text, card, hash);
    let _ = features(&mut text, card);
    let _ = performance(&mut text, "development", &card.development);
    if let Some(holdout) = &card.holdout {
        let _ = performance(&mut text, "rows that it had not seen", holdout);
    }
    let _ = stability(&mut text, card);
    for one in &card.fairness {
        let _ = fairness(&mut text, one);
    }
    let _ = people(&mut text, card);
    text
}

/// A text that means nothing but itself, on one line.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            sign if sign.is_control() => escaped.push(' '),
            sign if r"\`*_{}[]()#+-!|~".contains(sign) => {
                escaped.push('\\');
                escaped.push(sign);
            }
            sign => escaped.push(sign),
        }
    }
    escaped
}

fn shown(number: Option<Number>) -> String {
    number.map_or_else(|| "none".to_owned(), |number| number.to_string())
}

fn interval(measured: Option<&Measured>) -> String {
    measured.map_or_else(
        || "none".to_owned(),
        |one| format!("{} ({} to {})", one.value, one.low, one.high),
    )
}

fn head(text: &mut String, card: &ModelCard, hash: Hash) -> std::fmt::Result {
    let statement = &card.statement;
    writeln!(text, "# {} {}\n", plain(&card.name), plain(&card.version))?;
    if let Some(watermark) = &card.watermark {
        writeln!(
            text,
            "**{watermark}: the labels were made by a simulation.**\n"
        )?;
    }
    writeln!(text, "Its figure is a {}.\n", plain(&card.figure))?;
    writeln!(text, "| | |\n|---|---|")?;
    let rows = [
        ("purpose", plain(&statement.purpose)),
        ("scorecard, SHA-256", card.artefact.to_string()),
        ("data, SHA-256", card.data.to_string()),
        (
            "points table, SHA-256",
            card.table
                .map_or_else(|| "none".to_owned(), |table| table.to_string()),
        ),
        ("this card as JSON, SHA-256", hash.to_string()),
        ("made at", statement.developed_at.to_rfc3339()),
        ("source", plain(&statement.source)),
        ("sampling", plain(&statement.sampling)),
        ("code version", plain(&statement.code_version)),
        ("environment", plain(&statement.environment)),
        ("operator", plain(statement.operator.as_str())),
        ("iterations", format!("{:?}", card.iterations)),
        ("exit", plain(&statement.exit)),
    ];
    for (name, value) in rows {
        writeln!(text, "| {name} | {value} |")?;
    }
    Ok(())
}

fn features(text: &mut String, card: &ModelCard) -> std::fmt::Result {
    writeln!(
        text,
        "\n## Features\n\n| feature | information value |\n|---|---|"
    )?;
    for (name, iv) in &card.features {
        writeln!(text, "| {} | {iv} |", plain(name))?;
    }
    for one in &card.dropped {
        let why = match one.reason {
            DropReason::LowInformationValue => "information value",
            DropReason::WrongSign => "sign against theory: coefficient",
        };
        writeln!(
            text,
            "| {} | left out, {why} {} |",
            plain(&one.feature),
            one.figure
        )?;
    }
    Ok(())
}

fn performance(text: &mut String, on: &str, performance: &Performance) -> std::fmt::Result {
    let volume = &performance.volume;
    writeln!(text, "\n## On {on}\n")?;
    writeln!(
        text,
        "{} rows ({} good, {} bad), {} features, SHA-256 {}.\n",
        volume.rows, volume.good, volume.bad, volume.features, performance.data
    )?;
    let fit = &performance.calibration;
    writeln!(text, "| figure | value |\n|---|---|")?;
    writeln!(text, "| AUC | {} |", interval(performance.auc.as_ref()))?;
    writeln!(text, "| KS | {} |", interval(performance.ks.as_ref()))?;
    writeln!(text, "| Brier score | {} |", shown(performance.brier))?;
    writeln!(
        text,
        "| calibration error | {} |",
        shown(fit.calibration_error)
    )?;
    writeln!(
        text,
        "| Hosmer-Lemeshow, {} degrees of freedom | {} (p {}) |\n",
        fit.degrees_of_freedom,
        shown(fit.hosmer_lemeshow),
        shown(fit.p_value)
    )?;
    writeln!(
        text,
        "| totals | rows | bad | predicted | observed | 95 % |\n|---|---|---|---|---|---|"
    )?;
    for bin in &fit.bins {
        writeln!(
            text,
            "| {} to {} | {} | {} | {} | {} | {} to {} |",
            bin.from,
            bin.to,
            bin.rows,
            bin.bad,
            bin.predicted,
            bin.observed,
            bin.interval.0,
            bin.interval.1
        )?;
    }
    Ok(())
}

fn stability(text: &mut String, card: &ModelCard) -> std::fmt::Result {
    if card.stability.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n## Population stability\n\n| of | PSI | |\n|---|---|---|"
    )?;
    for one in &card.stability {
        writeln!(
            text,
            "| {} | {} | {:?} |",
            plain(&one.of),
            one.psi,
            one.verdict
        )?;
    }
    Ok(())
}

fn fairness(text: &mut String, fairness: &Fairness) -> std::fmt::Result {
    writeln!(text, "\n## Fairness by {}\n", plain(&fairness.grouping))?;
    writeln!(
        text,
        "| group | rows | bad | approved | ratio | AUC |\n|---|---|---|---|---|---|"
    )?;
    for one in &fairness.groups {
        let note = if one.below_four_fifths {
            " (below 4/5)"
        } else {
            ""
        };
        writeln!(
            text,
            "| {} | {} | {} | {} | {}{note} | {} |",
            plain(&one.group),
            one.rows,
            one.bad_share,
            one.approval_rate,
            shown(one.approval_ratio),
            shown(one.auc)
        )?;
    }
    Ok(())
}

fn people(text: &mut String, card: &ModelCard) -> std::fmt::Result {
    writeln!(text, "\n## Review\n")?;
    match &card.review {
        None => writeln!(text, "Not reviewed."),
        Some(review) => writeln!(
            text,
            "{}, {}: {}",
            plain(review.person.as_str()),
            review.at.to_rfc3339(),
            plain(&review.findings)
        ),
    }
}
