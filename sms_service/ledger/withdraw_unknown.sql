-- Messages of a withdrawn group whose lease had ended before, so that the sweep made them unknown. They go again only
-- if a person says so, as after a gateway's refusal that comes as late: the run may be over by now.
WITH refused AS (
    UPDATE messages m
    SET status = 'refused', reason = 'not_taken', raw_code = NULL, changed_at = sms_now()
    FROM unnest(%(ids)s::bigint[], %(numbers)s::int[]) AS w (id, number)
    WHERE m.month = %(month)s::date AND m.id = w.id AND m.attempts = w.number AND m.status || '' = 'unknown'
    RETURNING m.id, m.status, m.reason
),
noted AS (
    -- For the webhooks that want to know; if there is none, nothing is written.
    INSERT INTO happenings (kind, month, target_id, reason)
    SELECT 'message.' || status, %(month)s::date, id, reason FROM refused
    WHERE 'message.' || status = ANY ((SELECT wanted_kinds())::text[])
)
SELECT id FROM refused
