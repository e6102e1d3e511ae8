//! Randomness of the operating system: the one place that keys, salts and secrets come from.

/// The operating system gave no randomness; nothing safe can go on.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct NoRandomness(getrandom::Error);

/// `N` bytes from the operating system.
///
/// # Errors
/// Only where the operating system has none; the caller must stop.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut out = [0; N];
    getrandom::fill(&mut out).map_err(NoRandomness)?;
    Ok(out)
}
