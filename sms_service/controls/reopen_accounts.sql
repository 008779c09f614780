-- Accounts that the breaker paused are tried again; the breaker starts counting anew.
UPDATE gateway_accounts
SET state = 'open', reason = NULL, paused_by = NULL, reopens_at = NULL, watched_from = sms_now()
WHERE state = 'paused' AND reopens_at <= sms_now()
RETURNING name
