-- People of the bank, what they decided, and the trail of both; the same tables as on SQLite.
-- evidence, reviews, releases and audit are append-only: the service neither updates nor deletes a
-- row of them, and its role may not. sandbox_use.used_fen equals the sum of the reservations of its
-- sandbox less the sum of their releases.

CREATE TABLE people ( -- spread by organisation
    organisation     TEXT COLLATE "C" NOT NULL,
    name             TEXT COLLATE "C" NOT NULL,
    role             TEXT COLLATE "C" NOT NULL,
    password_hash    TEXT COLLATE "C" NOT NULL,
    created          TIMESTAMPTZ NOT NULL,
    disabled         TIMESTAMPTZ,
    PRIMARY KEY (organisation, name)
);

-- token is the SHA-256 of what the browser holds.
CREATE TABLE sessions ( -- spread by token
    token            BYTEA NOT NULL PRIMARY KEY CHECK (length(token) = 32),
    data             TEXT COLLATE "C" NOT NULL,
    created          TIMESTAMPTZ NOT NULL,
    seen             TIMESTAMPTZ NOT NULL
);

-- The bundles that decisions were made from, by their hash.
CREATE TABLE evidence ( -- spread by sha256
    sha256           BYTEA NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
    bundle           BYTEA NOT NULL
);

-- The steps of an offer after the machine's decision: each step once, no person twice, one end.
CREATE TABLE reviews ( -- spread by decision_id
    decision_id      TEXT COLLATE "C" NOT NULL,
    step             BIGINT NOT NULL CHECK (step IN (1, 2)),
    act              TEXT COLLATE "C" NOT NULL CHECK (act IN ('accept', 'refuse', 'lapse')),
    person           TEXT COLLATE "C",
    reason           TEXT COLLATE "C",
    note             TEXT COLLATE "C" NOT NULL,
    version          BYTEA NOT NULL CHECK (length(version) = 32),
    inputs_sha256    BYTEA NOT NULL CHECK (length(inputs_sha256) = 32),
    model_sha256     BYTEA NOT NULL CHECK (length(model_sha256) = 32),
    settles          BOOLEAN NOT NULL,
    reviewed_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (decision_id, step),
    UNIQUE (decision_id, person),
    CHECK ((act = 'lapse') = (person IS NULL)),
    CHECK ((act = 'refuse') = (reason IS NOT NULL)),
    CHECK (act = 'accept' OR settles)
);

CREATE UNIQUE INDEX reviews_settle_once ON reviews (decision_id) WHERE settles;
CREATE INDEX reviews_by_time ON reviews (reviewed_at, decision_id);

-- Room that a refused or lapsed offer gives back.
CREATE TABLE releases ( -- spread by decision_id
    decision_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sandbox_id       TEXT COLLATE "C" NOT NULL,
    currency         TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    amount_fen       BIGINT NOT NULL CHECK (amount_fen > 0),
    released_at      TIMESTAMPTZ NOT NULL
);

-- Why officers refuse; a reason is retired, never deleted, since decisions name it.
CREATE TABLE refusal_reasons ( -- in one place
    code             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    en               TEXT COLLATE "C" NOT NULL,
    zh               TEXT COLLATE "C" NOT NULL,
    active           BOOLEAN NOT NULL
);

-- Each row carries the SHA-256 of the row before (32 zero bytes in the first).
CREATE TABLE audit ( -- in one place
    seq              BIGINT NOT NULL PRIMARY KEY CHECK (seq >= 1),
    at               TIMESTAMPTZ NOT NULL,
    actor            TEXT COLLATE "C" NOT NULL,
    action           TEXT COLLATE "C" NOT NULL,
    subject          TEXT COLLATE "C" NOT NULL,
    detail           TEXT COLLATE "C" NOT NULL,
    prev             BYTEA NOT NULL CHECK (length(prev) = 32)
);

CREATE INDEX audit_by_subject ON audit (subject, seq);
