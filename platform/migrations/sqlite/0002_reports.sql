-- What readers leave: reports of problems, and look-ups of codes that nobody has made. reports and
-- report_steps are append-only. A contact stands apart and can be erased by who gave it. Nothing here
-- identifies a reader.

CREATE TABLE reports (
  number       TEXT NOT NULL PRIMARY KEY CHECK (length(number) = 16),
  item         TEXT NOT NULL,
  organisation TEXT NOT NULL, -- the maker then, empty for none
  kind         TEXT NOT NULL,
  text         TEXT NOT NULL,
  received     TEXT NOT NULL
) STRICT;
CREATE INDEX reports_organisation ON reports (organisation, received);
CREATE INDEX reports_received ON reports (received, item);

CREATE TABLE report_contacts (
  number  TEXT NOT NULL PRIMARY KEY,
  contact TEXT NOT NULL
) STRICT;

CREATE TABLE report_steps (
  number TEXT NOT NULL,
  step   INTEGER NOT NULL,
  state  TEXT NOT NULL,
  person TEXT NOT NULL,
  at     TEXT NOT NULL,
  PRIMARY KEY (number, step)
) STRICT;

CREATE TABLE unknown_scans (
  item  TEXT NOT NULL PRIMARY KEY,
  first TEXT NOT NULL,
  total INTEGER NOT NULL
) STRICT;
