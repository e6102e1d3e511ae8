-- Erasure and withholding. The service only adds to these: tombstones, tombstone_lists, erased_items,
-- erased_messages, disclosures and logged_documents are append-only for it. Rows of erased_items are
-- removed by the eraser once the item they name has no event left.

-- Which events were erased, where each stood. `list` is the hash of the first list that names it.
CREATE TABLE tombstones (
  leaf      BLOB NOT NULL CHECK (length(leaf) = 32),
  statement BLOB NOT NULL CHECK (length(statement) = 32),
  position  INTEGER NOT NULL,
  list      BLOB NOT NULL CHECK (length(list) = 32),
  PRIMARY KEY (leaf, statement, position)
) STRICT;
CREATE INDEX tombstones_place ON tombstones (statement, position);

-- The lists as they are served (tombstones.md).
CREATE TABLE tombstone_lists (
  hash  BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
  bytes BLOB NOT NULL,
  count INTEGER NOT NULL,
  made  TEXT NOT NULL
) STRICT;

-- Erased events of items that have other events: what the item's page says, and no more.
CREATE TABLE erased_items (
  item      TEXT NOT NULL,
  statement BLOB NOT NULL CHECK (length(statement) = 32),
  position  INTEGER NOT NULL,
  leaf      BLOB NOT NULL CHECK (length(leaf) = 32),
  reason    TEXT NOT NULL,
  made      TEXT NOT NULL,
  PRIMARY KEY (item, statement, position)
) STRICT;

-- Messages that were erased from quarantine; each held a random salt, so its hash cannot be guessed.
CREATE TABLE erased_messages (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32)
) STRICT;

-- What organisations withhold from whom, as they signed it (disclosure.md).
CREATE TABLE disclosures (
  organisation TEXT NOT NULL,
  version      INTEGER NOT NULL,
  hash         BLOB NOT NULL CHECK (length(hash) = 32),
  bytes        BLOB NOT NULL,
  received     TEXT NOT NULL,
  PRIMARY KEY (organisation, version)
) STRICT;

-- Hashes of lists and documents that the log has, by kind: `tombstones`, `disclosure`.
CREATE TABLE logged_documents (
  kind      TEXT NOT NULL,
  hash      BLOB NOT NULL CHECK (length(hash) = 32),
  log_index INTEGER NOT NULL,
  PRIMARY KEY (kind, hash)
) STRICT;
