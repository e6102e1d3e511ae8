//! Help, made of the table.

use std::fmt::Write as _;

use super::form::{FORMS, Form, Word};

const NAME: &str = "edge-agent";
const HELP: (&str, &str) = ("-h, --help", "Print help");

/// Name and version.
pub(super) fn version() -> String {
    format!("{NAME} {}\n", env!("CARGO_PKG_VERSION"))
}

/// How the program is called.
pub(super) fn program_usage() -> String {
    format!("Usage: {NAME} <COMMAND>")
}

/// How a command is called.
pub(super) fn usage(form: &Form) -> String {
    let mut text = format!("Usage: {NAME} {}", form.name);
    let by_place = |word: &&Word| !word.name.starts_with('-');
    let options = form.words.iter().filter(|word| !by_place(word));
    // What has its place stands at the end.
    for word in options.chain(form.words.iter().filter(by_place)) {
        let written = word.written();
        // Writing to text does not fail.
        let _ = match word.is_required {
            true => write!(text, " {written}"),
            false => write!(text, " [{written}]"),
        };
    }
    text
}

/// What the program does and which commands there are.
pub(super) fn program() -> String {
    let mut text = String::from(
        "Reads sensors and scans, signs what they state and keeps it until the platform has it\n\n",
    );
    text.push_str(&program_usage());
    let help = ("help".to_owned(), "Print this, or the help of a command");
    let commands = FORMS.iter().map(|form| (form.name.to_owned(), form.about));
    list(&mut text, "Commands", commands.chain([help]).collect());
    let version = ("-V, --version".to_owned(), "Print version");
    list(
        &mut text,
        "Options",
        vec![(HELP.0.to_owned(), HELP.1), version],
    );
    text
}

/// What a command does and which words it takes.
pub(super) fn command(form: &Form) -> String {
    let mut text = format!("{}\n\n{}", form.about, usage(form));
    let (options, values): (Vec<&Word>, Vec<&Word>) = form
        .words
        .iter()
        .partition(|word| word.name.starts_with('-'));
    let line = |word: &Word| (word.written(), word.about);
    if !values.is_empty() {
        let values = values.into_iter().map(line);
        list(&mut text, "Arguments", values.collect());
    }
    let options = options.into_iter().map(line);
    let help = (HELP.0.to_owned(), HELP.1);
    list(&mut text, "Options", options.chain([help]).collect());
    text
}

fn list(text: &mut String, title: &str, lines: Vec<(String, &str)>) {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let _ = write!(text, "\n\n{title}:");
    for (name, about) in lines {
        let _ = write!(text, "\n  {name:width$}  {about}");
    }
    if title == "Options" {
        text.push('\n');
    }
}
