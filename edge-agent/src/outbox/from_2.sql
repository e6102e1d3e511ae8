-- From version 2 to 3: out of the way, so that the tables of version 3 can be made.
ALTER TABLE statements RENAME TO statements_2;
ALTER TABLE events RENAME TO events_2;
ALTER TABLE receipts RENAME TO receipts_2;
ALTER TABLE refused RENAME TO refused_2;
ALTER TABLE checkpoint RENAME TO checkpoint_2;
ALTER TABLE presence RENAME TO presence_2;
ALTER TABLE readings RENAME TO readings_2;
ALTER TABLE scans RENAME TO scans_2;
ALTER TABLE series RENAME TO series_2;
ALTER TABLE scanned RENAME TO scanned_2;
