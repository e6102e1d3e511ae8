//! What the operator is asked: commands of its program over its files, and its answers over HTTP.

use anyhow::{Context, Result, ensure};
use schemas::ids::Slug;
use schemas::note::Note;
use serde_json::Value;

use super::{Operator, Stored, TOKEN};
use crate::processes::process::{Ended, Process};

impl Operator {
    /// What `platform log fsck` finds.
    pub async fn fsck(&self) -> Result<Ended> {
        let config = self.config();
        let arguments = [
            "log".as_ref(),
            "fsck".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
        ];
        Process::run(&self.logs, "fsck", "platform", &arguments).await
    }

    /// What `platform erase` says; on PostgreSQL the owner of the tables is the eraser, too.
    pub async fn erase(&self, arguments: &[&str]) -> Result<Ended> {
        let config = self.config().display().to_string();
        let all = [&["erase", "--config", &config], arguments].concat();
        let url = self.site.database().unwrap_or_default();
        let environment = ["DATABASE_ERASER_URL", "DATABASE_OWNER_URL"].map(|name| (name, url));
        Process::run_with(&self.logs, "erase", "platform", &all, &environment).await
    }

    /// What `platform archive` says; on PostgreSQL as the owner of the tables.
    pub async fn archive(&self, arguments: &[&str]) -> Result<Ended> {
        let config = self.config().display().to_string();
        let all = [&["archive", "--config", &config], arguments].concat();
        let url = self.site.database().unwrap_or_default();
        let environment = [("DATABASE_OWNER_URL", url)];
        Process::run_with(&self.logs, "archive", "platform", &all, &environment).await
    }

    /// What `platform verify` says of a bundle under the policy of the beginning.
    pub async fn verify(&self, bundle: &[u8]) -> Result<Ended> {
        let file = self.folder.join("bundle.json");
        std::fs::write(&file, bundle)?;
        let policy = self.folder.join("policy.json");
        let arguments = [
            "verify".as_ref(),
            file.as_os_str(),
            "--policy".as_ref(),
            policy.as_os_str(),
        ];
        Process::run(&self.logs, "verify", "platform", &arguments).await
    }

    /// The published checkpoint of a platform that has ended covers its whole log.
    pub async fn everything_is_witnessed(&self) -> Result<()> {
        let note = Note::parse(&std::fs::read(self.data().join("log/checkpoint"))?)?;
        let found = self.fsck().await?;
        let whole = format!("{} entries", note.checkpoint.size);
        ensure!(found.success && found.out.starts_with(&whole), "{found:?}");
        Ok(())
    }

    /// An answer of the platform.
    pub async fn get(&self, path: &str, token: &str) -> Result<Vec<u8>> {
        let url = format!("{}{path}", self.url());
        let request = self.http.get(&url).bearer_auth(token);
        let answer = request.send().await?;
        let (status, body) = (answer.status(), answer.bytes().await?);
        let text = String::from_utf8_lossy(&body);
        ensure!(status.is_success(), "{url}: {status} {text:.300}");
        Ok(body.to_vec())
    }

    /// The evidence of an organisation, as its bank would read it.
    pub async fn evidence(&self, organisation: &Slug) -> Result<Vec<u8>> {
        self.get(&format!("/v1/evidence/{organisation}"), TOKEN)
            .await
    }

    /// How much it has stored.
    pub async fn stored(&self) -> Result<Stored> {
        let answer: Value = serde_json::from_slice(&self.get("/v1/totals", "").await?)?;
        let number = |name: &str| {
            let found = answer["totals"][name].as_u64();
            found.with_context(|| format!("no {name} in {answer}"))
        };
        Ok(Stored {
            events: number("events")?,
            anchored: number("anchored")?,
            refused: number("refused")?,
            quarantined: number("quarantined")?,
        })
    }

    /// What happened to chains.
    pub async fn chains(&self) -> Result<Vec<Value>> {
        Ok(serde_json::from_slice(&self.get("/v1/chains", "").await?)?)
    }
}
