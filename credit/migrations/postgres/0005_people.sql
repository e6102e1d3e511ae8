-- Second factors, clients of machines, identities of log-in providers, and the answers to writes that
-- carry an Idempotency-Key. The same tables in both services; kit::people and kit::idempotency write
-- them.

-- secret is sealed with a key that is not in the database; last_step is the step of the last code
-- that was taken, and only grows; wrong counts codes since.
CREATE TABLE second_factors ( -- spread by organisation
  organisation TEXT COLLATE "C" NOT NULL,
  name         TEXT COLLATE "C" NOT NULL,
  secret       BYTEA NOT NULL,
  enrolled     TIMESTAMPTZ NOT NULL,
  last_step    BIGINT NOT NULL,
  wrong        BIGINT NOT NULL CHECK (wrong >= 0),
  PRIMARY KEY (organisation, name)
);

CREATE TABLE recovery_codes ( -- spread by organisation
  organisation TEXT COLLATE "C" NOT NULL,
  name         TEXT COLLATE "C" NOT NULL,
  code         BYTEA NOT NULL CHECK (length(code) = 32),
  used         TIMESTAMPTZ,
  PRIMARY KEY (organisation, name, code)
);

-- Who a provider's subject is here; made by hand, never by a log-in.
CREATE TABLE identities ( -- spread by organisation
  organisation TEXT COLLATE "C" NOT NULL,
  issuer       TEXT COLLATE "C" NOT NULL,
  subject      TEXT COLLATE "C" NOT NULL,
  name         TEXT COLLATE "C" NOT NULL,
  linked       TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organisation, issuer, subject)
);

-- secret is the SHA-256 of 32 random bytes as text; scopes are words with spaces between.
CREATE TABLE clients ( -- spread by organisation
  organisation TEXT COLLATE "C" NOT NULL,
  name         TEXT COLLATE "C" NOT NULL,
  secret       BYTEA CHECK (length(secret) = 32),
  public_key   BYTEA CHECK (length(public_key) = 32),
  scopes       TEXT COLLATE "C" NOT NULL,
  created      TIMESTAMPTZ NOT NULL,
  disabled     TIMESTAMPTZ,
  PRIMARY KEY (organisation, name),
  CHECK ((secret IS NULL) <> (public_key IS NULL))
);

-- token is the SHA-256 of what the client holds.
CREATE TABLE access_tokens ( -- spread by token
  token        BYTEA NOT NULL PRIMARY KEY CHECK (length(token) = 32),
  organisation TEXT COLLATE "C" NOT NULL,
  client       TEXT COLLATE "C" NOT NULL,
  scopes       TEXT COLLATE "C" NOT NULL,
  issued       TIMESTAMPTZ NOT NULL,
  expires      TIMESTAMPTZ NOT NULL
);

CREATE INDEX access_tokens_by_end ON access_tokens (expires);

-- Assertions that clients have shown, until they would run out: none counts twice.
CREATE TABLE client_assertions ( -- spread by organisation
  organisation TEXT COLLATE "C" NOT NULL,
  client       TEXT COLLATE "C" NOT NULL,
  assertion    BYTEA NOT NULL CHECK (length(assertion) = 32),
  expires      TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organisation, client, assertion)
);

-- status, headers and body are null while the first request runs.
CREATE TABLE kept_answers ( -- spread by actor
  actor        TEXT COLLATE "C" NOT NULL,
  idempotency  BYTEA NOT NULL CHECK (length(idempotency) = 32),
  request      BYTEA NOT NULL CHECK (length(request) = 32),
  began        TIMESTAMPTZ NOT NULL,
  status       BIGINT CHECK (status BETWEEN 100 AND 599),
  headers      TEXT COLLATE "C",
  body         BYTEA,
  PRIMARY KEY (actor, idempotency),
  CHECK ((status IS NULL) = (headers IS NULL) AND (status IS NULL) = (body IS NULL))
);

CREATE INDEX kept_answers_by_time ON kept_answers (began);
