//! Who is behind the parties and their devices.

use schemas::ids::Slug;

use super::{
    Case, DeviceUse, FactName, Finding, Identifier, IdentifierKind, Saw, Severity, Warning, rows,
};

/// A device that signs under the supplier and under somebody else. If it belongs to a third party,
/// such as a warehouse, that is a note; else an officer looks.
pub(super) fn shared_device(case: &Case) -> Finding {
    let uses = match rows(&case.devices, FactName::Devices) {
        Ok(uses) => uses,
        Err(finding) => return finding,
    };
    let own = uses.iter().filter(|one| one.supplier == case.supplier);
    let shared = own.flat_map(|own| {
        let others = uses
            .iter()
            .filter(|other| other.device == own.device && other.supplier != case.supplier);
        others.map(|other| device(own, other))
    });
    Finding::of(shared.collect())
}

fn device(own: &DeviceUse, other: &DeviceUse) -> Warning {
    // Two rows that disagree about the owner know no owner.
    let owner = own.owner.clone().filter(|_| own.owner == other.owner);
    let is_third = owner
        .as_ref()
        .is_some_and(|owner| *owner != own.supplier && *owner != other.supplier);
    Warning {
        severity: if is_third {
            Severity::Note
        } else {
            Severity::ToOfficer
        },
        saw: Saw::Device {
            device: own.device.clone(),
            other: other.supplier.clone(),
            owner,
        },
    }
}

/// A buyer that is the supplier, is linked to it, or shares something with it. The same bank account
/// is refused: the buyer would pay itself.
pub(super) fn related_parties(case: &Case) -> Finding {
    let buyers = match rows(&case.buyers, FactName::Buyers) {
        Ok(buyers) => buyers,
        Err(finding) => return finding,
    };
    let links = match rows(&case.links, FactName::Links) {
        Ok(links) => links,
        Err(finding) => return finding,
    };
    let identifiers = match rows(&case.identifiers, FactName::Identifiers) {
        Ok(identifiers) => identifiers,
        Err(finding) => return finding,
    };
    let supplier = &case.supplier;
    let mut warnings = Vec::new();
    for buyer in buyers {
        if buyer == supplier {
            let buyer = buyer.clone();
            let saw = Saw::OwnBuyer { buyer };
            let severity = Severity::Refuse;
            warnings.push(Warning { severity, saw });
            continue;
        }
        let linked = links.iter().filter(|link| {
            (link.one == *supplier && link.other == *buyer)
                || (link.one == *buyer && link.other == *supplier)
        });
        warnings.extend(linked.map(|link| Warning {
            severity: Severity::ToOfficer,
            saw: Saw::Linked {
                buyer: buyer.clone(),
                kind: link.kind.clone(),
            },
        }));
        let shared = of(identifiers, supplier).filter(|own| {
            of(identifiers, buyer).any(|other| other.kind == own.kind && other.value == own.value)
        });
        warnings.extend(shared.map(|own| Warning {
            severity: shared_severity(own.kind),
            saw: Saw::Shared {
                buyer: buyer.clone(),
                kind: own.kind,
            },
        }));
    }
    Finding::of(warnings)
}

fn of<'a>(rows: &'a [Identifier], party: &'a Slug) -> impl Iterator<Item = &'a Identifier> {
    rows.iter().filter(move |one| one.party == *party)
}

const fn shared_severity(kind: IdentifierKind) -> Severity {
    match kind {
        IdentifierKind::BankAccount => Severity::Refuse,
        IdentifierKind::Representative | IdentifierKind::Telephone | IdentifierKind::Address => {
            Severity::ToOfficer
        }
    }
}
