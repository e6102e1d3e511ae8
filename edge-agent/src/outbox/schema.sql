-- The outbox, version 4, with `chain.sql`. One writer; readers only look. Every table is STRICT.
-- What is written with every commit stands together in few pages: a page is the least that is
-- written, and an SD card wears out by what is written.

-- Statements and notes as signed, until their inclusion has been verified.
CREATE TABLE statements (
    position INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 32),
    bytes BLOB NOT NULL,
    -- Numbers of its events: `events` of them lie between the two, none for a note.
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    events INTEGER NOT NULL,
    receipt INTEGER,
    included INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX statements_id ON statements (id);

-- Events, until the receipt for their statement. `life_cycle` is 0 for plain telemetry, which may be
-- thinned when room runs out. `mark` is a hash over source, salt and bytes: what is unsigned has no
-- signature that would show a flipped bit; `bytes` are packed (`body.rs`), and all else is of what they
-- were before.
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    salt BLOB NOT NULL CHECK (length(salt) = 16),
    mark INTEGER NOT NULL,
    life_cycle INTEGER NOT NULL DEFAULT 1,
    bytes BLOB NOT NULL
) STRICT;

-- Receipts as signed, while statements that they name wait for their inclusion.
CREATE TABLE receipts (
    number INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    late INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER NOT NULL,
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

-- What a rule knows of a series besides the readings that wait, as JSON (`compose::series`).
CREATE TABLE series (
    series TEXT PRIMARY KEY,
    memory TEXT NOT NULL
) STRICT;

-- Scanned codes that no event holds yet: an open packing, a running recipe (`compose::desk`).
CREATE TABLE scanned (
    path TEXT NOT NULL,
    number INTEGER NOT NULL,
    line INTEGER NOT NULL,
    time INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (path, number)
) STRICT;

-- How far each scan file has been read, and a hash of its beginning, to notice another file.
CREATE TABLE scans (
    path TEXT PRIMARY KEY,
    offset INTEGER NOT NULL,
    line INTEGER NOT NULL,
    prefix INTEGER NOT NULL,
    prefix_hash BLOB NOT NULL CHECK (length(prefix_hash) = 32)
) STRICT;

-- The last word of the present key, while the next one is not in force. One row at most; nothing
-- is signed while it is there.
CREATE TABLE rotation (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    next BLOB NOT NULL CHECK (length(next) = 32),
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 32)
) STRICT;

-- Notes that wait to be signed: `statement.md` section 3.1, kinds 2 and 3.
CREATE TABLE held_notes (
    number INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    sensor TEXT,
    from_time INTEGER,
    until_time INTEGER,
    dropped INTEGER
) STRICT;
