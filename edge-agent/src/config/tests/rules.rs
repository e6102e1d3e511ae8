//! `[[rule]]`.

use super::*;

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
fn a_rule_for_a_position_is_one_for_both_of_its_axes() {
    let text = source(
        "type = \"gpsd\"\ninterval_s = 10\nsensor = \"https://id.gs1.org/8004/9521001GPS1\"\n\
         name = \"truck\"",
    );
    let text = format!("{text}[[rule]]\ntype = \"window\"\nsource = \"truck\"\nwindow_s = 60\n");
    let config = Config::parse("a.toml", &text).expect("config");
    let [SourceConfig::Gpsd(gpsd)] = &config.sources[..] else {
        panic!("a position")
    };
    for (rule, axis) in gpsd.rules.iter().zip(["latitude", "longitude"]) {
        assert_eq!(rule.component.as_deref(), Some(axis));
        assert!(matches!(rule.telemetry, Telemetry::Window(_)), "{axis}");
    }
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
        (&pack.replace("DONE", "9521001000017"), 3, "rule.close: "),
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

/// A scanner with these fields, the place in line 8, and a rule from line 10 on.
fn scanner_with(fields: &str, rule: &str) -> String {
    let fields = format!("type = \"serial\"\nport = \"/dev/ttyACM0\"\n{fields}");
    let rule = rule.replace("RULE", "type = \"pack\"\nsource = \"/dev/ttyACM0\"");
    format!("{}{rule}", source(&fields))
}

const PACK: &str = "[[rule]]\nRULE\nstep = \"packing\"\nclose = \"DONE\"\n";

#[test]
fn a_scanner_takes_rules_in_place_of_a_step() {
    let second = "[[rule]]\nRULE\nselect = \"OUT\"\nstep = \"unpacking\"\ncount = 1\n";
    let text = scanner_with("name = \"gun\"", &format!("{PACK}{second}"));
    let config = Config::parse("a.toml", &text).expect("config");
    let [SourceConfig::Scanner(scanner)] = &config.sources[..] else {
        panic!("a scanner")
    };
    let steps: Vec<_> = scanner.rules().iter().map(|rule| &*rule.step).collect();
    assert_eq!(steps, ["packing", "unpacking"]);
    assert_eq!(scanner.rules()[0].place, scanner.place);
    assert_eq!(config.sources[0].scan_rules(), scanner.rules());
    assert_eq!(config.sources[0].steps(), Vec::<&str>::new());
    // Called by its name, a scanner that types does the same.
    let typing = text
        .replace("type = \"serial\"\nport", "type = \"evdev\"\npath")
        .replace("source = \"/dev/ttyACM0\"", "source = \"gun\"");
    let config = Config::parse("a.toml", &typing).expect("config");
    assert_eq!(config.sources[0].scan_rules().len(), 2);
    // Without rules it has its step.
    let text = scanner_with("step = \"storing\"\ndisposition = \"in_progress\"", "");
    let config = Config::parse("a.toml", &text).expect("config");
    assert_eq!(config.sources[0].steps(), ["storing"]);
    assert_eq!(config.sources[0].scan_rules(), []);
}

#[test]
fn a_scanner_has_a_step_or_rules_and_not_both() {
    let window = "[[rule]]\ntype = \"window\"\nsource = \"/dev/ttyACM0\"\nwindow_s = 60\n";
    let cases = [
        (
            "step = \"storing\"",
            PACK,
            5,
            "source.step: ",
            "leave it out",
        ),
        (
            "disposition = \"in_progress\"",
            PACK,
            5,
            "source.disposition: ",
            "leave it out",
        ),
        ("", "", 2, "source.step: ", "is missing"),
        (
            "disposition = \"in_progress\"",
            "",
            2,
            "source.step: ",
            "is missing",
        ),
        (
            "step = \"storing\"",
            window,
            9,
            "rule.source: ",
            "gives scans",
        ),
        ("", window, 9, "rule.source: ", "gives scans"),
    ];
    for (fields, rule, line, field, words) in cases {
        let (found_line, found_field, problem) = refusal(&scanner_with(fields, rule));
        assert_eq!(
            (found_line, found_field.as_str()),
            (line, field),
            "{fields} {rule}: {problem}"
        );
        assert!(problem.contains(words), "{problem}");
    }
}

#[test]
fn a_folder_takes_no_rule_and_the_refusal_says_what_to_do() {
    let folder = source(
        "type = \"folder\"\npath = \"/tmp/drop\"\nformat = \"csv\"\nstep = \"storing\"\n\
         columns = { item = \"Code\" }",
    );
    let rule = PACK.replace("RULE", "type = \"pack\"\nsource = \"/tmp/drop\"");
    let (line, field, problem) = refusal(&format!("{folder}{rule}"));
    assert_eq!((line, field.as_str()), (11, "rule.source: "));
    assert!(
        problem.contains("is a folder") && problem.contains("leave the rule out"),
        "{problem}"
    );
}
