//! The way in: where people and their phones reach pages and witnesses.
//!
//! On loopback everything is plain HTTP. On an address of the local network everything is HTTPS
//! under the platform's own authority, which a phone does not know and will warn about. Nothing
//! behind the door knows the difference: it is all in the configuration that each part gets.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use kit::clock::TokioClock;
use platform::tls;
use rustls::ServerConfig;
use schemas::time::Clock;

/// Port of the pages where `--lan` names none: the same in every run, for a firewall's rule.
const LAN_PORT: u16 = 8_443;

/// Where the pages listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Plain HTTP, for this machine only.
    Loopback(SocketAddr),
    /// HTTPS, for everybody on the network of the address.
    Lan(Lan),
}

impl Door {
    /// Any port on loopback.
    pub const fn any() -> Door {
        Door::Loopback(SocketAddr::new(
            IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            0,
        ))
    }
}

/// An address of this machine: `192.0.2.7` or `192.0.2.7:8443`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lan(SocketAddr);

/// An address that a phone could not reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LanError {
    /// Not an address.
    #[error("an IP address of this machine is expected, such as 192.168.1.20 or 192.168.1.20:8443")]
    Malformed,
    /// An address of no single machine.
    #[error("{0} is no address of one machine: name the one that the phone can reach")]
    NotOne(IpAddr),
    /// An address of another machine, or of none.
    #[error("{address} cannot be used on this machine ({problem}); `ip address` lists what can")]
    NotHere {
        /// The address.
        address: IpAddr,
        /// What the operating system says.
        problem: String,
    },
}

impl FromStr for Lan {
    type Err = LanError;

    fn from_str(text: &str) -> Result<Self, LanError> {
        let plain = text.parse().map(|ip| SocketAddr::new(ip, LAN_PORT));
        let address: SocketAddr = plain
            .or_else(|_| text.parse())
            .map_err(|_| LanError::Malformed)?;
        let ip = address.ip();
        if ip.is_unspecified() || ip.is_multicast() {
            return Err(LanError::NotOne(ip));
        }
        // Binding asks the operating system whether the address is ours, and sends nothing.
        UdpSocket::bind((ip, 0)).map_err(|error| LanError::NotHere {
            address: ip,
            problem: reason(&error),
        })?;
        Ok(Lan(address))
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => "it is not one of its addresses".to_owned(),
        _ => error.to_string(),
    }
}

/// A door with what it needs to be open.
#[derive(Clone)]
pub struct Open {
    /// Where the pages listen; port 0 for any.
    pub listen: SocketAddr,
    /// Names in the platform's certificate.
    pub names: Vec<String>,
    /// Certificates, for all but loopback.
    pub secured: Option<Secured>,
}

/// What HTTPS needs.
#[derive(Clone)]
pub struct Secured {
    /// Certificate of the platform's authority, PEM.
    pub ca_pem: String,
    /// The witnesses' own certificate.
    pub witnesses: Arc<ServerConfig>,
}

impl Open {
    /// Opens a door: for HTTPS the platform's authority is made in `platform`, where the platform
    /// finds it, and issues a certificate for the witnesses in `witnesses`.
    ///
    /// # Errors
    /// When a certificate cannot be made or written.
    pub fn through(door: Door, platform: &Path, witnesses: &Path) -> anyhow::Result<Open> {
        let local = "127.0.0.1".to_owned();
        match door {
            Door::Loopback(listen) => Ok(Open {
                listen,
                names: vec![local],
                secured: None,
            }),
            Door::Lan(Lan(listen)) => {
                // Gateways in this process reach the broker over loopback.
                let names = vec![listen.ip().to_string(), local];
                let secured = secure(&names, platform, witnesses).context("certificates")?;
                Ok(Open {
                    listen,
                    names,
                    secured: Some(secured),
                })
            }
        }
    }

    /// Where others listen at the same door: any port.
    pub fn beside(&self) -> SocketAddr {
        SocketAddr::new(self.listen.ip(), 0)
    }

    /// Certificate of the authority to trust, if there is one.
    pub fn ca_pem(&self) -> Option<&str> {
        self.secured.as_ref().map(|secured| secured.ca_pem.as_str())
    }
}

fn secure(names: &[String], platform: &Path, witnesses: &Path) -> anyhow::Result<Secured> {
    tls::install_provider();
    std::fs::create_dir_all(platform)?;
    std::fs::create_dir_all(witnesses)?;
    let (names, now) = (
        names.iter().map(String::as_str).collect::<Vec<_>>(),
        TokioClock.now(),
    );
    let authority = tls::create_ca(platform, now)?;
    let server = tls::issue_server_in(platform, witnesses, &names, now)?;
    Ok(Secured {
        ca_pem: std::fs::read_to_string(authority.certificate)?,
        witnesses: tls::server_config(&server, &["http/1.1"])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_this_machine_is_taken() {
        assert_eq!(
            "127.0.0.2".parse::<Lan>().unwrap().0,
            ([127, 0, 0, 2], LAN_PORT).into()
        );
        assert_eq!(
            "127.0.0.2:0".parse::<Lan>().unwrap().0,
            ([127, 0, 0, 2], 0).into()
        );
        for bad in ["", "localhost", "192.168.1", "127.0.0.1:x"] {
            assert_eq!(bad.parse::<Lan>(), Err(LanError::Malformed), "{bad}");
        }
        for bad in ["0.0.0.0", "224.0.0.1", "[::]:443"] {
            assert!(
                matches!(bad.parse::<Lan>(), Err(LanError::NotOne(_))),
                "{bad}"
            );
        }
        // An address for documentation is nobody's (RFC 5737).
        let error = "192.0.2.7".parse::<Lan>().unwrap_err();
        assert!(error.to_string().contains("not one of its addresses"));
    }
}
