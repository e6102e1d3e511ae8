-- Accounts of people of a supplier. borrower_accounts is append-only: which supplier an account with the role `borrower` is of. One
-- account is of one supplier, for ever: no statement updates or deletes a row.

CREATE TABLE borrower_accounts (
    organisation     TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    supplier         TEXT    NOT NULL,
    bound_at         TEXT    NOT NULL,
    PRIMARY KEY (organisation, name)
) STRICT;
