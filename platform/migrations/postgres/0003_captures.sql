-- What came over the EPCIS capture interface: documents as they were sent, jobs, and where each
-- event went. captures, capture_documents, capture_events and capture_statements are append-only;
-- capture_chains moves with the last statement that the platform has signed for a caller. Documents
-- hold event content and may be erased one day.

CREATE TABLE capture_documents ( -- spread by capturer
  capturer TEXT COLLATE "C" NOT NULL,
  hash     BYTEA NOT NULL CHECK (length(hash) = 32),
  bytes    BYTEA NOT NULL,
  PRIMARY KEY (capturer, hash)
);

CREATE TABLE captures ( -- spread by capturer
  capturer         TEXT COLLATE "C" NOT NULL,
  id               TEXT COLLATE "C" NOT NULL,
  organisation     TEXT COLLATE "C" NOT NULL,
  document         BYTEA NOT NULL CHECK (length(document) = 32),
  attempt          BIGINT NOT NULL,
  media_type       TEXT COLLATE "C" NOT NULL,
  behaviour        TEXT COLLATE "C" NOT NULL,
  registry_version BIGINT NOT NULL,
  received         TIMESTAMPTZ NOT NULL,
  events           BIGINT NOT NULL,
  captured         BIGINT NOT NULL,
  errors           TEXT COLLATE "C" NOT NULL,
  warnings         TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (capturer, id)
);
CREATE INDEX captures_document ON captures (capturer, document, attempt);

CREATE TABLE capture_events ( -- spread by capturer
  capturer  TEXT COLLATE "C" NOT NULL,
  capture   TEXT COLLATE "C" NOT NULL,
  place     BIGINT NOT NULL,
  statement BYTEA NOT NULL CHECK (length(statement) = 32),
  position  BIGINT NOT NULL,
  PRIMARY KEY (capturer, capture, place)
);

-- For whom the platform has signed a statement.
CREATE TABLE capture_statements ( -- spread by statement
  statement    BYTEA NOT NULL PRIMARY KEY CHECK (length(statement) = 32),
  capturer     TEXT COLLATE "C" NOT NULL,
  organisation TEXT COLLATE "C" NOT NULL
);

CREATE TABLE capture_chains ( -- spread by device
  device TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  epoch  BIGINT NOT NULL,
  seq    BIGINT NOT NULL,
  id     BYTEA NOT NULL CHECK (length(id) = 32)
);
