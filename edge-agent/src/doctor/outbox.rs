//! The outbox: whole, verified, in step with its head file, and how long it has waited.

use schemas::time::Instant;

use super::{Check, Patient};
use crate::outbox::audit::audit;
use crate::outbox::{DATABASE_FILE, glance};
use crate::state::State;
use crate::status::Status;

/// A receipt that is older than this, while statements wait, is doubtful.
const RECEIPT_OLD_S: u64 = 900;
/// An outbox larger than this is verified by `edge-agent audit` only: a doctor has no hour.
const AUDIT_MAX: u64 = 256 * 1024 * 1024;

pub(super) async fn look(patient: &Patient<'_>, checks: &mut Vec<Check>) {
    let names = ["outbox", "head file", "outbox room", "receipts", "anchors"];
    let path = patient.config.state.join(DATABASE_FILE);
    let Some(device) = &patient.device else {
        checks.extend(names.map(|name| Check::skipped(name, "this device is not enrolled")));
        return;
    };
    let Ok(file) = std::fs::metadata(&path) else {
        checks.extend(names.map(|name| Check::skipped(name, "nothing has been recorded yet")));
        return;
    };
    if file.len() > AUDIT_MAX {
        let why = "too large for a quick look: edge-agent audit verifies it";
        checks.extend(names[..2].iter().map(|name| Check::skipped(*name, why)));
    } else {
        match audit(&patient.config.state, &device.trust).await {
            Err(error) => {
                let remedy = "start the agent: what is whole is saved and a new epoch begins";
                checks.push(Check::bad(names[0], error.to_string(), remedy));
                checks.push(Check::skipped(
                    names[1],
                    "without an outbox to compare it with",
                ));
            }
            Ok(audit) => checks.extend(judged(names, &audit)),
        }
    }
    match glance(&patient.config.state).await {
        Ok(glance) => {
            let now = patient.machine.wall();
            checks.push(quota(glance.used, patient.config.outbox.bytes_max));
            checks.push(receipts(glance.receipts_waiting, glance.last_receipt, now));
            checks.push(anchors(glance.late));
        }
        Err(error) => {
            let remedy = State::OutboxFails.remedy().en;
            checks.push(Check::bad(names[2], error.to_string(), remedy));
            let skipped = |name| Check::skipped(name, "without an outbox that can be read");
            checks.extend([names[3], names[4]].map(skipped));
        }
    }
}

fn judged(names: [&str; 5], audit: &crate::outbox::audit::Audit) -> [Check; 2] {
    let of_head = |problem: &&String| problem.contains("head file");
    let head = audit.problems.iter().find(of_head);
    let others: Vec<&str> = audit
        .problems
        .iter()
        .filter(|problem| !of_head(problem))
        .take(3)
        .map(String::as_str)
        .collect();
    let whole = if others.is_empty() {
        let found = format!(
            "{} statements, {} notes, {} events verified",
            audit.statements, audit.notes, audit.events
        );
        Check::good(names[0], found)
    } else {
        Check::bad(
            names[0],
            others.join("; "),
            "keep a copy of the state directory, run `edge-agent audit`, and show it to the organisation",
        )
    };
    let head = match head {
        None => Check::good(names[1], "knows no more than the outbox"),
        Some(problem) => Check::bad(
            names[1],
            problem.clone(),
            "the state directory is an older copy: start the agent, a new epoch begins and says so",
        ),
    };
    [whole, head]
}

/// How much of what the configuration allows is taken.
fn quota(used: u64, most: u64) -> Check {
    const MIB: u64 = 1024 * 1024;
    let status = Status {
        outbox_bytes: used,
        outbox_quota: Some(most),
        ..Status::default()
    };
    let found = format!("{} of {} MiB taken", used.div_ceil(MIB), most / MIB);
    if used > most {
        Check::bad("outbox room", found, State::OutboxFull.remedy().en)
    } else if status.fills() {
        Check::doubtful("outbox room", found, State::OutboxFilling.remedy().en)
    } else {
        Check::good("outbox room", found)
    }
}

fn receipts(waiting: u64, last: Option<Instant>, now: Instant) -> Check {
    let name = "receipts";
    let remedy = State::PlatformSilent.remedy().en;
    match last {
        _ if waiting == 0 => Check::good(name, "the platform has signed for everything"),
        None => Check::doubtful(name, format!("none yet, {waiting} statements wait"), remedy),
        Some(at) => {
            let age = now.since(at).as_secs();
            let found = format!("{waiting} statements wait, the newest receipt is {age} s old");
            if age > RECEIPT_OLD_S {
                Check::doubtful(name, found, remedy)
            } else {
                Check::good(name, found)
            }
        }
    }
}

fn anchors(late: u64) -> Check {
    if late == 0 {
        Check::good("anchors", "no statement is past its deadline")
    } else {
        let found = format!("{late} statements are not anchored by the deadline that was signed");
        Check::bad("anchors", found, State::AnchorLate.remedy().en)
    }
}
