-- Rows whose validity ended before they left.
UPDATE messages m
SET status = 'expired', changed_at = sms_now()
FROM runs r
WHERE r.status IN ('running', 'paused', 'held') AND r.expires_at <= sms_now()
  AND m.month = r.month AND m.run_id = r.id AND m.status = 'pending' AND m.expires_at <= sms_now()
