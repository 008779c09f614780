-- When the first texts of a run have outcomes, the run goes on, or is held if too many went wrong. Texts that will not
-- be sent, or not now, say nothing and are not waited for (refill_canary.sql has replaced them, if it could); but at
-- least half of the texts that can be sent must have an outcome. If the campaign asks for it, receipts are awaited as
-- well. After the deadline nothing is awaited: the outcomes so far decide, and if there are none, a person decides.
WITH run AS MATERIALIZED (
    SELECT canary, canary_receipts,
           coalesce(canary_since <= sms_now() - make_interval(mins => %(deadline_min)s::int), false) AS over
    FROM runs WHERE id = %(run_id)s::bigint AND status = 'running' AND canary IS NOT NULL
),
first AS MATERIALIZED (
    SELECT count(*) FILTER (WHERE m.status IN ('claimed', 'submitting') OR (m.status = 'pending' AND NOT v.again)) AS waiting,
           count(*) FILTER (WHERE v.again) AS again,
           count(*) FILTER (WHERE m.status NOT IN ('pending', 'claimed', 'submitting', 'skipped', 'expired', 'cancelled')) AS gone,
           count(*) FILTER (WHERE m.status IN ('refused', 'unknown', 'undelivered')) AS bad,
           count(*) FILTER (WHERE m.status = 'accepted') AS silent,
           max(m.changed_at) AS last
    FROM messages m
    CROSS JOIN LATERAL (
        SELECT m.status = 'pending'
           AND (m.not_before > sms_now()
                OR (m.attempts > 0 AND m.changed_at <= sms_now() - make_interval(secs => %(moment_s)s::float))) AS again
    ) v
    WHERE m.month = %(month)s::date AND m.id = ANY ((SELECT canary FROM run)::bigint[])
),
judged AS MATERIALIZED (
    SELECT c.canary, f.bad, f.gone, f.gone = 0 OR f.bad >= %(bad_share)s::float * f.gone AS bad_enough
    FROM run c, first f
    WHERE c.over
       OR (f.waiting = 0 AND f.gone > 0 AND f.gone >= f.again
           AND (NOT c.canary_receipts OR f.silent = 0 OR f.last <= sms_now() - make_interval(mins => %(receipts_min)s::int)))
)
UPDATE runs r
SET canary = CASE WHEN j.bad_enough THEN r.canary END,
    status = CASE WHEN j.bad_enough THEN 'held' ELSE r.status END,
    held_for = CASE WHEN j.bad_enough THEN 'canary' END,
    reason = CASE WHEN j.bad_enough THEN
        CASE WHEN j.gone > 0 THEN format('%%s of its first %%s texts were refused, unknown or undelivered', j.bad, j.gone)
             ELSE format('%%s minutes after its first text was handed over, the gateway had taken and refused none for good:'
                         ' it puts all of them off', %(deadline_min)s::int) END
        END,
    reason_message = CASE WHEN j.bad_enough THEN
        CASE WHEN j.gone > 0 THEN jsonb_build_object(
                 'message', '{bad} of its first {texts} texts were refused, unknown or undelivered',
                 'values', jsonb_build_object('bad', j.bad, 'texts', j.gone))
             ELSE jsonb_build_object(
                 'message', '{minutes} minutes after its first text was handed over, the gateway had taken and refused none for'
                            ' good: it puts all of them off',
                 'values', jsonb_build_object('minutes', %(deadline_min)s::int)) END
        END
FROM judged j
WHERE r.id = %(run_id)s::bigint AND r.status = 'running' AND r.canary = j.canary
RETURNING r.id, r.status, r.reason
