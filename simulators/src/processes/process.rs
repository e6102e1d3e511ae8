//! A program as a process: its output in files, its end certain.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::time::Instant;

/// How long one thing that was asked for may take on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(40);
/// How often a condition is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Looks until there is an answer; an error when that takes too long.
pub async fn until<T>(
    what: &str,
    deadline: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        ensure!(Instant::now() < end, "too late: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Environment variable: the command that runs `edge-agent`, its words apart by spaces, instead of
/// the program beside this one. So a build for another processor goes through the same stories under
/// an emulator.
pub const AGENT_COMMAND: &str = "TRACEBOND_EDGE_AGENT";

/// The words that start a program of the workspace, or one at an absolute path.
fn command(name: &str) -> Result<Vec<OsString>> {
    match std::env::var(AGENT_COMMAND) {
        Ok(words) if name == "edge-agent" => Ok(words.split(' ').map(OsString::from).collect()),
        _ => Ok(vec![program(name)?.into()]),
    }
}

/// A program of the workspace.
fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    // A program stands beside the others, a test in a folder below.
    let mut folders = own.ancestors().skip(1).take(2);
    let found = folders.find_map(|folder| Some(folder.join(name)).filter(|path| path.exists()));
    found.with_context(|| {
        format!("{name} is not beside this program: run `cargo build --workspace --bins` first")
    })
}

/// A running process. It is killed when this is dropped.
pub struct Process {
    name: String,
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

/// How a process ended and what it said.
#[derive(Debug)]
pub struct Ended {
    /// True for exit code 0.
    pub success: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Process {
    /// Starts `program`; `name` is that of its output files below `logs`.
    pub fn start<A: AsRef<OsStr>>(
        logs: &Path,
        name: &str,
        program_name: &str,
        arguments: &[A],
    ) -> Result<Process> {
        Self::start_with(logs, name, program_name, arguments, &[])
    }

    /// The same with environment variables.
    pub fn start_with<A: AsRef<OsStr>>(
        logs: &Path,
        name: &str,
        program_name: &str,
        arguments: &[A],
        environment: &[(&str, &str)],
    ) -> Result<Process> {
        let (out, err) = (
            logs.join(format!("{name}.out")),
            logs.join(format!("{name}.err")),
        );
        // A file that may not grow is an error to a program that does not die of the signal.
        let child = Command::new("env")
            .arg("--ignore-signal=XFSZ")
            .args(command(program_name)?)
            .args(arguments)
            .env_remove("RUST_LOG")
            // Named for this program; an agent refuses settings that it does not know.
            .env_remove(AGENT_COMMAND)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        Ok(Process {
            name: name.to_owned(),
            child,
            out,
            err,
        })
    }

    /// Runs a program to its end.
    pub async fn run<A: AsRef<OsStr>>(
        logs: &Path,
        name: &str,
        program_name: &str,
        arguments: &[A],
    ) -> Result<Ended> {
        let process = Process::start(logs, name, program_name, arguments)?;
        process.ended(DEADLINE).await
    }

    /// The same with environment variables.
    pub async fn run_with<A: AsRef<OsStr>>(
        logs: &Path,
        name: &str,
        program_name: &str,
        arguments: &[A],
        environment: &[(&str, &str)],
    ) -> Result<Ended> {
        let process = Process::start_with(logs, name, program_name, arguments, environment)?;
        process.ended(DEADLINE).await
    }

    /// The first line of standard output; an error if the process ends before it says one.
    pub async fn first_line(&mut self) -> Result<String> {
        let what = format!("{} says nothing", self.name);
        until(&what, DEADLINE, async || {
            let text = std::fs::read_to_string(&self.out)?;
            if let Some((line, _)) = text.split_once('\n') {
                return Ok(Some(line.to_owned()));
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} has ended with {status}", self.name);
            }
            Ok(None)
        })
        .await
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on standard error until now.
    ///
    /// # Errors
    /// When that file cannot be read.
    pub fn said(&self) -> Result<String> {
        std::fs::read_to_string(&self.err).context("standard error of a process")
    }

    /// SIGKILL: it gets no chance to say or write anything more.
    pub fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} has ended by itself with {status}", self.name);
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Any signal, by its short name.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let (kill, id) = (
            format!("kill -{signal} \"$0\""),
            self.child.id().to_string(),
        );
        let sent = Command::new("sh").args(["-c", &kill, &id]).status()?;
        ensure!(sent.success(), "no SIG{signal} for {}", self.name);
        Ok(())
    }

    /// Lets its files grow to so many bytes and no further, or as far as the disk goes: the full
    /// disk of somebody who may not make one.
    ///
    /// # Errors
    /// When `prlimit` of util-linux does not do it.
    pub fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        let most = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let (pid, limit) = (self.child.id().to_string(), format!("--fsize={most}:"));
        let set = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        let set = set.context("prlimit of util-linux")?;
        ensure!(set.success(), "no file limit for {}", self.name);
        Ok(())
    }

    /// SIGTERM: it ends well within `patience`.
    pub async fn terminate(self, patience: Duration) -> Result<()> {
        let name = self.name.clone();
        self.signal("TERM")?;
        let ended = self.ended(patience).await?;
        ensure!(ended.success, "{name} has not ended well: {}", ended.err);
        Ok(())
    }

    /// Waits for its end.
    pub async fn ended(mut self, patience: Duration) -> Result<Ended> {
        let what = format!("{} does not end", self.name);
        let status: ExitStatus =
            until(&what, patience, async || Ok(self.child.try_wait()?)).await?;
        Ok(Ended {
            success: status.success(),
            out: std::fs::read_to_string(&self.out)?,
            err: std::fs::read_to_string(&self.err)?,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
