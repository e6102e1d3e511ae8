//! `credit check`: would this configuration work? It changes nothing and may run beside a service.

use std::path::Path;
use std::time::Duration;

use kit::check::{self, Report};
use schemas::causes::causes;
use schemas::time::Instant;

use crate::config::Config;
use crate::evidence::verify::TrustedPolicy;
use crate::store::Database;

/// How long the evidence service may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at everything that a start needs; the findings in order.
pub async fn check(file: &Path, now: Instant) -> Report {
    let mut report = Report::default();
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => {
            report.fail("configuration", causes(&error), "mend the file");
            return report;
        }
    };
    report.ok("configuration", file.display().to_string());
    check::clock(&mut report, now);
    database(&mut report, &config).await;
    policy(&mut report, &config);
    check::port(&mut report, "listen", config.listen);
    if let Some(metrics) = config.metrics {
        check::port(&mut report, "metrics", metrics);
    }
    if let Some(section) = &config.desk.log_in {
        let near = || format!("http://{}", config.listen);
        let own = config.desk.origin.clone().unwrap_or_else(near);
        section.report(&mut report, &own, now).await;
    }
    if let Some(file) = &config.desk.export_key {
        check::secret(&mut report, "desk.export_key", file);
    }
    evidence(&mut report, &config).await;
    report
}

async fn database(report: &mut Report, config: &Config) {
    let what = "database";
    match &config.database {
        Database::File(file) => {
            let folder = file
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            check::folder(report, what, folder.unwrap_or(Path::new(".")));
        }
        Database::Postgres(url) => match kit::postgres::connect_once(url).await {
            Ok(_) => report.ok(what, format!("{url} lets us in")),
            Err(error) => {
                let todo = "start the server, or mend `database`";
                report.fail(what, causes(&error), todo);
            }
        },
    }
}

fn policy(report: &mut Report, config: &Config) {
    let shown = config.policy.display();
    let todo = "put the policy file there that the platform's `GET /v1/policy` serves, after \
                comparing it with what your own witness and registrar know";
    match std::fs::read(&config.policy) {
        Err(error) => report.fail("policy", format!("{shown}: {error}"), todo),
        Ok(text) => match TrustedPolicy::parse(&text) {
            Ok(_) => report.ok("policy", shown.to_string()),
            Err(error) => report.fail("policy", format!("{shown}: {}", causes(&error)), todo),
        },
    }
}

async fn evidence(report: &mut Report, config: &Config) {
    let what = "evidence";
    if let Some(file) = &config.evidence.token_file {
        check::secret(report, "evidence.token_file", file);
    }
    let Some(base) = &config.evidence.base else {
        let todo = "name the address of the platform";
        return report.fail(what, "`evidence.base` is not set", todo);
    };
    let url = format!("{}/v1/policy", base.trim_end_matches('/'));
    // Fails only if a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(PATIENCE).build();
    let answer = match client {
        Ok(client) => client.get(&url).send().await,
        Err(error) => return report.fail(what, causes(&error), "mend `evidence`"),
    };
    match answer {
        Ok(answer) if answer.status().is_success() => report.ok(what, format!("{base} answers")),
        Ok(answer) => report.warn(
            what,
            format!("{url} answers {}", answer.status()),
            "is it the platform's address?",
        ),
        // Applications are refused until it answers; the service itself starts.
        Err(error) => report.warn(what, format!("{base}: {}", causes(&error)), "start it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::check::State;

    const TEXT: &str = r#"
listen = "127.0.0.1:0"
database = "credit.sqlite"
policy = "policy.json"
[evidence]
base = "http://127.0.0.1:1"
token_file = "token"
[consent]
waived = "a test without signed consents"
[sandbox]
id = "trial-1"
version = 1
currency = "CNY"
per_loan = "500000.00"
outstanding = "2000000.00"
[[products]]
id = "receivable-90"
currency = "CNY"
minimum = "1000.00"
cap = "300000.00"
turnover_multiple = "0.6"
"#;

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credit.toml");
        std::fs::write(&file, TEXT).unwrap();
        let now = Instant::from_seconds(1_800_000_000);
        let report = check(&file, now).await;
        let state = |what: &str| report.0.iter().find(|one| one.what == what).unwrap().state;
        assert_eq!(state("configuration"), State::Ok);
        assert_eq!(state("database"), State::Ok);
        assert_eq!(state("policy"), State::Fail);
        assert_eq!(state("evidence.token_file"), State::Fail);
        assert_eq!(state("evidence"), State::Warn);
        std::fs::write(&file, TEXT.replace("version = 1", "version = one")).unwrap();
        let broken = check(&file, now).await;
        assert!(
            broken.0[0].seen.contains("credit.toml:12"),
            "{}",
            broken.text(false)
        );
    }
}
