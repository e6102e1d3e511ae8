-- Several processes take statements and make batches; one writes the log (decision 0013).

-- The registry version that statements are checked against, and the fence of the leader that has
-- said so.
CREATE TABLE ingest_gate (
  name    TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  fence   INTEGER NOT NULL
) STRICT;

-- Batches whose headers wait for their place in the log; rows leave when they have it.
CREATE TABLE made_batches (
  shard            INTEGER NOT NULL,
  seq              INTEGER NOT NULL,
  registry_version INTEGER NOT NULL,
  header           BLOB NOT NULL,
  refused          BLOB,
  PRIMARY KEY (shard, seq)
) STRICT;

-- The process that has taken a statement makes its batch.
ALTER TABLE batch_queue ADD COLUMN shard INTEGER NOT NULL DEFAULT 0;
