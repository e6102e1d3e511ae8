-- consents is append-only. What suppliers let a bank read, and that they withdraw it, as they signed it (consent.md). The
-- service only adds to it: the chain of one supplier to one bank, number 1 first, each number once.
CREATE TABLE consents (
  supplier TEXT NOT NULL,
  bank     TEXT NOT NULL,
  number   INTEGER NOT NULL CHECK (number >= 1),
  hash     BLOB NOT NULL CHECK (length(hash) = 32),
  bytes    BLOB NOT NULL,
  received TEXT NOT NULL,
  PRIMARY KEY (supplier, bank, number)
) STRICT;
