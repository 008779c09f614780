-- Accepted and silent for too long. The attempt moves up with its message; a receipt that comes later still counts.
WITH silent AS (
    UPDATE messages m
    SET status = 'no_receipt', changed_at = sms_now()
    FROM runs r
    WHERE r.status IN ('running', 'paused', 'held', 'finished', 'cancelled')
      AND m.month = r.month AND m.run_id = r.id AND m.status = 'accepted'
      AND m.account_id = ANY (%(reporting_accounts)s::bigint[])
      AND m.changed_at <= sms_now() - make_interval(hours => %(hours)s::int)
    RETURNING m.month, m.id, m.attempts
)
UPDATE attempts a
SET status = 'no_receipt', final_at = sms_now()
FROM silent s
WHERE a.month = s.month AND a.message_id = s.id AND a.number = s.attempts AND a.status = 'accepted'
