-- Opens accounts whose pause by the breaker is over; the breaker starts to count anew.
UPDATE gateway_accounts
SET state = 'open', state_since = sms_now(), reason = NULL, reason_message = NULL, paused_by = NULL, reopens_at = NULL,
    watched_from = sms_now()
WHERE state = 'paused' AND reopens_at <= sms_now()
RETURNING name
