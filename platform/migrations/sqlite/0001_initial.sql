-- Everything that the platform keeps. Append-only tables are never updated or deleted from by the
-- service: registry_records, registry_heads, statements, event_leaves, batches, batch_statements,
-- log_entries, log_heads, log_checkpoints, chain_events, quarantine. Content that may be erased one
-- day (event_contents, event_items) stands apart from them.

CREATE TABLE registry_records (
  kid          BLOB NOT NULL CHECK (length(kid) = 32),
  version      INTEGER NOT NULL,
  organisation TEXT NOT NULL,
  device       TEXT NOT NULL,
  role         INTEGER NOT NULL,
  bytes        BLOB NOT NULL,
  salt         BLOB NOT NULL CHECK (length(salt) = 16),
  hash         BLOB NOT NULL CHECK (length(hash) = 32),
  head         INTEGER NOT NULL,
  PRIMARY KEY (kid, version)
) STRICT;
CREATE INDEX registry_records_organisation ON registry_records (organisation, kid);

CREATE TABLE registry_heads (
  version INTEGER NOT NULL PRIMARY KEY,
  count   INTEGER NOT NULL,
  root    BLOB NOT NULL CHECK (length(root) = 32),
  made    TEXT NOT NULL
) STRICT;

CREATE TABLE credentials (
  username      TEXT NOT NULL PRIMARY KEY,
  password_hash BLOB NOT NULL CHECK (length(password_hash) = 32)
) STRICT;

CREATE TABLE enrolments (
  claim    TEXT NOT NULL PRIMARY KEY,
  request  BLOB NOT NULL,
  draft    BLOB,
  mac      TEXT,
  consent  BLOB,
  made     TEXT NOT NULL
) STRICT;

CREATE TABLE statements (
  device           TEXT NOT NULL,
  epoch            INTEGER NOT NULL,
  seq              INTEGER NOT NULL,
  id               BLOB NOT NULL CHECK (length(id) = 32),
  organisation     TEXT NOT NULL,
  kid              BLOB NOT NULL CHECK (length(kid) = 32),
  prev             BLOB NOT NULL CHECK (length(prev) = 32),
  events           INTEGER NOT NULL,
  bytes            BLOB NOT NULL,
  received         TEXT NOT NULL,
  registry_version INTEGER NOT NULL,
  PRIMARY KEY (device, epoch, seq, id)
) STRICT;
CREATE UNIQUE INDEX statements_id ON statements (id);

CREATE TABLE event_leaves (
  statement BLOB NOT NULL,
  position  INTEGER NOT NULL,
  leaf      BLOB NOT NULL CHECK (length(leaf) = 32),
  source    INTEGER NOT NULL,
  refused   TEXT,
  PRIMARY KEY (statement, position)
) STRICT;

CREATE TABLE event_contents (
  statement  BLOB NOT NULL,
  position   INTEGER NOT NULL,
  bytes      BLOB NOT NULL,
  salt       BLOB NOT NULL CHECK (length(salt) = 16),
  event_time TEXT,
  step       TEXT,
  PRIMARY KEY (statement, position)
) STRICT;

CREATE TABLE event_items (
  item       TEXT NOT NULL,
  event_time TEXT NOT NULL,
  statement  BLOB NOT NULL,
  position   INTEGER NOT NULL,
  role       TEXT NOT NULL,
  PRIMARY KEY (item, event_time, statement, position, role)
) STRICT;

CREATE TABLE quarantine (
  id       BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),
  received TEXT NOT NULL,
  topic    TEXT NOT NULL,
  code     TEXT NOT NULL,
  detail   TEXT NOT NULL,
  bytes    BLOB NOT NULL
) STRICT;

-- Statements that wait for a batch; rows leave when it is made.
CREATE TABLE batch_queue (
  registry_version INTEGER NOT NULL,
  received         TEXT NOT NULL,
  statement        BLOB NOT NULL,
  accepted         INTEGER NOT NULL,
  refused          INTEGER NOT NULL,
  PRIMARY KEY (registry_version, received, statement)
) STRICT;

CREATE TABLE batches (
  shard     INTEGER NOT NULL,
  seq       INTEGER NOT NULL,
  log_index INTEGER NOT NULL,
  refused   BLOB,
  PRIMARY KEY (shard, seq)
) STRICT;
CREATE UNIQUE INDEX batches_log_index ON batches (log_index);

CREATE TABLE batch_statements (
  statement BLOB NOT NULL,
  shard     INTEGER NOT NULL,
  seq       INTEGER NOT NULL,
  position  INTEGER NOT NULL,
  PRIMARY KEY (statement, shard, seq)
) STRICT;
CREATE INDEX batch_statements_batch ON batch_statements (shard, seq, position);

-- Batches whose devices have not been told yet that a witnessed checkpoint covers them.
CREATE TABLE inclusions_due (
  log_index INTEGER NOT NULL PRIMARY KEY,
  shard     INTEGER NOT NULL,
  seq       INTEGER NOT NULL
) STRICT;

CREATE TABLE log_entries (
  position INTEGER NOT NULL PRIMARY KEY,
  fence    INTEGER NOT NULL,
  bytes    BLOB NOT NULL
) STRICT;

CREATE TABLE log_heads (
  size  INTEGER NOT NULL PRIMARY KEY,
  root  BLOB NOT NULL CHECK (length(root) = 32),
  fence INTEGER NOT NULL
) STRICT;

-- Witnessed checkpoints; the earliest that covers an entry gives its anchored time.
CREATE TABLE log_checkpoints (
  size     INTEGER NOT NULL PRIMARY KEY,
  note     BLOB NOT NULL,
  anchored TEXT NOT NULL
) STRICT;

CREATE TABLE leases (
  name   TEXT NOT NULL PRIMARY KEY,
  holder TEXT NOT NULL,
  fence  INTEGER NOT NULL,
  until  TEXT NOT NULL
) STRICT;

-- What happened to devices' chains: gap-opened, gap-closed, fork, silent. Never erased.
CREATE TABLE chain_events (
  device   TEXT NOT NULL,
  kind     TEXT NOT NULL,
  epoch    INTEGER NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq   INTEGER NOT NULL,
  at       TEXT NOT NULL,
  detail   TEXT NOT NULL,
  PRIMARY KEY (device, kind, epoch, from_seq, to_seq)
) STRICT;

-- How far a device's chain has been read; derived, can be rebuilt.
CREATE TABLE chain_heads (
  device TEXT NOT NULL PRIMARY KEY,
  epoch  INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  id     BLOB NOT NULL
) STRICT;

CREATE TABLE scans (
  item  TEXT NOT NULL PRIMARY KEY,
  first TEXT NOT NULL,
  total INTEGER NOT NULL
) STRICT;
