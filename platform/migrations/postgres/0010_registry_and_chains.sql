-- A process that follows reads the records that came behind the registry version it knows, and a
-- bundle's older registry is the newest one without them: both find records by version.
CREATE INDEX registry_records_head ON registry_records (head);

-- When the follower last heard a device; none for heads of before.
ALTER TABLE chain_heads ADD COLUMN heard TIMESTAMPTZ;

-- How far the follower has read the batches of the log.
CREATE TABLE chain_cursors ( -- in one place
  name      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  log_index BIGINT NOT NULL
);
