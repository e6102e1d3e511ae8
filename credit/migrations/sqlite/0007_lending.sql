-- Loans: their acts, where they stand, what is asked for them.
-- loan_terms, loan_acts, loan_payees, loan_denials, loan_motions and loan_motion_ends are append-only:
-- the service neither updates nor deletes a row of them, and its role may not.
-- Civil days are texts, YYYY-MM-DD.

-- Products' files and the bank's rules by hash: loans live under those that they were opened under.
CREATE TABLE loan_terms (
    hash             BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    kind             TEXT NOT NULL CHECK (kind IN ('product', 'rules')),
    body             TEXT NOT NULL,
    kept_at          TEXT NOT NULL
) STRICT;

-- What happened to a loan, numbered from 1. The key of a row is what keeps two writers apart.
CREATE TABLE loan_acts (
    loan             TEXT NOT NULL,
    number           INTEGER NOT NULL CHECK (number >= 1),
    act_key          TEXT NOT NULL,
    body             TEXT NOT NULL,
    PRIMARY KEY (loan, number),
    UNIQUE (loan, act_key)
) STRICT;

-- Where a loan stands, a copy of what its acts give. `was` is the number of acts before the last write.
CREATE TABLE loan_heads (
    loan             TEXT NOT NULL PRIMARY KEY,
    was              INTEGER NOT NULL CHECK (was >= 0),
    acts             INTEGER NOT NULL CHECK (acts > was),
    state            TEXT NOT NULL,
    supplier         TEXT NOT NULL,
    product          BLOB NOT NULL CHECK (length(product) = 32),
    rules            BLOB NOT NULL CHECK (length(rules) = 32),
    instalments      INTEGER NOT NULL CHECK (instalments >= 1),
    approved_fen     INTEGER NOT NULL CHECK (approved_fen > 0),
    currency         TEXT NOT NULL CHECK (length(currency) = 3),
    run_day          TEXT CHECK (length(run_day) = 10),
    due_day          TEXT CHECK (length(due_day) = 10),
    last_booked      TEXT NOT NULL,
    position         TEXT
) STRICT;

CREATE INDEX loan_heads_by_run_day ON loan_heads (run_day, loan) WHERE run_day IS NOT NULL;
CREATE INDEX loan_heads_by_due_day ON loan_heads (due_day, loan) WHERE due_day IS NOT NULL;
CREATE INDEX loan_heads_by_state ON loan_heads (state, loan);
CREATE INDEX loan_heads_by_supplier ON loan_heads (supplier, loan);

-- Account of a payee, which acts name by a hash.
CREATE TABLE loan_payees (
    loan             TEXT NOT NULL,
    payee            BLOB NOT NULL CHECK (length(payee) = 32),
    account          TEXT NOT NULL,
    PRIMARY KEY (loan, payee)
) STRICT;

-- Room of the trial that an act gives back (above zero) or takes again (below), until it is told.
CREATE TABLE loan_room (
    loan             TEXT NOT NULL,
    act              INTEGER NOT NULL CHECK (act >= 1),
    fen              INTEGER NOT NULL CHECK (fen <> 0),
    at               TEXT NOT NULL,
    told             INTEGER NOT NULL CHECK (told IN (0, 1)),
    PRIMARY KEY (loan, act)
) STRICT;

CREATE INDEX loan_room_untold ON loan_room (loan, act) WHERE told = 0;

-- What somebody asked for and did not get. The name of a row is a hash of all of it.
CREATE TABLE loan_denials (
    loan             TEXT NOT NULL,
    name             BLOB NOT NULL CHECK (length(name) = 32),
    at               TEXT NOT NULL,
    who              TEXT NOT NULL,
    deed             TEXT NOT NULL,
    act_key          TEXT NOT NULL,
    refused_by             TEXT NOT NULL,
    reason           TEXT NOT NULL,
    PRIMARY KEY (loan, name)
) STRICT;

-- What one person proposes and another one has to agree to, and how that ended.
CREATE TABLE loan_motions (
    loan             TEXT NOT NULL,
    motion           BLOB NOT NULL CHECK (length(motion) = 32),
    made_by          TEXT NOT NULL,
    at               TEXT NOT NULL,
    body             TEXT NOT NULL,
    PRIMARY KEY (loan, motion)
) STRICT;

CREATE TABLE loan_motion_ends (
    loan             TEXT NOT NULL,
    motion           BLOB NOT NULL CHECK (length(motion) = 32),
    how              TEXT NOT NULL CHECK (how IN ('agreed', 'refused', 'withdrawn')),
    ended_by         TEXT NOT NULL,
    at               TEXT NOT NULL,
    PRIMARY KEY (loan, motion)
) STRICT;

-- Who runs a task, until when. It saves work; that nothing is done twice is for the keys above.
CREATE TABLE lending_leases (
    task             TEXT NOT NULL PRIMARY KEY,
    holder           TEXT NOT NULL,
    fence            INTEGER NOT NULL CHECK (fence >= 1),
    until            TEXT NOT NULL
) STRICT;
