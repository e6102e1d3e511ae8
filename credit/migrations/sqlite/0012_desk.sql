-- What the bank's people keep beside a decision: who looks after it, notes, tasks, documents.
-- desk_items and desk_files are append-only: no statement of the service updates or deletes a row of them. A change is
-- another row: the assignment with the highest number counts, a task is done by a row of its own.

CREATE TABLE desk_items (
    decision_id      TEXT    NOT NULL,
    kind             TEXT    NOT NULL
                     CHECK (kind IN ('assignment', 'note', 'task', 'done', 'document')),
    key              TEXT    NOT NULL,
    actor            TEXT    NOT NULL,
    person           TEXT,
    body             BLOB    NOT NULL,
    at               TEXT    NOT NULL,
    PRIMARY KEY (decision_id, kind, key)
) STRICT;

CREATE INDEX desk_items_by_person ON desk_items (person, kind, decision_id);

-- Files, each by its SHA-256; the item of kind 'document' with that key says what it is.
CREATE TABLE desk_files (
    decision_id      TEXT    NOT NULL,
    sha256           BLOB    NOT NULL CHECK (length(sha256) = 32),
    content          BLOB    NOT NULL,
    PRIMARY KEY (decision_id, sha256)
) STRICT;

-- The score before, and what a borrower has of the bank.
CREATE INDEX decisions_by_supplier ON decisions (supplier, decided_at, decision_id);
