-- Begins to lead, or goes on leading. The last leader goes on, even if its lease is over, as long as nobody else has
-- taken it. Any other process needs the lease to be over and no transaction of the last leader to be under way
-- (still_leads shares the lock), so nothing of the old leader is committed after this. It reads the real clock after
-- waiting for the row's lock, not the transaction's time.
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
