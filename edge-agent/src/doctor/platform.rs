//! The platform over HTTPS: there, under the CA of the claim, with a policy that is known here and a
//! checkpoint that witnesses have signed.

use super::{Check, Device, Patient, clock};
use crate::http::{self, Client};
use crate::state::State;
use crate::tls;

const NAMES: [&str; 5] = [
    "platform",
    "platform's CA",
    "witness policy",
    "witnessed checkpoint",
    "clock and platform",
];

pub(super) async fn look(patient: &Patient<'_>, checks: &mut Vec<Check>) {
    let Some(device) = &patient.device else {
        checks.extend(NAMES.map(|name| Check::skipped(name, "this device is not enrolled")));
        return;
    };
    let base = device.enrolment.platform.trim_end_matches('/');
    let client = match Client::new(base, &device.enrolment.ca, patient.floor.clone()) {
        Ok(client) => client,
        Err(problem) => {
            let remedy = State::CertificateRefused.remedy().en;
            checks.push(Check::bad(NAMES[0], problem, remedy));
            checks.extend(without_platform());
            return;
        }
    };
    let health = match client.get("/health/live").await {
        Ok(answer) => answer,
        Err(error) => {
            let remedy = "check the address, this device's clock and the firewall (HTTPS); \
                          statements travel without it, late anchors are not asked for";
            checks.push(Check::bad(NAMES[0], error, remedy));
            checks.extend(without_platform());
            return;
        }
    };
    checks.push(match health.status {
        http::OK => Check::good(NAMES[0], format!("{base} answers")),
        status => Check::doubtful(
            NAMES[0],
            format!("{base} answers with status {status}"),
            "ask the operator to look at it",
        ),
    });
    let asked = Asked { client, device };
    checks.push(asked.authority().await);
    checks.push(asked.policy().await);
    checks.push(asked.checkpoint().await);
    checks.push(match health.date.as_deref().and_then(http_date) {
        Some(theirs) => clock::compare(patient.machine.wall().as_seconds(), theirs),
        None => Check::skipped(NAMES[4], "the platform does not say the time"),
    });
}

/// Every check is shown, whether it could be made or not.
fn without_platform() -> impl Iterator<Item = Check> {
    let rest = NAMES[1..].iter();
    rest.map(|name| Check::skipped(*name, "without the platform"))
}

struct Asked<'a> {
    client: Client,
    device: &'a Device,
}

impl Asked<'_> {
    async fn get(&self, path: &str) -> Result<Vec<u8>, String> {
        let answer = self.client.get(path).await?.ok();
        answer.map_err(|status| format!("{path} answers with {status}"))
    }

    async fn authority(&self) -> Check {
        let ours = &self.device.enrolment.ca;
        if ours.is_empty() {
            return Check::skipped(NAMES[1], "the enrolment is without TLS");
        }
        let served = self.get("/v1/ca").await;
        let served = served.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let fingerprints = (
            tls::fingerprint(ours),
            served.as_deref().map(tls::fingerprint),
        );
        match fingerprints {
            (Ok(ours), Ok(Ok(theirs))) if ours == theirs => {
                Check::good(NAMES[1], format!("fingerprint {ours}"))
            }
            (Ok(ours), Ok(Ok(theirs))) => Check::doubtful(
                NAMES[1],
                format!("it now shows {theirs}, enrolment brought {ours}"),
                "the platform has changed its CA: plan to enrol anew before the old one ends",
            ),
            _ => Check::doubtful(
                NAMES[1],
                served
                    .err()
                    .unwrap_or_else(|| "no certificate in PEM".to_owned()),
                "ask the operator to look at it",
            ),
        }
    }

    async fn policy(&self) -> Check {
        let name = NAMES[2];
        let known = self.device.trust.policies.newest();
        match self.get("/v1/policy").await {
            Err(problem) => Check::doubtful(name, problem, "ask the operator to look at it"),
            Ok(entry) => {
                let known = schemas::log::Entry::Policy(known).encode();
                if served_is(&entry, &known) {
                    Check::good(name, "the newest one is known here")
                } else {
                    let remedy = "start the agent: it follows signed hand-overs by itself; \
                                  enrol anew if that does not end";
                    Check::doubtful(
                        name,
                        "the platform has another one than is known here",
                        remedy,
                    )
                }
            }
        }
    }

    async fn checkpoint(&self) -> Check {
        let name = NAMES[3];
        match self.get("/log/checkpoint").await {
            Err(problem) => Check::doubtful(name, problem, "ask the operator to look at it"),
            Ok(note) => match self.device.trust.policies.check_note(&note) {
                Ok(seen) => Check::good(name, format!("of size {}", seen.size)),
                Err(error) => Check::doubtful(
                    name,
                    error.to_string(),
                    "witnesses are away or the policy has changed: tell the organisation if it lasts",
                ),
            },
        }
    }
}

/// `GET /v1/policy` answers with the entry, as bytes or as padded base64 in JSON.
fn served_is(answer: &[u8], entry: &[u8]) -> bool {
    let text = schemas::b64::encode(entry);
    answer == entry || String::from_utf8_lossy(answer).contains(&text)
}

/// Seconds since 1970 of an HTTP date (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = text.split(' ').skip(1);
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    let text = format!("{year}-{month:02}-{day}T{time}Z");
    schemas::time::Instant::parse_rfc3339(&text).map(schemas::time::Instant::as_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_read() {
        assert_eq!(
            http_date("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777)
        );
        assert_eq!(http_date("yesterday"), None);
    }
}
