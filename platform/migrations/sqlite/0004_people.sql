-- People who read an organisation's page, and their sessions. A person's role is the slug of the
-- organisation whose page they may read; names are unique on this platform.

CREATE TABLE people (
  organisation  TEXT NOT NULL,
  name          TEXT NOT NULL,
  role          TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  created       TEXT NOT NULL,
  disabled      TEXT,
  PRIMARY KEY (organisation, name)
) STRICT;

-- token is the SHA-256 of what the browser holds.
CREATE TABLE sessions (
  token   BLOB NOT NULL PRIMARY KEY CHECK (length(token) = 32),
  data    TEXT NOT NULL,
  created TEXT NOT NULL,
  seen    TEXT NOT NULL
) STRICT;
