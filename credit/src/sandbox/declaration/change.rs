//! One version after another.

use std::collections::BTreeMap;

use schemas::hash::Hash;
use schemas::ids::Slug;
use serde::Serialize;
use serde_json::Value;

use super::Declaration;

/// Why a version does not follow another one.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// It is about another project.
    #[error("`project` is `{0}`: a version follows one of the same project")]
    Project(Slug),
    /// Not the next number.
    #[error("`version` is {found}, the next one is {next}")]
    Version {
        /// As declared.
        found: u32,
        /// As it must be.
        next: u32,
    },
    /// It names another version before it.
    #[error("`previous` is not the hash of the version before, {0}")]
    Previous(Hash),
    /// Nothing is new.
    #[error("nothing has changed")]
    Same,
    /// A version that cannot be written down.
    #[error("the declaration has no canonical bytes")]
    Bytes(#[from] serde_json::Error),
}

/// A value that is not the same in two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where: members by name, items of lists by number from 0, such as `applicants[1].name`.
    pub path: String,
    /// What stood there, as text; absent if nothing did.
    pub before: Option<String>,
    /// What stands there now; absent if nothing does.
    pub after: Option<String>,
}

pub(super) fn follow(
    before: &Declaration,
    after: &Declaration,
) -> Result<Vec<Change>, FollowError> {
    if after.project != before.project {
        return Err(FollowError::Project(after.project.clone()));
    }
    let next = before.version.saturating_add(1);
    if after.version != next {
        let found = after.version;
        return Err(FollowError::Version { found, next });
    }
    let hash = before.hash()?;
    if after.previous != Some(hash) {
        return Err(FollowError::Previous(hash));
    }
    let changes = changes(&leaves(before)?, &leaves(after)?);
    if changes.is_empty() {
        return Err(FollowError::Same);
    }
    Ok(changes)
}

type Leaves = BTreeMap<String, String>;

/// The values of a version by path, without what always differs.
fn leaves(declaration: &Declaration) -> Result<Leaves, serde_json::Error> {
    let mut found = Leaves::new();
    collect(
        String::new(),
        &serde_json::to_value(declaration)?,
        &mut found,
    );
    found.remove("version");
    found.remove("previous");
    Ok(found)
}

fn collect(path: String, value: &Value, found: &mut Leaves) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                collect(format!("{path}{dot}{name}"), value, found);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                collect(format!("{path}[{number}]"), value, found);
            }
        }
        Value::String(text) => {
            found.insert(path, text.clone());
        }
        other => {
            found.insert(path, other.to_string());
        }
    }
}

fn changes(before: &Leaves, after: &Leaves) -> Vec<Change> {
    let paths: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let change = |path: &String| Change {
        path: path.clone(),
        before: before.get(path).cloned(),
        after: after.get(path).cloned(),
    };
    paths
        .into_iter()
        .map(change)
        .filter(|change| change.before != change.after)
        .collect()
}
