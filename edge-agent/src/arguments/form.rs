//! The table of commands and of the words that each takes.

use std::path::PathBuf;

use super::{Command, Given};

/// One command.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) name: &'static str,
    /// One sentence for the list of commands; more sentences for its own help.
    pub(super) about: &'static str,
    pub(super) words: &'static [Word],
    pub(super) make: fn(&mut Given) -> Result<Command, String>,
}

/// One word of a command.
#[derive(Debug)]
pub(super) struct Word {
    /// Begins with `--` where it is an option; else it is a value by its place.
    pub(super) name: &'static str,
    /// What stands for the value of an option that has one.
    pub(super) takes: Option<&'static str>,
    pub(super) is_required: bool,
    pub(super) about: &'static str,
}

impl Form {
    /// What a value without a name is.
    pub(super) fn value(&self, text: &str) -> Result<&'static Word, String> {
        let value = self.words.iter().find(|word| !word.name.starts_with('-'));
        value.ok_or_else(|| format!("'{text}' is one word too many"))
    }
}

impl Word {
    /// As it is written in usage and messages.
    pub(super) fn written(&self) -> String {
        match self.takes {
            Some(value) => format!("{} <{value}>", self.name),
            None if self.name.starts_with('-') => self.name.to_owned(),
            None => format!("<{}>", self.name),
        }
    }
}

const CONFIG: Word = Word {
    name: "--config",
    takes: Some("FILE"),
    is_required: true,
    about: "Configuration file",
};
const CLAIM: Word = Word {
    name: "CLAIM",
    takes: None,
    is_required: true,
    about: "File of the claim, its JSON (what the QR code holds), or `-` for standard input",
};
const JSON: Word = flag("--json", "Print one JSON object");

const fn flag(name: &'static str, about: &'static str) -> Word {
    Word {
        name,
        takes: None,
        is_required: false,
        about,
    }
}

const fn option(name: &'static str, takes: &'static str, about: &'static str) -> Word {
    Word {
        name,
        takes: Some(takes),
        is_required: false,
        about,
    }
}

/// All commands, in the order of the help.
pub(super) const FORMS: &[Form] = &[
    Form {
        name: "run",
        about: "Run until SIGINT or SIGTERM",
        words: &[CONFIG],
        make: |given| {
            let config = given.config()?;
            Ok(Command::Run { config })
        },
    },
    Form {
        name: "enrol",
        about: "Enrol this device with a claim of its organisation",
        words: &[
            CLAIM,
            CONFIG,
            option(
                "--name",
                "NAME",
                "Name asked for; default is the configuration's `device.name`",
            ),
        ],
        make: enrol,
    },
    Form {
        name: "rotate",
        about: "Change the device's key with a claim of its organisation; the chain goes on",
        words: &[
            Word {
                is_required: false,
                ..CLAIM
            },
            CONFIG,
            flag(
                "--cancel",
                "Go on with the present key: nobody answers for the next one",
            ),
        ],
        make: rotate,
    },
    Form {
        name: "init",
        about: "Write a commented configuration file",
        words: &[option(
            "--config",
            "FILE",
            "Where; never overwritten [default: edge-agent.toml]",
        )],
        make: |given| {
            let config = given.config();
            let config = config.unwrap_or_else(|_| PathBuf::from("edge-agent.toml"));
            Ok(Command::Init { config })
        },
    },
    Form {
        name: "preview",
        about: "Show the events of live readings and scans without sending or keeping them",
        words: &[
            CONFIG,
            flag(
                "--stdin",
                "Read scan lines from standard input instead of the first source of lines, and \
                 end with them",
            ),
            option(
                "--seconds",
                "SECONDS",
                "End after so many seconds instead of at SIGINT or SIGTERM",
            ),
            flag("--json", "Print one JSON object a line"),
        ],
        make: preview,
    },
    Form {
        name: "audit",
        about: "Verify the outbox again: chain, signatures, roots, receipts. Needs no network",
        words: &[CONFIG, JSON],
        make: |given| {
            let (config, json) = (given.config()?, given.has("--json"));
            Ok(Command::Audit { config, json })
        },
    },
    Form {
        name: "doctor",
        about: "Look at everything that the agent needs, and say what to do about what is \
                missing. Exit code 0: all is well, 1: something is doubtful, 2: something does \
                not work",
        words: &[CONFIG, JSON],
        make: |given| {
            let (config, json) = (given.config()?, given.has("--json"));
            Ok(Command::Doctor { config, json })
        },
    },
];

fn enrol(given: &mut Given) -> Result<Command, String> {
    let claim = given.claim()?;
    Ok(Command::Enrol {
        claim: claim.ok_or("'<CLAIM>' is required")?,
        config: given.config()?,
        name: given.parsed("--name")?,
    })
}

fn rotate(given: &mut Given) -> Result<Command, String> {
    let claim = given.claim()?;
    match (&claim, given.has("--cancel")) {
        (None, false) => return Err("'<CLAIM>' is required, or '--cancel'".to_owned()),
        (Some(_), true) => return Err("'--cancel' takes no claim beside it".to_owned()),
        _ => {}
    }
    let config = given.config()?;
    Ok(Command::Rotate { claim, config })
}

fn preview(given: &mut Given) -> Result<Command, String> {
    Ok(Command::Preview {
        config: given.config()?,
        stdin: given.has("--stdin"),
        seconds: given.parsed("--seconds")?,
        json: given.has("--json"),
    })
}
