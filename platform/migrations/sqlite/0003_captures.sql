-- What came over the EPCIS capture interface: documents as they were sent, jobs, and where each
-- event went. captures, capture_documents, capture_events and capture_statements are append-only;
-- capture_chains moves with the last statement that the platform has signed for a caller. Documents
-- hold event content and may be erased one day.

CREATE TABLE capture_documents (
  capturer TEXT NOT NULL,
  hash     BLOB NOT NULL CHECK (length(hash) = 32),
  bytes    BLOB NOT NULL,
  PRIMARY KEY (capturer, hash)
) STRICT;

CREATE TABLE captures (
  capturer         TEXT NOT NULL,
  id               TEXT NOT NULL,
  organisation     TEXT NOT NULL,
  document         BLOB NOT NULL CHECK (length(document) = 32),
  attempt          INTEGER NOT NULL,
  media_type       TEXT NOT NULL,
  behaviour        TEXT NOT NULL,
  registry_version INTEGER NOT NULL,
  received         TEXT NOT NULL,
  events           INTEGER NOT NULL,
  captured         INTEGER NOT NULL,
  errors           TEXT NOT NULL,
  warnings         TEXT NOT NULL,
  PRIMARY KEY (capturer, id)
) STRICT;
CREATE INDEX captures_document ON captures (capturer, document, attempt);

CREATE TABLE capture_events (
  capturer  TEXT NOT NULL,
  capture   TEXT NOT NULL,
  place     INTEGER NOT NULL,
  statement BLOB NOT NULL CHECK (length(statement) = 32),
  position  INTEGER NOT NULL,
  PRIMARY KEY (capturer, capture, place)
) STRICT;

-- For whom the platform has signed a statement.
CREATE TABLE capture_statements (
  statement    BLOB NOT NULL PRIMARY KEY CHECK (length(statement) = 32),
  capturer     TEXT NOT NULL,
  organisation TEXT NOT NULL
) STRICT;

CREATE TABLE capture_chains (
  device TEXT NOT NULL PRIMARY KEY,
  epoch  INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  id     BLOB NOT NULL CHECK (length(id) = 32)
) STRICT;
