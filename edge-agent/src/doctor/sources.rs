//! Each source, tried once.

use std::time::Duration;

use super::{Check, Patient};
use crate::agent::{first_not_allowed, first_rule_not_allowed};
use crate::clock::SystemClock;
use crate::config::{LinesConfig, ModbusLink, SourceConfig};
use crate::source::Quality;
use crate::source::probe::{LinesFound, Probed, lines, probe};
use crate::state::State;

/// How long a device may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn look(patient: &Patient<'_>, checks: &mut Vec<Check>) {
    let sources = &patient.config.sources;
    if sources.is_empty() {
        checks.push(Check::doubtful(
            "sources",
            "none is configured: this gateway only says that it lives",
            "add a [[source]]; `edge-agent init` writes an example",
        ));
    }
    for (place, source) in sources.iter().enumerate() {
        let name = format!("source {}", place + 1);
        checks.push(match allowed(patient, source) {
            Some(what) => Check::bad(
                name.clone(),
                format!("the device's record does not allow {what}"),
                "let the organisation admit a record that allows it, or mend the configuration",
            ),
            None => Check::good(format!("{name} allowed"), "by the device's record"),
        });
        checks.push(match taken(patient, source) {
            true => Check::skipped(name, "the running agent has it; see its status page"),
            false => tried(name, source).await,
        });
    }
}

/// What the record forbids, as the agent's start would.
fn allowed(patient: &Patient<'_>, source: &SourceConfig) -> Option<String> {
    let record = &patient.device.as_ref()?.trust.record;
    let only = std::slice::from_ref(source);
    if let Some((_, what)) = first_not_allowed(only, record) {
        return Some(what);
    }
    let (rule, what) = first_rule_not_allowed(only, record)?;
    Some(format!("{what} of the rule \"{}\"", rule.name))
}

/// Whether the agent runs and has the device for itself: a second look would take its codes, or be
/// refused.
fn taken(patient: &Patient<'_>, source: &SourceConfig) -> bool {
    let alone = match source {
        SourceConfig::Scanner(_) => true,
        SourceConfig::Modbus(modbus) => matches!(modbus.link, ModbusLink::Rtu { .. }),
        SourceConfig::Sysfs(_)
        | SourceConfig::Gpsd(_)
        | SourceConfig::Lines(_)
        | SourceConfig::Folder(_) => false,
    };
    patient.is_running && alone
}

async fn tried(name: String, source: &SourceConfig) -> Check {
    if let SourceConfig::Lines(lines) = source {
        return lines_of(name, lines);
    }
    match tokio::time::timeout(PATIENCE, probe(source, &SystemClock)).await {
        Ok(Ok(probed)) => judged(name, &probed),
        Ok(Err(trouble)) => Check::bad(name, trouble.cause, trouble.remedy.en),
        Err(_) => {
            let found = format!("{} does not answer", source.name());
            Check::bad(name, found, State::SensorFault.remedy().en)
        }
    }
}

/// What a live look has found, the most doubtful of it first.
fn judged(name: String, probed: &Probed) -> Check {
    let shown = probed.found.iter().map(|last| match last.value {
        Some(value) => format!("{} {value} {}", last.what, last.uom),
        None => last.what.clone(),
    });
    let shown = format!("{}: {}", probed.name, shown.collect::<Vec<_>>().join(", "));
    let doubt = probed.found.iter().find_map(|last| match &last.quality {
        Quality::Good => None,
        Quality::Suspect(doubt) | Quality::Refused(doubt) => Some(doubt),
    });
    match doubt {
        None => Check::good(name, shown),
        Some(doubt) => Check::doubtful(
            name,
            format!("{shown}: {doubt}"),
            State::SensorFault.remedy().en,
        ),
    }
}

fn lines_of(name: String, config: &LinesConfig) -> Check {
    let path = config.path.display();
    match lines(config) {
        Ok(LinesFound::File) => Check::good(name, format!("{path} can be read")),
        Ok(LinesFound::Pipe) => Check::good(name, format!("{path} is a pipe")),
        Ok(LinesFound::NotYet) => Check::doubtful(
            name,
            format!("{path} is not there yet"),
            "nothing, if the scanner makes it with its first line",
        ),
        Err(trouble) => Check::bad(name, trouble.cause, trouble.remedy.en),
    }
}
