//! A private Mosquitto under a configuration that is written for it.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::server::{self, Server};

/// Where Debian puts it: not on everybody's path.
const PROGRAM: &str = "/usr/sbin/mosquitto";
/// Attempts with other ports: a port that was free may be taken by the time of the start.
const ATTEMPTS: u32 = 5;

/// The server program, if it is installed.
pub(super) fn program() -> Option<PathBuf> {
    let path = PathBuf::from(PROGRAM);
    path.exists().then_some(path)
}

/// Whether Mosquitto is installed.
#[must_use]
pub fn available() -> bool {
    program().is_some()
}

/// Where one listens and keeps its files; what a configuration is written for.
#[derive(Debug, Clone)]
pub struct Place {
    /// A folder of its own, the same over restarts.
    pub folder: PathBuf,
    /// Free loopback ports, as many as were asked for, the same over restarts.
    pub ports: Vec<u16>,
}

impl Place {
    /// File in which the running server's process id stands.
    #[must_use]
    pub fn pid_file(&self) -> PathBuf {
        self.folder.join("mosquitto.pid")
    }
}

/// A running Mosquitto. Killed, and its folder removed, when this is dropped.
#[derive(Debug)]
pub struct Mosquitto {
    place: Place,
    // Before the folder: fields are dropped in order.
    server: Option<Server>,
    _folder: TempDir,
}

impl Mosquitto {
    /// Starts one with `ports` ports under the configuration that `configure` writes into the
    /// place's folder; it returns the text of `mosquitto.conf`. Blocks until the last port
    /// listens on loopback.
    ///
    /// # Errors
    /// When it is not installed, or its configuration is refused.
    pub fn start(
        ports: usize,
        mut configure: impl FnMut(&Place) -> Result<String>,
    ) -> Result<Mosquitto> {
        let folder = tempfile::Builder::new().prefix("tracebond-mq-").tempdir()?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let ports = (0..ports).map(|_| server::free_port());
            let place = Place {
                folder: folder.path().to_owned(),
                ports: ports.collect::<Result<_, _>>()?,
            };
            let text = private(&configure(&place)?);
            std::fs::write(place.folder.join("mosquitto.conf"), text)?;
            match run(&place) {
                Ok(server) => {
                    return Ok(Mosquitto {
                        place,
                        server: Some(server),
                        _folder: folder,
                    });
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no attempt")?)
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Address of one of its ports, in the order in which they were asked for.
    #[must_use]
    pub fn url(&self, port: usize) -> String {
        let port = self.place.ports.get(port).copied().unwrap_or_default();
        format!("mqtt://127.0.0.1:{port}")
    }

    /// Process id of the running server.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.server.as_ref().map(Server::id)
    }

    /// SIGKILL; returns when it is gone.
    pub fn kill9(&mut self) {
        self.server = None;
    }

    /// Starts it again with its folder, configuration and ports, killed or not.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.kill9();
        self.server = Some(run(&self.place)?);
        Ok(())
    }

    /// SIGHUP: it reads its password and rule files again.
    ///
    /// # Errors
    /// When it does not run.
    pub fn reload(&self) -> Result<()> {
        let Some(server) = &self.server else {
            bail!("Mosquitto does not run");
        };
        let id = server.id().to_string();
        server::run(Command::new("kill").args(["-HUP", &id]))
    }
}

/// What a private instance needs beside its configuration. As root it stays root, since its
/// folder is ours; Debian's own service changes to the user `mosquitto`.
fn private(text: &str) -> String {
    let user = if server::is_root() { "user root\n" } else { "" };
    format!("{user}{text}")
}

fn run(place: &Place) -> Result<Server> {
    let program = program().context("Mosquitto is not installed")?;
    let mut command = server::server_as(server::ROOT, program);
    command.arg("-c").arg(place.folder.join("mosquitto.conf"));
    let log = place.folder.join("mosquitto.log");
    let mut server = Server::start("Mosquitto", &mut command, &log)?;
    // It opens its listeners in order; the last is the ingest's, on loopback.
    server.wait(|| place.ports.last().copied().is_none_or(listens))?;
    Ok(server)
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Where a file of a place is, as its configuration names it.
#[must_use]
pub fn in_place(place: &Place, name: impl AsRef<Path>) -> String {
    place.folder.join(name).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::Part;

    #[test]
    fn it_restarts_on_its_port_and_ends_with_its_handle() {
        if Part::Mosquitto.skip() {
            return;
        }
        let configure = |place: &Place| {
            let port = place.ports[0];
            Ok(format!("listener {port} 127.0.0.1\nallow_anonymous true\n"))
        };
        let mut mosquitto = Mosquitto::start(1, configure).unwrap();
        let port = mosquitto.place().ports[0];
        mosquitto.reload().unwrap();
        mosquitto.kill9();
        assert!(!listens(port) && mosquitto.reload().is_err());
        mosquitto.restart().unwrap();
        assert!(listens(port));
        drop(mosquitto);
        assert!(!listens(port));
    }

    #[test]
    fn a_configuration_that_is_refused_says_why() {
        if Part::Mosquitto.skip() {
            return;
        }
        let wrong = |_: &Place| Ok("no_such_setting 1\n".to_owned());
        let error = Mosquitto::start(1, wrong).unwrap_err().to_string();
        assert!(error.contains("no_such_setting"), "{error}");
    }
}
