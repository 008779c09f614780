-- Expires rows of one month whose validity ended before they left. The run's validity has then ended too, and most
-- often there is no such run. LATERAL with OFFSET keeps the planner from reading the waiting rows of all other runs
-- first, and `|| ''`, as in the gate, makes it find the few rows by their key.
WITH late AS MATERIALIZED (
    SELECT m.id
    FROM runs r
    CROSS JOIN LATERAL (
        SELECT id FROM messages
        WHERE month = %(month)s::date AND run_id = r.id AND status = 'pending' AND expires_at <= sms_now()
        OFFSET 0
    ) m
    WHERE r.month = %(month)s::date AND r.status IN ('running', 'paused', 'held') AND r.expires_at <= sms_now()
),
expired AS (
    UPDATE messages m
    SET status = 'expired', changed_at = sms_now()
    FROM late l
    WHERE m.month = %(month)s::date AND m.id = l.id AND m.status || '' = 'pending'
    RETURNING m.id, m.status, m.reason
),
noted AS (
    -- For the webhooks that want to know; if there is none, nothing is written.
    INSERT INTO happenings (kind, month, target_id, reason)
    SELECT 'message.' || status, %(month)s::date, id, reason FROM expired
    WHERE 'message.' || status = ANY ((SELECT wanted_kinds())::text[])
)
SELECT id FROM expired
