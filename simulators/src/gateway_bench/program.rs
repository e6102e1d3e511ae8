//! The program that is measured, its size and that of its package.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::AGENT_COMMAND;

/// How to run the agent.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// An absolute path, and what stands before the agent's own arguments.
    words: Vec<String>,
}

/// Bytes on a disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// The program.
    pub(super) program: u64,
    /// The Debian package; none where cargo-deb is not installed or the program was named.
    pub(super) package: Option<u64>,
}

impl Program {
    /// The command of the environment, or else the program as it is packaged, built now if need be.
    pub(super) async fn built() -> Result<Program> {
        if let Ok(words) = std::env::var(AGENT_COMMAND) {
            let words = words.split(' ').map(str::to_owned).collect();
            return Ok(Program { words });
        }
        let target = target_folder()?;
        // Only `cargo run` says which cargo that is; a copied program measures what is there.
        if let Some(cargo) = std::env::var_os("CARGO") {
            run(&repository()?.join(".ci/edge-build"), &[], &target).await?;
            let platform = ["build", "--release", "-p", "platform", "--bin", "platform"];
            run(Path::new(&cargo), &platform, &target).await?;
        }
        let program = target.join(triple()).join("edge/edge-agent");
        ensure!(
            program.exists(),
            "no {}: run .ci/edge-build",
            program.display()
        );
        let words = vec![program.display().to_string()];
        Ok(Program { words })
    }

    /// The program to start and all of its arguments.
    pub(super) fn command<'a>(&'a self, arguments: &[&'a str]) -> (&'a str, Vec<&'a str>) {
        let mut words = self.words.iter().map(String::as_str);
        let first = words.next().unwrap_or_default();
        (first, words.chain(arguments.iter().copied()).collect())
    }

    pub(super) async fn sizes(&self) -> Result<Sizes> {
        let file = self.words.last().context("no program")?;
        let file = std::fs::metadata(file).with_context(|| format!("{file} cannot be read"))?;
        Ok(Sizes {
            program: file.len(),
            package: self.package().await?,
        })
    }

    /// Packs what was built.
    async fn package(&self) -> Result<Option<u64>> {
        let named = std::env::var_os(AGENT_COMMAND).is_some();
        if named || std::env::var_os("CARGO").is_none() || !has_packer().await {
            return Ok(None);
        }
        let (script, target) = (repository()?.join(".ci/edge-package"), target_folder()?);
        let folder = tempfile::tempdir()?;
        let out = folder.path().display().to_string();
        run(
            &script,
            &["--only-pack", &target.display().to_string(), &out],
            &target,
        )
        .await?;
        let mut files = std::fs::read_dir(&out)?;
        let package = files.next().context("no package")??;
        Ok(Some(package.metadata()?.len()))
    }
}

async fn has_packer() -> bool {
    let mut asked = Command::new("cargo-deb");
    asked
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    asked.status().await.is_ok_and(|status| status.success())
}

/// Where the scripts are that build and pack, under `cargo run`.
fn repository() -> Result<PathBuf> {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").context("not run by cargo")?;
    let folder = Path::new(&own).parent().context("no repository")?;
    Ok(folder.to_owned())
}

/// Processor and system, as cargo names folders.
fn triple() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// `target` of `target/release/bench`.
fn target_folder() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own
        .ancestors()
        .nth(2)
        .context("this program has no folder")?;
    Ok(folder.to_owned())
}

async fn run(program: &Path, arguments: &[&str], target: &Path) -> Result<()> {
    let mut command = Command::new(program);
    // Standard output is the measurement's own.
    command
        .args(arguments)
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let status = command.status().await;
    let status = status.with_context(|| format!("{} does not start", program.display()))?;
    ensure!(status.success(), "{}: {status}", program.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_stands_before_the_agents_own_arguments() {
        let words = ["/usr/bin/qemu-aarch64-static", "-L", "/usr/lib", "/agent"];
        let program = Program {
            words: words.map(str::to_owned).to_vec(),
        };
        let (first, arguments) = program.command(&["run", "--config", "x"]);
        assert_eq!(first, "/usr/bin/qemu-aarch64-static");
        assert_eq!(
            arguments,
            ["-L", "/usr/lib", "/agent", "run", "--config", "x"]
        );
    }
}
