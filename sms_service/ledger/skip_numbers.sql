-- Skips numbers that may have been given to rows which were lost in the restore or promotion. A receipt that names
-- such an attempt, or a worker that still has its outcome or its run's text in memory, must not meet another row with
-- the same number. It takes the numbers, since sms_app may take numbers but not set the sequence.
SELECT (SELECT count(nextval('attempts_id_seq')) FROM generate_series(1, %(attempts)s::int)),
       (SELECT count(nextval(pg_get_serial_sequence('runs', 'id'))) FROM generate_series(1, %(runs)s::int))
