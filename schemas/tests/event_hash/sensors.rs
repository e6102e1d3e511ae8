//! Sensor elements with every member.

use serde_json::{Map, Value, json};

use super::things::{document, number, plain, positive, thing, time};
use super::{Random, extensions};

const ORIGIN: [&str; 5] = [
    "time",
    "deviceID",
    "deviceMetadata",
    "rawData",
    "dataProcessingMethod",
];

fn origin(random: &mut Random, name: &str) -> Value {
    match name {
        "time" => time(random),
        "deviceID" => format!("urn:epc:id:giai:9521001.{}", plain(random)).into(),
        "dataProcessingMethod" => document(random),
        _ => "https://id.gs1.org/8004/9521001A1".into(),
    }
}

pub(super) fn sensor_element(random: &mut Random) -> Value {
    // What is in the metadata is in no report.
    let in_metadata: Vec<&str> = ORIGIN.into_iter().filter(|_| random.once(2)).collect();
    let reports = random.list(2, |random| {
        let mut report = report(random);
        for name in ORIGIN {
            if !in_metadata.contains(&name) && random.once(2) {
                report.insert(name.into(), origin(random, name));
            }
        }
        report.into()
    });
    let mut element = if random.once(4) {
        extensions(random, 0)
    } else {
        Map::new()
    };
    element.insert("sensorReport".into(), reports);
    let mut metadata = if random.once(4) {
        extensions(random, 0)
    } else {
        Map::new()
    };
    for name in in_metadata {
        metadata.insert(name.into(), origin(random, name));
    }
    if random.once(2) {
        metadata.insert("startTime".into(), "2019-04-02T12:55:01.0005+02:00".into());
        metadata.insert("endTime".into(), "2019-04-02T13:55:00Z".into());
        metadata.insert("bizRules".into(), document(random));
    }
    if !metadata.is_empty() {
        element.insert("sensorMetadata".into(), metadata.into());
    }
    element.into()
}

fn report(random: &mut Random) -> Map<String, Value> {
    let mut report = if random.once(4) {
        extensions(random, 1)
    } else {
        Map::new()
    };
    let (kind, unit) = *random.pick(&[
        &("Temperature", "CEL"),
        &("gs1:Speed", "KMH"),
        &("https://gs1.org/voc/AbsoluteHumidity", "A93"),
        &("ex:Own", "2N"),
        &("https://own.example/quality", "C62"),
    ]);
    report.insert("type".into(), kind.into());
    report.insert("uom".into(), unit.into());
    let mut put = |random: &mut Random, name: &str, value: Value| {
        if random.once(3) {
            report.insert(name.into(), value);
        }
    };
    let value = number(random);
    put(random, "value", value);
    let (low, high, mean) = (json!(-3.50), number_above(random), number(random));
    put(random, "minValue", low);
    put(random, "maxValue", high);
    put(random, "meanValue", mean);
    let deviation = positive(random);
    put(random, "sDev", deviation);
    let word = random.pick(&[
        "ALARM_CONDITION",
        "gs1:ERROR_CONDITION",
        "https://own.example/alert",
    ]);
    put(random, "exception", word.into());
    let component = random.pick(&["x", "latitude", "cbv:Comp-longitude", "ex:w"]);
    put(random, "component", component.into());
    put(
        random,
        "microorganism",
        "https://www.ncbi.nlm.nih.gov/taxonomy/1126011".into(),
    );
    put(
        random,
        "chemicalSubstance",
        "https://identifiers.org/inchikey:CZMRCDWAGMRECN".into(),
    );
    put(
        random,
        "coordinateReferenceSystem",
        "http://www.opengis.net/def/crs/EPSG/0/27700".into(),
    );
    put(random, "stringValue", "eine Größe = 3 µm".into());
    let truth = random.once(2);
    put(random, "booleanValue", truth.into());
    let hexadecimal = random.pick(&["f0f0f0", "0012", "111100001111000011110000", "AB"]);
    put(random, "hexBinaryValue", hexadecimal.into());
    let uri = thing(random);
    put(random, "uriValue", uri);
    if random.once(3) {
        report.insert("percRank".into(), json!(50.0));
        report.insert("percValue".into(), number(random));
    }
    report
}

fn number_above(random: &mut Random) -> Value {
    positive(random)
}
