-- End of the chain (columns are null until something has been signed), and what a commit changes
-- beside it. Exactly one row.
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
    counts TEXT NOT NULL DEFAULT '{}',
    -- Which lists of words bodies are packed with (`body.rs`): up to this one. A program of before,
    -- which knows none, finds a table that is not its own and leaves the file alone.
    words INTEGER NOT NULL DEFAULT 1
) STRICT;
INSERT INTO chain (one) VALUES (1);
