//! Backups of a private PostgreSQL by its own tools, as `platform/docs/backup.md` tells an operator
//! to make them: a dump of one database, and a base backup with the write-ahead log behind it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::super::server;
use super::{Postgres, USER, program};

/// Folder of the base backup, beside the data.
const BASE: &str = "base";
/// Folder of finished segments of the write-ahead log, beside the data.
const ARCHIVE: &str = "archive";

impl Postgres {
    /// A tool of PostgreSQL that talks to this server.
    fn client(&self, name: &str) -> Result<Command> {
        let program = program(name).with_context(|| format!("{name} is not installed"))?;
        let mut command = server::tool_as(USER, program);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", USER]);
        Ok(command)
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `pg_dump` of a database. Blocks.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn dump(&self, database: &str) -> Result<()> {
        let file = self.beside("dump");
        let mut command = self.client("pg_dump")?;
        command.args(["-Fc", "-f"]).arg(file).args(["--", database]);
        server::run(&mut command)
    }

    /// Loses a database and makes it again from the dump. Blocks.
    ///
    /// # Errors
    /// When a tool fails, for example because somebody still uses the database.
    pub fn load(&self, database: &str) -> Result<()> {
        server::run(self.client("dropdb")?.args(["--", database]))?;
        server::run(self.client("createdb")?.args(["--", database]))?;
        let mut command = self.client("pg_restore")?;
        command.args(["--exit-on-error", "-d", database]);
        server::run(command.arg(self.beside("dump")))
    }

    /// From now on every finished segment of the write-ahead log is archived; restarts. Blocks.
    ///
    /// # Errors
    /// When it does not start again.
    pub fn archive_log(&mut self) -> Result<()> {
        let archive = self.beside(ARCHIVE);
        server::run(server::tool_as(USER, "mkdir").arg(&archive))?;
        self.set(&format!(
            "archive_mode = on\narchive_command = 'cp %p {}/%f'\n",
            archive.display()
        ))?;
        self.restart()
    }

    fn set(&self, settings: &str) -> Result<()> {
        let file = self.data().join("postgresql.auto.conf");
        let before = std::fs::read_to_string(&file)?;
        Ok(std::fs::write(file, before + settings)?)
    }

    /// `pg_basebackup` of the running server. Blocks.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn back_up(&self) -> Result<()> {
        let mut command = self.client("pg_basebackup")?;
        command.args(["-X", "none", "-c", "fast", "-D"]);
        server::run(command.arg(self.beside(BASE)))
    }

    /// The server dies and its data with it; the base backup takes its place and reads the archived
    /// log. `whole`: the segments that the dead server had not archived yet were saved, too.
    /// Blocks until it has recovered.
    ///
    /// # Errors
    /// When it does not recover.
    pub fn restore(&mut self, whole: bool) -> Result<()> {
        self.kill9();
        let (data, archive) = (self.data(), self.beside(ARCHIVE));
        if whole {
            save_segments(&data.join("pg_wal"), &archive)?;
        }
        std::fs::remove_dir_all(&data)?;
        std::fs::rename(self.beside(BASE), &data)?;
        self.set(&format!(
            "hot_standby = off\nrestore_command = 'cp {}/%f %p'\n",
            archive.display()
        ))?;
        let signal = data.join("recovery.signal");
        server::run(server::tool_as(USER, "touch").arg(signal))?;
        self.restart()
    }
}

/// Copies the segments of a dead server's write-ahead log to the archived ones.
fn save_segments(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_segment = name.len() == 24 && entry.file_type()?.is_file();
        if is_segment {
            let mut copy = server::tool_as(USER, "cp");
            server::run(copy.arg(entry.path()).arg(to.join(name)))?;
        }
    }
    Ok(())
}
