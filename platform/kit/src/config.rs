//! Configuration files: read, parsed through [`schemas::config`], and every error names the file,
//! and the line and field where there are any.

use std::io;
use std::path::{Path, PathBuf};

use schemas::config::ConfigError;
use serde::de::DeserializeOwned;

/// Longest configuration file in bytes: more is a mistake in the path.
pub const FILE_MAX: u64 = 1024 * 1024;

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// The file is too long to be a configuration.
    #[error("{path}: {bytes} bytes are too long for a configuration (at most {FILE_MAX})")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// Its content is wrong; the message is `file:line: field: problem`.
    #[error(transparent)]
    Content(#[from] ConfigError),
}

/// Reads a TOML file into `T`. Let `T` deny unknown fields, so that a slip of the pen is found.
///
/// # Errors
/// [`ReadError`], whose message is fit for the person who wrote the file.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ReadError> {
    let text = text(path)?;
    Ok(schemas::config::parse(&path.display().to_string(), &text)?)
}

/// Reads the text of a configuration file, for callers that report with [`ConfigError::at`] on it.
///
/// # Errors
/// [`ReadError::File`] or [`ReadError::TooLong`].
pub fn text(path: &Path) -> Result<String, ReadError> {
    let failed = |source| ReadError::File {
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > FILE_MAX {
        return Err(ReadError::TooLong {
            path: path.to_owned(),
            bytes,
        });
    }
    std::fs::read_to_string(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        port: u16,
    }

    #[test]
    fn an_error_names_the_file_the_line_and_the_field() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        std::fs::write(&path, "port = 80\n").unwrap();
        assert_eq!(read::<Sample>(&path).unwrap().port, 80);
        std::fs::write(&path, "# nothing\nport = \"x\"\n").unwrap();
        let message = read::<Sample>(&path).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("{}:2: port: ", path.display())),
            "{message}"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let message = read::<Sample>(Path::new("/nowhere/a.toml"))
            .unwrap_err()
            .to_string();
        assert!(message.contains("/nowhere/a.toml"), "{message}");
    }
}
