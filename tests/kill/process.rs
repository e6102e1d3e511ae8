//! A program as a process: its output in files, its end certain.

use std::ffi::OsStr;
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

/// A program of the workspace, which stands beside this test.
fn program(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent);
    let path = folder.context("no target folder")?.join(name);
    ensure!(
        path.exists(),
        "{} is not there: run `cargo build --workspace --bins` first",
        path.display()
    );
    Ok(path)
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

    fn start_with<A: AsRef<OsStr>>(
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
        let child = Command::new(program(program_name)?)
            .args(arguments)
            .env_remove("RUST_LOG")
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
