-- People who read an organisation's page, and their sessions. A person's role is the slug of the
-- organisation whose page they may read; names are unique on this platform.

CREATE TABLE people ( -- spread by organisation
  organisation  TEXT COLLATE "C" NOT NULL,
  name          TEXT COLLATE "C" NOT NULL,
  role          TEXT COLLATE "C" NOT NULL,
  password_hash TEXT COLLATE "C" NOT NULL,
  created       TIMESTAMPTZ NOT NULL,
  disabled      TIMESTAMPTZ,
  PRIMARY KEY (organisation, name)
);

-- token is the SHA-256 of what the browser holds.
CREATE TABLE sessions ( -- spread by token
  token   BYTEA NOT NULL PRIMARY KEY CHECK (length(token) = 32),
  data    TEXT COLLATE "C" NOT NULL,
  created TIMESTAMPTZ NOT NULL,
  seen    TIMESTAMPTZ NOT NULL
);
