//! `platform archive`: content of old months into files that prove it, out of the database; such a
//! file checked by whoever has it; and put back (`docs/archive.md`).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use clap::Args;
use schemas::time::Instant;

use super::{prove, verify};
use crate::archive::{self, Archivist, Folder, Outcome, check};
use crate::config::Config;
use crate::partition;
use crate::store::{self, Month};

/// What the program was asked to do.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Configuration file; not needed to verify.
    #[arg(long, required_unless_present = "verify")]
    pub config: Option<PathBuf>,
    /// Archive the months that ended before this date (`2026-01-01`, or a month, `2026-01`) instead
    /// of those that `retention.contents_months` names.
    #[arg(long, value_name = "DATE", conflicts_with_all = ["verify", "restore"])]
    before: Option<String>,
    /// Say which months would be archived, and change nothing.
    #[arg(long, conflicts_with_all = ["verify", "restore"])]
    dry_run: bool,
    /// Check archives; needs no database and no network.
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with = "restore")]
    verify: Vec<PathBuf>,
    /// With `--verify`: a policy file that you trust; default: `policy.json` beside the archive or
    /// one folder up, if there is one.
    #[arg(long, requires = "verify")]
    policy: Option<PathBuf>,
    /// Put the content of an archive back into the database, but for what was erased since.
    #[arg(long, value_name = "FILE")]
    restore: Option<PathBuf>,
}

impl Arguments {
    /// True where no database is asked.
    #[must_use]
    pub const fn only_verifies(&self) -> bool {
        !self.verify.is_empty()
    }

    /// The first month that stays.
    fn first_kept(&self, config: &Config, now: Instant) -> anyhow::Result<Month> {
        let current = Month::of(now).context("the clock is wrong")?;
        let Some(text) = &self.before else {
            let months = config.retention.contents_months.context(
                "retention.contents_months is not set, so content stays for ever: say --before",
            )?;
            return Ok(current.earlier(months));
        };
        let month = text.get(..7).unwrap_or_default().parse::<Month>();
        let month = month.with_context(|| format!("--before {text}"))?;
        let day = Instant::parse_rfc3339(&format!("{text}T00:00:00Z"));
        ensure!(
            text.len() == 7 || day.is_some(),
            "--before {text}: a date is written like 2026-01-31"
        );
        ensure!(
            month <= current,
            "--before {text}: this month is not over, and is never archived"
        );
        Ok(month)
    }
}

/// Checks archives; what was found, in words. Each line begins with the file's name.
///
/// # Errors
/// When one does not hold; the words are those of the first.
pub fn verify(arguments: &Arguments) -> anyhow::Result<String> {
    let mut words = String::new();
    for file in &arguments.verify {
        words.push_str(&verify_one(file, arguments.policy.as_deref())?);
    }
    Ok(words)
}

fn verify_one(file: &Path, policy: Option<&Path>) -> anyhow::Result<String> {
    let near = verify::policy_near(file);
    let policy = policy.or(near.as_deref());
    let trusted = policy.map(verify::trusted_policy).transpose()?;
    let checked = check::check(file, trusted.as_deref())?;
    let under = match trusted {
        Some(_) => "under the policy that you trust",
        None => "under its own policy only: give --policy to compare",
    };
    let mut words = String::new();
    writeln!(
        words,
        "{}: month {}, part {}: {} events of {} statements are those that the witnessed log holds, \
         {under}; {} were erased; manifest {}",
        file.display(),
        checked.head.month,
        checked.head.part,
        checked.manifest.events,
        checked.manifest.statements,
        checked.manifest.erased.len(),
        checked.hash
    )?;
    Ok(words)
}

/// Archives or restores; what was done, in words.
///
/// # Errors
/// When not everything was done; nothing is lost.
pub async fn run(config: &Config, arguments: &Arguments, now: Instant) -> anyhow::Result<String> {
    if let Some(file) = &arguments.restore {
        return restore(config, file).await;
    }
    let first = arguments.first_kept(config, now)?;
    let store = store::open(config).await?;
    if let Some(url) = config.owner.as_ref().or(config.database.as_ref())
        && !arguments.dry_run
    {
        partition::make_if_owner(url, now).await?;
    }
    let mut archivist = Archivist {
        bundler: prove::bundler(Arc::clone(&store)).await?,
        store,
        holder: archive::open(config).await?,
        folder: Folder::take(config)?,
        now,
    };
    let outcomes = archivist.run(first, arguments.dry_run).await?;
    Ok(words(&outcomes, first, arguments.dry_run))
}

fn words(outcomes: &[Outcome], first: Month, dry_run: bool) -> String {
    if outcomes.is_empty() {
        return format!("no content is filed before {first}");
    }
    let line = |outcome: &Outcome| {
        let Outcome {
            month, statements, ..
        } = outcome;
        if dry_run {
            return format!("{month}: content of {statements} statements would be archived");
        }
        let part = outcome.part.as_ref().map_or_else(
            || "is in files of before".to_owned(),
            |part| format!("is in {}", part.name()),
        );
        let events = outcome.removed.events;
        let how = if outcome.removed.whole {
            " as whole partitions"
        } else {
            ""
        };
        let waiting = match outcome.waiting {
            0 => String::new(),
            count => format!("; {count} statements stay until a witnessed checkpoint proves them"),
        };
        format!(
            "{month}: content of {statements} statements {part}; {events} events left the \
             database{how}{waiting}"
        )
    };
    let lines: Vec<String> = outcomes.iter().map(line).collect();
    lines.join("\n")
}

async fn restore(config: &Config, file: &Path) -> anyhow::Result<String> {
    let store = store::open(config).await?;
    let bundler = prove::bundler(Arc::clone(&store)).await?;
    let mut holder = archive::open(config).await?;
    let first = bundler.policies.first();
    let trust = (first.policy.log, Some(&*first.entry));
    // Nobody takes out what was erased, or archives, meanwhile.
    let _alone = Folder::take(config)?;
    let restored = archive::restore(file, &store, &mut *holder, trust).await?;
    if restored.events + restored.there + restored.erased == 0 {
        bail!("{}: there is no content in it", file.display());
    }
    Ok(format!(
        "{} events are in the database again, {} were there, {} were erased since and stay so; the \
         next `platform archive` takes them out again, and the file stays",
        restored.events, restored.there, restored.erased
    ))
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

    fn config(retention: &str) -> Config {
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let text = format!(
            "origin = \"log.example.org/t\"\ndata = \"data\"\norganisation = \"operator\"\n\
             quorum = 1\n{retention}\n[[witness]]\nname = \"w\"\nurl = \"http://127.0.0.1:1\"\n\
             key = \"{key}\"\n[[registrar]]\nname = \"r\"\nkey = \"{key}\"\n"
        );
        Config::parse("platform.toml", &text).unwrap()
    }

    fn first(retention: &str, words: &[&str]) -> Result<String, String> {
        let words = [&["archive", "--config", "c"], words].concat();
        let program = Program::try_parse_from(words).map_err(|error| error.to_string())?;
        let now = Instant::parse_rfc3339("2026-11-22T12:00:00Z").unwrap();
        let first = program.arguments.first_kept(&config(retention), now);
        first
            .map(|month| month.to_string())
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn months_that_stay_are_counted_back_or_said() {
        let year = "[retention]\ncontents_months = 12";
        assert_eq!(first(year, &[]).unwrap(), "2025-11");
        assert_eq!(first(year, &["--before", "2026-03"]).unwrap(), "2026-03");
        assert_eq!(first("", &["--before", "2026-03-31"]).unwrap(), "2026-03");
        assert_eq!(first("", &["--before", "2026-11"]).unwrap(), "2026-11");
        let cases: [(&str, &[&str], &str); 5] = [
            ("", &[], "retention.contents_months is not set"),
            ("", &["--before", "2026-12"], "is not over"),
            ("", &["--before", "2026-02-30"], "a date is written like"),
            ("", &["--before", "yesterday"], "a month is written like"),
            (
                "",
                &["--before", "2026-01", "--restore", "f"],
                "cannot be used with",
            ),
        ];
        for (retention, words, said) in cases {
            let error = first(retention, words).unwrap_err();
            assert!(error.contains(said), "{words:?}: {error}");
        }
    }
}
