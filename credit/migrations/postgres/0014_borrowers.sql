-- Accounts of people of a supplier. borrower_accounts is append-only: which supplier an account with the role `borrower` is of; the
-- same table as on SQLite. One account is of one supplier, for ever: the service's role may neither
-- update nor delete a row.

CREATE TABLE borrower_accounts ( -- spread by organisation
    organisation     TEXT COLLATE "C" NOT NULL,
    name             TEXT COLLATE "C" NOT NULL,
    supplier         TEXT COLLATE "C" NOT NULL,
    bound_at         TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (organisation, name)
);
