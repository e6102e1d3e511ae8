-- The trial of the sandbox: what was decided about it, and the room that loans take under its
-- limits; the same tables as on SQLite.
-- trial_records, trial_borrowers, trial_reservations, trial_releases and trial_refusals are
-- append-only: the service neither updates nor deletes a row of them, and its role may not.
-- trial_guards and trial_counters are what is counted. A counter always equals the sum of the
-- charges of the reservations less the sum of the releases.
--
-- Everything of a trial is in one place, so that a reservation is one transaction of one node.

-- The files, versions and steps of a trial: of each kind every name once. `sha256` is the name of
-- the document in the log. What needs two people has two, and they are not the same one.
CREATE TABLE trial_records ( -- spread by trial
    trial            TEXT COLLATE "C" NOT NULL,
    kind             TEXT COLLATE "C" NOT NULL CHECK (kind IN
                       ('declaration', 'motion', 'limits', 'rule', 'step', 'trip', 'lift', 'row',
                        'report')),
    name             TEXT COLLATE "C" NOT NULL,
    sha256           BYTEA NOT NULL CHECK (length(sha256) = 32),
    body             BYTEA NOT NULL,
    made_by          TEXT COLLATE "C" NOT NULL,
    agreed_by        TEXT COLLATE "C",
    made_at          TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (trial, kind, name),
    CHECK (agreed_by IS NULL OR agreed_by <> made_by),
    CHECK (agreed_by IS NOT NULL OR kind NOT IN ('limits', 'rule', 'lift'))
);

-- How many versions of limits, steps, trips of the stop-loss and lifts of it there are, and the
-- newest instant that was seen: what a reservation was decided on must stand here when it commits.
CREATE TABLE trial_guards ( -- spread by trial
    trial            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    limits           BIGINT NOT NULL CHECK (limits >= 0),
    steps            BIGINT NOT NULL CHECK (steps >= 0),
    trips            BIGINT NOT NULL CHECK (trips >= 0),
    lifts            BIGINT NOT NULL CHECK (lifts >= 0),
    seen             TIMESTAMPTZ NOT NULL,
    CHECK (lifts = trips OR lifts = trips - 1)
);

-- Users or fen. `cap` is the limit at the last charge: no charge leaves more than it.
CREATE TABLE trial_counters ( -- spread by trial
    trial            TEXT COLLATE "C" NOT NULL,
    kind             TEXT COLLATE "C" NOT NULL CHECK (kind IN
                       ('users', 'borrower', 'buyer', 'day', 'outstanding', 'loan')),
    name             TEXT COLLATE "C" NOT NULL,
    used             BIGINT NOT NULL CHECK (used >= 0),
    cap              BIGINT NOT NULL,
    PRIMARY KEY (trial, kind, name),
    CHECK (used <= cap)
);

CREATE TABLE trial_borrowers ( -- spread by trial
    trial            TEXT COLLATE "C" NOT NULL,
    borrower         TEXT COLLATE "C" NOT NULL,
    reservation      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (trial, borrower)
);

CREATE TABLE trial_reservations ( -- spread by trial
    trial            TEXT COLLATE "C" NOT NULL,
    reservation      TEXT COLLATE "C" NOT NULL,
    limits           BIGINT NOT NULL,
    currency         TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    amount_fen       BIGINT NOT NULL CHECK (amount_fen > 0),
    body             BYTEA NOT NULL,
    reserved_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (trial, reservation)
);

CREATE TABLE trial_releases ( -- spread by trial
    trial            TEXT COLLATE "C" NOT NULL,
    release          TEXT COLLATE "C" NOT NULL,
    reservation      TEXT COLLATE "C" NOT NULL,
    currency         TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    amount_fen       BIGINT NOT NULL CHECK (amount_fen >= 0),
    released_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (trial, release)
);

CREATE INDEX trial_releases_by_reservation ON trial_releases (trial, reservation);

-- Why there was no reservation: the limit by its name, or what else stood against it.
CREATE TABLE trial_refusals ( -- spread by trial
    trial            TEXT COLLATE "C" NOT NULL,
    reservation      TEXT COLLATE "C" NOT NULL,
    refused_at       TIMESTAMPTZ NOT NULL,
    reason           TEXT COLLATE "C" NOT NULL,
    cap              BIGINT,
    used             BIGINT,
    asked            BIGINT,
    detail           TEXT COLLATE "C" NOT NULL,
    request          BYTEA NOT NULL,
    PRIMARY KEY (trial, reservation, refused_at, reason)
);
