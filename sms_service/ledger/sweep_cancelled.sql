-- The rest of a cancelled run, in slices, so that no transaction holds 100,000 rows.
WITH slice AS (
    SELECT m.month, m.id
    FROM runs r JOIN messages m ON m.month = r.month AND m.run_id = r.id
    WHERE r.status = 'cancelled' AND m.status = 'pending'
    LIMIT %(size)s::int
    FOR UPDATE OF m SKIP LOCKED
)
UPDATE messages m
SET status = 'cancelled', changed_at = sms_now()
FROM slice s
WHERE m.month = s.month AND m.id = s.id
