-- handed_documents is append-only. Hashes that readers hand over for the log (log.md section 2): what the document says
-- stays with them.
CREATE TABLE handed_documents ( -- in one place
  hash     BYTEA NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
  kind     TEXT COLLATE "C" NOT NULL,
  reader   TEXT COLLATE "C" NOT NULL,
  received TIMESTAMPTZ NOT NULL
);
CREATE INDEX handed_documents_reader ON handed_documents (reader, received);
