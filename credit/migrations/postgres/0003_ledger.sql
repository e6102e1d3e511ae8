-- The double-entry ledger (docs/ledger.md); the same tables as on SQLite.
-- ledger_pages, ledger_entries and ledger_postings are append-only: the service neither updates nor
-- deletes a row of them, and its role may not. The key of a page is what keeps a chain from forking:
-- two writers behind the same page take the same key. Everything of a book is spread by it, since its
-- keys are unique and its sums zero within it.

-- What one transaction added, in one of the chains of the book; each page carries the hash of the one
-- before it there.
CREATE TABLE ledger_pages ( -- spread by book
    book             TEXT COLLATE "C" NOT NULL,
    lane             BIGINT NOT NULL CHECK (lane BETWEEN 0 AND 63),
    first_number     BIGINT NOT NULL CHECK (first_number >= 1),
    entries          BIGINT NOT NULL CHECK (entries >= 1),
    at               TIMESTAMPTZ NOT NULL,
    prev             BYTEA NOT NULL CHECK (length(prev) = 32),
    hash             BYTEA NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (book, lane, first_number)
);

-- booked is a civil day, YYYY-MM-DD.
CREATE TABLE ledger_entries ( -- spread by book
    book             TEXT COLLATE "C" NOT NULL,
    lane             BIGINT NOT NULL,
    number           BIGINT NOT NULL CHECK (number >= 1),
    entry_key        TEXT COLLATE "C" NOT NULL,
    booked           TEXT COLLATE "C" NOT NULL CHECK (length(booked) = 10),
    kind             TEXT COLLATE "C" NOT NULL,
    loan             TEXT COLLATE "C",
    corrects         TEXT COLLATE "C",
    hash             BYTEA NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (book, lane, number),
    UNIQUE (book, entry_key),
    CHECK (kind <> 'reversal' OR corrects IS NOT NULL)
);

CREATE INDEX ledger_entries_by_loan ON ledger_entries (book, loan, number) WHERE loan IS NOT NULL;
CREATE UNIQUE INDEX ledger_entries_reversed_once ON ledger_entries (book, corrects)
    WHERE kind = 'reversal';

CREATE TABLE ledger_postings ( -- spread by book
    book             TEXT COLLATE "C" NOT NULL,
    lane             BIGINT NOT NULL,
    number           BIGINT NOT NULL,
    line             BIGINT NOT NULL CHECK (line >= 0),
    class            TEXT COLLATE "C" NOT NULL,
    loan             TEXT COLLATE "C",
    side             TEXT COLLATE "C" NOT NULL CHECK (side IN ('debit', 'credit')),
    currency         TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    amount_fen       BIGINT NOT NULL CHECK (amount_fen > 0),
    PRIMARY KEY (book, lane, number, line)
);
