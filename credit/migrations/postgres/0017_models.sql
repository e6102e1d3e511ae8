-- Scorecards and their way into use, and the points tables that decisions were made by; the same
-- tables as on SQLite. model_artefacts, model_cards, model_steps, model_uses, model_shadows and
-- model_places are append-only: the service neither updates nor deletes a row of them, and its role
-- may not. A change of state is another step.

-- A frozen scorecard: canonical JSON, its SHA-256, the settings that it was made with, SHA-256 of the
-- file of rows, and the points table that it gives, where its settings ask for one.
CREATE TABLE model_artefacts ( -- spread by artefact
    artefact         BYTEA NOT NULL CHECK (length(artefact) = 32),
    name             TEXT COLLATE "C" NOT NULL,
    version          TEXT COLLATE "C" NOT NULL,
    bytes            BYTEA NOT NULL,
    settings         TEXT COLLATE "C" NOT NULL,
    rows_sha256      BYTEA NOT NULL CHECK (length(rows_sha256) = 32),
    table_sha256     BYTEA CHECK (length(table_sha256) = 32),
    table_text       TEXT COLLATE "C",
    made_at          TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (artefact),
    CHECK ((table_sha256 IS NULL) = (table_text IS NULL))
);

-- Its card before and after the review. The hash of the reviewed one is for the log.
CREATE TABLE model_cards ( -- spread by artefact
    artefact         BYTEA NOT NULL CHECK (length(artefact) = 32),
    stage            TEXT COLLATE "C" NOT NULL CHECK (stage IN ('draft', 'reviewed')),
    card             BYTEA NOT NULL CHECK (length(card) = 32),
    bytes            BYTEA NOT NULL,
    PRIMARY KEY (artefact, stage)
);

-- Who did what with it, in order. Nobody makes, reviews and promotes the same model twice over.
CREATE TABLE model_steps ( -- spread by artefact
    artefact         BYTEA NOT NULL CHECK (length(artefact) = 32),
    step             BIGINT NOT NULL CHECK (step >= 0),
    act              TEXT COLLATE "C" NOT NULL
                     CHECK (act IN ('made', 'reviewed', 'promoted', 'shadowing', 'shadow-ended', 'retired')),
    person           TEXT COLLATE "C" NOT NULL,
    words            TEXT COLLATE "C" NOT NULL,
    at               TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (artefact, step),
    CHECK ((act = 'made') = (step = 0))
);

CREATE UNIQUE INDEX model_steps_one_person ON model_steps (artefact, person)
    WHERE act IN ('made', 'reviewed', 'promoted');
CREATE UNIQUE INDEX model_steps_once ON model_steps (artefact, act)
    WHERE act IN ('made', 'reviewed', 'promoted', 'retired');

-- Which points table scored from when on, with its text: what a decision names can be scored again.
CREATE TABLE model_uses ( -- spread by points_table
    points_table     BYTEA NOT NULL CHECK (length(points_table) = 32),
    since            TIMESTAMPTZ NOT NULL,
    origin           TEXT COLLATE "C" NOT NULL CHECK (origin IN ('built-in', 'file', 'promoted')),
    artefact         BYTEA CHECK (length(artefact) = 32),
    name             TEXT COLLATE "C" NOT NULL,
    version          TEXT COLLATE "C" NOT NULL,
    text             TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (points_table, since),
    CHECK ((origin = 'promoted') = (artefact IS NOT NULL))
);

-- What a scorecard that decides nothing said beside a decision.
CREATE TABLE model_shadows ( -- spread by decision_id
    decision_id      TEXT COLLATE "C" NOT NULL,
    artefact         BYTEA NOT NULL CHECK (length(artefact) = 32),
    decided_at       TIMESTAMPTZ NOT NULL,
    body             BYTEA NOT NULL,
    PRIMARY KEY (decision_id, artefact)
);

CREATE INDEX model_shadows_by_artefact ON model_shadows (artefact, decided_at);

-- Where the log holds the hash of a promoted model's card, as a proof says that the service verified.
CREATE TABLE model_places ( -- spread by artefact
    artefact         BYTEA NOT NULL CHECK (length(artefact) = 32),
    card             BYTEA NOT NULL CHECK (length(card) = 32),
    log_index        BIGINT NOT NULL CHECK (log_index >= 0),
    anchored         TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (artefact)
);
