-- What the bank's people keep beside a decision: who looks after it, notes, tasks, documents; the
-- same tables as on SQLite. desk_items and desk_files are append-only: the service neither updates
-- nor deletes a row of them, and its role may not. A change is another row: the assignment with the highest number
-- counts, a task is done by a row of its own.

CREATE TABLE desk_items ( -- spread by decision_id
    decision_id      TEXT COLLATE "C" NOT NULL,
    kind             TEXT COLLATE "C" NOT NULL
                     CHECK (kind IN ('assignment', 'note', 'task', 'done', 'document')),
    key              TEXT COLLATE "C" NOT NULL,
    actor            TEXT COLLATE "C" NOT NULL,
    person           TEXT COLLATE "C",
    body             BYTEA NOT NULL,
    at               TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (decision_id, kind, key)
);

CREATE INDEX desk_items_by_person ON desk_items (person, kind, decision_id);

-- Files, each by its SHA-256; the item of kind 'document' with that key says what it is.
CREATE TABLE desk_files ( -- spread by decision_id
    decision_id      TEXT COLLATE "C" NOT NULL,
    sha256           BYTEA NOT NULL CHECK (length(sha256) = 32),
    content          BYTEA NOT NULL,
    PRIMARY KEY (decision_id, sha256)
);

-- The score before, and what a borrower has of the bank.
CREATE INDEX decisions_by_supplier ON decisions (supplier, decided_at, decision_id);
