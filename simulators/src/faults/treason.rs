//! What a test plants to see that a run's checks find it: a platform that lies in the ways in which
//! a mistake of ours could make it lie. A real run plants nothing.

/// A lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Treason {
    /// None.
    #[default]
    None,
    /// A receipt goes out, and what it is for is not in the database.
    ReceiptBeforeCommit,
    /// One stored statement is taken out at the end.
    StatementDropped,
    /// One statement stands in two batches.
    LeafDoubled,
    /// A gap is written down where nothing is missing.
    GapInvented,
    /// Every gap is taken out.
    GapsErased,
    /// A fork is written down that nobody made.
    ForkInvented,
    /// Every fork is taken out.
    ForksErased,
    /// An entry of the log is another one.
    LogChanged,
    /// Events say something else.
    ContentChanged,
}

impl Treason {
    /// What is done to the database after every transaction.
    #[must_use]
    pub const fn after_commit(self) -> &'static [&'static str] {
        match self {
            Self::ReceiptBeforeCommit => &[
                "DELETE FROM batch_queue",
                "DELETE FROM statements WHERE seq = 3",
            ],
            _ => &[],
        }
    }

    /// What is done to the database before the verdict.
    #[must_use]
    pub const fn at_the_end(self) -> &'static [&'static str] {
        match self {
            Self::None | Self::ReceiptBeforeCommit => &[],
            Self::StatementDropped => {
                &["DELETE FROM statements WHERE id = (SELECT min(id) FROM statements)"]
            }
            Self::LeafDoubled => &[
                "INSERT INTO batch_statements (statement, shard, seq, position)
                 SELECT statement, shard, seq + 1, 9999 FROM batch_statements
                 WHERE seq = 0 LIMIT 1",
            ],
            Self::GapInvented => &[
                "INSERT INTO chain_events (device, kind, epoch, from_seq, to_seq, at, detail)
                 SELECT device, 'gap-opened', 0, 1, 1, received, 'statements are missing'
                 FROM statements LIMIT 1",
            ],
            Self::GapsErased => &["DELETE FROM chain_events WHERE kind = 'gap-opened'"],
            Self::ForkInvented => &[
                "INSERT INTO chain_events (device, kind, epoch, from_seq, to_seq, at, detail)
                 SELECT device, 'fork', 0, 0, 0, received, 'two statements in one place'
                 FROM statements LIMIT 1",
            ],
            Self::ForksErased => &["DELETE FROM chain_events WHERE kind = 'fork'"],
            Self::LogChanged => &[
                "UPDATE log_entries SET bytes = (SELECT bytes FROM log_entries WHERE position = 1)
                 WHERE position = (SELECT max(position) FROM log_entries)",
            ],
            Self::ContentChanged => &["UPDATE event_contents
                 SET bytes = CAST(replace(CAST(bytes AS TEXT), '/21/A', '/21/B') AS BLOB)"],
        }
    }
}
