-- People of the bank, what they decided, and the trail of both.
-- evidence, reviews, releases and audit are append-only: no statement of the service updates or
-- deletes a row of them. sandbox_use.used_fen equals the sum of the reservations of its sandbox less
-- the sum of their releases.

CREATE TABLE people (
    organisation     TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    role             TEXT    NOT NULL,
    password_hash    TEXT    NOT NULL,
    created          TEXT    NOT NULL,
    disabled         TEXT,
    PRIMARY KEY (organisation, name)
) STRICT;

-- token is the SHA-256 of what the browser holds.
CREATE TABLE sessions (
    token            BLOB    NOT NULL PRIMARY KEY CHECK (length(token) = 32),
    data             TEXT    NOT NULL,
    created          TEXT    NOT NULL,
    seen             TEXT    NOT NULL
) STRICT;

-- The bundles that decisions were made from, by their hash.
CREATE TABLE evidence (
    sha256           BLOB    NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
    bundle           BLOB    NOT NULL
) STRICT;

-- The steps of an offer after the machine's decision: each step once, no person twice, one end.
CREATE TABLE reviews (
    decision_id      TEXT    NOT NULL,
    step             INTEGER NOT NULL CHECK (step IN (1, 2)),
    act              TEXT    NOT NULL CHECK (act IN ('accept', 'refuse', 'lapse')),
    person           TEXT,
    reason           TEXT,
    note             TEXT    NOT NULL,
    version          BLOB    NOT NULL CHECK (length(version) = 32),
    inputs_sha256    BLOB    NOT NULL CHECK (length(inputs_sha256) = 32),
    model_sha256     BLOB    NOT NULL CHECK (length(model_sha256) = 32),
    settles          INTEGER NOT NULL CHECK (settles IN (0, 1)),
    reviewed_at      TEXT    NOT NULL,
    PRIMARY KEY (decision_id, step),
    UNIQUE (decision_id, person),
    CHECK ((act = 'lapse') = (person IS NULL)),
    CHECK ((act = 'refuse') = (reason IS NOT NULL)),
    CHECK (act = 'accept' OR settles = 1)
) STRICT;

CREATE UNIQUE INDEX reviews_settle_once ON reviews (decision_id) WHERE settles = 1;
CREATE INDEX reviews_by_time ON reviews (reviewed_at, decision_id);

-- Room that a refused or lapsed offer gives back.
CREATE TABLE releases (
    decision_id      TEXT    NOT NULL PRIMARY KEY,
    sandbox_id       TEXT    NOT NULL,
    currency         TEXT    NOT NULL CHECK (length(currency) = 3),
    amount_fen       INTEGER NOT NULL CHECK (amount_fen > 0),
    released_at      TEXT    NOT NULL
) STRICT;

-- Why officers refuse; a reason is retired, never deleted, since decisions name it.
CREATE TABLE refusal_reasons (
    code             TEXT    NOT NULL PRIMARY KEY,
    en               TEXT    NOT NULL,
    zh               TEXT    NOT NULL,
    active           INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT;

-- Each row carries the SHA-256 of the row before (32 zero bytes in the first).
CREATE TABLE audit (
    seq              INTEGER NOT NULL PRIMARY KEY CHECK (seq >= 1),
    at               TEXT    NOT NULL,
    actor            TEXT    NOT NULL,
    action           TEXT    NOT NULL,
    subject          TEXT    NOT NULL,
    detail           TEXT    NOT NULL,
    prev             BLOB    NOT NULL CHECK (length(prev) = 32)
) STRICT;

CREATE INDEX audit_by_subject ON audit (subject, seq);
