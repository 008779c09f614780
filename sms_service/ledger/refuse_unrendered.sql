-- Refuses texts that cannot be rendered; the other texts of their group go on.
UPDATE messages m
SET status = 'refused', reason = 'render', raw_code = o.error,
    claim_token = NULL, lease_until = NULL, account_id = NULL, changed_at = sms_now()
FROM unnest(%(ids)s::bigint[], %(errors)s::text[]) AS o (id, error)
WHERE m.month = %(month)s::date AND m.id = o.id AND m.status = 'claimed' AND m.claim_token = %(token)s::uuid
