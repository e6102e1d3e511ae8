-- What loans tell the indicators of a trial: rows that are written in the transaction of the act.
-- loan_rows and loan_rows_told are append-only: the service neither updates nor deletes a row of them.
-- `place` is the number of the row of the trail that was written with them, so whoever has read up to
-- a place has read all before it. Spread by the book, which is the trial.

CREATE TABLE loan_rows (
    book             TEXT    NOT NULL,
    place            INTEGER NOT NULL CHECK (place >= 1),
    part             INTEGER NOT NULL CHECK (part >= 0),
    name             TEXT    NOT NULL,
    loan             TEXT    NOT NULL,
    at               TEXT    NOT NULL,
    body             TEXT    NOT NULL,
    PRIMARY KEY (book, place, part),
    UNIQUE (book, name)
) STRICT;

CREATE INDEX loan_rows_by_loan ON loan_rows (book, loan);

-- Books of which every loan has its rows: loans of before this table are told once, at a start.
CREATE TABLE loan_rows_told (
    book             TEXT    NOT NULL PRIMARY KEY,
    at               TEXT    NOT NULL
) STRICT;
