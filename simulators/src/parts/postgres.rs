//! A private PostgreSQL.
//!
//! `initdb` takes seconds, so one folder is made once for everybody on this machine, under a lock,
//! and copied for each instance. PostgreSQL refuses the administrator: as root it runs as
//! Debian's user `postgres`, who then owns the folder.

mod backup;

use std::fs::File;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::server::{self, Server};

/// Where Debian puts it, a folder for each major version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The oldest that the platform is tested with.
const OLDEST: u32 = 15;
/// Who runs it where we are the administrator, and the name of the database's owner.
const USER: &str = "postgres";
/// Attempts with another port: a port that was free may be taken by the time of the start.
const ATTEMPTS: u32 = 5;
/// What differs from PostgreSQL's own defaults. Durability is on and said so.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'
max_connections = 200
fsync = on
synchronous_commit = on
full_page_writes = on
log_min_messages = warning
";

/// A program of the newest installed version.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).ok()?;
    let versions = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let newest: u32 = versions.filter(|version| *version >= OLDEST).max()?;
    let path = PathBuf::from(format!("{DEBIAN}/{newest}/bin/{name}"));
    path.exists().then_some(path)
}

/// Whether PostgreSQL is installed.
#[must_use]
pub fn available() -> bool {
    program(USER).is_some()
}

/// A running PostgreSQL, empty at first. Killed, and its folder removed, when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    // Before the folder: fields are dropped in order.
    server: Option<Server>,
    folder: TempDir,
}

impl Postgres {
    /// Starts one. Takes half a second, the first time on a machine some seconds. Blocks.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start() -> Result<Postgres> {
        let folder = tempfile::Builder::new().prefix("tracebond-pg-").tempdir()?;
        copy_template(folder.path())?;
        let mut postgres = Postgres {
            port: 0,
            server: None,
            folder,
        };
        let mut last = None;
        for _ in 0..ATTEMPTS {
            postgres.port = server::free_port()?;
            match postgres.restart() {
                Ok(()) => return Ok(postgres),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no attempt")?)
    }

    /// URL of the database `postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(USER)
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a database; its URL. Blocks.
    ///
    /// # Errors
    /// When there is one of this name, or PostgreSQL does not answer.
    pub fn database(&self, name: &str) -> Result<String> {
        let program = program("createdb").context("createdb is not installed")?;
        let (port, host) = (self.port.to_string(), "127.0.0.1");
        let arguments = ["-h", host, "-p", &port, "-U", USER, "--", name];
        server::run(Command::new(program).args(arguments))?;
        Ok(self.url_of(name))
    }

    /// Process id of the running server, of which all of its other processes are children.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.server.as_ref().map(Server::id)
    }

    /// SIGKILL for the server and every process of it; returns when they are gone.
    pub fn kill9(&mut self) {
        self.server = None;
    }

    /// Starts it again on its folder and port, killed or not. Blocks until it has recovered.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.kill9();
        let data = self.data();
        let program = program("postgres").context("PostgreSQL is not installed")?;
        let mut command = server::server_as(USER, &program);
        let sockets = self.folder.path().as_os_str();
        command.arg("-D").arg(&data).arg("-k").arg(sockets);
        command.arg("-p").arg(self.port.to_string());
        let log = self.folder.path().join("postgres.log");
        let mut server = Server::start("PostgreSQL", &mut command, &log)?;
        let id = server.id();
        server.wait(|| is_ready(&data, id))?;
        self.server = Some(server);
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

/// Gives the empty database at `to` the tables and indexes of the one at `from`, and no rows. Blocks.
///
/// # Errors
/// When a program of PostgreSQL is missing or refuses.
pub fn copy_schema(from: &str, to: &str) -> Result<()> {
    let tool = |name: &str| program(name).with_context(|| format!("{name} is not installed"));
    let (pg_dump, psql) = (tool("pg_dump")?, tool("psql")?);
    let mut dump = Command::new(pg_dump);
    dump.args(["--schema-only", "--no-owner", "--no-privileges", "-d", from]);
    let schema = server::output(&mut dump)?;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), schema)?;
    let mut make = Command::new(psql);
    make.args([
        "-q",
        "-o",
        "/dev/null",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        to,
        "-f",
    ]);
    server::run(make.arg(file.path()))
}

/// The server writes its id first and its state last into this file.
fn is_ready(data: &Path, id: u32) -> bool {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines();
    lines.next() == Some(&id.to_string()) && lines.nth(6).map(str::trim) == Some("ready")
}

/// Copies the made folder to `to/data`, for the user who will run the server.
fn copy_template(to: &Path) -> Result<()> {
    let template = template()?;
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o755))?;
    give(to)?;
    let mut copy = server::tool_as(USER, "cp");
    server::run(copy.arg("-a").arg(&template).arg(to.join("data")))
}

/// The folder that `initdb` has made on this machine; made now if there is none.
fn template() -> Result<PathBuf> {
    let initdb = program("initdb").context("PostgreSQL is not installed")?;
    let version = initdb.iter().nth_back(2).context("no version")?;
    let user = if server::is_root() { "root" } else { "user" };
    let name = format!("tracebond-pg-template-{}-{user}", version.to_string_lossy());
    let place = std::env::temp_dir().join(name);
    own_folder(&place)?;
    let lock = File::create(place.join("lock"))?;
    lock.lock()?;
    let (made, finished) = (place.join("making"), place.join("data"));
    if !finished.exists() {
        if made.exists() {
            std::fs::remove_dir_all(&made)?;
        }
        make(&initdb, &made)?;
        std::fs::rename(&made, &finished)?;
    }
    Ok(finished)
}

/// A folder of ours below the temporary one, where others could have put theirs under this name.
fn own_folder(place: &Path) -> Result<()> {
    match std::fs::create_dir(place) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    let found = std::fs::symlink_metadata(place)?;
    let is_ours = found.is_dir() && found.uid() == server::user_id();
    ensure!(is_ours, "{} is not a folder of ours", place.display());
    Ok(())
}

fn make(initdb: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir(folder)?;
    give(folder)?;
    let mut command = server::tool_as(USER, initdb);
    command.arg("-D").arg(folder).args(["-U", USER]);
    // Nothing in it needs to survive this machine, so it is not synced; instances are.
    command.args(["--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]);
    server::run(&mut command)?;
    let settings = folder.join("postgresql.auto.conf");
    std::fs::write(settings, SETTINGS)?;
    Ok(())
}

/// Makes a folder that of the server's user.
fn give(folder: &Path) -> Result<()> {
    if server::is_root() {
        server::run(Command::new("chown").arg(USER).arg(folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::Part;
    use sqlx::{Connection, PgConnection};

    #[tokio::test]
    async fn what_was_committed_survives_a_kill_and_nothing_is_left_running() {
        if Part::Postgres.skip() {
            return;
        }
        let mut postgres = Postgres::start().unwrap();
        let url = postgres.database("one").unwrap();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let make = "CREATE TABLE kept (n INT)";
        sqlx::query(make).execute(&mut connection).await.unwrap();
        let insert = "INSERT INTO kept VALUES (7)";
        sqlx::query(insert).execute(&mut connection).await.unwrap();
        postgres.kill9();
        assert!(PgConnection::connect(&url).await.is_err());
        postgres.restart().unwrap();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let found: i32 = sqlx::query_scalar("SELECT n FROM kept")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(found, 7);
        let folder = postgres.folder.path().to_owned();
        drop(postgres);
        assert!(PgConnection::connect(&url).await.is_err());
        assert!(!folder.exists());
    }
}
