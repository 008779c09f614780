-- A worker that died between the gate and its outcomes may have handed over or not: that cannot be told, so it is never sent
-- again by itself. An outcome that still arrives, or a receipt, says it later. Attempts are locked before their messages, in the
-- order of ids, as by every statement that writes both: no deadlock with an outcome or a receipt.
WITH ended AS MATERIALIZED (
    SELECT month, id, attempts FROM messages WHERE status = 'submitting' AND lease_until <= sms_now()
),
locked AS MATERIALIZED (
    SELECT a.month, a.message_id, a.number
    FROM ended e JOIN attempts a ON a.month = e.month AND a.message_id = e.id AND a.number = e.attempts
    ORDER BY a.id
    FOR NO KEY UPDATE OF a
),
silent AS (
    UPDATE messages m
    SET status = 'unknown', claim_token = NULL, lease_until = NULL, changed_at = sms_now()
    FROM locked l
    WHERE m.month = l.month AND m.id = l.message_id AND m.attempts = l.number
      AND m.status = 'submitting' AND m.lease_until <= sms_now()
    RETURNING m.month, m.id, m.attempts
)
UPDATE attempts a
SET status = 'unknown', outcome_at = sms_now()
FROM silent s
WHERE a.month = s.month AND a.message_id = s.id AND a.number = s.attempts AND a.status = 'submitting'
