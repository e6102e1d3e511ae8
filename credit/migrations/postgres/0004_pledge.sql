-- Pledges: what is taken, by whom, and how it came to that; the same tables as on SQLite.
-- pledge_steps is append-only: the service neither updates nor deletes a row of it, and its role may
-- not. Each row carries the hash of the one before; pledge_heads has the last one.
--
-- A thing is taken as a whole by one pledge (holder), or pledges of things in it are counted (inside),
-- never both. A lot is taken up to the quantity that evidence shows. Both by one guarded statement a
-- claim. docs/pledge.md says what is hashed.

CREATE TABLE pledge_slots ( -- spread by fingerprint
    fingerprint      BYTEA NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 32),
    holder           BYTEA CHECK (length(holder) = 32),
    inside           BIGINT NOT NULL CHECK (inside >= 0),
    CHECK (holder IS NULL OR inside = 0)
);

CREATE TABLE pledge_lots ( -- spread by fingerprint
    fingerprint      BYTEA NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 32),
    measure          TEXT COLLATE "C" NOT NULL,
    shown            BIGINT NOT NULL,
    log_size         BIGINT NOT NULL CHECK (log_size >= 0),
    pledged          BIGINT NOT NULL,
    CHECK (pledged >= 0 AND pledged <= shown)
);

CREATE TABLE pledge_steps ( -- spread by pledge_id
    pledge_id        BYTEA NOT NULL CHECK (length(pledge_id) = 32),
    step             BIGINT NOT NULL CHECK (step >= 1),
    request          TEXT COLLATE "C" NOT NULL,
    prev             BYTEA NOT NULL CHECK (length(prev) = 32),
    at               TIMESTAMPTZ NOT NULL,
    body             BYTEA NOT NULL,
    PRIMARY KEY (pledge_id, step),
    UNIQUE (pledge_id, request)
);

CREATE TABLE pledge_heads ( -- spread by pledge_id
    pledge_id        BYTEA NOT NULL PRIMARY KEY CHECK (length(pledge_id) = 32),
    step             BIGINT NOT NULL CHECK (step >= 1),
    hash             BYTEA NOT NULL CHECK (length(hash) = 32),
    state            TEXT COLLATE "C" NOT NULL,
    loan             TEXT COLLATE "C" NOT NULL,
    changed_at       TIMESTAMPTZ NOT NULL
);

CREATE INDEX pledge_heads_by_state ON pledge_heads (state, changed_at, pledge_id);
CREATE INDEX pledge_heads_by_loan ON pledge_heads (loan, pledge_id);

-- What the watch of one sensor knows, so that it goes on after a restart.
CREATE TABLE pledge_watches ( -- spread by pledge_id
    pledge_id        BYTEA NOT NULL CHECK (length(pledge_id) = 32),
    stream           TEXT COLLATE "C" NOT NULL,
    version          BIGINT NOT NULL CHECK (version >= 1),
    watch            BYTEA NOT NULL,
    PRIMARY KEY (pledge_id, stream)
);
