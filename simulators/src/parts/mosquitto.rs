//! A private Mosquitto under a configuration that is written for it.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::server::{self, Server};

/// Where Debian puts it: not on everybody's path.
const PROGRAM: &str = "/usr/sbin/mosquitto";
/// Attempts with other ports: a port that was free may be taken by the time of the start.
const ATTEMPTS: u32 = 5;
/// How often one that is kept up is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The server program, if it is installed.
pub(super) fn program() -> Option<PathBuf> {
    let path = PathBuf::from(PROGRAM);
    path.exists().then_some(path)
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // Whoever keeps it up may hold the rest for a moment longer.
        self.kill9();
    }
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
    // Before the folder: fields are dropped in order.
    run: Arc<Run>,
    _folder: TempDir,
}

/// What its keeper looks at, too.
#[derive(Debug)]
struct Run {
    place: Place,
    server: Mutex<Option<Server>>,
    crashes: AtomicU32,
}

impl Run {
    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it again if it has ended by itself.
    fn keep_up(&self) {
        let mut server = self.server();
        if server.as_mut().is_some_and(Server::has_ended) {
            self.crashes.fetch_add(1, Ordering::Relaxed);
            // What keeps it from starting will keep it the next time, too, or is over then.
            if let Ok(new) = run(&self.place) {
                *server = Some(new);
            }
        }
    }
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
                    let run = Arc::new(Run {
                        place,
                        server: Mutex::new(Some(server)),
                        crashes: AtomicU32::new(0),
                    });
                    return Ok(Mosquitto {
                        run,
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
        &self.run.place
    }

    /// Address of one of its ports, in the order in which they were asked for.
    #[must_use]
    pub fn url(&self, port: usize) -> String {
        let port = self.place().ports.get(port).copied().unwrap_or_default();
        format!("mqtt://127.0.0.1:{port}")
    }

    /// Process id of the running server.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.run.server().as_ref().map(Server::id)
    }

    /// Starts it again whenever it ends by itself, as Debian's unit does (`Restart=on-failure`).
    /// Mosquitto 2.0.11 does so now and then after a SIGHUP that takes the password of a client that
    /// is away: it "disconnects" the session a second time, and its list of sessions that run out is
    /// broken from then on.
    pub fn keep_up(&self) {
        let run = Arc::downgrade(&self.run);
        std::thread::spawn(move || {
            while let Some(run) = Weak::upgrade(&run) {
                run.keep_up();
                drop(run);
                std::thread::sleep(LOOK);
            }
        });
    }

    /// How often it has ended by itself since it is kept up.
    #[must_use]
    pub fn crashes(&self) -> u32 {
        self.run.crashes.load(Ordering::Relaxed)
    }

    /// Whether it runs, or how it has ended, and the end of its log.
    #[must_use]
    pub fn how_it_is(&self) -> String {
        let of_server = self.run.server().as_mut().map(Server::how_it_is);
        of_server.unwrap_or_else(|| "Mosquitto was killed".to_owned())
    }

    /// SIGKILL; returns when it is gone.
    pub fn kill9(&mut self) {
        *self.run.server() = None;
    }

    /// Starts it again with its folder, configuration and ports, killed or not.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.kill9();
        *self.run.server() = Some(run(&self.run.place)?);
        Ok(())
    }

    /// SIGHUP: it reads its password and rule files again.
    ///
    /// # Errors
    /// When it does not run.
    pub fn reload(&self) -> Result<()> {
        let Some(id) = self.id() else {
            bail!("Mosquitto does not run");
        };
        server::run(Command::new("kill").args(["-HUP", &id.to_string()]))
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
    fn one_that_is_kept_up_comes_again_when_it_crashes_and_not_when_it_was_killed() {
        if Part::Mosquitto.skip() {
            return;
        }
        let configure = |place: &Place| {
            let port = place.ports[0];
            Ok(format!("listener {port} 127.0.0.1\nallow_anonymous true\n"))
        };
        let mut mosquitto = Mosquitto::start(1, configure).unwrap();
        let (port, first) = (mosquitto.place().ports[0], mosquitto.id().unwrap());
        mosquitto.keep_up();
        let mut crash = Command::new("kill");
        server::run(crash.args(["-SEGV", &first.to_string()])).unwrap();
        let end = std::time::Instant::now() + Duration::from_secs(30);
        while mosquitto.crashes() == 0 || !listens(port) {
            assert!(std::time::Instant::now() < end, "{}", mosquitto.how_it_is());
            std::thread::yield_now();
        }
        assert_ne!(mosquitto.id(), Some(first));
        mosquitto.kill9();
        assert_eq!((mosquitto.id(), mosquitto.crashes()), (None, 1));
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
