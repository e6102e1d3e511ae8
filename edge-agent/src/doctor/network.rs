//! From a name to a trusted connection, for each of the broker's addresses: DNS, TCP, TLS and the
//! time that its certificate has left.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::tokio_rustls::TlsConnector;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use super::{Check, Patient};
use crate::clock::Floor;
use crate::config::BrokerAddress;
use crate::state::State;
use crate::tls;

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A certificate that ends within this is doubtful.
const CERTIFICATE_LEFT: Duration = Duration::from_secs(30 * 86_400);

pub(super) async fn look(patient: &Patient<'_>, checks: &mut Vec<Check>) {
    let brokers = patient.brokers();
    if brokers.is_empty() {
        let names = ["encryption", "dns", "tcp", "tls", "certificate"];
        checks.extend(names.map(|name| Check::skipped(name, "no broker is known")));
    }
    for (place, broker) in brokers.iter().enumerate() {
        let suffix = match place {
            0 => String::new(),
            _ => format!(" {}", place + 1),
        };
        let way = Way {
            patient,
            broker,
            suffix,
        };
        way.look(checks).await;
    }
}

/// One address; further ones bear a number.
struct Way<'a> {
    patient: &'a Patient<'a>,
    broker: &'a BrokerAddress,
    suffix: String,
}

impl Way<'_> {
    fn name(&self, what: &str) -> String {
        format!("{what}{}", self.suffix)
    }

    async fn look(&self, checks: &mut Vec<Check>) {
        checks.push(self.encryption());
        let remedy = State::WaitingForNetwork.remedy().en;
        let (host, port) = (self.broker.host.as_str(), self.broker.port);
        let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await;
        let address = match found {
            Ok(Ok(mut addresses)) => addresses.next(),
            _ => None,
        };
        let Some(address) = address else {
            let found = format!("{host} has no address");
            let look = where_names_are_asked(host);
            checks.push(Check::bad(self.name("dns"), found, look));
            for what in ["tcp", "tls", "certificate"] {
                checks.push(Check::skipped(self.name(what), "without an address"));
            }
            return;
        };
        checks.push(Check::good(
            self.name("dns"),
            format!("{host} is {}", address.ip()),
        ));
        match tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await {
            Ok(Ok(stream)) => {
                checks.push(Check::good(
                    self.name("tcp"),
                    format!("{} listens", self.broker),
                ));
                checks.extend(self.secured(stream).await);
            }
            refused => {
                let why = match refused {
                    Ok(Err(error)) => error.to_string(),
                    _ => "no answer".to_owned(),
                };
                let found = format!("{}: {why}", self.broker);
                checks.push(Check::bad(self.name("tcp"), found, remedy));
                for what in ["tls", "certificate"] {
                    checks.push(Check::skipped(self.name(what), "without a connection"));
                }
            }
        }
    }

    /// A password in clear crosses loopback only.
    fn encryption(&self) -> Check {
        let name = self.name("encryption");
        let host = self.broker.host.as_str();
        let ip = host.parse::<std::net::IpAddr>();
        let loops = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
        if self.broker.tls || loops {
            Check::good(name, self.broker.to_string())
        } else {
            let found = format!("{} sends the password in clear", self.broker);
            Check::bad(name, found, "use mqtts:// or wss://")
        }
    }

    async fn secured(&self, stream: TcpStream) -> [Check; 2] {
        let (tls_name, left_name) = (self.name("tls"), self.name("certificate"));
        let skipped = |why: &str| {
            [
                Check::skipped(tls_name.clone(), why),
                Check::skipped(left_name.clone(), why),
            ]
        };
        if !self.broker.tls {
            return skipped("not asked for");
        }
        let Some(device) = &self.patient.device else {
            return skipped("without an enrolment no CA is known");
        };
        let ca = &device.enrolment.ca;
        let now = self.patient.floor.clone();
        let remedy = State::CertificateRefused.remedy().en;
        if let Err(problem) = self.handshake(ca, now, stream).await {
            return [
                Check::bad(tls_name, problem, remedy),
                Check::skipped(left_name, "without a trusted certificate"),
            ];
        }
        let trusted = Check::good(tls_name, "the certificate leads to the CA of the claim");
        // The same as seen by somebody who lives later.
        let later = self.patient.machine.wall().max(self.patient.floor.get()) + CERTIFICATE_LEFT;
        let again = TcpStream::connect((self.broker.host.as_str(), self.broker.port)).await;
        let seen = match again {
            Ok(stream) => self.handshake(ca, Floor::at(later), stream).await,
            Err(error) => Err(error.to_string()),
        };
        let left = match seen {
            Ok(()) => Check::good(left_name, "valid for 30 days and more"),
            Err(problem) => Check::doubtful(
                left_name,
                format!("it will not do in 30 days: {problem}"),
                "ask the operator to renew the server's certificate (the CA stays)",
            ),
        };
        [trusted, left]
    }

    async fn handshake(&self, ca: &str, at: Floor, stream: TcpStream) -> Result<(), String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let config = tls::under_ca_since(ca, at).map_err(|error| words(&error))?;
        let host = self.broker.host.clone();
        let name = ServerName::try_from(host).map_err(|error| words(&error))?;
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        match tokio::time::timeout(PATIENCE, connecting).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(words(&error)),
            Err(_) => Err("the handshake does not end".to_owned()),
        }
    }
}

/// The program asks name servers and `/etc/hosts`, not the neighbours (multicast DNS).
fn where_names_are_asked(host: &str) -> &'static str {
    if host.trim_end_matches('.').ends_with(".local") {
        "names in .local are not asked for: write the address, or the name into /etc/hosts"
    } else {
        "check the name, and the name server in /etc/resolv.conf"
    }
}

#[cfg(test)]
mod tests {
    use super::where_names_are_asked;

    #[test]
    fn a_name_among_neighbours_has_a_remedy_of_its_own() {
        for name in ["platform.local", "platform.local."] {
            assert!(where_names_are_asked(name).contains("/etc/hosts"), "{name}");
        }
        for name in ["platform.example", "local", "localhost"] {
            assert!(
                where_names_are_asked(name).contains("resolv.conf"),
                "{name}"
            );
        }
    }
}
