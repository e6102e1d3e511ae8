-- handed_documents is append-only. Hashes that readers hand over for the log (log.md section 2): what the document says
-- stays with them.
CREATE TABLE handed_documents (
  hash     BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
  kind     TEXT NOT NULL,
  reader   TEXT NOT NULL,
  received TEXT NOT NULL
) STRICT;
CREATE INDEX handed_documents_reader ON handed_documents (reader, received);
