-- Second factors, clients of machines, identities of log-in providers, and the answers to writes that
-- carry an Idempotency-Key. The same tables in both services; kit::people and kit::idempotency write
-- them.

-- secret is sealed with a key that is not in the database; last_step is the step of the last code
-- that was taken, and only grows; wrong counts codes since.
CREATE TABLE second_factors (
  organisation TEXT NOT NULL,
  name         TEXT NOT NULL,
  secret       BLOB NOT NULL,
  enrolled     TEXT NOT NULL,
  last_step    INTEGER NOT NULL,
  wrong        INTEGER NOT NULL CHECK (wrong >= 0),
  PRIMARY KEY (organisation, name)
) STRICT;

CREATE TABLE recovery_codes (
  organisation TEXT NOT NULL,
  name         TEXT NOT NULL,
  code         BLOB NOT NULL CHECK (length(code) = 32),
  used         TEXT,
  PRIMARY KEY (organisation, name, code)
) STRICT;

-- Who a provider's subject is here; made by hand, never by a log-in.
CREATE TABLE identities (
  organisation TEXT NOT NULL,
  issuer       TEXT NOT NULL,
  subject      TEXT NOT NULL,
  name         TEXT NOT NULL,
  linked       TEXT NOT NULL,
  PRIMARY KEY (organisation, issuer, subject)
) STRICT;

-- secret is the SHA-256 of 32 random bytes as text; scopes are words with spaces between.
CREATE TABLE clients (
  organisation TEXT NOT NULL,
  name         TEXT NOT NULL,
  secret       BLOB CHECK (length(secret) = 32),
  public_key   BLOB CHECK (length(public_key) = 32),
  scopes       TEXT NOT NULL,
  created      TEXT NOT NULL,
  disabled     TEXT,
  PRIMARY KEY (organisation, name),
  CHECK ((secret IS NULL) <> (public_key IS NULL))
) STRICT;

-- token is the SHA-256 of what the client holds.
CREATE TABLE access_tokens (
  token        BLOB NOT NULL PRIMARY KEY CHECK (length(token) = 32),
  organisation TEXT NOT NULL,
  client       TEXT NOT NULL,
  scopes       TEXT NOT NULL,
  issued       TEXT NOT NULL,
  expires      TEXT NOT NULL
) STRICT;

CREATE INDEX access_tokens_by_end ON access_tokens (expires);

-- Assertions that clients have shown, until they would run out: none counts twice.
CREATE TABLE client_assertions (
  organisation TEXT NOT NULL,
  client       TEXT NOT NULL,
  assertion    BLOB NOT NULL CHECK (length(assertion) = 32),
  expires      TEXT NOT NULL,
  PRIMARY KEY (organisation, client, assertion)
) STRICT;

-- status, headers and body are null while the first request runs.
CREATE TABLE kept_answers (
  actor        TEXT NOT NULL,
  idempotency  BLOB NOT NULL CHECK (length(idempotency) = 32),
  request      BLOB NOT NULL CHECK (length(request) = 32),
  began        TEXT NOT NULL,
  status       INTEGER CHECK (status BETWEEN 100 AND 599),
  headers      TEXT,
  body         BLOB,
  PRIMARY KEY (actor, idempotency),
  CHECK ((status IS NULL) = (headers IS NULL) AND (status IS NULL) = (body IS NULL))
) STRICT;

CREATE INDEX kept_answers_by_time ON kept_answers (began);
