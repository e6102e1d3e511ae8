-- From version 1 to 2. Events of before count as of life-cycle: nothing is known of them.
ALTER TABLE events ADD COLUMN life_cycle INTEGER NOT NULL DEFAULT 1;
CREATE TABLE series (
    series TEXT PRIMARY KEY,
    memory TEXT NOT NULL
) STRICT;
CREATE TABLE scanned (
    path TEXT NOT NULL,
    number INTEGER NOT NULL,
    line INTEGER NOT NULL,
    time INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (path, number)
) STRICT;
