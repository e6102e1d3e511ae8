use super::form::FORMS;
use super::*;

fn read(line: &str) -> Result<Asked, String> {
    let words = line.split_whitespace().map(OsString::from);
    super::read(words).map_err(|error| error.to_string())
}

fn command(line: &str) -> Command {
    match read(line).expect("a command") {
        Asked::Command(command) => command,
        Asked::Text(text) => panic!("text: {text}"),
    }
}

fn text(line: &str) -> String {
    match read(line).expect("help") {
        Asked::Text(text) => text,
        Asked::Command(command) => panic!("{command:?}"),
    }
}

/// What is wrong, without usage.
fn problem(line: &str) -> String {
    let error = read(line).expect_err("wrong words");
    assert!(error.contains("\n\nUsage: edge-agent "), "{error}");
    assert!(error.ends_with("For more information, try '--help'."));
    let problem = error.split("\n\n").next().expect("a line");
    problem.trim_start_matches("error: ").to_owned()
}

#[test]
fn every_command_with_all_of_its_words() {
    let config = PathBuf::from("c");
    assert_eq!(
        command("run --config c"),
        Command::Run {
            config: config.clone()
        }
    );
    assert_eq!(
        command("enrol - --name line-1 --config=c"),
        Command::Enrol {
            claim: "-".into(),
            config: config.clone(),
            name: Some("line-1".parse().expect("slug")),
        }
    );
    assert_eq!(
        command("rotate --config c claim.json"),
        Command::Rotate {
            claim: Some("claim.json".into()),
            config: config.clone(),
        }
    );
    assert_eq!(
        command("rotate --cancel --config c"),
        Command::Rotate {
            claim: None,
            config: config.clone(),
        }
    );
    assert_eq!(
        command("preview --json --stdin --seconds 5 --config c"),
        Command::Preview {
            config: config.clone(),
            stdin: true,
            seconds: Some(5),
            json: true,
        }
    );
    assert_eq!(
        command("audit --config c --json"),
        Command::Audit {
            config: config.clone(),
            json: true,
        }
    );
    assert_eq!(
        command("doctor --config c"),
        Command::Doctor {
            config,
            json: false,
        }
    );
}

#[test]
fn init_has_a_file_of_its_own() {
    let init = |config: &str| Command::Init {
        config: config.into(),
    };
    assert_eq!(command("init"), init("edge-agent.toml"));
    assert_eq!(command("init --config a=b"), init("a=b"));
    assert_eq!(command("init --config=a=b"), init("a=b"));
}

#[test]
fn a_claim_may_be_json_or_look_like_an_option() {
    let claim = |words: &[&str]| {
        let words = words.iter().map(OsString::from);
        match super::read(words).expect("words") {
            Asked::Command(Command::Enrol { claim, .. }) => claim,
            other => panic!("{other:?}"),
        }
    };
    let json = "{\"a\": \"--config\"}";
    assert_eq!(claim(&["enrol", json, "--config", "c"]), json);
    assert_eq!(claim(&["enrol", "--config", "c", "--", "-x"]), "-x");
}

#[test]
fn wrong_words_are_named() {
    for (line, said) in [
        ("", "a command is required"),
        ("rum", "there is no command 'rum'"),
        ("help rum", "there is no command 'rum'"),
        ("run", "'--config <FILE>' is required"),
        ("run --config", "'--config <FILE>' needs a value"),
        ("run --config --json", "'--config <FILE>' needs a value"),
        ("run --confg c", "there is no option '--confg' here"),
        ("run --json --config c", "there is no option '--json' here"),
        ("run -x", "there is no option '-x' here"),
        (
            "run --config a --config b",
            "'--config <FILE>' is given twice",
        ),
        ("run --config a b", "'b' is one word too many"),
        ("audit --json=yes --config c", "'--json' takes no value"),
        ("enrol --config c", "'<CLAIM>' is required"),
        ("enrol a b --config c", "'<CLAIM>' is given twice"),
        ("rotate --config c", "'<CLAIM>' is required, or '--cancel'"),
        (
            "rotate a --cancel --config c",
            "'--cancel' takes no claim beside it",
        ),
        (
            "preview --config c --seconds x",
            "'x' is no value for '--seconds': invalid digit found in string",
        ),
    ] {
        assert_eq!(problem(line), said, "{line}");
    }
    let name = problem("enrol a --config c --name A");
    assert!(name.starts_with("'A' is no value for '--name': "), "{name}");
}

#[test]
fn usage_shows_what_must_be_there() {
    let error = read("rotate").expect_err("words are missing");
    let usage = "Usage: edge-agent rotate --config <FILE> [--cancel] [<CLAIM>]";
    assert!(error.contains(usage), "{error}");
    let error = read("enrol").expect_err("words are missing");
    let usage = "Usage: edge-agent enrol --config <FILE> [--name <NAME>] <CLAIM>";
    assert!(error.contains(usage), "{error}");
}

#[test]
fn help_is_there_for_every_command_and_every_word() {
    let all = text("--help");
    assert_eq!(all, text("-h"));
    assert_eq!(all, text("help"));
    for form in FORMS {
        assert!(
            all.contains(&format!("\n  {} ", form.name)),
            "{}",
            form.name
        );
        let own = text(&format!("{} --help", form.name));
        assert_eq!(own, text(&format!("help {}", form.name)));
        assert!(own.starts_with(form.about));
        for word in form.words {
            let line = format!("\n  {} ", word.written());
            assert!(own.contains(&line) && own.contains(word.about), "{own}");
        }
    }
}

#[test]
fn the_version_is_the_packages() {
    assert_eq!(
        text("--version"),
        format!("edge-agent {}\n", env!("CARGO_PKG_VERSION"))
    );
}
