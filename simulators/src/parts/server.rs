//! A server process of somebody else, with a certain end.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a server may take to start or to end on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
/// Who may become anybody.
pub(crate) const ROOT: &str = "root";
/// How often a condition is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Ports below those that the operating system gives to connections by itself, so that a server
/// can have its port again after it was killed.
const PORTS: Range<u16> = 12_000..32_000;
/// Ports that are tried before this gives up.
const TRIES: u32 = 100;

/// A loopback port that was free a moment ago.
pub(crate) fn free_port() -> io::Result<u16> {
    let mut ports = (0..TRIES).map(|_| rand::random_range(PORTS));
    let free = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.ok_or_else(|| io::Error::other("no free port"))
}

/// Our effective user id.
pub(crate) fn user_id() -> u32 {
    std::fs::metadata("/proc/self").map_or(u32::MAX, |metadata| metadata.uid())
}

/// Is this the administrator? Some servers refuse to run as one.
pub(crate) fn is_root() -> bool {
    user_id() == 0
}

/// A command that runs as `user` where we are the administrator, otherwise as who we are.
pub(crate) fn tool_as(user: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(credentials(user)).arg("--").arg(program);
    command
}

/// The same for a server: the kernel kills it should this process die without a chance to.
pub(crate) fn server_as(user: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    // One command for both: a change of user would forget the signal.
    command.args(["--pdeathsig", "KILL"]);
    command.args(credentials(user)).arg("--").arg(program);
    command
}

fn credentials(user: &str) -> Vec<String> {
    if !is_root() || user == ROOT {
        return Vec::new();
    }
    let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
    vec![user, group, "--init-groups".to_owned()]
}

/// Runs a tool to its end.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Runs a tool to its end; what it has written on standard output.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let name = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{name} does not start"))?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

/// A running server. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a command of [`server_as`]; what it says goes to `log`.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Server> {
        let out = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        Ok(Server {
            name,
            child,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready`; an error with the end of the log if the server ends before.
    pub(crate) fn wait(&mut self, ready: impl Fn() -> bool) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        while !ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "{} has ended with {status}: {}",
                    self.name,
                    self.last_words()
                );
            }
            if Instant::now() > end {
                bail!("{} is not ready in time: {}", self.name, self.last_words());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let mut lines: Vec<&str> = log.lines().rev().take(12).collect();
        lines.reverse();
        lines.join("\n")
    }

    /// It has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Whether it runs, or how it has ended, and the end of what it has said.
    pub(crate) fn how_it_is(&mut self) -> String {
        let state = match self.child.try_wait() {
            Ok(None) => "runs".to_owned(),
            Ok(Some(status)) => format!("has ended with {status}"),
            Err(error) => format!("cannot be asked: {error}"),
        };
        format!("{} {state}\n{}", self.name, self.last_words())
    }

    /// SIGTERM; returns when it has ended, an error if that takes longer than `patience`.
    pub(crate) fn terminate(mut self, patience: Duration) -> Result<()> {
        run(Command::new("kill").args(["-TERM", &self.id().to_string()]))?;
        let end = Instant::now() + patience;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                bail!("{} does not end: {}", self.name, self.last_words());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL for the server and all that it has started; returns when they are gone.
    pub(crate) fn kill(&mut self) {
        let offspring = descendants(self.child.id());
        // It may have ended by itself; there is nobody to tell.
        let _ = self.child.kill();
        for (pid, born) in &offspring {
            if began(*pid) == Some(*born) {
                let _ = Command::new("kill").args(["-9", &pid.to_string()]).output();
            }
        }
        let _ = self.child.wait();
        let end = Instant::now() + DEADLINE;
        while offspring
            .iter()
            .any(|(pid, born)| began(*pid) == Some(*born))
            && Instant::now() < end
        {
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Processes below one, each with its time of birth, so that a number that went round is not
/// taken for it.
fn descendants(of: u32) -> Vec<(u32, u64)> {
    let file = format!("/proc/{of}/task/{of}/children");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let children = text.split_whitespace().filter_map(|pid| pid.parse().ok());
    let mut found = Vec::new();
    for child in children {
        found.extend(began(child).map(|born| (child, born)));
        found.extend(descendants(child));
    }
    found
}

/// When a process that still runs began, in the kernel's ticks.
fn began(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; what follows it begins with the state.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let is_zombie = fields.first() == Some(&"Z");
    fields.get(19)?.parse().ok().filter(|_| !is_zombie)
}
