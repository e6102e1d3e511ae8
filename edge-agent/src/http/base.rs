//! Where a platform is: `http://host[:port][/path]`, `https://...`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Longest address in bytes.
const BASE_MAX: usize = 2_048;

/// A base URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub is_tls: bool,
    /// A name or an IP address, without brackets.
    pub host: String,
    pub port: u16,
    /// Host and port as they were given: what goes into `Host`.
    authority: String,
    /// Empty, or with a slash at its beginning and none at its end.
    pub path: String,
}

impl Base {
    /// What a request's `Host` says.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// True for an address of this machine.
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

impl FromStr for Base {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text:.200}` is no http:// or https:// address");
        let (is_tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(refuse()),
        };
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#@\\<>\"".contains(&byte);
        if text.len() > BASE_MAX || !rest.bytes().all(is_plain) {
            return Err(refuse());
        }
        let (authority, path) = match rest.find('/') {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        let otherwise = if is_tls { 443 } else { 80 };
        let (host, port) = host_and_port(authority, otherwise).ok_or_else(refuse)?;
        Ok(Self {
            is_tls,
            host,
            port,
            authority: authority.to_owned(),
            path: path.trim_end_matches('/').to_owned(),
        })
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`.
fn host_and_port(authority: &str, otherwise: u16) -> Option<(String, u16)> {
    let (host, rest) = match authority.strip_prefix('[') {
        Some(inner) => {
            let (host, rest) = inner.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, rest)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match rest.strip_prefix(':') {
        // u16 would take a sign.
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
        None if rest.is_empty() => otherwise,
        _ => return None,
    };
    (!host.is_empty() && !host.contains(['[', ']'])).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (text, is_tls, host, port, path) in [
            ("http://127.0.0.1:8080", false, "127.0.0.1", 8080, ""),
            ("https://p.example", true, "p.example", 443, ""),
            ("http://p.example/", false, "p.example", 80, ""),
            ("https://p.example:1/a/b/", true, "p.example", 1, "/a/b"),
            ("https://[::1]:8443/x", true, "::1", 8443, "/x"),
            ("http://[2001:db8::1]", false, "2001:db8::1", 80, ""),
        ] {
            let base: Base = text.parse().expect(text);
            let found = (base.is_tls, &*base.host, base.port, &*base.path);
            assert_eq!(found, (is_tls, host, port, path), "{text}");
            assert_eq!(base.to_string(), text.trim_end_matches('/'));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "p.example",
            "ftp://p.example",
            "http://",
            "http://:80",
            "http://a:b",
            "http://a:",
            "http://a:+1",
            "http://a:70000",
            "http://[::1",
            "http://[x]:1",
            "http://[::1]x",
            "http://user@host",
            "http://host/a?b",
            "http://host/a b",
            "http://host/\r\nx: y",
            "http://h\u{f6}st",
        ] {
            assert!(text.parse::<Base>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn loopback_is_this_machine_only() {
        for (text, loops) in [
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:1", true),
            ("http://localhost:1/x", true),
            ("http://10.0.0.1:80", false),
            ("http://127.0.0.1.evil.example", false),
        ] {
            assert_eq!(text.parse::<Base>().expect(text).is_loopback(), loops);
        }
    }
}
