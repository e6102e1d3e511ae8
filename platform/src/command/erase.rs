//! `platform erase`: removes the content of events and leaves their proofs (decision 0011). Needs
//! no running platform; one that runs puts the tombstone list into the log at its next round.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use clap::Args;
use schemas::gs1::{Identifier, ItemKey};
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::time::Instant;
use schemas::tombstone::{WORD_MAX, is_reason};

use crate::archive::Folder;
use crate::config::Config;
use crate::erase::{self, Order, Outcome, Place, Removed, What};
use crate::store;

/// Events that a dry run names one by one.
const SHOWN: usize = 100;

/// What the program was asked to erase.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Events by their leaves, 64 hexadecimal digits each.
    #[arg(long, num_args = 1.., value_name = "HEX")]
    leaf: Vec<Hash>,
    /// Every event that names a thing: GS1 Digital Link, EPC URN, element string, or another URI.
    #[arg(long, value_name = "URI", conflicts_with = "leaf")]
    item: Option<String>,
    /// Events of a device with an event time from `--from` to `--to`.
    #[arg(long, value_name = "ORG/DEVICE", requires_all = ["from", "to"],
          conflicts_with_all = ["leaf", "item"])]
    device: Option<DeviceAddress>,
    /// First event time, RFC 3339.
    #[arg(long, requires = "device", value_parser = instant)]
    from: Option<Instant>,
    /// Last event time, RFC 3339.
    #[arg(long, requires = "device", value_parser = instant)]
    to: Option<Instant>,
    /// Why, as a code of lower-case letters, digits and hyphens: it is published, so it names
    /// nobody. For example `subject-request`.
    #[arg(long)]
    reason: String,
    /// Who erases, as published; default: the eraser's database role, else the operator.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Say what would be erased, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

fn instant(text: &str) -> Result<Instant, String> {
    Instant::parse_rfc3339(text).ok_or_else(|| format!("`{text}` is no RFC 3339 instant"))
}

impl Arguments {
    fn order(self) -> anyhow::Result<Order> {
        ensure!(
            is_reason(&self.reason),
            "--reason: it is a code of 1 to {WORD_MAX} lower-case letters, digits and hyphens, \
             since it is published and must name nobody"
        );
        let what = match (self.item, self.device, self.from, self.to) {
            (Some(item), ..) => What::Item(item_key(&item)?),
            (None, Some(device), Some(from), Some(to)) => {
                ensure!(from <= to, "--from is after --to");
                What::Device { device, from, to }
            }
            _ if self.leaf.is_empty() => bail!("say what: --leaf, --item or --device"),
            _ => What::Leaves(self.leaf.into_iter().collect()),
        };
        Ok(Order {
            what,
            reason: self.reason,
            by: self.by,
            dry_run: self.dry_run,
        })
    }
}

/// The name under which a thing is stored, however it is written.
fn item_key(text: &str) -> anyhow::Result<ItemKey> {
    if let Ok(identifier) = Identifier::parse_any(text) {
        return Ok(ItemKey::from(&identifier));
    }
    ItemKey::read(text).with_context(|| format!("--item {text}"))
}

/// Erases; what was done, in words.
///
/// # Errors
/// When nothing was erased, or not everything.
pub async fn run(config: &Config, arguments: Arguments, now: Instant) -> anyhow::Result<String> {
    let order = arguments.order()?;
    let store = store::open(config).await?;
    let mut eraser = erase::open(config, "nothing was erased").await?;
    let folder = Folder::take(config)?;
    let erased = erase::erase_with_archives(&mut *eraser, &*store, &order, now, &folder);
    let outcome = erased.await?;
    Ok(if order.dry_run {
        would_go(&outcome)
    } else {
        gone(&outcome)
    })
}

fn would_go(outcome: &Outcome) -> String {
    let line = |place: &Place| {
        let Place {
            leaf,
            statement,
            position,
        } = place;
        format!("{leaf} (place {position} of statement {statement})\n")
    };
    let lines: String = outcome.places.iter().take(SHOWN).map(line).collect();
    let more = outcome.places.len().saturating_sub(SHOWN);
    format!(
        "{lines}{} events would be erased{}, {} are erased already; nothing was changed",
        outcome.places.len(),
        if more > 0 {
            format!(" ({more} are not listed)")
        } else {
            String::new()
        },
        outcome.before
    )
}

fn gone(outcome: &Outcome) -> String {
    let Removed {
        events,
        items,
        documents,
        messages,
    } = outcome.removed;
    let statements: BTreeSet<Hash> = outcome.places.iter().map(|one| one.statement).collect();
    // Of an archived event nothing but names was in the database.
    let events = events.max(outcome.places.len() as u64);
    let mut lines = vec![format!(
        "{events} events erased in {} statements ({} were erased already); with them {items} names \
         of things, {documents} captured documents, {messages} messages in quarantine",
        statements.len(),
        outcome.before
    )];
    let list =
        |hash: &Hash| format!("tombstone list {hash}: the running platform logs it, or the next");
    lines.extend(outcome.lists.iter().map(list));
    let rewritten = |name: &String| format!("written anew without them: {name}");
    lines.extend(outcome.archives.iter().map(rewritten));
    if !outcome.cleaned.is_empty() {
        lines.push(outcome.cleaned.clone());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn order(words: &[&str]) -> Result<Order, String> {
        let program = Program::try_parse_from([&["erase"], words].concat());
        let program = program.map_err(|error| error.to_string())?;
        program.arguments.order().map_err(|error| error.to_string())
    }

    #[test]
    fn things_are_found_however_they_are_written() {
        let written = [
            "(01)09521001000017(21)S1",
            "https://id.gs1.org/01/09521001000017/21/S1",
            "https://example.org/01/09521001000017/21/S1",
        ];
        for item in written {
            let order = order(&["--item", item, "--reason", "subject-request"]).unwrap();
            let key = "https://id.gs1.org/01/09521001000017/21/S1"
                .parse()
                .unwrap();
            assert_eq!(order.what, What::Item(key), "{item}");
        }
    }

    #[test]
    fn what_is_unclear_is_refused() {
        let leaf = "ab".repeat(32);
        let from = ["--from", "2026-11-22T00:00:00Z"];
        let device = ["--device", "qinghe/line-1", "--reason", "r"];
        let cases: [(Vec<&str>, &str); 6] = [
            (vec!["--reason", "r"], "say what"),
            (vec!["--leaf", &leaf], "--reason"),
            (
                vec!["--leaf", &leaf, "--reason", "Zhang San asked"],
                "names nobody",
            ),
            ([&device[..], &from].concat(), "--to"),
            (
                [&device[..], &from, &["--to", "2026-11-21T00:00:00Z"]].concat(),
                "--from is after --to",
            ),
            (vec!["--leaf", "xyz", "--reason", "r"], "invalid value"),
        ];
        for (words, said) in cases {
            let error = order(&words).unwrap_err();
            let error = error.replace("must name nobody", "names nobody");
            assert!(error.contains(said), "{words:?}: {error}");
        }
    }
}
