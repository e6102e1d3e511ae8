//! What a service's configuration says of log-in beyond passwords: `[log_in]`, the same in every
//! service. Without the section there are passwords only.
//!
//! ```toml
//! [log_in]
//! second_factor = ["officer"]     # roles that must have one; everybody else may
//! app_name = "Tracebond"          # what an authenticator app shows it under
//! seal_file = "log-in.key"        # seals the apps' secrets; made at the first start
//!
//! [log_in.provider]               # log-in by OpenID Connect
//! issuer = "https://login.example"
//! client_id = "desk"
//! client_secret_file = "log-in.secret"
//! ```

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemas::causes::causes;
use schemas::ids::Slug;
use schemas::time::{Clock, Instant};
use serde::Deserialize;

use super::oidc::{FetchError, ReqwestFetch, is_safe};
use super::seal::{Seal, SealError};
use super::{
    AccessStore, Extras, Factors, PasswordError, People, Provider, ProviderSettings, Settings,
};
use crate::check::{self, Report};

/// Most characters of what an authenticator app shows.
const APP_NAME_MAX: usize = 64;
/// Most bytes of a client's name at a provider.
const CLIENT_ID_MAX: usize = 256;
/// Most bytes of a file with a provider's secret.
const SECRET_MAX: usize = 4096;

/// `[log_in]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogInSection {
    /// Roles that must have a second factor. Everybody else may set one up at `/login/factor`.
    pub second_factor: BTreeSet<Slug>,
    /// What an authenticator app shows an account under; 1 to 64 characters.
    pub app_name: String,
    /// File of the keys that seal the apps' secrets. The first start makes it. Processes on one
    /// database have the same.
    pub seal_file: PathBuf,
    /// The organisation's own provider, if people log in by one.
    pub provider: Option<ProviderSection>,
}

impl Default for LogInSection {
    fn default() -> Self {
        Self {
            second_factor: BTreeSet::new(),
            app_name: "Tracebond".to_owned(),
            seal_file: "log-in.key".into(),
            provider: None,
        }
    }
}

/// `[log_in.provider]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSection {
    /// Its issuer identifier, exactly as it writes it: `https`, or `http` on this machine.
    pub issuer: String,
    /// What this service is called there.
    pub client_id: String,
    /// File with what this service shows there; none for a public client.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
}

/// A field and what is wrong with it.
pub type WrongField = (&'static str, String);

/// Why log-in cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// A file cannot be read or made.
    #[error("{field}: {file} cannot be used")]
    File {
        /// Of the configuration.
        field: &'static str,
        /// Which file.
        file: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// The key file holds no keys.
    #[error("log_in.seal_file: {file} is refused")]
    Seal {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        source: SealError,
    },
    /// The provider cannot be asked.
    #[error("log_in.provider: no client for it can be made")]
    Client(#[from] FetchError),
}

/// Why there are no people.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The operating system has no randomness.
    #[error("accounts cannot be kept safely")]
    Accounts(#[from] PasswordError),
    /// `[log_in]` cannot be set up.
    #[error(transparent)]
    LogIn(#[from] LogInError),
}

impl People {
    /// People as a configuration has them: with its `[log_in]`, or with passwords only. `own` is
    /// the service's public address.
    ///
    /// # Errors
    /// [`SetUpError`].
    pub fn configured(
        settings: Settings,
        section: Option<&LogInSection>,
        own: &str,
        store: Arc<dyn AccessStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetUpError> {
        let extras = match section {
            Some(section) => section.extras(own, &store)?,
            None => Extras::default(),
        };
        Ok(Self::with(settings, store, clock, extras)?)
    }
}

impl LogInSection {
    /// What types cannot say: the first field that is wrong. `is_role` knows the service's roles.
    ///
    /// # Errors
    /// The field and what is wrong with it.
    pub fn check(&self, is_role: impl Fn(&Slug) -> bool) -> Result<(), WrongField> {
        let wrong = |field, problem: String| Err((field, problem));
        if let Some(role) = self.second_factor.iter().find(|role| !is_role(role)) {
            let problem = format!("there is no role `{role}`");
            return wrong("log_in.second_factor", problem);
        }
        let letters = self.app_name.chars().count();
        if !(1..=APP_NAME_MAX).contains(&letters) || self.app_name.chars().any(char::is_control) {
            let problem =
                format!("1 to {APP_NAME_MAX} characters, none of them a control character");
            return wrong("log_in.app_name", problem);
        }
        if self.seal_file.as_os_str().is_empty() {
            return wrong("log_in.seal_file", "a file is needed".to_owned());
        }
        self.provider
            .as_ref()
            .map_or(Ok(()), ProviderSection::check)
    }

    /// Reads relative paths from this folder.
    pub fn found_from(&mut self, folder: &Path) {
        self.seal_file = folder.join(&self.seal_file);
        if let Some(provider) = &mut self.provider {
            let file = provider.client_secret_file.take();
            provider.client_secret_file = file.map(|file| folder.join(file));
        }
    }

    /// What [`People::with`] takes. Makes the key file where there is none.
    fn extras(&self, own: &str, store: &Arc<dyn AccessStore>) -> Result<Extras, LogInError> {
        let seal = Arc::new(self.seal()?);
        let provider = match &self.provider {
            None => None,
            Some(section) => {
                let fetch = Arc::new(ReqwestFetch::new()?);
                let settings = section.settings(own)?;
                let links = Arc::<dyn AccessStore>::clone(store);
                Some(Provider::new(settings, links, Arc::clone(&seal), fetch))
            }
        };
        let factors = Factors {
            store: Arc::<dyn AccessStore>::clone(store),
            seal,
            issuer: self.app_name.clone(),
            required: self.second_factor.clone(),
        };
        Ok(Extras {
            factors: Some(factors),
            provider,
        })
    }

    fn seal(&self) -> Result<Seal, LogInError> {
        let file = &self.seal_file;
        let text = read_or_make(file).map_err(|source| LogInError::File {
            field: "log_in.seal_file",
            file: file.clone(),
            source,
        })?;
        Seal::parse(&text).map_err(|source| LogInError::Seal {
            file: file.clone(),
            source,
        })
    }

    /// Findings of a service's `check`: files, and whether the provider answers.
    pub async fn report(&self, report: &mut Report, own: &str, now: Instant) {
        let what = "log_in.seal_file";
        if self.seal_file.exists() {
            check::secret(report, what, &self.seal_file);
            if let Err(error) = self.seal() {
                report.fail(what, causes(&error), "put the right file there");
            }
        } else {
            let seen = format!("{} is not there yet", self.seal_file.display());
            let todo = "the first start makes it; copy it here if there are second factors already";
            report.warn(what, seen, todo);
        }
        if let Some(provider) = &self.provider {
            provider.report(report, own, now).await;
        }
    }
}

impl ProviderSection {
    fn check(&self) -> Result<(), WrongField> {
        let wrong = |field, problem: &str| Err((field, problem.to_owned()));
        if !is_safe(&self.issuer) || self.issuer.contains(['?', '#', ' ']) {
            let problem = "an https address is needed, or http on this machine, without a query";
            return wrong("log_in.provider.issuer", problem);
        }
        if !(1..=CLIENT_ID_MAX).contains(&self.client_id.len()) {
            return wrong("log_in.provider.client_id", "1 to 256 bytes");
        }
        Ok(())
    }

    fn settings(&self, own: &str) -> Result<ProviderSettings, LogInError> {
        let secret = self.client_secret_file.as_ref();
        Ok(ProviderSettings {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret: secret.map(|file| secret_of(file)).transpose()?,
            own: own.to_owned(),
        })
    }

    async fn report(&self, report: &mut Report, own: &str, now: Instant) {
        if let Some(file) = &self.client_secret_file {
            check::secret(report, "log_in.provider.client_secret_file", file);
        }
        let what = "log_in.provider.issuer";
        let settings = match self.settings(own) {
            Ok(settings) => settings,
            Err(error) => return report.fail(what, causes(&error), "mend `log_in.provider`"),
        };
        let todo = "start it, or mend `log_in.provider`";
        match Provider::probe(settings, now).await {
            Ok(()) => report.ok(what, format!("{} answers", self.issuer)),
            // Passwords work without it, and it may come later.
            Err(problem) => report.warn(what, format!("{}: {problem}", self.issuer), todo),
        }
    }
}

fn secret_of(file: &Path) -> Result<String, LogInError> {
    let field = "log_in.provider.client_secret_file";
    let unread = |source| LogInError::File {
        field,
        file: file.to_owned(),
        source,
    };
    let text = fs::read_to_string(file).map_err(unread)?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() || secret.len() > SECRET_MAX {
        let problem = format!("1 to {SECRET_MAX} bytes in one line are expected");
        return Err(unread(io::Error::new(io::ErrorKind::InvalidData, problem)));
    }
    Ok(secret.to_owned())
}

/// The key file's text. Of two processes that make it at once, one does.
fn read_or_make(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let line = Seal::new_key().map_err(io::Error::other)?;
    let work = file.with_extension(format!("new-{}", std::process::id()));
    let mut made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&work)?;
    let written = writeln!(made, "{line}").and_then(|()| made.sync_all());
    // A link fails where the name is taken: whoever was first has made the key for both.
    let linked = written.and_then(|()| fs::hard_link(&work, file));
    fs::remove_file(&work)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::read_to_string(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> LogInSection {
        schemas::config::parse("t.toml", text).unwrap()
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        let is_role = |role: &Slug| role.as_str() == "officer";
        let field = |text: &str| section(text).check(is_role).err().map(|(field, _)| field);
        assert_eq!(field(""), None);
        assert_eq!(field("second_factor = [\"officer\"]"), None);
        let provider = |issuer: &str, client: &str| {
            field(&format!(
                "[provider]\nissuer = \"{issuer}\"\nclient_id = \"{client}\"\n"
            ))
        };
        assert_eq!(provider("https://login.example/a", "desk"), None);
        for (found, named) in [
            (
                field("second_factor = [\"cashier\"]"),
                "log_in.second_factor",
            ),
            (field("app_name = \"\""), "log_in.app_name"),
            (field("seal_file = \"\""), "log_in.seal_file"),
            (
                provider("http://login.example", "desk"),
                "log_in.provider.issuer",
            ),
            (
                provider("https://login.example?a", "desk"),
                "log_in.provider.issuer",
            ),
            (
                provider("https://login.example", ""),
                "log_in.provider.client_id",
            ),
        ] {
            assert_eq!(found, Some(named));
        }
    }

    #[test]
    fn the_key_is_made_once_and_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mut section = LogInSection::default();
        section.found_from(folder.path());
        let sealed = section.seal().unwrap().seal("a", b"secret").unwrap();
        assert_eq!(
            section.seal().unwrap().open("a", &sealed).unwrap(),
            b"secret"
        );
        let mode = fs::metadata(&section.seal_file)
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::write(&section.seal_file, "no key\n").unwrap();
        assert!(matches!(section.seal(), Err(LogInError::Seal { .. })));
    }

    #[tokio::test]
    async fn a_check_says_what_is_missing() {
        use crate::check::State;
        let folder = tempfile::tempdir().unwrap();
        let mut section = section(
            "[provider]\nissuer = \"http://127.0.0.1:1\"\nclient_id = \"desk\"\n\
             client_secret_file = \"secret\"\n",
        );
        section.found_from(folder.path());
        let now = Instant::from_seconds(1_800_000_000);
        let mut report = Report::default();
        section.report(&mut report, "http://127.0.0.1:2", now).await;
        let states: Vec<_> = report.0.iter().map(|one| (&*one.what, one.state)).collect();
        assert_eq!(
            states,
            [
                ("log_in.seal_file", State::Warn),
                ("log_in.provider.client_secret_file", State::Fail),
                ("log_in.provider.issuer", State::Fail),
            ]
        );
    }
}
