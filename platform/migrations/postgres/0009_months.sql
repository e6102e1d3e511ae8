-- Content by months. event_contents and event_items, which may be archived one day, are partitioned
-- by `made`: the instant under which a statement is filed (`store/filed.rs`), its own in statements.
-- Statements, leaves and everything of the log stay in whole tables, since that a statement is there
-- once rests on them. Rows of before are filed under the time at which they came: `made` of their
-- statements stays empty, since no row that was signed for is written again.
--
-- Monthly partitions are made ahead by the owner of the tables; the default one takes what has none,
-- so that no insert ever fails for want of one. The service reads and adds by the names of the whole
-- tables and has no right to any partition.

ALTER TABLE statements ADD COLUMN made TIMESTAMPTZ;

ALTER TABLE event_contents RENAME TO event_contents_before;
ALTER TABLE event_items RENAME TO event_items_before;
DROP INDEX event_items_commissioned;

CREATE TABLE event_contents ( -- spread by statement
  statement  BYTEA NOT NULL CHECK (length(statement) = 32),
  position   BIGINT NOT NULL,
  bytes      BYTEA NOT NULL,
  salt       BYTEA NOT NULL CHECK (length(salt) = 16),
  event_time TIMESTAMPTZ,
  step       TEXT COLLATE "C",
  made       TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (statement, position, made)
) PARTITION BY RANGE (made);
CREATE TABLE event_contents_default PARTITION OF event_contents DEFAULT;

CREATE TABLE event_items ( -- spread by item
  item         TEXT COLLATE "C" NOT NULL,
  event_time   TIMESTAMPTZ NOT NULL,
  statement    BYTEA NOT NULL CHECK (length(statement) = 32),
  position     BIGINT NOT NULL,
  role         TEXT COLLATE "C" NOT NULL,
  organisation TEXT COLLATE "C" NOT NULL,
  step         TEXT COLLATE "C",
  made         TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (item, event_time, statement, position, role, made)
) PARTITION BY RANGE (made);
CREATE TABLE event_items_default PARTITION OF event_items DEFAULT;
CREATE INDEX event_items_commissioned ON event_items (item, event_time)
  WHERE step = 'commissioning';

INSERT INTO event_contents (statement, position, bytes, salt, event_time, step, made)
  SELECT c.statement, c.position, c.bytes, c.salt, c.event_time, c.step, s.received
  FROM event_contents_before c JOIN statements s ON s.id = c.statement;

-- By item, so not where its statement is: a distributed PostgreSQL sends the times to the items.
INSERT INTO event_items (item, event_time, statement, position, role, organisation, step, made)
  WITH came AS MATERIALIZED (SELECT id, received FROM statements)
  SELECT i.item, i.event_time, i.statement, i.position, i.role, i.organisation, i.step, t.received
  FROM event_items_before i JOIN came t ON t.id = i.statement;

DROP TABLE event_contents_before;
DROP TABLE event_items_before;

-- Files into which content was archived (`docs/archive.md`), by the hash of their manifests; of
-- several rows of one part the newest counts. archives is append-only for the service.
CREATE TABLE archives ( -- in one place
  hash   BYTEA NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
  month  TEXT COLLATE "C" NOT NULL,
  part   BIGINT NOT NULL,
  events BIGINT NOT NULL,
  made   TIMESTAMPTZ NOT NULL
);

-- Events that are in an archive and not in event_contents, by what they name: a page says so, and
-- erasure finds them. archived_items is append-only for the service; the owner of the tables removes
-- rows of what is put back, the eraser of what is erased.
CREATE TABLE archived_items ( -- spread by item
  item         TEXT COLLATE "C" NOT NULL,
  statement    BYTEA NOT NULL CHECK (length(statement) = 32),
  position     BIGINT NOT NULL,
  leaf         BYTEA NOT NULL CHECK (length(leaf) = 32),
  month        TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (item, statement, position)
);
