-- The rest of one month's cancelled runs, in slices, so that no transaction holds 100,000 rows. LATERAL with its lock
-- lets the planner begin with nothing but the cancelled runs, of which most often there is none.
WITH slice AS MATERIALIZED (
    SELECT m.id
    FROM runs r
    CROSS JOIN LATERAL (
        SELECT id FROM messages
        WHERE month = %(month)s::date AND run_id = r.id AND status = 'pending'
        LIMIT %(size)s::int
        FOR UPDATE SKIP LOCKED
    ) m
    WHERE r.month = %(month)s::date AND r.status = 'cancelled' AND r.look_at <= sms_now()
    LIMIT %(size)s::int
),
cancelled AS (
    UPDATE messages m
    SET status = 'cancelled', changed_at = sms_now()
    FROM slice s
    WHERE m.month = %(month)s::date AND m.id = s.id
    RETURNING m.id, m.status, m.reason
),
noted AS (
    -- For the webhooks that want to know; if there is none, nothing is written.
    INSERT INTO happenings (kind, month, target_id, reason)
    SELECT 'message.' || status, %(month)s::date, id, reason FROM cancelled
    WHERE 'message.' || status = ANY ((SELECT wanted_kinds())::text[])
)
SELECT id FROM cancelled
