-- Erasure and withholding. The service only adds to these: tombstones, tombstone_lists, erased_items,
-- erased_messages, disclosures and logged_documents are append-only for it. Rows of erased_items are
-- removed by the eraser's role once the item they name has no event left.

-- Which events were erased, where each stood. `list` is the hash of the first list that names it.
CREATE TABLE tombstones ( -- spread by leaf
  leaf      BYTEA NOT NULL CHECK (length(leaf) = 32),
  statement BYTEA NOT NULL CHECK (length(statement) = 32),
  position  BIGINT NOT NULL,
  list      BYTEA NOT NULL CHECK (length(list) = 32),
  PRIMARY KEY (leaf, statement, position)
);
CREATE INDEX tombstones_place ON tombstones (statement, position);

-- The lists as they are served (tombstones.md).
CREATE TABLE tombstone_lists ( -- in one place
  hash  BYTEA NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
  bytes BYTEA NOT NULL,
  count BIGINT NOT NULL,
  made  TIMESTAMPTZ NOT NULL
);

-- Erased events of items that have other events: what the item's page says, and no more.
CREATE TABLE erased_items ( -- spread by item
  item      TEXT COLLATE "C" NOT NULL,
  statement BYTEA NOT NULL CHECK (length(statement) = 32),
  position  BIGINT NOT NULL,
  leaf      BYTEA NOT NULL CHECK (length(leaf) = 32),
  reason    TEXT COLLATE "C" NOT NULL,
  made      TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (item, statement, position)
);

-- Messages that were erased from quarantine; each held a random salt, so its hash cannot be guessed.
CREATE TABLE erased_messages ( -- spread by id
  id BYTEA NOT NULL PRIMARY KEY CHECK (length(id) = 32)
);

-- What organisations withhold from whom, as they signed it (disclosure.md).
CREATE TABLE disclosures ( -- in one place
  organisation TEXT COLLATE "C" NOT NULL,
  version      BIGINT NOT NULL,
  hash         BYTEA NOT NULL CHECK (length(hash) = 32),
  bytes        BYTEA NOT NULL,
  received     TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organisation, version)
);

-- Hashes of lists and documents that the log has, by kind: `tombstones`, `disclosure`.
CREATE TABLE logged_documents ( -- in one place
  kind      TEXT COLLATE "C" NOT NULL,
  hash      BYTEA NOT NULL CHECK (length(hash) = 32),
  log_index BIGINT NOT NULL,
  PRIMARY KEY (kind, hash)
);
