-- Pauses an account until a person opens it, so no time is set. An account that the breaker has paused then does not
-- open by itself any more.
UPDATE gateway_accounts
SET state_since = CASE WHEN state = 'paused' AND paused_by = 'breaker' THEN state_since ELSE sms_now() END,
    state = 'paused', reason = %(reason)s, reason_message = %(message)s::jsonb, paused_by = 'breaker', reopens_at = NULL
WHERE id = %(gateway_account_id)s::bigint AND (state = 'open' OR (state = 'paused' AND reopens_at IS NOT NULL))
RETURNING name
