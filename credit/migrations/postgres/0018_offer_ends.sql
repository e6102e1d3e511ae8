-- What became of an offer that the bank has accepted; the same table as on SQLite. offer_ends is
-- append-only: the service's role may neither update nor delete a row.

CREATE TABLE offer_ends ( -- spread by decision_id
    decision_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    how              TEXT COLLATE "C" NOT NULL CHECK (how IN ('loan', 'declined', 'untaken')),
    ended_at         TIMESTAMPTZ NOT NULL
);
