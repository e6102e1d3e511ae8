use schemas::event::Source;

use super::*;

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
        "modbus", "scan", "onewire", "iio", "hwmon", "gpsd", "serial", "evdev", "folder",
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

#[test]
fn each_type_reads_its_fields_and_names_itself() {
    let cases = [
        (
            format!("type = \"modbus\"\n{SENSOR}port = \"/dev/ttyUSB0\"\nbaud = 19200\nparity = \"even\"\nregister = 0\nkind = \"u32\"\nwords = \"low_first\"\nuom_register = 9\nuom_code = 1"),
            "modbus",
            "https://id.gs1.org/8004/9521001PROBE1 Temperature",
        ),
        (
            format!("type = \"onewire\"\n{SENSOR}device = \"28-00000720b1f3\"\nplausible_min = -55\nplausible_max = 125\nimplausible = \"refuse\"\nstuck_s = 3600"),
            "onewire",
            "https://id.gs1.org/8004/9521001PROBE1 Temperature",
        ),
        (
            format!("type = \"iio\"\n{SENSOR}device = \"bme280\"\nchannel = \"temp\""),
            "iio",
            "https://id.gs1.org/8004/9521001PROBE1 Temperature",
        ),
        (
            "type = \"gpsd\"\ninterval_s = 60\nsensor = \"https://id.gs1.org/8004/9521001GPS1\"".to_owned(),
            "gpsd",
            "https://id.gs1.org/8004/9521001GPS1 position",
        ),
        (
            "type = \"serial\"\nport = \"/dev/ttyACM0\"\nstep = \"storing\"".to_owned(),
            "serial",
            "/dev/ttyACM0",
        ),
        (
            "type = \"evdev\"\npath = \"/dev/input/event3\"\nstep = \"storing\"\nseparator = \"|\"\nrepeat_ms = 0".to_owned(),
            "evdev",
            "/dev/input/event3",
        ),
        (
            "type = \"folder\"\npath = \"/tmp/drop\"\nformat = \"csv\"\nstep = \"storing\"\ncolumns = { item = \"Code\" }".to_owned(),
            "folder",
            "/tmp/drop",
        ),
    ];
    for (fields, kind, name) in cases {
        let config = Config::parse("a.toml", &source(&fields)).expect(kind);
        assert_eq!(config.sources[0].kind(), kind);
        assert_eq!(config.sources[0].name(), name);
    }
}

#[test]
fn what_cannot_work_in_a_source_is_named_with_its_field() {
    let modbus = format!("type = \"modbus\"\n{SENSOR}register = 0\nkind = \"i16\"\n");
    let serial = "type = \"serial\"\nport = \"/dev/ttyACM0\"\nstep = \"storing\"\n";
    let folder = "type = \"folder\"\npath = \"/tmp/drop\"\nformat = \"csv\"\n";
    let cases = [
        (modbus.clone(), "source.address: "),
        (
            format!("{modbus}port = \"/dev/a\"\naddress = \"127.0.0.1:502\""),
            "source.address: ",
        ),
        (
            format!("{modbus}address = \"127.0.0.1:502\"\nbaud = 9600"),
            "source.port: ",
        ),
        (
            format!("{modbus}port = \"/dev/a\"\nparity = \"mark\""),
            "source.parity: ",
        ),
        (
            format!("{modbus}address = \"127.0.0.1:502\"\nuom_code = 1"),
            "source.uom_code: ",
        ),
        (
            format!("{modbus}address = \"127.0.0.1:502\"\nplausible_min = 5\nplausible_max = 5"),
            "source.plausible_max: ",
        ),
        (
            format!("{modbus}address = \"127.0.0.1:502\"\nimplausible = \"drop\""),
            "source.implausible: ",
        ),
        (
            format!("type = \"onewire\"\n{SENSOR}device = \"../28-00\""),
            "source.device: ",
        ),
        (
            format!("type = \"onewire\"\n{SENSOR}device = \"28-00\"\nchannel = \"temp\""),
            "source.channel: ",
        ),
        (format!("type = \"gpsd\"\n{SENSOR}"), "source.measurement: "),
        (format!("{serial}grab = true"), "source.grab: "),
        (format!("{serial}separator = \"A\""), "source.separator: "),
        (format!("{serial}step = \"x\""), "step: "),
        (folder.to_owned(), "source.columns: "),
        (
            format!("{folder}columns = {{ item = \"Code\" }}"),
            "source.step: ",
        ),
        (
            format!("{folder}step = \"storing\"\ncolumns = {{ itm = \"Code\" }}"),
            "source.columns: ",
        ),
        (
            format!(
                "{folder}step = \"storing\"\ncolumns = {{ item = \"Code\" }}\ntime_format = \"%H\""
            ),
            "source.time_format: ",
        ),
    ];
    for (fields, field) in cases {
        let (_, found, problem) = refusal(&source(&fields));
        assert_eq!(found, field, "{fields}: {problem}");
    }
}

#[test]
fn devices_on_one_line_agree_about_it() {
    let one = |sensor: &str, more: &str| {
        format!(
            "[[source]]\ntype = \"modbus\"\nport = \"/dev/ttyUSB0\"\nregister = 0\nkind = \"i16\"\n\
             interval_s = 60\nsensor = \"https://id.gs1.org/8004/9521001{sensor}\"\n\
             measurement = \"Temperature\"\nuom = \"CEL\"\n{PLACED}{more}"
        )
    };
    let file = |more: &str| format!("state = \"/tmp/x\"\n{}{}", one("A", ""), one("B", more));
    assert!(Config::parse("a.toml", &file("unit = 2\n")).is_ok());
    let (line, field, _) = refusal(&file("baud = 19200\n"));
    assert_eq!((line, field.as_str()), (12, "source.port: "));
    let scanner = "[[source]]\ntype = \"serial\"\nport = \"/dev/ttyUSB0\"\nstep = \"storing\"\n";
    let (_, field, _) = refusal(&format!(
        "state = \"/tmp/x\"\n{}{scanner}{PLACED}",
        one("A", "")
    ));
    assert_eq!(field, "source.port: ");
}

fn with_rule(rule: &str) -> String {
    let modbus = MODBUS.replace("type = \"modbus\"", "type = \"modbus\"\nname = \"cold\"");
    format!(
        "{modbus}[[source]]\ntype = \"scan\"\npath = \"/tmp/scans\"\n\
         place = \"https://id.gs1.org/414/9521001000024\"\n[[rule]]\n{rule}\n"
    )
}

/// The line of the rule's first field in [`with_rule`].
const RULE: usize = 20;

#[test]
fn rules_are_put_to_their_sources() {
    let text = with_rule(
        "type = \"window\"\nsource = \"cold\"\nwindow_s = 3600\nreport = [\"mean\", \"p95\"]\n\
         [[rule]]\ntype = \"excursion\"\nsource = \"https://id.gs1.org/8004/9521001PROBE1\"\nend_after = 3\n\
         [[rule]]\ntype = \"scan\"\nsource = \"/tmp/scans\"\nstep = \"receiving\"\ntransaction = \"po\"\n\
         sources = { owning_party = \"(417)9521001000048\" }\n\
         [[rule]]\ntype = \"recipe\"\nsource = \"/tmp/scans\"\nselect = \"MIX\"\nstep = \"commissioning\"\n\
         inputs = [{ item = \"(01)09521001000017\", quantity = 2.5, uom = \"KGM\" }]\n\
         outputs = [{ item = \"(01)09521001000031\" }]\ncount = 12",
    );
    let config = Config::parse("a.toml", &text).expect("config");
    let [SourceConfig::Modbus(modbus), SourceConfig::Lines(lines)] = &config.sources[..] else {
        panic!("two sources")
    };
    let Telemetry::Window(window) = &modbus.rule.telemetry else {
        panic!("a window")
    };
    assert_eq!(window.figures, [Figure::Mean, Figure::Percentile(95)]);
    assert_eq!(modbus.rule.interval, Some(Duration::from_secs(60)));
    assert_eq!(modbus.rule.excursion.map(|rule| rule.end_after), Some(3));
    assert_eq!(lines.rules.len(), 2);
    assert_eq!(
        lines.rules[0].parties[0].id,
        "https://id.gs1.org/417/9521001000048"
    );
    assert_eq!(lines.rules[1].name, "recipe 2");
}

#[test]
fn rules_that_cannot_work_are_refused_with_line_and_field() {
    let window = "type = \"window\"\nsource = \"cold\"\nwindow_s = 3600";
    let pack = "type = \"pack\"\nsource = \"/tmp/scans\"\nstep = \"packing\"\nclose = \"DONE\"";
    let cases = [
        ("type = \"mean\"", 0, "rule.type: "),
        ("type = \"window\"\nsource = \"warm\"", 1, "rule.source: "),
        (
            "type = \"window\"\nsource = \"/tmp/scans\"",
            1,
            "rule.source: ",
        ),
        ("type = \"scan\"\nsource = \"cold\"", 1, "rule.source: "),
        ("type = \"window\"", 0, "rule.source: "),
        ("type = \"window\"\nsource = \"cold\"", 0, "rule.window_s: "),
        (&window.replace("3600", "7000"), 2, "rule.window_s: "),
        (&window.replace("3600", "30"), 2, "rule.window_s: "),
        (
            &format!("{window}\nreport = [\"mean\", \"median\"]"),
            3,
            "rule.report: ",
        ),
        (&format!("{window}\nreport = [\"p0\"]"), 3, "rule.report: "),
        (
            &format!("{window}\nreport = [\"max\", \"max\"]"),
            3,
            "rule.report: ",
        ),
        (&format!("{window}\nreport = []"), 3, "rule.report: "),
        (&format!("{window}\nstep = \"packing\""), 3, "rule.step: "),
        (&format!("{window}\n[[rule]]\n{window}"), 4, "rule.type: "),
        (
            "type = \"dead_band\"\nsource = \"cold\"\nevery_s = 600\nband = -1.0",
            3,
            "rule.band: ",
        ),
        (
            "type = \"dead_band\"\nsource = \"cold\"\nband = 1.0",
            0,
            "rule.every_s: ",
        ),
        (
            "type = \"excursion\"\nsource = \"cold\"\nbegin_after = 0",
            2,
            "rule.begin_after: ",
        ),
        (&pack.replace("close = \"DONE\"", ""), 0, "rule.close: "),
        (
            &pack.replace("\"packing\"", "\"packaging\""),
            2,
            "rule.step: ",
        ),
        (
            &pack.replace("DONE", "(01)09521001000017"),
            3,
            "rule.close: ",
        ),
        (&format!("{pack}\ncancel = \"DONE\""), 4, "rule.cancel: "),
        (&format!("{pack}\ncount = 0"), 4, "rule.count: "),
        (&format!("{pack}\ncount = 500"), 4, "rule.count: "),
        (
            &format!("{pack}\ntimeout_s = 100000"),
            4,
            "rule.timeout_s: ",
        ),
        (
            &format!("{pack}\ndisposition = \"boxed\""),
            4,
            "rule.disposition: ",
        ),
        (
            &format!("{pack}\nplace = \"(01)09521001000017\""),
            4,
            "rule.place: ",
        ),
        (
            &format!("{pack}\ntransaction = \"order\""),
            4,
            "rule.transaction: ",
        ),
        (
            &format!("{pack}\ntransaction_required = true"),
            4,
            "rule.transaction_required: ",
        ),
        (
            &format!("{pack}\ntransaction = \"po\"\ntransaction_prefix = \"PO\""),
            5,
            "rule.transaction_prefix: ",
        ),
        (
            &format!("{pack}\ntransaction = \"po\"\ntransaction_gln = \"9521001000025\""),
            5,
            "rule.transaction_gln: ",
        ),
        (
            &format!("{pack}\nsources = {{ owner = \"(417)9521001000048\" }}"),
            4,
            "rule.sources: ",
        ),
        (
            &format!("{pack}\ndestinations = {{ location = \"(01)09521001000017\" }}"),
            4,
            "rule.destinations: ",
        ),
        (&format!("{pack}\n[[rule]]\n{pack}"), 4, "rule.select: "),
        (
            &format!("{pack}\n[[rule]]\nselect = \"DONE\"\n{pack}"),
            5,
            "rule.select: ",
        ),
        (
            &format!("{pack}\npresence = \"here\""),
            4,
            "rule.presence: ",
        ),
        (&format!("{pack}\nwindow_s = 60"), 4, "rule.window_s: "),
    ];
    for (rule, line, field) in cases {
        let (found_line, found_field, problem) = refusal(&with_rule(rule));
        let expected = (
            RULE + line - usize::from(line == 0 && !rule.starts_with("type = \"mean\"")),
            field,
        );
        assert_eq!(
            (found_line, found_field.as_str()),
            expected,
            "{rule}: {problem}"
        );
    }
}

#[test]
fn recipes_that_cannot_work_are_refused_with_line_and_field() {
    let recipe = |inputs: &str, outputs: &str| {
        with_rule(&format!(
            "type = \"recipe\"\nsource = \"/tmp/scans\"\nstep = \"commissioning\"\ncount = 1\n\
             inputs = [{inputs}]\noutputs = [{outputs}]"
        ))
    };
    let flour = "{ item = \"(01)09521001000017\" }";
    let bread = "{ item = \"(01)09521001000031\" }";
    assert!(Config::parse("a.toml", &recipe(flour, bread)).is_ok());
    let cases = [
        (recipe("", bread), 4, "rule.inputs: "),
        (recipe(flour, flour), 5, "rule.outputs: "),
        (
            recipe(&format!("{flour}, {flour}"), bread),
            4,
            "rule.inputs: ",
        ),
        (
            recipe("{ item = \"(01)09521001000017(10)L\" }", bread),
            4,
            "rule.inputs.item: ",
        ),
        (
            recipe("{ item = \"(00)095210010000000017\" }", bread),
            4,
            "rule.inputs.item: ",
        ),
        (
            recipe(flour, "{ item = \"(01)09521001000031\", quantity = 0 }"),
            5,
            "rule.outputs.quantity: ",
        ),
        (
            recipe(flour, "{ item = \"(01)09521001000031\", quantity = 0.5 }"),
            5,
            "rule.outputs.quantity: ",
        ),
        (
            recipe(flour, "{ item = \"(01)09521001000031\", uom = \"KGM\" }"),
            5,
            "rule.outputs.uom: ",
        ),
        (
            recipe(
                flour,
                "{ item = \"(01)09521001000031\", quantity = 5, uom = \"kilo\" }",
            ),
            5,
            "rule.outputs: ",
        ),
    ];
    for (text, line, field) in cases {
        let (found_line, found_field, problem) = refusal(&text);
        assert_eq!(
            (found_line, found_field.as_str()),
            (RULE + line, field),
            "{text}: {problem}"
        );
    }
}

#[test]
fn a_window_replaces_the_batch_of_its_source() {
    let text = with_rule("type = \"window\"\nsource = \"cold\"\nwindow_s = 3600")
        .replace("interval_s = 60", "interval_s = 60\nreadings_per_event = 5");
    let (line, field, _) = refusal(&text);
    assert_eq!((line, field.as_str()), (10, "source.readings_per_event: "));
    let text =
        with_rule("type = \"excursion\"\nsource = \"cold\"").replace("alarm_max = 8.0\n", "");
    assert_eq!(refusal(&text).1, "rule.source: ");
}
