-- Ends accepted texts of one month that have been without a receipt for too long. The attempt moves up with its
-- message; a receipt that comes later still counts. Attempts are locked before their messages, as in
-- sweep_submitting.sql, a limited number at a time. If a receipt is being applied to an attempt at this moment, the
-- attempt is not waited for: the receipt says more.
WITH quiet AS MATERIALIZED (
    SELECT m.id, m.attempts
    FROM runs r JOIN messages m ON m.month = %(month)s::date AND m.run_id = r.id
    WHERE r.month = %(month)s::date
      AND (r.status IN ('running', 'paused', 'held') OR (r.status IN ('finished', 'cancelled') AND r.look_at <= sms_now()))
      AND m.status = 'accepted'
      AND m.account_id = ANY (%(reporting_accounts)s::bigint[])
      AND m.changed_at <= sms_now() - make_interval(hours => %(hours)s::int)
    LIMIT %(size)s::int
),
locked AS MATERIALIZED (
    -- LATERAL forces two look-ups for each row: in a month without statistics the planner would otherwise read all its
    -- attempts for each row.
    SELECT q.attempt_id, q.id AS message_id, q.attempts AS number
    FROM (
        SELECT q.*, a.id AS attempt_id
        FROM quiet q
        CROSS JOIN LATERAL (
            SELECT id FROM attempts WHERE month = %(month)s::date AND message_id = q.id AND number = q.attempts LIMIT 1
        ) a
        ORDER BY a.id
    ) q
    CROSS JOIN LATERAL (
        SELECT FROM attempts WHERE month = %(month)s::date AND id = q.attempt_id FOR NO KEY UPDATE SKIP LOCKED
    ) a
),
silent AS (
    UPDATE messages m
    SET status = 'no_receipt', changed_at = sms_now()
    FROM locked l
    WHERE m.month = %(month)s::date AND m.id = l.message_id AND m.attempts = l.number
      AND m.status || '' = 'accepted'  -- so that it is found by key: the partial index has all accepted rows
    RETURNING l.attempt_id, m.id, m.status, m.reason
),
noted AS (
    -- For the webhooks that want to know; if there is none, nothing is written.
    INSERT INTO happenings (kind, month, target_id, reason)
    SELECT 'message.' || status, %(month)s::date, id, reason FROM silent
    WHERE 'message.' || status = ANY ((SELECT wanted_kinds())::text[])
)
UPDATE attempts a
SET status = 'no_receipt', final_at = sms_now()
FROM silent s
WHERE a.month = %(month)s::date AND a.id = s.attempt_id AND a.status = 'accepted'
