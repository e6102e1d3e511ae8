-- What brokers of somebody else check a device's password by: salt and SHA-512, see decision 0008.
ALTER TABLE credentials ADD COLUMN verifier BYTEA CHECK (verifier IS NULL OR length(verifier) = 76);
