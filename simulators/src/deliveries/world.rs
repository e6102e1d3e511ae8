//! Who lives in a replay of deliveries: an organisation with a gateway for each vendor and for each
//! country of a client. Names are those of the file, everything else is simulated and says so.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use schemas::ids::{DeviceAddress, Slug};

use super::HEARTBEAT_SECONDS;
use super::file::Deliveries;
use crate::scenario::{
    Conduct, Gateway, Input, Organisation, Role, gln, gtin, lot_uri, party_uri, place_uri, staff,
};

/// First GS1 company prefix of the vendors, in the range that GS1 keeps for demonstrations.
const VENDOR_PREFIX: u32 = 9_523_000;
/// First GS1 company prefix of the clients.
const CLIENT_PREFIX: u32 = 9_524_000;
/// Most parties of one kind, so that the prefixes stay apart.
const PARTIES_MAX: usize = 999;
/// Characters that a name leaves of a slug for what tells two alike ones apart.
const SLUG_CHARS: usize = 28;

/// Everybody, and who is who by the names of the file.
pub struct World {
    /// Operator, registrar, bank, then vendors, then clients, each in alphabetical order.
    pub organisations: Vec<Organisation>,
    vendors: BTreeMap<String, usize>,
    clients: BTreeMap<String, usize>,
}

impl World {
    /// The world of a file.
    ///
    /// # Errors
    /// When there are more than 999 vendors or countries.
    pub fn of(deliveries: &Deliveries) -> anyhow::Result<World> {
        let mut world = World {
            organisations: staff(),
            vendors: BTreeMap::new(),
            clients: BTreeMap::new(),
        };
        let mut taken: BTreeSet<String> = world
            .organisations
            .iter()
            .map(|one| one.slug.to_string())
            .collect();
        for (number, name) in (1..).zip(deliveries.vendors()) {
            let slug = slug("", name, &mut taken)?;
            let texts = (
                format!("{name}（历史回放）"),
                format!("{name} (historical replay)"),
            );
            let role = Role::Supplier(Conduct::Good);
            let party = party(slug, role, texts, VENDOR_PREFIX + number, Site::Orders);
            world
                .vendors
                .insert(name.to_owned(), world.organisations.len());
            world.organisations.push(party);
        }
        for (number, name) in (1..).zip(deliveries.countries()) {
            let slug = slug("client-", name, &mut taken)?;
            let texts = (
                format!("{name} 收货方（历史回放）"),
                format!("Client in {name} (historical replay)"),
            );
            let party = party(
                slug,
                Role::Retailer,
                texts,
                CLIENT_PREFIX + number,
                Site::Receipts,
            );
            world
                .clients
                .insert(name.to_owned(), world.organisations.len());
            world.organisations.push(party);
        }
        anyhow::ensure!(
            world.vendors.len().max(world.clients.len()) <= PARTIES_MAX,
            "more than {PARTIES_MAX} vendors or countries"
        );
        Ok(world)
    }

    /// A vendor by its name.
    ///
    /// # Errors
    /// When the file has no such vendor.
    pub fn vendor(&self, name: &str) -> anyhow::Result<&Organisation> {
        let place = self
            .vendors
            .get(name)
            .with_context(|| format!("no vendor {name}"))?;
        Ok(&self.organisations[*place])
    }

    /// The client of a country.
    ///
    /// # Errors
    /// When the file has no such country.
    pub fn client(&self, country: &str) -> anyhow::Result<&Organisation> {
        let place = self
            .clients
            .get(country)
            .with_context(|| format!("no client in {country}"))?;
        Ok(&self.organisations[*place])
    }
}

/// What a gateway is for.
#[derive(Clone, Copy)]
enum Site {
    Orders,
    Receipts,
}

fn party(slug: Slug, role: Role, names: (String, String), prefix: u32, site: Site) -> Organisation {
    let prefix = prefix.to_string();
    let (device, step, place) = match site {
        Site::Orders => ("orders", "other", ("订单系统", "order system")),
        Site::Receipts => ("receipts", "receiving", ("收货系统", "receipt system")),
    };
    let gateway = Gateway {
        slug: known(device),
        names: (place.0.into(), place.1.into()),
        place: place_uri(&gln(&prefix, 1)),
        steps: vec![step],
        input: Input::File,
        heartbeat_seconds: HEARTBEAT_SECONDS,
        sensor: None,
    };
    Organisation {
        slug,
        role,
        names: (names.0.into(), names.1.into()),
        party: party_uri(&gln(&prefix, 0)),
        prefix: prefix.into(),
        gateways: vec![gateway],
        products: Vec::new(),
    }
}

/// The address of the only gateway of a party.
pub fn address(party: &Organisation) -> DeviceAddress {
    DeviceAddress {
        organisation: party.slug.clone(),
        device: party.gateways[0].slug.clone(),
    }
}

/// What a line of the file is about: a lot of the vendor's one GTIN, named after the line.
pub fn goods(vendor: &Organisation, line: u32) -> String {
    lot_uri(&gtin(&vendor.prefix, 1), &format!("LINE{line}"))
}

/// A slug made of a name: its letters and digits of ASCII in lower case, a hyphen for whatever lies
/// between, and a number where another name gives the same.
fn slug(start: &str, name: &str, taken: &mut BTreeSet<String>) -> anyhow::Result<Slug> {
    let mut text = String::from(start);
    for character in name.chars() {
        match character.to_ascii_lowercase() {
            letter @ ('a'..='z' | '0'..='9') => text.push(letter),
            _ if text.is_empty() || text.ends_with('-') => {}
            _ => text.push('-'),
        }
    }
    text.truncate(SLUG_CHARS);
    let text = text.trim_end_matches('-');
    let numbered = (2..).map(|number| format!("{text}-{number}"));
    let mut candidates = std::iter::once(text.to_owned()).chain(numbered);
    let free =
        candidates.find(|candidate| !candidate.is_empty() && taken.insert(candidate.clone()));
    let free = free.unwrap_or_default();
    free.parse().with_context(|| format!("no slug for {name}"))
}

/// A slug that is written in this file.
#[expect(
    clippy::unwrap_used,
    reason = "both are literals that every test of a replay parses"
)]
fn known(text: &'static str) -> Slug {
    text.parse().unwrap()
}
