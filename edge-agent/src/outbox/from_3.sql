-- From version 3 to 4: what bodies there are stays as it is, and the chain's row is taken over.
ALTER TABLE chain RENAME TO chain_3;
