use super::*;

const EXAMPLE: &str = include_str!("../../../fixtures/declaration.toml");

fn example() -> Declaration {
    Declaration::parse("declaration.toml", EXAMPLE).unwrap()
}

/// The second version of the example with something replaced.
fn second(old: &str, new: &str) -> Declaration {
    let hash = example().hash().unwrap();
    let version = format!("version = 2\nprevious = \"{hash}\"");
    assert!(EXAMPLE.contains(old), "{old}");
    let text = EXAMPLE.replace(old, new).replace("version = 1", &version);
    Declaration::parse("declaration.toml", &text).unwrap()
}

#[test]
fn the_example_is_read() {
    let declared = example();
    assert_eq!(declared.lead().unwrap().name, "Example Bank");
    assert_eq!(declared.regions.len(), 2);
    assert_eq!(declared.compensation[0].floor.fen(), 50_000_000);
    let json = String::from_utf8(declared.to_bytes().unwrap()).unwrap();
    assert!(json.starts_with(
        r#"{"format":"sandbox-declaration/v1","project":"trace-finance-1","version":1"#
    ));
}

#[test]
fn comments_and_order_do_not_change_the_hash_and_every_value_does() {
    let hash = example().hash().unwrap();
    let other = EXAMPLE.replace("# GB/T 2260\n", "\n# other words\n");
    let same = Declaration::parse("d", &other).unwrap();
    assert_eq!(same.hash().unwrap(), hash);
    let other = EXAMPLE.replace("answer_days = 15", "answer_days = 14");
    let changed = Declaration::parse("d", &other).unwrap();
    assert_ne!(changed.hash().unwrap(), hash);
}

#[test]
fn a_version_names_the_one_before_and_says_what_changed() {
    let next = second("answer_days = 15", "answer_days = 7");
    let change = Change {
        path: "complaints[0].answer_days".to_owned(),
        before: Some("15".to_owned()),
        after: Some("7".to_owned()),
    };
    assert_eq!(next.follow(&example()).unwrap(), [change]);
    let open = second("end = \"2027-11-30\"\n", "");
    let changes = open.follow(&example()).unwrap();
    assert_eq!((changes.len(), changes[0].path.as_str()), (1, "end"));
    assert_eq!(changes[0].after, None);
}

#[test]
fn a_version_out_of_order_does_not_follow() {
    let first = example();
    let same = second("# GB/T 2260", "# other words");
    assert!(matches!(same.follow(&first), Err(FollowError::Same)));
    let mut other = second("answer_days = 15", "answer_days = 7");
    other.previous = Some(Hash::ZERO);
    assert!(matches!(
        other.follow(&first),
        Err(FollowError::Previous(_))
    ));
    other.version = 3;
    let error = other.follow(&first).unwrap_err().to_string();
    assert_eq!(error, "`version` is 3, the next one is 2");
    other.project = "other".parse().unwrap();
    assert!(matches!(other.follow(&first), Err(FollowError::Project(_))));
}

#[test]
fn every_error_names_line_and_field() {
    let line_of = |needle: &str, nth: usize| {
        let mut found = (1..)
            .zip(EXAMPLE.lines())
            .filter(|(_, line)| line.contains(needle));
        found.nth(nth).unwrap().0
    };
    let first_code = example().applicants[0].credit_code.to_string();
    let second_code = example().applicants[1].credit_code.to_string();
    let wrong_code = format!("{}X", &first_code[..17]);
    let lei = example().applicants[0].lei.clone().unwrap().to_string();
    let swapped_lei = format!("XE{}", &lei[2..]);
    for (old, new, line, expected) in [
        (
            "version = 1",
            "version = 0",
            line_of("version", 0),
            "version: versions begin at 1",
        ),
        (
            "version = 1",
            "version = 2",
            0,
            "previous: the hash of the version before",
        ),
        (
            "end = \"2027-11-30\"",
            "end = \"2026-12-01\"",
            line_of("end =", 0),
            "end: after the start",
        ),
        (
            "\"330100\"",
            "\"310115\"",
            line_of("regions", 0),
            "regions: 310115 lies in 310115, or stands twice",
        ),
        (
            "\"330100\"",
            "\"310000\"",
            line_of("regions", 0),
            "regions: 310115 lies in 310000",
        ),
        (
            "\"330100\"",
            "\"990100\"",
            line_of("regions", 0),
            "regions: `990100`: no province",
        ),
        (
            &*first_code,
            &*wrong_code,
            line_of("credit_code", 0),
            "credit_code: `",
        ),
        (
            &*second_code,
            &*first_code,
            line_of("credit_code", 1),
            "applicants[1].credit_code: it stands twice",
        ),
        (&*lei, &*swapped_lei, line_of("lei", 0), "lei: `XE"),
        (
            "licence = \"bank\"\n",
            "",
            line_of("[[applicants]]", 0),
            "applicants[0].licence: one applicant at least",
        ),
        (
            "name = \"Zhao Min\"",
            "name = \" \"",
            line_of("Zhao Min", 0),
            "responsible[2].name: 1 to 128 characters",
        ),
        (
            "duty = \"data\"",
            "duty = \"risk\"",
            line_of("duty", 0),
            "nobody answers for duty = \"data\"",
        ),
        (
            "run_off_days = 366",
            "run_off_days = 0",
            line_of("run_off_days", 0),
            "exit.run_off_days: 1 to 3660 days",
        ),
        (
            "answer_days = 15",
            "answer_days = 367",
            line_of("answer_days", 0),
            "complaints[0].answer_days: 1 to 366",
        ),
        (
            "floor = \"500000.00\"",
            "floor = \"2000000.01\"",
            line_of("floor =", 0),
            "compensation[0].floor: at most",
        ),
        (
            "amount = \"2000000.00\"",
            "amount = \"2e6\"",
            line_of("amount =", 0),
            "compensation[0].amount: `2e6` is not an amount",
        ),
        (
            "scope = ",
            "scoop = ",
            line_of("scope", 0),
            "unknown field `scoop`",
        ),
        (
            "medium = \"telephone\"",
            "medium = \"pigeon\"",
            line_of("medium", 0),
            "unknown variant `pigeon`",
        ),
    ] {
        assert!(EXAMPLE.contains(old), "{old}");
        let changed = EXAMPLE.replacen(old, new, 1);
        let error = Declaration::parse("declaration.toml", &changed).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(expected), "{new}: {text}");
        assert_eq!(error.line, line, "{new}: {text}");
    }
}

#[test]
fn a_list_that_is_needed_is_missed() {
    let cut = EXAMPLE.find("[[compensation]]").unwrap();
    let error = Declaration::parse("d", &EXAMPLE[..cut]).unwrap_err();
    assert!(
        error.to_string().contains("compensation: 1 to 256"),
        "{error}"
    );
}
