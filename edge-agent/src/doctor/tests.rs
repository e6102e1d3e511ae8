use super::*;

fn check(name: &str, verdict: Verdict) -> Check {
    Check::of(name, verdict, format!("found by {name}"), "")
}

#[test]
fn the_worst_check_decides_the_exit_code() {
    for (verdicts, code) in [
        (vec![], 0),
        (vec![Verdict::Good, Verdict::Skipped], 0),
        (vec![Verdict::Good, Verdict::Doubtful, Verdict::Skipped], 1),
        (vec![Verdict::Bad, Verdict::Doubtful], 2),
    ] {
        let checks = verdicts.into_iter().map(|verdict| check("a", verdict));
        let report = Report::new(checks.collect());
        assert_eq!(report.code(), code, "{report:?}");
    }
}

#[test]
fn secrets_are_cut_out_of_every_line_whoever_wrote_it() {
    let pending = r#"{"claim":"00112233445566ff","password":"aabbccddeeff00112233445566778899"}"#;
    let seed = "07".repeat(32);
    let files = [format!("p256 {seed}\n"), pending.to_owned()];
    let secrets = secrets_of(None, &files);
    let words = format!("seed {seed} password aabbccddeeff00112233445566778899");
    let report = Report::new(vec![
        Check::bad(words.clone(), words.clone(), words),
        Check::good("fine", "nothing to hide"),
    ]);
    let report = report.without(&secrets);
    for text in [report.text(), report.json()] {
        assert!(
            !text.contains(&seed) && !text.contains("aabbccdd"),
            "{text}"
        );
        assert!(text.contains("[secret]") && text.contains("nothing to hide"));
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_the_first_thing_found() {
    let error = ConfigError {
        file: "a.toml".to_owned(),
        line: 3,
        field: "page: ".to_owned(),
        problem: "must be on loopback".to_owned(),
    };
    let report = Report::unreadable(&error);
    assert_eq!(report.code(), 2);
    assert!(
        report
            .text()
            .contains("a.toml:3: page: must be on loopback")
    );
    let json: serde_json::Value = serde_json::from_str(&report.json()).expect("json");
    assert_eq!(json["verdict"], "bad");
    assert_eq!(json["checks"][0]["verdict"], "bad");
}
