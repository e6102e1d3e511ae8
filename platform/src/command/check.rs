//! `platform check`: would this configuration work? It changes nothing and may run beside a service.

use std::path::Path;
use std::sync::Arc;

use kit::check::{self, Report};
use schemas::causes::causes;
use schemas::time::{Clock, Instant};

use crate::anchor::{Cosigner, Unfit, tiles::Tiles};
use crate::config::Config;
use crate::link::{self, LinkConfig, Login};
use crate::store::{self, Schema};
use crate::{erase, mosquitto, tls};

/// Seconds that a witness's clock may differ before that is worth a word.
const APART_S: u64 = 60;

/// Looks at everything that a start needs; the findings in order.
pub async fn check(file: &Path, clock: Arc<dyn Clock>) -> Report {
    let mut report = Report::default();
    let Some(config) = read(&mut report, file) else {
        return report;
    };
    let now = clock.now();
    check::clock(&mut report, now);
    data(&mut report, &config);
    database(&mut report, &config).await;
    ports(&mut report, &config);
    certificates(&mut report, &config, now);
    if let Some(section) = config.log_in_in_data() {
        let near = || format!("http://{}", config.listen);
        let own = config.public_url.clone().unwrap_or_else(near);
        section.report(&mut report, &own, now).await;
    }
    broker(&mut report, &config).await;
    witnesses(&mut report, &config, now).await;
    report
}

fn read(report: &mut Report, file: &Path) -> Option<Config> {
    let todo = "mend the file; `platform init` writes one with comments";
    let text = match kit::config::text(file) {
        Ok(text) => text,
        Err(error) => {
            report.fail("configuration", causes(&error), todo);
            return None;
        }
    };
    let mut config = match Config::parse(&file.display().to_string(), &text) {
        Ok(config) => {
            report.ok("configuration", file.display().to_string());
            config
        }
        Err(error) => {
            report.fail("configuration", error.to_string(), todo);
            return None;
        }
    };
    environment(report, &mut config).then_some(config)
}

/// Addresses that come before the file's, as `serve` takes them; false for one that is none.
fn environment(report: &mut Report, config: &mut Config) -> bool {
    let mut holds = true;
    for name in ["DATABASE_URL", "DATABASE_OWNER_URL", erase::ERASER_URL] {
        match kit::postgres::address_in(name) {
            Ok(None) => {}
            Ok(Some(url)) => {
                report.ok(name, format!("{url}, from the environment"));
                if name == "DATABASE_URL" {
                    config.database = Some(url);
                }
            }
            Err(error) => {
                holds = false;
                report.fail(name, causes(&error), "mend or unset the variable");
            }
        }
    }
    holds
}

/// Folder and keys. Keys that are not there yet are made at the first start.
fn data(report: &mut Report, config: &Config) {
    check::folder(report, "data", &config.data);
    check::space(report, "disk", &config.data);
    let mut keys: Vec<_> = ["keys", "tls"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(config.data.join(folder)).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "key"))
        .collect();
    keys.sort();
    if keys.is_empty() {
        let todo = "copy the keys here if this log exists already";
        report.warn(
            "keys",
            "there are none yet; the first start makes them",
            todo,
        );
    }
    for key in keys {
        check::secret(report, "key", &key);
    }
}

async fn database(report: &mut Report, config: &Config) {
    let what = "database";
    let name = config
        .database
        .as_ref()
        .map_or_else(|| "SQLite".to_owned(), ToString::to_string);
    match store::schema(config).await {
        Ok(Schema::Current(version)) => report.ok(what, format!("{name}, schema {version}")),
        Ok(Schema::Behind { found, needed }) => report.warn(
            what,
            format!("{name}, schema {found}; this program needs {needed}"),
            "make a copy; `platform migrate` or the next start brings it up to date",
        ),
        Ok(Schema::Other(problem)) => {
            let todo = "run `platform migrate`, or the version of the program that fits";
            report.fail(what, format!("{name}: {problem}"), todo);
        }
        Err(error) => {
            let todo = "start the server, or mend `database`";
            report.fail(what, causes(&error), todo);
        }
    }
}

fn ports(report: &mut Report, config: &Config) {
    check::port(report, "listen", config.listen);
    if !config.tls && !config.listen.ip().is_loopback() {
        report.fail(
            "listen",
            "plain HTTP is for loopback only",
            "set tls = true",
        );
    }
    if let Some(metrics) = config.metrics {
        check::port(report, "metrics", metrics);
    }
    if config.broker.url.is_none() {
        check::port(report, "broker.listen", config.broker.listen);
        if config.tls {
            check::port(report, "broker.listen_tls", config.broker.listen_tls);
        }
    }
}

fn certificates(report: &mut Report, config: &Config, now: Instant) {
    if !config.tls {
        return report.ok("tls", "off: plain HTTP and MQTT on loopback");
    }
    let folder = config.data.join("tls");
    let files = [tls::Files::authority(&folder), tls::Files::server(&folder)];
    for file in files.map(|files| files.certificate) {
        let what = format!("certificate {}", file.display());
        match std::fs::read_to_string(&file) {
            Ok(pem) => check::certificate(report, &what, tls::valid_until(&pem), now),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                report.ok(what, "not there yet; the first start makes it");
            }
            Err(error) => report.fail(what, error.to_string(), "let the service read it"),
        }
    }
}

/// Another broker than the embedded one: does it let us in, and do what we must?
async fn broker(report: &mut Report, config: &Config) {
    let what = "broker";
    let Some(url) = &config.broker.url else {
        return report.ok(what, "embedded");
    };
    let login = match Login::known(config) {
        Ok(login) => login,
        Err(error) => {
            let todo = "run `platform broker-config`, or set `broker.password`";
            return report.warn(what, causes(&error), todo);
        }
    };
    written_files(report, config);
    let ca = std::fs::read_to_string(tls::Files::authority(&config.data.join("tls")).certificate);
    let link = LinkConfig {
        address: url.clone(),
        username: login.username,
        password: login.password,
        client_id: format!("tracebond-check-{}", std::process::id()),
        share: None,
        ca_pem: ca.ok(),
        inflight: 1,
    };
    match link::probe(&link, &config.organisation).await {
        Ok(()) => report.ok(what, format!("{url} lets us in, subscribe and publish")),
        // A broker that comes later is found then.
        Err(error) if error.is_silence() => {
            report.warn(what, format!("{url}: {}", causes(&error)), error.todo());
        }
        Err(error) => report.fail(what, format!("{url}: {}", causes(&error)), error.todo()),
    }
}

/// Files that a Mosquitto reads and that `platform broker-config` has written.
fn written_files(report: &mut Report, config: &Config) {
    let Some(section) = &config.broker.mosquitto else {
        return;
    };
    let what = "broker.mosquitto";
    let folder = section.folder.display();
    let todo = "run `platform broker-config` and restart Mosquitto";
    match mosquitto::stale(config) {
        Ok(stale) if stale.is_empty() => {
            report.ok(what, format!("{folder} holds what this configuration says"));
        }
        Ok(stale) => {
            let names = stale.join(", ");
            report.warn(
                what,
                format!("{folder}: {names} is not what this configuration says"),
                todo,
            );
        }
        Err(error) => report.fail(what, causes(&error), todo),
    }
}

async fn witnesses(report: &mut Report, config: &Config, now: Instant) {
    let note = Tiles::new(config.data.join("log"))
        .checkpoint()
        .ok()
        .flatten();
    let cosigner = match Cosigner::new(config.witnesses.clone()) {
        Ok(cosigner) => cosigner,
        Err(error) => return report.fail("witness", causes(&error), "mend `witness.ca`"),
    };
    let (mut answering, mut silent) = (0, 0);
    for (name, answer) in cosigner.probe(note.as_deref()).await {
        let what = format!("witness {name}");
        match answer {
            Ok(seen) => {
                answering += 1;
                same_time(report, &name, seen.time, now);
                report.ok(what, seen.words);
            }
            // One may be down, or wrong; the quorum is looked at below.
            Err(unfit) => {
                silent += u64::from(matches!(unfit, Unfit::Silent(_)));
                report.warn(
                    what,
                    unfit.to_string(),
                    "ask its owner, or mend the section",
                );
            }
        }
    }
    quorum(report, config.quorum, answering, silent);
}

/// A witness's own clock, which anchored times come from, against the one here.
fn same_time(report: &mut Report, name: &str, theirs: Option<u64>, now: Instant) {
    let Some(theirs) = theirs.and_then(|seconds| i64::try_from(seconds).ok()) else {
        return;
    };
    let apart = theirs.abs_diff(now.as_seconds());
    if apart > APART_S {
        let seen = format!("{apart} s apart from that of witness {name}");
        let todo = "set the clock, or ask the witness's owner to";
        report.warn("clock", seen, todo);
    }
}

/// Statements are taken without a quorum, so silence is no reason not to start; a quorum that can
/// never be is.
fn quorum(report: &mut Report, needed: u64, answering: u64, silent: u64) {
    let seen = format!("{answering} witnesses answer as they should, {needed} are needed");
    let todo = "nothing is anchored until more do";
    if answering >= needed {
        report.ok("quorum", seen);
    } else if answering + silent >= needed {
        report.warn("quorum", seen, todo);
    } else {
        report.fail("quorum", seen, todo);
    }
}
