-- Begins to lead, or goes on leading. Whoever led last goes on, also when its lease is over and nobody took it.
-- Anybody else needs a lease that is over, and that no transaction of the one before is under way (still_leads, which
-- shares the lock): so nothing of the old leader's is committed after this. The clock is the real one; what waited
-- for the row's lock compares with the time after it.
INSERT INTO leaderships AS l (name, holder, epoch, since, until)
SELECT %(name)s::text, %(holder)s::text, 1, clock_timestamp(), clock_timestamp() + make_interval(secs => %(lease_s)s::float)
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder,
    epoch = CASE WHEN l.epoch = %(epoch)s::bigint AND l.holder = excluded.holder THEN l.epoch ELSE l.epoch + 1 END,
    since = CASE WHEN l.epoch = %(epoch)s::bigint AND l.holder = excluded.holder THEN l.since ELSE clock_timestamp() END,
    until = clock_timestamp() + make_interval(secs => %(lease_s)s::float)
WHERE CASE WHEN l.epoch = %(epoch)s::bigint AND l.holder = excluded.holder THEN true
           WHEN l.until > clock_timestamp() THEN false
           ELSE pg_try_advisory_xact_lock(leadership_key(l.name)) END
RETURNING epoch
