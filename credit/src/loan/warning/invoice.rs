//! Invoices that were used before.

use super::{Case, FactName, Finding, Invoice, Saw, Severity, Warning, rows};

/// The same bytes twice, the same number, seller and amount, and what is pledged already, are refused;
/// the same number and seller over another amount is for an officer.
pub(super) fn rule(case: &Case) -> Finding {
    let invoices = match rows(&case.invoices, FactName::Invoices) {
        Ok(invoices) => invoices,
        Err(finding) => return finding,
    };
    let of_case = |invoice: &&Invoice| invoice.application == case.application;
    let mut seen: Vec<&Invoice> = invoices.iter().filter(|one| !of_case(one)).collect();
    let mut warnings = Vec::new();
    for invoice in invoices.iter().filter(of_case) {
        warnings.extend(seen.iter().filter_map(|before| compare(invoice, before)));
        seen.push(invoice);
    }
    match pledged(case) {
        Ok(more) => warnings.extend(more),
        // What was seen of other applications weighs more than what nobody looked up.
        Err(finding) if warnings.is_empty() => return finding,
        Err(_) => {}
    }
    Finding::of(warnings)
}

/// An invoice of this application that a pledge has.
fn pledged(case: &Case) -> Result<Vec<Warning>, Finding> {
    let pledged = rows(&case.pledged, FactName::Pledged)?;
    let own = case.invoices.iter().flatten();
    let own = own.filter(|invoice| invoice.application == case.application);
    let found = own.flat_map(|invoice| {
        let same = pledged
            .iter()
            .filter(|one| one.fingerprint == invoice.fingerprint);
        same.map(|one| Warning {
            severity: Severity::Refuse,
            saw: Saw::PledgedInvoice {
                number: invoice.number.clone(),
                pledge: one.pledge.clone(),
            },
        })
    });
    Ok(found.collect())
}

fn compare(invoice: &Invoice, before: &Invoice) -> Option<Warning> {
    let number = invoice.number.clone();
    let other = before.application.clone();
    let same_number = invoice.number.trim() == before.number.trim();
    let same = same_number && invoice.seller == before.seller;
    if invoice.fingerprint == before.fingerprint {
        return Some(Warning {
            severity: Severity::Refuse,
            saw: Saw::SameInvoice {
                number,
                before: other,
            },
        });
    }
    if same && invoice.amount == before.amount {
        return Some(Warning {
            severity: Severity::Refuse,
            saw: Saw::SameNumberAndAmount {
                number,
                before: other,
            },
        });
    }
    same.then_some(Warning {
        severity: Severity::ToOfficer,
        saw: Saw::SameNumber {
            number,
            before: other,
        },
    })
}
