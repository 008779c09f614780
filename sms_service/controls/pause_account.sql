-- Until a person opens it: no time is set. What the breaker has paused is paused for good by this.
UPDATE gateway_accounts SET state = 'paused', reason = %(reason)s, paused_by = 'breaker', reopens_at = NULL
WHERE id = %(account_id)s::bigint AND (state = 'open' OR (state = 'paused' AND reopens_at IS NOT NULL))
RETURNING name
