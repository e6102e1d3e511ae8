//! `[[source]]`.

use super::*;

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
        (
            "type = \"serial\"\nport = \"/dev/ttyACM0\"\n".to_owned(),
            "source.step: ",
        ),
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
