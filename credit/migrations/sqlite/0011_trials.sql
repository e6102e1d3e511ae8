-- Room that was given back for a payment that was none: it is owed again, whatever a limit says.
-- trial_retakes is append-only. A counter equals the sum of the charges of the reservations less the
-- sum of the releases, and the sum of the retakes on top.
-- From the start under a declared trial on, sandbox_use of that name is closed (all zero): what was
-- open under it is counted as reservations of the trial, with limits 0 as their version. The start
-- does that, since reservations of a trial are documents that SQL cannot write.

CREATE TABLE trial_retakes (
    trial            TEXT    NOT NULL,
    retake           TEXT    NOT NULL,
    reservation      TEXT    NOT NULL,
    currency         TEXT    NOT NULL CHECK (length(currency) = 3),
    amount_fen       INTEGER NOT NULL CHECK (amount_fen >= 0),
    taken_at         TEXT    NOT NULL,
    PRIMARY KEY (trial, retake)
) STRICT;

CREATE INDEX trial_retakes_by_reservation ON trial_retakes (trial, reservation);
