-- Several processes take statements and make batches; one writes the log (decision 0013).

-- The registry version that statements are checked against, and the fence of the leader that has
-- said so. Whoever stores statements shares this row, and a leader that moves it waits for them.
CREATE TABLE ingest_gate ( -- in one place
  name    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  fence   BIGINT NOT NULL
);

-- Batches whose headers wait for their place in the log; rows leave when they have it.
CREATE TABLE made_batches ( -- in one place
  shard            BIGINT NOT NULL,
  seq              BIGINT NOT NULL,
  registry_version BIGINT NOT NULL,
  header           BYTEA NOT NULL,
  refused          BYTEA,
  PRIMARY KEY (shard, seq)
);

-- The process that has taken a statement makes its batch.
ALTER TABLE batch_queue ADD COLUMN shard BIGINT NOT NULL DEFAULT 0;
