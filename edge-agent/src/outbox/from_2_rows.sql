-- What has the same form in both.
INSERT INTO refused SELECT * FROM refused_2;
INSERT INTO checkpoint SELECT * FROM checkpoint_2;
INSERT INTO presence SELECT * FROM presence_2;
INSERT INTO readings SELECT * FROM readings_2;
INSERT INTO scans SELECT * FROM scans_2;
INSERT INTO series SELECT * FROM series_2;
INSERT INTO scanned SELECT * FROM scanned_2;
-- Marks are set by the program.
INSERT INTO events (number, source, salt, mark, life_cycle, bytes)
    SELECT number, source, salt, 0, life_cycle, bytes FROM events_2;
INSERT INTO statements (position, epoch, seq, id, bytes, first, last, events, receipt, included)
    SELECT s.position, s.epoch, s.seq, s.id, s.bytes,
           coalesce((SELECT min(number) FROM events_2 e WHERE e.statement = s.position), 1),
           coalesce((SELECT max(number) FROM events_2 e WHERE e.statement = s.position), 0),
           (SELECT count(*) FROM events_2 e WHERE e.statement = s.position),
           s.receipt, s.included
    FROM statements_2 s;
INSERT INTO receipts (number, time, deadline, late, waiting, bytes)
    SELECT r.number, r.time,
           coalesce((SELECT min(deadline) FROM statements_2 s WHERE s.receipt = r.number), r.time),
           coalesce((SELECT max(late) FROM statements_2 s WHERE s.receipt = r.number), 0),
           (SELECT count(*) FROM statements_2 s WHERE s.receipt = r.number), r.bytes
    FROM receipts_2 r;
UPDATE chain SET
    epoch = (SELECT epoch FROM head), seq = (SELECT seq FROM head), id = (SELECT id FROM head),
    made = (SELECT made FROM head),
    position = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'statements_2'), 0),
    signed = coalesce((SELECT max(number) FROM events_2 WHERE statement IS NOT NULL),
                      (SELECT min(number) - 1 FROM events_2),
                      (SELECT seq FROM sqlite_sequence WHERE name = 'events_2'), 0),
    newest = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events_2'), 0),
    counts = coalesce((SELECT counts FROM counters), '{}');
DROP TABLE statements_2;
DROP TABLE events_2;
DROP TABLE receipts_2;
DROP TABLE refused_2;
DROP TABLE checkpoint_2;
DROP TABLE presence_2;
DROP TABLE readings_2;
DROP TABLE scans_2;
DROP TABLE series_2;
DROP TABLE scanned_2;
DROP TABLE head;
DROP TABLE counters;
