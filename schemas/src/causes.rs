//! An error and its causes in words.
//!
//! Messages of our errors do not repeat their source, so whoever shows one shows the chain.

use std::error::Error;

/// `message: cause: cause`, on one line.
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
