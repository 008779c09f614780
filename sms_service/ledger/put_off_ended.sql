-- Decides when the clock looks again at the ended runs of one month that it has just looked at. Most runs are closed,
-- or have only final rows, within minutes. Some others wait for ever: runs at accounts without receipts, and runs with
-- unknown texts. Each is looked at again when its end is a quarter longer ago, so that a year of them costs a few
-- looks a second, but no later than when its next row has been silent for too long. A run with rows that have to be
-- cancelled or have been silent for too long stays due. A cancelled run awaits nothing once all its rows are final; a
-- finished one is then closed, and not found here. A run that ended just now is looked at each time.
WITH due AS MATERIALIZED (
    SELECT id, status, coalesce(finished_at, launched_at, created_at) AS ended_at FROM runs
    WHERE month = %(month)s::date AND status IN ('finished', 'cancelled') AND look_at <= sms_now()
      AND (status = 'cancelled' OR finished_at <= sms_now() - interval '4 seconds')
    ORDER BY look_at
    LIMIT %(size)s::int
),
seen AS MATERIALIZED (
    SELECT d.id, d.ended_at,
           (d.status = 'cancelled' AND EXISTS (
               SELECT FROM messages m
               WHERE m.month = %(month)s::date AND m.run_id = d.id AND m.status IN ('pending', 'claimed', 'submitting')))
           OR EXISTS (
               SELECT FROM messages m
               WHERE m.month = %(month)s::date AND m.run_id = d.id AND m.status IN ('accepted', 'unknown') AND m.status = 'accepted'
                 AND m.changed_at <= sms_now() - make_interval(hours => %(hours)s::int)
                 AND m.account_id = ANY (%(reporting_accounts)s::bigint[])) AS stays,
           d.status = 'finished' OR EXISTS (
               SELECT FROM messages m
               WHERE m.month = %(month)s::date AND m.run_id = d.id AND m.status IN ('accepted', 'unknown')) AS awaited,
           (
               SELECT min(m.changed_at) + make_interval(hours => %(hours)s::int) FROM messages m
               WHERE m.month = %(month)s::date AND m.run_id = d.id AND m.status IN ('accepted', 'unknown')
                 AND m.changed_at > sms_now() - make_interval(hours => %(hours)s::int)) AS silent_at
    FROM due d
)
UPDATE runs r
SET look_at = CASE
        WHEN NOT s.awaited THEN NULL
        ELSE least(s.silent_at, sms_now() + greatest((sms_now() - s.ended_at) / 4, interval '1 second'))
    END
FROM seen s
WHERE r.id = s.id AND r.status IN ('finished', 'cancelled') AND NOT s.stays
