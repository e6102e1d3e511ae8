use super::*;

#[test]
fn the_desk_has_a_line_an_origin_and_machines() {
    let desk = |text: &str| {
        let text = format!("{GOOD}\n{text}");
        Config::parse("credit.toml", &text).map(|config| config.desk)
    };
    let usual = desk("").unwrap();
    assert_eq!(
        usual.review.second_officer_above,
        Money::zero(Currency::CNY)
    );
    assert_eq!(usual.review.offer_valid, Duration::from_secs(7 * 24 * 3600));
    let zeros = "0".repeat(64);
    let stated = desk(&format!(
        "[desk]\norganisation = \"icb\"\norigin = \"https://desk.example\"\n\
         second_officer_above = {{ amount = \"5.00\", currency = \"USD\" }}\n\
         [[machines]]\nname = \"portal\"\ntoken_sha256 = \"{zeros}\"\n"
    ))
    .unwrap();
    assert_eq!(stated.review.second_officer_above.to_string(), "USD 5.00");
    assert_eq!(stated.machines.len(), 1);
    for (text, field) in [
        ("[desk]\norigin = \"https://desk.example/\"", "desk.origin"),
        ("[desk]\norigin = \"desk.example\"", "desk.origin"),
        (
            "[desk]\nsecond_officer_above = { amount = \"5\", currency = \"CNY\" }",
            "desk.second_officer_above",
        ),
        ("[desk]\noffer_valid_h = 0", "desk.offer_valid_h"),
    ] {
        let error = desk(text).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
    let factors = desk("[log_in]\nsecond_factor = [\"officer\"]\n").unwrap();
    assert_eq!(factors.log_in.unwrap().second_factor.len(), 1);
    let cashier = desk("[log_in]\nsecond_factor = [\"cashier\"]\n");
    let error = cashier.unwrap_err().to_string();
    assert!(
        error.contains("log_in.second_factor") && error.contains("`cashier`"),
        "{error}"
    );
    let far = GOOD.replace("127.0.0.1:0", "0.0.0.0:0");
    let error = Config::parse("credit.toml", &far).unwrap_err().to_string();
    assert!(error.contains("desk.origin"), "{error}");
}

const GOOD: &str = r#"
listen = "127.0.0.1:0"
database = "credit.sqlite"
policy = "policy.json"
event_page = "https://trace.example/events/{leaf}"

[evidence]
base = "https://trace.example"
timeout_s = 5

[facts]
late_after_h = 24

[consent]
waived = "a test without signed consents"

[sandbox]
id = "trial-1"
version = 1
currency = "CNY"
per_loan = "500000.00"
outstanding = "2000000.00"

[[products]]
id = "receivable-90"
currency = "CNY"
minimum = "1000.00"
cap = "300000.00"
turnover_multiple = "0.6"
"#;

#[test]
fn a_whole_file_is_read() {
    let config = Config::parse("credit.toml", GOOD).unwrap();
    assert_eq!(config.sandbox.per_loan.fen(), 50_000_000);
    assert_eq!(config.rules.late_after, Duration::from_secs(24 * 3600));
    assert_eq!(config.evidence.timeout, Duration::from_secs(5));
    let product = &config.products[&"receivable-90".parse().unwrap()];
    assert_eq!(product.turnover_multiple, Decimal::new(6, 1));
}

#[test]
fn an_error_names_file_line_and_field() {
    let broken = |from: &str, to: &str| {
        Config::parse("credit.toml", &GOOD.replace(from, to))
            .unwrap_err()
            .to_string()
    };
    let error = broken("500000.00", "-1.00");
    assert_eq!(
        error,
        "credit.toml:21: sandbox.per_loan: an amount is never negative"
    );
    let error = broken("minimum = \"1000.00\"", "minimum = \"900000.00\"");
    assert_eq!(
        error,
        "credit.toml:27: products.minimum: it is above the cap"
    );
    let error = broken("timeout_s = 5", "timeout_s = \"soon\"");
    assert!(error.starts_with("credit.toml:9: timeout_s: "), "{error}");
    let error = broken("late_after_h", "late_after_d");
    assert!(
        error.starts_with("credit.toml:12: late_after_d: unknown field"),
        "{error}"
    );
    let error = broken("{leaf}", "leaf");
    assert!(error.starts_with("credit.toml:5: event_page: "), "{error}");
}

#[test]
fn product_and_sandbox_share_a_currency() {
    let text = GOOD.replacen(
        "currency = \"CNY\"\nminimum",
        "currency = \"EUR\"\nminimum",
        1,
    );
    let error = Config::parse("credit.toml", &text).unwrap_err();
    assert_eq!(error.problem, "the sandbox's currency is CNY");
}

#[test]
fn a_declared_trial_has_its_limits_elsewhere() {
    let trial = "[trial]\ndeclaration = \"d.toml\"\nregion = \"310115\"\ngroup = \"micro\"\n\
                 tenor_days = 90\n[[trial.borrowers]]\nname = \"qinghe\"\nbuyer = \"market\"\n";
    let read = |sandbox: &str, trial: &str| {
        let (before, after) = GOOD.split_once("[sandbox]").unwrap();
        let (_, after) = after.split_once("[[products]]").unwrap();
        let text = format!("{before}[sandbox]\n{sandbox}\n[[products]]{after}\n{trial}");
        Config::parse("credit.toml", &text)
    };
    let named = "id = \"trial-1\"\ncurrency = \"CNY\"";
    let config = read(named, trial).unwrap();
    assert_eq!(config.sandbox.outstanding.fen(), 0, "nothing is lent by it");
    let terms = config.trial.unwrap();
    let market = terms.buyer(&"qinghe".parse().unwrap());
    assert_eq!(market.as_str(), "market");
    assert_eq!(terms.buyer(&"other".parse().unwrap()).as_str(), "unnamed");
    let both = read(&format!("{named}\nversion = 1"), trial).unwrap_err();
    assert!(both.to_string().contains("sandbox.version"), "{both}");
    let neither = read(named, "").unwrap_err();
    assert!(neither.to_string().contains("sandbox.version"), "{neither}");
    let twice = format!("{trial}[[trial.borrowers]]\nname = \"qinghe\"\n");
    let twice = read(named, &twice).unwrap_err();
    assert!(twice.to_string().contains("trial.borrowers"), "{twice}");
}
