-- The double-entry ledger (docs/ledger.md).
-- ledger_pages, ledger_entries and ledger_postings are append-only: no statement of the service
-- updates or deletes a row of them. The key of a page is what keeps a chain from forking: two writers
-- behind the same page take the same key.

-- What one transaction added, in one of the chains of the book; each page carries the hash of the one
-- before it there.
CREATE TABLE ledger_pages (
    book             TEXT    NOT NULL,
    lane             INTEGER NOT NULL CHECK (lane BETWEEN 0 AND 63),
    first_number     INTEGER NOT NULL CHECK (first_number >= 1),
    entries          INTEGER NOT NULL CHECK (entries >= 1),
    at               TEXT    NOT NULL,
    prev             BLOB    NOT NULL CHECK (length(prev) = 32),
    hash             BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (book, lane, first_number)
) STRICT;

-- booked is a civil day, YYYY-MM-DD.
CREATE TABLE ledger_entries (
    book             TEXT    NOT NULL,
    lane             INTEGER NOT NULL,
    number           INTEGER NOT NULL CHECK (number >= 1),
    entry_key        TEXT    NOT NULL,
    booked           TEXT    NOT NULL CHECK (length(booked) = 10),
    kind             TEXT    NOT NULL,
    loan             TEXT,
    corrects         TEXT,
    hash             BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (book, lane, number),
    UNIQUE (book, entry_key),
    CHECK (kind <> 'reversal' OR corrects IS NOT NULL)
) STRICT;

CREATE INDEX ledger_entries_by_loan ON ledger_entries (book, loan, number) WHERE loan IS NOT NULL;
CREATE UNIQUE INDEX ledger_entries_reversed_once ON ledger_entries (book, corrects)
    WHERE kind = 'reversal';

CREATE TABLE ledger_postings (
    book             TEXT    NOT NULL,
    lane             INTEGER NOT NULL,
    number           INTEGER NOT NULL,
    line             INTEGER NOT NULL CHECK (line >= 0),
    class            TEXT    NOT NULL,
    loan             TEXT,
    side             TEXT    NOT NULL CHECK (side IN ('debit', 'credit')),
    currency         TEXT    NOT NULL CHECK (length(currency) = 3),
    amount_fen       INTEGER NOT NULL CHECK (amount_fen > 0),
    PRIMARY KEY (book, lane, number, line)
) STRICT;
