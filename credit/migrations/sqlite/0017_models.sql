-- Scorecards and their way into use, and the points tables that decisions were made by.
-- model_artefacts, model_cards, model_steps, model_uses, model_shadows and model_places are
-- append-only: no statement of the service updates or deletes a row of them. A change of state is
-- another step.

-- A frozen scorecard: canonical JSON, its SHA-256, the settings that it was made with, SHA-256 of the
-- file of rows, and the points table that it gives, where its settings ask for one.
CREATE TABLE model_artefacts (
    artefact         BLOB NOT NULL CHECK (length(artefact) = 32),
    name             TEXT NOT NULL,
    version          TEXT NOT NULL,
    bytes            BLOB NOT NULL,
    settings         TEXT NOT NULL,
    rows_sha256      BLOB NOT NULL CHECK (length(rows_sha256) = 32),
    table_sha256     BLOB CHECK (length(table_sha256) = 32),
    table_text       TEXT,
    made_at          TEXT NOT NULL,
    PRIMARY KEY (artefact),
    CHECK ((table_sha256 IS NULL) = (table_text IS NULL))
) STRICT;

-- Its card before and after the review. The hash of the reviewed one is for the log.
CREATE TABLE model_cards (
    artefact         BLOB NOT NULL CHECK (length(artefact) = 32),
    stage            TEXT NOT NULL CHECK (stage IN ('draft', 'reviewed')),
    card             BLOB NOT NULL CHECK (length(card) = 32),
    bytes            BLOB NOT NULL,
    PRIMARY KEY (artefact, stage)
) STRICT;

-- Who did what with it, in order. Nobody makes, reviews and promotes the same model twice over.
CREATE TABLE model_steps (
    artefact         BLOB NOT NULL CHECK (length(artefact) = 32),
    step             INTEGER NOT NULL CHECK (step >= 0),
    act              TEXT NOT NULL
                     CHECK (act IN ('made', 'reviewed', 'promoted', 'shadowing', 'shadow-ended', 'retired')),
    person           TEXT NOT NULL,
    words            TEXT NOT NULL,
    at               TEXT NOT NULL,
    PRIMARY KEY (artefact, step),
    CHECK ((act = 'made') = (step = 0))
) STRICT;

CREATE UNIQUE INDEX model_steps_one_person ON model_steps (artefact, person)
    WHERE act IN ('made', 'reviewed', 'promoted');
CREATE UNIQUE INDEX model_steps_once ON model_steps (artefact, act)
    WHERE act IN ('made', 'reviewed', 'promoted', 'retired');

-- Which points table scored from when on, with its text: what a decision names can be scored again.
CREATE TABLE model_uses (
    points_table     BLOB NOT NULL CHECK (length(points_table) = 32),
    since            TEXT NOT NULL,
    origin           TEXT NOT NULL CHECK (origin IN ('built-in', 'file', 'promoted')),
    artefact         BLOB CHECK (length(artefact) = 32),
    name             TEXT NOT NULL,
    version          TEXT NOT NULL,
    text             TEXT NOT NULL,
    PRIMARY KEY (points_table, since),
    CHECK ((origin = 'promoted') = (artefact IS NOT NULL))
) STRICT;

-- What a scorecard that decides nothing said beside a decision.
CREATE TABLE model_shadows (
    decision_id      TEXT NOT NULL,
    artefact         BLOB NOT NULL CHECK (length(artefact) = 32),
    decided_at       TEXT NOT NULL,
    body             BLOB NOT NULL,
    PRIMARY KEY (decision_id, artefact)
) STRICT;

CREATE INDEX model_shadows_by_artefact ON model_shadows (artefact, decided_at);

-- Where the log holds the hash of a promoted model's card, as a proof says that the service verified.
CREATE TABLE model_places (
    artefact         BLOB NOT NULL CHECK (length(artefact) = 32),
    card             BLOB NOT NULL CHECK (length(card) = 32),
    log_index        INTEGER NOT NULL CHECK (log_index >= 0),
    anchored         TEXT NOT NULL,
    PRIMARY KEY (artefact)
) STRICT;
