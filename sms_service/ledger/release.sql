-- Gives back what was claimed and did not pass the gate, saying why it cannot go, or when it may. A closed window moves
-- not_before to its next opening, so that a night costs one look per row and not one every two seconds.
UPDATE messages m
SET status = CASE
        WHEN r.status = 'cancelled' THEN 'cancelled'
        WHEN m.expires_at <= sms_now() THEN 'expired'
        WHEN s.phone IS NOT NULL THEN 'skipped'
        ELSE 'pending'
    END,
    reason = CASE WHEN r.status <> 'cancelled' AND m.expires_at > sms_now() THEN s.reason END,
    not_before = CASE
        WHEN window_is_open(u.timezone, u.window_opens, u.window_closes) THEN m.not_before
        ELSE next_opening(u.timezone, u.window_opens)
    END,
    claim_token = NULL,
    lease_until = NULL,
    account_id = NULL,
    changed_at = sms_now()
FROM messages c
JOIN runs r ON r.id = c.run_id
JOIN units u ON u.id = c.unit_id
LEFT JOIN suppressions s ON s.phone = c.phone
WHERE c.month = %(month)s::date AND c.id = ANY (%(ids)s::bigint[])
  AND m.month = c.month AND m.id = c.id
  AND m.status = 'claimed' AND m.claim_token = %(token)s::uuid
RETURNING m.id, m.status
