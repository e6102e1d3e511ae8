-- Decisions, what they reserved, and the limits that they were made under.
-- decisions, reservations, sandbox_limits and refusals are append-only: no statement of the service
-- updates or deletes a row of them. sandbox_use is the one counter; it always equals the sum of the
-- reservations of its sandbox.

CREATE TABLE sandbox_limits (
    sandbox_id       TEXT    NOT NULL,
    version          INTEGER NOT NULL CHECK (version >= 1),
    currency         TEXT    NOT NULL CHECK (length(currency) = 3),
    per_loan_fen     INTEGER NOT NULL CHECK (per_loan_fen >= 0),
    outstanding_fen  INTEGER NOT NULL CHECK (outstanding_fen >= 0),
    declared_at      TEXT    NOT NULL,
    PRIMARY KEY (sandbox_id, version)
) STRICT;

CREATE TABLE sandbox_use (
    sandbox_id       TEXT    NOT NULL PRIMARY KEY,
    version          INTEGER NOT NULL,
    currency         TEXT    NOT NULL CHECK (length(currency) = 3),
    per_loan_fen     INTEGER NOT NULL CHECK (per_loan_fen >= 0),
    outstanding_fen  INTEGER NOT NULL CHECK (outstanding_fen >= 0),
    used_fen         INTEGER NOT NULL CHECK (used_fen >= 0)
) STRICT;

CREATE TABLE decisions (
    decision_id      TEXT    NOT NULL PRIMARY KEY,
    application_id   TEXT    NOT NULL UNIQUE,
    supplier         TEXT    NOT NULL,
    decided_at       TEXT    NOT NULL,
    inputs_sha256    BLOB    NOT NULL CHECK (length(inputs_sha256) = 32),
    inputs           BLOB    NOT NULL,
    facts            BLOB    NOT NULL,
    decision         BLOB    NOT NULL
) STRICT;

CREATE INDEX decisions_by_time ON decisions (decided_at, decision_id);

CREATE TABLE reservations (
    decision_id      TEXT    NOT NULL PRIMARY KEY,
    sandbox_id       TEXT    NOT NULL,
    version          INTEGER NOT NULL,
    currency         TEXT    NOT NULL CHECK (length(currency) = 3),
    amount_fen       INTEGER NOT NULL CHECK (amount_fen > 0)
) STRICT;

CREATE TABLE refusals (
    application_id   TEXT    NOT NULL,
    refused_at       TEXT    NOT NULL,
    supplier         TEXT    NOT NULL,
    class            TEXT    NOT NULL,
    detail           TEXT    NOT NULL,
    PRIMARY KEY (application_id, refused_at)
) STRICT;
