-- How far the chain of a watched sensor's device was read and proven, and what was refused around
-- pledges. pledge_refusals is append-only.

CREATE TABLE pledge_streams (
    pledge_id        BLOB    NOT NULL CHECK (length(pledge_id) = 32),
    stream           TEXT    NOT NULL,
    version          INTEGER NOT NULL CHECK (version >= 1),
    progress         BLOB    NOT NULL,
    PRIMARY KEY (pledge_id, stream)
) STRICT;

-- What somebody asked for and did not get, by the pledge that it is about: one row a request, kind
-- of refusal and instant.
CREATE TABLE pledge_refusals (
    pledge_id        BLOB    NOT NULL CHECK (length(pledge_id) = 32),
    at               TEXT    NOT NULL,
    request          TEXT    NOT NULL,
    class            TEXT    NOT NULL,
    person           TEXT    NOT NULL,
    act              TEXT    NOT NULL,
    detail           TEXT    NOT NULL,
    PRIMARY KEY (pledge_id, at, request, class)
) STRICT;

CREATE INDEX pledge_refusals_by_time ON pledge_refusals (at, pledge_id);
