//! Log lines on stderr, human or JSON. stdout belongs to results.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lines {
    /// Short lines for a terminal, coloured when stderr is one.
    #[default]
    Human,
    /// One JSON object a line, fields flat, for collectors.
    Json,
}

/// Why log lines could not be set up. The process may go on without them.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not understood.
    #[error("log filter {filter:?} is not understood")]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something else took the process's log first.
    #[error("log lines are already set up")]
    Taken(#[source] TryInitError),
}

/// Starts the process's log. `RUST_LOG` decides what is shown when it is set, else `default`, a
/// filter such as `info,rmqtt=warn`.
///
/// # Errors
/// [`TelemetryError::Filter`] for a bad filter, [`TelemetryError::Taken`] when called twice.
pub fn init(lines: Lines, default: &str) -> Result<(), TelemetryError> {
    let text = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_else(|_| default.to_owned());
    let filter = EnvFilter::try_new(&text).map_err(|source| TelemetryError::Filter {
        filter: text.clone(),
        source,
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A line that has no room on a full disk is lost. The complaint about it would go the same
        // way, and `eprintln!` panics where it cannot: in the middle of whoever had something to say.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    match lines {
        Lines::Human => builder.with_target(false).finish().try_init(),
        Lines::Json => builder.json().flatten_event(true).finish().try_init(),
    }
    .map_err(TelemetryError::Taken)
}
