-- What readers leave: reports of problems, and look-ups of codes that nobody has made. reports and
-- report_steps are append-only. A contact stands apart and can be erased by who gave it. Nothing here
-- identifies a reader. Everything of a report is spread by its number.

CREATE TABLE reports ( -- spread by number
  number       TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(number) = 16),
  item         TEXT COLLATE "C" NOT NULL,
  organisation TEXT COLLATE "C" NOT NULL, -- the maker then, empty for none
  kind         TEXT COLLATE "C" NOT NULL,
  text         TEXT COLLATE "C" NOT NULL,
  received     TIMESTAMPTZ NOT NULL
);
CREATE INDEX reports_organisation ON reports (organisation, received);
CREATE INDEX reports_received ON reports (received, item);

CREATE TABLE report_contacts ( -- spread by number
  number  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  contact TEXT COLLATE "C" NOT NULL
);

CREATE TABLE report_steps ( -- spread by number
  number TEXT COLLATE "C" NOT NULL,
  step   BIGINT NOT NULL,
  state  TEXT COLLATE "C" NOT NULL,
  person TEXT COLLATE "C" NOT NULL,
  at     TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (number, step)
);

CREATE TABLE unknown_scans ( -- spread by item
  item  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  first TIMESTAMPTZ NOT NULL,
  total BIGINT NOT NULL
);
