use schemas::event::Source;

use super::*;

mod rules;
mod sources;

const MODBUS: &str = r#"state = "/tmp/x"
[[source]]
type = "modbus"
address = "127.0.0.1:502"
register = 0
kind = "i16"
scale = 0.1
interval_s = 60
sensor = "https://id.gs1.org/8004/9521001PROBE1"
measurement = "Temperature"
uom = "CEL"
alarm_max = 8.0
place = "https://id.gs1.org/414/9521001000024"
"#;

fn refusal(text: &str) -> (usize, String, String) {
    let error = Config::parse("a.toml", text).expect_err("must be refused");
    (error.line, error.field, error.problem)
}

#[test]
fn the_template_is_a_valid_configuration() {
    let config = Config::parse("template.toml", TEMPLATE).expect("template");
    assert_eq!(config.sources.len(), 2);
    assert_eq!(config.device.time_zone_minutes, 480);
    assert_eq!(config.device.clock, ClockSetting::Auto);
}

/// Each example in comments works when its marks are taken away.
#[test]
fn every_rule_of_the_template_is_valid() {
    let template = TEMPLATE.replace("\nreadings_per_event = 5\n", "\n");
    let mut examples = 0;
    for example in TEMPLATE.split("\n# [[rule]]\n").skip(1) {
        let fields = example
            .lines()
            .map_while(|line| line.strip_prefix("# "))
            .filter(|line| line.contains(" = "));
        let fields: Vec<&str> = fields.collect();
        let text = format!("{template}\n[[rule]]\n{}\n", fields.join("\n"));
        let config = Config::parse("template.toml", &text);
        assert!(config.is_ok(), "{config:?}\n{text}");
        examples += 1;
    }
    assert_eq!(examples, 5);
}

#[test]
fn every_example_of_the_template_is_a_valid_source() {
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<String> = TEMPLATE.lines().map(uncommented).collect();
    let config = Config::parse("template.toml", &text.join("\n")).expect("template");
    let kinds: Vec<_> = config.sources.iter().map(SourceConfig::kind).collect();
    let expected = [
        "modbus", "scan", "onewire", "iio", "hwmon", "gpsd", "serial", "evdev", "evdev", "folder",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn defaults_are_filled_in() {
    let config = Config::parse("a.toml", MODBUS).expect("config");
    let [SourceConfig::Modbus(modbus)] = &config.sources[..] else {
        panic!("one modbus source")
    };
    assert_eq!(modbus.unit, 1);
    assert_eq!(modbus.rule.step, "sensor_reporting");
    assert_eq!(modbus.rule.readings_per_event, 1);
    assert_eq!(modbus.sampling.interval, Duration::from_secs(60));
    assert_eq!(
        modbus.sampling.limits,
        crate::source::judge::Limits::default()
    );
    assert_eq!(config.uplink.in_flight, 32);
}

#[test]
fn mistakes_are_named_with_line_and_field() {
    let cases = [
        ("register = 0", "register = 70000", 5, "source.register: "),
        ("kind = \"i16\"", "kind = \"i64\"", 6, "source.kind: "),
        ("scale = 0.1", "scale = 0.0", 7, "source.scale: "),
        (
            "interval_s = 60",
            "interval_s = 0",
            8,
            "source.interval_s: ",
        ),
        (
            "interval_s = 60",
            "intervall_s = 60",
            8,
            "source.intervall_s: ",
        ),
        ("9521001000024", "9521001000025", 13, "source.place: "),
        (
            "https://id.gs1.org/414/9521001000024",
            "",
            13,
            "source.place: ",
        ),
        (
            "8004/9521001PROBE1",
            "414/9521001000024",
            9,
            "source.sensor: ",
        ),
        ("uom = \"CEL\"", "uom = 5", 11, "source.uom: "),
        (
            "alarm_max = 8.0",
            "alarm_max = 8.0\nalarm_min = 9.0",
            12,
            "source.alarm_max: ",
        ),
        ("uom = \"CEL\"", "", 2, "source.uom: "),
        (
            "type = \"modbus\"",
            "type = \"modbus\"\npath = \"x\"",
            4,
            "source.path: ",
        ),
        ("\"Temperature\"", "\"Temprature\"", 2, "source: "),
        ("uom = \"CEL\"", "uom = \"KGM\"", 2, "source: "),
        ("type = \"modbus\"", "type = \"opc\"", 3, "source.type: "),
        (
            "address = \"127.0.0.1:502\"",
            "address = \"127.0.0.1\"",
            4,
            "source.address: ",
        ),
    ];
    for (from, to, line, field) in cases {
        let (found_line, found_field, problem) = refusal(&MODBUS.replacen(from, to, 1));
        assert_eq!(
            (found_line, found_field.as_str()),
            (line, field),
            "{to}: {problem}"
        );
    }
}

#[test]
fn two_sources_of_one_series_are_refused() {
    let second = MODBUS.split_once("[[source]]").expect("table").1;
    let (line, field, _) = refusal(&format!("{MODBUS}[[source]]{second}"));
    assert_eq!((line, field.as_str()), (14, "source.sensor: "));
}

#[test]
fn broker_addresses_are_read_and_written() {
    for text in [
        "mqtt://127.0.0.1:1883",
        "mqtts://broker.example:8883",
        "mqtt://[::1]:1883",
        "ws://127.0.0.1:8080/v1/mqtt",
        "wss://[::1]:443/a/b",
    ] {
        let parsed: BrokerAddress = text.parse().expect("address");
        assert_eq!(parsed.to_string(), text);
    }
    for text in [
        "http://x:1",
        "mqtt://x",
        "mqtt://:1",
        "mqtt://x:0",
        "mqtt://a b:1",
        "mqtt://x:1/path",
        "wss://x:1/a?b",
        "wss://x:1/a b",
        "wss://",
    ] {
        assert!(text.parse::<BrokerAddress>().is_err(), "{text}");
    }
    let standard: BrokerAddress = "wss://x".parse().expect("address");
    assert_eq!(standard.to_string(), "wss://x:443/v1/mqtt");
}

#[test]
fn the_page_is_for_loopback_only_and_addresses_are_few() {
    let uplink = |line: &str| format!("state = \"/tmp/x\"\n{line}\n");
    let good = Config::parse("a.toml", &uplink("page = \"127.0.0.1:9465\"")).expect("config");
    assert!(good.page.is_some());
    for (line, field) in [
        ("page = \"0.0.0.0:9465\"", "page: "),
        ("page = \"9465\"", "page: "),
        ("[led]\npath = \"\"", "led.path: "),
        ("[uplink]\nbrokers = [\"http://x\"]", "uplink.brokers: "),
        ("[uplink]\nplatforms = [\"ftp://x\"]", "uplink.platforms: "),
        ("[uplink]\nreturn_after_s = 0", "uplink.return_after_s: "),
    ] {
        assert_eq!(refusal(&uplink(line)).1, field, "{line}");
    }
}

#[test]
fn a_scanner_and_another_system_write_the_same_lines_of_different_worth() {
    let lines = |kind: &str| {
        format!(
            "state = \"/tmp/x\"\n[[source]]\ntype = \"{kind}\"\npath = \"/tmp/lines\"\nplace = \"https://id.gs1.org/414/9521001000024\"\n"
        )
    };
    for (kind, source) in [("scan", Source::Scan), ("file", Source::File)] {
        let config = Config::parse("a.toml", &lines(kind)).expect("config");
        let [SourceConfig::Lines(read)] = &config.sources[..] else {
            panic!("one source of lines")
        };
        assert_eq!(read.source, source);
    }
    let (line, field, _) = refusal(&lines("files"));
    assert_eq!((line, field.as_str()), (3, "source.type: "));
}

const SENSOR: &str = "sensor = \"https://id.gs1.org/8004/9521001PROBE1\"\n\
     measurement = \"Temperature\"\nuom = \"CEL\"\ninterval_s = 60\n";
const PLACED: &str = "place = \"https://id.gs1.org/414/9521001000024\"\n";

fn source(fields: &str) -> String {
    format!("state = \"/tmp/x\"\n[[source]]\n{fields}\n{PLACED}")
}
