-- What each policy but the first was handed over by: the predecessor's one note of the size behind
-- it (proof-bundle-v2.md section 2). log_handovers is append-only. The policies themselves are
-- entries of the log.
CREATE TABLE log_handovers ( -- in one place
  position BIGINT NOT NULL PRIMARY KEY, -- of the new policy in the log
  note     BYTEA NOT NULL
);
