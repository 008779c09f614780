-- Refuses texts that cannot be rendered; the other texts of their group go on.
WITH refused AS (
    UPDATE messages m
    SET status = 'refused', reason = 'render', raw_code = o.error,
        claim_token = NULL, lease_until = NULL, account_id = NULL, changed_at = sms_now()
    FROM unnest(%(ids)s::bigint[], %(errors)s::text[]) AS o (id, error)
    WHERE m.month = %(month)s::date AND m.id = o.id AND m.status = 'claimed' AND m.claim_token = %(token)s::uuid
    RETURNING m.id, m.status, m.reason
),
noted AS (
    -- For the webhooks that want to know; if there is none, nothing is written.
    INSERT INTO happenings (kind, month, target_id, reason)
    SELECT 'message.' || status, %(month)s::date, id, reason FROM refused
    WHERE 'message.' || status = ANY ((SELECT wanted_kinds())::text[])
)
SELECT id FROM refused
