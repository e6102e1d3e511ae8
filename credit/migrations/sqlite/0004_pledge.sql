-- Pledges: what is taken, by whom, and how it came to that.
-- pledge_steps is append-only: no statement of the service updates or deletes a row of it. Each row
-- carries the hash of the one before; pledge_heads has the last one.
--
-- A thing is taken as a whole by one pledge (holder), or pledges of things in it are counted (inside),
-- never both. A lot is taken up to the quantity that evidence shows. Both by one guarded statement a
-- claim. docs/pledge.md says what is hashed.

CREATE TABLE pledge_slots (
    fingerprint      BLOB    NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 32),
    holder           BLOB    CHECK (length(holder) = 32),
    inside           INTEGER NOT NULL CHECK (inside >= 0),
    CHECK (holder IS NULL OR inside = 0)
) STRICT;

CREATE TABLE pledge_lots (
    fingerprint      BLOB    NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 32),
    measure          TEXT    NOT NULL,
    shown            INTEGER NOT NULL,
    log_size         INTEGER NOT NULL CHECK (log_size >= 0),
    pledged          INTEGER NOT NULL,
    CHECK (pledged >= 0 AND pledged <= shown)
) STRICT;

CREATE TABLE pledge_steps (
    pledge_id        BLOB    NOT NULL CHECK (length(pledge_id) = 32),
    step             INTEGER NOT NULL CHECK (step >= 1),
    request          TEXT    NOT NULL,
    prev             BLOB    NOT NULL CHECK (length(prev) = 32),
    at               TEXT    NOT NULL,
    body             BLOB    NOT NULL,
    PRIMARY KEY (pledge_id, step),
    UNIQUE (pledge_id, request)
) STRICT;

CREATE TABLE pledge_heads (
    pledge_id        BLOB    NOT NULL PRIMARY KEY CHECK (length(pledge_id) = 32),
    step             INTEGER NOT NULL CHECK (step >= 1),
    hash             BLOB    NOT NULL CHECK (length(hash) = 32),
    state            TEXT    NOT NULL,
    loan             TEXT    NOT NULL,
    changed_at       TEXT    NOT NULL
) STRICT;

CREATE INDEX pledge_heads_by_state ON pledge_heads (state, changed_at, pledge_id);
CREATE INDEX pledge_heads_by_loan ON pledge_heads (loan, pledge_id);

-- What the watch of one sensor knows, so that it goes on after a restart.
CREATE TABLE pledge_watches (
    pledge_id        BLOB    NOT NULL CHECK (length(pledge_id) = 32),
    stream           TEXT    NOT NULL,
    version          INTEGER NOT NULL CHECK (version >= 1),
    watch            BLOB    NOT NULL,
    PRIMARY KEY (pledge_id, stream)
) STRICT;
