-- The link is up again.
UPDATE gateway_accounts SET state = 'open', reason = NULL, reopens_at = NULL
WHERE id = %(account_id)s::bigint AND state = 'paused' AND reopens_at IS NOT NULL AND reason ^@ 'the link is down: '
RETURNING name
