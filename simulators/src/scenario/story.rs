//! The story: every supplier makes one lot a day and brings it to the retailer the day after.
//!
//! | hour | day made | day after | then |
//! |---|---|---|---|
//! | 4 to 5 | | shipped from the cold room, loaded, truck departs | |
//! | 6 | commissioned | | |
//! | 8 | inspected | | |
//! | 9 | packed on a pallet | | |
//! | 10 | stored | | |
//! | 11 to 12 | | unloaded, received (promised for 14) and unpacked, or at 18 | |
//! | 17 | | first half sold, if it came in time | |
//! | 11 | | | rest sold |
//!
//! Minutes are left to chance, but never fall on a multiple of ten, when sensors are read.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::ids::{DeviceAddress, Slug};
use schemas::time::Instant;
use serde_json::json;

use super::identifier::{lot_uri, sscc, sscc_uri};
use super::line::{Line, master_data, papers};
use super::world::{Conduct, Organisation, Role};
use super::{Action, DAYS, Deed, Fate, Lot};

/// Days on which lots are made: the last must be sold before the end.
const DAYS_OF_PRODUCTION: u32 = DAYS - 2;

/// Hour by which the retailer was promised its goods, on the day after production.
const PROMISED_HOUR: u64 = 14;

/// Everything that is done and everything that is made.
pub fn tell(seed: u64, start: Instant, organisations: &[Organisation]) -> (Vec<Lot>, Vec<Action>) {
    let mut story = Story {
        start,
        lots: Vec::new(),
        actions: Vec::new(),
    };
    let Some(retailer) = organisations.iter().find(|one| one.role == Role::Retailer) else {
        return (story.lots, story.actions);
    };
    for (number, supplier) in (0_u64..).zip(organisations) {
        if let Role::Supplier(conduct) = supplier.role {
            let chance = StdRng::seed_from_u64(seed ^ (number << 32));
            Chapter {
                story: &mut story,
                supplier,
                retailer,
                chance,
                shift: Duration::from_secs(number),
            }
            .tell(conduct);
        }
    }
    story
        .lots
        .sort_by(|one, other| (one.made, &one.uri).cmp(&(other.made, &other.uri)));
    (story.lots, story.actions)
}

struct Story {
    start: Instant,
    lots: Vec<Lot>,
    actions: Vec<Action>,
}

/// The part of one supplier.
struct Chapter<'a> {
    story: &'a mut Story,
    supplier: &'a Organisation,
    retailer: &'a Organisation,
    chance: StdRng,
    /// Seconds of its own, so that no two suppliers are served at the same second.
    shift: Duration,
}

/// Which of a supplier's lots go wrong.
struct Plan {
    late: Vec<u32>,
    rejected: Option<u32>,
}

impl Chapter<'_> {
    fn tell(&mut self, conduct: Conduct) {
        let plan = self.plan(conduct);
        for day in 0..DAYS_OF_PRODUCTION {
            let fate = if plan.rejected == Some(day) {
                Fate::Rejected
            } else if plan.late.contains(&day) {
                Fate::Late
            } else {
                Fate::OnTime
            };
            self.lot(day, fate);
        }
        if conduct == Conduct::Hiding {
            self.hide();
        }
    }

    /// The first two lots of everybody are in order, so that a visitor soon sees whole journeys.
    fn plan(&mut self, conduct: Conduct) -> Plan {
        let mut day = |from, until| self.chance.random_range(from..until);
        match conduct {
            Conduct::Good => Plan {
                late: vec![day(3, 7)],
                rejected: None,
            },
            Conduct::Excursion => Plan {
                late: vec![day(2, 4), day(9, 11)],
                rejected: Some(day(10, 12)),
            },
            Conduct::Hiding => Plan {
                late: vec![day(2, 4)],
                rejected: Some(day(9, 11)),
            },
        }
    }

    fn lot(&mut self, day: u32, fate: Fate) {
        let lot = self.produce(day, fate);
        if fate == Fate::Rejected {
            self.reject(day, lot);
            return;
        }
        self.inspect_and_store(day, &lot);
        self.ship(day, &lot);
        let arrival = self.deliver(day, &lot);
        self.sell(day, lot, arrival);
    }

    /// Makes a lot and reports it.
    fn produce(&mut self, day: u32, fate: Fate) -> Lot {
        let made = self.time(day, 6);
        let kinds = self.supplier.products.len().max(1);
        let product = &self.supplier.products[day as usize % kinds];
        let number = format!(
            "{}{}",
            product.mark,
            made.at_offset(super::ZONE_SECONDS).format("%y%m%d")
        );
        let pieces = 20 * self.chance.random_range(18..31);
        let shipped = fate != Fate::Rejected;
        let lot = Lot {
            supplier: self.supplier.slug.clone(),
            gtin: product.gtin.clone(),
            uri: lot_uri(&product.gtin, &number),
            number,
            pallet: sscc_uri(&sscc(&self.supplier.prefix, 100 + day)),
            pieces,
            invoice_fen: if shipped {
                i64::from(pieces) * product.price_fen
            } else {
                0
            },
            made,
            finished: made,
            fate,
        };
        let extra = master_data(&lot, product);
        let line = Line::of_lot("commissioning", made, &lot, pieces);
        self.scan(
            "line",
            made,
            line.with("disposition", json!("active"))
                .with("extra", extra),
        );
        lot
    }

    fn reject(&mut self, day: u32, mut lot: Lot) {
        let (inspected, destroyed) = (self.time(day, 8), self.time(day, 13));
        let line = Line::of_lot("inspecting", inspected, &lot, lot.pieces);
        self.scan(
            "line",
            inspected,
            line.with("disposition", json!("non_conformant")),
        );
        let line = Line::of_lot("destroying", destroyed, &lot, lot.pieces);
        let line = line
            .with("action", json!("DELETE"))
            .with("disposition", json!("destroyed"));
        self.scan("line", destroyed, line);
        lot.finished = destroyed;
        self.story.lots.push(lot);
    }

    fn inspect_and_store(&mut self, day: u32, lot: &Lot) {
        let (inspected, packed) = (self.time(day, 8), self.time(day, 9));
        let line = Line::of_lot("inspecting", inspected, lot, lot.pieces);
        self.scan(
            "line",
            inspected,
            line.with("disposition", json!("conformant")),
        );
        let line = Line::of_lot("packing", packed, lot, lot.pieces);
        let line = line
            .with("parent", json!(lot.pallet))
            .with("disposition", json!("in_progress"));
        self.scan("line", packed, line);
        let stored = self.time(day, 10);
        let line = Line::of_pallet("storing", stored, lot);
        self.scan(
            "cold",
            stored,
            line.with("disposition", json!("in_progress")),
        );
    }

    fn ship(&mut self, day: u32, lot: &Lot) {
        let shipped = self.time(day + 1, 4);
        let promised = self.hour(day + 1, PROMISED_HOUR);
        let extra = papers(lot, day + 1, self.supplier, self.retailer, promised);
        let line = Line::of_pallet("shipping", shipped, lot);
        let line = line
            .with("disposition", json!("in_transit"))
            .with("extra", extra);
        self.scan("cold", shipped, line);
        let loaded = shipped + Duration::from_secs(11 * 60);
        self.in_truck("loading", loaded, lot, None);
        self.in_truck(
            "departing",
            loaded + Duration::from_secs(10 * 60),
            lot,
            Some("in"),
        );
    }

    /// A step of the truck. A departing truck keeps what is in it.
    fn in_truck(&mut self, step: &str, at: Instant, lot: &Lot, presence: Option<&str>) {
        let line = Line::of_pallet(step, at, lot).with("action", json!("OBSERVE"));
        let line = line.with("disposition", json!("in_transit"));
        let line = match presence {
            Some(presence) => line.with("presence", json!(presence)),
            None => line,
        };
        self.scan("truck", at, line);
    }

    /// Unloads and receives; answers when.
    fn deliver(&mut self, day: u32, lot: &Lot) -> Instant {
        let hour = if lot.fate == Fate::Late { 18 } else { 11 };
        let unloaded = self.time(day + 1, hour);
        self.in_truck("unloading", unloaded, lot, None);
        let received = unloaded + Duration::from_secs(10 * 60);
        let line = Line::of_pallet("receiving", received, lot);
        self.at_dock(received, line);
        let unpacked = received + Duration::from_secs(10 * 60);
        let line = Line::of_lot("unpacking", unpacked, lot, lot.pieces);
        self.at_dock(unpacked, line.with("parent", json!(lot.pallet)));
        received
    }

    fn at_dock(&mut self, at: Instant, line: Line) {
        let line = line.with("disposition", json!("in_progress"));
        self.scan_at(&self.retailer.slug, "dock", at, line);
    }

    fn sell(&mut self, day: u32, mut lot: Lot, received: Instant) {
        let half = lot.pieces / 2;
        let evening = self.time(day + 1, 17);
        let noon = self.time(day + 2, 11);
        let sales = if received < evening {
            vec![(evening, half), (noon, lot.pieces - half)]
        } else {
            vec![(noon, lot.pieces)]
        };
        for (at, pieces) in sales {
            let line = Line::of_lot("retail_selling", at, &lot, pieces);
            self.scan_at(
                &self.retailer.slug,
                "shop",
                at,
                line.with("disposition", json!("retail_sold")),
            );
            lot.finished = at;
        }
        self.story.lots.push(lot);
    }

    /// Cuts the network of the cold room when it begins to warm up, deletes what was signed until
    /// it is cold again, and lets the rest pass.
    fn hide(&mut self) {
        let Some(cold) = self
            .supplier
            .gateways
            .iter()
            .find(|one| one.slug.as_str() == "cold")
        else {
            return;
        };
        let warmings = cold
            .sensor
            .iter()
            .flat_map(|sensor| sensor.climate.warmings.clone());
        for warming in warmings.collect::<Vec<_>>() {
            let cut = warming.from;
            let hidden = warming.until + Duration::from_secs(155 * 60);
            let restored = hidden + Duration::from_secs(12 * 60);
            for (at, deed) in [
                (cut, Deed::Cut),
                (hidden, Deed::Hide),
                (restored, Deed::Restore),
            ] {
                self.act(&self.supplier.slug, "cold", at, deed);
            }
        }
    }

    /// A full hour of a day.
    fn hour(&self, day: u32, hour: u64) -> Instant {
        self.story.start + Duration::from_secs((u64::from(day) * 24 + hour) * 3_600)
    }

    /// Some minute of that hour at which no sensor is read.
    fn time(&mut self, day: u32, hour: u64) -> Instant {
        let minute = self.chance.random_range(0..3) * 10 + self.chance.random_range(2..9);
        self.hour(day, hour) + Duration::from_secs(minute * 60) + self.shift
    }

    fn scan(&mut self, device: &'static str, at: Instant, line: Line) {
        self.scan_at(&self.supplier.slug, device, at, line);
    }

    fn scan_at(&mut self, organisation: &Slug, device: &'static str, at: Instant, line: Line) {
        self.act(organisation, device, at, Deed::Scan(line.text()));
    }

    fn act(&mut self, organisation: &Slug, device: &str, at: Instant, deed: Deed) {
        if let Ok(gateway) = format!("{organisation}/{device}").parse::<DeviceAddress>() {
            self.story.actions.push(Action { at, gateway, deed });
        }
    }
}
