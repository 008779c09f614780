-- If a worker died between the gate and its outcomes, nobody can tell whether it handed over, so its texts become
-- unknown and are never sent again by themselves. An outcome that still arrives, or a receipt, may say it later.
-- Attempts are locked before their messages, in the order of ids, as in every statement that writes both, so that it
-- does not deadlock with an outcome or a receipt. An attempt that is being written at this moment is not waited for:
-- what is being written says more.
WITH ended AS MATERIALIZED (
    SELECT id, attempts FROM messages WHERE month = %(month)s::date AND status = 'submitting' AND lease_until <= sms_now()
),
locked AS MATERIALIZED (
    -- LATERAL forces two look-ups for each row: in a month without statistics the planner would otherwise read all its
    -- attempts for each row.
    SELECT e.attempt_id, e.id AS message_id, e.attempts AS number
    FROM (
        SELECT e.*, a.id AS attempt_id
        FROM ended e
        CROSS JOIN LATERAL (
            SELECT id FROM attempts WHERE month = %(month)s::date AND message_id = e.id AND number = e.attempts LIMIT 1
        ) a
        ORDER BY a.id
    ) e
    CROSS JOIN LATERAL (
        SELECT FROM attempts WHERE month = %(month)s::date AND id = e.attempt_id FOR NO KEY UPDATE SKIP LOCKED
    ) a
),
silent AS (
    UPDATE messages m
    SET status = 'unknown', claim_token = NULL, lease_until = NULL, changed_at = sms_now()
    FROM locked l
    WHERE m.month = %(month)s::date AND m.id = l.message_id AND m.attempts = l.number
      AND m.status = 'submitting' AND m.lease_until <= sms_now()
    RETURNING l.attempt_id, m.phone, m.id, m.status, m.reason
),
noted AS (
    -- For the webhooks that want to know; if there is none, nothing is written.
    INSERT INTO happenings (kind, month, target_id, reason)
    SELECT 'message.' || status, %(month)s::date, id, reason FROM silent
    WHERE 'message.' || status = ANY ((SELECT wanted_kinds())::text[])
),
told AS (
    UPDATE attempts a
    SET status = 'unknown', phone = s.phone, outcome_at = sms_now()
    FROM silent s
    WHERE a.month = %(month)s::date AND a.id = s.attempt_id AND a.status = 'submitting'
    RETURNING a.account_id, a.run_id
),
tally AS (
    -- So the breaker also counts a gateway that makes its workers crash.
    INSERT INTO tallies (at, gateway_account_id, run_id, texts, refused, unknown, blamed)
    SELECT sms_now(), account_id, run_id, least(count(*), 30000), 0, least(count(*), 30000), 0
    FROM told GROUP BY account_id, run_id
)
SELECT account_id AS gateway_account_id, run_id, count(*) AS texts FROM told GROUP BY account_id, run_id
