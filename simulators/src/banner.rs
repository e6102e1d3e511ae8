//! What the demo prints for a visitor.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use schemas::hash::Hash;

/// Addresses that a visitor needs.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// Page of a product whose journey is finished.
    pub product: String,
    /// The platform's start page.
    pub platform: String,
    /// The bank's page.
    pub bank: String,
    /// Who may log in at the bank.
    pub people: Vec<LogIn>,
    /// Fingerprint of the authority behind HTTPS, if that is how phones come in.
    pub authority: Option<Hash>,
}

/// Somebody's log-in, made for this run only.
#[derive(Clone)]
pub struct LogIn {
    /// The name.
    pub name: String,
    /// What this person does.
    pub role: &'static str,
    /// The generated password.
    pub password: String,
}

impl std::fmt::Debug for LogIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.role)
    }
}

/// The banner with a QR code of the product's page. With `colour` the code is black on white
/// whatever the colours of the terminal: scanners want dark modules on light ground.
pub fn text(addresses: &Addresses, colour: bool) -> String {
    let mut code = code(&addresses.product);
    if colour {
        let lines = code
            .lines()
            .map(|line| format!("\x1b[30;107m{line}\x1b[0m"));
        code = lines.collect::<Vec<_>>().join("\n");
    }
    format!(
        "
Tracebond runs on this machine; everything that it shows is simulated.

A finished journey  {}
{code}
All products        {}
The bank            {}
{}{}
Ctrl-C ends it.
",
        addresses.product,
        addresses.platform,
        addresses.bank,
        log_ins(&addresses.people),
        phone(addresses)
    )
}

/// A line for each person of the bank.
fn log_ins(people: &[LogIn]) -> String {
    let line = |one: &LogIn| {
        let LogIn {
            name,
            role,
            password,
        } = one;
        format!("  {role:<18}{name:<12}{password}\n")
    };
    people.iter().map(line).collect()
}

/// What somebody with a phone has to know; nothing without HTTPS.
fn phone(addresses: &Addresses) -> String {
    let Some(authority) = &addresses.authority else {
        return String::new();
    };
    format!(
        "
Phone               in the same network, scan the code
It will warn that the connection is not private, or that it does not know who issued the
certificate: this platform has its own authority, and no phone knows it. Go on for this address
only, or fetch the authority's certificate, compare its fingerprint with this one, trust it, and
remove it when you have finished:
Certificate         {}v1/ca
SHA-256             {}
",
        addresses.platform,
        pairs(authority)
    )
}

/// A fingerprint as phones show it.
fn pairs(hash: &Hash) -> String {
    let pairs = hash.0.iter().map(|byte| format!("{byte:02X}"));
    pairs.collect::<Vec<_>>().join(":")
}

/// The code in half blocks; empty where the text is too long for any code.
fn code(text: &str) -> String {
    let Ok(code) = QrCode::new(text) else {
        return String::new();
    };
    let mut blocks = code.render::<Dense1x2>();
    blocks
        .dark_color(Dense1x2::Dark)
        .light_color(Dense1x2::Light)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_drawn_and_every_address_named() {
        let mut addresses = Addresses {
            product: "http://127.0.0.1:1/01/09521001000017/10/QM261102".to_owned(),
            platform: "http://127.0.0.1:1/".to_owned(),
            bank: "http://127.0.0.1:2/".to_owned(),
            people: vec![LogIn {
                name: "li-wei".to_owned(),
                role: "officer",
                password: "0123-4567".to_owned(),
            }],
            authority: None,
        };
        assert!(!text(&addresses, false).contains("SHA-256"));
        addresses.authority = Some(Hash([0xA5; 32]));
        let text = text(&addresses, false);
        for address in [&addresses.product, &addresses.platform, &addresses.bank] {
            assert!(text.contains(address.as_str()));
        }
        assert!(text.contains("officer           li-wei      0123-4567\n"));
        assert!(text.contains(&["A5"; 32].join(":")) && text.contains("/v1/ca"));
        assert!(text.lines().filter(|line| line.contains('█')).count() > 10);
    }
}
