//! Who lives in the simulated world: organisations, their gateways and their products.

use std::borrow::Cow;

use schemas::ids::Slug;
use schemas::time::Instant;

use super::climate::{self, Climate};
use super::identifier::{gln, gtin, party_uri, place_uri};

/// A text that is written here or made of a file.
pub type Text = Cow<'static, str>;

/// Seconds within which a gateway of the story promises to speak: a day.
const HEARTBEAT_SECONDS: u64 = 24 * 3_600;

/// What an organisation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs the platform and owns its receipt key.
    Operator,
    /// Admits organisations.
    Registrar,
    /// Lends.
    Bank,
    /// Buys and sells to consumers.
    Retailer,
    /// Makes goods.
    Supplier(Conduct),
}

/// How a supplier behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Conduct {
    /// Keeps its goods cold and its promises, mostly.
    Good,
    /// Its reefer fails for hours with goods inside.
    Excursion,
    /// Deletes what its gateway has signed about a warm night.
    Hiding,
}

/// An organisation of the simulated world.
#[derive(Debug, Clone, PartialEq)]
pub struct Organisation {
    /// Its name in the registry.
    pub slug: Slug,
    /// What it is.
    pub role: Role,
    /// Name in Chinese and in English.
    pub names: (Text, Text),
    /// Its GS1 company prefix, seven digits.
    pub prefix: Text,
    /// Its party identifier.
    pub party: String,
    /// Its gateways, in a fixed order.
    pub gateways: Vec<Gateway>,
    /// What it makes.
    pub products: Vec<Product>,
}

/// What writes the lines that a gateway reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A scanner.
    Scanner,
    /// Another system, which exports a file.
    File,
}

/// A gateway: a computer at a place with a source of lines and perhaps a sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    /// Its name within its organisation.
    pub slug: Slug,
    /// What its place is called in Chinese and in English.
    pub names: (Text, Text),
    /// The only place that it may name.
    pub place: String,
    /// The business steps that it may report, sorted.
    pub steps: Vec<&'static str>,
    /// What writes its lines.
    pub input: Input,
    /// Seconds within which it promises to speak.
    pub heartbeat_seconds: u64,
    /// Its temperature sensor.
    pub sensor: Option<Sensor>,
}

/// A temperature sensor of a gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensor {
    /// Its name in the gateway's configuration.
    pub name: &'static str,
    /// The temperatures that it meets.
    pub climate: Climate,
    /// Temperatures in degrees Celsius outside which its readings are marked.
    pub alarm: (f64, f64),
}

/// Something that is made and sold.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// GTIN, 14 digits.
    pub gtin: String,
    /// Name in Chinese and in English.
    pub names: (&'static str, &'static str),
    /// Two letters that its lot numbers begin with.
    pub mark: &'static str,
    /// Temperatures in degrees Celsius that it must be kept within.
    pub limits: (i32, i32),
    /// Price of a piece in fen.
    pub price_fen: i64,
    /// Days that it keeps.
    pub shelf_days: u64,
}

/// How one supplier differs from the next.
struct Sketch {
    slug: &'static str,
    conduct: Conduct,
    names: (&'static str, &'static str),
    prefix: &'static str,
    limits: (i32, i32),
    /// Name in Chinese and English, lot mark, price in fen, shelf life in days.
    products: &'static [((&'static str, &'static str), &'static str, i64, u64)],
}

const SUPPLIERS: [Sketch; 3] = [
    Sketch {
        slug: "qinghe",
        conduct: Conduct::Good,
        names: ("清河乳业（模拟）", "Qinghe Dairy (simulated)"),
        prefix: "9521001",
        limits: (2, 6),
        products: &[
            (
                ("清河全脂鲜牛奶 1 升", "Qinghe fresh whole milk 1 l"),
                "QM",
                1_680,
                10,
            ),
            (
                ("清河原味酸奶 450 克", "Qinghe plain yoghurt 450 g"),
                "QY",
                1_290,
                21,
            ),
        ],
    },
    Sketch {
        slug: "haiwan",
        conduct: Conduct::Excursion,
        names: ("海湾水产（模拟）", "Haiwan Seafood (simulated)"),
        prefix: "9521002",
        limits: (0, 4),
        products: &[(
            ("海湾冰鲜大黄鱼 500 克", "Haiwan chilled croaker 500 g"),
            "HC",
            3_980,
            7,
        )],
    },
    Sketch {
        slug: "nanshan",
        conduct: Conduct::Hiding,
        names: ("南山鲜果（模拟）", "Nanshan Fruit (simulated)"),
        prefix: "9521003",
        limits: (1, 8),
        products: &[(
            ("南山蓝莓 125 克", "Nanshan blueberries 125 g"),
            "NB",
            1_590,
            12,
        )],
    },
];

/// Everybody, with the temperatures that `seed` gives their sensors from `start` on.
pub fn organisations(seed: u64, start: Instant) -> Vec<Organisation> {
    let mut all = staff();
    all.push(retailer());
    all.extend(SUPPLIERS.iter().map(|sketch| supplier(sketch, seed, start)));
    all
}

/// Those without whom nothing runs: operator, registrar and bank.
pub fn staff() -> Vec<Organisation> {
    vec![operator(), registrar(), bank()]
}

/// The world of a replayed series: its maker is known by nothing but the series.
pub fn of_series() -> Vec<Organisation> {
    let prefix = "9521009";
    let names = (
        "历史数据回放（模拟身份）",
        "Historical replay (simulated identity)",
    );
    let steps = ["installing", "sensor_reporting"];
    let climate = climate::still();
    let sensor = Sensor {
        name: "machine",
        climate,
        alarm: (f64::MIN, f64::MAX),
    };
    let maker = Organisation {
        gateways: vec![gateway("machine", prefix, 1, &steps, Some(sensor))],
        ..plain("maker", Role::Supplier(Conduct::Good), names, prefix)
    };
    let mut all = staff();
    all.push(maker);
    all
}

fn operator() -> Organisation {
    let names = ("溯链平台（模拟）", "Platform operator (simulated)");
    plain("operator", Role::Operator, names, "9529001")
}

fn registrar() -> Organisation {
    let names = ("示范登记处（模拟）", "Demo registrar (simulated)");
    plain("registrar", Role::Registrar, names, "9529002")
}

fn bank() -> Organisation {
    let names = ("惠民试点银行（模拟）", "Huimin Pilot Bank (simulated)");
    plain("huimin", Role::Bank, names, "9529003")
}

fn plain(
    slug: &'static str,
    role: Role,
    names: (&'static str, &'static str),
    prefix: &'static str,
) -> Organisation {
    Organisation {
        slug: known_slug(slug),
        role,
        names: (names.0.into(), names.1.into()),
        prefix: prefix.into(),
        party: party_uri(&gln(prefix, 0)),
        gateways: Vec::new(),
        products: Vec::new(),
    }
}

fn retailer() -> Organisation {
    let prefix = "9529004";
    let names = ("和惠超市（模拟）", "Hehui Market (simulated)");
    let gateways = vec![
        gateway("dock", prefix, 1, &["receiving", "unpacking"], None),
        gateway("shop", prefix, 2, &["retail_selling"], None),
    ];
    Organisation {
        gateways,
        ..plain("hehui", Role::Retailer, names, prefix)
    }
}

fn supplier(sketch: &Sketch, seed: u64, start: Instant) -> Organisation {
    let alarm = (f64::from(sketch.limits.0), f64::from(sketch.limits.1));
    let sensor = |name: &'static str, climate: Climate| {
        Some(Sensor {
            name,
            climate,
            alarm,
        })
    };
    let cold = climate::cold_room(seed, start, sketch.prefix, sketch.limits, sketch.conduct);
    let truck = climate::truck(seed, start, sketch.prefix, sketch.limits, sketch.conduct);
    let line_steps = ["commissioning", "destroying", "inspecting", "packing"];
    let cold_steps = ["sensor_reporting", "shipping", "storing"];
    let truck_steps = ["departing", "loading", "sensor_reporting", "unloading"];
    let gateways = vec![
        gateway("line", sketch.prefix, 1, &line_steps, None),
        gateway(
            "cold",
            sketch.prefix,
            2,
            &cold_steps,
            sensor("cold-room", cold),
        ),
        gateway(
            "truck",
            sketch.prefix,
            3,
            &truck_steps,
            sensor("reefer", truck),
        ),
    ];
    let products = (1..)
        .zip(sketch.products)
        .map(|(item, sketched)| product(sketch, item, sketched));
    Organisation {
        gateways,
        products: products.collect(),
        ..plain(
            sketch.slug,
            Role::Supplier(sketch.conduct),
            sketch.names,
            sketch.prefix,
        )
    }
}

fn product(
    sketch: &Sketch,
    item: u32,
    &(names, mark, price_fen, shelf_days): &((&'static str, &'static str), &'static str, i64, u64),
) -> Product {
    let gtin = gtin(sketch.prefix, item);
    Product {
        gtin,
        names,
        mark,
        limits: sketch.limits,
        price_fen,
        shelf_days,
    }
}

fn gateway(
    slug: &'static str,
    prefix: &str,
    location: u32,
    steps: &[&'static str],
    sensor: Option<Sensor>,
) -> Gateway {
    let place = place_uri(&gln(prefix, location));
    Gateway {
        slug: known_slug(slug),
        names: place_names(slug),
        place,
        steps: steps.to_vec(),
        input: Input::Scanner,
        heartbeat_seconds: HEARTBEAT_SECONDS,
        sensor,
    }
}

/// What the place of a gateway is called.
fn place_names(slug: &str) -> (Text, Text) {
    let (chinese, english) = match slug {
        "line" => ("生产线", "production line"),
        "cold" => ("冷库", "cold store"),
        "truck" => ("冷藏车", "reefer truck"),
        "dock" => ("收货区", "receiving dock"),
        "shop" => ("门店", "shop"),
        _ => ("设备现场", "machine"),
    };
    (chinese.into(), english.into())
}

/// A slug that is written in this file.
#[expect(
    clippy::unwrap_used,
    reason = "every slug of the world is a literal that a test parses"
)]
fn known_slug(text: &'static str) -> Slug {
    text.parse().unwrap()
}
