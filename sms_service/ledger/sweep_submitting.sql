-- A worker that died between the gate and its outcomes may have handed over or not: that cannot be told, so it is never sent
-- again by itself. An outcome that still arrives, or a receipt, says it later.
WITH silent AS (
    UPDATE messages
    SET status = 'unknown', claim_token = NULL, lease_until = NULL, changed_at = sms_now()
    WHERE status = 'submitting' AND lease_until <= sms_now()
    RETURNING month, id, attempts
)
UPDATE attempts a
SET status = 'unknown', outcome_at = sms_now()
FROM silent s
WHERE a.month = s.month AND a.message_id = s.id AND a.number = s.attempts AND a.status = 'submitting'
