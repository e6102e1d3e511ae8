-- What a decision's case used and what was said about its parties, and offers that went straight
-- through. case_uses, case_identifiers, case_links and passages are append-only: no statement of the
-- service updates or deletes a row of them.

-- Uses of invoices and devices by name, each name's in their order: who takes a place was before
-- whoever takes the next one.
CREATE TABLE case_uses (
    name             BLOB    NOT NULL CHECK (length(name) = 32),
    place            INTEGER NOT NULL CHECK (place >= 1),
    kind             TEXT    NOT NULL CHECK (kind IN ('invoice', 'device')),
    supplier         TEXT    NOT NULL,
    decision_id      TEXT    NOT NULL,
    body             BLOB    NOT NULL,
    PRIMARY KEY (name, place)
) STRICT;

-- Hashes of what a party is known by, and which supplier said so.
CREATE TABLE case_identifiers (
    party            TEXT    NOT NULL,
    said_by          TEXT    NOT NULL,
    kind             TEXT    NOT NULL,
    value            BLOB    NOT NULL CHECK (length(value) = 32),
    decision_id      TEXT    NOT NULL,
    PRIMARY KEY (party, said_by, kind, value)
) STRICT;

-- Declared links, each by both of its ends.
CREATE TABLE case_links (
    party            TEXT    NOT NULL,
    said_by          TEXT    NOT NULL,
    other            TEXT    NOT NULL,
    kind             TEXT    NOT NULL,
    decision_id      TEXT    NOT NULL,
    PRIMARY KEY (party, said_by, other, kind),
    CHECK (party <> other)
) STRICT;

-- Offers that were accepted for the bank by rule, without a person: written with their decision.
CREATE TABLE passages (
    decision_id      TEXT    NOT NULL PRIMARY KEY,
    passed_by        TEXT    NOT NULL,
    currency         TEXT    NOT NULL CHECK (length(currency) = 3),
    asked_fen        INTEGER NOT NULL CHECK (asked_fen > 0),
    up_to_fen        INTEGER NOT NULL CHECK (up_to_fen >= 0),
    version          BLOB    NOT NULL CHECK (length(version) = 32),
    inputs_sha256    BLOB    NOT NULL CHECK (length(inputs_sha256) = 32),
    model_sha256     BLOB    NOT NULL CHECK (length(model_sha256) = 32),
    passed_at        TEXT    NOT NULL,
    CHECK (asked_fen <= up_to_fen)
) STRICT;

CREATE INDEX passages_by_time ON passages (passed_at, decision_id);
