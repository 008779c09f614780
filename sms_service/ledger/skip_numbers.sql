-- Leaves out numbers that the server's earlier life may have given to rows that are lost now: a receipt that names
-- such an attempt, or a worker that still has its outcome or its run's text in memory, must not meet another row
-- under the same number. By taking them, since sms_app may take numbers and not set them.
SELECT (SELECT count(nextval('attempts_id_seq')) FROM generate_series(1, %(attempts)s::int)),
       (SELECT count(nextval(pg_get_serial_sequence('runs', 'id'))) FROM generate_series(1, %(runs)s::int))
