-- What a decision's case used and what was said about its parties, and offers that went straight
-- through; the same tables as on SQLite. case_uses, case_identifiers, case_links and passages are
-- append-only: the service neither updates nor deletes a row of them, and its role may not.

-- Uses of invoices and devices by name, each name's in their order: who takes a place was before
-- whoever takes the next one.
CREATE TABLE case_uses ( -- spread by name
    name             BYTEA   NOT NULL CHECK (length(name) = 32),
    place            BIGINT NOT NULL CHECK (place >= 1),
    kind             TEXT COLLATE "C" NOT NULL CHECK (kind IN ('invoice', 'device')),
    supplier         TEXT COLLATE "C" NOT NULL,
    decision_id      TEXT COLLATE "C" NOT NULL,
    body             BYTEA   NOT NULL,
    PRIMARY KEY (name, place)
);

-- Hashes of what a party is known by, and which supplier said so.
CREATE TABLE case_identifiers ( -- spread by party
    party            TEXT COLLATE "C" NOT NULL,
    said_by          TEXT COLLATE "C" NOT NULL,
    kind             TEXT COLLATE "C" NOT NULL,
    value            BYTEA   NOT NULL CHECK (length(value) = 32),
    decision_id      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (party, said_by, kind, value)
);

-- Declared links, each by both of its ends.
CREATE TABLE case_links ( -- spread by party
    party            TEXT COLLATE "C" NOT NULL,
    said_by          TEXT COLLATE "C" NOT NULL,
    other            TEXT COLLATE "C" NOT NULL,
    kind             TEXT COLLATE "C" NOT NULL,
    decision_id      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (party, said_by, other, kind),
    CHECK (party <> other)
);

-- Offers that were accepted for the bank by rule, without a person: written with their decision.
CREATE TABLE passages ( -- spread by decision_id
    decision_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    passed_by        TEXT COLLATE "C" NOT NULL,
    currency         TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    asked_fen        BIGINT NOT NULL CHECK (asked_fen > 0),
    up_to_fen        BIGINT NOT NULL CHECK (up_to_fen >= 0),
    version          BYTEA   NOT NULL CHECK (length(version) = 32),
    inputs_sha256    BYTEA   NOT NULL CHECK (length(inputs_sha256) = 32),
    model_sha256     BYTEA   NOT NULL CHECK (length(model_sha256) = 32),
    passed_at        TIMESTAMPTZ NOT NULL,
    CHECK (asked_fen <= up_to_fen)
);

CREATE INDEX passages_by_time ON passages (passed_at, decision_id);
