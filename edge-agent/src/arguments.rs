//! The words of the command line. What there is stands in one table, of which both the reading and
//! the help are made. A library for this would be a fifteenth of the program
//! (`platform/docs/decisions/0026`).

mod form;
mod help;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use schemas::ids::Slug;

use self::form::{FORMS, Form, Word};

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run until it is asked to end.
    Run {
        /// Configuration file.
        config: PathBuf,
    },
    /// Enrol this device.
    Enrol {
        /// File of the claim, its JSON, or `-`.
        claim: String,
        /// Configuration file.
        config: PathBuf,
        /// Name asked for, where it is not the configuration's.
        name: Option<Slug>,
    },
    /// Change the device's key.
    Rotate {
        /// File of the claim, its JSON, or `-`; none ends the change that is under way.
        claim: Option<String>,
        /// Configuration file.
        config: PathBuf,
    },
    /// Write a commented configuration.
    Init {
        /// Where; never overwritten.
        config: PathBuf,
    },
    /// Show what would be signed.
    Preview {
        /// Configuration file.
        config: PathBuf,
        /// Scan lines come from standard input.
        stdin: bool,
        /// End after so many seconds.
        seconds: Option<u64>,
        /// One JSON object a line.
        json: bool,
    },
    /// Verify the outbox again.
    Audit {
        /// Configuration file.
        config: PathBuf,
        /// One JSON object.
        json: bool,
    },
    /// Look at everything that the agent needs.
    Doctor {
        /// Configuration file.
        config: PathBuf,
        /// One JSON object.
        json: bool,
    },
}

/// What the words ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Something to do.
    Command(Command),
    /// Something to read: help or the version, for standard output.
    Text(String),
}

/// Words that ask for nothing that there is: what is wrong, how it is written, where help is. For
/// standard error, with exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error: {problem}\n\n{usage}\n\nFor more information, try '--help'.")]
pub struct WordsError {
    problem: String,
    usage: String,
}

/// Reads the words after the program's name.
///
/// # Errors
/// [`WordsError`] where they ask for nothing that there is.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Asked, WordsError> {
    let mut words = words.into_iter();
    let wrong = |problem: String| WordsError {
        problem,
        usage: help::program_usage(),
    };
    let Some(first) = words.next() else {
        return Err(WordsError {
            problem: "a command is required".to_owned(),
            usage: help::program().trim_end().to_owned(),
        });
    };
    let first = first.to_string_lossy().into_owned();
    match first.as_str() {
        "-h" | "--help" => return Ok(Asked::Text(help::program())),
        "-V" | "--version" => return Ok(Asked::Text(help::version())),
        "help" => return asked_help(words.next()).map_err(wrong),
        _ => {}
    }
    let form = form_of(&first).map_err(wrong)?;
    read_form(form, words).map_err(|problem| WordsError {
        problem,
        usage: help::usage(form),
    })
}

fn asked_help(command: Option<OsString>) -> Result<Asked, String> {
    let Some(command) = command else {
        return Ok(Asked::Text(help::program()));
    };
    form_of(&command.to_string_lossy()).map(|form| Asked::Text(help::command(form)))
}

fn form_of(name: &str) -> Result<&'static Form, String> {
    let form = FORMS.iter().find(|form| form.name == name);
    form.ok_or_else(|| format!("there is no command '{name}'"))
}

fn read_form(form: &'static Form, words: impl Iterator<Item = OsString>) -> Result<Asked, String> {
    match given(form, words)? {
        None => Ok(Asked::Text(help::command(form))),
        Some(mut given) => (form.make)(&mut given).map(Asked::Command),
    }
}

/// The words of one command, by their names in its form. A flag has an empty value.
#[derive(Debug, Default)]
struct Given(BTreeMap<&'static str, OsString>);

/// Sorts the words of a command; none where help is asked for.
fn given(
    form: &'static Form,
    mut words: impl Iterator<Item = OsString>,
) -> Result<Option<Given>, String> {
    let mut given = Given::default();
    let mut only_values = false;
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if only_values || text == "-" || !text.starts_with('-') {
            given.put(form.value(&text)?, word)?;
        } else if text == "--" {
            only_values = true;
        } else if text == "-h" || text == "--help" {
            return Ok(None);
        } else {
            let (option, value) = option(form, &text, &word)?;
            let value = match value {
                None if option.takes.is_some() => words.next().filter(is_value),
                None => Some(OsString::new()),
                some => some,
            };
            let value = value.ok_or_else(|| format!("'{}' needs a value", option.written()))?;
            given.put(option, value)?;
        }
    }
    Ok(Some(given))
}

/// What begins like an option is none's value.
fn is_value(word: &OsString) -> bool {
    let text = word.to_string_lossy();
    text == "-" || !text.starts_with('-')
}

/// The option that a word names, and its value where one is behind a `=`.
fn option(
    form: &'static Form,
    text: &str,
    word: &OsString,
) -> Result<(&'static Word, Option<OsString>), String> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let name = text.split('=').next().unwrap_or_default();
    let found = form.words.iter().find(|known| known.name == name);
    let found = found.ok_or_else(|| format!("there is no option '{name}' here"))?;
    let bytes = word.as_bytes();
    let value = bytes.iter().position(|byte| *byte == b'=');
    let value = value.map(|at| OsString::from_vec(bytes[at + 1..].to_vec()));
    if value.is_some() && found.takes.is_none() {
        return Err(format!("'{name}' takes no value"));
    }
    Ok((found, value))
}

impl Given {
    fn put(&mut self, word: &'static Word, value: OsString) -> Result<(), String> {
        match self.0.insert(word.name, value) {
            None => Ok(()),
            Some(_) => Err(format!("'{}' is given twice", word.written())),
        }
    }

    fn has(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// The value of a word, as what it stands for.
    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, String> {
        let Some(value) = self.0.remove(name) else {
            return Ok(None);
        };
        let value = value.to_string_lossy();
        let parsed = value.parse();
        let parsed = parsed.map_err(|error| format!("'{value}' is no value for '{name}': {error}"));
        parsed.map(Some)
    }

    /// The claim, which may be JSON: bytes that are no text are none.
    fn claim(&mut self) -> Result<Option<String>, String> {
        let claim = self.0.remove("CLAIM").map(OsString::into_string);
        claim
            .transpose()
            .map_err(|_| "the claim is no text".to_owned())
    }

    fn config(&mut self) -> Result<PathBuf, String> {
        let config = self.0.remove("--config").map(PathBuf::from);
        config.ok_or_else(|| "'--config <FILE>' is required".to_owned())
    }
}

#[cfg(test)]
mod tests;
