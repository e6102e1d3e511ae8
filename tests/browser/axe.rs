//! axe-core, somebody else's accessibility rules, run in a page. It comes from npm when a test
//! first needs it, is kept in a folder of this user's cache, and is never part of the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::driver::Browser;

/// The release whose rules are run.
const RELEASE: &str = "axe-core@4.10.3";
/// Names another `axe.min.js`.
const FILE: &str = "TRACEBOND_AXE";

/// The text of axe.min.js.
fn script() -> Result<String> {
    if let Some(file) = std::env::var_os(FILE) {
        return Ok(std::fs::read_to_string(file)?);
    }
    let folder = cache()?;
    let file = folder.join("axe.min.js");
    if !file.exists() {
        fetch(&folder, &file)?;
    }
    Ok(std::fs::read_to_string(file)?)
}

fn cache() -> Result<PathBuf> {
    let home = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let folder = home
        .context("no home folder")?
        .join("tracebond")
        .join(RELEASE);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Fetches into a folder of its own first: tests in other processes may fetch at the same time.
fn fetch(folder: &Path, file: &Path) -> Result<()> {
    let work = tempfile::tempdir_in(folder)?;
    let run = |program: &str, arguments: &[&str]| -> Result<()> {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&work)
            .output()
            .with_context(|| format!("{program} is needed"))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} {arguments:?}: {errors}");
        Ok(())
    };
    run("npm", &["pack", "--silent", RELEASE])?;
    let package = std::fs::read_dir(&work)?
        .flatten()
        .find(|entry| entry.path().extension().is_some_and(|end| end == "tgz"));
    let package = package.context("npm gave no package")?.path();
    let package = package.to_str().context("a path that is no text")?;
    run("tar", &["-xzf", package, "package/axe.min.js"])?;
    std::fs::rename(work.path().join("package/axe.min.js"), file)?;
    Ok(())
}

impl Browser {
    /// Every violation of WCAG 2.2 A and AA and of axe's best practices in the page as it is now:
    /// rule, impact, and where.
    pub async fn violations(&self) -> Result<Vec<String>> {
        self.run(&script()?).await?;
        let tags = [
            "wcag2a",
            "wcag2aa",
            "wcag21a",
            "wcag21aa",
            "wcag22aa",
            "best-practice",
        ];
        let rules =
            json!({"runOnly": {"type": "tag", "values": tags}, "resultTypes": ["violations"]});
        let run = "const done = arguments[arguments.length - 1]; \
            axe.run(document, arguments[0]).then((r) => done(r.violations), (e) => done(String(e)));";
        let found = self.client.execute_async(run, vec![rules]).await?;
        let found = found
            .as_array()
            .with_context(|| format!("axe says {found}"))?;
        let words = |one: &Value| {
            let nodes = one["nodes"].as_array().into_iter().flatten();
            let places: Vec<String> = nodes.map(|node| node["html"].to_string()).collect();
            format!("{} ({}): {}", one["id"], one["impact"], places.join(" "))
        };
        Ok(found.iter().map(words).collect())
    }

    /// Fails if there is any violation.
    pub async fn is_accessible(&self) -> Result<()> {
        let found = self.violations().await?;
        ensure!(found.is_empty(), "axe finds: {found:#?}");
        Ok(())
    }
}
