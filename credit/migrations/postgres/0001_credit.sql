-- Decisions, what they reserved, and the limits that they were made under; the same tables as on
-- SQLite.
-- decisions, reservations, sandbox_limits and refusals are append-only: the service neither updates
-- nor deletes a row of them, and its role may not. sandbox_use is the one counter; it always equals
-- the sum of the reservations of its sandbox.
--
-- Each table says where its rows go in a distributed PostgreSQL, as in the platform's migrations.
-- Everything of a decision is spread by its id, which is made from the application's: so one
-- application has one decision without a second unique key.

CREATE TABLE sandbox_limits ( -- in one place
    sandbox_id       TEXT COLLATE "C" NOT NULL,
    version          BIGINT NOT NULL CHECK (version >= 1),
    currency         TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    per_loan_fen     BIGINT NOT NULL CHECK (per_loan_fen >= 0),
    outstanding_fen  BIGINT NOT NULL CHECK (outstanding_fen >= 0),
    declared_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (sandbox_id, version)
);

CREATE TABLE sandbox_use ( -- in one place
    sandbox_id       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version          BIGINT NOT NULL,
    currency         TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    per_loan_fen     BIGINT NOT NULL CHECK (per_loan_fen >= 0),
    outstanding_fen  BIGINT NOT NULL CHECK (outstanding_fen >= 0),
    used_fen         BIGINT NOT NULL CHECK (used_fen >= 0)
);

CREATE TABLE decisions ( -- spread by decision_id
    decision_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    application_id   TEXT COLLATE "C" NOT NULL,
    supplier         TEXT COLLATE "C" NOT NULL,
    decided_at       TIMESTAMPTZ NOT NULL,
    inputs_sha256    BYTEA NOT NULL CHECK (length(inputs_sha256) = 32),
    inputs           BYTEA NOT NULL,
    facts            BYTEA NOT NULL,
    decision         BYTEA NOT NULL
);

CREATE INDEX decisions_by_application ON decisions (application_id);
CREATE INDEX decisions_by_time ON decisions (decided_at, decision_id);

CREATE TABLE reservations ( -- spread by decision_id
    decision_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sandbox_id       TEXT COLLATE "C" NOT NULL,
    version          BIGINT NOT NULL,
    currency         TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    amount_fen       BIGINT NOT NULL CHECK (amount_fen > 0)
);

CREATE TABLE refusals ( -- spread by application_id
    application_id   TEXT COLLATE "C" NOT NULL,
    refused_at       TIMESTAMPTZ NOT NULL,
    supplier         TEXT COLLATE "C" NOT NULL,
    class            TEXT COLLATE "C" NOT NULL,
    detail           TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (application_id, refused_at)
);
