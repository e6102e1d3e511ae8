use super::*;
use schemas::enrol::Verifier;

const TEXT: &str = r#"
origin = "log.example/t"
data = "DATA"
organisation = "operator"
quorum = 0
witness = []
registrar = []
tls = true
[broker]
listen_tls = "0.0.0.0:8883"
url = "mqtt://localhost:1884"
[broker.mosquitto]
folder = "DATA/broker"
pid_file = "/run/mosquitto/mosquitto.pid"
"#;

fn config(data: &Path) -> Config {
    toml(&TEXT.replace("DATA", &data.display().to_string()))
}

fn now() -> Instant {
    use schemas::time::Clock as _;
    kit::clock::TokioClock.now()
}

/// Without the checks that want witnesses.
fn toml(text: &str) -> Config {
    schemas::config::parse("platform.toml", text).unwrap()
}

#[test]
fn all_files_are_written_and_writing_again_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let config = config(data.path());
    let written = configure(&config, now()).unwrap();
    let read = |paths: &[PathBuf]| -> Vec<String> {
        let text = |path| std::fs::read_to_string(path).unwrap();
        paths.iter().map(text).collect()
    };
    let first = read(&written);
    let devices = data.path().join("broker").join(file::DEVICE_PASSWORDS);
    std::fs::write(&devices, "maker/a:x\n").unwrap();
    configure(&config, now()).unwrap();
    let second = read(&written);
    assert_eq!(
        (&first[..2], &first[3..], second[2].as_str()),
        (&second[..2], &second[3..], "maker/a:x\n")
    );
    let conf = &first[0];
    for line in [
        "listener 8883 0.0.0.0",
        "listener 1884 127.0.0.1",
        "use_username_as_clientid true",
        "message_size_limit 262144",
        "pid_file /run/mosquitto/mosquitto.pid",
    ] {
        assert!(conf.lines().any(|found| found == line), "{line}: {conf}");
    }
    assert!(conf.contains("/tls/server.pem"), "{conf}");
    let login = Login::of(&config).unwrap();
    assert!(first[4].starts_with("tracebond-ingest:$6$"));
    assert!(!first.concat().contains(&login.password));
    assert!(!first.concat().contains(&login.group));
}

#[test]
fn a_listener_for_websockets_has_the_rules_of_the_gateways() {
    let data = tempfile::tempdir().unwrap();
    let text = TEXT.replace("DATA", &data.path().display().to_string());
    let with = text.replace("[broker]\n", "[broker]\nlisten_ws = \"0.0.0.0:443\"\n");
    let written = configure(&toml(&with), now()).unwrap();
    let conf = std::fs::read_to_string(&written[0]).unwrap();
    let (_, section) = conf.split_once("listener 443 0.0.0.0").unwrap();
    let (section, _) = section.split_once("\nlistener ").unwrap();
    for line in [
        "protocol websockets",
        "use_username_as_clientid true",
        "allow_anonymous false",
    ] {
        assert!(
            section.lines().any(|found| found == line),
            "{line}: {section}"
        );
    }
    assert!(section.contains(file::DEVICE_RULES) && section.contains("certfile "));
    let bad = text.replace("[broker]\n", "[broker]\nlisten_ws = \"0.0.0.0:0\"\n");
    let refused = configure(&toml(&bad), now()).unwrap_err();
    assert!(
        refused.to_string().starts_with("broker.listen_ws: "),
        "{refused}"
    );
}

#[test]
fn fields_that_do_not_fit_are_named() {
    let data = tempfile::tempdir().unwrap();
    let good = TEXT.replace("DATA", &data.path().display().to_string());
    for (from, to, field) in [
        (
            "mqtt://localhost:1884",
            "mqtts://localhost:1884",
            "broker.url",
        ),
        (
            "mqtt://localhost:1884",
            "mqtt://192.0.2.1:1884",
            "broker.url",
        ),
        ("0.0.0.0:8883", "0.0.0.0:0", "broker.listen_tls"),
        ("[broker.mosquitto]\n", "[broker.mosquito]\n", "?"),
        ("tls = true", "tls = false", "broker.listen"),
    ] {
        let text = good.replace(from, to);
        let Ok(config) = schemas::config::parse::<Config>("platform.toml", &text) else {
            assert_eq!(field, "?");
            continue;
        };
        let error = configure(&config, now()).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
}

#[test]
fn a_password_file_has_a_line_for_each_device() {
    let (one, two) = (Verifier::of(&[1; 32]), Verifier::of(&[2; 32]));
    let text = text::passwords([("maker/a", &one), ("maker/b", &two)]);
    let names: Vec<&str> = text
        .lines()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(names, ["maker/a", "maker/b"]);
}
