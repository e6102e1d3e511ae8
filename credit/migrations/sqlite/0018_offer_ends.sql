-- What became of an offer that the bank has accepted: a loan, declined by its borrower, or untaken while
-- it was valid. offer_ends is append-only: one row an offer keeps a loan and an end apart, whoever is
-- quicker. Loans of before have no row; their rows in loan_heads speak for them.

CREATE TABLE offer_ends (
    decision_id      TEXT    NOT NULL PRIMARY KEY,
    how              TEXT    NOT NULL CHECK (how IN ('loan', 'declined', 'untaken')),
    ended_at         TEXT    NOT NULL
) STRICT;
