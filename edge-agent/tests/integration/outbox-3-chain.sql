-- The table `chain` of version 3; all others were as in version 4.
CREATE TABLE chain (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER,
    seq INTEGER,
    id BLOB CHECK (id IS NULL OR length(id) = 32),
    made INTEGER,
    -- Place of the newest statement. It never returns, so that a cursor over it misses nothing.
    position INTEGER NOT NULL DEFAULT 0,
    -- Number of the newest event that a statement holds: those beyond it are unsigned.
    signed INTEGER NOT NULL DEFAULT 0,
    -- Number of the newest event that ever was.
    newest INTEGER NOT NULL DEFAULT 0,
    -- Counts since enrolment, as JSON.
    counts TEXT NOT NULL DEFAULT '{}'
) STRICT;
INSERT INTO chain (one) VALUES (1);
