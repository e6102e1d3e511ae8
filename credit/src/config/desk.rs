//! `[desk]` and `[[machines]]`: the bank's people and programs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kit::people::Token;
use schemas::hash::Hash;
use schemas::ids::Slug;
use serde::Deserialize;

use super::{Wrong, money};
use crate::desk;
use crate::loan::ReviewRules;
use crate::money::{Currency, Money};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDesk {
    organisation: Option<Slug>,
    origin: Option<String>,
    second_officer_above: Option<RawMoney>,
    offer_valid_h: Option<u32>,
    first_officer_within_h: Option<u32>,
    second_officer_within_h: Option<u32>,
    export_key: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMoney {
    amount: String,
    currency: Currency,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMachine {
    name: Slug,
    token_sha256: Hash,
}

/// How long an offer waits where nothing else is configured: a week.
const OFFER_VALID_H: u32 = 7 * 24;

impl RawDesk {
    /// Without a line every acceptance takes two officers.
    pub(super) fn read(
        &self,
        currency: Currency,
        listen: SocketAddr,
        machines: &[RawMachine],
    ) -> Result<desk::Terms, Wrong> {
        let line = match &self.second_officer_above {
            None => Money::zero(currency),
            Some(line) => money("desk.second_officer_above", &line.amount, line.currency)?,
        };
        check_origin(self.origin.as_deref(), listen)?;
        let organisation = self.organisation.clone().map_or_else(|| "bank".parse(), Ok);
        let hours = self.offer_valid_h.unwrap_or(OFFER_VALID_H);
        if hours == 0 {
            return Err(("desk.offer_valid_h", "an hour at least".to_owned()));
        }
        let token = |one: &RawMachine| Token {
            name: one.name.clone(),
            sha256: one.token_sha256,
        };
        Ok(desk::Terms {
            organisation: organisation.map_err(|_| ("desk.organisation", String::new()))?,
            origin: self.origin.clone(),
            review: ReviewRules {
                second_officer_above: line,
                offer_valid: Duration::from_secs(u64::from(hours) * 3600),
            },
            within: self.within(),
            export_key: self.export_key.clone(),
            machines: machines.iter().map(token).collect(),
            log_in: None,
        })
    }
}

impl RawDesk {
    fn within(&self) -> desk::deadline::Within {
        let usual = desk::deadline::Within::default();
        let hours = |given: Option<u32>, usual| {
            given.map_or(usual, |hours| Duration::from_secs(u64::from(hours) * 3600))
        };
        desk::deadline::Within {
            first: hours(self.first_officer_within_h, usual.first),
            second: hours(self.second_officer_within_h, usual.second),
        }
    }
}

/// Passwords go over TLS, or do not leave the machine.
fn check_origin(origin: Option<&str>, listen: SocketAddr) -> Result<(), Wrong> {
    let wrong = |problem: &str| Err(("desk.origin", problem.to_owned()));
    let Some(origin) = origin else {
        let near = listen.ip().is_loopback();
        return if near {
            Ok(())
        } else {
            wrong(
                "the https origin that browsers use is needed where the service listens beyond loopback",
            )
        };
    };
    let rest = origin.strip_prefix("https://");
    let rest = rest.or_else(|| {
        origin
            .strip_prefix("http://")
            .filter(|_| listen.ip().is_loopback())
    });
    let host = |rest: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        !rest.is_empty() && rest.bytes().all(plain)
    };
    if rest.is_some_and(host) {
        Ok(())
    } else {
        wrong("`https://host` or `https://host:port` is needed, without a path")
    }
}
