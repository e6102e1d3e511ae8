-- The outbox, version 1. One writer; readers only look. Every table is STRICT.

-- End of the chain. Exactly one row once something has been signed.
CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 32),
    made INTEGER NOT NULL
) STRICT;

-- Statements and notes as signed, until their inclusion has been verified.
-- `position` never returns, so that a cursor over it misses nothing.
CREATE TABLE statements (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
    bytes BLOB NOT NULL,
    receipt INTEGER REFERENCES receipts (number),
    deadline INTEGER,
    included INTEGER NOT NULL DEFAULT 0,
    late INTEGER NOT NULL DEFAULT 0,
    UNIQUE (epoch, seq)
) STRICT;
CREATE INDEX statements_waiting ON statements (position) WHERE receipt IS NULL;
CREATE INDEX statements_receipt ON statements (receipt) WHERE receipt IS NOT NULL;
CREATE INDEX statements_deadline ON statements (deadline) WHERE included = 0;

-- Events, until the receipt for their statement. `statement` is null in the open one.
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    statement INTEGER REFERENCES statements (position),
    source INTEGER NOT NULL,
    salt BLOB NOT NULL CHECK (length(salt) = 16),
    bytes BLOB NOT NULL
) STRICT;
CREATE INDEX events_statement ON events (statement);

-- Receipts as signed, until no statement needs them.
CREATE TABLE receipts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

-- Events that the platform refused.
CREATE TABLE refused (
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    event INTEGER NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (epoch, seq, event)
) STRICT;

-- Newest witnessed checkpoint that was verified here.
CREATE TABLE checkpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    size INTEGER NOT NULL,
    root BLOB NOT NULL CHECK (length(root) = 32),
    note BLOB NOT NULL
) STRICT;

-- Goods that are here.
CREATE TABLE presence (
    uri TEXT PRIMARY KEY,
    is_class INTEGER NOT NULL,
    quantity TEXT,
    uom TEXT
) STRICT;

-- Readings that no event holds yet.
CREATE TABLE readings (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    series TEXT NOT NULL,
    time INTEGER NOT NULL,
    value REAL,
    suspect INTEGER NOT NULL
) STRICT;

-- How far each scan file has been read, and a hash of its beginning, to notice another file.
CREATE TABLE scans (
    path TEXT PRIMARY KEY,
    offset INTEGER NOT NULL,
    line INTEGER NOT NULL,
    prefix INTEGER NOT NULL,
    prefix_hash BLOB NOT NULL CHECK (length(prefix_hash) = 32)
) STRICT;

-- Counts since enrolment, as JSON.
CREATE TABLE counters (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    counts TEXT NOT NULL
) STRICT;
