-- What a bank holds about its suppliers beside evidence. attestations is append-only: the service
-- neither updates nor deletes a row of it. consent_marks only rises.

-- Attestations and revocations of issuers that the bank knows, as they were signed (attestation.md).
-- `id` is that of the attestation, of a revocation that of the attestation that it names.
CREATE TABLE attestations ( -- spread by supplier
    supplier         TEXT COLLATE "C" NOT NULL,
    hash             BYTEA NOT NULL CHECK (length(hash) = 32),
    kind             TEXT COLLATE "C" NOT NULL CHECK (kind IN ('attestation', 'revocation')),
    id               BYTEA NOT NULL CHECK (length(id) = 32),
    issuer           TEXT COLLATE "C" NOT NULL,
    bytes            BYTEA NOT NULL,
    received         TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (supplier, hash)
);

CREATE INDEX attestations_by_id ON attestations (id);

-- The highest consent document that the bank has seen of a supplier, number 0 for none, and the
-- latest instant that it has counted a consent at: nobody can show it an older state.
CREATE TABLE consent_marks ( -- spread by supplier
    supplier         TEXT COLLATE "C" NOT NULL,
    bank             TEXT COLLATE "C" NOT NULL,
    number           BIGINT NOT NULL CHECK (number >= 0),
    id               BYTEA NOT NULL CHECK (length(id) = 32),
    seen             TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (supplier, bank)
);
