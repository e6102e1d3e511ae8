-- What each policy but the first was handed over by: the predecessor's one note of the size behind
-- it (proof-bundle-v2.md section 2). log_handovers is append-only. The policies themselves are
-- entries of the log.
CREATE TABLE log_handovers (
  position INTEGER NOT NULL PRIMARY KEY, -- of the new policy in the log
  note     BLOB NOT NULL
) STRICT;
