//! The papers against the routers: the table of access, and the OpenAPI document of each service.

use std::path::{Path, PathBuf};
use std::process::Command;

use kit::routes::{Entry, undescribed};
use serde_json::Value;

use super::table;

/// The checker of OpenAPI documents, from PyPI.
const CHECKER: &str = "openapi-spec-validator==0.7.2";

/// What stands in the router or on paper only.
pub fn differences(section: &str, document: &str, routes: &[Entry]) -> Vec<String> {
    let document: Value = serde_json::from_str(document).unwrap();
    let mut wrong = table(section).differences(routes);
    wrong.extend(undescribed(&document, routes));
    wrong
        .iter()
        .map(|one| format!("{section}: {one}"))
        .collect()
}

/// A Python that has the checker: the usual one, or one that is made once for this user.
fn python() -> Option<PathBuf> {
    let home = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    let folder = home.join("tracebond").join(CHECKER);
    let python = folder.join("bin/python");
    let has = |python: &Path| {
        let mut check = Command::new(python);
        let checked = check.args(["-c", "import openapi_spec_validator"]).output();
        checked.is_ok_and(|output| output.status.success())
    };
    // The test command installs it for everybody's Python.
    if has(Path::new("python3")) {
        return Some(PathBuf::from("python3"));
    }
    if !has(&python) {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&folder)
            .output();
        made.ok().filter(|output| output.status.success())?;
        let pip = ["-m", "pip", "install", "--quiet", CHECKER];
        Command::new(&python).args(pip).output().ok()?;
    }
    has(&python).then_some(python)
}

#[test]
fn both_documents_are_openapi() {
    let Some(python) = python() else {
        assert!(std::env::var_os("CI").is_none(), "{CHECKER} cannot be had");
        println!("SKIPPED: {CHECKER} cannot be had");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = Vec::new();
    for service in ["platform", "credit"] {
        let file = root.join(service).join("docs/openapi.json");
        let mut check = Command::new(&python);
        let output = check
            .args(["-m", "openapi_spec_validator"])
            .arg(&file)
            .output();
        let output = output.unwrap();
        if !output.status.success() {
            wrong.push(String::from_utf8_lossy(&output.stdout).into_owned());
        }
    }
    super::none(&wrong);
}
