//! The machine: memory, the service, its watchdog, the light and the page.

use std::process::Stdio;
use std::time::Duration;

use super::{Check, Patient};

/// Another program may take this long.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most of its words that are read, in bytes.
const WORDS_MAX: usize = 64 * 1024;
/// Name of the unit that the package brings.
const UNIT: &str = "tracebond-edge.service";
/// Less memory than this is doubtful, in KiB.
const MEMORY_MIN_KIB: u64 = 32 * 1024;

/// What another program says on standard output.
pub(super) async fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let ran = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = ran
        .map_err(|_| format!("{program} does not answer"))?
        .map_err(|error| format!("{program}: {error}"))?;
    let words = output.stdout.get(..WORDS_MAX).unwrap_or(&output.stdout);
    Ok(String::from_utf8_lossy(words).into_owned())
}

pub(super) async fn look(patient: &Patient<'_>, checks: &mut Vec<Check>) {
    checks.push(memory());
    checks.extend(unit().await);
    checks.push(page(patient).await);
    checks.push(light(patient));
}

fn memory() -> Check {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = text.lines().find_map(|line| {
        let rest = line.strip_prefix("MemAvailable:")?;
        rest.split_whitespace().next()?.parse::<u64>().ok()
    });
    match available {
        None => Check::skipped("memory", "/proc/meminfo does not say"),
        Some(kib) if kib < MEMORY_MIN_KIB => Check::doubtful(
            "memory",
            format!("{} MiB available", kib / 1024),
            "end what else runs here; the agent itself needs 6 MiB",
        ),
        Some(kib) => Check::good("memory", format!("{} MiB available", kib / 1024)),
    }
}

/// The unit and its watchdog, where systemd runs the machine.
async fn unit() -> Vec<Check> {
    let names = ["systemd unit", "watchdog"];
    if !std::path::Path::new("/run/systemd/system").is_dir() {
        return names
            .map(|name| Check::skipped(name, "systemd does not run this machine"))
            .to_vec();
    }
    let properties = "--property=LoadState,UnitFileState,ActiveState,WatchdogUSec";
    let said = match output("systemctl", &["show", properties, UNIT]).await {
        Ok(said) => said,
        Err(problem) => {
            return names
                .map(|name| Check::skipped(name, problem.clone()))
                .to_vec();
        }
    };
    let value = |name: &str| {
        let found = said
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default().to_owned()
    };
    let unit = match (
        &*value("LoadState"),
        &*value("UnitFileState"),
        &*value("ActiveState"),
    ) {
        ("loaded", "enabled", "active") => Check::good(names[0], "enabled and active"),
        ("loaded", enabled, active) => Check::doubtful(
            names[0],
            format!("{UNIT} is {enabled} and {active}"),
            format!("systemctl enable --now {UNIT}"),
        ),
        _ => Check::doubtful(
            names[0],
            format!("{UNIT} is not installed"),
            "install the package tracebond-edge, or supervise the agent in another way",
        ),
    };
    let watchdog = match &*value("WatchdogUSec") {
        "" | "0" | "infinity" => Check::doubtful(
            names[1],
            "nobody restarts an agent that hangs",
            format!("set WatchdogSec= in {UNIT}"),
        ),
        time => Check::good(names[1], time),
    };
    vec![unit, watchdog]
}

/// The page answers while the agent runs, and its address is free while it does not.
async fn page(patient: &Patient<'_>) -> Check {
    let name = "status page";
    let Some(address) = patient.config.page else {
        return Check::skipped(name, "not configured");
    };
    let answers = tokio::net::TcpStream::connect(address);
    let answers = matches!(tokio::time::timeout(PATIENCE, answers).await, Ok(Ok(_)));
    match (patient.is_running, answers) {
        (true, true) => Check::good(name, format!("http://{address}/ answers")),
        (true, false) => Check::doubtful(
            name,
            format!("the agent runs and {address} does not answer"),
            "see its log: another program may have had the port when it started",
        ),
        (false, true) => Check::doubtful(
            name,
            format!("another program answers at {address}"),
            "give `page` another port",
        ),
        (false, false) => Check::good(name, format!("{address} is free")),
    }
}

fn light(patient: &Patient<'_>) -> Check {
    let name = "light";
    let Some(folder) = &patient.config.led else {
        return Check::skipped(name, "not configured");
    };
    let open = std::fs::OpenOptions::new()
        .write(true)
        .open(folder.join("brightness"));
    match open {
        Ok(_) => Check::good(name, folder.display().to_string()),
        Err(error) => Check::doubtful(
            name,
            format!("{}: {error}", folder.display()),
            "name a folder of /sys/class/leds whose brightness and trigger the agent's user may write (a udev rule)",
        ),
    }
}
