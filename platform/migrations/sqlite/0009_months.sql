-- Content by months. `made` is the instant under which a statement and its content are filed
-- (`store/filed.rs`); event_contents and event_items are found by it through their statement. Rows of
-- before are filed under the time at which they came: their `made` stays empty.
ALTER TABLE statements ADD COLUMN made TEXT;
CREATE INDEX statements_made ON statements (coalesce(made, received));

-- Files into which content was archived (`docs/archive.md`), by the hash of their manifests; of
-- several rows of one part the newest counts. archives is append-only for the service.
CREATE TABLE archives (
  hash   BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
  month  TEXT NOT NULL,
  part   INTEGER NOT NULL,
  events INTEGER NOT NULL,
  made   TEXT NOT NULL
) STRICT;

-- Events that are in an archive and not in event_contents, by what they name: a page says so, and
-- erasure finds them. archived_items is append-only for the service; whoever restores an archive
-- removes rows of what is put back, the eraser of what is erased.
CREATE TABLE archived_items (
  item         TEXT NOT NULL,
  statement    BLOB NOT NULL CHECK (length(statement) = 32),
  position     INTEGER NOT NULL,
  leaf         BLOB NOT NULL CHECK (length(leaf) = 32),
  month        TEXT NOT NULL,
  PRIMARY KEY (item, statement, position)
) STRICT;
