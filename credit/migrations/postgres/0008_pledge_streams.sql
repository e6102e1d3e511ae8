-- How far the chain of a watched sensor's device was read and proven, and what was refused around
-- pledges. pledge_refusals is append-only.

CREATE TABLE pledge_streams ( -- spread by pledge_id
    pledge_id        BYTEA NOT NULL CHECK (length(pledge_id) = 32),
    stream           TEXT COLLATE "C" NOT NULL,
    version          BIGINT NOT NULL CHECK (version >= 1),
    progress         BYTEA NOT NULL,
    PRIMARY KEY (pledge_id, stream)
);

-- What somebody asked for and did not get, by the pledge that it is about: one row a request, kind
-- of refusal and instant.
CREATE TABLE pledge_refusals ( -- spread by pledge_id
    pledge_id        BYTEA NOT NULL CHECK (length(pledge_id) = 32),
    at               TIMESTAMPTZ NOT NULL,
    request          TEXT COLLATE "C" NOT NULL,
    class            TEXT COLLATE "C" NOT NULL,
    person           TEXT COLLATE "C" NOT NULL,
    act              TEXT COLLATE "C" NOT NULL,
    detail           TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (pledge_id, at, request, class)
);

CREATE INDEX pledge_refusals_by_time ON pledge_refusals (at, pledge_id);
