//! The page of a witness: what it has signed, what it has refused.

use askama::Template;
use schemas::time::Instant;

use super::format::{iso, utc};
use super::pages::Shell;
use super::text::{self, Text};
use super::{Lang, RenderError};

/// A log as the witness signed it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its name.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root, base64.
    pub root: String,
}

/// A note that was refused and is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkRow {
    /// File of the evidence, below `/evidence/`.
    pub file: String,
    /// Which log.
    pub origin: String,
    /// Number of entries of the refused note.
    pub size: u64,
    /// Two roots at one size; else no proof led to it.
    pub proven: bool,
    /// Root that was cosigned, base64.
    pub cosigned: String,
    /// Root that was refused, base64.
    pub refused: String,
    /// When.
    pub time: Instant,
}

/// What the page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessView {
    /// Name in cosignatures.
    pub name: String,
    /// Ed25519 key in hex.
    pub key: String,
    /// By origin.
    pub logs: Vec<LogRow>,
    /// By file.
    pub forks: Vec<ForkRow>,
}

struct Row<'v> {
    fork: &'v ForkRow,
    when: String,
    iso: String,
    tone: &'static str,
    what: &'static str,
}

#[derive(Template)]
#[template(path = "witness.html", config = "web/askama.toml")]
struct WitnessPage<'v> {
    shell: Shell,
    t: Text,
    view: &'v WitnessView,
    tone: &'static str,
    state: String,
    rows: Vec<Row<'v>>,
}

/// Writes the page; it carries its style sheet, so its answer needs
/// [`super::assets::POLICY`].
///
/// # Errors
/// Only when the template cannot be written, which is a fault of ours.
pub fn render(view: &WitnessView, lang: Lang) -> Result<String, RenderError> {
    let t = text::of(lang);
    let forks = view.forks.iter().filter(|fork| fork.proven).count();
    let (tone, state) = match forks {
        0 => ("ok", t.get("witness.fine").to_owned()),
        count => ("bad", t.count("witness.forked", count)),
    };
    let row = |fork| row(&t, fork);
    let title = format!("{} {}", t.get("witness.title"), view.name);
    let page = WitnessPage {
        shell: Shell::new(t, &title, false).with_its_style(),
        t,
        view,
        tone,
        state,
        rows: view.forks.iter().map(row).collect(),
    };
    Ok(page.render()?)
}

fn row<'v>(t: &Text, fork: &'v ForkRow) -> Row<'v> {
    let (tone, what) = if fork.proven {
        ("bad", t.find("witness.fork"))
    } else {
        ("warn", t.find("witness.unproven"))
    };
    Row {
        fork,
        when: utc(fork.time),
        iso: iso(fork.time),
        tone,
        what: what.unwrap_or_default(),
    }
}
