-- What loans tell the indicators of a trial: rows that are written in the transaction of the act; the
-- same tables as on SQLite. loan_rows and loan_rows_told are append-only: the service neither updates
-- nor deletes a row of them, and its role may not. `place` is the number of the row of the trail that
-- was written with them, so whoever has read up to a place has read all before it.

CREATE TABLE loan_rows ( -- spread by book
    book             TEXT COLLATE "C" NOT NULL,
    place            BIGINT NOT NULL CHECK (place >= 1),
    part             BIGINT NOT NULL CHECK (part >= 0),
    name             TEXT COLLATE "C" NOT NULL,
    loan             TEXT COLLATE "C" NOT NULL,
    at               TIMESTAMPTZ NOT NULL,
    body             TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (book, place, part),
    UNIQUE (book, name)
);

CREATE INDEX loan_rows_by_loan ON loan_rows (book, loan);

-- Books of which every loan has its rows: loans of before this table are told once, at a start.
CREATE TABLE loan_rows_told ( -- spread by book
    book             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at               TIMESTAMPTZ NOT NULL
);
