//! Reads a configuration and checks what its types cannot say, naming the field.

use std::path::Path;

use schemas::config::ConfigError;
use schemas::hash::Hash;
use schemas::key::PublicKey;
use schemas::log::Party;
use schemas::tlog_policy::TlogPolicy;

use super::{CapturerSection, Config, Parties, WitnessSection, WrongField};

/// Shortest and longest lease in seconds. A database session that holds the lease's row while its
/// process is paused is ended by the server after 5 s, which must be less.
const LEASE_S: std::ops::RangeInclusive<u64> = 6..=300;

/// Fewest and most months of content.
const CONTENTS_MONTHS: std::ops::RangeInclusive<u32> = 1..=1_200;

impl Config {
    /// Reads a configuration file's text and checks what types cannot.
    ///
    /// # Errors
    /// [`ConfigError`] with file, line and field.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let mut config: Self = schemas::config::parse(file, text)?;
        let wrong = |field: &str, problem: String| ConfigError::at(file, text, field, problem);
        config
            .read_witness_policy(file)
            .map_err(|problem| wrong("witness_policy", problem))?;
        config
            .parties()
            .map_err(|(field, problem)| wrong(field, problem))?;
        config
            .check_capturers()
            .map_err(|(field, problem)| wrong(field, problem))?;
        if let Some(section) = &config.log_in {
            // Any organisation may come to have people.
            let checked = section.check(|_| true);
            checked.map_err(|(field, problem)| wrong(field, problem))?;
        }
        let own_log_key = config.log_key == "log" || config.log_key.starts_with("log-");
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !own_log_key || !config.log_key.bytes().all(plain) {
            let problem = "log, or log- with small letters, digits and hyphens";
            return Err(wrong("log_key", problem.into()));
        }
        let witnesses = config.witnesses.iter().filter(|w| !w.retiring).count();
        if config.quorum == 0 || config.quorum > witnesses as u64 {
            return Err(wrong(
                "quorum",
                format!("between 1 and the {witnesses} witnesses named"),
            ));
        }
        if config.anchor.batch_statements == 0 || config.anchor.batch_statements > 65_536 {
            return Err(wrong(
                "anchor.batch_statements",
                "between 1 and 65536".into(),
            ));
        }
        if config.anchor.batch_ms == 0 {
            return Err(wrong(
                "anchor.batch_ms",
                "batches need a time above 0".into(),
            ));
        }
        if let Some((field, problem)) = config.broker.limits.problem() {
            return Err(wrong(field, problem));
        }
        if !LEASE_S.contains(&config.anchor.lease_s) {
            let (least, most) = (LEASE_S.start(), LEASE_S.end());
            let problem = format!("between {least} and {most} seconds");
            return Err(wrong("anchor.lease_s", problem));
        }
        let months = config.retention.contents_months;
        if !months.is_none_or(|months| CONTENTS_MONTHS.contains(&months)) {
            let (least, most) = (CONTENTS_MONTHS.start(), CONTENTS_MONTHS.end());
            let problem = format!("between {least} and {most} months");
            return Err(wrong("retention.contents_months", problem));
        }
        Ok(config)
    }

    /// Takes witnesses and quorum from the file that names them.
    fn read_witness_policy(&mut self, file: &str) -> Result<(), String> {
        let Some(named) = &self.witness_policy else {
            return Ok(());
        };
        if self.quorum != 0 || !self.witnesses.is_empty() {
            return Err("it stands instead of `quorum` and `[[witness]]`".into());
        }
        let path = Path::new(file).parent().map(|folder| folder.join(named));
        let path = path.unwrap_or_else(|| named.clone());
        let said = |problem: String| format!("{}: {problem}", path.display());
        let bytes = std::fs::read(&path).map_err(|error| said(error.to_string()))?;
        let policy = TlogPolicy::parse(&bytes).map_err(|error| said(error.to_string()))?;
        let quorum = policy.flat();
        self.quorum = quorum.ok_or_else(|| {
            said("the platform takes one group of all witnesses, which is the quorum".into())
        })?;
        let witnesses = policy.witnesses().iter().map(|witness| {
            let name = &witness.key.name;
            let url = witness.url.as_ref();
            let url = url.ok_or_else(|| said(format!("witness `{name}` has no address")))?;
            Ok(WitnessSection::named(
                name,
                url.to_string(),
                &witness.key.key,
            ))
        });
        self.witnesses = witnesses.collect::<Result<_, String>>()?;
        Ok(())
    }

    /// Every capturer has a name and a token of its own.
    fn check_capturers(&self) -> Result<(), WrongField> {
        for (index, one) in self.capturers.iter().enumerate() {
            if let Some(problem) = one.problem() {
                return Err(problem);
            }
            let before = &self.capturers[..index];
            if before.iter().any(|other| other.name == one.name) {
                return Err(("capturer.name", format!("`{}` stands twice", one.name)));
            }
            let same = |other: &CapturerSection| {
                one.token_sha256.is_some() && other.token_sha256 == one.token_sha256
            };
            if before.iter().any(same) {
                let problem = format!("`{}` has the token of another capturer", one.name);
                return Err(("capturer.token_sha256", problem));
            }
        }
        Ok(())
    }

    /// Witnesses and registrars as the policy names them, by name.
    ///
    /// # Errors
    /// (field, problem) of the first key that is none.
    pub fn parties(&self) -> Result<Parties, WrongField> {
        let party = |field, name: &str, key: &Hash| {
            let key = PublicKey::ed25519(&key.0)
                .map_err(|error| (field, format!("the key of `{name}` is refused: {error}")))?;
            Ok(Party {
                name: name.to_owned(),
                key,
            })
        };
        let witnesses = (self.witnesses.iter())
            .filter(|witness| !witness.retiring)
            .map(|w| party("witness.key", &w.name, &w.key));
        let registrars = self
            .registrars
            .iter()
            .map(|r| party("registrar.key", &r.name, &r.key));
        let mut witnesses = witnesses.collect::<Result<Vec<_>, _>>()?;
        let mut registrars = registrars.collect::<Result<Vec<_>, _>>()?;
        witnesses.sort_by(|a, b| a.name.cmp(&b.name));
        registrars.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((witnesses, registrars))
    }
}

impl WitnessSection {
    /// A witness of which no more is known.
    fn named(name: &str, url: String, key: &PublicKey) -> Self {
        Self {
            name: name.to_owned(),
            url,
            key: Hash(key.ed25519_bytes().unwrap_or_default()),
            owner: None,
            own: false,
            retiring: false,
            ca: None,
        }
    }
}

impl CapturerSection {
    /// What a registry record cannot hold.
    fn problem(&self) -> Option<WrongField> {
        let fits = |list: &[String], most: usize, len: usize| {
            list.len() <= most && list.iter().all(|text| (1..=len).contains(&text.len()))
        };
        if !fits(&self.places, 256, 256) {
            return Some(("capturer.places", "at most 256 of 1 to 256 bytes".into()));
        }
        if !fits(&self.steps, 64, 64) {
            return Some(("capturer.steps", "at most 64 of 1 to 64 bytes".into()));
        }
        None
    }
}
