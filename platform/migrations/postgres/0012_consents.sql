-- consents is append-only. What suppliers let a bank read, and that they withdraw it, as they signed it (consent.md). The
-- service only adds to it: the chain of one supplier to one bank, number 1 first, each number once.
CREATE TABLE consents ( -- in one place
  supplier TEXT COLLATE "C" NOT NULL,
  bank     TEXT COLLATE "C" NOT NULL,
  number   BIGINT NOT NULL CHECK (number >= 1),
  hash     BYTEA NOT NULL CHECK (length(hash) = 32),
  bytes    BYTEA NOT NULL,
  received TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (supplier, bank, number)
);
