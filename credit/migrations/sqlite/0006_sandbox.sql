-- The trial of the sandbox: what was decided about it, and the room that loans take under its
-- limits.
-- trial_records, trial_borrowers, trial_reservations, trial_releases and trial_refusals are
-- append-only: no statement of the service updates or deletes a row of them.
-- trial_guards and trial_counters are what is counted. A counter always equals the sum of the
-- charges of the reservations less the sum of the releases.

-- The files, versions and steps of a trial: of each kind every name once. `sha256` is the name of
-- the document in the log. What needs two people has two, and they are not the same one.
CREATE TABLE trial_records (
    trial            TEXT    NOT NULL,
    kind             TEXT    NOT NULL CHECK (kind IN
                       ('declaration', 'motion', 'limits', 'rule', 'step', 'trip', 'lift', 'row',
                        'report')),
    name             TEXT    NOT NULL,
    sha256           BLOB    NOT NULL CHECK (length(sha256) = 32),
    body             BLOB    NOT NULL,
    made_by          TEXT    NOT NULL,
    agreed_by        TEXT,
    made_at          TEXT    NOT NULL,
    PRIMARY KEY (trial, kind, name),
    CHECK (agreed_by IS NULL OR agreed_by <> made_by),
    CHECK (agreed_by IS NOT NULL OR kind NOT IN ('limits', 'rule', 'lift'))
) STRICT;

-- How many versions of limits, steps, trips of the stop-loss and lifts of it there are, and the
-- newest instant that was seen: what a reservation was decided on must stand here when it commits.
CREATE TABLE trial_guards (
    trial            TEXT    NOT NULL PRIMARY KEY,
    limits           INTEGER NOT NULL CHECK (limits >= 0),
    steps            INTEGER NOT NULL CHECK (steps >= 0),
    trips            INTEGER NOT NULL CHECK (trips >= 0),
    lifts            INTEGER NOT NULL CHECK (lifts >= 0),
    seen             TEXT    NOT NULL,
    CHECK (lifts = trips OR lifts = trips - 1)
) STRICT;

-- Users or fen. `cap` is the limit at the last charge: no charge leaves more than it.
CREATE TABLE trial_counters (
    trial            TEXT    NOT NULL,
    kind             TEXT    NOT NULL CHECK (kind IN
                       ('users', 'borrower', 'buyer', 'day', 'outstanding', 'loan')),
    name             TEXT    NOT NULL,
    used             INTEGER NOT NULL CHECK (used >= 0),
    cap              INTEGER NOT NULL,
    PRIMARY KEY (trial, kind, name),
    CHECK (used <= cap)
) STRICT;

CREATE TABLE trial_borrowers (
    trial            TEXT    NOT NULL,
    borrower         TEXT    NOT NULL,
    reservation      TEXT    NOT NULL,
    PRIMARY KEY (trial, borrower)
) STRICT;

CREATE TABLE trial_reservations (
    trial            TEXT    NOT NULL,
    reservation      TEXT    NOT NULL,
    limits           INTEGER NOT NULL,
    currency         TEXT    NOT NULL CHECK (length(currency) = 3),
    amount_fen       INTEGER NOT NULL CHECK (amount_fen > 0),
    body             BLOB    NOT NULL,
    reserved_at      TEXT    NOT NULL,
    PRIMARY KEY (trial, reservation)
) STRICT;

CREATE TABLE trial_releases (
    trial            TEXT    NOT NULL,
    release          TEXT    NOT NULL,
    reservation      TEXT    NOT NULL,
    currency         TEXT    NOT NULL CHECK (length(currency) = 3),
    amount_fen       INTEGER NOT NULL CHECK (amount_fen >= 0),
    released_at      TEXT    NOT NULL,
    PRIMARY KEY (trial, release)
) STRICT;

CREATE INDEX trial_releases_by_reservation ON trial_releases (trial, reservation);

-- Why there was no reservation: the limit by its name, or what else stood against it.
CREATE TABLE trial_refusals (
    trial            TEXT    NOT NULL,
    reservation      TEXT    NOT NULL,
    refused_at       TEXT    NOT NULL,
    reason           TEXT    NOT NULL,
    cap              INTEGER,
    used             INTEGER,
    asked            INTEGER,
    detail           TEXT    NOT NULL,
    request          BLOB    NOT NULL,
    PRIMARY KEY (trial, reservation, refused_at, reason)
) STRICT;
