-- Pauses the account of a link that is down. A pause by a person or by the breaker is not changed.
UPDATE gateway_accounts
SET state_since = CASE WHEN state = 'paused' THEN state_since ELSE sms_now() END,
    state = 'paused', paused_by = 'link', reason = %(reason)s, reason_message = %(message)s::jsonb,
    reopens_at = sms_now() + make_interval(secs => %(pause_s)s::float)
WHERE id = %(gateway_account_id)s::bigint
  AND (state = 'open'
       OR (state = 'paused' AND paused_by = 'link'
           AND reopens_at < sms_now() + make_interval(secs => %(pause_s)s::float / 2)))
RETURNING name, reason
