-- Runs of one month whose first texts have all come to an outcome go on, or are held if too many went wrong. Where the campaign asks
-- for it, their receipts are waited for, but not for ever. Texts that turned out not to be sent at all say nothing either way
-- (refill_canary.sql has put others in their place).
WITH first AS (
    SELECT r.id,
           count(*) FILTER (WHERE m.status IN ('pending', 'claimed', 'submitting')) AS waiting,
           count(*) FILTER (WHERE m.status NOT IN ('skipped', 'expired', 'cancelled')) AS gone,
           count(*) FILTER (WHERE m.status IN ('refused', 'unknown', 'undelivered')) AS bad,
           count(*) FILTER (WHERE m.status = 'accepted') AS silent,
           max(m.changed_at) AS last
    FROM runs r JOIN messages m ON m.month = %(month)s::date AND m.id = ANY (r.canary)
    WHERE r.month = %(month)s::date AND r.status = 'running' AND r.canary IS NOT NULL
    GROUP BY r.id
),
judged AS (
    SELECT f.id, f.bad, f.gone, f.bad >= %(bad_share)s::float * greatest(f.gone, 1) AS bad_enough
    FROM first f JOIN runs r ON r.id = f.id
    WHERE f.waiting = 0 AND f.gone > 0
      AND (NOT r.canary_receipts OR f.silent = 0 OR f.last <= sms_now() - make_interval(mins => %(receipts_min)s::int))
)
UPDATE runs r
SET canary = CASE WHEN j.bad_enough THEN r.canary END,
    status = CASE WHEN j.bad_enough THEN 'held' ELSE r.status END,
    held_for = CASE WHEN j.bad_enough THEN 'canary' END,
    reason = CASE WHEN j.bad_enough
                  THEN format('%%s of its first %%s texts were refused, unknown or undelivered', j.bad, j.gone) END
FROM judged j
WHERE r.id = j.id AND r.status = 'running' AND r.canary IS NOT NULL
RETURNING r.id, r.status, r.reason
