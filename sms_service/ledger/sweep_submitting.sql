-- A worker that died between the gate and its outcomes may have handed over or not: that cannot be told, so it is
-- never sent again by itself. An outcome that still arrives, or a receipt, says it later. Attempts are locked before
-- their messages, in the order of ids, as by every statement that writes both: no deadlock with an outcome or a
-- receipt. One that is being written at this moment is not waited for: it says more.
WITH ended AS MATERIALIZED (
    SELECT id, attempts FROM messages WHERE month = %(month)s::date AND status = 'submitting' AND lease_until <= sms_now()
),
locked AS MATERIALIZED (
    -- Two look-ups each, which LATERAL forces: on a month without statistics the planner would read all its attempts
    -- for each row.
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
    RETURNING l.attempt_id, m.phone
),
told AS (
    UPDATE attempts a
    SET status = 'unknown', phone = s.phone, outcome_at = sms_now()
    FROM silent s
    WHERE a.month = %(month)s::date AND a.id = s.attempt_id AND a.status = 'submitting'
    RETURNING a.account_id, a.run_id
),
tally AS (
    -- A gateway that takes its workers down with it is counted too.
    INSERT INTO tallies (at, gateway_account_id, run_id, texts, refused, unknown, blamed)
    SELECT sms_now(), account_id, run_id, least(count(*), 30000), 0, least(count(*), 30000), 0
    FROM told GROUP BY account_id, run_id
)
SELECT account_id AS gateway_account_id, run_id, count(*) AS texts FROM told GROUP BY account_id, run_id
