-- Everything that the platform keeps, on PostgreSQL; the same tables as on SQLite. Append-only
-- tables are never updated or deleted from by the service, whose role may not: registry_records,
-- registry_heads, statements, event_leaves, batches, batch_statements, log_entries, log_heads,
-- log_checkpoints, chain_events, quarantine. Content that may be erased one day (event_contents,
-- event_items) stands apart from them, and the service's role cannot erase it either.
--
-- Each table says where its rows go in a distributed PostgreSQL: "spread by" names the column that
-- they are distributed by, which is in every key of the table; "in one place" is small or has one
-- writer and is kept whole. Everything of a statement is spread by its id, so that its row, leaves,
-- contents, queue entry and place in a batch meet in one shard. Text sorts by bytes, as on SQLite.

CREATE TABLE registry_records ( -- spread by kid
  kid          BYTEA NOT NULL CHECK (length(kid) = 32),
  version      BIGINT NOT NULL,
  organisation TEXT COLLATE "C" NOT NULL,
  device       TEXT COLLATE "C" NOT NULL,
  role         BIGINT NOT NULL,
  bytes        BYTEA NOT NULL,
  salt         BYTEA NOT NULL CHECK (length(salt) = 16),
  hash         BYTEA NOT NULL CHECK (length(hash) = 32),
  head         BIGINT NOT NULL,
  PRIMARY KEY (kid, version)
);
CREATE INDEX registry_records_organisation ON registry_records (organisation, kid);

CREATE TABLE registry_heads ( -- in one place
  version BIGINT NOT NULL PRIMARY KEY,
  count   BIGINT NOT NULL,
  root    BYTEA NOT NULL CHECK (length(root) = 32),
  made    TIMESTAMPTZ NOT NULL
);

CREATE TABLE credentials ( -- spread by username
  username      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  password_hash BYTEA NOT NULL CHECK (length(password_hash) = 32)
);

CREATE TABLE enrolments ( -- spread by claim
  claim    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  request  BYTEA NOT NULL,
  draft    BYTEA,
  mac      TEXT COLLATE "C",
  consent  BYTEA,
  made     TIMESTAMPTZ NOT NULL
);

-- The id is the hash of bytes that hold device, epoch and seq, so either key says that a statement
-- is there once.
CREATE TABLE statements ( -- spread by id
  device           TEXT COLLATE "C" NOT NULL,
  epoch            BIGINT NOT NULL,
  seq              BIGINT NOT NULL,
  id               BYTEA NOT NULL CHECK (length(id) = 32),
  organisation     TEXT COLLATE "C" NOT NULL,
  kid              BYTEA NOT NULL CHECK (length(kid) = 32),
  prev             BYTEA NOT NULL CHECK (length(prev) = 32),
  events           BIGINT NOT NULL,
  bytes            BYTEA NOT NULL,
  received         TIMESTAMPTZ NOT NULL,
  registry_version BIGINT NOT NULL,
  PRIMARY KEY (device, epoch, seq, id)
);
CREATE UNIQUE INDEX statements_id ON statements (id);

CREATE TABLE event_leaves ( -- spread by statement
  statement BYTEA NOT NULL CHECK (length(statement) = 32),
  position  BIGINT NOT NULL,
  leaf      BYTEA NOT NULL CHECK (length(leaf) = 32),
  source    BIGINT NOT NULL,
  refused   TEXT COLLATE "C",
  PRIMARY KEY (statement, position)
);

CREATE TABLE event_contents ( -- spread by statement
  statement  BYTEA NOT NULL CHECK (length(statement) = 32),
  position   BIGINT NOT NULL,
  bytes      BYTEA NOT NULL,
  salt       BYTEA NOT NULL CHECK (length(salt) = 16),
  event_time TIMESTAMPTZ,
  step       TEXT COLLATE "C",
  PRIMARY KEY (statement, position)
);

-- organisation and step repeat what statements and event_contents say: those are spread otherwise
-- than by item, and a distributed PostgreSQL refuses to join across.
CREATE TABLE event_items ( -- spread by item
  item         TEXT COLLATE "C" NOT NULL,
  event_time   TIMESTAMPTZ NOT NULL,
  statement    BYTEA NOT NULL CHECK (length(statement) = 32),
  position     BIGINT NOT NULL,
  role         TEXT COLLATE "C" NOT NULL,
  organisation TEXT COLLATE "C" NOT NULL,
  step         TEXT COLLATE "C",
  PRIMARY KEY (item, event_time, statement, position, role)
);
CREATE INDEX event_items_commissioned ON event_items (item, event_time)
  WHERE step = 'commissioning';

CREATE TABLE quarantine ( -- spread by id
  id       BYTEA NOT NULL PRIMARY KEY CHECK (length(id) = 32),
  received TIMESTAMPTZ NOT NULL,
  topic    TEXT COLLATE "C" NOT NULL,
  code     TEXT COLLATE "C" NOT NULL,
  detail   TEXT COLLATE "C" NOT NULL,
  bytes    BYTEA NOT NULL
);

-- Statements that wait for a batch; rows leave when it is made.
CREATE TABLE batch_queue ( -- spread by statement
  registry_version BIGINT NOT NULL,
  received         TIMESTAMPTZ NOT NULL,
  statement        BYTEA NOT NULL PRIMARY KEY CHECK (length(statement) = 32),
  accepted         BIGINT NOT NULL,
  refused          BIGINT NOT NULL
);
CREATE INDEX batch_queue_order ON batch_queue (registry_version, received, statement);

CREATE TABLE batches ( -- in one place
  shard     BIGINT NOT NULL,
  seq       BIGINT NOT NULL,
  log_index BIGINT NOT NULL,
  refused   BYTEA,
  PRIMARY KEY (shard, seq)
);
CREATE UNIQUE INDEX batches_log_index ON batches (log_index);

CREATE TABLE batch_statements ( -- spread by statement
  statement BYTEA NOT NULL CHECK (length(statement) = 32),
  shard     BIGINT NOT NULL,
  seq       BIGINT NOT NULL,
  position  BIGINT NOT NULL,
  PRIMARY KEY (statement, shard, seq)
);
CREATE INDEX batch_statements_batch ON batch_statements (shard, seq, position);

-- Batches whose devices have not been told yet that a witnessed checkpoint covers them.
CREATE TABLE inclusions_due ( -- in one place
  log_index BIGINT NOT NULL PRIMARY KEY,
  shard     BIGINT NOT NULL,
  seq       BIGINT NOT NULL
);

CREATE TABLE log_entries ( -- in one place
  position BIGINT NOT NULL PRIMARY KEY,
  fence    BIGINT NOT NULL,
  bytes    BYTEA NOT NULL
);

CREATE TABLE log_heads ( -- in one place
  size  BIGINT NOT NULL PRIMARY KEY,
  root  BYTEA NOT NULL CHECK (length(root) = 32),
  fence BIGINT NOT NULL
);

-- Witnessed checkpoints; the earliest that covers an entry gives its anchored time.
CREATE TABLE log_checkpoints ( -- in one place
  size     BIGINT NOT NULL PRIMARY KEY,
  note     BYTEA NOT NULL,
  anchored TIMESTAMPTZ NOT NULL
);

CREATE TABLE leases ( -- in one place
  name   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  holder TEXT COLLATE "C" NOT NULL,
  fence  BIGINT NOT NULL,
  until  TIMESTAMPTZ NOT NULL
);

-- What happened to devices' chains: gap-opened, gap-closed, fork, silent. Never erased.
CREATE TABLE chain_events ( -- spread by device
  device   TEXT COLLATE "C" NOT NULL,
  kind     TEXT COLLATE "C" NOT NULL,
  epoch    BIGINT NOT NULL,
  from_seq BIGINT NOT NULL,
  to_seq   BIGINT NOT NULL,
  at       TIMESTAMPTZ NOT NULL,
  detail   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (device, kind, epoch, from_seq, to_seq)
);

-- How far a device's chain has been read; derived, can be rebuilt.
CREATE TABLE chain_heads ( -- spread by device
  device TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  epoch  BIGINT NOT NULL,
  seq    BIGINT NOT NULL,
  id     BYTEA NOT NULL CHECK (length(id) = 32)
);

CREATE TABLE scans ( -- spread by item
  item  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  first TIMESTAMPTZ NOT NULL,
  total BIGINT NOT NULL
);
