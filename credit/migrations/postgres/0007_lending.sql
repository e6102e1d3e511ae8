-- Loans: their acts, where they stand, what is asked for them; the same tables as on SQLite.
-- loan_terms, loan_acts, loan_payees, loan_denials, loan_motions and loan_motion_ends are append-only:
-- the service neither updates nor deletes a row of them, and its role may not.
-- Civil days are texts, YYYY-MM-DD. Everything of a loan is in one place.

-- Products' files and the bank's rules by hash: loans live under those that they were opened under.
CREATE TABLE loan_terms ( -- spread by hash
    hash             BYTEA NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    kind             TEXT COLLATE "C" NOT NULL CHECK (kind IN ('product', 'rules')),
    body             TEXT COLLATE "C" NOT NULL,
    kept_at          TIMESTAMPTZ NOT NULL
);

-- What happened to a loan, numbered from 1. The key of a row is what keeps two writers apart.
CREATE TABLE loan_acts ( -- spread by loan
    loan             TEXT COLLATE "C" NOT NULL,
    number           BIGINT NOT NULL CHECK (number >= 1),
    act_key          TEXT COLLATE "C" NOT NULL,
    body             TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (loan, number),
    UNIQUE (loan, act_key)
);

-- Where a loan stands, a copy of what its acts give. `was` is the number of acts before the last write.
CREATE TABLE loan_heads ( -- spread by loan
    loan             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    was              BIGINT NOT NULL CHECK (was >= 0),
    acts             BIGINT NOT NULL CHECK (acts > was),
    state            TEXT COLLATE "C" NOT NULL,
    supplier         TEXT COLLATE "C" NOT NULL,
    product          BYTEA NOT NULL CHECK (length(product) = 32),
    rules            BYTEA NOT NULL CHECK (length(rules) = 32),
    instalments      BIGINT NOT NULL CHECK (instalments >= 1),
    approved_fen     BIGINT NOT NULL CHECK (approved_fen > 0),
    currency         TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    run_day          TEXT COLLATE "C" CHECK (length(run_day) = 10),
    due_day          TEXT COLLATE "C" CHECK (length(due_day) = 10),
    last_booked      TIMESTAMPTZ NOT NULL,
    position         TEXT COLLATE "C"
);

CREATE INDEX loan_heads_by_run_day ON loan_heads (run_day, loan) WHERE run_day IS NOT NULL;
CREATE INDEX loan_heads_by_due_day ON loan_heads (due_day, loan) WHERE due_day IS NOT NULL;
CREATE INDEX loan_heads_by_state ON loan_heads (state, loan);
CREATE INDEX loan_heads_by_supplier ON loan_heads (supplier, loan);

-- Account of a payee, which acts name by a hash.
CREATE TABLE loan_payees ( -- spread by loan
    loan             TEXT COLLATE "C" NOT NULL,
    payee            BYTEA NOT NULL CHECK (length(payee) = 32),
    account          TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (loan, payee)
);

-- Room of the trial that an act gives back (above zero) or takes again (below), until it is told.
CREATE TABLE loan_room ( -- spread by loan
    loan             TEXT COLLATE "C" NOT NULL,
    act              BIGINT NOT NULL CHECK (act >= 1),
    fen              BIGINT NOT NULL CHECK (fen <> 0),
    at               TIMESTAMPTZ NOT NULL,
    told             BOOLEAN NOT NULL,
    PRIMARY KEY (loan, act)
);

CREATE INDEX loan_room_untold ON loan_room (loan, act) WHERE NOT told;

-- What somebody asked for and did not get. The name of a row is a hash of all of it.
CREATE TABLE loan_denials ( -- spread by loan
    loan             TEXT COLLATE "C" NOT NULL,
    name             BYTEA NOT NULL CHECK (length(name) = 32),
    at               TIMESTAMPTZ NOT NULL,
    who              TEXT COLLATE "C" NOT NULL,
    deed             TEXT COLLATE "C" NOT NULL,
    act_key          TEXT COLLATE "C" NOT NULL,
    refused_by       TEXT COLLATE "C" NOT NULL,
    reason           TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (loan, name)
);

-- What one person proposes and another one has to agree to, and how that ended.
CREATE TABLE loan_motions ( -- spread by loan
    loan             TEXT COLLATE "C" NOT NULL,
    motion           BYTEA NOT NULL CHECK (length(motion) = 32),
    made_by          TEXT COLLATE "C" NOT NULL,
    at               TIMESTAMPTZ NOT NULL,
    body             TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (loan, motion)
);

CREATE TABLE loan_motion_ends ( -- spread by loan
    loan             TEXT COLLATE "C" NOT NULL,
    motion           BYTEA NOT NULL CHECK (length(motion) = 32),
    how              TEXT COLLATE "C" NOT NULL CHECK (how IN ('agreed', 'refused', 'withdrawn')),
    ended_by         TEXT COLLATE "C" NOT NULL,
    at               TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (loan, motion)
);

-- Who runs a task, until when. It saves work; that nothing is done twice is for the keys above.
CREATE TABLE lending_leases ( -- spread by task
    task             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder           TEXT COLLATE "C" NOT NULL,
    fence            BIGINT NOT NULL CHECK (fence >= 1),
    until            TIMESTAMPTZ NOT NULL
);
