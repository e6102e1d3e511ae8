//! Transactions that the database asks to be tried again.

/// Tries of one transaction.
const TRIES: u32 = 10;

/// Two transactions could not be put into one order.
const SERIALIZATION_FAILURE: &str = "40001";
/// Two transactions waited for each other.
const DEADLOCK: &str = "40P01";

/// Counts tries: an idempotent transaction is tried again at once after a serialization failure or
/// a deadlock, since the other transaction has gone on meanwhile. Any other error is final.
#[derive(Debug)]
pub struct Attempts(u32);

impl Default for Attempts {
    /// Ten tries.
    fn default() -> Self {
        Self(TRIES)
    }
}

impl Attempts {
    /// True if the error asks for another try and there is one left.
    pub fn again(&mut self, error: &sqlx::Error) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0 && is_retriable(error)
    }
}

/// True for 40001 and 40P01.
#[must_use]
pub fn is_retriable(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == SERIALIZATION_FAILURE || code == DEADLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_errors_are_final() {
        assert!(!Attempts::default().again(&sqlx::Error::RowNotFound));
        assert!(!Attempts::default().again(&sqlx::Error::PoolTimedOut));
    }
}
