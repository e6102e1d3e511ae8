//! What happens in the simulated world: who lives in it, and a list of timed actions.
//!
//! The scenario is pure: [`Scenario::from_seed`] computes everything from one number, performs
//! nothing and asks nobody for the time. Whoever plays it moves a clock from action to action and
//! carries each out where the real world would: a scan line goes into the scan file of a gateway,
//! a temperature is shown by a Modbus device, a network is cut in front of a gateway. No action
//! reaches the platform by any other way.
//!
//! The same seed gives the same scenario, to the last byte of every scan line.

mod climate;
mod identifier;
mod line;
mod story;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use schemas::ids::{DeviceAddress, Slug};
use schemas::time::Instant;

pub use climate::{Climate, Warming};
pub use identifier::{gln, gtin, lot_uri, party_uri, place_uri, sscc, sscc_uri};
pub use world::{
    Conduct, Gateway, Input, Organisation, Product, Role, Sensor, Text, of_series, staff,
};

/// The seed that is used where none is given.
pub const DEFAULT_SEED: u64 = 952;

/// How many days a scenario lasts.
pub const DAYS: u32 = 14;

/// Offset of the world's wall clocks east of UTC.
pub const ZONE_SECONDS: i32 = 8 * 3_600;

/// When every scenario begins: 2026-11-02, midnight at +08:00.
pub const START: Instant = Instant::from_seconds(1_793_548_800);

/// Everything that will happen.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The number that it came from.
    pub seed: u64,
    /// When the world begins.
    pub start: Instant,
    /// When the last action is past and every reading taken.
    pub end: Instant,
    /// Everybody, in a fixed order: operator, registrar, bank, retailer, suppliers.
    pub organisations: Vec<Organisation>,
    /// Every lot that is made, in order of production.
    pub lots: Vec<Lot>,
    /// What is done, by time; equal times by gateway, then in the order of the story.
    pub actions: Vec<Action>,
}

/// A lot of goods and what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Lot {
    /// Who makes it.
    pub supplier: Slug,
    /// GTIN, 14 digits.
    pub gtin: String,
    /// Lot number.
    pub number: String,
    /// The lot's canonical Digital Link URI.
    pub uri: String,
    /// Its pallet's canonical Digital Link URI.
    pub pallet: String,
    /// Pieces in it.
    pub pieces: u32,
    /// Invoiced value in fen; zero if it was never shipped.
    pub invoice_fen: i64,
    /// When it was made.
    pub made: Instant,
    /// When its last action is done: sold out, or destroyed.
    pub finished: Instant,
    /// What became of it.
    pub fate: Fate,
}

/// What becomes of a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Delivered by the promised time and sold.
    OnTime,
    /// Delivered after the promised time and sold.
    Late,
    /// Failed its inspection and was destroyed.
    Rejected,
}

/// One thing that is done at one gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// When.
    pub at: Instant,
    /// Where.
    pub gateway: DeviceAddress,
    /// What.
    pub deed: Deed,
}

/// What can be done at a gateway.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Somebody scans: one JSON line, without its line end, is appended to the scan file.
    Scan(String),
    /// Another system exports: each text is a line that is appended to the gateway's file.
    Export(Vec<String>),
    /// The network between gateway and broker fails.
    Cut,
    /// The network works again.
    Restore,
    /// The gateway's owner deletes from its outbox every statement that was signed since the
    /// network was cut. It is a crime against its own records, and the chain will show it.
    Hide,
}

impl Scenario {
    /// The scenario of a seed.
    pub fn from_seed(seed: u64) -> Scenario {
        let organisations = world::organisations(seed, START);
        let (lots, mut actions) = story::tell(seed, START, &organisations);
        actions.sort_by(|one, other| (one.at, &one.gateway).cmp(&(other.at, &other.gateway)));
        let end = START + Duration::from_secs(u64::from(DAYS) * 86_400);
        Scenario {
            seed,
            start: START,
            end,
            organisations,
            lots,
            actions,
        }
    }

    /// The organisation of that slug.
    pub fn organisation(&self, slug: &Slug) -> Option<&Organisation> {
        self.organisations
            .iter()
            .find(|organisation| organisation.slug == *slug)
    }

    /// Those who sell and may want credit, in a fixed order.
    pub fn suppliers(&self) -> impl Iterator<Item = (&Organisation, Conduct)> {
        self.organisations
            .iter()
            .filter_map(|organisation| match organisation.role {
                world::Role::Supplier(conduct) => Some((organisation, conduct)),
                _ => None,
            })
    }

    /// Every gateway with its address, in order of address.
    pub fn gateways(&self) -> BTreeMap<DeviceAddress, &Gateway> {
        let of = |organisation: &Organisation| organisation.slug.clone();
        self.organisations
            .iter()
            .flat_map(|organisation| {
                organisation
                    .gateways
                    .iter()
                    .map(move |one| (organisation, one))
            })
            .map(|(organisation, gateway)| {
                let device = gateway.slug.clone();
                (
                    DeviceAddress {
                        organisation: of(organisation),
                        device,
                    },
                    gateway,
                )
            })
            .collect()
    }

    /// The lots that something happened to, each with what: for whoever wants to see its page.
    pub fn troubled(&self) -> Vec<(&'static str, &Lot)> {
        let day = Duration::from_secs(86_400);
        let mut troubled = Vec::new();
        for (supplier, conduct) in self.suppliers() {
            let sensors = supplier
                .gateways
                .iter()
                .filter_map(|one| one.sensor.as_ref());
            for warming in sensors.flat_map(|sensor| &sensor.climate.warmings) {
                // A truck carries what was made the day before, a cold room holds that day's lot.
                let (what, until) = match conduct {
                    Conduct::Excursion => ("its truck was too warm", warming.from - day),
                    _ => ("records of that night are missing", warming.from),
                };
                let made = |lot: &&Lot| {
                    lot.supplier == supplier.slug
                        && lot.made <= until + day / 4
                        && lot.made + day > until
                };
                troubled.extend(self.lots.iter().rfind(made).map(|lot| (what, lot)));
            }
        }
        troubled
    }

    /// The lot whose journey ends first: what a visitor is shown while the rest still goes on.
    pub fn first_finished(&self) -> Option<&Lot> {
        let sold = self.lots.iter().filter(|lot| lot.fate == Fate::OnTime);
        sold.min_by_key(|lot| (lot.finished, lot.made))
    }
}

#[cfg(test)]
mod tests;
